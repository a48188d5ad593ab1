import { type DType, elementCount, isFloat, type Shape, sameShape } from '../../../../compiler/graph/index.ts'
import { elementType } from '../../proto/elements.ts'
import type { OpContext, Value } from '../context.ts'

/** The element type behind a number of ONNX's TensorProto.DataType in an attribute. */
export function dtypeAttribute(c: OpContext, name: string, fallback?: DType): DType {
  const number = c.int(name, fallback === undefined ? undefined : 0)
  if (number === 0 && fallback !== undefined) return fallback
  const type = elementType(number)
  if (type?.dtype && type.bits >= 8) return type.dtype
  return c.unsupported(`element type ${type?.name ?? number} is not supported`)
}

/** An axis counted from the front. */
export function axisIn(c: OpContext, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    return c.unsupported(`axis ${axis} is outside a tensor of rank ${rank}`)
  return axis < 0 ? axis + rank : axis
}

/** Axes from attribute `axes` of older versions, or from input `i`; undefined where the node names none. */
export function axesOf(c: OpContext, i: number, rank: number): number[] | undefined {
  const given = c.ints('axes') ?? c.numbers(i)
  return given?.map((axis) => axisIn(c, axis, rank))
}

/** The one element of input i. */
export function scalarOf(c: OpContext, i: number): number | undefined {
  const values = c.numbers(i)
  if (values && values.length !== 1) return c.unsupported(`input ${i} has ${values.length} elements, it must have one`)
  return values?.[0]
}

export const dimsOf = (value: Value): readonly number[] => value.shape as readonly number[]

/** Reshapes where the shape changes. */
export const reshaped = (c: OpContext, value: Value, shape: readonly number[]): Value =>
  sameShape(dimsOf(value), shape) ? value : c.d.reshape(value, [...shape])

export const castTo = (c: OpContext, value: Value, dtype: DType): Value =>
  value.dtype === dtype ? value : c.d.cast(value, dtype)

/** Constants up to this many elements change their element type while importing. */
const recast = 64

/** Input i in an element type; a small constant is written in it. */
export function inputAs(c: OpContext, i: number, dtype: DType): Value {
  const type = c.typeOf(i)
  const known = type.dtype !== dtype && c.isConstant(i) && elementCount(type.shape) <= recast ? c.known(i) : undefined
  return known ? c.literal(dtype, type.shape, c.numbers(i)!) : castTo(c, c.input(i), dtype)
}

/** Transposes where the order changes. */
export const transposed = (c: OpContext, value: Value, order: readonly number[]): Value =>
  order.every((axis, i) => axis === i) ? value : c.d.transpose(value, [...order])

export function broadcast(c: OpContext, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1]
    if (x !== y && x !== 1 && y !== 1) return c.unsupported(`shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`)
    return x === 1 ? y : x
  })
}

/** Results beyond this many elements are computed by the model, not written into it. */
const constantElements = 1 << 12

/** A tensor of one repeated element: known where it is small. */
export function filled(c: OpContext, dtype: DType, shape: readonly number[], value: number) {
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    return c.unsupported(`[${shape.join(', ')}] is no shape`)
  const count = elementCount(shape)
  if (count <= constantElements) return c.constant(dtype, shape, new Array<number>(count).fill(value))
  return c.d.expand(c.literal(dtype, [], [value]), [...shape])
}

/** Applies `body` to `value` as f32 where its element type is another than a float. */
export function asFloat(c: OpContext, value: Value, body: (value: Value) => Value): Value {
  if (isFloat(value.dtype)) return body(value)
  return castTo(c, body(castTo(c, value, 'f32')), value.dtype)
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Attributes that must be 0. */
export function refuse(c: OpContext, ...names: string[]): void {
  for (const name of names) if (c.int(name, 0) !== 0) c.unsupported(`attribute ${name} is not supported`)
}

/** Options without those that are undefined. */
export const settings = (options: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(options).filter(([, entry]) => entry !== undefined))

/** A scale of 0 means that there is none. */
export const scaleOf = (c: OpContext): number | undefined => c.float('scale', 0) || undefined
