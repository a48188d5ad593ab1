import type { StoredFloat } from '../../compiler/fuse/kernel.ts'

/**
 * Elements of f32 in 16 bits each, for values that the format holds exactly (`exactFormat` of `compiler/fuse/stored.ts`): of bf16 the upper
 * halves, of f16 a sign, 5 bits of exponent and 10 of fraction.
 */
export function inSixteenBits(dense: Uint8Array, format: StoredFloat): Uint16Array {
  const words = new Uint32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength))
  const result = new Uint16Array(words.length)
  if (format === 'bf16') for (let i = 0; i < words.length; i++) result[i] = words[i]! >>> 16
  else for (let i = 0; i < words.length; i++) result[i] = halfOf(words[i]!)
  return result
}

function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 0xff) - 127
  if (exponent < -24) return sign
  const fraction = word & 0x7fffff
  // Below 2^-14 the leading one is written out.
  return exponent < -14 ? sign | ((fraction | 0x800000) >>> (-1 - exponent)) : sign | ((exponent + 15) << 10) | (fraction >>> 13)
}
