import { type DType, dtypeFacts } from '../../compiler/graph/dtype.ts'
import { elementsOf, scalarBytes } from '../../compiler/graph/scalar.ts'

/**
 * C types. Storage types carry the dtype's name (`bool8` for bool; 16- and 8-bit floats are integers of their width); arithmetic on
 * 16-bit floats is done in float and rounded after every op, on integers in their own type with wrap-around, on bool as 0 and 1.
 */
export const storageType: Readonly<Record<DType, string>> = {
  f32: 'f32',
  f64: 'f64',
  f16: 'f16',
  bf16: 'bf16',
  f8e4m3: 'f8e4m3',
  f8e5m2: 'f8e5m2',
  i8: 'i8',
  u8: 'u8',
  i16: 'i16',
  u16: 'u16',
  i32: 'i32',
  u32: 'u32',
  i64: 'i64',
  u64: 'u64',
  bool: 'bool8',
}

/** Floats narrower than f32: stored as bits, computed with as float. */
export const isNarrow = (dtype: DType): boolean => dtypeFacts[dtype].kind === 'float' && dtypeFacts[dtype].bytes < 4

/**
 * How elements stand in vectors: f32 as they are (`vf`), integers of up to 32 bits but u32 as i32, and bool as masks of 0 and -1
 * (both `vi`). Other dtypes have no vectors.
 */
export type LaneKind = 'single' | 'whole' | 'mask'
const laneKinds: Readonly<Partial<Record<DType, LaneKind>>> = {
  f32: 'single',
  i8: 'whole',
  u8: 'whole',
  i16: 'whole',
  u16: 'whole',
  i32: 'whole',
  bool: 'mask',
}
export const laneKind = (dtype: DType): LaneKind | undefined => laneKinds[dtype]

export const computeType = (dtype: DType): string => (isNarrow(dtype) ? 'f32' : storageType[dtype])

/** An element as a value of the compute type. */
export function loadText(dtype: DType, element: string): string {
  if (isNarrow(dtype)) return `gp_from_${dtype}(${element})`
  return dtype === 'bool' ? `(bool8)(${element} != 0)` : element
}

/** What to store for a value of the compute type. */
export const storeText = (dtype: DType, value: string): string => (isNarrow(dtype) ? `gp_to_${dtype}(${value})` : value)

/** A value of the compute type, after an op, as its dtype holds it. */
export const roundedText = (dtype: DType, value: string): string =>
  isNarrow(dtype) ? `gp_from_${dtype}(gp_to_${dtype}(${value}))` : value

/** The number as `cast` would convert it to the dtype, as a C constant of the compute type. */
export function literalText(dtype: DType, value: number): string {
  const bytes = scalarBytes(dtype, value)
  if (dtype === 'i64' || dtype === 'u64') {
    const view = new DataView(bytes.buffer)
    if (dtype === 'u64') return `${view.getBigUint64(0, true)}ull`
    const wide = view.getBigInt64(0, true)
    return wide === -(2n ** 63n) ? '(-9223372036854775807ll - 1)' : `(${wide}ll)`
  }
  const exact = elementsOf(dtype, bytes).get(0)
  const { kind } = dtypeFacts[dtype]
  if (kind === 'float') return floatText(exact, dtype === 'f64')
  if (kind === 'bool') return `(bool8)${exact}`
  if (dtype === 'i32' && exact === -(2 ** 31)) return '(-2147483647 - 1)'
  return dtype === 'u32' ? `${exact}u` : `(${storageType[dtype]})(${exact})`
}

export function floatText(value: number, double = false): string {
  const suffix = double ? '' : 'f'
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`
  if (!Number.isFinite(value)) return value < 0 ? `(-__builtin_inf${suffix}())` : `__builtin_inf${suffix}()`
  const digits = String(Math.abs(value))
  const text = `${/[.e]/.test(digits) ? digits : `${digits}.0`}${suffix}`
  return value < 0 || Object.is(value, -0) ? `(-${text})` : text
}

/** A float computed in double, as its dtype holds it. */
export const fromDouble = (dtype: DType, value: string): string =>
  isNarrow(dtype) ? roundedText(dtype, `gp_odd_f64(${value})`) : `(${computeType(dtype)})${value}`
