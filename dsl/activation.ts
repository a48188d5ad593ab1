import { reject } from '../compiler/graph/index.ts'
import { isElement, readAxis, readChoice, readNumber, readOptions } from './check.ts'
import type { Operand } from './elementwise.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

/**
 * Rectified linear unit: negative elements become zero.
 * @param input any shape, any number type
 */
export function relu<X extends Tensor>(input: X): X {
  return call('relu', { input })
}

/**
 * x where positive, slope · x elsewhere.
 * @param input any shape, float
 * @param options `slope` of the negative side, default 0.01
 */
export function leakyRelu<X extends Tensor>(
  input: Guard<FloatProblem<'leakyRelu', X>, X>,
  options?: { readonly slope?: number },
): X {
  const given = readOptions('leakyRelu', options, ['slope'])
  return call('leakyRelu', { input }, { slope: readNumber('leakyRelu', 'slope', given.slope, 0.01) })
}

/**
 * x where positive, slope · x elsewhere, with a tensor of slopes.
 * @param input any shape, float
 * @param slope the same element type, broadcasts to input: `[channels, 1, 1]` for one slope for each channel of an image; or a number
 */
export function prelu<X extends Tensor>(input: Guard<FloatProblem<'prelu', X>, X>, slope: Operand): X {
  return call('prelu', { input, slope })
}

/**
 * x where positive, alpha · (e^x − 1) elsewhere.
 * @param input any shape, float
 * @param options `alpha`, default 1
 */
export function elu<X extends Tensor>(input: Guard<FloatProblem<'elu', X>, X>, options?: { readonly alpha?: number }): X {
  const given = readOptions('elu', options, ['alpha'])
  return call('elu', { input }, { alpha: readNumber('elu', 'alpha', given.alpha, 1) })
}

/**
 * x where positive, alpha · (e^(x / alpha) − 1) elsewhere.
 * @param input any shape, float
 * @param options `alpha`, not 0, default 1
 */
export function celu<X extends Tensor>(input: Guard<FloatProblem<'celu', X>, X>, options?: { readonly alpha?: number }): X {
  const given = readOptions('celu', options, ['alpha'])
  const alpha = readNumber('celu', 'alpha', given.alpha, 1)
  if (alpha === 0) reject('bad-attribute', 'celu: alpha must not be 0')
  return call('celu', { input }, { alpha })
}

/**
 * x where above a threshold, zero elsewhere.
 * @param input any shape, float
 * @param options `threshold`, default 1
 */
export function thresholdedRelu<X extends Tensor>(
  input: Guard<FloatProblem<'thresholdedRelu', X>, X>,
  options?: { readonly threshold?: number },
): X {
  const given = readOptions('thresholdedRelu', options, ['threshold'])
  return call('thresholdedRelu', { input }, { threshold: readNumber('thresholdedRelu', 'threshold', given.threshold, 1) })
}

/**
 * Elements brought closer to zero, and zero where they are near it.
 *
 * x + bias below −threshold, x − bias above threshold, 0 between. With bias = threshold it is PyTorch's softshrink, with 0 its hardshrink.
 *
 * @param input any shape, float
 * @param options `threshold`, default 0.5; `bias`, default 0
 */
export function shrink<X extends Tensor>(
  input: Guard<FloatProblem<'shrink', X>, X>,
  options?: { readonly threshold?: number; readonly bias?: number },
): X {
  const given = readOptions('shrink', options, ['threshold', 'bias'])
  const threshold = readNumber('shrink', 'threshold', given.threshold, 0.5)
  return call('shrink', { input }, { threshold, bias: readNumber('shrink', 'bias', given.bias, 0) })
}

/**
 * Self-normalising exponential linear unit.
 * @param input any shape, float
 */
export function selu<X extends Tensor>(input: Guard<FloatProblem<'selu', X>, X>): X {
  return call('selu', { input })
}

/**
 * log(1 + e^x).
 * @param input any shape, float
 */
export function softplus<X extends Tensor>(input: Guard<FloatProblem<'softplus', X>, X>): X {
  return call('softplus', { input })
}

/**
 * x / (1 + |x|).
 * @param input any shape, float
 */
export function softsign<X extends Tensor>(input: Guard<FloatProblem<'softsign', X>, X>): X {
  return call('softsign', { input })
}

/**
 * x · sigmoid(x), also called swish.
 * @param input any shape, float
 */
