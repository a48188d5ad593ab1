import { type DType, elementCount, isFloat } from '../../../../compiler/graph/index.ts'
import { shortest } from '../../record/numbers.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { dequantizedBlocks } from './blocks.ts'
import { productOf } from './product.ts'
import { axisIn, castTo, dimsOf, dtypeAttribute, range, reshaped } from './shared.ts'

/** Lists up to this length are written out, longer ones are tensors of the weights file. */
const listed = 4

/** A scale or zero point as the vocabulary takes it: a number, a short list, or a constant. Stops where it depends on data. */
export function parameter(c: OpContext, i: number): number | readonly number[] | Value {
  const values = (c.numbers(i) ?? c.unsupported(`input ${i} is missing`)).map((value) => shortest('f32', value))
  if (values.every((value) => value === values[0]) && values.length > 0) return values[0]!
  return values.length <= listed ? values : c.constantInput(i)
}

/** The option `zeroPoint`, left out where it is 0. */
export function zeroPointOption<Name extends string>(c: OpContext, i: number, name: Name): { [K in Name]?: any } {
  if (!c.has(i)) return {}
  const value = parameter(c, i)
  return (value === 0 ? {} : { [name]: value }) as { [K in Name]?: any }
}

const countOf = (c: OpContext, i: number): number => elementCount(c.typeOf(i).shape)

/** Scale and zero point of inputs i and i + 1; `axis` where there is more than one. */
export function quantizationOptions(c: OpContext, i: number, axis: number) {
  const perAxis = countOf(c, i) !== 1 || (c.has(i + 1) && countOf(c, i + 1) !== 1)
  const scale = parameter(c, i)
  const zero = zeroPointOption(c, i + 1, 'zeroPoint')
  // One number for all indices of the axis is one for the tensor.
  const single = typeof scale === 'number' && (zero.zeroPoint === undefined || typeof zero.zeroPoint === 'number')
  return { scale, ...zero, ...(perAxis && !single && { axis }) }
}

/** Per-axis parameters aligned with a tensor; block-wise ones repeated over their blocks. */
function spread(c: OpContext, value: Value, shape: readonly number[], axis: number, block: number): Value {
  const own = dimsOf(value)
  if (elementCount(own) === 1) return reshaped(c, value, [])
  if (own.length === 1) return reshaped(c, value, [own[0]!, ...range(shape.length - axis - 1).map(() => 1)])
  const apart = [...own.slice(0, axis + 1), 1, ...own.slice(axis + 1)]
  const wide = [...own.slice(0, axis + 1), block, ...own.slice(axis + 1)]
  const blocks = c.d.reshape(
    c.d.expand(c.d.reshape(value, apart) as Value, wide) as Value,
    own.map((extent, i) => (i === axis ? extent * block : extent)),
  )
  return own[axis]! * block === shape[axis]
    ? (blocks as Value)
    : (c.d.slice(blocks as Value, { axis, stop: shape[axis]! }) as Value)
}

const integerStorage = ['u8', 'i8', 'u16', 'i16', 'i32'] as const
type Storage = (typeof integerStorage)[number]
const isStorage = (dtype: DType): dtype is Storage => (integerStorage as readonly DType[]).includes(dtype)

function axisAndBlock(c: OpContext, rank: number): { axis: number; block: number } {
  const block = c.int('block_size', 0)
  const given = c.int('axis', 1)
  // A scalar or vector has no axis 1, and needs none where one scale is for all.
  return { block, axis: countOf(c, 1) === 1 && block === 0 ? 0 : axisIn(c, given, rank) }
}

/** Whether scale and zero point can stand in attributes: constants, and scales that a division can take. */
const isPlain = (c: OpContext): boolean =>
  c.isConstant(1) &&
  (!c.has(2) || c.isConstant(2)) &&
  c.numbers(1)!.every((scale) => scale > 0 && Number.isFinite(Math.fround(scale)))

