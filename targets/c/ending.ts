// How results of quantised kernels end: floats that are rounded, moved by a zero point and stored as bytes, several vectors at once.
import type { Step } from '../../compiler/fuse/kernel.ts'
import type { Domain } from './access.ts'
import type { Level } from './level.ts'
import { lanesOf } from './level.ts'
import { evaluateVector, isVectorProgram, type Pointers, type Position, resultIndex } from './steps.ts'
import { block, type Lines } from './text.ts'

/** Steps that end in `cast(round(x) + zero)` to `u8`. */
export interface RoundedEnding {
  /** The step of f32 that is rounded. */
  readonly rounded: number
  readonly zero: number
}

/** Zero points that differ more from 0 are none, and sums with them might not fit 16 bits. */
const largestZero = 255

type Apply = Extract<Step, { kind: 'apply' }>

/**
 * The ending of a kernel whose only result it is and whose steps have vector forms. Bytes with a sign have none: NaN becomes 0, which is not
 * the least of them.
 */
export function roundedEnding({ steps }: Pick<Domain, 'steps'>, { results }: Pointers): RoundedEnding | undefined {
  const [result, ...others] = results
  if (others.length > 0 || result?.dtype !== 'u8' || result.step !== steps.length - 1 || !isVectorProgram(steps)) return undefined
  const applied = (index: number, op: string): Apply | undefined => {
    const step = steps[index]
    return step?.kind === 'apply' && step.op === op ? step : undefined
  }
  const cast = applied(result.step, 'cast')
  if (!cast) return undefined
  const before = cast.arguments[0]!
  const sum = applied(before, 'add')
  const literalOf = (index: number) => {
    const step = steps[index]!
    return step.kind === 'literal' && Number.isInteger(step.value) && Math.abs(step.value) <= largestZero ? step.value : undefined
  }
  const ends = sum ? sum.arguments.map((index, i) => [index, literalOf(sum.arguments[1 - i]!)] as const) : [[before, 0] as const]
  for (const [index, zero] of ends) {
    const round = applied(index, 'round')
    const from = round?.arguments[0]
    if (from !== undefined && zero !== undefined && steps[from]!.dtype === 'f32') return { rounded: from, zero }
  }
  return undefined
}

/** Elementwise steps of a program that are done for each vector of its own. */
export const stepsBefore = (steps: readonly Step[], ending: RoundedEnding | undefined): number =>
  steps.filter((step, i) => step.kind === 'apply' && (!ending || i <= ending.rounded)).length

/** Vectors of bytes that are stored at once. */
export const vectorsAtOnce = 4

/**
 * What `storeAfter` does for up to `vectorsAtOnce` whole vectors whose results lie one behind the other: packed they are rounded, saturated
 * and stored in about half as many instructions as one by one.
 */
export function storeRounded(
  domain: Domain,
  positions: readonly Position[],
  anchors: readonly string[],
  pointers: Pointers,
  { rounded, zero }: RoundedEnding,
  level: Level,
): Lines {
  const bodies = anchors.map((anchor, i) => {
    const { invariant, lines, values } = evaluateVector(
      domain.steps,
      positions[i]!,
      pointers.inputs,
      lanesOf(level),
      level,
      anchor,
      't',
      rounded,
    )
    return block('', [...invariant, ...lines, `r${i} = gp_nearest_v(${values[rounded]!});`])
  })
  const names = Array.from({ length: vectorsAtOnce }, (_, i) => `r${Math.min(i, anchors.length - 1)}`)
  const to = `${pointers.results[0]!.pointer} + ${resultIndex(domain, positions[0]!)}`
  return block('', [
    `vi ${anchors.map((_, i) => `r${i}`).join(', ')};`,
    ...bodies.flat(),
    `gp_pack_u8(${to}, ${names.join(', ')}, ${zero}, ${anchors.length});`,
  ])
}
