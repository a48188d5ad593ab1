import type { CompositeName, PrimitiveName } from '../../compiler/graph/ops/index.ts'
import { type Expression, expressions } from './expressions.ts'
import { attention } from './kernels/attention.ts'
import { bagOffsets } from './kernels/bagOffsets.ts'
import { bitCast } from './kernels/bitCast.ts'
import { blockedConv } from './kernels/blocked/index.ts'
import { blockedConvInteger } from './kernels/blocked/integer.ts'
import { blockLinear } from './kernels/blockLinear.ts'
import { conv } from './kernels/convolution.ts'
import { dequantizeBlocks } from './kernels/dequantizeBlocks.ts'
import { embeddingBag, raggedEmbeddingBag } from './kernels/embeddingBag.ts'
import { gather } from './kernels/gather.ts'
import { convInteger } from './kernels/integerConvolution.ts'
import { matmulInteger } from './kernels/integerProduct.ts'
import { lookup } from './kernels/lookup.ts'
import { layerNorm, rmsNorm } from './kernels/normalization.ts'
import { argMax, argMin, cumProd, cumSum, topKIndices } from './kernels/order.ts'
import { pad } from './kernels/pad.ts'
import { avgPool, maxPool } from './kernels/pool.ts'
import { linear, matmul } from './kernels/product.ts'
import { recurrence } from './kernels/recurrent/index.ts'
import { reduceMax, reduceMin, reduceProd, reduceSum } from './kernels/reduce.ts'
import { regionPool } from './kernels/regions.ts'
import { rotaryEmbedding } from './kernels/rotaryEmbedding.ts'
import { gridSample } from './kernels/sampling.ts'
import { scatterNd } from './kernels/scatter.ts'
import { suppressedBoxes, truePositions } from './kernels/selection.ts'
import { logSoftmax, softmax } from './kernels/softmax.ts'
import type { Template } from './kernels/template.ts'

/** Ops that never reach a kernel: storage has an address, movement has become accesses, views and copies. */
interface Absent {
  readonly kind: 'storage' | 'movement'
}

export type Row = Expression | Template | Absent

/** How each op becomes C. A primitive without a row does not compile; a composite with one is kept instead of lowered. */
export const rows = {
  input: { kind: 'storage' },
  constant: { kind: 'storage' },
  reshape: { kind: 'movement' },
  transpose: { kind: 'movement' },
  slice: { kind: 'movement' },
  concat: { kind: 'movement' },
  expand: { kind: 'movement' },
  storageCast: { kind: 'movement' },
  resultOf: { kind: 'movement' },
  ...expressions,
  pad,
  gather,
  scatterNd,
  argMax,
  argMin,
  topKIndices,
  cumSum,
  cumProd,
  truePositions,
  suppressedBoxes,
  bagOffsets,
  conv,
  blockedConv,
  maxPool,
  avgPool,
  matmul,
  linear,
  convInteger,
  blockedConvInteger,
  matmulInteger,
  lookup,
  bitCast,
  dequantizeBlocks,
  blockLinear,
  reduceSum,
  reduceProd,
  reduceMax,
  reduceMin,
  softmax,
  logSoftmax,
  layerNorm,
  rmsNorm,
  attention,
  embeddingBag,
  raggedEmbeddingBag,
  rotaryEmbedding,
  regionPool,
  gridSample,
  recurrence,
} as const satisfies { readonly [K in PrimitiveName]: Row } & { readonly [K in CompositeName]?: Row }
