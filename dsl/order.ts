import { readAxis, readBoolean, readInteger, readOptions } from './check.ts'
import type { Reduced } from './reduce.ts'
import type { Tensor } from './tensor.ts'
import { call, shapeOf } from './tracer.ts'
import type { NoOptions, Replace } from './types/shape.ts'

export interface ArgumentOptions {
  /** Negative ones count from the end. Default −1, the last. */
  readonly axis?: number
  /** Whether the axis stays, with size 1. Default false. */
  readonly keepDims?: boolean
  /** Whether the last of equal elements is chosen instead of the first. Default false. */
  readonly last?: boolean
}
type Along<O> = O extends { readonly axis: infer A } ? A : -1
type Keep<O> = O extends { readonly keepDims: infer K } ? K : false
type Chosen<S, O> = Reduced<S, { readonly axes: Along<O>; readonly keepDims: Keep<O> }>

function choose(op: 'argMax' | 'argMin', input: unknown, options: unknown): any {
  const given = readOptions(op, options, ['axis', 'keepDims', 'last'])
  const axis = readAxis(op, given.axis ?? -1, shapeOf(input, op).length)
  const keepDims = readBoolean(op, 'keepDims', given.keepDims, false)
  return call(op, { input }, { axis, keepDims, last: readBoolean(op, 'last', given.last, false) })
}

/**
 * Position of the largest element along an axis; NaN counts as the largest.
 * @param input at least one dimension, any number type
 * @param options `axis`, default −1; `keepDims`, default false; `last` of equal elements, default false, the first
 */
export function argMax<X extends Tensor, const O extends ArgumentOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<'i64', Chosen<X['shape'], O>> {
  return choose('argMax', input, options)
}

/**
 * Position of the smallest element along an axis; NaN counts as the smallest.
 * @param input at least one dimension, any number type
 * @param options `axis`, default −1; `keepDims`, default false; `last` of equal elements, default false, the first
 */
export function argMin<X extends Tensor, const O extends ArgumentOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<'i64', Chosen<X['shape'], O>> {
  return choose('argMin', input, options)
}

export interface TopKOptions<A extends number> {
  /** Negative ones count from the end. Default −1, the last. */
  readonly axis?: A
  /** Whether the largest elements are taken, or the smallest. Default true. */
  readonly largest?: boolean
}
/**
 * Values and positions of the k largest or smallest elements along an axis, best first.
 *
 * Equal elements are ordered by position, and NaN is above all others. `k` of the whole axis sorts it.
 *
 * @param input at least one dimension, any number type
 * @param k how many, at most the size of the axis
 * @param options `axis`, default −1; `largest`, default true
 */
export function topK<X extends Tensor, const K extends number, const A extends number = -1>(
  input: X,
  k: K,
  options?: TopKOptions<A>,
): {
  readonly values: Tensor<X['dtype'], Replace<X['shape'], A, number extends K ? any : K>>
  readonly indices: Tensor<'i64', Replace<X['shape'], A, number extends K ? any : K>>
} {
  const given = readOptions('topK', options, ['axis', 'largest'])
  const axis = readAxis('topK', given.axis ?? -1, shapeOf(input, 'topK').length)
  const largest = readBoolean('topK', 'largest', given.largest, true)
  const indices = call('topKIndices', { input }, { k: readInteger('topK', 'k', k, 0), axis, largest }, 'topK')
  return { values: call('gatherElements', { input, indices }, { axis }, 'topK'), indices }
}

export interface RunningOptions {
  /** Negative ones count from the end. Default −1, the last. */
  readonly axis?: number
  /** Whether an element is left out of its own total. Default false. */
  readonly exclusive?: boolean
  /** Whether the axis is walked from its end. Default false. */
  readonly reverse?: boolean
}

function running(op: 'cumSum' | 'cumProd', input: unknown, options: unknown): any {
  const given = readOptions(op, options, ['axis', 'exclusive', 'reverse'])
  const axis = readAxis(op, given.axis ?? -1, shapeOf(input, op).length)
  const exclusive = readBoolean(op, 'exclusive', given.exclusive, false)
  return call(op, { input }, { axis, exclusive, reverse: readBoolean(op, 'reverse', given.reverse, false) })
}

/**
 * Running sum along an axis.
 * @param input at least one dimension, any number type; integers wrap
 * @param options `axis`, default −1; `exclusive` of the element itself, default false; `reverse`, from the end, default false
 */
export function cumSum<X extends Tensor>(input: X, options?: RunningOptions): X {
  return running('cumSum', input, options)
}

/**
 * Running product along an axis.
 * @param input at least one dimension, any number type; integers wrap
 * @param options `axis`, default −1; `exclusive` of the element itself, default false; `reverse`, from the end, default false
 */
export function cumProd<X extends Tensor>(input: X, options?: RunningOptions): X {
  return running('cumProd', input, options)
}
