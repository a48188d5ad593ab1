import { type DType, type Quantization, reject } from '../compiler/graph/index.ts'
import { readAxis, readDType, readInteger, readOptions } from './check.ts'
import {
  type Parameter,
  type QuantizationOptions,
  quantizationKeys,
  readParameter,
  readQuantization,
  readScale,
} from './quantization.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf, shapeOf } from './tracer.ts'
import type { ConvShape } from './types/convolution.ts'
import type { MatmulShape, MatmulShapes } from './types/product.ts'
import type { Guard, NoOptions } from './types/shape.ts'
import { type ConvOptions, readWindow } from './window.ts'

/** What quantised tensors are stored as. */
export type Storage = 'u8' | 'i8' | 'u16' | 'i16' | 'i32'
/** What integer products take. */
type Factor = Tensor<'u8' | 'i8' | 'i16'>

export interface QuantizeOptions<D extends Storage> extends QuantizationOptions {
  /** Element type of the result. */
  readonly dtype: D
}

export interface RequantizeOptions<D extends Storage> {
  /** Element type of the result. */
  readonly dtype: D
  /** What a step of one stands for in the input: for a product, the scales of its operands multiplied. */
  readonly inputScale: Parameter
  /** What a step of one stands for in the result. */
  readonly scale: number | Tensor
  /** The integer of the result that stands for 0. Default 0. */
  readonly zeroPoint?: number | Tensor
  /** The dimension that the entries of `inputScale` belong to. Default: one for the whole tensor. */
  readonly axis?: number
}

export interface ConvIntegerOptions<N extends 1 | 2 | 3> extends ConvOptions<N> {
  /** What stands for 0 in the input. Default 0. */
  readonly inputZeroPoint?: number | Tensor
  /** What stands for 0 in the weight; one number, or one for each output channel. Default 0. */
  readonly weightZeroPoint?: Parameter
}

export interface MatmulIntegerOptions {
  /** What stands for 0 on the left. Default 0. */
  readonly leftZeroPoint?: number | Tensor
  /** What stands for 0 on the right; one number, or one for each column. Default 0. */
  readonly rightZeroPoint?: Parameter
}

const attributesOf = ({ scale, zeroPoint, axis }: Quantization) => ({
  scale,
  zeroPoint,
  ...(axis === undefined ? {} : { axis }),
})

function readSingle(op: string, name: string, value: unknown): number {
  const list = value === undefined ? [0] : readParameter(op, name, value)
  return list.length === 1
    ? readInteger(op, name, list[0], Number.MIN_SAFE_INTEGER)
    : reject('bad-attribute', `${op}: ${name} must be one number, got ${list.length}`)
}

/**
 * Numbers as integers: x / scale rounded to the nearest whole number, ties to even, plus zeroPoint, within the range of the integers.
 *
 * Each step in f32, as in ONNX QuantizeLinear. NaN becomes 0.
 *
 * @param input any shape, f32
 * @param options `dtype` of the result; `scale` and `zeroPoint` (default 0): a number, or a list or constant with one entry for each index
 *   of `axis`
 */
export function quantize<X extends Tensor<'f32'>, D extends Storage>(
  input: X,
  options: QuantizeOptions<D>,
): Tensor<D, X['shape']> {
  const given = readOptions('quantize', options, ['dtype', ...quantizationKeys])
  const quantization = readQuantization('quantize', given, shapeOf(input, 'quantize').length)
  return call('quantize', { input }, { dtype: readDType('quantize', given.dtype), ...attributesOf(quantization) })
}

/**
 * The numbers that integers stand for: (q − zeroPoint) · scale.
 *
 * In f32, as in ONNX DequantizeLinear.
 *
 * @param input any shape, `u8`, `i8`, `u16`, `i16` or `i32`
 * @param options `scale`, `zeroPoint` and `axis`; default what the input's own quantization says: that of `tensor()` and of `quantize` and
 *   `requantize`, which movements keep
 */
export function dequantize<X extends Tensor<Storage>>(input: X, options?: QuantizationOptions): Tensor<'f32', X['shape']> {
  const { type } = nodeOf(input, 'dequantize', 'input')
  const given = readOptions('dequantize', options, quantizationKeys)
  const own = options === undefined ? type.quantization : undefined
  if (options === undefined && !own)
    return reject(
      'bad-attribute',
      `dequantize: nothing says what the integers of input stand for; write dequantize(input, { scale, zeroPoint })`,
    )
  return call('dequantize', { input }, attributesOf(own ?? readQuantization('dequantize', given, type.shape.length)))
}

/**
 * Sums of an integer product as integers of another scale: q · inputScale / scale rounded, plus zeroPoint, within their range.
 *
 * Each step in f32, as in ONNX QLinearConv: round(q · (inputScale / scale)) + zeroPoint, ties to even.
 *
 * @param input any shape, i32
 * @param options `dtype` of the result; `inputScale`: a number, or a list or constant with one entry for each index of `axis`; `scale` and
 *   `zeroPoint` (default 0) of the result
 */