/** ONNX QuantizeLinear 10 to 23. Scales that depend on data, blocks and 8-bit floats are written out. */
const quantizeLinear: OpRule = (c) => {
  const { d } = c
  const x = c.input(0)
  const wanted = dtypeAttribute(c, 'output_dtype', c.has(2) ? c.typeOf(2).dtype : 'u8')
  const { axis, block } = axisAndBlock(c, dimsOf(x).length)
  if (isStorage(wanted) && block === 0 && isPlain(c))
    return d.quantize(castTo(c, x, 'f32') as never, { dtype: wanted, ...quantizationOptions(c, 1, axis) }) as Value
  const scale = spread(c, castTo(c, c.input(1), 'f32'), dimsOf(x), axis, block)
  const scaled = d.div(castTo(c, x, 'f32'), scale) as Value
  if (isFloat(wanted)) {
    const limit = wanted === 'f8e4m3' ? 448 : 57344
    return castTo(c, c.int('saturate', 1) !== 0 ? d.clamp(scaled, { minimum: -limit, maximum: limit }) : scaled, wanted)
  }
  const rounded = d.round(scaled) as Value
  const zero = c.has(2) ? spread(c, castTo(c, c.input(2), 'f32'), dimsOf(x), axis, block) : undefined
  return castTo(c, zero ? (d.add(rounded, zero) as Value) : rounded, wanted)
}

/** ONNX DequantizeLinear 10 to 23; the result has the element type of the scale. */
export const dequantizeLinear: OpRule = (c) => {
  const { d } = c
  const result = dtypeAttribute(c, 'output_dtype', c.typeOf(1).dtype)
  const { axis, block } = axisAndBlock(c, c.typeOf(0).shape.length)
  const packed = result === 'f32' || result === 'f16' || result === 'bf16' ? dequantizedBlocks(c, axis, block, result) : undefined
  if (packed) return packed
  const x = c.input(0)
  if (isStorage(x.dtype) && block === 0 && isPlain(c))
    return castTo(c, d.dequantize(x as never, quantizationOptions(c, 1, axis)) as Value, result)
  const part = (i: number) => spread(c, castTo(c, c.input(i), 'f32'), dimsOf(x), axis, block)
  const numbers = castTo(c, x, 'f32')
  const offset = c.has(2) ? (d.sub(numbers, part(2)) as Value) : numbers
  return castTo(c, d.mul(offset, part(1)) as Value, result)
}

/** The function body of ONNX DynamicQuantizeLinear 11: 8 bits over the range of the input, 0 included. */
function dynamicallyQuantized(c: OpContext, x: Value): { readonly y: Value; readonly scale: Value; readonly zeroPoint: Value } {
  const { d } = c
  const low = d.minimum(d.min(x) as Value, 0) as Value
  const high = d.maximum(d.max(x) as Value, 0) as Value
  const scale = d.div(d.sub(high, low) as Value, 255) as Value
  const zero = d.clamp(d.round(d.div(d.negate(low), scale) as Value) as Value, { minimum: 0, maximum: 255 })
  const y = castTo(c, d.add(d.round(d.div(x, scale) as Value) as Value, zero) as Value, 'u8')
  return { y, scale, zeroPoint: castTo(c, zero, 'u8') }
}

const dynamicQuantizeLinear: OpRule = (c) => {
  const { y, scale, zeroPoint } = dynamicallyQuantized(c, c.input(0))
  return [y, scale, zeroPoint]
}

/** `x − zeroPoint` in i16, which integer products take, for zero points that are not one known number. */
export function difference(c: OpContext, x: Value, zeroPoint: Value): Value {
  return c.d.sub(castTo(c, x, 'i16'), castTo(c, zeroPoint, 'i16')) as Value
}

/** Matrix product of integers less their zero points, which may depend on data. */
export function integerProduct(c: OpContext, a: Value, b: Value, aZero: number | undefined, bZero: number | undefined): Value {
  const zeroAt = (i: number | undefined) => (i !== undefined && c.has(i) ? i : undefined)
  const [leftAt, rightAt] = [zeroAt(aZero), zeroAt(bZero)]
  const plain = (at: number | undefined) => at === undefined || (c.isConstant(at) && countOf(c, at) === 1)
  // One for each row: as a column, so that it is subtracted from its row.
  const column = (value: Value) =>
    dimsOf(value).length === 1 && dimsOf(value)[0]! > 1 ? (c.d.unsqueeze(value, { axes: [1] }) as Value) : value
  const left = plain(leftAt) ? a : difference(c, a, column(c.input(leftAt!)))
  const rows =
    rightAt !== undefined && c.isConstant(rightAt) && (countOf(c, rightAt) === 1 || c.typeOf(rightAt).shape.length === 1)
  const right = rightAt === undefined || rows ? b : difference(c, b, c.input(rightAt))
  const options = {
    ...(leftAt !== undefined && plain(leftAt) && zeroPointOption(c, leftAt, 'leftZeroPoint')),
    ...(rightAt !== undefined && rows && zeroPointOption(c, rightAt, 'rightZeroPoint')),
  }
  return productOf(c, left, right, (l, r) => c.d.matmulInteger(l, r, options) as Value)
}

