import { readAxis, readChoice, readDType, readInteger, readOptions } from './check.ts'
import type { DType, Tensor } from './tensor.ts'
import { call, shapeOf } from './tracer.ts'
import type { Axis } from './types/shape.ts'

type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'

/**
 * Elements picked along an axis, each by an index of its own.
 *
 * Element […, i, …] of the result is input[…, indices[…, i, …], …]. A negative index counts from the end; an index outside is an error of
 * the request that brings it.
 *
 * @param input at least one dimension, any element type
 * @param indices as many dimensions, integers; no longer than input outside the axis
 * @param options `axis`, default 0
 */
export function gatherElements<X extends Tensor, I extends Tensor<Index>>(
  input: X,
  indices: I,
  options?: { readonly axis?: number },
): Tensor<X['dtype'], I['shape']> {
  const { axis } = readOptions('gatherElements', options, ['axis'])
  return call(
    'gatherElements',
    { input, indices },
    { axis: readAxis('gatherElements', axis ?? 0, shapeOf(input, 'gatherElements').length) },
  )
}

/** `S` without as many leading entries as `N` says; unknown where that is not known. */
type Behind<S, N, D extends unknown[] = []> = number extends N
  ? any
  : D['length'] extends N
    ? S
    : S extends readonly [any, ...infer T]
      ? Behind<T, N, [...D, any]>
      : any
type Picked<S, I, B> = any[] extends S
  ? any
  : any[] extends I
    ? any
    : [B] extends [0]
      ? I extends readonly [...infer L, infer N]
        ? Behind<S, N> extends infer R
          ? any[] extends R
            ? any
            : R extends readonly unknown[]
              ? [...L, ...R]
              : any
          : never
        : any
      : any
/**
 * Parts of a tensor picked by index vectors.
 *
 * The last dimension of indices names a place in the first dimensions of input; the result has the other dimensions of indices, then
 * those of input that are left. Negative entries count from the end; one outside is an error of the request that brings it.
 *
 * @param input at least one dimension, any element type
 * @param indices `[…, depth]`, integers
 * @param options `batchDims`: leading dimensions that both share and that indices do not name, default 0
 */
export function gatherNd<X extends Tensor, I extends Tensor<Index>, const B extends number = 0>(
  input: X,
  indices: I,
  options?: { readonly batchDims?: B },
): Tensor<X['dtype'], Picked<X['shape'], I['shape'], B>> {
  const { batchDims } = readOptions('gatherNd', options, ['batchDims'])
  return call('gatherNd', { input, indices }, { batchDims: readInteger('gatherNd', 'batchDims', batchDims ?? 0, 0) })
}

export interface ScatterOptions {
  /** How an update meets the element that it goes to: in its place (default), or combined with it, one update after the other. */
  readonly reduction?: 'none' | 'add' | 'mul' | 'max' | 'min'
}
const reductions = ['none', 'add', 'mul', 'max', 'min'] as const

/**
 * A tensor with elements replaced or combined along an axis, each at an index of its own.
 *
 * Element […, indices[…, i, …], …] of a copy of input meets updates[…, i, …]; the last of several wins. A negative index counts from the
 * end; an index outside is an error of the request that brings it.
 *
 * @param input at least one dimension, any element type
 * @param indices as many dimensions, integers; no longer than input outside the axis
 * @param updates the shape of indices, the element type of input
 * @param options `axis`, default 0; `reduction`, default 'none'
 */
export function scatterElements<X extends Tensor>(
  input: X,
  indices: Tensor<Index>,
  updates: Tensor,
  options?: ScatterOptions & { readonly axis?: number },
): X {
  const given = readOptions('scatterElements', options, ['axis', 'reduction'])
  const axis = readAxis('scatterElements', given.axis ?? 0, shapeOf(input, 'scatterElements').length)
  const reduction = readChoice('scatterElements', 'reduction', given.reduction, reductions, 'none')
  return call('scatterElements', { input, indices, updates }, { axis, reduction })
}

/**
 * A tensor with parts replaced or combined, each at an index vector.
 *
 * The last dimension of indices names a place in the first dimensions of input; the last of several updates of one place wins. Negative
 * entries count from the end; one outside is an error of the request that brings it.
 *
 * @param input at least one dimension, any element type
 * @param indices `[…, depth]`, integers
 * @param updates indices without its last dimension, then what is left of input; the element type of input
 * @param options `reduction`, default 'none'
 */
export function scatterNd<X extends Tensor>(input: X, indices: Tensor<Index>, updates: Tensor, options?: ScatterOptions): X {
  const { reduction } = readOptions('scatterNd', options, ['reduction'])
  return call(
    'scatterNd',
    { input, indices, updates },
    { reduction: readChoice('scatterNd', 'reduction', reduction, reductions, 'none') },
  )
}

type Inserted<S, A, V, L extends unknown[] = []> = L['length'] extends A
  ? S extends readonly unknown[]
    ? [...L, V, ...S]
    : any
  : S extends readonly [infer H, ...infer R]
    ? Inserted<R, A, V, [...L, H]>
    : any
type Hot<S, A extends number, V> = any[] extends S
  ? any
  : S extends readonly unknown[]
    ? number extends A
      ? any
      : Inserted<S, Axis<[...S, any], A>, number extends V ? any : V>
    : any
/**
 * A new axis that is one at the index and zero elsewhere.
 *
 * Negative indices count from the end; those outside give zeros alone.
 *
 * @param indices any shape, integers
 * @param depth size of the new axis
 * @param options `axis` of the result, default −1, behind all others; `dtype` of the result, default f32
 */
export function oneHot<I extends Tensor<Index>, const N extends number, const A extends number = -1, D extends DType = 'f32'>(
  indices: I,
  depth: N,
  options?: { readonly axis?: A; readonly dtype?: D },
): Tensor<D, Hot<I['shape'], A, N>> {
  const given = readOptions('oneHot', options, ['axis', 'dtype'])
  const axis = readAxis('oneHot', given.axis ?? -1, shapeOf(indices, 'oneHot').length + 1)
  const dtype = given.dtype === undefined ? 'f32' : readDType('oneHot', given.dtype)
  return call('oneHot', { indices }, { depth: readInteger('oneHot', 'depth', depth, 1), axis, dtype })
}
