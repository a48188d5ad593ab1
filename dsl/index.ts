/** The vocabulary in which models are written, and what a model module exports. */
export * from './activation.ts'
export * from './attention.ts'
export * from './bags.ts'
export * from './blocks.ts'
export * from './border.ts'
export { bounded, countMask, positions } from './bounded.ts'
export * from './comparison.ts'
export { constant, full } from './constant.ts'
export { branch, type LoopOptions, type LoopResult, loop, type ScanOptions, scan, type Turn } from './control.ts'
export * from './convolution.ts'
export * from './detection.ts'
export * from './determinant.ts'
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
export * from './features.ts'
export * from './fourier.ts'
export * from './indexing.ts'
export { inverse } from './inverse.ts'
export * from './join.ts'
export * from './lengths.ts'
export * from './loss.ts'
export {
  type Binding,
  type Data,
  type EntriesInfo,
  type EntriesModel,
  type EntriesSession,
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
  type Session,
  type SessionEntry,
  type StatefulEntriesModel,
  type StatefulModel,
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
export * from './regions.ts'
export * from './reshape.ts'
export { reverseSequence } from './reversed.ts'
export * from './sampling.ts'
export {
  compress,
  type LimitOptions,
  nonMaxSuppression,
  nonZero,
  type SuppressionOptions,
  type UniqueOptions,
  unique,
} from './selection.ts'
export * from './signal.ts'
export * from './space.ts'
export * from './spectrogram.ts'
export { type State, type StateOptions, state } from './state.ts'
export * from './tables.ts'
export type { DType, Rank, Tensor } from './tensor.ts'
export { tile } from './tile.ts'
export * from './transposed.ts'
export * from './trees.ts'
export { tril, triu } from './triangle.ts'
export * from './unpool.ts'
export { updateSlice } from './updateSlice.ts'
export { type Weights, type WeightsOptions, weights } from './weights.ts'
export type { AvgPoolOptions, ConvOptions, WindowOptions } from './window.ts'
