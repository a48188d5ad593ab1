import {
  type AttributesOf,
  attributesOf,
  type DType,
  dtypeFacts,
  isInteger,
  type TensorType,
} from '../../../../compiler/graph/index.ts'
import type { ExportContext, ExportRule, ExportRules, GivenAttributes, Ref } from '../context.ts'
import { convolutionOf } from './window.ts'

/** Types that QuantizeLinear makes; others are left to simpler ops. */
const quantizable = (dtype: DType, c: ExportContext): boolean =>
  dtype === 'u8' || dtype === 'i8' || ((dtype === 'u16' || dtype === 'i16') && c.opset >= 21)

/** One number, or a vector along an axis. */
const parameter = (dtype: DType, values: readonly number[], axis: number | undefined, c: ExportContext): Ref =>
  c.constant(dtype, axis === undefined ? [] : [values.length], values)

const along = (axis: number | undefined): GivenAttributes => (axis === undefined ? {} : { axis })

/** One entry where all are equal: that is all that some engines take. */
const oneOf = (values: readonly number[]): readonly number[] =>
  values.every((value) => value === values[0]) ? values.slice(0, 1) : values

/** All entries of a parameter; one may stand for all. */
const entries = (values: readonly number[], type: TensorType, axis: number | undefined): readonly number[] =>
  axis === undefined || values.length > 1 ? values : new Array<number>(type.shape[axis]!).fill(values[0]!)

const quantize: ExportRule<'quantize'> = ({ input }, { dtype, scale, zeroPoint, axis }, c) => {
  if (!quantizable(dtype, c)) return undefined
  const scales = parameter('f32', entries(scale, c.type, axis), axis, c)
  return c.emit(
    'QuantizeLinear',
    [input, scales, parameter(dtype, entries(zeroPoint, c.type, axis), axis, c)],
    c.type,
    along(axis),
  )
}

const dequantize: ExportRule<'dequantize'> = ({ input }, { scale, zeroPoint, axis }, c) => {
  const { dtype } = input.type
  const shifted = zeroPoint.some((value) => value !== 0)
  if (!c.offers('DequantizeLinear', dtype) || (dtype === 'i32' && shifted)) return undefined
  const zeros = dtype === 'i32' ? undefined : parameter(dtype, entries(zeroPoint, c.type, axis), axis, c)
  return c.emit('DequantizeLinear', [input, parameter('f32', entries(scale, c.type, axis), axis, c), zeros], c.type, along(axis))
}

/** A vector along an axis of a tensor of that rank. */
const spread = (values: readonly number[], axis: number | undefined, rank: number): number[] =>
  axis === undefined ? [] : [values.length, ...new Array<number>(rank - axis - 1).fill(1)]

/**
 * A product and what brings it to another scale are one operator in ONNX. It takes a scale for each operand, whose product over the
 * result's is what is multiplied with: 1 for the one, ours for the other.
 */
function product(
  input: Ref,
  { dtype, inputScale, scale, zeroPoint, axis }: AttributesOf<'requantize'>,
  c: ExportContext,
): Ref | undefined {
  const made = c.madeBy(input)
  const isBytes = (type: DType) => type === 'u8' || type === 'i8'
  if (!made?.operands.slice(0, 2).every(({ type }) => isBytes(type.dtype)) || !isBytes(dtype)) return undefined
  const { node } = made
  const rank = c.type.shape.length
  const isConv = node.op === 'convInteger'
  if ((!isConv && node.op !== 'matmulInteger') || (axis !== undefined && axis !== (isConv ? 1 : rank - 1))) return undefined
  const [left, right, bias] = made.operands as [Ref, Ref, Ref?]
  const zeros = isConv
    ? attributesOf<'convInteger'>(node)
    : { inputZeroPoint: node.attributes.leftZeroPoint as number, weightZeroPoint: node.attributes.rightZeroPoint as number[] }
  const weightZero = oneOf(zeros.weightZeroPoint)
  const channels = isConv ? c.type.shape[1]! : c.type.shape[rank - 1]!
  const each = axis !== undefined || weightZero.length > 1
  if (each && !isConv && right.type.shape.length > 2) return undefined
  const all = (values: readonly number[]) => (each && values.length === 1 ? new Array<number>(channels).fill(values[0]!) : values)
  const shape = each ? [channels] : []
  const inputs = [
    ...[left, c.constant('f32', [], [1]), c.scalar(left, zeros.inputZeroPoint)],
    ...[right, c.constant('f32', shape, all(inputScale)), c.constant(right.type.dtype, shape, all(weightZero))],
    ...[c.constant('f32', [], [scale]), c.constant(dtype, [], [zeroPoint])],
  ]
  return isConv
    ? c.emit('QLinearConv', [...inputs, bias], c.type, convolutionOf(attributesOf<'convInteger'>(node), right.type.shape))
    : c.emit('QLinearMatMul', inputs, c.type)
}

