import type { DType } from '../../../compiler/graph/index.ts'

const list = (text: string): readonly DType[] => text.split(' ') as DType[]

const bool = list('bool')
const usual = list('f32 f64 f16')
const floats = list('f32 f64 f16 bf16')
const integers = list('i8 u8 i16 u16 i32 u32 i64 u64')
const wide = list('i32 u32 i64 u64')
const numbers = [...floats, ...integers]
const values = [...numbers, ...bool]
const bytes = list('i8 u8')
const narrow = list('f8e4m3 f8e5m2')
const arithmetic = [...floats, ...wide]
const ordered = [...floats, ...bytes, ...wide]

type Row = readonly [since: number, dtypes: readonly DType[]]
const always = (dtypes: readonly DType[]): readonly Row[] => [[1, dtypes]]
/** Other element types from a version on. */
const until22 = (before: readonly DType[], after: readonly DType[]): readonly Row[] => [
  [1, before],
  [22, after],
]

/**
 * The operators of ONNX that exports use: since which version there is one, and which of our element types it computes with from then
 * on, among versions 17 to 23. From the schemas of ONNX. Its type variable is that of the first operand, unless a rule says another.
 */
const accepted = {
  Abs: always(numbers),
  Acos: until22(usual, floats),
  Acosh: until22(usual, floats),
  Add: always(numbers),
  And: always(bool),
  ArgMax: always(numbers),
  ArgMin: always(numbers),
  Asin: until22(usual, floats),
  Asinh: until22(usual, floats),
  Atan: until22(usual, floats),
  Atanh: until22(usual, floats),
  Attention: [[23, floats]],
  AveragePool: until22(usual, floats),
  BatchNormalization: always(floats),
  BitShift: always(list('u8 u16 u32 u64')),
  BitwiseAnd: [[18, integers]],
  BitwiseNot: [[18, integers]],
  BitwiseOr: [[18, integers]],
  BitwiseXor: [[18, integers]],
  Cast: [
    [1, values],
    [19, [...values, ...narrow]],
  ],
  Ceil: always(floats),
  Celu: always(list('f32')),
  Clip: always(numbers),
  Concat: always(values),
  Conv: until22(usual, floats),
  ConvInteger: always(bytes),
  ConvTranspose: until22(usual, floats),
  Cos: until22(usual, floats),
  Cosh: until22(usual, floats),
  CumSum: always(arithmetic),
  DequantizeLinear: [
    [1, list('i8 u8 i32')],
    [21, list('i8 u8 i16 u16 i32')],
  ],
  Div: always(numbers),
  Elu: until22(usual, floats),
  Equal: always(values),
  Erf: always(numbers),
  Exp: always(floats),
  Expand: always(values),
  Floor: always(floats),
  Gather: always(values),
  GatherElements: always(values),
  GatherND: always(values),
  Gelu: [[20, floats]],
  GRU: until22(usual, floats),
  Gemm: always(arithmetic),
  GlobalAveragePool: until22(usual, floats),
  Greater: always(numbers),
  GreaterOrEqual: always(numbers),
  GridSample: until22(
    values.filter((dtype) => dtype !== 'bf16'),
    values,
  ),
  GroupNormalization: [[21, floats]],
  Hardmax: always(floats),
  HardSigmoid: until22(usual, floats),
  HardSwish: until22(usual, floats),
  Identity: [
    [1, values],
    [19, [...values, ...narrow]],
  ],
  IsInf: [
    [1, list('f32 f64')],
    [20, [...floats, ...narrow]],
  ],
  IsNaN: always(floats),
  LSTM: until22(usual, floats),
  LayerNormalization: always(floats),
  LeakyRelu: always(floats),
  If: always(bool),
  Less: always(numbers),
  LessOrEqual: always(numbers),
  Log: always(floats),
  LogSoftmax: always(floats),
  Loop: always(list('i64')),
  LpPool: until22(usual, floats),
  MatMul: always(arithmetic),
  MatMulInteger: always(bytes),
  Max: always(numbers),
  MaxRoiPool: until22(usual, floats),
  MaxPool: until22([...usual, ...bytes], [...floats, ...bytes]),
  Min: always(numbers),
  Mish: [
    [18, usual],
    [22, floats],
  ],
  Mod: always(numbers),
  Mul: always(numbers),
  Neg: always(list('f32 f64 f16 bf16 i8 i16 i32 i64')),
  NonMaxSuppression: always(list('f32')),
  NonZero: always(values),
  Not: always(bool),
  OneHot: always([...usual, ...integers, ...bool]),
  Or: always(bool),
  Pad: always(values),
  Pow: always([...floats, ...list('i32 i64')]),
  PRelu: always(arithmetic),
  QLinearConv: always(bytes),
  QLinearMatMul: always(bytes),
  QuantizeLinear: [
    [1, list('f32 i32')],
    [19, list('f32 f16 bf16 i32')],
  ],
  Reciprocal: always(floats),
  ReduceL1: always(arithmetic),
  ReduceL2: always(arithmetic),
  ReduceLogSumExp: always(arithmetic),
  ReduceMax: always(ordered),
  ReduceMean: always(arithmetic),
  ReduceMin: always(ordered),
  ReduceProd: always(arithmetic),
  ReduceSum: always(arithmetic),
  ReduceSumSquare: always(arithmetic),
  Relu: always(list('f32 f64 f16 bf16 i8 i16 i32 i64')),
  Reshape: [
    [1, values],
    [19, [...values, ...narrow]],
  ],
  Resize: always(values),
  RMSNormalization: [[23, floats]],
  RNN: until22(usual, floats),
  RoiAlign: until22(usual, floats),
  RotaryEmbedding: [[23, list('f32 f16 bf16')]],
  Round: until22(usual, floats),
  ScatterElements: always(values),
  ScatterND: always(values),
  Selu: until22(usual, floats),
  Shape: always(values),
  Shrink: always([...usual, ...integers]),
  Sigmoid: always(floats),
  Sign: always(numbers),
  Sin: until22(usual, floats),
  Sinh: until22(usual, floats),
  Slice: always(values),
  Softmax: always(floats),
  Softplus: until22(usual, floats),
  Softsign: until22(usual, floats),
  Sqrt: always(floats),
  Sub: always(numbers),
  Tan: until22(usual, floats),
  Tanh: always(floats),
  ThresholdedRelu: until22(usual, floats),
  TopK: always([...usual, ...integers]),
  Transpose: always(values),
  Trilu: always(values),
  Where: always(values),
  Xor: always(bool),
} satisfies Readonly<Record<string, readonly Row[]>>

/** An operator of ONNX that exports use. */
export type OnnxOp = keyof typeof accepted

/** Element types that an operator computes with at a version; undefined where that version does not have it. */
export function acceptedBy(op: OnnxOp, opset: number): readonly DType[] | undefined {
  const rows: readonly Row[] = accepted[op]
  return rows.findLast(([since]) => since <= opset)?.[1]
}
