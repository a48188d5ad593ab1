import { elementCount, reject } from '../compiler/graph/index.ts'
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

export interface LocalResponseOptions {
  /** Channels that are looked at around each. */
  readonly size: number
  /** Weight of the mean of squares. Default 1e-4. */
  readonly alpha?: number
  /** Exponent. Default 0.75. */
  readonly beta?: number
  /** Added to the weighted mean of squares. Default 1. */
  readonly bias?: number
}

/**
 * Each element divided by a power of the squares around it in neighbouring channels.
 *
 * input / (bias + alpha / size · Σ input²)^beta, where the sum goes over floor((size − 1) / 2) channels before to ceil((size − 1) / 2)
 * channels behind (ONNX LRN 13; PyTorch has the longer half before).
 * @param input `[batch, channels, …]`, float
 * @param options `size`; `alpha`, default 1e-4; `beta`, default 0.75; `bias`, default 1
 */
export function localResponseNorm<X extends Tensor>(
  input: Guard<FloatProblem<'localResponseNorm', X>, X>,
  options: LocalResponseOptions,
): X {
  const op = 'localResponseNorm'
  const given = readOptions(op, options, ['size', 'alpha', 'beta', 'bias'])
  const size = readInteger(op, 'size', given.size, 1)
  const { shape } = nodeOf(input, op, 'input').type
  const [batch, channels, ...rest] = shape
  if (batch === undefined || channels === undefined)
    return reject('rank-mismatch', `${op}: input must be [batch, channels, …], got [${shape.join(', ')}]`)
  const square = call('mul', { left: input, right: input })
  const flat = call('reshape', { input: square }, { shape: [batch, 1, channels, elementCount(rest)] })
  const before = Math.floor((size - 1) / 2)
  const window = { window: [size, 1], stride: [1, 1], dilation: [1, 1], before: [before, 0], after: [size - 1 - before, 0] }
  const mean = call('reshape', { input: call('avgPool', { input: flat }, { ...window, countPadding: true }, op) }, { shape })
  const weighted = call('mul', { left: mean, right: readNumber(op, 'alpha', given.alpha, 1e-4) })
  const base = call('add', { left: weighted, right: readNumber(op, 'bias', given.bias, 1) })
  return call('div', { left: input, right: call('pow', { left: base, right: readNumber(op, 'beta', given.beta, 0.75) }) })
}
