import { type DType, dtypeFacts, isFloat } from '../../compiler/graph/dtype.ts'
import { saturate } from '../../compiler/graph/scalar.ts'
import {
  divideInteger,
  divideWide,
  erf,
  modulo,
  moduloInteger,
  moduloWide,
  pow,
  powerInteger,
  powerWide,
  round,
  sigmoid,
  wideToOdd,
} from './math.ts'
import { type ComputedName, elementwise, type Row, type ScalarFunction } from './row.ts'
import { integerRange, isWide, wrapping, wrappingWide } from './values.ts'

type Unary<T> = (a: T) => T
type Binary<T> = (a: T, b: T) => T

const plain = (scalar: ScalarFunction): Row<any> => elementwise(() => scalar)

/** One function for each kind of arithmetic: floats in doubles, integers of up to 32 bits in doubles and then wrapped, 64-bit ones as bigints. */
const unary = (float: Unary<number>, wide: Unary<bigint>): Row<any> =>
  elementwise(({ operands: [dtype] }) => {
    if (isFloat(dtype!)) return float
    if (isWide(dtype!)) {
      const wrap = wrappingWide(dtype!)
      return (a: bigint) => wrap(wide(a))
    }
    const wrap = wrapping(dtype!)
    return (a: number) => wrap(float(a))
  })

const binary = (float: Binary<number>, integer: Binary<number>, wide: Binary<bigint>): Row<any> =>
  elementwise(({ operands: [dtype] }) => {
    if (isFloat(dtype!)) return float
    if (isWide(dtype!)) {
      const wrap = wrappingWide(dtype!)
      return (a: bigint, b: bigint) => wrap(wide(a, b))
    }
    const wrap = wrapping(dtype!)
    return (a: number, b: number) => wrap(integer(a, b))
  })

/** A negative amount is more than there are bits. */
const shift = (
  narrow: (a: number, amount: number, bits: number) => number,
  wide: (a: bigint, amount: bigint) => bigint,
): Row<any> =>
  elementwise(({ operands: [dtype] }) => {
    const bits = dtypeFacts[dtype!].bytes * 8
    if (isWide(dtype!)) {
      const wrap = wrappingWide(dtype!)
      return (a: bigint, b: bigint) => wrap(wide(a, b < 0n ? 64n : b))
    }
    const wrap = wrapping(dtype!)
    return (a: number, b: number) => wrap(narrow(a, b < 0 ? bits : b, bits))
  })

/** Comparisons mean the same for numbers and bigints. */
const comparison = (holds: (a: any, b: any) => boolean): Row<any> => plain((a, b) => (holds(a, b) ? 1 : 0))

const sum = (a: number, b: number) => a + b
// Math.min and Math.max would also look at the arguments that a binary function does not have.
const smaller = (a: number, b: number) => Math.min(a, b)
const larger = (a: number, b: number) => Math.max(a, b)
const difference = (a: number, b: number) => a - b

export const elementwiseRows = {
  negate: unary(
    (a) => -a,
    (a) => -a,
  ),
  abs: unary(Math.abs, (a) => (a < 0n ? -a : a)),
  sign: unary(Math.sign, (a) => (a > 0n ? 1n : a < 0n ? -1n : 0n)),
  floor: plain(Math.floor),
  ceil: plain(Math.ceil),
  round: plain(round),
  sqrt: plain(Math.sqrt),
  exp: plain(Math.exp),
  log: plain(Math.log),
  sin: plain(Math.sin),
  cos: plain(Math.cos),
  tan: plain(Math.tan),
  asin: plain(Math.asin),
  acos: plain(Math.acos),
  atan: plain(Math.atan),
  sinh: plain(Math.sinh),
  cosh: plain(Math.cosh),
  asinh: plain(Math.asinh),
  acosh: plain(Math.acosh),
  atanh: plain(Math.atanh),
  erf: plain(erf),
  tanh: plain(Math.tanh),
  sigmoid: plain(sigmoid),
  not: plain((a) => 1 - a),
  isNaN: plain((a) => (Number.isNaN(a) ? 1 : 0)),
  cast: elementwise<'cast'>(({ operands: [from], result }) => conversion(from!, result)),

  add: binary(sum, sum, (a, b) => a + b),
  sub: binary(difference, difference, (a, b) => a - b),
  mul: binary(
    (a, b) => a * b,
    Math.imul,
    (a, b) => a * b,
  ),
  div: binary((a, b) => a / b, divideInteger, divideWide),
  pow: binary(pow, powerInteger, powerWide),
  mod: binary(modulo, moduloInteger, moduloWide),
  minimum: binary(smaller, smaller, (a, b) => (a < b ? a : b)),
  maximum: binary(larger, larger, (a, b) => (a > b ? a : b)),

  equal: comparison((a, b) => a === b),
  less: comparison((a, b) => a < b),
  lessOrEqual: comparison((a, b) => a <= b),

  and: plain((a, b) => a & b),
  or: plain((a, b) => a | b),
  xor: plain((a, b) => a ^ b),
  bitwiseAnd: binary(
    (a, b) => a & b,
    (a, b) => a & b,
    (a, b) => a & b,
  ),
  bitwiseOr: binary(
    (a, b) => a | b,
    (a, b) => a | b,
    (a, b) => a | b,
  ),
  bitwiseXor: binary(
    (a, b) => a ^ b,
    (a, b) => a ^ b,
    (a, b) => a ^ b,
  ),
  shiftLeft: shift(
    (a, amount, bits) => (amount < bits ? a * 2 ** amount : 0),
    (a, amount) => (amount < 64n ? a << amount : 0n),
  ),
  shiftRight: shift(
    (a, amount, bits) => Math.floor(a / 2 ** Math.min(amount, bits)),
    (a, amount) => a >> (amount < 64n ? amount : 64n),
  ),
  where: plain((condition, whenTrue, whenFalse) => (condition ? whenTrue : whenFalse)),
} satisfies { readonly [K in ComputedName]?: Row<K> }

/** Float to integer truncates and saturates with NaN as 0; integer to integer keeps the low bits; to bool is `!= 0`. */
function conversion(from: DType, to: DType): ScalarFunction {
  if (to === 'bool') return isWide(from) ? (a: bigint) => (a === 0n ? 0 : 1) : (a: number) => (a === 0 ? 0 : 1)
  if (isFloat(to)) {
    if (!isWide(from)) return (a: number) => a
    return to === 'f64' ? (a: bigint) => Number(a) : wideToOdd
  }
  if (isFloat(from)) {
    const [low, high] = integerRange(to)
    const [least, most] = [Number(low), Number(high)]
    if (!isWide(to)) return (a: number) => saturate(a, least, most)
    return (a: number) => (Number.isNaN(a) ? 0n : a >= most ? high : a <= least ? low : BigInt(Math.trunc(a)))
  }
  if (isWide(to)) {
    const wrap = wrappingWide(to)
    return (a: number | bigint) => wrap(BigInt(a))
  }
  if (isWide(from)) {
    const bits = dtypeFacts[to].bytes * 8
    const narrow = dtypeFacts[to].kind === 'signed' ? BigInt.asIntN : BigInt.asUintN
    return (a: bigint) => Number(narrow(bits, a))
  }
  return wrapping(to)
}
