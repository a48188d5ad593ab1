import { elementCount, isInteger, reject, type Shape } from '../compiler/graph/index.ts'
import { readAxis, readChoice, readInteger, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { plainNumber } from './dimension.ts'
import type { Tensor } from './tensor.ts'
import { call, isTensor, nodeOf } from './tracer.ts'

const op = 'updateSlice'
const modes = ['linear', 'circular'] as const

/**
 * A tensor with a run of places along an axis replaced, such as a cache that gets the rows of new tokens.
 *
 * As ONNX TensorScatter 24: along the axis, places start, start + 1, … of a copy of input become those of update, one after another. What `forward` returns for a state that it
 * updates so is written into the state itself: nothing else of it is touched.
 *
 * @param input at least one dimension, any element type
 * @param update the element type and shape of input, but along the axis, where it may be shorter
 * @param start the first place: a number, an integer tensor with one element, or one of `[input.shape[0]]` with an entry for each index of the first
 *   dimension. A run that does not lie within the axis is an error of the request that brings it
 * @param options `axis`, default −2, the rows; `mode` 'circular' goes on at place 0 behind the last one, whatever start is, default 'linear'
 */
export function updateSlice<X extends Tensor>(
  input: X,
  update: Tensor<X['dtype']>,
  start: number | Tensor<'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64'>,
  options?: { readonly axis?: number; readonly mode?: 'linear' | 'circular' },
): X {
  const given = readOptions(op, options, ['axis', 'mode'])
  const { shape, dtype } = nodeOf(input, op, 'input').type
  const part = nodeOf(update, op, 'update').type
  const axis = readAxis(op, given.axis ?? (shape.length > 1 ? -2 : -1), shape.length)
  const mode = readChoice(op, 'mode', given.mode, modes, 'linear')
  const [extent, count] = [shape[axis] ?? 1, part.shape[axis] ?? 1]
  if (part.dtype !== dtype) reject('dtype-mismatch', `${op}: input is ${dtype}, update is ${part.dtype}; convert one with cast()`)
  const fits =
    part.shape.length === shape.length && part.shape.every((size, i) => (i === axis ? size <= extent : size === shape[i]))
  if (!fits)
    reject(
      'shape-mismatch',
      `${op}: update must be [${shape.map((size, i) => (i === axis ? `at most ${size}` : size)).join(', ')}], got [${part.shape.join(', ')}]`,
    )
  const outer = elementCount(shape.slice(0, axis))
  const inner = elementCount(shape.slice(axis + 1))
  if (elementCount(part.shape) === 0) return input
  const places = placesOf(start, shape, axis, count, mode)
  const indices = outer === 1 ? reshape(places, [count, 1]) : pairs(places, outer, count)
  const lead = outer === 1 ? [] : [outer]
  const updated = call(
    'scatterNd',
    {
      input: reshape(input, [...lead, extent, inner]),
      indices,
      updates: reshape(update, [...lead, count, inner]),
    },
    { reduction: 'none' },
    op,
  )
  return reshape(updated, shape) as X
}

const reshape = (input: Tensor, shape: Shape): Tensor => call('reshape', { input }, { shape: [...shape] }, op)
const counting = (dtype: Tensor['dtype'], shape: readonly number[], count: number): Tensor =>
  constant(
    dtype,
    [...shape],
    Array.from({ length: count }, (_, i) => i),
  ) as Tensor

/** Places along the axis, `[count]`, or `[outer, count]` where there are several rows of them. */
function placesOf(start: unknown, shape: Shape, axis: number, count: number, mode: (typeof modes)[number]): Tensor {
  const extent = shape[axis]!
  const plain = plainNumber(start)
  if (!isTensor(plain)) {
    const first = readInteger(op, 'start', plain, mode === 'linear' ? 0 : Number.MIN_SAFE_INTEGER)
    if (mode === 'linear' && first + count > extent)
      reject('bad-attribute', `${op}: places ${first} to ${first + count - 1} reach beyond axis ${axis} of ${extent}`)
    const list = Array.from({ length: count }, (_, i) => (((first + i) % extent) + extent) % extent)
    return constant('i64', [count], list) as Tensor
  }
  const { type } = nodeOf(plain, op, 'start')
  if (!isInteger(type.dtype) || type.dtype === 'u64')
    reject('dtype-mismatch', `${op}: start must be integers of up to 64 bits with a sign, got ${type.dtype}`)
  const single = elementCount(type.shape) === 1
  if (!single && !(axis > 0 && type.shape.length === 1 && type.shape[0] === shape[0]))
    reject(
      'shape-mismatch',
      `${op}: start must have one element${axis > 0 ? ` or ${shape[0]}` : ''}, got [${type.shape.join(', ')}]`,
    )
  // Small types may not hold the places behind the first.
  const wide = type.dtype === 'i32' || type.dtype === 'i64' ? plain : call('cast', { input: plain }, { dtype: 'i64' }, op)
  const { dtype } = nodeOf(wide, op, 'start').type
  const outer = elementCount(shape.slice(0, axis))
  const firsts = single ? reshape(wide, [1, 1, 1]) : reshape(wide, [shape[0]!, 1, 1])
  const all = call('add', { left: firsts, right: counting(dtype, [count], count) }, {}, op)
  const checked =
    mode === 'circular'
      ? call('mod', { left: all, right: extent }, {}, op)
      : // Negative indices would count from the end.
        call('where', { condition: call('less', { left: firsts, right: 0 }, {}, op), whenTrue: extent, whenFalse: all }, {}, op)
  if (single) return reshape(checked, [count])
  return reshape(call('expand', { input: checked }, { shape: [shape[0]!, outer / shape[0]!, count] }, op), [outer, count])
}

/** Index pairs `[outer, count, 2]`: of the row, then of the place in it. */
function pairs(places: Tensor, outer: number, count: number): Tensor {
  const { dtype } = nodeOf(places, op, 'start').type
  const expand = (input: Tensor): Tensor => call('expand', { input }, { shape: [outer, count, 1] }, op)
  const rows = expand(counting(dtype, [outer, 1, 1], outer))
  return call(
    'concat',
    { inputs: [rows, expand(reshape(places, [...nodeOf(places, op, 'start').type.shape, 1]))] },
    { axis: 2 },
    op,
  )
}
