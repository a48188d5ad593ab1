/**
 * What matrix-like kernels multiply and add: elements of four bytes, one in each lane of their operands, and accumulators with as many
 * lanes. `pairs` are two integers of 16 bits each, whose two products with another pair are summed in i32; `quads` four integers of 8 bits,
 * without a sign in the broadcast operand and with one in the streamed one, whose four products are. `bf16Pairs` are two numbers of bf16, whose
 * products are summed in f32.
 */
export interface Arithmetic {
  /** C type of elements. */
  readonly element: 'f32' | 'i32'
  readonly vector: 'vf' | 'vi'
  /** C type of accumulators. Default: `vector`. */
  readonly sums?: 'vf'
  readonly zero: string
  readonly splat: (element: string) => string
  readonly multiplyAdd: (accumulator: string, a: string, b: string) => string
}

export const singles: Arithmetic = {
  element: 'f32',
  vector: 'vf',
  zero: 'SPLAT(0.0f)',
  splat: (element) => `SPLAT(${element})`,
  multiplyAdd: (accumulator, a, b) => `MAC(${accumulator}, ${a}, ${b});`,
}

export const pairs: Arithmetic = {
  element: 'i32',
  vector: 'vi',
  zero: 'SPLAT_I(0)',
  splat: (element) => `SPLAT_I(${element})`,
  multiplyAdd: (accumulator, a, b) => `DOT(${accumulator}, ${a}, ${b});`,
}

export const quads: Arithmetic = {
  element: 'i32',
  vector: 'vi',
  zero: 'SPLAT_I(0)',
  splat: (element) => `SPLAT_I(${element})`,
  multiplyAdd: (accumulator, a, b) => `QUAD(${accumulator}, ${a}, ${b});`,
}

/** Quads whose broadcast bytes have a sign: with the other top bit they are 128 more, without one. */
export const shiftedQuads: Arithmetic = { ...quads, splat: (element) => `(SPLAT_I(${element}) ^ (i32)0x80808080)` }

export const bf16Pairs: Arithmetic = {
  element: 'i32',
  vector: 'vi',
  sums: 'vf',
  zero: 'SPLAT(0.0f)',
  splat: (element) => `SPLAT_I(${element})`,
  multiplyAdd: (accumulator, a, b) => `DOT_BF16(${accumulator}, ${a}, ${b});`,
}
