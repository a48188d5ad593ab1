import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, definitionOf, isOpName, ModelProblem, type Node, ops } from '../../compiler/graph/index.ts'
import * as glowplug from '../../dsl/index.ts'
import { buildModel, createTracer } from '../../dsl/trace.ts'
import { nodeOf, tensorOf, withTracer } from '../../dsl/tracer.ts'

const dsl: Record<string, (...args: any[]) => any> = glowplug as never

/** Runs `body` as a forward function with inputs of the given types. */
function trace<T>(body: (input: (shape: readonly number[], dtype?: DType) => glowplug.Tensor) => T): T {
  const tracer = createTracer()
  let count = 0
  return withTracer(tracer, () =>
    body((shape, dtype = 'f32') => tensorOf(tracer.builder.input(`input${count++}`, { dtype, shape }))),
  )
}

/** Arguments for every function that applies ops, and the shape of the result worked out by hand (a list for several results). */
type Sample = [args: unknown[], shape: readonly unknown[]]
const f = (...shape: number[]) => ({ dtype: 'f32' as DType, shape })
const b = (...shape: number[]) => ({ dtype: 'bool' as DType, shape })
const i = (...shape: number[]) => ({ dtype: 'i32' as DType, shape })
const q = (...shape: number[]) => ({ dtype: 'u8' as DType, shape })
const unary: Sample[] = [[[f(2, 3)], [2, 3]]]
const binary: Sample[] = [
  [
    [f(2, 1), f(3)],
    [2, 3],
  ],
  [
    [f(2, 3), 2],
    [2, 3],
  ],
  [
    [0.5, f(2, 3)],
    [2, 3],
  ],
]
const logic: Sample[] = [
  [
    [b(2, 1), b(3)],
    [2, 3],
  ],
]
const bits: Sample[] = [
  [
    [i(2, 1), i(3)],
    [2, 3],
  ],
  [[i(2), 7], [2]],
]
const reduction: Sample[] = [
  [[f(2, 3, 4)], []],
  [
    [f(2, 3, 4), { axes: 1 }],
    [2, 4],
  ],
  [
    [f(2, 3, 4), { axes: [-1, 0], keepDims: true }],
    [1, 3, 1],
  ],
]
const samples: Record<string, Sample[]> = {
  ...Object.fromEntries(
    'negate abs sign floor ceil round sqrt rsqrt reciprocal exp log sin cos tan asin acos atan sinh cosh asinh acosh atanh isInf celu thresholdedRelu shrink hardmax erf tanh sigmoid isNaN relu elu selu softplus softsign silu mish hardSigmoid hardSwish'
      .split(' ')
      .map((name) => [name, unary]),
  ),
  ...Object.fromEntries(
    'add sub mul div pow mod fmod minimum maximum equal notEqual less lessOrEqual greater greaterOrEqual'
      .split(' ')
      .map((name) => [name, binary]),
  ),
  ...Object.fromEntries('and or xor'.split(' ').map((name) => [name, logic])),
  ...Object.fromEntries('bitwiseAnd bitwiseOr bitwiseXor shiftLeft shiftRight'.split(' ').map((name) => [name, bits])),
  ...Object.fromEntries(
    'sum prod max min mean l1Norm l2Norm sumOfSquares logSumExp variance standardDeviation'
      .split(' ')
      .map((name) => [name, reduction]),
  ),
  bitwiseNot: [[[i(2, 3)], [2, 3]]],
  argMax: [
    [[f(2, 3, 4)], [2, 3]],
    [
      [f(2, 3, 4), { axis: 1, keepDims: true, last: true }],
      [2, 1, 4],
    ],
  ],
  argMin: [
    [
      [i(2, 3, 4), { axis: -2 }],
      [2, 4],
    ],
  ],
  nonZero: [
    [[f(2, 3)], [[2, 6], []]],
    [
      [b(2, 3, 4), { limit: 5 }],
      [[3, 5], []],
    ],
  ],
  compress: [
    [
      [f(2, 3), b(3), { axis: 1 }],
      [[2, 3], []],
    ],
    [
      [i(2, 3), i(4), { limit: 2 }],
      [[2], []],
    ],
  ],
  unique: [
    [[f(2, 3)], [[6], [6], [6], [6], []]],
    [
      [b(2, 3), { axis: 1, sorted: false }],
      [[2, 3], [3], [3], [3], []],
    ],
  ],
  nonMaxSuppression: [
    [
      [f(2, 5, 4), f(2, 3, 5), { limit: 2, iouThreshold: 0.5, scoreThreshold: 0.1, format: 'center' }],
      [[12, 3], []],
    ],
  ],
  bounded: [
    [
      [f(2, 3), { dtype: 'i64', shape: [] }, { axis: 1 }],
      [2, 3],
    ],
  ],
  positions: [[[4], [4]]],
  countMask: [[[{ dtype: 'i64', shape: [] }, 4], [4]]],
  topK: [
    [
      [f(2, 5), 3],
      [
        [2, 3],
        [2, 3],
      ],
    ],
    [
      [f(5, 2), 0, { axis: 0, largest: false }],
      [
        [0, 2],
        [0, 2],
      ],
    ],
  ],
  cumSum: [
    [[f(2, 3)], [2, 3]],
    [
      [i(2, 3), { axis: 0, exclusive: true, reverse: true }],
      [2, 3],
    ],
  ],
  cumProd: [
    [[f(2, 3)], [2, 3]],
    [
      [i(2, 3), { axis: 0, exclusive: true, reverse: true }],
      [2, 3],
    ],
  ],
  reverseSequence: [
    [
      [f(2, 3, 4), i(2)],
      [2, 3, 4],
    ],
    [
      [b(3, 2), i(2), { axis: 0, batchAxis: 1 }],
      [3, 2],
    ],
  ],
  crossEntropy: [
    [[f(4, 5), i(4)], []],
    [
      [f(4, 5, 3), i(4, 3), { reduction: 'none', ignore: -1, weight: f(5) }],
      [4, 3],
    ],
  ],
  negativeLogLikelihood: [
    [[f(4, 5), i(4)], []],
    [
      [f(4, 5, 3), i(4, 3), { reduction: 'none', ignore: -1, weight: f(5) }],
      [4, 3],
    ],
  ],
  binaryCrossEntropy: [
    [[f(4, 5), f(4, 5)], []],
    [
      [f(4, 5), f(4, 5), { reduction: 'none', weight: f(4, 1), positiveWeight: f(5) }],
      [4, 5],
    ],
  ],
  decisionTrees: [
    [
      [
        f(6, 3),
        { feature: i(5), threshold: f(5), yes: i(5), no: i(5), missing: b(5), roots: i(2), values: f(5, 4) },
        { depth: 2, combine: 'mean' },
      ],
      [6, 4],
    ],
  ],
  inverse: [
    [[f(3, 3)], [3, 3]],
    [[f(2, 4, 4)], [2, 4, 4]],
  ],
  gatherElements: [
    [
      [f(3, 4), i(2, 4)],
      [2, 4],
    ],
    [
      [f(3, 4), i(3, 7), { axis: 1 }],
      [3, 7],
    ],
  ],
  sparseLengthsSum: [
    [
      [f(10, 4), i(20), i(5)],
      [5, 4],
    ],
    [
      [f(10, 4), i(20), i(5), f(20), { averageLength: 2 }],
      [5, 4],
    ],
  ],
  embeddingBag: [
    [
      [f(10, 4), i(20), i(5)],
      [5, 4],
    ],
    [
      [f(10, 4), i(20), i(5), { mode: 'mean', includeLastOffset: true }],
      [4, 4],
    ],
    [
      [f(10, 4), i(20), i(5), { perSampleWeights: f(20) }],
      [5, 4],
    ],
  ],
  gatherNd: [
    [
      [f(3, 4, 5), i(6, 2)],
      [6, 5],
    ],
    [
      [f(3, 4, 5), i(3, 2, 1), { batchDims: 1 }],
      [3, 2, 5],
    ],
  ],
  scatterElements: [
    [
      [f(3, 4), i(2, 4), f(2, 4)],
      [3, 4],
    ],
    [
      [f(3, 4), i(3, 1), f(3, 1), { axis: 1, reduction: 'add' }],
      [3, 4],
    ],
  ],
  updateSlice: [
    [
      [f(2, 5, 3), f(2, 2, 3), i(1)],
      [2, 5, 3],
    ],
    [
      [f(2, 5, 3), f(2, 2, 3), i(2)],
      [2, 5, 3],
    ],
    [[f(6), f(4), 1], [6]],
    [
      [f(2, 3, 4), f(2, 3, 2), i(), { axis: 2, mode: 'circular' }],
      [2, 3, 4],
    ],
  ],
  scatterNd: [
    [
      [f(3, 4), i(2, 1), f(2, 4)],
      [3, 4],
    ],
    [
      [f(3, 4), i(5, 2), f(5), { reduction: 'max' }],
      [3, 4],
    ],
  ],
  oneHot: [
    [
      [i(2, 3), 5],
      [2, 3, 5],
    ],
    [
      [i(2, 3), 5, { axis: 0, dtype: 'bool' }],
      [5, 2, 3],
    ],
    [[i(), 4], [4]],
  ],
  triu: [
    [[f(2, 3, 4)], [2, 3, 4]],
    [
      [b(3, 3), { diagonal: -1 }],
      [3, 3],
    ],
  ],
  tril: [
    [
      [i(3, 4), { diagonal: 2 }],
      [3, 4],
    ],
  ],
  convTranspose1d: [
    [
      [f(1, 4, 5), f(4, 2, 3), f(4), { groups: 2, stride: 2, padding: 1, outputPadding: 1 }],
      [1, 4, 10],
    ],
  ],
  convTranspose2d: [
    [
      [f(1, 3, 4, 5), f(3, 2, 3, 3), undefined, { stride: [2, 1], padding: { before: 0, after: [1, 0] } }],
      [1, 2, 8, 7],
    ],
    [
      [f(1, 3, 4, 5), f(3, 2, 3, 3), undefined, { stride: 2, padding: 'same' }],
      [1, 2, 8, 10],
    ],
    [
      [f(1, 3, 4, 5), f(3, 2, 1, 1), undefined, { stride: 3, padding: 'same' }],
      [1, 2, 12, 15],
    ],
  ],
  convTranspose3d: [
    [
      [f(1, 2, 2, 2, 2), f(2, 3, 2, 2, 2), f(3), { stride: 2 }],
      [1, 3, 4, 4, 4],
    ],
  ],
  maxPool3d: [
    [
      [f(1, 2, 4, 5, 6), 2],
      [1, 2, 2, 2, 3],
    ],
  ],
  avgPool3d: [
    [
      [f(1, 2, 4, 5, 6), [1, 2, 3], { stride: 1 }],
      [1, 2, 4, 4, 4],
    ],
  ],
  lpPool1d: [
    [
      [f(1, 2, 7), 3, { p: 1 }],
      [1, 2, 2],
    ],
  ],
  lpPool2d: [
    [
      [f(1, 2, 7, 8), 2, { padding: 1, p: 3 }],
      [1, 2, 4, 5],
    ],
  ],
  lpPool3d: [
    [
      [f(1, 2, 4, 5, 6), 2],
      [1, 2, 2, 2, 3],
    ],
  ],
  not: [[[b(2)], [2]]],
  cast: [[[f(2), 'i8'], [2]]],
  where: [
    [
      [b(2, 1), f(3), f(1)],
      [2, 3],
    ],
    [[b(2), f(2), 0], [2]],
    [[b(2), 1, f(2)], [2]],
  ],
  leakyRelu: [
    [[f(2)], [2]],
    [[f(2), { slope: 0.2 }], [2]],
  ],
  prelu: [
    [
      [f(1, 3, 2, 2), f(3, 1, 1)],
      [1, 3, 2, 2],
    ],
    [[f(2), 0.1], [2]],
  ],
  gelu: [
    [[f(2)], [2]],
    [[f(2), { approximate: 'tanh' }], [2]],
  ],
  clamp: [
    [[f(2), { minimum: 0, maximum: 6 }], [2]],
    [[i(2), { minimum: 0 }], [2]],
  ],
  softmax: [
    [[f(2, 3)], [2, 3]],
    [
      [f(2, 3), { axis: 0 }],
      [2, 3],
    ],
  ],
  logSoftmax: [[[f(2, 3)], [2, 3]]],
  conv1d: [
    [
      [f(1, 4, 9), f(6, 2, 3), f(6), { groups: 2, stride: 2, padding: 1 }],
      [1, 6, 5],
    ],
  ],
  conv2d: [
    [
      [f(1, 3, 8, 9), f(4, 3, 3, 2)],
      [1, 4, 6, 8],
    ],
    [
      [f(1, 3, 8, 9), f(4, 3, 3, 3), undefined, { padding: 'same', stride: 2 }],
      [1, 4, 4, 5],
    ],
    [
      [f(1, 3, 8, 9), f(4, 3, 3, 3), undefined, { padding: 'same', dilation: 2 }],
      [1, 4, 8, 9],
    ],
    [
      [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { padding: { before: [0, 1], after: 2 } }],
      [1, 4, 8, 9],
    ],
  ],
  conv3d: [
    [
      [f(1, 2, 4, 5, 6), f(3, 2, 2, 2, 2), undefined, { stride: [2, 1, 1] }],
      [1, 3, 2, 4, 5],
    ],
  ],
  maxPool1d: [
    [
      [f(1, 2, 7), 2],
      [1, 2, 3],
    ],
  ],
  maxPool2d: [
    [
      [f(1, 2, 7, 8), 3, { stride: 2, padding: 1 }],
      [1, 2, 4, 4],
    ],
    [
      [f(1, 2, 7, 8), [2, 4]],
      [1, 2, 3, 2],
    ],
  ],
  avgPool1d: [
    [
      [f(1, 2, 7), 3, { stride: 1 }],
      [1, 2, 5],
    ],
  ],
  avgPool2d: [
    [
      [f(1, 2, 7, 8), 2, { padding: 'same', countPadding: false }],
      [1, 2, 4, 4],
    ],
  ],
  adaptiveAvgPool1d: [
    [
      [f(1, 2, 7), 3],
      [1, 2, 3],
    ],
  ],
  adaptiveAvgPool3d: [
    [
      [f(1, 2, 4, 5, 6), [2, 3, 6]],
      [1, 2, 2, 3, 6],
    ],
  ],
  adaptiveMaxPool1d: [
    [
      [i(1, 2, 7), 3],
      [1, 2, 3],
    ],
  ],
  adaptiveMaxPool3d: [
    [
      [f(1, 2, 4, 5, 6), 2],
      [1, 2, 2, 2, 2],
    ],
  ],
  adaptiveAvgPool2d: [
    [
      [f(1, 2, 7, 8), [3, 5]],
      [1, 2, 3, 5],
    ],
  ],
  adaptiveMaxPool2d: [
    [
      [f(1, 2, 7, 8), 2],
      [1, 2, 2, 2],
    ],
  ],
  globalAvgPool: [[[f(2, 3, 4, 5)], [2, 3, 1, 1]]],
  globalMaxPool: [[[f(2, 3, 4)], [2, 3, 1]]],
  matmul: [
    [
      [f(5, 1, 2, 3), f(4, 3, 6)],
      [5, 4, 2, 6],
    ],
  ],
  quantize: [
    [
      [f(2, 3), { dtype: 'u8', scale: 0.5, zeroPoint: 3 }],
      [2, 3],
    ],
    [
      [f(2, 3), { dtype: 'i8', scale: [0.5, 1, 2], axis: -1 }],
      [2, 3],
    ],
  ],
  dequantize: [
    [
      [q(2, 3), { scale: 0.5, zeroPoint: 3 }],
      [2, 3],
    ],
    [
      [q(2, 3), { scale: [0.5, 0.25], zeroPoint: [1, 2], axis: 0 }],
      [2, 3],
    ],
  ],
  requantize: [
    [
      [i(2, 3), { dtype: 'u8', inputScale: 0.5, scale: 0.25 }],
      [2, 3],
    ],
    [
      [i(2, 3), { dtype: 'i8', inputScale: [0.5, 1, 2], axis: 1, scale: 0.25, zeroPoint: -3 }],
      [2, 3],
    ],
  ],
  convInteger: [
    [
      [
        q(1, 4, 9, 9),
        q(6, 2, 3, 3),
        i(6),
        { groups: 2, stride: 2, padding: 1, inputZeroPoint: 128, weightZeroPoint: [1, 2, 3, 4, 5, 6] },
      ],
      [1, 6, 5, 5],
    ],
    [
      [q(2, 3, 7), q(5, 3, 3)],
      [2, 5, 5],
    ],
    [
      [q(1, 1, 3, 4, 5), q(2, 1, 2, 2, 2)],
      [1, 2, 2, 3, 4],
    ],
  ],
  matmulInteger: [
    [
      [q(2, 3), q(3, 4), { leftZeroPoint: 7, rightZeroPoint: [1, 2, 3, 4] }],
      [2, 4],
    ],
    [
      [q(5, 2, 3), q(3, 4)],
      [5, 2, 4],
    ],
  ],
  dequantizeBlocks: [
    [
      [q(3, 8), f(3, 1), undefined, { blockSize: 16 }],
      [3, 16],
    ],
    [
      [q(2, 3, 4), f(2, 3, 2), q(2, 3, 2), { blockSize: 4, size: 7, signed: true, zero: 1 }],
      [2, 3, 7],
    ],
  ],
  blockLinear: [
    [
      [f(2, 5, 32), q(7, 16), f(7, 2), undefined, { blockSize: 16 }],
      [2, 5, 7],
    ],
    [[f(32), q(7, 32), f(7, 1), q(7, 1), { blockSize: 32, bits: 8 }], [7]],
  ],
  bitCast: [
    [
      [f(2, 3), 'u8'],
      [2, 12],
    ],
    [
      [q(2, 8), 'f16'],
      [2, 4],
    ],
    [
      [f(2, 3), 'i32'],
      [2, 3],
    ],
  ],
  batchBoxCox: [
    [
      [f(5, 3), f(3), f(3)],
      [5, 3],
    ],
  ],
  bucketize: [
    [
      [f(2, 3), [1, 2, 4]],
      [2, 3],
    ],
    [[i(4), i(2), { right: true }], [4]],
  ],
  batchOneHot: [
    [
      [i(4, 2), [2, 3], i(5)],
      [4, 5],
    ],
  ],
  indexAdd: [
    [
      [f(5, 2), i(3), f(3, 2)],
      [5, 2],
    ],
    [
      [f(2, 5), i(3), f(2, 3), { axis: 1 }],
      [2, 5],
    ],
  ],
  pairwiseDotProducts: [[[[f(4, 3), f(4, 3), f(4, 3)]], [4, 3]]],
  logit: [
    [[f(2, 3)], [2, 3]],
    [
      [f(2, 3), { epsilon: 1e-6 }],
      [2, 3],
    ],
  ],
  replaceNaN: [
    [[f(2, 3)], [2, 3]],
    [
      [f(2, 3), 7],
      [2, 3],
    ],
  ],
  flip: [
    [
      [f(2, 3), { axes: [0, -1] }],
      [2, 3],
    ],
  ],
  insertTensor: [
    [
      [f(5, 4), f(2, 2), { start: [1, 1] }],
      [5, 4],
    ],
    [
      [f(6, 4), f(2, 2), { start: [1, 1], count: 2 }],
      [6, 4],
    ],
  ],
  lengthsSum: [
    [
      [f(5, 2, 3), i(2)],
      [2, 2, 3],
    ],
  ],
  lengthsToRanges: [[[i(4)], [4, 2]]],
  lengthsRangeFill: [
    [
      [i(3), 10],
      [[10], []],
    ],
  ],
  gatherRanges: [
    [
      [f(9), i(2, 3, 2), 12],
      [[12], [], [2]],
    ],
  ],
  batchSparseToDense: [
    [
      [i(2), i(5), f(5), { size: 4 }],
      [2, 4],
    ],
  ],
  sparseToDense: [
    [
      [i(5), f(5, 3), { size: 8 }],
      [8, 3],
    ],
  ],
  sparseToDenseMask: [
    [
      [i(5), f(5, 3), f(3), i(2), { mask: [7, 9] }],
      [2, 2, 3],
    ],
    [[i(5), f(5), f(), undefined, { mask: [7, 9, 11] }], [3]],
  ],
  fillExamplesWithIndicator: [
    [
      [f(3, 2), b(5)],
      [5, 2],
    ],
  ],
  sparseLabelSplit: [
    [
      [i(2), i(6), f(6), { labels: 3 }],
      [[3, 6], [3, 6], [6], [3]],
    ],
  ],
  quantizeRows: [
    [
      [f(3, 16), 'u8f32'],
      [3, 24],
    ],
    [
      [f(3, 16), 'u4f16'],
      [3, 12],
    ],
  ],
  fuseRows: [
    [
      [q(3, 16), f(3), f(3)],
      [3, 24],
    ],
    [
      [q(3, 8), f(3), f(3), 'f16u4'],
      [3, 12],
    ],
  ],
  splitEmbeddingBags: [
    [
      [[{ table: f(5, 4) }, { table: q(5, 12), rows: 'u8f16' }], i(9), i(7)],
      [3, 12],
    ],
  ],
  unaryEmbeddingBags: [
    [
      [f(2, 9), [0, 4, 9], i(7), i(6)],
      [2, 3, 2],
    ],
  ],
  permutePooledEmbeddings: [
    [
      [f(3, 9), [2, 3, 4], [2, 0, 1]],
      [3, 9],
    ],
  ],
  lookup: [
    [
      [q(2, 3), f(256)],
      [2, 3],
    ],
  ],
  linear: [
    [
      [f(5, 2, 3), f(4, 3)],
      [5, 2, 4],
    ],
    [[f(3), f(4, 3), f(4)], [4]],
  ],
  einsum: [
    [
      ['bij,bjk->bik', [f(2, 3, 4), f(2, 4, 5)]],
      [2, 3, 5],
    ],
    [['ii->i', [f(3, 3)]], [3]],
    [
      ['...ij->...ji', [i(2, 3, 4)]],
      [2, 4, 3],
    ],
  ],
  attention: [
    [
      [f(2, 4, 3, 8), f(2, 2, 5, 8), f(2, 2, 5, 6), { causal: true, past: 2, softcap: 20, scale: 0.5 }],
      [2, 4, 3, 6],
    ],
    [
      [f(2, 3, 32), f(2, 5, 16), f(2, 5, 8), { heads: 4, keyHeads: 2, mask: b(3, 5), precision: 'f64' }],
      [2, 3, 16],
    ],
  ],
  attentionScores: [
    [
      [f(2, 4, 3, 8), f(2, 4, 5, 8), { stage: 'masked', mask: f(1, 5) }],
      [2, 4, 3, 5],
    ],
  ],
  rotaryEmbedding: [
    [
      [f(2, 4, 3, 8), f(2, 3, 4), f(2, 3, 4)],
      [2, 4, 3, 8],
    ],
    [
      [f(2, 3, 32), f(50, 2), f(50, 2), { positions: i(2, 3), heads: 4, dims: 4, interleaved: true }],
      [2, 3, 32],
    ],
  ],
  lstm: [
    [
      [f(3, 2, 4), { input: f(1, 20, 4), recurrent: f(1, 20, 5), bias: f(1, 40) }],
      [
        [3, 1, 2, 5],
        [1, 2, 5],
        [1, 2, 5],
      ],
    ],
    [
      [
        f(2, 3, 4),
        { input: f(2, 20, 4), recurrent: f(2, 20, 5), bias: f(2, 20), peephole: f(2, 15) },
        {
          direction: 'bidirectional',
          batchFirst: true,
          lengths: [3, 1],
          initialHidden: f(2, 2, 5),
          initialCell: f(2, 2, 5),
          clip: 3,
        },
      ],
      [
        [2, 3, 2, 5],
        [2, 2, 5],
        [2, 2, 5],
      ],
    ],
  ],
  gru: [
    [
      [f(3, 2, 4), { input: f(15, 4), recurrent: f(15, 5) }, { linearBeforeReset: true, gates: 'rzh' }],
      [
        [3, 2, 5],
        [2, 5],
      ],
    ],
  ],
  rnn: [
    [
      [f(3, 2, 4), { input: f(1, 5, 4), recurrent: f(1, 5, 5) }, { direction: 'reverse', lengths: i(2) }],
      [
        [3, 1, 2, 5],
        [1, 2, 5],
      ],
    ],
  ],
  depthToSpace: [
    [
      [f(2, 12, 3, 4), 2],
      [2, 3, 6, 8],
    ],
  ],
  spaceToDepth: [
    [
      [f(2, 3, 6, 8), 2, { mode: 'CRD' }],
      [2, 12, 3, 4],
    ],
  ],
  channelShuffle: [
    [
      [f(2, 6, 3, 4), 3],
      [2, 6, 3, 4],
    ],
  ],
  gridSample: [
    [
      [f(2, 3, 5, 6), f(2, 7, 8, 2)],
      [2, 3, 7, 8],
    ],
    [
      [f(2, 3, 5, 6, 7), f(2, 4, 3), { mode: 'nearest', padding: 'border', coordinates: 'corners' }],
      [2, 3, 4],
    ],
  ],
  affineGrid: [
    [
      [f(2, 2, 3), [4, 5]],
      [2, 4, 5, 2],
    ],
    [
      [f(2, 3, 4), [2, 4, 5], { coordinates: 'corners' }],
      [2, 2, 4, 5, 3],
    ],
  ],
  deformConv2d: [
    [
      [f(1, 4, 5, 5), f(6, 2, 3, 3), f(1, 36, 3, 3), f(6), { groups: 2, offsetGroups: 2, mask: f(1, 18, 3, 3) }],
      [1, 6, 3, 3],
    ],
  ],
  roiAlign: [
    [
      [f(2, 3, 8, 8), f(5, 4), i(5), [2, 3]],
      [5, 3, 2, 3],
    ],
    [
      [f(2, 3, 8, 8), f(5, 4), i(5), 2, { scale: 0.5, samples: 2, mode: 'max', aligned: false }],
      [5, 3, 2, 2],
    ],
  ],
  maxRoiPool: [
    [
      [f(2, 3, 8, 8), f(5, 4), i(5), 2, { scale: 0.25 }],
      [5, 3, 2, 2],
    ],
  ],
  maxUnpool: [
    [
      [f(1, 2, 2, 2), i(1, 2, 2, 2), [1, 2, 4, 4]],
      [1, 2, 4, 4],
    ],
  ],
  fold: [
    [
      [f(2, 12, 6), [3, 4], [2, 2]],
      [2, 3, 3, 4],
    ],
    [
      [f(2, 4, 9), [4, 4], [2, 2], { stride: [2, 2], dilation: [1, 1], padding: { before: [1, 1], after: [1, 1] } }],
      [2, 1, 4, 4],
    ],
  ],
  determinant: [
    [[f(2, 3, 3)], [2]],
    [[f(1, 1)], []],
  ],
  dft: [
    [
      [f(2, 8, 1), { onesided: true }],
      [2, 5, 2],
    ],
    [
      [f(2, 8, 3, 2), { axis: 0, length: 144, inverse: true }],
      [144, 8, 3, 2],
    ],
  ],
  stft: [
    [
      [f(2, 40, 1), { step: 8, window: f(16) }],
      [2, 4, 9, 2],
    ],
  ],
  decodeBoxes: [
    [
      [f(5, 4), f(5, 12), { weights: [10, 10, 5, 5], inclusive: true }],
      [5, 12],
    ],
  ],
  collectProposals: [
    [
      [[f(5, 4), f(3, 4)], [f(5), f(3, 1)], 6],
      [[6, 4], [6]],
    ],
  ],
  detectBoxes: [
    [
      [f(1, 9, 4), f(1, 9, 3), f(9, 4), { limit: 4, scales: [10, 10, 5, 5] }],
      [[1, 4, 4], [1, 4], [1, 4], []],
    ],
  ],
  audioSpectrogram: [
    [
      [f(50), { size: 12, step: 5 }],
      [8, 9],
    ],
  ],
  mfcc: [
    [
      [f(3, 65), { sampleRate: 16000 }],
      [3, 13],
    ],
  ],
  hannWindow: [[[6], [6]]],
  hammingWindow: [[[6, { periodic: false, alpha: 0.54 }], [6]]],
  blackmanWindow: [[[6, { dtype: 'f64' }], [6]]],
  melWeights: [[[{ bins: 8, length: 16, sampleRate: 8192 }], [9, 8]]],
  localResponseNorm: [
    [
      [f(2, 6, 3, 4), { size: 4 }],
      [2, 6, 3, 4],
    ],
  ],
  batchNorm: [
    [
      [f(1, 3, 2, 2), f(3), f(3), f(3), f(3), { epsilon: 1e-3 }],
      [1, 3, 2, 2],
    ],
  ],
  layerNorm: [
    [[f(2, 3, 4)], [2, 3, 4]],
    [
      [f(2, 3, 4), f(3, 4), f(3, 4), { dims: 2 }],
      [2, 3, 4],
    ],
  ],
  rmsNorm: [
    [
      [f(2, 4), f(4)],
      [2, 4],
    ],
  ],
  groupNorm: [
    [
      [f(1, 6, 2), f(6), f(6), { groups: 3 }],
      [1, 6, 2],
    ],
    [
      [f(1, 6, 2), undefined, undefined, { groups: 1 }],
      [1, 6, 2],
    ],
  ],
  instanceNorm: [
    [
      [f(1, 6, 2), f(6), f(6)],
      [1, 6, 2],
    ],
  ],
  reshape: [
    [
      [f(2, 6), [3, -1]],
      [3, 4],
    ],
  ],
  flatten: [
    [[f(2, 3, 4)], [2, 12]],
    [[f(2, 3, 4), { axis: 0 }], [24]],
    [
      [f(2, 3), { axis: 2 }],
      [2, 3, 1],
    ],
  ],
  transpose: [
    [
      [f(2, 3, 4), [2, 0, -2]],
      [4, 2, 3],
    ],
  ],
  squeeze: [
    [[f(2, 1, 3, 1)], [2, 3]],
    [
      [f(2, 1, 3, 1), { axes: -1 }],
      [2, 1, 3],
    ],
  ],
  unsqueeze: [
    [
      [f(2, 3), { axes: [0, -1] }],
      [1, 2, 3, 1],
    ],
    [
      [f(2), { axes: 1 }],
      [2, 1],
    ],
  ],
  expand: [
    [
      [f(3, 1), [2, 3, 4]],
      [2, 3, 4],
    ],
  ],
  slice: [
    [
      [f(4, 10), { axis: 1, start: 2, stop: -1 }],
      [4, 7],
    ],
    [
      [
        f(4, 10),
        [
          { axis: 0, step: -1 },
          { axis: -1, start: 1, step: 3 },
        ],
      ],
      [4, 3],
    ],
    [
      [f(4, 10), { axis: 1, start: 8, stop: 100 }],
      [4, 2],
    ],
    [
      [f(4, 10), { axis: 1, start: 9, stop: 3 }],
      [4, 0],
    ],
  ],
  split: [
    [
      [f(4, 6), 3, { axis: 1 }],
      [
        [4, 2],
        [4, 2],
        [4, 2],
      ],
    ],
    [
      [f(4, 6), [1, 5], { axis: -1 }],
      [
        [4, 1],
        [4, 5],
      ],
    ],
  ],
  gather: [
    [
      [f(5, 7), i(2, 3), { axis: 1 }],
      [5, 2, 3],
    ],
  ],
  embedding: [
    [
      [i(2, 3), f(10, 4)],
      [2, 3, 4],
    ],
  ],
  concat: [
    [
      [[f(2, 3), f(2, 4)], { axis: -1 }],
      [2, 7],
    ],
  ],
  stack: [
    [[[f(2, 3), f(2, 3)]], [2, 2, 3]],
    [
      [[f(2, 3), f(2, 3)], { axis: -1 }],
      [2, 3, 2],
    ],
  ],
  pad: [
    [
      [f(2, 3), { before: [0, 1], after: [2, 3] }],
      [4, 7],
    ],
    [
      [f(2, 3), { before: [1, 0], after: [0, 2], mode: 'reflect' }],
      [3, 5],
    ],
  ],
  resize: [
    [
      [f(1, 2, 3, 4), [6, 8], { mode: 'linear' }],
      [1, 2, 6, 8],
    ],
    [
      [f(4, 6, 2), [3, 9], { axes: [1, 0], scales: [0.5, 2.25], mode: 'cubic', antialias: true, excludeOutside: true }],
      [9, 3, 2],
    ],
    [
      [
        f(1, 1, 4, 4),
        [3, 3],
        { coordinates: 'tfCropAndResize', region: { start: [0.4, 0.6], end: [0.6, 0.8] }, extrapolation: 10 },
      ],
      [1, 1, 3, 3],
    ],
  ],
  tile: [
    [
      [f(2, 3), [1, 2]],
      [2, 6],
    ],
    [
      [f(2, 1, 3), [2, 2, 3]],
      [4, 2, 9],
    ],
    [[b(3), [0]], [0]],
  ],
  expectShape: [
    [
      [f(2, 3), [2, 3]],
      [2, 3],
    ],
  ],
}

