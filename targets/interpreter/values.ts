import { type DType, dtypeFacts } from '../../compiler/graph/dtype.ts'
import { elementsOf } from '../../compiler/graph/scalar.ts'
import type { TensorType } from '../../compiler/graph/type.ts'

/** The value of one element: a bigint for the 64-bit integers, which a double cannot hold, else a number. */
export type Scalar = number | bigint
/** All elements of a tensor, exact. Which of the three follows from the dtype alone. */
export type Values = Float64Array | BigInt64Array | BigUint64Array

/** Little-endian dense row-major bytes with their type; the form in which operands come in and results go out. */
export interface Tensor {
  readonly type: TensorType
  readonly bytes: Uint8Array
}

/** Exact element access; writing expects a value that the dtype holds, except that floats are rounded to nearest even. */
export interface ExactElements {
  readonly get: (index: number) => Scalar
  readonly set: (index: number, value: Scalar) => void
}

/** Whether elements are bigints. */
export const isWide = (dtype: DType): boolean => dtype === 'i64' || dtype === 'u64'

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export function exactElements(dtype: DType, bytes: Uint8Array): ExactElements {
  const view = viewOf(bytes)
  if (dtype === 'i64')
    return { get: (i) => view.getBigInt64(i * 8, true), set: (i, x) => view.setBigInt64(i * 8, x as bigint, true) }
  if (dtype === 'u64')
    return { get: (i) => view.getBigUint64(i * 8, true), set: (i, x) => view.setBigUint64(i * 8, x as bigint, true) }
  if (dtype === 'f32')
    return { get: (i) => view.getFloat32(i * 4, true), set: (i, x) => view.setFloat32(i * 4, x as number, true) }
  return elementsOf(dtype, bytes) as ExactElements
}

export function newValues(dtype: DType, count: number): Values {
  if (dtype === 'i64') return new BigInt64Array(count)
  if (dtype === 'u64') return new BigUint64Array(count)
  return new Float64Array(count)
}

export function decode({ type, bytes }: Tensor): Values {
  const count = bytes.byteLength / dtypeFacts[type.dtype].bytes
  const values = newValues(type.dtype, count)
  if (type.dtype === 'f32') {
    const view = viewOf(bytes)
    for (let i = 0; i < count; i++) values[i] = view.getFloat32(i * 4, true)
  } else {
    const elements = exactElements(type.dtype, bytes)
    for (let i = 0; i < count; i++) values[i] = elements.get(i)
  }
  return values
}

/** For ops that the 64-bit integers never reach. */
export const decodeNumbers = (tensor: Tensor): Float64Array => decode(tensor) as Float64Array

/** Rounds to the dtype: the one rounding of a computed result. */
export function encode(dtype: DType, values: Values): Uint8Array {
  const bytes = new Uint8Array(values.length * dtypeFacts[dtype].bytes)
  if (dtype === 'f32') {
    const view = viewOf(bytes)
    for (let i = 0; i < values.length; i++) view.setFloat32(i * 4, values[i] as number, true)
  } else {
    const elements = exactElements(dtype, bytes)
    for (let i = 0; i < values.length; i++) elements.set(i, values[i]!)
  }
  return bytes
}

/** The nearest number that the dtype holds, ties to even; integers and bool come back as they are. */
export function rounding(dtype: DType): (value: number) => number {
  if (dtype === 'f32') return Math.fround
  if (dtype === 'f64' || dtypeFacts[dtype].kind !== 'float') return (value) => value
  const cell = elementsOf(dtype, new Uint8Array(2))
  return (value) => {
    cell.set(0, value)
    return cell.get(0)
  }
}

/** Brings any whole number within ±2^53 into the range of an integer dtype of at most 32 bits, keeping its low bits. */
export function wrapping(dtype: DType): (value: number) => number {
  switch (dtype) {
    case 'i8':
      return (x) => (x << 24) >> 24
    case 'u8':
      return (x) => x & 0xff
    case 'i16':
      return (x) => (x << 16) >> 16
    case 'u16':
      return (x) => x & 0xffff
    case 'u32':
      return (x) => x >>> 0
    default:
      return (x) => x | 0
  }
}

/** The same for the 64-bit integers. */
export const wrappingWide = (dtype: DType): ((value: bigint) => bigint) =>
  dtype === 'i64' ? (x) => BigInt.asIntN(64, x) : (x) => BigInt.asUintN(64, x)

/** Smallest and largest value of an integer dtype. */
export function integerRange(dtype: DType): readonly [bigint, bigint] {
  const bits = BigInt(dtypeFacts[dtype].bytes * 8)
  return dtypeFacts[dtype].kind === 'signed' ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n]
}
