// Reading just enough of an ONNX file (protobuf wire format, onnx.proto3 field numbers) to hand it to a peer on fair terms.
import protobuf from 'protobufjs/minimal.js'

const model = { graph: 7 }
const graph = { initializer: 5, input: 11 }
const valueInfo = { name: 1 }
const tensor = { name: 8 }

/** Every field of a message as `{ number, bytes }`, `bytes` being the field with its tag. */
function fields(bytes) {
  const reader = protobuf.Reader.create(bytes)
  const list = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = reader.uint32()
    const wire = tag & 7
    const payload = wire === 2 ? reader.bytes() : reader.skipType(wire) && undefined
    list.push({ number: tag >>> 3, payload, bytes: bytes.subarray(start, reader.pos) })
  }
  return list
}

const text = (message, number) =>
  Buffer.from(fields(message).find((field) => field.number === number)?.payload ?? []).toString('utf8')

/**
 * Old exporters list every initialiser among the graph's inputs, which forbids a runtime to treat weights as constants. Dropping
 * them from the inputs lets the peer fold and fuse as far as it can.
 */
export function initializersAsConstants(bytes) {
  const parts = fields(bytes).map((field) => {
    if (field.number !== model.graph) return field.bytes
    const members = fields(field.payload)
    const names = new Set(members.filter((m) => m.number === graph.initializer).map((m) => text(m.payload, tensor.name)))
    const kept = members.filter((m) => m.number !== graph.input || !names.has(text(m.payload, valueInfo.name)))
    return protobuf.Writer.create()
      .uint32((model.graph << 3) | 2)
      .bytes(Buffer.concat(kept.map((m) => m.bytes)))
      .finish()
  })
  return new Uint8Array(Buffer.concat(parts))
}
