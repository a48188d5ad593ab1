import { z } from 'zod'
import { primitive, type Trait } from '../definition.ts'
import { dtypes as allDTypes, type DType } from '../dtype.ts'
import type { TensorType } from '../type.ts'
import {
  broadcastShapes,
  everything,
  floats,
  integers,
  none,
  numbers,
  one,
  requireSameDType,
  values,
  withShape,
} from './shared.ts'

const unary = <const Name extends string>(
  name: Name,
  summary: string,
  accepted: readonly DType[],
  traits: readonly Trait[] = [],
) =>
  primitive({
    name,
    summary,
    operands: { input: one('any shape', accepted) },
    attributes: none,
    traits: ['pure', 'elementwise', ...traits],
    infer: ({ input }) => withShape(input, input.shape),
    memory: { inPlace: [0] },
  })

const binary = <const Name extends string>(
  name: Name,
  summary: string,
  accepted: readonly DType[],
  traits: readonly Trait[] = [],
  result?: DType,
) =>
  primitive({
    name,
    summary,
    operands: { left: one('any shape', accepted), right: one('broadcasts with left', accepted) },
    attributes: none,
    traits: ['pure', 'elementwise', ...traits],
    infer: ({ left, right }): TensorType => {
      requireSameDType(left, right, name, ['left', 'right'])
      return { dtype: result ?? left.dtype, shape: broadcastShapes([left.shape, right.shape], name) }
    },
    memory: { inPlace: [0, 1] },
  })

const symmetric: readonly Trait[] = ['commutative', 'associative']

// ---------------------------------------------------------------- one operand
export const negate = unary('negate', 'Negative of each element', numbers)
export const abs = unary('abs', 'Absolute value of each element', numbers, ['idempotent'])
export const sign = unary('sign', 'Sign of each element: −1, 0 or 1; NaN stays NaN', numbers, ['idempotent'])
export const floor = unary('floor', 'Largest whole number not above each element', floats, ['idempotent'])
export const ceil = unary('ceil', 'Smallest whole number not below each element', floats, ['idempotent'])
export const round = unary('round', 'Nearest whole number, ties to even', floats, ['idempotent'])
export const sqrt = unary('sqrt', 'Square root of each element', floats)
export const exp = unary('exp', 'e to the power of each element', floats)
export const log = unary('log', 'Natural logarithm of each element', floats)
export const sin = unary('sin', 'Sine of each element, in radians', floats)
export const cos = unary('cos', 'Cosine of each element, in radians', floats)
export const erf = unary('erf', 'Gauss error function of each element', floats)
export const tanh = unary('tanh', 'Hyperbolic tangent of each element', floats)
export const sigmoid = unary('sigmoid', 'Logistic function 1 / (1 + e^−x) of each element', floats)
export const tan = unary('tan', 'Tangent of each element, in radians', floats)
export const asin = unary('asin', 'Angle in radians whose sine is each element; NaN outside −1 … 1', floats)
export const acos = unary('acos', 'Angle in radians whose cosine is each element; NaN outside −1 … 1', floats)
export const atan = unary('atan', 'Angle in radians whose tangent is each element', floats)
export const sinh = unary('sinh', 'Hyperbolic sine of each element', floats)
export const cosh = unary('cosh', 'Hyperbolic cosine of each element', floats)
export const asinh = unary('asinh', 'Inverse hyperbolic sine of each element', floats)
export const acosh = unary('acosh', 'Inverse hyperbolic cosine of each element; NaN below 1', floats)
export const atanh = unary('atanh', 'Inverse hyperbolic tangent of each element; NaN outside −1 … 1', floats)
export const not = unary('not', 'Logical negation of each element', ['bool'])

export const isNaN = primitive({
  name: 'isNaN',
  summary: 'True where an element is not a number',
  operands: { input: one('any shape', floats) },
  attributes: none,
  traits: ['pure', 'elementwise'],
  infer: ({ input }): TensorType => ({ dtype: 'bool', shape: input.shape }),
})

/** Float to integer truncates towards zero and saturates, NaN becomes 0; to bool is `!= 0`; integer to integer keeps the low bits. */
export const cast = primitive({
  name: 'cast',
  summary: 'The same elements as another dtype',
  operands: { input: one('any shape', everything) },
  attributes: z.strictObject({ dtype: z.enum(allDTypes) }),
  traits: ['pure', 'elementwise'],
  infer: ({ input }, { dtype }): TensorType => ({ dtype, shape: input.shape }),
})

// ---------------------------------------------------------------- two operands, broadcast
export const add = binary('add', 'Sum of two tensors, element by element', numbers, symmetric)
export const sub = binary('sub', 'Difference of two tensors, element by element', numbers)
export const mul = binary('mul', 'Product of two tensors, element by element', numbers, symmetric)
export const div = binary(
  'div',
  'Quotient of two tensors, element by element; of integers, truncated towards zero, and 0 when the divisor is 0',
  numbers,
)
/** Of integers, exact and wrapping; 1 / x^n is truncated, and 0 for a base of 0. */
export const pow = binary('pow', 'Left to the power of right, element by element', numbers)
export const mod = binary(
  'mod',
  'Remainder with the sign of the divisor, element by element; 0 when an integer divisor is 0',
  numbers,
)
export const minimum = binary('minimum', 'Smaller of two elements; NaN if either is', numbers, [...symmetric, 'idempotent'])
export const maximum = binary('maximum', 'Larger of two elements; NaN if either is', numbers, [...symmetric, 'idempotent'])

export const equal = binary('equal', 'True where two elements are equal', values, ['commutative'], 'bool')
export const less = binary('less', 'True where left is below right', numbers, [], 'bool')
export const lessOrEqual = binary('lessOrEqual', 'True where left is not above right', numbers, [], 'bool')

export const and = binary('and', 'True where both are', ['bool'], symmetric)
export const or = binary('or', 'True where either is', ['bool'], symmetric)
export const xor = binary('xor', 'True where exactly one is', ['bool'], symmetric)

export const bitwiseAnd = binary('bitwiseAnd', 'Bits set in both', integers, symmetric)
export const bitwiseOr = binary('bitwiseOr', 'Bits set in either', integers, symmetric)
export const bitwiseXor = binary('bitwiseXor', 'Bits set in exactly one', integers, symmetric)

/** Amounts below 0 and amounts of all bits or more shift everything out. */
export const shiftLeft = binary('shiftLeft', 'Bits moved towards the high end, zeros coming in', integers)
export const shiftRight = binary('shiftRight', 'Bits moved towards the low end; the sign, or zeros, coming in', integers)

// ---------------------------------------------------------------- three operands, broadcast
export const where = primitive({
  name: 'where',
  summary: 'Elements of one tensor where a condition holds, of another elsewhere',
  operands: {
    condition: one('broadcasts with the others', ['bool']),
    whenTrue: one('broadcasts with the others', values),
    whenFalse: one('broadcasts with the others', values),
  },
  attributes: none,
  traits: ['pure', 'elementwise'],
  infer: ({ condition, whenTrue, whenFalse }): TensorType => {
    requireSameDType(whenTrue, whenFalse, 'where', ['whenTrue', 'whenFalse'])
    return { dtype: whenTrue.dtype, shape: broadcastShapes([condition.shape, whenTrue.shape, whenFalse.shape], 'where') }
  },
  memory: { inPlace: [1, 2] },
})