export function silu<X extends Tensor>(input: Guard<FloatProblem<'silu', X>, X>): X {
  return call('silu', { input })
}

/**
 * x · tanh(softplus(x)).
 * @param input any shape, float
 */
export function mish<X extends Tensor>(input: Guard<FloatProblem<'mish', X>, X>): X {
  return call('mish', { input })
}

/**
 * slope · x + offset, clamped to 0 … 1.
 * @param input any shape, float
 * @param options `slope`, default 1/6, and `offset`, default 0.5, as in PyTorch; ONNX says 0.2
 */
export function hardSigmoid<X extends Tensor>(
  input: Guard<FloatProblem<'hardSigmoid', X>, X>,
  options?: { readonly slope?: number; readonly offset?: number },
): X {
  const given = readOptions('hardSigmoid', options, ['slope', 'offset'])
  return call(
    'hardSigmoid',
    { input },
    {
      slope: readNumber('hardSigmoid', 'slope', given.slope, 1 / 6),
      offset: readNumber('hardSigmoid', 'offset', given.offset, 0.5),
    },
  )
}

/**
 * x · clamp(x / 6 + 0.5, 0, 1).
 * @param input any shape, float
 */
export function hardSwish<X extends Tensor>(input: Guard<FloatProblem<'hardSwish', X>, X>): X {
  return call('hardSwish', { input })
}

/**
 * Gaussian error linear unit.
 * @param input any shape, float
 * @param options `approximate`: 'none' (default) computes x · Φ(x) with erf, 'tanh' the approximation of that name
 */
export function gelu<X extends Tensor>(
  input: Guard<FloatProblem<'gelu', X>, X>,
  options?: { readonly approximate?: 'none' | 'tanh' },
): X {
  const given = readOptions('gelu', options, ['approximate'])
  return call('gelu', { input }, { approximate: readChoice('gelu', 'approximate', given.approximate, ['none', 'tanh'], 'none') })
}

/**
 * Elements limited to a range.
 * @param input any shape, any number type
 * @param options `minimum`, default −∞, and `maximum`, default ∞
 */
export function clamp<X extends Tensor>(input: X, options?: { readonly minimum?: number; readonly maximum?: number }): X {
  const given = readOptions('clamp', options, ['minimum', 'maximum'])
  const minimum = readBound(input, 'minimum', given.minimum, Number.NEGATIVE_INFINITY)
  const maximum = readBound(input, 'maximum', given.maximum, Number.POSITIVE_INFINITY)
  return call('clamp', { input }, { minimum, maximum })
}

/**
 * Exponentials along an axis, scaled to sum to one.
 * @param input any shape, float
 * @param options `axis`, default −1, the last
 */
export function softmax<X extends Tensor>(input: Guard<FloatProblem<'softmax', X>, X>, options?: { readonly axis?: number }): X {
  return call('softmax', { input }, { axis: readAlong('softmax', input, options) })
}

/**
 * Logarithm of softmax along an axis.
 * @param input any shape, float
 * @param options `axis`, default −1, the last
 */
export function logSoftmax<X extends Tensor>(
  input: Guard<FloatProblem<'logSoftmax', X>, X>,
  options?: { readonly axis?: number },
): X {
  return call('logSoftmax', { input }, { axis: readAlong('logSoftmax', input, options) })
}

/**
 * One at the first of the largest elements along an axis, zero elsewhere.
 * @param input any shape, float
 * @param options `axis`, default −1, the last
 */
export function hardmax<X extends Tensor>(input: Guard<FloatProblem<'hardmax', X>, X>, options?: { readonly axis?: number }): X {
  return call('hardmax', { input }, { axis: readAlong('hardmax', input, options) })
}

function readBound(input: unknown, name: string, value: unknown, fallback: number): number {
  const bound = readNumber('clamp', name, value, fallback)
  const { dtype } = nodeOf(input, 'clamp', 'input').type
  if (Number.isNaN(bound) || (Number.isFinite(bound) && !isElement(dtype, bound)))
    reject('bad-attribute', `clamp: ${name} ${bound} is not a value of ${dtype}`)
  return bound
}

function readAlong(op: string, input: unknown, options: unknown): number {
  const { axis = -1 } = readOptions(op, options, ['axis'])
  return readAxis(op, axis, nodeOf(input, op, 'input').type.shape.length)
}
