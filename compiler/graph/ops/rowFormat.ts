// Rows of tables in few bytes, each with its own scale and offset.
import type { DType } from '../dtype.ts'

/**
 * A row of `width` small integers without a sign and the two numbers of which each stands for `scale · q + offset`, computed in f32. Integers of
 * less than a byte stand in a byte from its low end up, the first first.
 */
export interface RowFacts {
  /** Bits of an integer. */
  readonly bits: 2 | 4 | 8
  /** What scale and offset are stored as, in this order, without padding. */
  readonly parameter: DType & ('f32' | 'f16')
  /** Bytes of both. */
  readonly header: number
  /** Whether they stand in front of the integers. */
  readonly first: boolean
}

const facts = (bits: RowFacts['bits'], parameter: RowFacts['parameter'], first = false): RowFacts => ({
  bits,
  parameter,
  header: parameter === 'f32' ? 8 : 4,
  first,
})

/**
 * Formats by name, which lists what stands in a row in its order: Glow and Caffe2 keep scale and offset behind the integers (`UInt8FusedQ`,
 * `UInt8FusedFP16Q`, `UInt4FusedQ`, `UInt4FusedFP16Q`), FBGEMM's IntNBitTableBatchedEmbeddingBags in front.
 */
export const rowFormats = {
  u8f32: facts(8, 'f32'),
  u8f16: facts(8, 'f16'),
  u4f32: facts(4, 'f32'),
  u4f16: facts(4, 'f16'),
  u2f16: facts(2, 'f16'),
  f16u8: facts(8, 'f16', true),
  f16u4: facts(4, 'f16', true),
  f16u2: facts(2, 'f16', true),
} as const

export type RowFormat = keyof typeof rowFormats
export const rowFormatNames = Object.keys(rowFormats) as [RowFormat, ...RowFormat[]]

/** Numbers in a row of so many bytes. */
export const widthOfRow = (format: RowFormat, bytes: number): number =>
  ((bytes - rowFormats[format].header) * 8) / rowFormats[format].bits
