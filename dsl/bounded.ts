import { ModelProblem, reject } from '../compiler/graph/index.ts'
import { maximumValues, readAxis, readInteger, readOptions } from './check.ts'
import { less } from './comparison.ts'
import { constant, full } from './constant.ts'
import { cast } from './elementwise.ts'
import { cumSum } from './order.ts'
import type { Tensor } from './tensor.ts'
import { nodeOf, tensorOf } from './tracer.ts'
import type { Replace } from './types/shape.ts'

/** How much of an axis of an output is filled. */
export interface OutputCount {
  readonly axis: number
  /** One integer. */
  readonly count: Tensor
}

const counts = new WeakMap<object, readonly OutputCount[]>()

/** What `bounded()` said of an output. */
export const countsOf = (value: object): readonly OutputCount[] => counts.get(value) ?? []

/**
 * An output of which the first part of an axis is filled: `run` gives that part.
 *
 * The shape of the value is the most there can be; the count says how much of it there is in a run. Callers get a tensor of that size, and
 * `info` says the bound. Used for another operation the value is whole, whatever stands behind the count.
 *
 * ```ts
 * const { indices, count } = nonZero(mask)
 * return { indices: bounded(indices, count, { axis: 1 }) }
 * ```
 * @param value an output of the model
 * @param count one integer from 0 to the size of the axis, i32 or i64, shaped `[]` or `[1]`
 * @param options `axis`, default 0; apply the function again for another
 */
export function bounded<X extends Tensor, const A extends number = 0>(
  value: X,
  count: Tensor<'i32' | 'i64'>,
  options?: { readonly axis?: A },
): Tensor<X['dtype'], Replace<X['shape'], A, any>> {
  const op = 'bounded'
  const node = nodeOf(value, op, 'value')
  const { type } = nodeOf(count, op, 'count')
  if (
    (type.dtype !== 'i32' && type.dtype !== 'i64') ||
    !(type.shape.length === 0 || (type.shape.length === 1 && type.shape[0] === 1))
  )
    reject('bad-operand', `${op}: count must be one integer, i32 or i64, got ${type.dtype}[${type.shape.join(', ')}]`)
  const axis = readAxis(op, readOptions(op, options, ['axis']).axis ?? 0, node.type.shape.length)
  const before = countsOf(value)
  if (before.some((each) => each.axis === axis))
    throw new ModelProblem('bad-attribute', `${op}: axis ${axis} of the value has a count already`)
  const result = tensorOf(node)
  counts.set(result, [...before, { axis, count }])
  return result as never
}

/** Positions that are written down; more are counted when the model runs. */
const writtenPositions = 4096

/**
 * The numbers from 0 on: 0, 1, 2.
 * @param size how many
 */
export function positions<const N extends number>(size: N): Tensor<'i64', [number extends N ? any : N]> {
  const count = readInteger('positions', 'size', size, 0)
  if (count > maximumValues) reject('too-large', `positions: ${count} are above the limit of ${maximumValues}`)
  if (count > writtenPositions) return cumSum(full('i64', [count], 1) as Tensor, { axis: 0, exclusive: true }) as never
  return constant(
    'i64',
    [count],
    Array.from({ length: count }, (_, i) => i),
  ) as never
}

/**
 * True at as many first positions as a count says.
 * @param count one integer, i32 or i64, shaped `[]`
 * @param size how many positions there are
 */
export function countMask<const N extends number>(
  count: Tensor<'i32' | 'i64'>,
  size: N,
): Tensor<'bool', [number extends N ? any : N]> {
  return less(positions(size) as Tensor, cast(count, 'i64') as Tensor) as never
}
