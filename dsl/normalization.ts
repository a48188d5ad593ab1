import { reject } from '../compiler/graph/index.ts'
import { readInteger, readNumber, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

interface EpsilonOption {
  /** Added to the variance before its root is taken; above 0. Default 1e-5. */
  readonly epsilon?: number
}
interface TrailingOptions extends EpsilonOption {
  /** How many of the last dimensions are normalised together. Default 1. */
  readonly dims?: number
}

function readEpsilon(op: string, value: unknown): number {
  const epsilon = readNumber(op, 'epsilon', value, 1e-5)
  return epsilon > 0 && epsilon < Number.POSITIVE_INFINITY
    ? epsilon
    : reject('bad-attribute', `${op}: epsilon must be above 0 and finite, got ${epsilon}`)
}

function readTrailing(op: string, options: unknown): { dims: number; epsilon: number } {
  const given = readOptions(op, options, ['dims', 'epsilon'])
  return { dims: given.dims === undefined ? 1 : readInteger(op, 'dims', given.dims, 1), epsilon: readEpsilon(op, given.epsilon) }
}

/**
 * Each channel scaled and shifted by recorded statistics.
 *
 * (input − mean) / √(variance + epsilon) · scale + shift, as in inference.
 * @param input `[batch, channels, …]`, float
 * @param scale `[channels]`, PyTorch's weight
 * @param shift `[channels]`, PyTorch's bias
 * @param mean `[channels]`
 * @param variance `[channels]`
 * @param options `epsilon`, default 1e-5
 */
export function batchNorm<X extends Tensor>(
  input: Guard<FloatProblem<'batchNorm', X>, X>,
  scale: Tensor,
  shift: Tensor,
  mean: Tensor,
  variance: Tensor,
  options?: EpsilonOption,
): X {
  const { epsilon } = readOptions('batchNorm', options, ['epsilon'])
  return call('batchNorm', { input, scale, shift, mean, variance }, { epsilon: readEpsilon('batchNorm', epsilon) })
}

/**
 * The last dimensions brought to mean 0 and variance 1, then scaled and shifted.
 * @param input any shape of at least `dims` dimensions, float
 * @param scale the last `dims` dimensions; default none
 * @param shift the last `dims` dimensions; default none, and none without scale
 * @param options `dims`, default 1, and `epsilon`, default 1e-5
 */
export function layerNorm<X extends Tensor>(
  input: Guard<FloatProblem<'layerNorm', X>, X>,
  scale?: Tensor,
  shift?: Tensor,
  options?: TrailingOptions,
): X {
  return call('layerNorm', { input, scale, shift }, readTrailing('layerNorm', options))
}

/**
 * The last dimensions divided by their root mean square, then scaled.
 * @param input any shape of at least `dims` dimensions, float
 * @param scale the last `dims` dimensions; default none
 * @param options `dims`, default 1, and `epsilon`, default 1e-5
 */
export function rmsNorm<X extends Tensor>(
  input: Guard<FloatProblem<'rmsNorm', X>, X>,
  scale?: Tensor,
  options?: TrailingOptions,
): X {
  return call('rmsNorm', { input, scale }, readTrailing('rmsNorm', options))
}

/**
 * Groups of channels brought to mean 0 and variance 1, then scaled and shifted for each channel.
 * @param input `[batch, channels, …]`, float
 * @param scale `[channels]`; `undefined` for none
 * @param shift `[channels]`; `undefined` for none, and none without scale
 * @param options `groups`, into which the channels divide evenly, and `epsilon`, default 1e-5
 */
export function groupNorm<X extends Tensor>(
  input: Guard<FloatProblem<'groupNorm', X>, X>,
  scale: Tensor | undefined,
  shift: Tensor | undefined,
  options: { readonly groups: number } & EpsilonOption,
): X {
  const given = readOptions('groupNorm', options, ['groups', 'epsilon'])
  return call(
    'groupNorm',
    { input, scale, shift },
    { groups: readInteger('groupNorm', 'groups', given.groups, 1), epsilon: readEpsilon('groupNorm', given.epsilon) },
  )
}

/**
 * Each channel of each sample brought to mean 0 and variance 1, then scaled and shifted.
 * @param input `[batch, channels, …]`, float
 * @param scale `[channels]`; default none
 * @param shift `[channels]`; default none, and none without scale
 * @param options `epsilon`, default 1e-5
 */
export function instanceNorm<X extends Tensor>(
  input: Guard<FloatProblem<'instanceNorm', X>, X>,
  scale?: Tensor,
  shift?: Tensor,
  options?: EpsilonOption,
): X {
  const { epsilon } = readOptions('instanceNorm', options, ['epsilon'])
  const [, channels] = nodeOf(input, 'instanceNorm', 'input').type.shape
  if (!channels) return reject('rank-mismatch', 'instanceNorm: input must be [batch, channels, …] with at least one channel')
  return call(
    'groupNorm',
    { input, scale, shift },
    { groups: channels, epsilon: readEpsilon('instanceNorm', epsilon) },
    'instanceNorm',
  )
}
