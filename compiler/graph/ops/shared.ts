import { z } from 'zod'
import type { Operand } from '../definition.ts'
import { type DType, dtypes } from '../dtype.ts'
import { reject } from '../problem.ts'
import { printType, type Shape, type TensorType } from '../type.ts'

// ---------------------------------------------------------------- dtype sets
export const floats = ['f32', 'f64', 'f16', 'bf16'] as const satisfies readonly DType[]
export const integers = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64'] as const satisfies readonly DType[]
export const numbers = [...floats, ...integers] as const
/** Everything that can be computed with or moved; storage-only dtypes are left out. */
export const values = [...numbers, 'bool'] as const
export const indices = ['i32', 'i64', 'u8', 'i8', 'i16', 'u16', 'u32'] as const
export const everything = dtypes

// ---------------------------------------------------------------- operands
export const one = (doc: string, accepted: readonly DType[]): Operand & { count: 'one' } => ({
  doc,
  count: 'one',
  dtypes: accepted,
})
export const optional = (doc: string, accepted: readonly DType[]): Operand & { count: 'optional' } => ({
  doc,
  count: 'optional',
  dtypes: accepted,
})
export const many = (doc: string, accepted: readonly DType[]): Operand & { count: 'many' } => ({
  doc,
  count: 'many',
  dtypes: accepted,
})

// ---------------------------------------------------------------- attributes
export const none = z.strictObject({})
export const integer = z.int()
/** Any number, infinities included: `z.number()` accepts finite ones only. */
export const real = z.custom<number>((value) => typeof value === 'number' && !Number.isNaN(value), 'expected a number')
export const positive = z.int().min(1)
export const size = z.int().min(0)
/** One entry for each spatial axis. */
export const perAxis = <T extends z.ZodType>(entry: T) => z.array(entry).min(1).max(3)
export const sizes = z.array(size)
export const axis = integer
export const epsilon = z.number().positive()

/** How an output coordinate maps to the input, as in ONNX Resize 19. */
export const coordinateModes = [
  'halfPixel',
  'alignCorners',
  'asymmetric',
  'pytorchHalfPixel',
  'halfPixelSymmetric',
  'tfCropAndResize',
] as const
export const padModes = ['reflect', 'edge', 'wrap'] as const

// ---------------------------------------------------------------- shapes
/** The axis counted from the front; `-1` is the last. Rejects what lies outside. */
export function resolveAxis(index: number, rank: number, op: string): number {
  const resolved = index < 0 ? index + rank : index
  if (!Number.isInteger(index) || resolved < 0 || resolved >= rank) {
    reject('bad-attribute', `${op}: axis ${index} is outside a tensor of rank ${rank}; it may be ${-rank} to ${rank - 1}`)
  }
  return resolved
}

/** Distinct axes in ascending order; `undefined` means all of them. */
export function resolveAxes(axes: readonly number[] | undefined, rank: number, op: string): number[] {
  if (!axes) return Array.from({ length: rank }, (_, i) => i)
  const resolved = axes.map((a) => resolveAxis(a, rank, op))
  if (new Set(resolved).size !== resolved.length) reject('bad-attribute', `${op}: axes [${axes.join(', ')}] name one axis twice`)
  return resolved.sort((a, b) => a - b)
}

/** For each entry of `size` the axis that it is for, counted from the front. */
export function resizedAxes(input: TensorType, axes: readonly number[] | undefined, count: number): number[] {
  const rank = input.shape.length
  if (!axes) {
    if (rank < count)
      reject('rank-mismatch', `resize: ${printType(input)} has fewer dimensions than the ${count} entries of size`)
    return Array.from({ length: count }, (_, i) => rank - count + i)
  }
  if (axes.length !== count) reject('bad-attribute', `resize: ${axes.length} axes and ${count} entries of size`)
  const resolved = axes.map((axis) => resolveAxis(axis, rank, 'resize'))
  if (new Set(resolved).size !== count) reject('bad-attribute', `resize: axes [${axes.join(', ')}] name one axis twice`)
  return resolved
}

/** NumPy broadcasting of any number of shapes; rejects with both shapes named. */
export function broadcastShapes(shapes: readonly Shape[], op: string): Shape {
  const rank = Math.max(0, ...shapes.map((s) => s.length))
  return Array.from({ length: rank }, (_, axis) => {
    let result = 1
    for (const shape of shapes) {
      const extent = shape[axis - rank + shape.length] ?? 1
      if (extent === 1 || extent === result) continue
      if (result !== 1)
        reject('shape-mismatch', `${op}: shapes ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not broadcast`)
      result = extent
    }
    return result
  })
}

export function requireRank(type: TensorType, rank: number, op: string, operand: string, layout: string): void {
  if (type.shape.length !== rank) {
    reject('rank-mismatch', `${op}: ${operand} must be ${layout}, got ${printType(type)}`)
  }
}

export function requireSameDType(a: TensorType, b: TensorType, op: string, names: readonly [string, string]): void {
  if (a.dtype !== b.dtype) {
    reject('dtype-mismatch', `${op}: ${names[0]} is ${a.dtype}, ${names[1]} is ${b.dtype}; convert one with cast()`)
  }
}

/** `type` without quantization, with other facts replaced. */
export const withShape = (type: TensorType, shape: Shape): TensorType => ({ dtype: type.dtype, shape })
/** The operand's dtype and shape, for ops that compute new values. */
export const sameAs = (type: TensorType): TensorType => withShape(type, type.shape)
/** For ops that only move elements: quantization for the whole tensor stays, per-axis quantization would need the axis followed. */
export const moved = (type: TensorType, shape: Shape): TensorType =>
  type.quantization && type.quantization.axis === undefined
    ? { dtype: type.dtype, shape, quantization: type.quantization }
    : { dtype: type.dtype, shape }

/** Output extent of a sliding window: floor((extent + before + after − dilation·(window − 1) − 1) / stride) + 1. */
export function slide(
  extent: number,
  window: number,
  stride: number,
  before: number,
  after: number,
  dilation: number,
  op: string,
): number {
  const reach = dilation * (window - 1) + 1
  const result = Math.floor((extent + before + after - reach) / stride) + 1
  if (result < 1) {
    reject(
      'shape-mismatch',
      `${op}: a window reaching over ${reach} elements does not fit ${extent} elements padded by ${before} and ${after}`,
    )
  }
  return result
}
