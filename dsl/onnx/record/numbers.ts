import { type DType, dtypeFacts, elementsOf, isFloat, scalarBytes } from '../../../compiler/graph/index.ts'

/**
 * The shortest decimal that a number keeps its element through: the f32 behind 0.10000000149011612 is written 0.1. Formats narrower than
 * f32 are treated alike; f64 prints short by itself.
 */
export function shortest(dtype: DType, value: number): number {
  if (!isFloat(dtype) || dtype === 'f64' || !Number.isFinite(value) || Number.isInteger(value)) return value
  const same = (candidate: number) => elementsOf(dtype, scalarBytes(dtype, candidate)).get(0) === value
  for (let digits = 1; digits < 10; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (same(candidate)) return candidate
  }
  return value
}

/** Elements as the model writes them: shortest decimals, and bigint where a 64-bit integer is beyond the exact numbers. */
export function writtenValues(dtype: DType, bytes: Uint8Array): (number | bigint)[] {
  const elements = elementsOf(dtype, bytes)
  const { bytes: width, kind } = dtypeFacts[dtype]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: elements.length }, (_, i) => {
    const value = elements.get(i)
    if (Number.isSafeInteger(value) || width < 8 || kind === 'float') return shortest(dtype, value)
    return kind === 'signed' ? view.getBigInt64(i * 8, true) : view.getBigUint64(i * 8, true)
  })
}
