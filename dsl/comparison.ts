import type { BinaryProblem, ElementOf, NoTensor, Operand, ShapeOf } from './elementwise.ts'
import type { Tensor } from './tensor.ts'
import { call } from './tracer.ts'
import type { Broadcast, BroadcastFails, DTypeProblem, Guard, Text } from './types/shape.ts'

/**
 * True where two elements are equal.
 * @param left any shape, any element type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function equal<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'equal', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('equal', { left, right })
}

/**
 * True where two elements differ.
 * @param left any shape, any element type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function notEqual<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'notEqual', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('notEqual', { left, right })
}

/**
 * True where left is below right.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function less<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'less', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('less', { left, right })
}

/**
 * True where left is not above right.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function lessOrEqual<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'lessOrEqual', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('lessOrEqual', { left, right })
}

/**
 * True where left is above right.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function greater<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'greater', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('greater', { left, right })
}

/**
 * True where left is not below right.
 * @param left any shape, any number type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function greaterOrEqual<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'greaterOrEqual', A, B>, B>,
): Tensor<'bool', Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('greaterOrEqual', { left, right })
}

/**
 * True where both are.
 * @param left any shape, bool
 * @param right bool, a shape that broadcasts with left
 */
export function and<A extends Tensor<'bool'>, B extends Tensor<'bool'>>(
  left: A,
  right: Guard<BinaryProblem<'and', A, B>, B>,
): Tensor<'bool', Broadcast<A['shape'], B['shape']>> {
  return call('and', { left, right })
}

/**
 * True where either is.
 * @param left any shape, bool
 * @param right bool, a shape that broadcasts with left
 */
export function or<A extends Tensor<'bool'>, B extends Tensor<'bool'>>(
  left: A,
  right: Guard<BinaryProblem<'or', A, B>, B>,
): Tensor<'bool', Broadcast<A['shape'], B['shape']>> {
  return call('or', { left, right })
}

/**
 * True where exactly one is.
 * @param left any shape, bool
 * @param right bool, a shape that broadcasts with left
 */
export function xor<A extends Tensor<'bool'>, B extends Tensor<'bool'>>(
  left: A,
  right: Guard<BinaryProblem<'xor', A, B>, B>,
): Tensor<'bool', Broadcast<A['shape'], B['shape']>> {
  return call('xor', { left, right })
}

/**
 * Bits set in both.
 * @param left any shape, any integer type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function bitwiseAnd<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'bitwiseAnd', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('bitwiseAnd', { left, right })
}

/**
 * Bits set in either.
 * @param left any shape, any integer type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function bitwiseOr<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'bitwiseOr', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('bitwiseOr', { left, right })
}

/**
 * Bits set in exactly one.
 * @param left any shape, any integer type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function bitwiseXor<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'bitwiseXor', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('bitwiseXor', { left, right })
}

/**
 * Every bit of each element turned over.
 * @param input any shape, any integer type
 */
export function bitwiseNot<X extends Tensor>(input: X): X {
  return call('bitwiseNot', { input })
}

/**
 * Bits moved towards the high end, zeros coming in.
 * @param left any shape, any integer type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function shiftLeft<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'shiftLeft', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('shiftLeft', { left, right })
}

/**
 * Bits moved towards the low end; the sign, or zeros, coming in.
 * @param left any shape, any integer type; or a number
 * @param right the same element type, a shape that broadcasts with left; or a number
 */
export function shiftRight<A extends Operand, B extends Operand>(
  left: A,
  right: Guard<BinaryProblem<'shiftRight', A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<ShapeOf<A>, ShapeOf<B>>> {
  return call('shiftRight', { left, right })
}

type WhereProblem<C extends Tensor, A, B> =
  NoTensor<'where', A, B> extends string
    ? 'where: one of whenTrue and whenFalse must be a tensor'
    : (
          [A] extends [number]
            ? false
            : [B] extends [number]
              ? false
              : DTypeProblem<'where', ['whenTrue', 'whenFalse'], ElementOf<A, B>, ElementOf<B, A>>
        ) extends infer M extends string
      ? M
      : BroadcastFails<ShapeOf<A>, ShapeOf<B>> extends true
        ? `where: shapes ${Text<ShapeOf<A>>} and ${Text<ShapeOf<B>>} do not broadcast`
        : BroadcastFails<C['shape'], Broadcast<ShapeOf<A>, ShapeOf<B>>> extends true
          ? `where: condition ${Text<C['shape']>} does not broadcast with ${Text<Broadcast<ShapeOf<A>, ShapeOf<B>>>}`
          : false

/**
 * Elements of one tensor where a condition holds, of another elsewhere.
 * @param condition bool, broadcasts with the others
 * @param whenTrue any element type, broadcasts with the others; or a number
 * @param whenFalse the same element type, broadcasts with the others; or a number
 */
export function where<C extends Tensor<'bool'>, A extends Operand, B extends Operand>(
  condition: C,
  whenTrue: A,
  whenFalse: Guard<WhereProblem<C, A, B>, B>,
): Tensor<ElementOf<A, B>, Broadcast<C['shape'], Broadcast<ShapeOf<A>, ShapeOf<B>>>> {
  return call('where', { condition, whenTrue, whenFalse })
}
