import { readInteger, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call } from './tracer.ts'
import type { Conv1dShape, Conv2dShape, Conv3dShape } from './types/convolution.ts'
import type { Differ, DTypeProblem, Guard, NoOptions, Print, Text } from './types/shape.ts'
import { type ConvOptions, type RankProblem, readWindow, spatialExtents } from './window.ts'

type ChannelProblem<Op extends string, X, W, O> = [X] extends [readonly [any, infer C, ...any[]]]
  ? [W] extends [readonly [any, infer G, ...any[]]]
    ? [O] extends [{ readonly groups: any }]
      ? false
      : Differ<C, G> extends true
        ? `${Op}: input ${Text<X>} has ${Print<C>} channels, weight ${Text<W>} expects ${Print<G>}`
        : false
    : false
  : false
type ConvProblem<Op extends string, N extends 1 | 2 | 3, X extends Tensor, W extends Tensor, O> =
  DTypeProblem<Op, ['input', 'weight'], X['dtype'], W['dtype']> extends infer M extends string
    ? M
    : RankProblem<Op, N, X['shape']> extends infer M extends string
      ? M
      : ChannelProblem<Op, X['shape'], W['shape'], O>

/**
 * Convolution over one spatial dimension.
 * @param input `[batch, in, length]`, float
 * @param weight `[out, in / groups, kernel length]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, dilation, groups
 */
export function conv1d<X extends Tensor, W extends Tensor, const O extends ConvOptions<1> = NoOptions>(
  input: X,
  weight: Guard<ConvProblem<'conv1d', 1, X, W, O>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Conv1dShape<X['shape'], W['shape'], O>> {
  return convolve('conv1d', 1, input, weight, bias, options)
}

/**
 * Convolution over two spatial dimensions.
 * @param input `[batch, in, height, width]`, float
 * @param weight `[out, in / groups, kernel height, kernel width]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, dilation, groups
 */
export function conv2d<X extends Tensor, W extends Tensor, const O extends ConvOptions<2> = NoOptions>(
  input: X,
  weight: Guard<ConvProblem<'conv2d', 2, X, W, O>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Conv2dShape<X['shape'], W['shape'], O>> {
  return convolve('conv2d', 2, input, weight, bias, options)
}

/**
 * Convolution over three spatial dimensions.
 * @param input `[batch, in, depth, height, width]`, float
 * @param weight `[out, in / groups, kernel depth, kernel height, kernel width]`, the same element type
 * @param bias `[out]`; default none
 * @param options stride, padding, dilation, groups
 */
export function conv3d<X extends Tensor, W extends Tensor, const O extends ConvOptions<3> = NoOptions>(
  input: X,
  weight: Guard<ConvProblem<'conv3d', 3, X, W, O>, W>,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Conv3dShape<X['shape'], W['shape'], O>> {
  return convolve('conv3d', 3, input, weight, bias, options)
}

function convolve(op: string, axes: number, input: unknown, weight: unknown, bias: unknown, options: unknown): any {
  const given = readOptions(op, options, ['stride', 'padding', 'dilation', 'groups'])
  const extents = spatialExtents(op, axes, input, 'input')
  const kernel = spatialExtents(op, axes, weight, 'weight')
  const groups = given.groups === undefined ? 1 : readInteger(op, 'groups', given.groups, 1)
  return call('conv', { input, weight, bias }, { ...readWindow(op, extents, kernel, given, 1), groups }, op)
}
