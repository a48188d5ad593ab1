import { roundToEven } from '../../compiler/graph/scalar.ts'

const twoOverRootPi = 2 / Math.sqrt(Math.PI)

/**
 * Gauss error function, within 1e-15 of the true value. Below 2 the series of positive terms
 * erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1 · 3 · … · (2n+1)), above it one minus the continued fraction of erfc
 * (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14).
 */
export function erf(x: number): number {
  const magnitude = Math.abs(x)
  if (!(magnitude < 6)) return Number.isNaN(x) ? x : Math.sign(x)
  const square = x * x
  if (magnitude < 2) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= (2 * square) / (2 * n + 1)
      sum += term
    }
    return twoOverRootPi * Math.exp(-square) * sum
  }
  // 64 levels are enough from 2 on: the fraction converges faster the larger x is.
  let fraction = magnitude
  for (let level = 64; level > 0; level--) fraction = magnitude + level / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-square) / (Math.sqrt(Math.PI) * fraction))
}

/** Without overflow on either side. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x))
  const e = Math.exp(x)
  return e / (1 + e)
}

/** IEEE 754 pow: unlike ECMAScript's, 1 to any power is 1, and so is −1 to an infinite one. */
export function pow(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY)) return 1
  return base ** exponent
}

/** By squaring, in the low 32 bits. A power below 0 is 1 / x^n truncated, and 0 for a base of 0. */
export function powerInteger(base: number, exponent: number): number {
  if (exponent < 0) return base === 1 ? 1 : base === -1 ? (exponent % 2 === 0 ? 1 : -1) : 0
  let [result, square] = [1, base]
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, square)
    square = Math.imul(square, square)
  }
  return result
}

/** The same in the low 64 bits. */
export function powerWide(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n ? 1n : base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : 0n
  let [result, square] = [1n, base]
  for (let rest = exponent; rest > 0n; rest /= 2n) {
    if (rest % 2n === 1n) result = BigInt.asUintN(64, result * square)
    square = BigInt.asUintN(64, square * square)
  }
  return result
}

/** Nearest whole number, ties to even; keeps the sign of zero. */
export function round(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x
  const magnitude = roundToEven(Math.abs(x))
  return x < 0 || Object.is(x, -0) ? -magnitude : magnitude
}

/** Floored remainder as in Python: it has the divisor's sign, zero included; NaN for a divisor of 0. */
export function modulo(a: number, b: number): number {
  const rest = a % b
  if (rest === 0) return b < 0 ? -0 : 0
  return rest < 0 === b < 0 ? rest : rest + b
}

export const moduloInteger = (a: number, b: number): number => (b === 0 ? 0 : modulo(a, b))
export const divideInteger = (a: number, b: number): number => (b === 0 ? 0 : Math.trunc(a / b))
export const divideWide = (a: bigint, b: bigint): bigint => (b === 0n ? 0n : a / b)

export function moduloWide(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n
  const rest = a % b
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest
}

/**
 * A double that rounds to any narrower float as the integer itself would: 53 leading bits, with the last one set when any bit was
 * lost (rounding to odd). The plain conversion would round twice.
 */
export function wideToOdd(value: bigint): number {
  const magnitude = value < 0n ? -value : value
  const excess = magnitude.toString(2).length - 53
  if (excess <= 0) return Number(value)
  const kept = magnitude >> BigInt(excess)
  const odd = kept << BigInt(excess) === magnitude ? kept : kept | 1n
  return Math.sign(Number(value)) * Number(odd) * 2 ** excess
}
