import { type DType, dtypeFacts } from './dtype.ts'

/** A read and write view of the elements of a tensor as numbers; 64-bit integers beyond 2^53 keep only their nearest double here. */
export interface Elements {
  readonly length: number
  get(index: number): number
  set(index: number, value: number): void
}

const littleEndian = true

/**
 * Elements of little-endian bytes. Writing converts as `cast` does: to integers truncated and saturated with NaN as 0, to `bool` as
 * `!= 0`, to narrower floats rounded to nearest even.
 */
export function elementsOf(dtype: DType, bytes: Uint8Array): Elements {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const width = dtypeFacts[dtype].bytes
  const access = accessors[dtype]
  return {
    length: Math.floor(bytes.byteLength / width),
    get: (index) => access.get(view, index * width),
    set: (index, value) => access.set(view, index * width, value),
  }
}

export function scalarBytes(dtype: DType, value: number): Uint8Array {
  const bytes = new Uint8Array(dtypeFacts[dtype].bytes)
  elementsOf(dtype, bytes).set(0, value)
  return bytes
}

interface Accessor {
  readonly get: (view: DataView, offset: number) => number
  readonly set: (view: DataView, offset: number, value: number) => void
}

/** Truncates towards zero and saturates; NaN becomes 0. */
export const saturate = (value: number, low: number, high: number): number =>
  Number.isNaN(value) ? 0 : Math.min(high, Math.max(low, Math.trunc(value)))

function saturateBig(value: number, low: bigint, high: bigint): bigint {
  if (Number.isNaN(value)) return 0n
  if (value >= Number(high)) return high
  if (value <= Number(low)) return low
  return BigInt(Math.trunc(value))
}

const accessors: Readonly<Record<DType, Accessor>> = {
  f32: { get: (v, o) => v.getFloat32(o, littleEndian), set: (v, o, x) => v.setFloat32(o, x, littleEndian) },
  f64: { get: (v, o) => v.getFloat64(o, littleEndian), set: (v, o, x) => v.setFloat64(o, x, littleEndian) },
  f16: {
    get: (v, o) => decodeSmallFloat(v.getUint16(o, littleEndian), 5, 10, true),
    set: (v, o, x) => v.setUint16(o, encodeSmallFloat(x, 5, 10), littleEndian),
  },
  bf16: {
    get: (v, o) => decodeSmallFloat(v.getUint16(o, littleEndian), 8, 7, true),
    set: (v, o, x) => v.setUint16(o, encodeSmallFloat(x, 8, 7), littleEndian),
  },
  f8e4m3: { get: (v, o) => decodeSmallFloat(v.getUint8(o), 4, 3, false), set: (v, o, x) => v.setUint8(o, encodeE4M3(x)) },
  f8e5m2: {
    get: (v, o) => decodeSmallFloat(v.getUint8(o), 5, 2, true),
    set: (v, o, x) => v.setUint8(o, encodeSmallFloat(x, 5, 2)),
  },
  i8: { get: (v, o) => v.getInt8(o), set: (v, o, x) => v.setInt8(o, saturate(x, -128, 127)) },
  u8: { get: (v, o) => v.getUint8(o), set: (v, o, x) => v.setUint8(o, saturate(x, 0, 255)) },
  i16: { get: (v, o) => v.getInt16(o, littleEndian), set: (v, o, x) => v.setInt16(o, saturate(x, -32768, 32767), littleEndian) },
  u16: { get: (v, o) => v.getUint16(o, littleEndian), set: (v, o, x) => v.setUint16(o, saturate(x, 0, 65535), littleEndian) },
  i32: {
    get: (v, o) => v.getInt32(o, littleEndian),
    set: (v, o, x) => v.setInt32(o, saturate(x, -(2 ** 31), 2 ** 31 - 1), littleEndian),
  },
  u32: {
    get: (v, o) => v.getUint32(o, littleEndian),
    set: (v, o, x) => v.setUint32(o, saturate(x, 0, 2 ** 32 - 1), littleEndian),
  },
  i64: {
    get: (v, o) => Number(v.getBigInt64(o, littleEndian)),
    set: (v, o, x) => v.setBigInt64(o, saturateBig(x, -(2n ** 63n), 2n ** 63n - 1n), littleEndian),
  },
  u64: {
    get: (v, o) => Number(v.getBigUint64(o, littleEndian)),
    set: (v, o, x) => v.setBigUint64(o, saturateBig(x, 0n, 2n ** 64n - 1n), littleEndian),
  },
  bool: { get: (v, o) => (v.getUint8(o) === 0 ? 0 : 1), set: (v, o, x) => v.setUint8(o, x !== 0 ? 1 : 0) },
}

/** IEEE-style float of 1 sign bit, `exponentBits` and `mantissaBits`; `e4m3` has no infinities and one NaN pattern per sign. */
function decodeSmallFloat(bits: number, exponentBits: number, mantissaBits: number, infinities: boolean): number {
  const bias = 2 ** (exponentBits - 1) - 1
  const sign = bits >>> (exponentBits + mantissaBits) ? -1 : 1
  const exponent = (bits >>> mantissaBits) & (2 ** exponentBits - 1)
  const mantissa = bits & (2 ** mantissaBits - 1)
  const top = exponent === 2 ** exponentBits - 1
  if (top && infinities) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
  if (top && mantissa === 2 ** mantissaBits - 1) return Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits)
  return sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias)
}

/** Round to nearest, ties to even, from the double; overflow goes to infinity, whose pattern is all ones in the exponent. */
function encodeSmallFloat(value: number, exponentBits: number, mantissaBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1
  const signBit = value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + mantissaBits) : 0
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits
  if (Number.isNaN(value)) return infinity + 2 ** (mantissaBits - 1)
  const magnitude = Math.abs(value)
  if (magnitude === Number.POSITIVE_INFINITY) return signBit + infinity
  if (magnitude === 0) return signBit
  return signBit + Math.min(encodeMagnitude(magnitude, bias, mantissaBits), infinity)
}

/** Bits of a positive finite number in a format without an upper end. */
function encodeMagnitude(magnitude: number, bias: number, mantissaBits: number): number {
  const exponent = Math.max(exponentOf(magnitude), 1 - bias)
  const units = roundToEven(magnitude / 2 ** (exponent - mantissaBits))
  // Units below 2^mantissaBits are subnormal; a carry out of the mantissa moves into the exponent by itself.
  return exponent === 1 - bias && units < 2 ** mantissaBits
    ? units
    : (exponent + bias) * 2 ** mantissaBits + (units - 2 ** mantissaBits)
}

/** Largest finite value 448; beyond it, and for infinities, NaN (OCP 8-bit floating point, without saturation). */
function encodeE4M3(value: number): number {
  const signBit = value < 0 || Object.is(value, -0) ? 0x80 : 0
  const magnitude = Math.abs(value)
  // 464 lies halfway between 448 and the 480 that would follow; the tie goes to the even 448.
  if (Number.isNaN(value) || magnitude > 464) return signBit + 0x7f
  return signBit + (magnitude === 0 ? 0 : encodeMagnitude(magnitude, 7, 3))
}

function exponentOf(magnitude: number): number {
  let exponent = Math.floor(Math.log2(magnitude))
  if (2 ** exponent > magnitude) exponent--
  if (2 ** (exponent + 1) <= magnitude) exponent++
  return exponent
}

export function roundToEven(value: number): number {
  const down = Math.floor(value)
  const rest = value - down
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
}
