import { readBoolean, readInteger, readOptions, readPerAxis } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call } from './tracer.ts'
import type { FloatProblem, Guard, NoOptions } from './types/shape.ts'
import {
  type AvgPoolOptions,
  type Extent,
  type PerAxis,
  type RankProblem,
  readWindow,
  type Side,
  spatialAxes,
  spatialExtents,
  type WindowOptions,
} from './window.ts'

type Pool1dShape<X, K, O> = any[] extends X
  ? [any, any, any]
  : X extends readonly [infer N, infer C, infer L]
    ? [Extent<L, Side<K, 0>, O, Side<K, 0>, 0>] extends [infer A]
      ? [N, C, A]
      : never
    : [any, any, any]
type Pool2dShape<X, K, O> = any[] extends X
  ? [any, any, any, any]
  : X extends readonly [infer N, infer C, infer H, infer V]
    ? [Extent<H, Side<K, 0>, O, Side<K, 0>, 0>, Extent<V, Side<K, 1>, O, Side<K, 1>, 1>] extends [infer A, infer B]
      ? [N, C, A, B]
      : never
    : [any, any, any, any]

type Pool3dShape<X, K, O> = any[] extends X
  ? [any, any, any, any, any]
  : X extends readonly [infer N, infer C, infer D, infer H, infer V]
    ? [
        Extent<D, Side<K, 0>, O, Side<K, 0>, 0>,
        Extent<H, Side<K, 1>, O, Side<K, 1>, 1>,
        Extent<V, Side<K, 2>, O, Side<K, 2>, 2>,
      ] extends [infer A, infer B, infer E]
      ? [N, C, A, B, E]
      : never
    : [any, any, any, any, any]

/**
 * Largest value under each position of a window sliding over one dimension.
 * @param input `[batch, channels, length]`, any number type; NaN wins
 * @param window length of the window
 * @param options stride (default: the window), padding (never chosen as the largest; smaller than the window), dilation
 */
