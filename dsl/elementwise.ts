import { readBoolean, readDType, readOptions } from './check.ts'
import type { DType, Tensor } from './tensor.ts'
import { call } from './tracer.ts'
import type { Broadcast, BroadcastFails, DTypeProblem, FloatProblem, Guard, Text } from './types/shape.ts'

/** A tensor, or a number that takes the element type of the other operand. */
export type Operand = Tensor | number

export type ElementOf<A, B> = A extends Tensor ? A['dtype'] : B extends Tensor ? B['dtype'] : DType
export type ShapeOf<A> = A extends Tensor ? A['shape'] : []

export type NoTensor<Op extends string, A, B> = [A] extends [Tensor]
  ? false
  : [B] extends [Tensor]
    ? false
    : `${Op}: one of left and right must be a tensor`
type DTypesDiffer<Op extends string, A, B> = [A] extends [number]
  ? false
  : [B] extends [number]
    ? false
    : DTypeProblem<Op, ['left', 'right'], ElementOf<A, B>, ElementOf<B, A>>
/** The first sentence that applies; later questions are asked only when earlier ones are settled. */
export type BinaryProblem<Op extends string, A, B> =
  NoTensor<Op, A, B> extends infer M extends string
    ? M
    : DTypesDiffer<Op, A, B> extends infer M extends string
      ? M
      : BroadcastFails<ShapeOf<A>, ShapeOf<B>> extends true
        ? `${Op}: shapes ${Text<ShapeOf<A>>} and ${Text<ShapeOf<B>>} do not broadcast`
        : false

/**
 * Negative of each element.
 * @param input any shape, any number type
 */
export function negate<X extends Tensor>(input: X): X {
  return call('negate', { input })
}

/**
 * Absolute value of each element.
 * @param input any shape, any number type
 */
export function abs<X extends Tensor>(input: X): X {
  return call('abs', { input })
}

/**
 * Sign of each element: −1, 0 or 1; NaN stays NaN.
 * @param input any shape, any number type
 */
export function sign<X extends Tensor>(input: X): X {
  return call('sign', { input })
}

/**
 * Largest whole number not above each element.
 * @param input any shape, float
 */
export function floor<X extends Tensor>(input: Guard<FloatProblem<'floor', X>, X>): X {
  return call('floor', { input })
}

/**
 * Smallest whole number not below each element.
 * @param input any shape, float
 */
export function ceil<X extends Tensor>(input: Guard<FloatProblem<'ceil', X>, X>): X {
  return call('ceil', { input })
}

/**
 * Nearest whole number, ties to even.
 * @param input any shape, float
 */
export function round<X extends Tensor>(input: Guard<FloatProblem<'round', X>, X>): X {
  return call('round', { input })
}

/**
 * Square root of each element.
 * @param input any shape, float
 */
export function sqrt<X extends Tensor>(input: Guard<FloatProblem<'sqrt', X>, X>): X {
  return call('sqrt', { input })
}

/**
 * 1 / √x of each element.
 * @param input any shape, float
 */
export function rsqrt<X extends Tensor>(input: Guard<FloatProblem<'rsqrt', X>, X>): X {
  return call('rsqrt', { input })
}

/**
 * 1 / x of each element.
 * @param input any shape, float
 */
export function reciprocal<X extends Tensor>(input: Guard<FloatProblem<'reciprocal', X>, X>): X {
  return call('reciprocal', { input })
}

/**
 * e to the power of each element.
 * @param input any shape, float
 */
export function exp<X extends Tensor>(input: Guard<FloatProblem<'exp', X>, X>): X {
  return call('exp', { input })
}

/**
 * Natural logarithm of each element.
 * @param input any shape, float
 */
export function log<X extends Tensor>(input: Guard<FloatProblem<'log', X>, X>): X {
  return call('log', { input })
}

/**
 * Sine of each element, in radians.
 * @param input any shape, float
 */
export function sin<X extends Tensor>(input: Guard<FloatProblem<'sin', X>, X>): X {
  return call('sin', { input })
}

/**
 * Cosine of each element, in radians.
 * @param input any shape, float
 */
export function cos<X extends Tensor>(input: Guard<FloatProblem<'cos', X>, X>): X {
  return call('cos', { input })
}

/**
 * Tangent of each element, in radians.
 * @param input any shape, float
 */
export function tan<X extends Tensor>(input: Guard<FloatProblem<'tan', X>, X>): X {
  return call('tan', { input })
}

/**
 * Angle in radians whose sine is each element; NaN outside −1 … 1.
 * @param input any shape, float
 */
export function asin<X extends Tensor>(input: Guard<FloatProblem<'asin', X>, X>): X {
  return call('asin', { input })
}

/**
 * Angle in radians whose cosine is each element; NaN outside −1 … 1.
 * @param input any shape, float
 */
export function acos<X extends Tensor>(input: Guard<FloatProblem<'acos', X>, X>): X {
  return call('acos', { input })
}

