import type { Step } from '../../../compiler/fuse/kernel.ts'
import { type Domain, regroup } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { evaluateVector, isVectorProgram, type Pointers, storeVectors } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { type Lines, sum } from '../text.ts'

type Load = Extract<Step, { kind: 'load' }>

/** Fewer vectors than these are not worth a second loop for the rows behind them. */
const enoughVectors = 8

/** What whole vectors of rows compute, and the first row that is left for others. */
export interface ShortRows {
  readonly lines: Lines
  readonly end: number
}

/**
 * A program over rows of two, four or eight elements, of which several fill a vector: pairs of coordinates of boxes, above all. Results are
 * dense; operands whose rows lie apart are picked from one or two vectors. Measured on Zen 4, for rows of two at x86-64-v4: five times as
 * fast as a row at a time. Undefined where a row does not divide a vector, or some operand lies otherwise.
 */
export function shortRows({ extents, steps, resultStrides }: Domain, pointers: Pointers, level: Level): ShortRows | undefined {
  const lanes = lanesOf(level)
  const [rows, width] = extents
  if (extents.length !== 2 || resultStrides || lanes % width! > 0 || width! < 2 || width === lanes) return undefined
  const isSingle = (dtype: string) => dtype === 'f32'
  if (!isVectorProgram(steps) || !pointers.results.every(({ dtype }) => isSingle(dtype))) return undefined
  const loads = steps.filter((step): step is Load => step.kind === 'load')
  if (!loads.every(({ dtype }) => isSingle(dtype))) return undefined
  const count = lanes / width!
  const folded = regroup({ extents, steps: steps.map((step) => (step.kind === 'load' ? onOneRow(step, width!) : step)) }, [
    [0, 1],
  ])!
  const made = new Map<Step, string>()
  const before: string[] = []
  let end = rows! - (rows! % count)
  for (const [index, step] of steps.entries()) {
    if (step.kind !== 'load' || onOneRow(step, width!) === step) continue
    const { offset, strides } = step.access
    const [row, column] = strides as [number, number]
    const places = Array.from({ length: lanes }, (_, lane) => Math.floor(lane / width!) * row + (lane % width!) * column)
    const pointer = pointers.inputs[step.input]!
    if (row === 0) {
      before.push(`const vf row${index} = {${places.map((place) => `${pointer}[${offset + place}]`).join(', ')}};`)
      made.set(folded.steps[index]!, `row${index}`)
      continue
    }
    const vectors = Math.ceil((Math.max(...places) + 1) / lanes)
    if (row < 0 || column < 0 || vectors > 2) return undefined
    // The last rows whose vectors do not reach past the last element.
    const last = (rows! - 1) * row + (width! - 1) * column
    end = Math.min(end, Math.floor((last + 1 - vectors * lanes) / row / count) * count + count)
    const at = (vector: number) => `LOAD(${pointer} + ${sum([['i0', row]], offset + vector * lanes)})`
    const from = vectors === 1 ? 'u, u' : 'u, w'
    const second = vectors === 1 ? '' : `, w = ${at(1)}`
    made.set(folded.steps[index]!, `({ const vf u = ${at(0)}${second}; SHUFFLE(${from}, ${places.join(', ')}); })`)
  }
  if (end < enoughVectors * count) return undefined
  const at = `i0 * ${width}`
  const { invariant, lines, values } = evaluateVector(
    folded.steps,
    [at],
    pointers.inputs,
    lanes,
    level,
    undefined,
    't',
    undefined,
    made,
  )
  const body = [...lines, ...storeVectors(pointers, at, values, lanes, level)]
  return { lines: [...before, ...invariant, ...sharedLoop(level, 'i0', 0, end, count, body)], end }
}

/** A load whose rows lie behind one another, or that is of one element, as it is; of others one that does. */
function onOneRow(step: Load, width: number): Load {
  const { offset, strides } = step.access
  const [row, column] = strides as [number, number]
  const isDense = row === width * column && (column === 0 || column === 1)
  return isDense ? step : { ...step, access: { offset, strides: [width, 1] } }
}
