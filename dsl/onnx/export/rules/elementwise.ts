import { type DType, dtypeFacts, elementsOf, isFloat, isInteger } from '../../../../compiler/graph/index.ts'
import type { OnnxOp } from '../accepted.ts'
import type { ExportContext, ExportRule, ExportRules, Ref } from '../context.ts'

/** An operator that computes exactly what the op does. */
export const same =
  (op: OnnxOp): ((operands: { readonly input: Ref }, attributes: unknown, c: ExportContext) => Ref) =>
  ({ input }, _, c) =>
    c.emit(op, [input], c.type)

export const both =
  (op: OnnxOp): ((operands: { readonly left: Ref; readonly right: Ref }, attributes: unknown, c: ExportContext) => Ref) =>
  ({ left, right }, _, c) =>
    c.emit(op, [left, right], c.type)

const isUnsigned = (dtype: DType): boolean => dtypeFacts[dtype].kind === 'unsigned'
const bool = (ref: Ref) => ({ dtype: 'bool', shape: ref.type.shape }) as const

const negate: ExportRule<'negate'> = ({ input }, _, c) =>
  isUnsigned(input.type.dtype) ? c.emit('Sub', [c.scalar(input, 0), input], c.type) : c.emit('Neg', [input], c.type)

/** ONNX promises nothing of floats beyond an integer's range; ours saturate, and NaN becomes 0. */
const cast: ExportRule<'cast'> = ({ input }, { dtype }, c) => {
  if (!isFloat(input.type.dtype) || !isInteger(dtype)) return c.convert(input, dtype)
  const { bytes, kind } = dtypeFacts[dtype]
  const [low, beyond] = kind === 'signed' ? [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1)] : [0, 2 ** (8 * bytes)]
  if (bytes === 8) return saturateWide(c.convert(input, input.type.dtype === 'f64' ? 'f64' : 'f32'), dtype, low, beyond, c)
  // Whole numbers of 32 bits are not all in f32.
  const exact = c.convert(input, input.type.dtype === 'f64' || bytes === 4 ? 'f64' : 'f32')
  const within = c.emit('Clip', [exact, c.scalar(exact, low), c.scalar(exact, beyond - 1)], exact.type)
  const nan = c.emit('IsNaN', [exact], bool(exact))
  return c.convert(c.emit('Where', [nan, c.scalar(exact, 0), within], exact.type, {}, 1), dtype)
}

/** The ends of 64-bit integers are not floats: what lies beyond is replaced after the conversion. */
function saturateWide(input: Ref, dtype: DType, low: number, beyond: number, c: ExportContext): Ref {
  const fits = c.emit(
    'And',
    [
      c.emit('GreaterOrEqual', [input, c.scalar(input, low)], bool(input)),
      c.emit('Less', [input, c.scalar(input, beyond)], bool(input)),
    ],
    bool(input),
  )
  const converted = c.convert(c.emit('Where', [fits, input, c.scalar(input, 0)], input.type, {}, 1), dtype)
  const [least, most] = dtype === 'i64' ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n]
  const below = c.emit('Less', [input, c.scalar(input, low)], bool(input))
  const above = c.emit('GreaterOrEqual', [input, c.scalar(input, beyond)], bool(input))
  const raised = c.emit('Where', [below, c.constant(dtype, [], [least]), converted], converted.type, {}, 1)
  return c.emit('Where', [above, c.constant(dtype, [], [most]), raised], converted.type, {}, 1)
}

/** Of integers, 0 where the divisor is 0, which ONNX leaves open. */
function guarded(left: Ref, right: Ref, c: ExportContext, divide: (divisor: Ref) => Ref): Ref {
  const { dtype } = left.type
  if (!isInteger(dtype)) return divide(right)
  const known = c.known(right)
  if (known) {
    const elements = elementsOf(dtype, known)
    if (Array.from({ length: elements.length }, (_, i) => elements.get(i)).every((value) => value !== 0)) return divide(right)
  }
  const zero = c.emit('Equal', [right, c.scalar(right, 0)], bool(right))
  const divisor = c.emit('Where', [zero, c.scalar(right, 1), right], right.type, {}, 1)
  return c.emit('Where', [zero, c.scalar(right, 0), divide(divisor)], c.type, {}, 1)
}

const div: ExportRule<'div'> = ({ left, right }, _, c) =>
  guarded(left, right, c, (divisor) => c.emit('Div', [left, divisor], c.type))
const fmod: ExportRule<'fmod'> = ({ left, right }, _, c) =>
  guarded(left, right, c, (divisor) => c.emit('Mod', [left, divisor], c.type, { fmod: 1 }))