const isType = (value: unknown): value is { dtype: DType; shape: number[] } =>
  typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value

/** Applies a function to a sample; the nodes of its results. */
function apply(name: string, args: readonly unknown[]): Node[] {
  return trace((input) => {
    const materialise = (value: unknown): unknown =>
      isType(value)
        ? input(value.shape, value.dtype)
        : Array.isArray(value) && value.length < 100
          ? value.map(materialise)
          : typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
            ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, materialise(entry)]))
            : value
    const result = dsl[name]!(...args.map(materialise))
    const several = Array.isArray(result) || Object.getPrototypeOf(result) === Object.prototype
    return (several ? Object.values(result) : [result]).map((one) => nodeOf(one, name, 'result'))
  })
}

/** Functions that are no op: they make models and constants, or take functions, which `control.test.ts` is about. */
const others = [
  'loop',
  'scan',
  'branch',
  'model',
  'tensor',
  'state',
  'weights',
  'constant',
  'full',
  'dim',
  'validLength',
  'validMask',
]
const functions = Object.keys(dsl).filter((name) => typeof dsl[name] === 'function' && !others.includes(name))

test('every function has a sample, and gives the shape worked out by hand', () => {
  assert.equal(
    functions.filter((name) => !samples[name]),
    [],
  )
  assert.equal(
    Object.keys(samples).filter((name) => !functions.includes(name)),
    [],
  )
  for (const [name, list] of Object.entries(samples)) {
    for (const [args, shape] of list) {
      const found = apply(name, args).map((node) => node.type.shape)
      assert.equal(Array.isArray(shape[0]) ? found : found[0], shape, `${name}(${JSON.stringify(args)})`)
    }
  }
})

