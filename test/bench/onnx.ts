// Just enough of the wire format of ONNX files (field numbers of onnx.proto3) to hand them to a peer on fair terms.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

const model = { graph: 7 }
const graph = { initializer: 5, input: 11 }
const valueInfo = { name: 1 }
const tensor = { name: 8 }

interface Field {
  readonly number: number
  /** Of a field that has a length. */
  readonly payload?: Uint8Array
  /** The field with its tag. */
  readonly whole: Uint8Array
}

function fieldsOf(bytes: Uint8Array): readonly Field[] {
  const reader = new BinaryReader(bytes)
  const fields: Field[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [number, wire] = reader.tag()
    const payload = wire === WireType.LengthDelimited ? reader.bytes() : undefined
    if (!payload) reader.skip(wire, number)
    fields.push({ number, ...(payload && { payload }), whole: bytes.subarray(start, reader.pos) })
  }
  return fields
}

const textOf = (message: Uint8Array | undefined, number: number): string =>
  new TextDecoder().decode(message && fieldsOf(message).find((field) => field.number === number)?.payload)

/**
 * Old exporters list every initialiser among the graph's inputs, which forbids a runtime to treat weights as constants. Dropping them
 * from the inputs lets the peer fold and fuse as far as it can.
 */
export function initializersAsConstants(bytes: Uint8Array): Uint8Array {
  const parts = fieldsOf(bytes).map(({ number, payload, whole }) => {
    if (number !== model.graph || !payload) return whole
    const members = fieldsOf(payload)
    const names = new Set(members.filter((m) => m.number === graph.initializer).map((m) => textOf(m.payload, tensor.name)))
    const kept = members.filter((m) => m.number !== graph.input || !names.has(textOf(m.payload, valueInfo.name)))
    const inner = Buffer.concat(kept.map((m) => m.whole))
    return new BinaryWriter().tag(model.graph, WireType.LengthDelimited).bytes(inner).finish()
  })
  return new Uint8Array(Buffer.concat(parts))
}
