import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { pointsOf, transformWindow } from './winogradMatrices.ts'
import type { Plan } from './winogradPlan.ts'

/** Elements of transformed weights of so many groups. */
export const weightElements = ({ points, vectors, lanes, plane }: Plan, groups: number): number =>
  points * plane.inputs * vectors * lanes * groups

/** First element of what a point, a group and a panel's first vector of it have; `width` vectors of outputs for each input lie there. */
function slabOf(plan: Plan, point: number, group: number, vector: number, width: number): number {
  const { points, plane, vectors, lanes, unitGroups, sections } = plan
  const unit = Math.floor(group / unitGroups)
  const before = weightElements(plan, unit * unitGroups)
  const column = plane.inputs * lanes
  if (sections === 'panels') return before + points * vector * column + point * width * column
  const groups = Math.min(unitGroups, plane.groups - unit * unitGroups)
  return before + ((point * groups + (group % unitGroups)) * vectors + vector) * column
}

/**
 * G g Gᵀ of all windows in the order in which kernels read them: `[units][panels][points][inputs][panel]`, or where groups do not fill
 * blocks `[units][points][groups][panels][inputs][panel]`; panels are filled up with zeros.
 */
export function weightPacking(plan: Plan): Packing {
  const { size, plane, panel, vectors, lanes, unitGroups, sections } = plan
  const { groups, inputs, outputs } = plane
  const bytes = 4 * weightElements(plan, groups)
  return {
    key: `winograd ${size}: ${groups}x${outputs}x${inputs} by ${panel.vectors} vectors of ${lanes}, ${sections} of ${unitGroups} groups`,
    bytes,
    pack(dense) {
      const from = new Float32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength))
      const to = new Float32Array(bytes / 4)
      const points = pointsOf(size)
      const window = new Float64Array(points)
      const slabs = new Int32Array(points)
      for (let group = 0; group < groups; group++) {
        for (let first = 0; first < vectors; first += panel.vectors) {
          const width = Math.min(panel.vectors, vectors - first)
          for (let point = 0; point < points; point++) slabs[point] = slabOf(plan, point, group, first, width)
          const end = Math.min(outputs, (first + width) * lanes)
          for (let output = first * lanes; output < end; output++) {
            const row = (group * outputs + output) * inputs
            const column = output - first * lanes
            for (let input = 0; input < inputs; input++) {
              transformWindow(size, from, (row + input) * 9, window)
              const at = input * width * lanes + column
              for (let point = 0; point < points; point++) to[slabs[point]! + at] = window[point]!
            }
          }
        }
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** The bias in whole blocks, filled up with zeros. */
export function biasPacking({ plane: { groups, outputs }, lanes }: Plan): Packing {
  const bytes = 4 * Math.ceil((groups * outputs) / lanes) * lanes
  return {
    key: `blocks of ${lanes}`,
    bytes,
    pack(dense) {
      const to = new Uint8Array(bytes)
      to.set(dense)
      return to
    },
  }
}