function opsOf(nodes: readonly Node[], seen = new Set<string>()): Set<string> {
  for (const node of nodes) {
    seen.add(node.op)
    opsOf(node.operands, seen)
  }
  return seen
}

test('every op of the graph language can be written', () => {
  const reached = new Set(
    Object.entries(samples).flatMap(([name, list]) => list.flatMap(([args]) => [...opsOf(apply(name, args))])),
  )
  reached.add('constant')
  // Made by the compiler alone, between integers and what they stand for.
  reached.add('storageCast')
  // And for targets that want channels in blocks.
  reached.add('embeddingBag')
  reached.add('recurrence')
  // Of functions.
  for (const op of ['loop', 'branch', 'resultOf']) reached.add(op)
  for (const op of ['blockedConv', 'blockedConvInteger']) reached.add(op)
  assert.equal(
    Object.keys(ops).filter((op) => !reached.has(op)),
    [],
  )
})

interface Documentation {
  readonly first: string
  readonly parameters: readonly string[]
  readonly names: readonly string[]
}

/** Documentation blocks of the exported functions, read from the sources. */
function documentation(): Map<string, Documentation> {
  const folder = join(process.env.GLOWPLUG_ROOT!, 'dsl')
  const found = new Map<string, Documentation>()
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, block, name, rest] of text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export function (\w+)([\s\S]*?)\{\n/g)) {
      const lines = block!.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trim())
      const body = lines.join('\n').trim()
      found.set(name!, {
        first: body.split(/\n\n|\n@/)[0]!.replaceAll('\n', ' '),
        parameters: [...body.matchAll(/^@param (\w+)/gm)].map((match) => match[1]!),
        names: [...rest!.slice(rest!.indexOf('(')).matchAll(/[(,]\s*(\w+)\??:/g)].map((match) => match[1]!),
      })
    }
  }
  return found
}

