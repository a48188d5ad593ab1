import { type Candidate, choose, remembered } from '../../choice.ts'
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

/** All ways to compute the kernel. */
export function candidatesOf(kernel: AnchoredKernel, level: Level): readonly Candidate<Method>[] {
  const convolution = blockedConvolutionOf(kernel, level)
  if (kernel.inputs.slice(1, kernel.anchor.operands.length).some(({ constant }) => !constant))
    return [{ name: 'loops', nanoseconds: 0, value: plainLoops }]
  return families.flatMap((family) => family(convolution, kernel, level))
}

const methodOf = remembered((kernel, level) => choose(kernel, level, candidatesOf(kernel as AnchoredKernel, level)))

export const blockedConv: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  ownScratch: (kernel, level) => methodOf(kernel, level).ownScratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
  fuses: (kernel, level) => methodOf(kernel, level).fuses?.(kernel, level) ?? true,
  lowers: ({ type, operands, attributes }, level) =>
    type.dtype !== 'f32' ||
    attributes.block !== lanesOf(level) ||
    [...operands, { type }].some((value) => value?.type.shape.includes(0)),
}
