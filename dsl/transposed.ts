import { reject } from '../compiler/graph/index.ts'
import { isPlainObject, readInteger, readOptions, readPerAxis } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, describe, nodeOf } from './tracer.ts'
import type { Add, Mul, Sub } from './types/arithmetic.ts'
import type { Differ, DTypeProblem, Guard, NoOptions, Print, Text } from './types/shape.ts'
import { type PerAxis, type RankProblem, type Side, spatialExtents } from './window.ts'

export interface ConvTransposeOptions<N extends 1 | 2 | 3> {
  /** Distance between the results of neighbouring input elements. Default 1. */
  readonly stride?: PerAxis<N>
  /**
   * Elements taken off the borders of the result: a number, one for each axis, `{ before, after }` where the two sides differ, or 'same'
   * for a result of extent · stride, the odd element taken off behind (ONNX SAME_UPPER). Default 0.
   */
  readonly padding?: PerAxis<N> | { readonly before: PerAxis<N>; readonly after: PerAxis<N> } | 'same'
  /** Elements added behind the result. Default 0. */
  readonly outputPadding?: PerAxis<N>
  /** Distance between weight elements. Default 1. */
  readonly dilation?: PerAxis<N>
  /** Channels are convolved in this many independent groups. Default 1. */
  readonly groups?: number
}

type Entry<O, K extends string, D, I extends number> = K extends keyof O ? Side<O[K], I> : D
type Total<P, I extends number> = P extends { readonly before: infer B; readonly after: infer A }
  ? Add<Side<B, I>, Side<A, I>>
  : Add<Side<P, I>, Side<P, I>>
/** (extent − 1) · stride + dilation · (kernel − 1) + 1 + output padding − padding */
type Grown<H, K, O, I extends number> = O extends { readonly padding: 'same' }
  ? Mul<H, Entry<O, 'stride', 1, I>>
  : Sub<
      Add<
        Add<Mul<Sub<H, 1>, Entry<O, 'stride', 1, I>>, Add<Mul<Entry<O, 'dilation', 1, I>, Sub<K, 1>>, 1>>,
        Entry<O, 'outputPadding', 0, I>
      >,
      O extends { readonly padding: infer P } ? Total<P, I> : 0
    >
type OutOf<C, O> = O extends { readonly groups: infer G } ? Mul<C, G> : C

type Shape1d<X, W, O> = W extends readonly [any, infer C, infer K]
  ? any[] extends X
    ? [any, any, any]
    : X extends readonly [infer N, any, infer L]
      ? [OutOf<C, O>, Grown<L, K, O, 0>] extends [infer P, infer A]
        ? [N, P, A]
        : never
      : [any, any, any]
  : [any, any, any]
type Shape2d<X, W, O> = W extends readonly [any, infer C, infer KH, infer KW]
  ? any[] extends X
    ? [any, any, any, any]
    : X extends readonly [infer N, any, infer H, infer V]
      ? [OutOf<C, O>, Grown<H, KH, O, 0>, Grown<V, KW, O, 1>] extends [infer P, infer A, infer B]
        ? [N, P, A, B]
        : never
      : [any, any, any, any]
  : [any, any, any, any]
type Shape3d<X, W, O> = W extends readonly [any, infer C, infer KD, infer KH, infer KW]
  ? any[] extends X
    ? [any, any, any, any, any]
    : X extends readonly [infer N, any, infer D, infer H, infer V]
      ? [OutOf<C, O>, Grown<D, KD, O, 0>, Grown<H, KH, O, 1>, Grown<V, KW, O, 2>] extends [infer P, infer A, infer B, infer E]
        ? [N, P, A, B, E]
        : never
      : [any, any, any, any, any]
  : [any, any, any, any, any]

type ChannelProblem<Op extends string, X, W> = [X] extends [readonly [any, infer C, ...any[]]]
  ? [W] extends [readonly [infer G, ...any[]]]
    ? Differ<C, G> extends true
      ? `${Op}: input ${Text<X>} has ${Print<C>} channels, weight ${Text<W>} expects ${Print<G>}`
      : false
    : false
  : false
type Problem<Op extends string, N extends 1 | 2 | 3, X extends Tensor, W extends Tensor> =
  DTypeProblem<Op, ['input', 'weight'], X['dtype'], W['dtype']> extends infer M extends string
    ? M
    : RankProblem<Op, N, X['shape']> extends infer M extends string
      ? M
      : ChannelProblem<Op, X['shape'], W['shape']>

