import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { reject } from '../../../compiler/graph/index.ts'
import { type Field, fieldOf, isMessage, type Message, type MessageName } from './messages.ts'

/** Nesting of messages: three levels for each graph within a graph, and a few at either end. */
const maximumDepth = 100
/** Messages in one file. The largest models have some 100 000 nodes of about ten messages each. */
const maximumMessages = 4_000_000
/** Bytes of a name, a key or a domain. */
const maximumText = 65_536
/** Entries of lists of names and strings in one file. */
const maximumEntries = 8_000_000

type Writable = Record<string, unknown>

/**
 * Reads one message and all within it. `bytes` and packed numbers are views of `bytes`, not copies. Throws ModelProblem
 * `onnx-malformed` for whatever is no such message, and for what is deeper, more or longer than any model.
 */
export function decode<M extends MessageName>(name: M, bytes: Uint8Array): Message<M> {
  const reader = new BinaryReader(bytes)
  const path: string[] = []
  let messages = 0
  let entries = 0

  const malformed = (what: string): never => {
    const place = path.length > 8 ? ['…', ...path.slice(-8)] : path
    const doubt = messages === 1 && reader.pos < 64 ? '; is this an ONNX model?' : ''
    return reject('onnx-malformed', `${place.length > 0 ? `${place.join('.')}, ` : ''}near byte ${reader.pos}: ${what}${doubt}`)
  }
  const expect = (wire: WireType, wanted: WireType): void => {
    if (wire !== wanted) malformed(`the field has wire type ${wire}, expected ${wanted}`)
  }

  function readMessage(message: MessageName, end: number): Writable {
    if (path.length > maximumDepth) malformed(`messages are nested deeper than ${maximumDepth} levels`)
    if (++messages > maximumMessages) malformed(`the file has more than ${maximumMessages} parts`)
    const result: Writable = {}
    let numbers: Map<string, Numbers> | undefined
    const numbersOf = (field: string): Numbers => {
      numbers ??= new Map()
      const list = numbers.get(field) ?? createNumbers()
      numbers.set(field, list)
      return list
    }
    while (reader.pos < end) {
      const [number, wire] = reader.tag()
      const field = fieldOf(message, number)
      if (!field) reader.skip(wire, number)
      else {
        path.push(field.name)
        readField(result, numbersOf, field, wire, end)
        path.pop()
      }
      if (reader.pos > end) malformed(`a field goes on beyond the end of its message at byte ${end}`)
    }
    for (const [field, list] of numbers ?? []) result[field] = list.finish()
    return result
  }

  function readField(result: Writable, numbersOf: (field: string) => Numbers, field: Field, wire: WireType, end: number): void {
    const { kind, name } = field
    const add = (value: unknown): void => {
      if (!field.list) result[name] = value
      else {
        if (++entries > maximumEntries) malformed(`the file has more than ${maximumEntries} list entries`)
        const list = result[name] as unknown[] | undefined
        if (list) list.push(value)
        else result[name] = [value]
      }
    }
    if (kind === 'int') {
      expect(wire, WireType.Varint)
      add(Number(reader.int64()))
    } else if (kind === 'float') {
      expect(wire, WireType.Bit32)
      add(reader.float())
    } else if (kind === 'varints' || kind === 'floats' || kind === 'doubles') {
      const list = numbersOf(name)
      if (wire === WireType.LengthDelimited) list.append(readBytes(end))
      else {
        expect(wire, kind === 'varints' ? WireType.Varint : kind === 'floats' ? WireType.Bit32 : WireType.Bit64)
        list.append(reader.skip(wire))
      }
    } else {
      expect(wire, WireType.LengthDelimited)
      // A part whose content does not matter is passed over, whatever it holds.
      if (kind === 'Presence') {
        readBytes(end)
        add({})
      } else if (isMessage(kind)) add(readMessage(kind, readLength(end)))
      else if (kind === 'bytes') add(readBytes(end))
      else add(readText(end))
    }
  }

  /** Position after a part that starts with its length. */
  function readLength(end: number): number {
    const length = reader.uint32()
    if (length > end - reader.pos) malformed(`it claims ${length} bytes, ${Math.max(0, end - reader.pos)} are left`)
    return reader.pos + length
  }

  function readBytes(end: number): Uint8Array {
    const stop = readLength(end)
    const view = bytes.subarray(reader.pos, stop)
    reader.pos = stop
    return view
  }

  function readText(end: number): string {
    const from = reader.pos
    const length = readLength(end) - reader.pos
    if (length > maximumText) malformed(`a name of ${length} bytes is longer than the limit of ${maximumText}`)
    reader.pos = from
    return reader.string(true)
  }

  try {
    return readMessage(name, bytes.length) as Message<M>
  } catch (error) {
    if (error instanceof Error && error.name === 'ModelProblem') throw error
    // The library throws for ends within a value, unknown wire types, open groups and text that is not UTF-8.
    return malformed(error instanceof RangeError ? 'the file ends within a value' : explain(error))
  }
}

const explain = (error: unknown): string =>
  error instanceof TypeError ? 'a text is not UTF-8' : error instanceof Error ? error.message : String(error)

interface Numbers {
  append(payload: Uint8Array): void
  finish(): Uint8Array
}

/** Collects the payload of a repeated number: one packed part stays the view that it is, more parts are joined. */
function createNumbers(): Numbers {
  let joined: Uint8Array = new Uint8Array(0)
  let length = 0
  let owned = false
  return {
    append(payload) {
      if (length === 0 && !owned) {
        joined = payload
        length = payload.length
        return
      }
      if (!owned || length + payload.length > joined.length) {
        const grown = new Uint8Array(2 * (length + payload.length))
        grown.set(joined.subarray(0, length))
        joined = grown
        owned = true
      }
      joined.set(payload, length)
      length += payload.length
    },
    finish: () => joined.subarray(0, length),
  }
}
