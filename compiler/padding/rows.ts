// What each op does to padding. A new op does not compile before it has a row here.
import { type OpName, printGraph, type StorageName } from '../graph/index.ts'
import * as bags from './bags.ts'
import * as blocks from './blocks.ts'
import { elementwise, unknownBehind } from './elementwise.ts'
import * as movement from './movement.ts'
import * as product from './product.ts'
import * as recurrent from './recurrent.ts'
import * as reduce from './reduce.ts'
import { plain, type Rule, resolve, spoilt } from './state.ts'

interface Row {
  readonly rule: Rule
  /** Attributes that are sizes and may follow those of dimensions; all others are the same in every request. */
  readonly sized?: readonly string[]
}

const row = (rule: Rule, ...sized: string[]): Row => ({ rule, sized })
const pointwise = row(elementwise)
const encoded = row(unknownBehind)
const axesAttribute = (node: { readonly attributes: any; readonly type: { readonly shape: readonly number[] } }): number[] =>
  (node.attributes.axes ?? node.attributes.size.map((_: unknown, i: number) => i - node.attributes.size.length)).map(
    (axis: number) => resolve(axis, node.type.shape.length),
  )
const bordered = ({ attributes }: { readonly attributes: any }): number[] =>
  attributes.before.flatMap((before: number, at: number) => (before + attributes.after[at] > 0 ? [at] : []))
const every = ({ type }: { readonly type: { readonly shape: readonly number[] } }): number[] => [...type.shape.keys()]
const spatial = ({ type }: { readonly type: { readonly shape: readonly number[] } }): number[] => [...type.shape.keys()].slice(1)

/** Ops that pick or place elements by other elements: only over tensors that have one size in every request. */
const fixed: Rule = ({ nodes, states, mixes }) => {
  const padded = states.flatMap(({ axes }) => axes.flatMap((axis) => (axis ? [axis.extent.dim] : [])))[0]
  if (padded !== undefined)
    mixes(
      `${nodes[0]!.op}: an operand has the size '${padded}', and which of its elements are picked or replaced is known only when it runs`,
      'write it with gather(), where() and products, whose padding is understood',
    )
  return { axes: spoilt(states[0]!.axes) }
}

/** Positions among elements that a request does not have would be counted by another size than its own. */
const picked: Rule = (question) => {
  fixed(question)
  return plain(1)
}

/** Ops with graphs of their own, which no padding is followed into. */
const bodied: Rule = (question) => {
  const { nodes, mixes } = question
  const texts = nodes.map(({ bodies }) => bodies?.map((body) => printGraph(body)).join('\n'))
  if (texts.some((text) => text !== texts[0]))
    mixes(`${nodes[0]!.op}: its body follows the size of a dimension`, 'use it over tensors that have one size in every request')
  fixed(question)
  return plain(1)
}

