/** The vocabulary in which models are written, and what a model module exports. */
export * from './activation.ts'
export * from './attention.ts'
export * from './bags.ts'
export * from './border.ts'
export * from './comparison.ts'
export { constant, full } from './constant.ts'
export * from './convolution.ts'
export { type Dim, type DimOptions, dim, validLength, validMask } from './dim.ts'
export * from './einsum.ts'
export {
  abs,
  acos,
  acosh,
  add,
  asin,
  asinh,
  atan,
  atanh,
  cast,
  ceil,
  cos,
  cosh,
  div,
  erf,
  exp,
  floor,
  fmod,
  isInf,
  isNaN,
  log,
  maximum,
  minimum,
  mod,
  mul,
  negate,
  not,
  type Operand,
  pow,
  reciprocal,
  round,
  rsqrt,
  sigmoid,
  sign,
  sin,
  sinh,
  sqrt,
  sub,
  tan,
  tanh,
} from './elementwise.ts'
export * from './indexing.ts'
export * from './join.ts'
export {
  type Binding,
  type Data,
  type EntriesInfo,
  type EntriesModel,
  type EntriesSpec,
  type Entry,
  type EntrySpec,
  type InputsOf,
  type Model,
  type ModelInfo,
  type ModelSpec,
  model,
  type OutputsOf,
  type Plain,
  type Result,
  type RunOptions,
  type TensorInfo,
  tensor,
} from './model.ts'
export * from './normalization.ts'
export * from './order.ts'
export * from './parts.ts'
export * from './pool.ts'
export * from './product.ts'
export type { Parameter, QuantizationOptions } from './quantization.ts'
export * from './quantized.ts'
export * from './recurrent.ts'
export * from './reduce.ts'
export * from './reshape.ts'
export * from './space.ts'
export type { DType, Rank, Tensor } from './tensor.ts'
export { tile } from './tile.ts'
export * from './transposed.ts'
export { tril, triu } from './triangle.ts'
export { type Weights, type WeightsOptions, weights } from './weights.ts'
export type { AvgPoolOptions, ConvOptions, WindowOptions } from './window.ts'
