import { elementCount, maximumRank, reject, sameShape } from '../compiler/graph/index.ts'
import { readAxes, readAxis, readList, readOptions, readShape } from './check.ts'
import type { Open, Tensor } from './tensor.ts'
import { call, describe, shapeOf } from './tracer.ts'
import type { Div } from './types/arithmetic.ts'
import type { At, Axis, Count, Differ, Guard, Print, ShapesDiffer, Text, Unknown } from './types/shape.ts'

type Without<S, V, R extends unknown[] = []> = S extends readonly [infer A, ...infer T]
  ? A extends V
    ? [...R, ...T]
    : Without<T, V, [...R, A]>
  : never
/** Dimensions that stand on both sides cancel, so that unknown ones need not be multiplied. */
type Cancel<A, B, L extends unknown[] = []> = A extends readonly [infer H, ...infer T]
  ? number extends H
    ? Cancel<T, B, [...L, H]>
    : [Without<B, H>] extends [never]
      ? Cancel<T, B, [...L, H]>
      : Cancel<T, Without<B, H>, L>
  : [L, B]
type Fill<T, V> = { -readonly [K in keyof T]: T[K] extends -1 ? V : number extends T[K] ? any : T[K] }
type HasFill<T extends readonly number[]> = -1 extends T[number] ? (number extends T[number] ? false : true) : false
type Missing<S, T extends readonly number[]> =
  Cancel<S, Without<T, -1>> extends [infer L, infer R] ? (R extends [] ? Count<L> : Div<Count<L>, Count<R>>) : any
type ReshapeShape<S, T extends readonly number[]> =
  HasFill<T> extends true ? Fill<T, any[] extends S ? any : Missing<S, T>> : Open<T>
type ReshapeProblem<S, T extends readonly number[]> = [any[]] extends [S]
  ? false
  : [any[]] extends [T]
    ? false
    : [HasFill<T>] extends [true]
      ? false
      : [Cancel<S, T>] extends [[infer L, infer R]]
        ? Differ<Count<L>, Count<R>> extends true
          ? `reshape: ${Text<S>} has ${Print<Count<S>>} elements, ${Text<T>} has ${Print<Count<T>>}`
          : false
        : false
/**
 * The same elements in another shape.
 * @param input any shape, any element type
 * @param shape sizes of the result; one entry may be −1 and takes what the others leave
 */
export function reshape<X extends Tensor, const T extends readonly number[]>(
  input: X,
  shape: Guard<ReshapeProblem<X['shape'], T>, T>,
): Tensor<X['dtype'], ReshapeShape<X['shape'], T>> {
  return call('reshape', { input }, { shape: readShape('reshape', shape, -1) })
}

type FlattenShape<S, A extends number> = any[] extends S
  ? any
  : S extends readonly unknown[]
    ? number extends A
      ? any
      : FlattenFrom<S, Axis<S, A>>
    : any
type FlattenFrom<S, A, L extends unknown[] = []> = L['length'] extends A
  ? [Count<S>] extends [infer V]
    ? [...L, V]
    : never
  : S extends readonly [infer H, ...infer T]
    ? FlattenFrom<T, A, [...L, H]>
    : any
/**
 * All dimensions from an axis on joined into one.
 * @param input at least one dimension, any element type
 * @param options `axis`, default 1, which keeps the batch dimension
 */
export function flatten<X extends Tensor, const A extends number = 1>(
  input: X,
  options?: { readonly axis?: A },
): Tensor<X['dtype'], Unknown<X['shape']> extends true ? (A extends 1 ? [any, any] : any) : FlattenShape<X['shape'], A>> {
  const { axis = 1 } = readOptions('flatten', options, ['axis'])
  const shape = shapeOf(input, 'flatten')
  const from = axis === shape.length ? shape.length : readAxis('flatten', axis, shape.length)
  return call('reshape', { input }, { shape: [...shape.slice(0, from), elementCount(shape.slice(from))] }) as never
}

type Squeezed<S, A> = any[] extends S ? any : Dropped<S, A>
type Dropped<S, A, I extends unknown[] = [], R extends unknown[] = []> = S extends readonly [infer H, ...infer T]
  ? Dropped<T, A, [...I, any], I['length'] extends A ? R : [...R, H]>
  : R
type AxisList<A> = A extends readonly number[] ? A[number] : A extends number ? A : never
/**
 * Dimensions of size 1 left out.
 * @param input any shape, any element type
 * @param options `axes`, each of size 1; default all of size 1
 */
export function squeeze<X extends Tensor, const A extends number | readonly number[] = never>(
  input: X,
  options?: { readonly axes?: A },
): Tensor<
  X['dtype'],
  [A] extends [never]
    ? any
    : number extends AxisList<A>
      ? any
      : X['shape'] extends readonly unknown[]
        ? Squeezed<X['shape'], Axis<X['shape'], AxisList<A>>>
        : any