export const rows: { readonly [K in Exclude<OpName, StorageName>]: Row } = {
  // ---------------------------------------------------------------- element by element
  negate: pointwise,
  abs: pointwise,
  sign: pointwise,
  floor: pointwise,
  ceil: pointwise,
  round: pointwise,
  sqrt: pointwise,
  exp: pointwise,
  log: pointwise,
  sin: pointwise,
  cos: pointwise,
  erf: pointwise,
  tanh: pointwise,
  sigmoid: pointwise,
  tan: pointwise,
  asin: pointwise,
  acos: pointwise,
  atan: pointwise,
  sinh: pointwise,
  cosh: pointwise,
  asinh: pointwise,
  acosh: pointwise,
  atanh: pointwise,
  not: pointwise,
  isNaN: pointwise,
  isInf: pointwise,
  cast: pointwise,
  add: pointwise,
  sub: pointwise,
  mul: pointwise,
  div: pointwise,
  pow: pointwise,
  mod: pointwise,
  fmod: pointwise,
  minimum: pointwise,
  maximum: pointwise,
  equal: pointwise,
  notEqual: pointwise,
  less: pointwise,
  lessOrEqual: pointwise,
  greater: pointwise,
  greaterOrEqual: pointwise,
  and: pointwise,
  or: pointwise,
  xor: pointwise,
  bitwiseAnd: pointwise,
  bitwiseOr: pointwise,
  bitwiseXor: pointwise,
  bitwiseNot: pointwise,
  shiftLeft: pointwise,
  shiftRight: pointwise,
  where: pointwise,
  relu: pointwise,
  leakyRelu: pointwise,
  elu: pointwise,
  celu: pointwise,
  thresholdedRelu: pointwise,
  shrink: pointwise,
  selu: pointwise,
  softplus: pointwise,
  softsign: pointwise,
  silu: pointwise,
  mish: pointwise,
  hardSigmoid: pointwise,
  hardSwish: pointwise,
  gelu: pointwise,
  reciprocal: pointwise,
  rsqrt: pointwise,
  clamp: pointwise,
  prelu: pointwise,

  // ---------------------------------------------------------------- between numbers and integers
  quantize: encoded,
  dequantize: encoded,
  requantize: encoded,
  lookup: row(({ states: [input] }) => ({ axes: spoilt(input!.axes) })),
  dequantizeBlocks: row(blocks.dequantizeBlocks, 'size'),
  bitCast: row(blocks.bitCast),
  storageCast: row(({ states: [input] }) => input!),

  // ---------------------------------------------------------------- moving elements
  reshape: row(movement.reshape, 'shape'),
  transpose: row(movement.transpose),
  slice: row(movement.slice, 'start', 'size'),
  concat: row(movement.concat),
  pad: row(movement.pad),
  expand: row(movement.expand, 'shape'),
  gather: row(movement.gather),
  embedding: row(movement.embedding),
  embeddingBag: row(fixed),
  bagOffsets: row(bags.bagOffsets, 'limit'),
  raggedEmbeddingBag: row(bags.raggedEmbeddingBag),
  gatherElements: row(movement.gatherElements),
  gatherNd: row(fixed),
  scatterElements: row(fixed),
  scatterNd: row(fixed),
  oneHot: row(movement.oneHot),
  triu: row(movement.triangle),
  tril: row(movement.triangle),
  resize: row(movement.only(axesAttribute, 'resize dimensions that have one size'), 'size'),
  padWith: row(movement.only(bordered, "put the border on other axes, or use pad() with mode 'constant'")),

  // ---------------------------------------------------------------- combining elements
  reduceSum: row(reduce.sum),
  reduceProd: row(reduce.product),
  reduceMax: row(reduce.largest),
  reduceMin: row(reduce.smallest),
  reduceL1: row(reduce.sum),
  reduceL2: row(reduce.sum),
  reduceSumSquare: row(reduce.sum),
  reduceLogSumExp: row(reduce.logSumExp),
  reduceMean: row(reduce.counted),
  variance: row(reduce.counted),
  softmax: row(reduce.along(0)),
  hardmax: row(reduce.along(0)),
  logSoftmax: row(reduce.along(Number.NEGATIVE_INFINITY)),
  argMax: row(reduce.best),
  argMin: row(reduce.best),
  topKIndices: row(reduce.best),
  cumSum: row(reduce.cumulative(0)),
  cumProd: row(reduce.cumulative(1)),
  truePositions: row(picked, 'limit'),
  suppressedBoxes: row(fixed),

  // ---------------------------------------------------------------- products and windows
  matmul: row(product.matmul),
  linear: row(product.linear),
  blockLinear: row(blocks.blockLinear),
  attention: row(product.attention),
  rotaryEmbedding: row(product.rotaryEmbedding),
  gridSample: row(movement.gridSample),
  regionPool: row(movement.regionPool),
  matmulInteger: row(product.matmulInteger),
  lstm: row(recurrent.layer),
  gru: row(recurrent.layer),
  rnn: row(recurrent.layer),
  recurrence: row(fixed),
  loop: row(bodied),
  branch: row(bodied),
  resultOf: row(fixed, 'shape', 'offset'),
  conv: row(product.conv),
  convInteger: row(product.convInteger),
  convTranspose: row(product.convTranspose),
  blockedConv: row(fixed),
  blockedConvInteger: row(fixed),
  maxPool: row(product.pool(() => Number.NEGATIVE_INFINITY)),
  avgPool: row(product.pool(({ attributes }) => (attributes.countPadding ? 0 : undefined))),
  lpPool: row(product.pool(() => 0)),
  adaptiveAvgPool: row(movement.only(spatial, 'divide sums over the elements by validLength()')),
  adaptiveMaxPool: row(movement.only(spatial, 'use max() over elements whose padding is −∞')),

  // ---------------------------------------------------------------- normalising
  layerNorm: row(reduce.normalised(({ attributes }, rank) => lastAxes(attributes.dims as number, rank))),
  rmsNorm: row(reduce.normalised(({ attributes }, rank) => lastAxes(attributes.dims as number, rank))),
  batchNorm: row(reduce.normalised(() => [1])),
  groupNorm: row(reduce.normalised((node) => every(node).slice(1))),
}

function lastAxes(count: number, rank: number): number[] {
  return Array.from({ length: count }, (_, i) => rank - count + i)
}
