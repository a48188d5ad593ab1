import type { StoredFloat } from '../../../../compiler/fuse/kernel.ts'
import { type Candidate, cheapest, choose, remembered } from '../../choice.ts'
import type { Level } from '../../level.ts'
import { lanesOf } from '../../level.ts'
import type { Method } from '../method.ts'
import type { AnchoredKernel, Template } from '../template.ts'
import { directCandidates } from './direct.ts'
import { lanewiseCandidates } from './lanewise.ts'
import { plainLoops } from './loops.ts'
import { type BlockedConvolution, blockedConvolutionOf } from './sizes.ts'
import { winogradCandidates } from './winograd.ts'

/** A family of ways to compute a blocked convolution: those that can, with what they are expected to take; none where it cannot. */
export type Candidates = (convolution: BlockedConvolution, kernel: AnchoredKernel, level: Level) => readonly Candidate<Method>[]

const families: readonly Candidates[] = [directCandidates, lanewiseCandidates, winogradCandidates]

/** All ways to compute the kernel; with weights stored in 16 bits those that read them so, which may be none. */
export function candidatesOf(kernel: AnchoredKernel, level: Level): readonly Candidate<Method>[] {
  const convolution = blockedConvolutionOf(kernel, level)
  if (kernel.inputs.slice(1, kernel.anchor.operands.length).some(({ constant }) => !constant))
    return [{ name: 'loops', nanoseconds: 0, value: plainLoops }]
  if (kernel.inputs[1]!.stored) return directCandidates(convolution, kernel, level)
  return families.flatMap((family) => family(convolution, kernel, level))
}

/** How much longer than others a way may take that reads weights of half the size. */
const widening = 1.05

/** Whether weights in 16 bits cost nothing: not where Winograd's algorithm or whole groups in a block save more. */
function storesWeights(kernel: AnchoredKernel, index: number, as: StoredFloat, level: Level): boolean {
  if (index !== 1 || kernel.inputs.slice(1, kernel.anchor.operands.length).some(({ constant }) => !constant)) return false
  const stored = { ...kernel, inputs: kernel.inputs.map((input, i) => (i === index ? { ...input, stored: as } : input)) }
  const ways = candidatesOf(stored, level)
  return ways.length > 0 && cheapest(ways).nanoseconds <= widening * cheapest(candidatesOf(kernel, level)).nanoseconds
}

const methodOf = remembered((kernel, level) => choose(kernel, level, candidatesOf(kernel as AnchoredKernel, level)))

export const blockedConv: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  ways: candidatesOf,
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  ownScratch: (kernel, level) => methodOf(kernel, level).ownScratch?.(kernel, level) ?? 0,
  // What stands behind the operands belongs to the work that follows.
  pack: (kernel, index, level) =>
    index < kernel.anchor.operands.length ? methodOf(kernel, level).pack?.(kernel, index, level) : undefined,
  stores: storesWeights,
  fuses: (kernel, level) => methodOf(kernel, level).fuses?.(kernel, level) ?? true,
  lowers: ({ type, operands, attributes }, level) =>
    type.dtype !== 'f32' ||
    attributes.block !== lanesOf(level) ||
    [...operands, { type }].some((value) => value?.type.shape.includes(0)),
}