test('a function that is one op is documented and parameterised like its definition', () => {
  const documented = documentation()
  let compared = 0
  for (const name of functions) {
    const doc = documented.get(name)
    assert.ok(doc, `${name} is documented`)
    assert.ok(doc.first.endsWith('.') && doc.parameters.length > 0, `${name}: a sentence and parameters`)
    const results = samples[name]!.flatMap(([args]) => apply(name, args).map((node) => node.op))
    const op = isOpName(name) ? name : `reduce${name[0]!.toUpperCase()}${name.slice(1)}`
    if (!isOpName(op) || results.some((result) => result !== op)) continue
    const definition = definitionOf(op)
    assert.is(doc.first, `${definition.summary}.`, name)
    const operands = Object.keys(definition.operands)
    assert.equal(doc.parameters.slice(0, operands.length), operands, `${name}: operands`)
    for (const parameter of doc.names) assert.ok(doc.parameters.includes(parameter), `${name}: ${parameter} is documented`)
    compared++
  }
  assert.ok(compared > 60, `${compared} functions compared`)
})

// ---------------------------------------------------------------- options
const attributes = (name: string, ...args: unknown[]) => apply(name, args)[0]!.attributes

test("padding 'same' puts the odd element behind (ONNX SAME_UPPER) and counts dilation", () => {
  const { before, after } = attributes('conv2d', f(1, 1, 8, 9), f(1, 1, 2, 3), undefined, { padding: 'same', dilation: [1, 2] })
  assert.equal(
    [before, after],
    [
      [0, 2],
      [1, 2],
    ],
  )
  assert.equal(attributes('conv2d', f(1, 1, 7, 7), f(1, 1, 1, 1), undefined, { padding: 'same', stride: 3 }).before, [0, 0])
})

