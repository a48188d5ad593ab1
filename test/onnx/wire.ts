/** Protocol-buffer bytes written by hand, so that the reader is tested against the format and not against our own writer. */

const utf8 = new TextEncoder()
export function bytesOf(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let position = 0
  for (const part of parts) {
    bytes.set(part, position)
    position += part.length
  }
  return bytes
}

/** A varint of up to 64 bits; negative numbers take ten bytes. */
export function varint(value: number | bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return bytes
}

const tag = (field: number, wire: number) => varint(field * 8 + wire)

export const integer = (field: number, value: number | bigint): Uint8Array => bytesOf(tag(field, 0), varint(value))
export const text = (field: number, value: string): Uint8Array => block(field, utf8.encode(value))
export const fixed32 = (field: number, value: number): Uint8Array =>
  bytesOf(tag(field, 5), new Uint8Array(new Float32Array([value]).buffer))
/** A field that starts with its length: bytes, a message from its parts, packed numbers. */
export const block = (field: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array => {
  const payload = bytesOf(...parts)
  return bytesOf(tag(field, 2), varint(payload.length), payload)
}

/** Field numbers of onnx.proto3, as far as the tests write them. */
export const model = (...graph: readonly Uint8Array[]): Uint8Array =>
  bytesOf(integer(1, 8), block(8, integer(2, 17)), block(7, ...graph))
export const nodeField = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: readonly Uint8Array[]
): Uint8Array => block(1, ...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, op), ...more)
export const initializer = (...parts: readonly Uint8Array[]): Uint8Array => block(5, ...parts)
/** A value of a graph's border: field 11 is an input, 12 an output. */
export const value = (field: 11 | 12, name: string, element = 1, dims: readonly (number | string)[] = []): Uint8Array =>
  block(
    field,
    text(1, name),
    block(
      2,
      block(
        1,
        integer(1, element),
        block(2, ...dims.map((dim) => block(1, typeof dim === 'number' ? integer(1, dim) : text(2, dim)))),
      ),
    ),
  )