/** The factor is rounded to f32 once, as `inputScale / scale` is; dividing by 1 changes nothing. */
const requantize: ExportRule<'requantize'> = ({ input }, attributes, c) => {
  const { dtype, inputScale, scale, zeroPoint, axis } = attributes
  const whole = product(input, attributes, c)
  if (whole) return whole
  if (!quantizable(dtype, c)) return undefined
  const factors = inputScale.map((value) => Math.fround(value / scale))
  const numbers = c.convert(input, 'f32')
  const scaled = c.emit('Mul', [numbers, c.constant('f32', spread(factors, axis, c.type.shape.length), factors)], numbers.type)
  return c.emit('QuantizeLinear', [scaled, c.constant('f32', [], [1]), c.constant(dtype, [], [zeroPoint])], c.type)
}

const convInteger: ExportRule<'convInteger'> = ({ input, weight, bias }, attributes, c) => {
  const { inputZeroPoint } = attributes
  const weightZeroPoint = oneOf(attributes.weightZeroPoint)
  const channels = weightZeroPoint.length > 1 ? [weightZeroPoint.length] : []
  const sums = c.emit(
    'ConvInteger',
    [input, weight, c.scalar(input, inputZeroPoint), c.constant(weight.type.dtype, channels, weightZeroPoint)],
    c.type,
    convolutionOf(attributes, weight.type.shape),
  )
  if (!bias) return sums
  const shape = [bias.type.shape[0]!, ...c.type.shape.slice(2).map(() => 1)]
  const turned = c.emit('Reshape', [bias, c.constant('i64', [shape.length], shape)], { ...bias.type, shape })
  return c.emit('Add', [sums, turned], c.type)
}

const matmulInteger: ExportRule<'matmulInteger'> = ({ left, right }, { leftZeroPoint, rightZeroPoint }, c) => {
  const values = oneOf(rightZeroPoint)
  const columns = values.length > 1 ? [values.length] : []
  const zeros = [c.scalar(left, leftZeroPoint), c.constant(right.type.dtype, columns, values)]
  return c.emit('MatMulInteger', [left, right, ...zeros], c.type)
}

/** The byte is the index. */
const lookup: ExportRule<'lookup'> = ({ input, table }, _, c) =>
  c.emit('Gather', [table, c.convert(c.convert(input, 'u8'), 'i32')], c.type, { axis: 0 })

/** ONNX has it since version 26; before that integers of one size can be said, whose conversion keeps the bits. */
const bitCast: ExportRule<'bitCast'> = ({ input }, { dtype }, c) => {
  const whole = isInteger(input.type.dtype) && isInteger(dtype)
  if (input.type.dtype === dtype) return input
  if (whole && dtypeFacts[input.type.dtype].bytes === dtypeFacts[dtype].bytes) return c.convert(input, dtype)
  return c.inexpressible(`bytes of ${input.type.dtype} as ${dtype}`, 'convert them before the model')
}

export const quantizedRules = {
  bitCast,
  dequantizeBlocks: () => undefined,
  blockLinear: () => undefined,
  quantize,
  dequantize,
  requantize,
  convInteger,
  matmulInteger,
  lookup,
} satisfies Partial<ExportRules>
