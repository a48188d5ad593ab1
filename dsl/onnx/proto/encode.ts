import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { reject } from '../../../compiler/graph/index.ts'
import { fieldsOf, isMessage, type Message, type MessageName, type ScalarKind } from './messages.ts'
import { toInt64 } from './numbers.ts'

/** What protobuf can hold. */
const maximumSize = 2 ** 31 - 1

/** Bytes in pieces: large payloads are not copied until the whole is. */
interface Pieces {
  readonly pieces: readonly Uint8Array[]
  readonly size: number
}

/** The bytes of a message: fields in the order of their numbers, repeated numbers packed. Equal messages give equal bytes. */
export function encode<M extends MessageName>(name: M, message: Message<M>): Uint8Array {
  const { pieces, size } = encodeMessage(name, message as Record<string, unknown>)
  if (size > maximumSize)
    reject('onnx-unsupported', `the file would have ${size} bytes, the format holds ${maximumSize}; export a smaller model`)
  const bytes = new Uint8Array(size)
  let position = 0
  for (const piece of pieces) {
    bytes.set(piece, position)
    position += piece.length
  }
  return bytes
}

function encodeMessage(name: MessageName, message: Readonly<Record<string, unknown>>): Pieces {
  const pieces: Uint8Array[] = []
  let size = 0
  let writer = new BinaryWriter()
  const add = (piece: Uint8Array) => {
    pieces.push(piece)
    size += piece.length
  }
  const addLong = (number: number, length: number, parts: readonly Uint8Array[]) => {
    writer.tag(number, WireType.LengthDelimited).uint32(length)
    add(writer.finish())
    writer = new BinaryWriter()
    for (const part of parts) add(part)
  }
  for (const { name: field, number, kind, list } of fieldsOf(name)) {
    const value = message[field]
    if (value === undefined) continue
    for (const each of list ? (value as readonly unknown[]) : [value]) {
      if (isMessage(kind)) {
        const inner = encodeMessage(kind, each as Record<string, unknown>)
        if (inner.size > maximumSize)
          reject('onnx-unsupported', `the model has more than the ${maximumSize} bytes that the format holds`)
        addLong(number, inner.size, inner.pieces)
      } else if (each instanceof Uint8Array) addLong(number, each.length, [each])
      else writeScalar(writer, number, kind, each)
    }
  }
  add(writer.finish())
  return { pieces, size }
}

function writeScalar(writer: BinaryWriter, number: number, kind: ScalarKind, value: unknown): void {
  if (kind === 'int') writer.tag(number, WireType.Varint).int64(toInt64(value as number))
  else if (kind === 'float') writer.tag(number, WireType.Bit32).raw(floatBytes(value as number))
  else writer.tag(number, WireType.LengthDelimited).string(value as string)
}

/** Not `writer.float`, which refuses numbers that round to infinity. */
function floatBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return bytes
}