/** Of floats, ONNX has the remainder with the sign of the dividend alone. */
const mod: ExportRule<'mod'> = ({ left, right }, _, c) => {
  if (isInteger(left.type.dtype)) return guarded(left, right, c, (divisor) => c.emit('Mod', [left, divisor], c.type))
  const rest = c.emit('Mod', [left, right], c.type, { fmod: 1 })
  const zero = c.scalar(rest, 0)
  const whole = c.emit('Equal', [rest, zero], bool(rest))
  const signs = c.emit('Xor', [c.emit('Less', [rest, zero], bool(rest)), c.emit('Less', [right, zero], bool(right))], bool(rest))
  const other = c.emit('And', [c.emit('Not', [whole], bool(rest)), signs], bool(rest))
  return c.emit('Where', [other, c.emit('Add', [rest, right], c.type), rest], c.type, {}, 1)
}

/** ONNX shifts unsigned integers alone, and by fewer than all bits. */
function shift(left: Ref, right: Ref, direction: 'LEFT' | 'RIGHT', c: ExportContext): Ref {
  const { dtype } = left.type
  const unsigned = dtype.replace('i', 'u') as DType
  const [bits, amounts] = [c.convert(left, unsigned), c.convert(right, unsigned)]
  const some = c.emit('Less', [amounts, c.scalar(amounts, dtypeFacts[dtype].bytes * 8)], bool(amounts))
  const safe = c.emit('Where', [some, amounts, c.scalar(amounts, 0)], amounts.type, {}, 1)
  const type = { dtype: unsigned, shape: c.type.shape }
  const shifted = c.emit('BitShift', [bits, safe], type, { direction })
  return c.convert(c.emit('Where', [some, shifted, c.scalar(bits, 0)], type, {}, 1), dtype)
}

const shiftLeft: ExportRule<'shiftLeft'> = ({ left, right }, _, c) => shift(left, right, 'LEFT', c)

/** −1 − x turns all bits over, so that the zeros that come in become ones. */
const shiftRight: ExportRule<'shiftRight'> = ({ left, right }, _, c) => {
  if (isUnsigned(left.type.dtype)) return shift(left, right, 'RIGHT', c)
  const turn = (ref: Ref) => c.emit('Sub', [c.scalar(ref, -1), ref], ref.type)
  const negative = c.emit('Less', [left, c.scalar(left, 0)], bool(left))
  const shifted = shift(c.emit('Where', [negative, turn(left), left], left.type, {}, 1), right, 'RIGHT', c)
  return c.emit('Where', [negative, turn(shifted), shifted], c.type, {}, 1)
}

const bitwiseNot: ExportRule<'bitwiseNot'> = ({ input }, _, c) => {
  if (c.offers('BitwiseNot')) return c.emit('BitwiseNot', [input], c.type)
  const { bytes, kind } = dtypeFacts[input.type.dtype]
  const ones = kind === 'signed' ? -1n : 2n ** BigInt(8 * bytes) - 1n
  return c.emit('Sub', [c.constant(input.type.dtype, [], [ones]), input], c.type)
}

export const elementwiseRules = {
  negate,
  abs: same('Abs'),
  sign: same('Sign'),
  floor: same('Floor'),
  ceil: same('Ceil'),
  round: same('Round'),
  sqrt: same('Sqrt'),
  exp: same('Exp'),
  log: same('Log'),
  sin: same('Sin'),
  cos: same('Cos'),
  tan: same('Tan'),
  asin: same('Asin'),
  acos: same('Acos'),
  atan: same('Atan'),
  sinh: same('Sinh'),
  cosh: same('Cosh'),
  asinh: same('Asinh'),
  acosh: same('Acosh'),
  atanh: same('Atanh'),
  erf: same('Erf'),
  tanh: same('Tanh'),
  sigmoid: same('Sigmoid'),
  not: same('Not'),
  isNaN: same('IsNaN'),
  isInf: ({ input }, { positive, negative }, c) =>
    c.emit('IsInf', [input], c.type, { detect_positive: Number(positive), detect_negative: Number(negative) }),
  cast,
  add: both('Add'),
  sub: both('Sub'),
  mul: both('Mul'),
  div,
  mod,
  fmod,
  pow: both('Pow'),
  minimum: both('Min'),
  maximum: both('Max'),
  equal: both('Equal'),
  notEqual: ({ left, right }, _, c) => c.emit('Not', [c.emit('Equal', [left, right], c.type)], c.type),
  less: both('Less'),
  lessOrEqual: both('LessOrEqual'),
  greater: both('Greater'),
  greaterOrEqual: both('GreaterOrEqual'),
  and: both('And'),
  or: both('Or'),
  xor: both('Xor'),
  bitwiseAnd: both('BitwiseAnd'),
  bitwiseOr: both('BitwiseOr'),
  bitwiseXor: both('BitwiseXor'),
  bitwiseNot,
  shiftLeft,
  shiftRight,
  where: ({ condition, whenTrue, whenFalse }, _, c) => c.emit('Where', [condition, whenTrue, whenFalse], c.type, {}, 1),
} satisfies Partial<ExportRules>