test('axes are counted from the front and sorted, so that equal ops merge', () => {
  assert.equal(attributes('sum', f(2, 3, 4), { axes: [-1, 0] }).axes, [0, 2])
  assert.is(attributes('softmax', f(2, 3)).axis, 1)
  assert.equal(attributes('transpose', f(2, 3), [-1, 0]).order, [1, 0])
})

test('slices follow Python, for every start, stop and step', () => {
  const elements = [0, 1, 2, 3, 4]
  for (const step of [1, 2, 3, -1, -2, -3]) {
    for (let start = -7; start <= 7; start++) {
      for (let stop = -7; stop <= 7; stop++) {
        const taken = attributes('slice', f(5), { axis: 0, start, stop, step }) as {
          start: number[]
          size: number[]
          step: number[]
        }
        const found = Array.from({ length: taken.size[0]! }, (_, n) => elements[taken.start[0]! + n * taken.step[0]!])
        assert.equal(found, pythonSlice(elements, start, stop, step), `[${start}:${stop}:${step}]`)
      }
    }
  }
})

/** PySlice_AdjustIndices, written out. */
function pythonSlice(list: readonly number[], start: number, stop: number, step: number): number[] {
  const adjust = (index: number) => {
    if (index < 0) return index + list.length < 0 ? (step < 0 ? -1 : 0) : index + list.length
    return index >= list.length ? (step < 0 ? list.length - 1 : list.length) : index
  }
  const result: number[] = []
  for (let at = adjust(start), end = adjust(stop); step > 0 ? at < end : at > end; at += step) result.push(list[at]!)
  return result
}

