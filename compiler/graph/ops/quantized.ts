import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import { dtypeFacts } from '../dtype.ts'
import { reject } from '../problem.ts'
import { checkQuantization, requireEntries, requireZeroPoint, storages } from '../quantization.ts'
import { printType, type TensorType } from '../type.ts'
import { convolution, inferConvolution, inferMatmul } from './geometry.ts'
import { axis, everything, integer, one, optional, requireRank, withShape } from './shared.ts'
import { factors, requireConvolutionZeroPoints, requireZeroPoints, zeroPoints } from './zeroPoints.ts'

const bitTypes = everything.filter((dtype) => dtype !== 'bool') as Exclude<(typeof everything)[number], 'bool'>[]

// ---------------------------------------------------------------- parameters
/** Parameters are numbers of f32, which is what all arithmetic on them is done in. */
const scale = z
  .number()
  .overwrite(Math.fround)
  .refine((value) => value > 0 && Number.isFinite(value), 'a scale is a positive number that f32 can hold')
/** One entry for the whole tensor, or one for each index of the axis. */
const parameters = { scale: z.array(scale).min(1), zeroPoint: z.array(integer).min(1), axis: axis.min(0).optional() }

// ---------------------------------------------------------------- between numbers and integers
/** As ONNX QuantizeLinear 19, each step in f32: saturate(roundHalfEven(x / scale) + zeroPoint); NaN becomes 0. */
export const quantize = composite({
  name: 'quantize',
  summary:
    'Numbers as integers: x / scale rounded to the nearest whole number, ties to even, plus zeroPoint, within the range of the integers',
  operands: { input: one('any shape', ['f32']) },
  attributes: z.strictObject({ dtype: z.enum(storages), ...parameters }),
  traits: ['pure'],
  infer: ({ input }, { dtype, ...given }): TensorType => ({
    dtype,
    shape: input.shape,
    quantization: checkQuantization({ dtype, shape: input.shape }, given, 'quantize'),
  }),
})

/** As ONNX DequantizeLinear 19: (q − zeroPoint) · scale, in f32. What the type of the operand says of itself does not matter. */
export const dequantize = composite({
  name: 'dequantize',
  summary: 'The numbers that integers stand for: (q − zeroPoint) · scale',
  operands: { input: one('any shape', storages) },
  attributes: z.strictObject(parameters),
  traits: ['pure', 'decoding'],
  infer: ({ input }, given): TensorType => {
    checkQuantization(input, given, 'dequantize')
    return { dtype: 'f32', shape: input.shape }
  },
})

/**
 * What ends an integer product, as in ONNX QLinearConv, each step in f32:
 * saturate(roundHalfEven(q · (inputScale / scale)) + zeroPoint). `axis` is that of `inputScale`.
 */
export const requantize = composite({
  name: 'requantize',
  summary:
    'Sums of an integer product as integers of another scale: q · inputScale / scale rounded, plus zeroPoint, within their range',
  operands: { input: one('any shape', ['i32']) },
  attributes: z.strictObject({
    dtype: z.enum(storages),
    inputScale: parameters.scale,
    scale,
    zeroPoint: integer,
    axis: parameters.axis,
  }),
  traits: ['pure'],
  infer: ({ input }, { dtype, inputScale, scale, zeroPoint, axis }): TensorType => {
    requireEntries(inputScale.length, input, axis, 'requantize', 'inputScale')
    requireZeroPoint(dtype, [zeroPoint], 'requantize')
    const beyond = inputScale.find((value) => !Number.isFinite(Math.fround(value / scale)))
    if (beyond !== undefined) reject('bad-attribute', `requantize: inputScale ${beyond} / scale ${scale} is beyond f32`)
    return { dtype, shape: input.shape, quantization: { scale: [scale], zeroPoint: [zeroPoint] } }
  },
})

/** Empty lists mean plain integers. */
export const storageCast = primitive({
  name: 'storageCast',
  summary: 'The same stored integers, taken to stand for other numbers',
  operands: { input: one('any shape', everything) },
  attributes: z.strictObject({ scale: z.array(scale), zeroPoint: z.array(integer), axis: parameters.axis }),
  traits: ['pure', 'movement', 'view'],
  infer: ({ input }, given): TensorType => {
    const plain = withShape(input, input.shape)
    if (given.scale.length === 0 && given.zeroPoint.length === 0 && given.axis === undefined) return plain
    if (dtypeFacts[input.dtype].kind === 'float' || input.dtype === 'bool')
      reject('dtype-mismatch', `storageCast: ${printType(input)} holds no integers`)
    return { ...plain, quantization: checkQuantization(plain, given, 'storageCast') }
  },
})

