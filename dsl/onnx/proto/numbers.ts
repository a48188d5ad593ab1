import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { reject } from '../../../compiler/graph/index.ts'

/** The integers of a packed payload as the nearest numbers. `tooMany` must throw. */
export function readVarints(payload: Uint8Array | undefined, limit: number, tooMany: () => never): number[] {
  const numbers: number[] = []
  if (!payload) return numbers
  const reader = new BinaryReader(payload)
  while (reader.pos < payload.length) {
    if (numbers.length >= limit) tooMany()
    try {
      numbers.push(Number(reader.int64()))
    } catch {
      reject('onnx-malformed', 'a list of integers ends within a number')
    }
  }
  return numbers
}

/** The floats of a packed payload. */
export function readFloats(payload: Uint8Array | undefined): number[] {
  if (!payload) return []
  if (payload.length % 4 !== 0)
    reject('onnx-malformed', `a list of floats has ${payload.length} bytes, which is no multiple of 4`)
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  return Array.from({ length: payload.length / 4 }, (_, i) => view.getFloat32(i * 4, true))
}

/** The payload of integers. Those beyond 64 bits are brought to the ends of their range: the nearest number of 2^63 − 1 is 2^63. */
export function writeVarints(numbers: readonly number[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const number of numbers) writer.int64(toInt64(number))
  return writer.finish()
}

const smallest = -(2n ** 63n)
const largest = 2n ** 63n - 1n

export function toInt64(number: number): bigint {
  const exact = BigInt(Math.trunc(number))
  return exact < smallest ? smallest : exact > largest ? largest : exact
}

export function writeFloats(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [i, number] of numbers.entries()) view.setFloat32(i * 4, number, true)
  return bytes
}