/**
 * Angle in radians whose tangent is each element.
 * @param input any shape, float
 */
export function atan<X extends Tensor>(input: Guard<FloatProblem<'atan', X>, X>): X {
  return call('atan', { input })
}

/**
 * Hyperbolic sine of each element.
 * @param input any shape, float
 */
export function sinh<X extends Tensor>(input: Guard<FloatProblem<'sinh', X>, X>): X {
  return call('sinh', { input })
}

/**
 * Hyperbolic cosine of each element.
 * @param input any shape, float
 */
export function cosh<X extends Tensor>(input: Guard<FloatProblem<'cosh', X>, X>): X {
  return call('cosh', { input })
}

/**
 * Inverse hyperbolic sine of each element.
 * @param input any shape, float
 */
export function asinh<X extends Tensor>(input: Guard<FloatProblem<'asinh', X>, X>): X {
  return call('asinh', { input })
}

/**
 * Inverse hyperbolic cosine of each element; NaN below 1.
 * @param input any shape, float
 */
export function acosh<X extends Tensor>(input: Guard<FloatProblem<'acosh', X>, X>): X {
  return call('acosh', { input })
}

/**
 * Inverse hyperbolic tangent of each element; NaN outside −1 … 1.
 * @param input any shape, float
 */
export function atanh<X extends Tensor>(input: Guard<FloatProblem<'atanh', X>, X>): X {
  return call('atanh', { input })
}

/**
 * Gauss error function of each element.
 * @param input any shape, float
 */
export function erf<X extends Tensor>(input: Guard<FloatProblem<'erf', X>, X>): X {
  return call('erf', { input })
}

/**
 * Hyperbolic tangent of each element.
 * @param input any shape, float
 */
export function tanh<X extends Tensor>(input: Guard<FloatProblem<'tanh', X>, X>): X {
  return call('tanh', { input })
}

/**
 * Logistic function 1 / (1 + e^−x) of each element.
 * @param input any shape, float
 */
export function sigmoid<X extends Tensor>(input: Guard<FloatProblem<'sigmoid', X>, X>): X {
  return call('sigmoid', { input })
}

/**
 * Logical negation of each element.
 * @param input any shape, bool
 */
export function not<X extends Tensor<'bool'>>(input: X): X {
  return call('not', { input })
}

/**
 * True where an element is not a number.
 * @param input any shape, float
 */
export function isNaN<X extends Tensor>(input: Guard<FloatProblem<'isNaN', X>, X>): Tensor<'bool', X['shape']> {
  return call('isNaN', { input })
}

/**
 * True where an element is infinite.
 * @param input any shape, float
 * @param options `positive` and `negative`: which infinities to look for, default both
 */
export function isInf<X extends Tensor>(
  input: Guard<FloatProblem<'isInf', X>, X>,
  options?: { readonly positive?: boolean; readonly negative?: boolean },
): Tensor<'bool', X['shape']> {
  const given = readOptions('isInf', options, ['positive', 'negative'])
  const positive = readBoolean('isInf', 'positive', given.positive, true)
  return call('isInf', { input }, { positive, negative: readBoolean('isInf', 'negative', given.negative, true) })
}

/**
 * The same elements as another dtype.
 *
 * Float to integer truncates towards zero and saturates, NaN becomes 0; to bool is `!= 0`; integer to integer keeps the low bits.
 *
 * @param input any shape, any element type; the only op that takes f8e4m3 and f8e5m2
 * @param dtype element type of the result
 */
export function cast<X extends Tensor, D extends DType>(input: X, dtype: D): Tensor<D, X['shape']> {
  return call('cast', { input }, { dtype: readDType('cast', dtype) })
}

/**
 * Sum of two tensors, element by element.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function add<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'add', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('add', { left, right })
}

/**
 * Difference of two tensors, element by element.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function sub<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'sub', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('sub', { left, right })
}

/**
 * Product of two tensors, element by element.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function mul<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'mul', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('mul', { left, right })
}

/**
 * Quotient of two tensors, element by element; of integers, truncated towards zero, and 0 when the divisor is 0.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function div<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'div', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('div', { left, right })
}

/**
 * Left to the power of right, element by element.
 *
 * Integers wrap; a power below 0 of an integer is 1 / x^n truncated, and 0 for a base of 0.
 *
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function pow<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'pow', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('pow', { left, right })
}

/**
 * Remainder with the sign of the divisor, element by element; 0 when an integer divisor is 0.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function mod<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'mod', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('mod', { left, right })
}

/**
 * Remainder with the sign of the dividend, element by element; 0 when an integer divisor is 0.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function fmod<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'fmod', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('fmod', { left, right })
}

/**
 * Smaller of two elements; NaN if either is.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function minimum<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'minimum', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('minimum', { left, right })
}

/**
 * Larger of two elements; NaN if either is.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function maximum<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'maximum', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('maximum', { left, right })
}