// ---------------------------------------------------------------- products of integers
/**
 * As ONNX ConvInteger 10: sums of (input − inputZeroPoint) · (weight − weightZeroPoint), which wrap in i32 where they do not fit.
 * Padding adds nothing: it stands for inputZeroPoint.
 */
export const convInteger = primitive({
  name: 'convInteger',
  summary: 'Convolution of integers, less their zero points, with sums in i32',
  operands: {
    input: one('[batch, in, …spatial]', factors),
    weight: one('[out, in / groups, …kernel]', factors),
    bias: optional('[out]', ['i32']),
  },
  attributes: z.strictObject({
    ...convolution,
    inputZeroPoint: integer.default(0),
    /** One entry, or one for each output channel. */
    weightZeroPoint: zeroPoints.default([0]),
  }),
  traits: ['pure', 'anchor'],
  infer: (operands, attributes): TensorType => {
    const shape = inferConvolution(operands, attributes, 'convInteger')
    requireConvolutionZeroPoints(operands, attributes, 'convInteger')
    return { dtype: 'i32', shape }
  },
})

/** As ONNX MatMulInteger 10: sums of (left − leftZeroPoint) · (right − rightZeroPoint), which wrap in i32 where they do not fit. */
export const matmulInteger = primitive({
  name: 'matmulInteger',
  summary: 'Matrix product of integers, less their zero points, with sums in i32; leading dimensions broadcast',
  operands: { left: one('[…, rows, inner]', factors), right: one('[…, inner, columns]', factors) },
  attributes: z.strictObject({
    leftZeroPoint: integer.default(0),
    /** One entry, or one for each column. */
    rightZeroPoint: zeroPoints.default([0]),
  }),
  traits: ['pure', 'anchor'],
  infer: ({ left, right }, { leftZeroPoint, rightZeroPoint }): TensorType => {
    const shape = inferMatmul(left, right, 'matmulInteger')
    requireZeroPoint(left.dtype, [leftZeroPoint], 'matmulInteger', 'leftZeroPoint')
    requireZeroPoints(rightZeroPoint, right, right.shape.at(-1)!, 'matmulInteger', 'rightZeroPoint')
    return { dtype: 'i32', shape }
  },
})

/** Entry i is for the element whose byte is i: of i8, entries 128 to 255 are for −128 to −1. */
export const lookup = primitive({
  name: 'lookup',
  summary: 'For each byte the entry of a table of 256',
  operands: { input: one('any shape', ['u8', 'i8']), table: one('[256]', everything) },
  attributes: z.strictObject({}),
  traits: ['pure', 'anchor'],
  infer: ({ input, table }): TensorType => {
    requireRank(table, 1, 'lookup', 'table', '[256]')
    if (table.shape[0] !== 256) reject('shape-mismatch', `lookup: table must be [256], got ${printType(table)}`)
    const { quantization } = table
    return {
      dtype: table.dtype,
      shape: input.shape,
      ...(quantization && quantization.axis === undefined ? { quantization } : {}),
    }
  },
})

/**
 * The bytes of a tensor in the order in which they lie, little end first, taken for elements of another dtype. Elements of fewer bytes make the last
 * dimension longer, those of more bytes shorter (ONNX BitCast 26 and PyTorch `Tensor.view(dtype)`).
 */
export const bitCast = primitive({
  name: 'bitCast',
  summary: 'The same bytes, taken for elements of another dtype',
  operands: { input: one('any shape', bitTypes) },
  attributes: z.strictObject({ dtype: z.enum(bitTypes) }),
  traits: ['pure', 'anchor'],
  infer: ({ input }, { dtype }): TensorType => {
    const [from, to] = [dtypeFacts[input.dtype].bytes, dtypeFacts[dtype].bytes]
    if (from === to) return { dtype, shape: input.shape }
    const [lead, last] = [input.shape.slice(0, -1), input.shape.at(-1)]
    if (last === undefined || (last * from) % to !== 0)
      reject(
        'shape-mismatch',
        `bitCast: the last dimension of ${printType(input)} does not divide into elements of ${dtype}, of ${to} bytes`,
      )
    return { dtype, shape: [...lead, (last * from) / to] }
  },
})
