import { readAxes, readBoolean, readInteger, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { Axis, FloatProblem, Guard, NoOptions } from './types/shape.ts'

export interface ReduceOptions {
  /** Axes to combine, negative ones counted from the end. Default: all. */
  readonly axes?: number | readonly number[]
  /** Whether combined axes stay, with size 1. Default false. */
  readonly keepDims?: boolean
}

type Kept<S, A, K, I extends unknown[] = [], R extends unknown[] = []> = S extends readonly [infer H, ...infer T]
  ? I['length'] extends A
    ? Kept<T, A, K, [...I, any], K extends true ? [...R, 1] : R>
    : Kept<T, A, K, [...I, any], [...R, H]>
  : R
type AxesOf<S extends readonly unknown[], O> = O extends { readonly axes: infer A }
  ? A extends readonly number[]
    ? Axis<S, A[number]>
    : A extends number
      ? Axis<S, A>
      : never
  : number
type KeepOf<O> = O extends { readonly keepDims: infer K } ? K : false
export type Reduced<S, O> = any[] extends S
  ? any
  : S extends readonly unknown[]
    ? boolean extends KeepOf<O>
      ? any
      : O extends { readonly axes: infer A }
        ? number extends (A extends readonly number[] ? A[number] : A)
          ? KeepOf<O> extends true
            ? { -readonly [K in keyof S]: any }
            : any
          : Kept<S, AxesOf<S, O>, KeepOf<O>>
        : Kept<S, number, KeepOf<O>>
    : any

function reduce(op: string, name: string, input: unknown, options: unknown, more: readonly string[] = []): any {
  const given = readOptions(name, options, ['axes', 'keepDims', ...more])
  const rank = nodeOf(input, name, 'input').type.shape.length
  const correction =
    more.length > 0
      ? { correction: given.correction === undefined ? 0 : readInteger(name, 'correction', given.correction, 0) }
      : {}
  return call(
    op,
    { input },
    { axes: readAxes(name, given.axes, rank), keepDims: readBoolean(name, 'keepDims', given.keepDims, false), ...correction },
    name,
  )
}

/**
 * Sum over axes.
 * @param input any shape, any number type; the sum of nothing is 0
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function sum<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceSum', 'sum', input, options)
}

/**
 * Product over axes.
 * @param input any shape, any number type; the product of nothing is 1
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function prod<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceProd', 'prod', input, options)
}

/**
 * Largest element over axes; NaN if any is.
 * @param input any shape, any number type
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function max<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceMax', 'max', input, options)
}

/**
 * Smallest element over axes; NaN if any is.
 * @param input any shape, any number type
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function min<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceMin', 'min', input, options)
}

/**
 * Mean over axes.
 * @param input any shape, any number type; of integers, truncated towards zero
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function mean<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceMean', 'mean', input, options)
}

/**
 * Sum of absolute values over axes.
 * @param input any shape, any number type
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function l1Norm<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceL1', 'l1Norm', input, options)
}

/**
 * Root of the sum of squares over axes.
 * @param input any shape, float
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function l2Norm<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: Guard<FloatProblem<'l2Norm', X>, X>,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceL2', 'l2Norm', input, options)
}

/**
 * Sum of squares over axes.
 * @param input any shape, any number type
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function sumOfSquares<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: X,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceSumSquare', 'sumOfSquares', input, options)
}

/**
 * Logarithm of the sum of exponentials over axes, computed without overflow.
 * @param input any shape, float
 * @param options `axes`, default all, and `keepDims`, default false
 */
export function logSumExp<X extends Tensor, const O extends ReduceOptions = NoOptions>(
  input: Guard<FloatProblem<'logSumExp', X>, X>,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('reduceLogSumExp', 'logSumExp', input, options)
}

export interface VarianceOptions extends ReduceOptions {
  /** Taken off the count that the squares are divided by: 0 for the population (default, as ONNX), 1 for a sample (PyTorch's default). */
  readonly correction?: number
}

/**
 * Mean squared distance from the mean over axes, computed in two passes.
 * @param input any shape, float
 * @param options `axes`, default all; `keepDims`, default false; `correction`, default 0
 */
export function variance<X extends Tensor, const O extends VarianceOptions = NoOptions>(
  input: Guard<FloatProblem<'variance', X>, X>,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return reduce('variance', 'variance', input, options, ['correction'])
}

/**
 * Root of the variance over axes.
 * @param input any shape, float
 * @param options `axes`, default all; `keepDims`, default false; `correction`, default 0
 */
export function standardDeviation<X extends Tensor, const O extends VarianceOptions = NoOptions>(
  input: Guard<FloatProblem<'standardDeviation', X>, X>,
  options?: O,
): Tensor<X['dtype'], Reduced<X['shape'], O>> {
  return call('sqrt', { input: reduce('variance', 'standardDeviation', input, options, ['correction']) })
}