export function requantize<X extends Tensor<'i32'>, D extends Storage>(
  input: X,
  options: RequantizeOptions<D>,
): Tensor<D, X['shape']> {
  const given = readOptions('requantize', options, ['dtype', 'inputScale', ...quantizationKeys])
  const inputScale = readScale('requantize', 'inputScale', given.inputScale)
  const [scale, ...others] = readScale('requantize', 'scale', given.scale)
  if (scale === undefined || others.length > 0) reject('bad-attribute', 'requantize: scale must be one number')
  const rank = shapeOf(input, 'requantize').length
  const axis = given.axis === undefined ? undefined : readAxis('requantize', given.axis, rank)
  return call(
    'requantize',
    { input },
    {
      dtype: readDType('requantize', given.dtype),
      inputScale,
      scale,
      zeroPoint: readSingle('requantize', 'zeroPoint', given.zeroPoint),
      ...(axis === undefined || inputScale.length === 1 ? {} : { axis }),
    },
  )
}

/**
 * Convolution of integers, less their zero points, with sums in i32.
 *
 * As ONNX ConvInteger: sums of (input − inputZeroPoint) · (weight − weightZeroPoint). Padding adds nothing.
 *
 * @param input `[batch, in, …]` with one to three spatial dimensions, `u8`, `i8` or `i16`
 * @param weight `[out, in / groups, …]`, `u8`, `i8` or `i16`
 * @param bias `[out]`, i32; default none
 * @param options stride, padding, dilation, groups, `inputZeroPoint`, `weightZeroPoint`
 */
export function convInteger<X extends Factor, W extends Factor, const O extends ConvIntegerOptions<1 | 2 | 3> = NoOptions>(
  input: X,
  weight: W,
  bias?: Tensor<'i32'>,
  options?: O,
): Tensor<'i32', ConvShape<X['shape'], W['shape'], O>> {
  const op = 'convInteger'
  const given = readOptions(op, options, ['stride', 'padding', 'dilation', 'groups', 'inputZeroPoint', 'weightZeroPoint'])
  const [extents, kernel] = [input, weight].map((value, i) => nodeOf(value, op, i === 0 ? 'input' : 'weight').type.shape.slice(2))
  if (extents!.length < 1 || extents!.length > 3 || kernel!.length !== extents!.length)
    reject(
      'rank-mismatch',
      `${op}: input and weight must have one to three spatial dimensions, the same number of them; got ${extents!.length} and ${kernel!.length}`,
    )
  return call(
    op,
    { input, weight, bias },
    {
      ...readWindow(op, extents!, kernel!, given, 1),
      groups: given.groups === undefined ? 1 : readInteger(op, 'groups', given.groups, 1),
      inputZeroPoint: readSingle(op, 'inputZeroPoint', given.inputZeroPoint),
      weightZeroPoint: given.weightZeroPoint === undefined ? [0] : readParameter(op, 'weightZeroPoint', given.weightZeroPoint),
    },
  )
}

type MatmulIntegerProblem<A extends Tensor, B extends Tensor> = MatmulShapes<'matmulInteger', A['shape'], B['shape']>
/**
 * Matrix product of integers, less their zero points, with sums in i32; leading dimensions broadcast.
 *
 * As ONNX MatMulInteger: sums of (left − leftZeroPoint) · (right − rightZeroPoint).
 *
 * @param left `[…, rows, inner]`, `u8`, `i8` or `i16`
 * @param right `[…, inner, columns]`, `u8`, `i8` or `i16`
 * @param options `leftZeroPoint`, `rightZeroPoint`
 */
export function matmulInteger<A extends Factor, B extends Factor>(
  left: A,
  right: Guard<MatmulIntegerProblem<A, B>, B>,
  options?: MatmulIntegerOptions,
): Tensor<'i32', MatmulShape<A['shape'], B['shape']>> {
  const op = 'matmulInteger'
  const given = readOptions(op, options, ['leftZeroPoint', 'rightZeroPoint'])
  return call(
    op,
    { left, right },
    {
      leftZeroPoint: readSingle(op, 'leftZeroPoint', given.leftZeroPoint),
      rightZeroPoint: given.rightZeroPoint === undefined ? [0] : readParameter(op, 'rightZeroPoint', given.rightZeroPoint),
    },
  )
}

/**
 * For each byte the entry of a table of 256.
 * @param input any shape, `u8` or `i8`; of `i8`, the last 128 entries are for −128 to −1
 * @param table `[256]`, any element type
 */
export function lookup<X extends Tensor<'u8' | 'i8'>, T extends Tensor<DType, [256]>>(
  input: X,
  table: T,
): Tensor<T['dtype'], X['shape']> {
  return call('lookup', { input, table })
}
