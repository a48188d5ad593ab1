import { passes } from '../passes/index.ts'
import { once, type PassEntry, type PassList, untilStable } from './passList.ts'

/**
 * What runs on the graph as it was written. Within the loop the order saves repetitions and is not needed for the result, except where
 * a reason is given.
 */
export const optimise: PassList = [
  once(passes.eliminateDeadCode, 'nothing after it should look at what is not needed'),
  untilStable([
    untilStable([
      once(passes.foldConstants, 'first, so that the others see the values that the previous round prepared'),
      once(passes.simplifyNoop),
      once(passes.simplifyCast),
      once(passes.simplifyArithmetic, 'before all that look for constants on the right'),
      once(passes.simplifyExpand),
      once(passes.simplifyReshape),
      once(passes.simplifyTranspose),
      once(passes.narrowIndices, 'behind simplify-cast, before gathers turn into slices'),
      once(passes.simplifyGather, 'makes slices'),
      once(passes.simplifySlice),
      once(passes.simplifyConcat),
      once(passes.simplifyPad),
      once(passes.simplifyConv),
      once(passes.raiseClamp, 'before simplify-clamp, which merges what it finds'),
      once(passes.simplifyClamp),
      once(passes.raiseSoftmax),
      once(passes.raiseNormalization, 'before fold-affine, which would move factors out of the pattern'),
      once(passes.raiseActivation, 'before fold-affine, for the same reason'),
      once(passes.raiseAttention, 'before what merges or moves products and transposes'),
      once(passes.raiseRotaryEmbedding, 'before what moves reshapes and transposes between products and slices'),
      once(passes.raiseEmbeddingBag),
      once(passes.raiseDilation, 'before transposes move apart'),
      once(passes.raiseLinear, 'before the two that fold into linear layers'),
      once(passes.factorProducts, 'after raise-linear, for the same reason'),
      once(passes.foldBatchNorm, 'before fold-affine, so that constants behind a batch norm meet its layer'),
      once(passes.foldAffine),
      once(passes.sinkTranspose),
      once(passes.sinkReshape),
      once(passes.fuseQuantized, 'after simplify-pad, because padding belongs to a convolution before it turns to integers'),
    ]),
    once(passes.simplifyMatmul, 'when all products have been recognised that are part of something, in whatever rank'),
    once(passes.mergeProducts, 'when nothing moves any more: a merged layer takes no factors'),
  ]),
  once(passes.mergeEqualConstants, 'last, because it compares bytes and folding makes new ones'),
]

/** What runs again on primitives: the same without the passes that would raise them to composites. */
export const optimiseLowered: PassList = optimise.flatMap(withoutComposite)

function withoutComposite(entry: PassEntry): PassList {
  if (entry.kind === 'pass') return entry.pass.level === 'any' ? [entry] : []
  const entries = entry.entries.flatMap(withoutComposite)
  // A loop of nothing but a loop is that loop.
  return entries.length === 1 && entries[0]!.kind === 'untilStable' ? entries : [{ ...entry, entries }]
}

/** What relayouts leave behind: pairs that cancel, views of views, constants in blocks. Nothing moves across what computes. */
export const optimiseLayout: PassList = [
  untilStable([
    once(passes.simplifyNoop),
    once(passes.simplifyReshape),
    once(passes.simplifyTranspose),
    once(passes.simplifySlice),
    once(passes.simplifyPad),
  ]),
  once(passes.mergeEqualConstants, 'constants in blocks may equal others'),
]

/** The lists that make up the pipeline, in order; lowering stands between the first two, layout assignment behind the second. */
export const phases = { optimise, 'optimise-lowered': optimiseLowered, 'optimise-layout': optimiseLayout } as const

/** Recognises what exporters wrote out, and no more: for looking at what a model consists of. */
export const fold: PassList = [
  once(passes.eliminateDeadCode),
  untilStable([
    once(passes.foldConstants),
    once(passes.simplifyArithmetic, 'brings constants to the right, where patterns have them'),
    once(passes.simplifyReshape),
    once(passes.simplifyTranspose),
    once(passes.raiseClamp),
    once(passes.raiseSoftmax),
    once(passes.raiseNormalization),
    once(passes.raiseActivation),
    once(passes.raiseAttention),
    once(passes.raiseRotaryEmbedding),
    once(passes.raiseLinear),
    once(passes.foldBatchNorm),
  ]),
]

/** What conversions between dtypes leave behind, where a model was brought to another precision by hand or by a tool. */
const cleanUpCasts: PassList = [
  untilStable([
    once(passes.foldConstants, 'converts constants'),
    once(passes.simplifyCast),
    once(passes.simplifyConcat, 'takes conversions out of concatenations'),
    once(passes.simplifyClamp, 'drops limits that a dtype sets anyway'),
    once(passes.narrowIndices),
  ]),
  once(passes.mergeEqualConstants, 'converted constants may equal others'),
]

/** OP-63. Lists of passes with a purpose, by the names that stand for them. */
export const pipelines = { fold, default: optimise, 'clean-up-casts': cleanUpCasts } as const