/**
 * Transposed convolution over one spatial dimension.
 * @param input `[batch, in, length]`, float
 * @param weight `[in, out / groups, kernel length]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, outputPadding, dilation, groups
 */
export function convTranspose1d<X extends Tensor, W extends Tensor, const O extends ConvTransposeOptions<1> = NoOptions>(
  input: X,
  weight: Guard<Problem<'convTranspose1d', 1, X, W>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Shape1d<X['shape'], W['shape'], O>> {
  return transposed('convTranspose1d', 1, input, weight, bias, options)
}

/**
 * Transposed convolution over two spatial dimensions.
 * @param input `[batch, in, height, width]`, float
 * @param weight `[in, out / groups, kernel height, kernel width]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, outputPadding, dilation, groups
 */
export function convTranspose2d<X extends Tensor, W extends Tensor, const O extends ConvTransposeOptions<2> = NoOptions>(
  input: X,
  weight: Guard<Problem<'convTranspose2d', 2, X, W>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Shape2d<X['shape'], W['shape'], O>> {
  return transposed('convTranspose2d', 2, input, weight, bias, options)
}

/**
 * Transposed convolution over three spatial dimensions.
 * @param input `[batch, in, depth, height, width]`, float
 * @param weight `[in, out / groups, kernel depth, kernel height, kernel width]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, outputPadding, dilation, groups
 */
export function convTranspose3d<X extends Tensor, W extends Tensor, const O extends ConvTransposeOptions<3> = NoOptions>(
  input: X,
  weight: Guard<Problem<'convTranspose3d', 3, X, W>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Shape3d<X['shape'], W['shape'], O>> {
  return transposed('convTranspose3d', 3, input, weight, bias, options)
}

function transposed(op: string, axes: number, input: unknown, weight: unknown, bias: unknown, options: unknown): any {
  const given = readOptions(op, options, ['stride', 'padding', 'outputPadding', 'dilation', 'groups'])
  spatialExtents(op, axes, input, 'input')
  const { shape } = nodeOf(weight, op, 'weight').type
  if (shape.length !== axes + 2)
    reject('rank-mismatch', `${op}: weight must be [in, out / groups, …${axes} kernel dimensions], got [${shape.join(', ')}]`)
  const stride = readPerAxis(op, 'stride', given.stride ?? 1, axes, 1)
  const dilation = readPerAxis(op, 'dilation', given.dilation ?? 1, axes, 1)
  const extra = readPerAxis(op, 'outputPadding', given.outputPadding ?? 0, axes, 0)
  const groups = given.groups === undefined ? 1 : readInteger(op, 'groups', given.groups, 1)
  const padding = readBorders(
    op,
    given.padding ?? 0,
    axes,
    (axis) => dilation[axis]! * (shape[2 + axis]! - 1) + 1 - stride[axis]! + extra[axis]!,
  )
  // A kernel smaller than the stride leaves less than 'same' asks for; the rest is added behind.
  const missing = padding.before.map((n, i) => (given.padding === 'same' ? Math.max(0, -(n + padding.after[i]!)) : 0))
  const kept = (list: readonly number[]) => list.map((n) => Math.max(0, n))
  return call(
    'convTranspose',
    { input, weight, bias },
    {
      stride,
      before: kept(padding.before),
      after: kept(padding.after),
      dilation,
      extra: extra.map((n, i) => n + missing[i]!),
      groups,
    },
    op,
  )
}

/** For 'same' the elements beyond extent · stride, which are negative where there are fewer. */
function readBorders(op: string, padding: unknown, axes: number, beyond: (axis: number) => number) {
  if (padding === 'same') {
    const total = Array.from({ length: axes }, (_, axis) => beyond(axis))
    const before = total.map((n) => (n > 0 ? Math.floor(n / 2) : 0))
    return { before, after: total.map((n, i) => n - before[i]!) }
  }
  if (isPlainObject(padding)) {
    const { before, after } = readOptions(`${op}: padding`, padding, ['before', 'after'])
    return {
      before: readPerAxis(op, 'padding.before', before, axes, 0),
      after: readPerAxis(op, 'padding.after', after, axes, 0),
    }
  }
  if (typeof padding !== 'number' && !Array.isArray(padding))
    reject(
      'bad-attribute',
      `${op}: padding must be a number, one for each axis, { before, after } or 'same', got ${describe(padding)}`,
    )
  const both = readPerAxis(op, 'padding', padding, axes, 0)
  return { before: both, after: both }
}
