import { type DType, dtypeFacts } from './dtype.ts'

/** Dimensions, outermost first. Images are `[batch, channels, height, width]`. A dimension of 0 makes an empty tensor, which is legal. */
export type Shape = readonly number[]

/** real = scale · (stored − zeroPoint); one entry for the whole tensor, or one per index of `axis`. */
export interface Quantization {
  readonly scale: readonly number[]
  readonly zeroPoint: readonly number[]
  readonly axis?: number
}

export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
  readonly quantization?: Quantization
}

export const maximumRank = 8
/** Elements of one tensor; keeps every byte offset exact in a double and in 32-bit addresses of generated code. */
export const maximumElements = 2 ** 31 - 1

export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1)
export const byteSize = (type: TensorType): number => elementCount(type.shape) * dtypeFacts[type.dtype].bytes
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, axis) => size === b[axis])

/** Element strides of a dense row-major tensor. */
export function denseStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis]!
  }
  return strides
}

const sameList = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((x, i) => Object.is(x, b[i]))

export function sameType(a: TensorType, b: TensorType): boolean {
  if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape)) return false
  return sameQuantization(a.quantization, b.quantization)
}

/** Whether integers stand for the same numbers; plain ones, which stand for themselves, are another case. */
export function sameQuantization(p: Quantization | undefined, q: Quantization | undefined): boolean {
  if (!p || !q) return p === q
  return p.axis === q.axis && sameList(p.scale, q.scale) && sameList(p.zeroPoint, q.zeroPoint)
}

/** The type of the integers as such. */
export const plainType = (type: TensorType): TensorType => (type.quantization ? { dtype: type.dtype, shape: type.shape } : type)

/** `f32[1, 3, 240, 320]`, with `quantized(scale, zeroPoint, axis)` behind it where there is one. */
export function printType(type: TensorType): string {
  const text = `${type.dtype}[${type.shape.join(', ')}]`
  const q = type.quantization
  if (!q) return text
  return `${text} quantized([${q.scale.join(', ')}], [${q.zeroPoint.join(', ')}]${q.axis === undefined ? '' : `, ${q.axis}`})`
}