export function maxPool1d<X extends Tensor, const K extends PerAxis<1>, const O extends WindowOptions<1> = NoOptions>(
  input: Guard<RankProblem<'maxPool1d', 1, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool1dShape<X['shape'], K, O>> {
  return pool('maxPool1d', 'maxPool', 1, input, window, options)
}

/**
 * Largest value under each position of a window sliding over two dimensions.
 * @param input `[batch, channels, height, width]`, any number type; NaN wins
 * @param window height and width of the window, or one number for both
 * @param options stride (default: the window), padding (never chosen as the largest; smaller than the window), dilation
 */
export function maxPool2d<X extends Tensor, const K extends PerAxis<2>, const O extends WindowOptions<2> = NoOptions>(
  input: Guard<RankProblem<'maxPool2d', 2, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool2dShape<X['shape'], K, O>> {
  return pool('maxPool2d', 'maxPool', 2, input, window, options)
}

/**
 * Largest value under each position of a window sliding over three dimensions.
 * @param input `[batch, channels, depth, height, width]`, any number type; NaN wins
 * @param window depth, height and width of the window, or one number for all
 * @param options stride (default: the window), padding (never chosen as the largest; smaller than the window), dilation
 */
export function maxPool3d<X extends Tensor, const K extends PerAxis<3>, const O extends WindowOptions<3> = NoOptions>(
  input: Guard<RankProblem<'maxPool3d', 3, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool3dShape<X['shape'], K, O>> {
  return pool('maxPool3d', 'maxPool', 3, input, window, options)
}

/**
 * Mean under each position of a window sliding over one dimension.
 * @param input `[batch, channels, length]`, float
 * @param window length of the window
 * @param options stride (default: the window), padding (smaller than the window), dilation, countPadding (default true)
 */
export function avgPool1d<X extends Tensor, const K extends PerAxis<1>, const O extends AvgPoolOptions<1> = NoOptions>(
  input: Guard<RankProblem<'avgPool1d', 1, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool1dShape<X['shape'], K, O>> {
  return pool('avgPool1d', 'avgPool', 1, input, window, options)
}

/**
 * Mean under each position of a window sliding over two dimensions.
 * @param input `[batch, channels, height, width]`, float
 * @param window height and width of the window, or one number for both
 * @param options stride (default: the window), padding (smaller than the window), dilation, countPadding (default true)
 */
export function avgPool2d<X extends Tensor, const K extends PerAxis<2>, const O extends AvgPoolOptions<2> = NoOptions>(
  input: Guard<RankProblem<'avgPool2d', 2, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool2dShape<X['shape'], K, O>> {
  return pool('avgPool2d', 'avgPool', 2, input, window, options)
}

/**
 * Mean under each position of a window sliding over three dimensions.
 * @param input `[batch, channels, depth, height, width]`, float
 * @param window depth, height and width of the window, or one number for all
 * @param options stride (default: the window), padding (smaller than the window), dilation, countPadding (default true)
 */
export function avgPool3d<X extends Tensor, const K extends PerAxis<3>, const O extends AvgPoolOptions<3> = NoOptions>(
  input: Guard<RankProblem<'avgPool3d', 3, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool3dShape<X['shape'], K, O>> {
  return pool('avgPool3d', 'avgPool', 3, input, window, options)
}

export interface LpPoolOptions<N extends 1 | 2 | 3> extends WindowOptions<N> {
  /** Which norm: the p-th root of the sum of p-th powers of magnitudes. A whole number from 1 on. Default 2. */
  readonly p?: number
}

/**
 * p-norm of the elements under each position of a window sliding over one dimension.
 * @param input `[batch, channels, length]`, float
 * @param window length of the window
 * @param options stride (default: the window), padding (smaller than the window; adds nothing), dilation, p (default 2)
 */
export function lpPool1d<X extends Tensor, const K extends PerAxis<1>, const O extends LpPoolOptions<1> = NoOptions>(
  input: Guard<RankProblem<'lpPool1d', 1, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool1dShape<X['shape'], K, O>> {
  return pool('lpPool1d', 'lpPool', 1, input, window, options)
}

/**
 * p-norm of the elements under each position of a window sliding over two dimensions.
 * @param input `[batch, channels, height, width]`, float
 * @param window height and width of the window, or one number for both
 * @param options stride (default: the window), padding (smaller than the window; adds nothing), dilation, p (default 2)
 */
export function lpPool2d<X extends Tensor, const K extends PerAxis<2>, const O extends LpPoolOptions<2> = NoOptions>(
  input: Guard<RankProblem<'lpPool2d', 2, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool2dShape<X['shape'], K, O>> {
  return pool('lpPool2d', 'lpPool', 2, input, window, options)
}

/**
 * p-norm of the elements under each position of a window sliding over three dimensions.
 * @param input `[batch, channels, depth, height, width]`, float
 * @param window depth, height and width of the window, or one number for all
 * @param options stride (default: the window), padding (smaller than the window; adds nothing), dilation, p (default 2)
 */
export function lpPool3d<X extends Tensor, const K extends PerAxis<3>, const O extends LpPoolOptions<3> = NoOptions>(
  input: Guard<RankProblem<'lpPool3d', 3, X['shape']>, X>,
  window: K,
  options?: O,
): Tensor<X['dtype'], Pool3dShape<X['shape'], K, O>> {
  return pool('lpPool3d', 'lpPool', 3, input, window, options)
}

/** The option of one kind of pool beyond those of its window. */
const further = {
  maxPool: undefined,
  avgPool: { option: 'countPadding', read: (name: string, value: unknown) => readBoolean(name, 'countPadding', value, true) },
  lpPool: { option: 'p', read: (name: string, value: unknown) => readInteger(name, 'p', value ?? 2, 1) },
} as const

function pool(name: string, op: keyof typeof further, axes: number, input: unknown, window: unknown, options: unknown): any {
  const own = further[op]
  const given = readOptions(name, options, ['stride', 'padding', 'dilation', ...(own ? [own.option] : [])])
  const extents = spatialExtents(name, axes, input, 'input')
  const kernel = readPerAxis(name, 'window', window, axes, 1)
  const more = own ? { [own.option]: own.read(name, given[own.option]) } : {}
  return call(op, { input }, { window: kernel, ...readWindow(name, extents, kernel, given, kernel), ...more }, name)
}

type Grid1dShape<X, Z> = any[] extends X
  ? [any, any, Side<Z, 0>]
  : X extends readonly [infer N, infer C, any]
    ? [Open1<Side<Z, 0>>] extends [infer A]
      ? [N, C, A]
      : never
    : [any, any, any]
type Grid2dShape<X, Z> = [Open1<Side<Z, 0>>, Open1<Side<Z, 1>>] extends [infer A, infer B]
  ? any[] extends X
    ? [any, any, A, B]
    : X extends readonly [infer N, infer C, any, any]
      ? [N, C, A, B]
      : [any, any, A, B]
  : never
type Grid3dShape<X, Z> = [Open1<Side<Z, 0>>, Open1<Side<Z, 1>>, Open1<Side<Z, 2>>] extends [infer A, infer B, infer D]
  ? any[] extends X
    ? [any, any, A, B, D]
    : X extends readonly [infer N, infer C, any, any, any]
      ? [N, C, A, B, D]
      : [any, any, A, B, D]
  : never
type Open1<N> = number extends N ? any : N

/**
 * Mean of each cell of a grid laid over one dimension; cell i of n over an extent e covers floor(i·e/n) up to ceil((i+1)·e/n).
 * @param input `[batch, channels, length]`, float
 * @param size cells of the result
 */
export function adaptiveAvgPool1d<X extends Tensor, const Z extends PerAxis<1>>(
  input: Guard<RankProblem<'adaptiveAvgPool1d', 1, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid1dShape<X['shape'], Z>> {
  return grid('adaptiveAvgPool1d', 'adaptiveAvgPool', 1, input, size)
}

/**
 * Mean of each cell of a grid laid over two dimensions; cell i of n over an extent e covers floor(i·e/n) up to ceil((i+1)·e/n).
 * @param input `[batch, channels, height, width]`, float
 * @param size rows and columns of the result, or one number for both
 */
export function adaptiveAvgPool2d<X extends Tensor, const Z extends PerAxis<2>>(
  input: Guard<RankProblem<'adaptiveAvgPool2d', 2, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid2dShape<X['shape'], Z>> {
  return grid('adaptiveAvgPool2d', 'adaptiveAvgPool', 2, input, size)
}

/**
 * Mean of each cell of a grid laid over three dimensions; cell i of n over an extent e covers floor(i·e/n) up to ceil((i+1)·e/n).
 * @param input `[batch, channels, depth, height, width]`, float
 * @param size cells of the result along each axis, or one number for all
 */
export function adaptiveAvgPool3d<X extends Tensor, const Z extends PerAxis<3>>(
  input: Guard<RankProblem<'adaptiveAvgPool3d', 3, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid3dShape<X['shape'], Z>> {
  return grid('adaptiveAvgPool3d', 'adaptiveAvgPool', 3, input, size)
}

/**
 * Largest value of each cell of a grid laid over one dimension, with the cells of adaptiveAvgPool1d.
 * @param input `[batch, channels, length]`, any number type
 * @param size cells of the result
 */
export function adaptiveMaxPool1d<X extends Tensor, const Z extends PerAxis<1>>(
  input: Guard<RankProblem<'adaptiveMaxPool1d', 1, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid1dShape<X['shape'], Z>> {
  return grid('adaptiveMaxPool1d', 'adaptiveMaxPool', 1, input, size)
}

/**
 * Largest value of each cell of a grid laid over three dimensions, with the cells of adaptiveAvgPool3d.
 * @param input `[batch, channels, depth, height, width]`, any number type
 * @param size cells of the result along each axis, or one number for all
 */
export function adaptiveMaxPool3d<X extends Tensor, const Z extends PerAxis<3>>(
  input: Guard<RankProblem<'adaptiveMaxPool3d', 3, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid3dShape<X['shape'], Z>> {
  return grid('adaptiveMaxPool3d', 'adaptiveMaxPool', 3, input, size)
}

/**
 * Largest value of each cell of a grid laid over two dimensions, with the cells of adaptiveAvgPool2d.
 * @param input `[batch, channels, height, width]`, any number type
 * @param size rows and columns of the result, or one number for both
 */
export function adaptiveMaxPool2d<X extends Tensor, const Z extends PerAxis<2>>(
  input: Guard<RankProblem<'adaptiveMaxPool2d', 2, X['shape']>, X>,
  size: Z,
): Tensor<X['dtype'], Grid2dShape<X['shape'], Z>> {
  return grid('adaptiveMaxPool2d', 'adaptiveMaxPool', 2, input, size)
}

function grid(name: string, op: string, axes: number, input: unknown, size: unknown): any {
  spatialExtents(name, axes, input, 'input')
  return call(op, { input }, { size: readPerAxis(name, 'size', size, axes, 1) }, name)
}

type GlobalShape<X> = any[] extends X
  ? any
  : X extends readonly [infer N, infer C, ...infer T]
    ? [{ [K in keyof T]: 1 }] extends [infer R extends unknown[]]
      ? [N, C, ...R]
      : never
    : any
/**
 * Mean of each channel: `[batch, channels, height, width]` becomes `[batch, channels, 1, 1]`.
 * @param input `[batch, channels, …]` with one to three spatial dimensions, float
 */
export function globalAvgPool<X extends Tensor>(
  input: Guard<FloatProblem<'globalAvgPool', X>, X>,
): Tensor<X['dtype'], GlobalShape<X['shape']>> {
  return call('reduceMean', { input }, { axes: spatialAxes('globalAvgPool', input), keepDims: true }, 'globalAvgPool')
}

/**
 * Largest value of each channel: `[batch, channels, height, width]` becomes `[batch, channels, 1, 1]`.
 * @param input `[batch, channels, …]` with one to three spatial dimensions, any number type
 */
export function globalMaxPool<X extends Tensor>(input: X): Tensor<X['dtype'], GlobalShape<X['shape']>> {
  return call('reduceMax', { input }, { axes: spatialAxes('globalMaxPool', input), keepDims: true }, 'globalMaxPool')
}
