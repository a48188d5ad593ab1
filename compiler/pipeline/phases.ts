import { passes } from '../passes/index.ts'
import { once, type PassEntry, type PassList, untilStable } from './passList.ts'

/**
 * What runs on the graph as it was written. Within the loop the order saves repetitions and is not needed for the result, except where
 * a reason is given.
 */
export const optimise: PassList = [
  once(passes.eliminateDeadCode, 'nothing after it should look at what is not needed'),
  untilStable([
    once(passes.foldConstants, 'first, so that the others see the values that the previous round prepared'),
    once(passes.simplifyNoop),
    once(passes.simplifyCast),
    once(passes.simplifyArithmetic, 'before all that look for constants on the right'),
    once(passes.simplifyExpand),
    once(passes.simplifyReshape),
    once(passes.simplifyTranspose),
    once(passes.simplifyGather, 'makes slices'),
    once(passes.simplifySlice),
    once(passes.simplifyConcat),
    once(passes.simplifyPad),
    once(passes.raiseClamp, 'before simplify-clamp, which merges what it finds'),
    once(passes.simplifyClamp),
    once(passes.raiseLinear, 'before the two that fold into linear layers'),
    once(passes.foldBatchNorm, 'before fold-affine, so that constants behind a batch norm meet its layer'),
    once(passes.foldAffine),
    once(passes.sinkTranspose),
    once(passes.sinkReshape),
    once(passes.fuseQuantized, 'after simplify-pad, because padding belongs to a convolution before it turns to integers'),
  ]),
  once(passes.mergeEqualConstants, 'last, because it compares bytes and folding makes new ones'),
]

/** What runs again on primitives: the same without the passes that would raise them to composites. */
export const optimiseLowered: PassList = optimise.flatMap(withoutComposite)

function withoutComposite(entry: PassEntry): PassList {
  if (entry.kind === 'pass') return entry.pass.level === 'any' ? [entry] : []
  return [{ ...entry, entries: entry.entries.flatMap(withoutComposite) }]
}

/** The lists that make up the pipeline, in order; lowering stands between them. */
export const phases = { optimise, 'optimise-lowered': optimiseLowered } as const