> {
  const { axes } = readOptions('squeeze', options, ['axes'])
  const shape = shapeOf(input, 'squeeze')
  const chosen =
    axes === undefined ? shape.flatMap((extent, i) => (extent === 1 ? [i] : [])) : readAxes('squeeze', axes, shape.length)
  for (const axis of chosen)
    if (shape[axis] !== 1)
      reject('shape-mismatch', `squeeze: axis ${axis} of [${shape.join(', ')}] has size ${shape[axis]}, not 1`)
  return call('reshape', { input }, { shape: shape.filter((_, i) => !chosen.includes(i)) })
}

type Longer<S extends readonly unknown[], A extends number | readonly number[]> = A extends readonly unknown[]
  ? [...S, ...A]
  : [...S, any]
type Unsqueezed<S, A extends number | readonly number[]> = any[] extends S
  ? any
  : S extends readonly unknown[]
    ? number extends AxisList<A>
      ? any
      : Inserted<S, Axis<Longer<S, A>, AxisList<A>>, Longer<S, A>['length']>
    : any
type Inserted<S, A, N, R extends unknown[] = []> = R['length'] extends N
  ? R
  : R['length'] extends A
    ? Inserted<S, A, N, [...R, 1]>
    : S extends readonly [infer H, ...infer T]
      ? Inserted<T, A, N, [...R, H]>
      : any
/**
 * Dimensions of size 1 put in.
 * @param input any shape, any element type
 * @param options `axes`: where they stand in the result, negative ones counted from its end
 */
export function unsqueeze<X extends Tensor, const A extends number | readonly number[]>(
  input: X,
  options: { readonly axes: A },
): Tensor<X['dtype'], Unsqueezed<X['shape'], A>> {
  const { axes } = readOptions('unsqueeze', options, ['axes'])
  if (axes === undefined) reject('bad-attribute', 'unsqueeze: axes says where the new dimensions stand; it is missing')
  const shape = shapeOf(input, 'unsqueeze')
  const rank = shape.length + (typeof axes === 'number' ? 1 : readList('unsqueeze', 'axes', axes, maximumRank).length)
  const added = readAxes('unsqueeze', axes, rank)
  const rest = [...shape]
  return call('reshape', { input }, { shape: Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!)) })
}

type Permuted<S, T> = any[] extends T
  ? any
  : any[] extends S
    ? { -readonly [K in keyof T]: any }
    : { -readonly [K in keyof T]: At<S, T[K] & number> }
type PermuteProblem<S, T extends readonly number[]> = [any[]] extends [S]
  ? false
  : [any[]] extends [T]
    ? false
    : [S] extends [readonly any[]]
      ? Differ<S['length'], T['length']> extends true
        ? `transpose: ${T['length']} entries for the ${S['length']} dimensions of ${Text<S>}`
        : false
      : false
/**
 * Dimensions in another order: entry i of `order` says which input dimension becomes dimension i.
 * @param input any shape, any element type
 * @param order each dimension once
 */
export function transpose<X extends Tensor, const T extends readonly number[]>(
  input: X,
  order: Guard<PermuteProblem<X['shape'], T>, T>,
): Tensor<X['dtype'], Permuted<X['shape'], T>> {
  const rank = shapeOf(input, 'transpose').length
  const axes = readList('transpose', 'order', order, maximumRank)
  if (axes.length !== rank)
    reject('bad-attribute', `transpose: ${axes.length} entries for the ${rank} dimensions of ${describe(input)}`)
  return call('transpose', { input }, { order: Array.from(axes, (axis) => readAxis('transpose', axis, rank, 'order')) }) as never
}

/**
 * A tensor repeated along dimensions of size 1, by broadcasting to a shape.
 * @param input broadcasts to shape; any element type
 * @param shape sizes of the result
 */
export function expand<X extends Tensor, const T extends readonly number[]>(input: X, shape: T): Tensor<X['dtype'], Open<T>> {
  return call('expand', { input }, { shape: readShape('expand', shape) })
}

type ShapeProblem<S, T> = ShapesDiffer<S, T> extends true ? `expectShape: the value is ${Text<S>}, not ${Text<T>}` : false
/**
 * States the shape of a value: the editor takes it from here on, the build proves it.
 * @param input any shape, any element type
 * @param shape what it must be
 */
export function expectShape<X extends Tensor, const T extends readonly number[]>(
  input: X,
  shape: Guard<ShapeProblem<X['shape'], T>, T>,
): Tensor<X['dtype'], Open<T>> {
  const found = shapeOf(input, 'expectShape')
  const expected = readShape('expectShape', shape)
  if (!sameShape(found, expected))
    reject('shape-mismatch', `expectShape: the value is [${found.join(', ')}], not [${expected.join(', ')}]`)
  return input as never
}
