import { block, type Lines, loop } from '../../text.ts'
import type { Operands } from './operands.ts'
import type { Panel } from './panels.ts'
import type { RowTiles } from './rowTiles.ts'

/** Steps that are written out behind one another: more go around a loop. */
const mostSteps = 16

/** A step of a row of the window: an element of all pixels that see its column. */
interface Step {
  readonly kx: number
  readonly from: number
  readonly to: number
  readonly lane: number
}

/**
 * One row of the window over so many channels, `row` and `w` as for `microKernel`, with fences between steps (`Level.fenced`): `a` moves with
 * them, so that pixels are constant distances from it, and weights have constant offsets from `w`, which stays.
 */
export function fencedRow(
  { sizes, arithmetic, stream }: Operands,
  panel: Panel,
  tiles: RowTiles,
  lanes: number,
  column: number,
): Lines {
  const { stride, dilation, before, strides, window } = sizes
  const width = panel.vectors * sizes.block
  const pixelOf = (pixel: number, kx: number) => pixel * stride[2] + kx * dilation[2] - before[2] - column
  const placeOf = ({ from, kx, lane }: Step) => pixelOf(from, kx) * strides.column + lane * strides.lane
  const stepLines = (step: Step, at: number): Lines => {
    const streams = Array.from({ length: panel.vectors }, (_, v) => `b${v} = ${stream(at, v, width)}`)
    const rows = Array.from({ length: step.to - step.from }, (_, i) => {
      const adds = Array.from({ length: panel.vectors }, (_, v) => arithmetic.multiplyAdd(`c${step.from + i}_${v}`, 's', `b${v}`))
      return `{ const ${arithmetic.vector} s = ${arithmetic.splat(`a[${i * stride[2] * strides.column}]`)}; ${adds.join(' ')} }`
    })
    return block('', [`const ${arithmetic.vector} ${streams.join(', ')};`, ...rows])
  }
  /** Steps behind one another, the first of which reads at `a`. */
  const run = (steps: readonly Step[]): Lines =>
    steps.flatMap((step, i) => {
      const next = steps[i + 1]
      return [
        ...stepLines(step, step.kx * lanes + step.lane),
        ...(next ? [`a += ${placeOf(next) - placeOf(step)};`, 'FRESH(a);', `FENCE(w, ${i + 1});`] : []),
      ]
    })
  const stepsOf = ({ kx, from, to }: Omit<Step, 'lane'>) => Array.from({ length: lanes }, (_, lane) => ({ kx, from, to, lane }))
  const begin = (at: string) => [`const ${arithmetic.element} *a = ${at};`, 'FRESH(a);', 'FRESH(w);']
  const once = (lines: Lines) => [...block('do', lines).slice(0, -1), '} while (0);']
  const { taps } = tiles
  const steps = taps.flatMap(stepsOf)
  const [first] = steps
  if (!first) return []
  if (steps.length <= mostSteps || !tiles.whole)
    return [...once([...begin(`row + ${placeOf(first)}`), ...run(steps)]), `w += ${window[2] * lanes * width};`]
  return loop('kx', 0, taps.length, 1, [
    ...once([...begin(`row + kx * ${dilation[2] * strides.column}`), ...run(stepsOf(taps[0]!))]),
    `w += ${lanes * width};`,
  ])
}