// ---------------------------------------------------------------- mistakes
const mistakes: [name: string, args: unknown[], code: string, message: RegExp][] = [
  [
    'conv2d',
    [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { strides: 2 }],
    'bad-attribute',
    /no option "strides"; did you mean 'stride'\?/,
  ],
  [
    'conv2d',
    [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { stride: 0 }],
    'bad-attribute',
    /stride must be a whole number of at least 1, got 0/,
  ],
  ['conv2d', [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { stride: [1, 2, 3] }], 'bad-attribute', /stride needs 2 entries, got 3/],
  ['conv2d', [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { padding: 'valid' }], 'bad-attribute', /padding must be .*got "valid"/],
  [
    'conv2d',
    [f(1, 3, 8, 8), f(4, 3, 3, 3), undefined, { padding: { before: 1 } }],
    'bad-attribute',
    /padding.after must be a number or 2 numbers, got undefined/,
  ],
  ['conv2d', [f(1, 3, 8), f(4, 3, 3, 3)], 'rank-mismatch', /input must be \[batch, channels, height, width\], got \[1, 3, 8\]/],
  ['conv2d', [f(1, 3, 8, 8), f(4, 4, 3, 3)], 'shape-mismatch', /has 3 channels, .*expects 4/],
  ['conv2d', ['image', f(4, 3, 3, 3)], 'bad-operand', /input must be a tensor, got "image"/],
  [
    'conv2d',
    [f(1, 3, 8, 8), f(4, 3, 3, 3), f(4), 7],
    'bad-attribute',
    /options must be an object with stride, padding, dilation and groups, got 7/,
  ],
  ['maxPool2d', [f(1, 3, 8, 8), 2, { padding: 2 }], 'bad-attribute', /padding/],
  ['add', [1, 2], 'bad-operand', /one of left and right must be a tensor/],
  ['add', [f(2), i(2)], 'dtype-mismatch', /convert one with cast\(\)/],
  ['add', [i(2), 0.5], 'bad-operand', /right is 0.5, which is not a value of i32/],
  ['add', [f(2, 3), f(4)], 'shape-mismatch', /do not broadcast/],
  ['where', [b(2), 1, 2], 'bad-operand', /one of whenTrue and whenFalse must be a tensor/],
  ['relu', [undefined], 'bad-operand', /input must be a tensor, got undefined/],
  ['relu', [3], 'bad-operand', /input must be a tensor, got 3/],
  ['exp', [i(2)], 'dtype-mismatch', /exp: input is i32/],
  ['cast', [f(2), 'float32'], 'bad-attribute', /"float32" is not an element type; did you mean 'f32'\?/],
  ['reshape', [f(2, 6), [5, -1]], 'shape-mismatch', /12 elements/],
  ['reshape', [f(2, 6), [2.5]], 'bad-attribute', /shape\[0\] must be a whole number/],
  ['reshape', [f(2, 6), new Array(4_000_000_000)], 'bad-attribute', /4000000000 entries, the limit is 8/],
  ['concat', [new Array(4_000_000_000), { axis: 0 }], 'bad-operand', /the limit is/],
  ['concat', [[], { axis: 0 }], 'bad-operand', /at least one tensor/],
  ['concat', [[f(2)], {}], 'bad-attribute', /axis must be a whole number, got undefined/],
  ['softmax', [f(2), { axis: 1 }], 'bad-attribute', /axis 1 is outside a tensor of rank 1; it may be -1 to 0/],
  ['sum', [f(2), { axes: [0, -1] }], 'bad-attribute', /name one axis twice/],
  ['split', [f(4, 6), 4, { axis: 1 }], 'shape-mismatch', /4 equal parts do not divide the 6 elements/],
  ['split', [f(4, 6), 1e9, { axis: 1 }], 'bad-attribute', /above the limit/],
  ['slice', [f(4), { axis: 0, step: 0 }], 'bad-attribute', /step must not be 0/],
  ['squeeze', [f(2, 3), { axes: 1 }], 'shape-mismatch', /has size 3, not 1/],
  ['stack', [[f(2), f(3)]], 'shape-mismatch', /inputs\[1\] is f32\[3\]/],
  ['expectShape', [f(2, 3), [2, 4]], 'shape-mismatch', /the value is \[2, 3\], not \[2, 4\]/],
  ['layerNorm', [f(2), f(2), f(2), { epsilon: 0 }], 'bad-attribute', /epsilon must be above 0/],
  ['batchNorm', [f(1, 3), f(3), f(3), f(3), f(4)], 'shape-mismatch', /variance must be \[3\]/],
  ['gelu', [f(2), { approximate: 'sigmoid' }], 'bad-attribute', /approximate must be 'none' or 'tanh', got "sigmoid"/],
  ['clamp', [i(2), { maximum: 0.5 }], 'bad-attribute', /not a value of i32/],
  ['pad', [f(2), { before: [1], after: [1], mode: 'edge', value: 1 }], 'bad-attribute', /value has no meaning/],
  ['embedding', [f(2), f(3, 4)], 'dtype-mismatch', /indices is f32/],
  ['quantize', [f(2), { dtype: 'u8', scale: 0 }], 'bad-attribute', /scale 0 is not a positive number/],
  ['quantize', [f(2), { dtype: 'u8', scale: 1e-50 }], 'bad-attribute', /scale 0 is not a positive number that f32 can hold/],
  [
    'quantize',
    [f(2), { dtype: 'u8', scale: 1, zeroPoint: 256 }],
    'bad-attribute',
    /zeroPoint 256 is outside u8, which holds 0 to 255/,
  ],
  ['quantize', [f(2), { dtype: 'u8', scale: 1, zeroPoint: 0.5 }], 'bad-attribute', /zeroPoint/],
  ['quantize', [f(2), { dtype: 'f16', scale: 1 }], 'bad-attribute', /dtype/],
  ['quantize', [f(2, 3), { dtype: 'u8', scale: [1, 2] }], 'bad-attribute', /scale has 2 entries; say with axis/],
  [
    'quantize',
    [f(2, 3), { dtype: 'u8', scale: [1, 2], axis: 1 }],
    'bad-attribute',
    /scale has 2 entries, axis 1 of \[2, 3\] has 3/,
  ],
  ['quantize', [f(2), { dtype: 'u8', scale: f(1) }], 'bad-operand', /scale must be known at build/],
  ['quantize', [i(2), { dtype: 'u8', scale: 1 }], 'dtype-mismatch', /input is i32; accepted: f32/],
  ['dequantize', [q(2)], 'bad-attribute', /nothing says what the integers of input stand for; write dequantize\(input, \{ scale/],
  ['dequantize', [f(2), { scale: 1 }], 'dtype-mismatch', /input is f32/],
  ['requantize', [i(2), { dtype: 'u8', inputScale: 1e30, scale: 1e-30 }], 'bad-attribute', /is beyond f32/],
  ['requantize', [i(2), { dtype: 'u8', inputScale: 1, scale: [1, 2] }], 'bad-attribute', /scale must be one number/],
  ['convInteger', [q(1, 3, 8, 8), q(4, 4, 3, 3)], 'shape-mismatch', /has 3 channels, .*expects 4/],
  ['convInteger', [q(1, 3, 8, 8), q(4, 3, 3)], 'rank-mismatch', /the same number of them; got 2 and 1/],
  [
    'convInteger',
    [q(1, 3, 8, 8), q(4, 3, 3, 3), undefined, { weightZeroPoint: [1, 2] }],
    'bad-attribute',
    /one entry or 4, got 2/,
  ],
  ['matmulInteger', [q(2, 3), q(4, 5)], 'shape-mismatch', /inner dimensions 3 and 4 differ/],
  ['matmulInteger', [q(2, 3), q(3, 5), { leftZeroPoint: -1 }], 'bad-attribute', /leftZeroPoint -1 is outside u8/],
  ['lookup', [q(2), f(255)], 'shape-mismatch', /table must be \[256\]/],
  ['expand', [f(1), [2 ** 31]], 'too-large', /more than 2147483647 elements/],
  ['topK', [f(2, 3), 4], 'shape-mismatch', /topK: 4 elements are more than the 3 along axis 1/],
  ['argMax', [f(2, 0)], 'shape-mismatch', /argMax: f32\[2, 0\] has no element to choose along axis 1/],
  ['argMax', [f()], 'bad-attribute', /argMax: a tensor without dimensions has no axis -1/],
  ['gatherElements', [f(3, 4), i(4, 4), { axis: 1 }], 'shape-mismatch', /longer ones on axis 1 alone/],
  ['gatherNd', [f(3, 4), i(2, 3)], 'shape-mismatch', /index vectors of 3 entries do not fit f32\[3, 4\]/],
  [
    'gatherNd',
    [f(3, 4), i(2, 1), { batchDims: 1 }],
    'shape-mismatch',
    /the first 1 dimensions of f32\[3, 4\] and i32\[2, 1\] differ/,
  ],
  ['scatterNd', [f(3, 4), i(2, 1), f(2, 3)], 'shape-mismatch', /updates must be \[2, 4\]/],
  ['scatterNd', [f(3), i(1, 1), i(1)], 'dtype-mismatch', /convert one with cast\(\)/],
  ['scatterElements', [b(3), i(2), b(2), { reduction: 'add' }], 'dtype-mismatch', /reduction 'add' needs numbers/],
  ['oneHot', [i(2), 0], 'bad-attribute', /depth must be a whole number of at least 1/],
  ['triu', [f(3)], 'rank-mismatch', /\[…, rows, columns\]/],
  ['celu', [f(3), { alpha: 0 }], 'bad-attribute', /alpha must not be 0/],
  ['convTranspose2d', [f(1, 3, 4, 4), f(4, 2, 3, 3)], 'shape-mismatch', /has 3 channels, weight .* expects 4/],
  ['convTranspose1d', [f(1, 3, 2), f(3, 2, 2), undefined, { padding: 2 }], 'shape-mismatch', /leave nothing of the 3 elements/],
  ['resize', [f(2, 3), [4], { scales: [0] }], 'bad-attribute', /scales must be above 0/],
  ['resize', [f(2, 3), [4], { coordinates: 'tfCropAndResize' }], 'bad-attribute', /start and end belong to/],
  ['resize', [f(2, 3), [4, 4], { axes: [0, -2] }], 'bad-attribute', /name one axis twice/],
  ['shiftLeft', [f(2), 1], 'dtype-mismatch', /left is f32/],
]

for (const [name, args, code, message] of mistakes) {
  test(`${name}: ${message.source}`, () => {
    try {
      apply(name, args)
    } catch (error) {
      assert.instance(error, ModelProblem, String(error))
      assert.is((error as ModelProblem).code, code)
      assert.match((error as ModelProblem).message, message)
      return
    }
    assert.unreachable('no problem was found')
  })
}

/** What untyped JavaScript may pass. */
const odd: unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  1.5,
  Number.POSITIVE_INFINITY,
  2 ** 60,
  1n,
  '',
  'x',
  true,
  Symbol('s'),
  [],
  [[]],
  new Array(2 ** 31),
  {},
  { axis: {} },
  Object.create(null),
  () => 0,
  new Date(0),
  new Proxy({}, {}),
]

test('odd arguments end in a ModelProblem or a result, never in a crash', () => {
  for (const name of functions) {
    const [args] = samples[name]![0]!
    for (let at = 0; at < Math.max(args.length, 4); at++) {
      for (const value of odd) {
        const changed = [...args]
        changed[at] = value
        try {
          apply(name, changed)
        } catch (error) {
          assert.instance(error, ModelProblem, `${name}, argument ${at}: ${String((error as Error)?.stack)}`)
        }
      }
    }
  }
})

test('ops outside forward, and tensors of another model, are told apart', () => {
  const foreign = trace((input) => input([2]))
  const thrown = (body: () => unknown) => {
    try {
      body()
    } catch (error) {
      return (error as ModelProblem).code
    }
    return 'nothing'
  }
  assert.is(
    thrown(() => glowplug.relu(foreign)),
    'outside-forward',
  )
  assert.is(
    thrown(() => trace((input) => glowplug.add(input([2]), foreign))),
    'bad-operand',
  )
  assert.is(
    thrown(() => trace(() => glowplug.relu(glowplug.tensor('f32', [2])))),
    'bad-operand',
  )
})

test('constants may be written outside forward; equal ones are one node', () => {
  const outside = glowplug.constant('f32', [2], [1, 2])
  const [first, second, third] = trace(() =>
    [outside, glowplug.constant('f32', [2], [1, 2]), glowplug.constant('f32', [2], [1, 3])].map((one) =>
      nodeOf(one, 'test', 'x'),
    ),
  )
  assert.is(first, second)
  assert.is.not(first, third)
})

test('constants keep every bit that their element type has', () => {
  const bytes = (dtype: DType, values: (number | bigint | boolean)[]) =>
    trace(() => [...nodeOf(glowplug.constant(dtype, [values.length], values), 'test', 'x').data!.read()])
  assert.equal(
    bytes('i64', [2n ** 63n - 1n, -1]),
    [255, 255, 255, 255, 255, 255, 255, 127, 255, 255, 255, 255, 255, 255, 255, 255],
  )
  assert.equal(bytes('u64', [2n ** 64n - 1n]), [255, 255, 255, 255, 255, 255, 255, 255])
  assert.equal(bytes('bool', [true, 0]), [1, 0])
  assert.equal(bytes('f16', [1, -2]), [0, 0x3c, 0, 0xc0])
  for (const [dtype, value] of [
    ['i8', 128],
    ['u8', -1],
    ['i64', 2n ** 63n],
    ['bool', 2],
    ['f32', 1n],
    ['i32', Number.NaN],
  ] as const) {
    assert.throws(() => bytes(dtype, [value]), /is not a value of/)
  }
  assert.throws(() => glowplug.full('f32', [2 ** 20, 2], 0), /more than the 1048576 elements/)
})

test('parameters may be constants of the model, and are numbers of f32', () => {
  const node = trace((input) => {
    const scale = glowplug.constant('f32', [3], [0.1, 0.2, 0.3])
    const zeroPoint = glowplug.constant('i8', [3], [-1, 0, 1])
    return nodeOf(glowplug.quantize(input([2, 3]) as never, { dtype: 'i8', scale, zeroPoint, axis: 1 }), 'test', 'x')
  })
  assert.equal(node.type.quantization, { scale: [0.1, 0.2, 0.3].map(Math.fround), zeroPoint: [-1, 0, 1], axis: 1 })
  trace((input) =>
    assert.throws(
      () => glowplug.quantize(input([2]) as never, { dtype: 'u8', scale: input([1]) as never }),
      /^quantize: scale must be known at build: a number, a list, or a constant; got the tensor f32\[1\]/,
    ),
  )
})

test('dequantize takes what the type of its operand says: of inputs, of results, behind movements', () => {
  const quantized = glowplug.tensor('u8', [2, 3], { scale: 0.5, zeroPoint: 128 })
  const { model } = buildModel({
    name: 'm',
    inputs: { x: quantized },
    forward: ({ x }: { x: glowplug.Tensor<'u8', [2, 3]> }) => ({
      y: glowplug.dequantize(glowplug.reshape(x, [6])),
      z: glowplug.dequantize(glowplug.quantize(glowplug.dequantize(x), { dtype: 'i8', scale: 0.25 })),
    }),
  })
  const [y, z] = model!.entries[0]!.graph.outputs.map(({ value }) => value.attributes)
  assert.equal(
    [y, z],
    [
      { scale: [0.5], zeroPoint: [128] },
      { scale: [0.25], zeroPoint: [0] },
    ],
  )
  assert.throws(() => glowplug.tensor('f32', [2], { scale: 1 }), /f32 holds no quantised integers/)
  assert.throws(() => glowplug.tensor('u8', [2], { scale: 1, zeroPoint: -1 }), /zeroPoint -1 is outside u8/)
  assert.throws(() => glowplug.tensor('u8', [2], { scales: 1 } as never), /no option "scales"; did you mean 'scale'/)
})

test('problems speak of the function that was called', () => {
  const channels = { shape: [8, 4, 3, 3], image: [1, 3, 9, 9] }
  trace((input) => {
    assert.throws(
      () => dsl.conv2d!(input(channels.image), input(channels.shape)),
      /^conv2d: input f32\[1, 3, 9, 9\] has 3 channels/,
    )
    assert.throws(() => dsl.maxPool2d!(input(channels.image), 3, { padding: 3 }), /^maxPool2d: /)
    assert.throws(() => dsl.l2Norm!(input([2, 3], 'i32')), /^l2Norm: /)
    assert.throws(() => dsl.pad!(input([3]), { before: [3], after: [0], mode: 'reflect' }), /^pad: /)
  })
})

test.run()
