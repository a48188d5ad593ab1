// What rows and blocks of small integers stand for, written directly from the formats.
import type { RowFormat } from '../../compiler/graph/ops/rowFormat.ts'
import type { Tensor } from './reference.ts'

/** Integer `index` of a row of bytes: its bits, from the low end of the first byte on. */
function integerAt(bytes: readonly number[], index: number, bits: number): number {
  const first = index * bits
  return ((bytes[Math.floor(first / 8)]! >> (first % 8)) & 255) % 2 ** bits
}

/** A half as a number. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

function parameterAt(bytes: readonly number[], at: number, size: number): number {
  if (size === 2) return half(bytes[at]! | (bytes[at + 1]! << 8))
  return new DataView(Uint8Array.from(bytes.slice(at, at + 4)).buffer).getFloat32(0, true)
}

/** A table of rows in a format as numbers; other tables as they are. */
export function numbersOfRows(table: Tensor, format: RowFormat | undefined): Tensor {
  if (!format) return table
  const [rows, bytes] = table.shape as [number, number]
  const first = format.startsWith('f')
  const bits = Number(format.match(/u(\d)/)![1])
  const size = format.includes('f32') ? 4 : 2
  const width = ((bytes - 2 * size) * 8) / bits
  const values = Array.from({ length: rows }, (_, row) => {
    const own = table.values.slice(row * bytes, (row + 1) * bytes)
    const at = first ? 0 : bytes - 2 * size
    const [scale, offset] = [parameterAt(own, at, size), parameterAt(own, at + size, size)]
    const integers = first ? own.slice(2 * size) : own
    return Array.from({ length: width }, (_, i) => scale * integerAt(integers, i, bits) + offset)
  })
  return { shape: [rows, width], values: values.flat(), whole: false }
}

interface Blocks {
  readonly bits: number
  readonly blockSize: number
  readonly signed: boolean
  readonly zero: number
  readonly size: number
}

/** Rows of small integers in blocks as numbers. */
export function numbersOfBlocks(
  packed: Tensor,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  { bits, blockSize, signed, zero, size }: Blocks,
): readonly number[] {
  const bytes = packed.shape.at(-1)!
  const blocks = scale.shape.at(-1)!
  const rows = packed.values.length / bytes
  return Array.from({ length: rows * size }, (_, i) => {
    const [row, at] = [Math.floor(i / size), i % size]
    const plain = integerAt(packed.values.slice(row * bytes, (row + 1) * bytes), at, bits)
    const integer = signed && plain >= 2 ** (bits - 1) ? plain - 2 ** bits : plain
    const block = row * blocks + Math.floor(at / blockSize)
    return (integer - (zeroPoint?.values[block] ?? zero)) * scale.values[block]!
  })
}