const matmulInteger: OpRule = (c) => integerProduct(c, c.input(0), c.input(1), 2, 3)

/** The scales of two operands multiplied, in f32: one number, a short list, or a constant. */
export function scaleProduct(c: OpContext, i: number, j: number): number | readonly number[] | Value {
  const [a, b] = [c.numbers(i) ?? c.unsupported(`input ${i} is missing`), c.numbers(j) ?? c.unsupported(`input ${j} is missing`)]
  if (a.length !== 1 && b.length !== 1) return c.unsupported('both operands have several scales')
  const product = (a.length === 1 ? b : a).map((value) => Math.fround(value * (a.length === 1 ? a[0]! : b[0]!)))
  if (product.every((value) => value === product[0])) return shortest('f32', product[0]!)
  return product.length <= listed ? product.map((value) => shortest('f32', value)) : c.literal('f32', [product.length], product)
}

/** `{ dtype, inputScale, scale, zeroPoint }` of a requantisation whose result has scale i and zero point i + 1. */
export function requantizeOptions(c: OpContext, inputScale: ReturnType<typeof scaleProduct>, i: number, axis: number) {
  const dtype = c.has(i + 1) ? c.typeOf(i + 1).dtype : 'u8'
  if (!isStorage(dtype)) return c.unsupported(`a result of ${dtype} is not supported`)
  const scale = parameter(c, i)
  if (typeof scale !== 'number') return c.unsupported('the result has several scales')
  return { dtype, inputScale, scale, ...zeroPointOption(c, i + 1, 'zeroPoint'), ...(typeof inputScale !== 'number' && { axis }) }
}

const qlinearMatmul: OpRule = (c) => {
  const sums = integerProduct(c, c.input(0), c.input(3), 2, 5)
  return c.d.requantize(sums as never, requantizeOptions(c, scaleProduct(c, 1, 4), 6, dimsOf(sums).length - 1)) as Value
}

// ---------------------------------------------------------------- com.microsoft
/** Inputs i, i + 1 and i + 2 as numbers: integers, scale, zero point. */
export const decoded = (c: OpContext, i: number): Value =>
  c.d.dequantize(c.input(i) as never, quantizationOptions(c, i + 1, 0)) as Value

/** Numbers as integers with scale i and zero point i + 1, in the element type of the zero point, or the one given. */
export function encoded(c: OpContext, x: Value, i: number, fallback = c.typeOf(0).dtype): Value {
  const dtype = c.has(i + 1) ? c.typeOf(i + 1).dtype : fallback
  if (!isStorage(dtype)) return c.unsupported(`a result of ${dtype} is not supported`)
  return c.d.quantize(x as never, { dtype, ...quantizationOptions(c, i, 0) }) as Value
}

const qlinearBinary =
  (apply: (d: OpContext['d'], a: Value, b: Value) => Value): OpRule =>
  (c) =>
    encoded(c, apply(c.d, decoded(c, 0), decoded(c, 3)), 6)

const qlinearUnary =
  (apply: (c: OpContext, x: Value) => Value): OpRule =>
  (c) =>
    encoded(c, apply(c, decoded(c, 0)), 3)

/** Scale and zero point of the result, then triples. */
const qlinearConcat: OpRule = (c) => {
  const parts = range((c.inputCount - 2) / 3).map((i) => decoded(c, 2 + 3 * i))
  const axis = axisIn(c, c.int('axis'), dimsOf(parts[0]!).length)
  const joined = c.d.concat(parts, { axis }) as Value
  const dtype = c.has(1) ? c.typeOf(1).dtype : c.typeOf(2).dtype
  if (!isStorage(dtype)) return c.unsupported(`a result of ${dtype} is not supported`)
  return c.d.quantize(joined as never, { dtype, ...quantizationOptions(c, 0, 0) }) as Value
}

