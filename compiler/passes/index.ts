import { eliminateDeadCode } from './eliminateDeadCode.ts'
import { factorProducts } from './factorProducts.ts'
import { foldAffine } from './foldAffine.ts'
import { foldBatchNorm } from './foldBatchNorm.ts'
import { foldConstants } from './foldConstants.ts'
import { fuseQuantized } from './fuseQuantized.ts'
import { mergeEqualConstants } from './mergeEqualConstants.ts'
import { mergeProducts } from './mergeProducts.ts'
import { narrowIndices } from './narrowIndices.ts'
import type { Pass } from './pass.ts'
import { raiseActivation } from './raiseActivation.ts'
import { raiseAttention } from './raiseAttention.ts'
import { raiseClamp } from './raiseClamp.ts'
import { raiseDilation } from './raiseDilation.ts'
import { raiseEmbeddingBag } from './raiseEmbeddingBag.ts'
import { raiseLinear } from './raiseLinear.ts'
import { raiseNormalization } from './raiseNormalization.ts'
import { raiseRotaryEmbedding } from './raiseRotaryEmbedding.ts'
import { raiseSoftmax } from './raiseSoftmax.ts'
import { simplifyArithmetic } from './simplifyArithmetic.ts'
import { simplifyCast } from './simplifyCast.ts'
import { simplifyClamp } from './simplifyClamp.ts'
import { simplifyConcat } from './simplifyConcat.ts'
import { simplifyConv } from './simplifyConv.ts'
import { simplifyExpand } from './simplifyExpand.ts'
import { simplifyGather } from './simplifyGather.ts'
import { simplifyMatmul } from './simplifyMatmul.ts'
import { simplifyNoop } from './simplifyNoop.ts'
import { simplifyPad } from './simplifyPad.ts'
import { simplifyReshape } from './simplifyReshape.ts'
import { simplifySlice } from './simplifySlice.ts'
import { simplifyTranspose } from './simplifyTranspose.ts'
import { sinkReshape } from './sinkReshape.ts'
import { sinkTranspose } from './sinkTranspose.ts'

export type { Application, Pass, PassContext } from './pass.ts'

/** Every pass under the name of its export. */
export const passes = {
  eliminateDeadCode,
  factorProducts,
  foldAffine,
  foldBatchNorm,
  foldConstants,
  fuseQuantized,
  mergeEqualConstants,
  mergeProducts,
  narrowIndices,
  raiseActivation,
  raiseAttention,
  raiseClamp,
  raiseDilation,
  raiseEmbeddingBag,
  raiseLinear,
  raiseNormalization,
  raiseRotaryEmbedding,
  raiseSoftmax,
  simplifyArithmetic,
  simplifyCast,
  simplifyClamp,
  simplifyConcat,
  simplifyConv,
  simplifyExpand,
  simplifyGather,
  simplifyMatmul,
  simplifyNoop,
  simplifyPad,
  simplifyReshape,
  simplifySlice,
  simplifyTranspose,
  sinkReshape,
  sinkTranspose,
} as const satisfies Readonly<Record<string, Pass>>