const globalAverage = (c: OpContext, x: Value): Value => {
  const rank = dimsOf(x).length
  if (c.int('channels_last', 0) !== 0) return c.d.mean(x, { axes: range(rank).slice(1, -1), keepDims: true }) as Value
  return c.d.globalAvgPool(x as never) as Value
}

const qlinearSoftmax = (c: OpContext, x: Value): Value => {
  const shape = dimsOf(x)
  const axis = axisIn(c, c.int('axis', -1), shape.length)
  if (c.int('opset', 13) >= 13 || axis === shape.length - 1) return c.d.softmax(x, { axis })
  const flat = c.d.reshape(x, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))]) as Value
  return c.d.reshape(c.d.softmax(flat), [...shape]) as Value
}

/** A bias is added where input i is one. */
const withBias = (c: OpContext, x: Value, i: number): Value => (c.has(i) ? (c.d.add(x, c.input(i)) as Value) : x)

/** Inputs: A in f32, B, scale of B, zero point of B?, bias?. */
const dynamicQuantizeMatmul: OpRule = (c) => {
  const { d } = c
  const { y, scale, zeroPoint } = dynamicallyQuantized(c, c.input(0))
  const right = c.has(3) ? difference(c, c.input(1), c.input(3)) : c.input(1)
  const sums = productOf(c, difference(c, y, zeroPoint), right, (l, r) => d.matmulInteger(l, r) as Value)
  const factor = d.mul(scale, castTo(c, c.input(2), 'f32')) as Value
  return withBias(c, d.mul(castTo(c, sums, 'f32'), factor) as Value, 4)
}

/** Inputs: A, B, scale of A, scale of B, zero point of A?, of B?, bias?. */
const matmulIntegerToFloat: OpRule = (c) => {
  const sums = castTo(c, integerProduct(c, c.input(0), c.input(1), 4, 5), c.typeOf(2).dtype)
  return withBias(c, c.d.mul(sums, c.d.mul(c.input(2), c.input(3)) as Value) as Value, 6)
}

/** Inputs: A, scale, zero point, B, scale, zero point, bias in i32?, scale and zero point of the result?; without these the result is f32. */
const qGemm: OpRule = (c) => {
  const { d } = c
  const alpha = c.float('alpha', 1)
  const swapped = (i: number, name: string) => (c.int(name, 0) !== 0 ? (d.transpose(c.input(i), [1, 0]) as Value) : c.input(i))
  const product = integerProduct(c, swapped(0, 'transA'), swapped(3, 'transB'), 2, 5)
  const sums = withBias(c, product, 6)
  const scales = scaleProduct(c, 1, 4)
  const inputScale =
    alpha === 1
      ? scales
      : typeof scales === 'number'
        ? shortest('f32', Math.fround(scales * alpha))
        : c.unsupported('alpha beside several scales is not supported')
  if (c.has(7)) return d.requantize(sums as never, requantizeOptions(c, inputScale, 7, 1)) as Value
  return d.dequantize(sums as never, { scale: inputScale, ...(typeof inputScale !== 'number' && { axis: 1 }) }) as Value
}

export const quantized: OpRules = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matmulInteger,
  QLinearMatMul: qlinearMatmul,
}

export const quantizedContrib: OpRules = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  QLinearAdd: qlinearBinary((d, a, b) => d.add(a, b) as Value),
  QLinearMul: qlinearBinary((d, a, b) => d.mul(a, b) as Value),
  QLinearSigmoid: qlinearUnary((c, x) => c.d.sigmoid(x)),
  QLinearLeakyRelu: qlinearUnary((c, x) => c.d.leakyRelu(x, { slope: c.float('alpha', 0.01) })),
  QLinearSoftmax: qlinearUnary(qlinearSoftmax),
  QLinearGlobalAveragePool: qlinearUnary(globalAverage),
  QLinearConcat: qlinearConcat,
  DynamicQuantizeMatMul: dynamicQuantizeMatmul,
  MatMulIntegerToFloat: matmulIntegerToFloat,
  QGemm: qGemm,
}
