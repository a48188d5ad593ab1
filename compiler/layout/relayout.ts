import { type Builder, blockedShape, type ConstantData, dtypeFacts, elementCount, type Node, type Shape } from '../graph/index.ts'
import { blocked, unblocked } from '../lower/blocked.ts'
import type { Scope } from '../lower/scope.ts'

const adding =
  (builder: Builder): Scope['node'] =>
  (op, operands, attributes) =>
    builder.add(op, operands, attributes as never)

/** A value in blocks of channels; `shape` is how it is taken, with the channels in dimension 1. Constants are rearranged at build. */
export function toBlocks(builder: Builder, value: Node, block: number, shape: Shape = value.type.shape): Node {
  const { dtype } = value.type
  if (value.data) return builder.constant({ dtype, shape: blockedShape(shape, block) }, blockedData(value, shape, block))
  const same = shape === value.type.shape
  return blocked(adding(builder), same ? value : builder.add('reshape', { input: value }, { shape: [...shape] }), block)
}

/** A value of `channels` channels that stands in blocks, without them. */
export const fromBlocks = (builder: Builder, value: Node, channels: number): Node => unblocked(adding(builder), value, channels)

/** One object for each constant, shape and block, so that equal ones become one node. */
const known = new WeakMap<ConstantData, Map<string, ConstantData>>()

/** Read when somebody asks for the bytes. Lanes without a channel are 0. */
function blockedData({ data, type }: Node, shape: Shape, block: number): ConstantData {
  const own = known.get(data!) ?? new Map<string, ConstantData>()
  known.set(data!, own)
  const key = `${shape.join('x')} ${block}`
  const found = own.get(key) ?? {
    label: `blocks(${data!.label})`,
    read: () => rearranged(data!.read(), dtypeFacts[type.dtype].bytes, shape, block),
  }
  own.set(key, found)
  return found
}

function rearranged(bytes: Uint8Array, width: number, shape: Shape, block: number): Uint8Array {
  const [batch, channels] = shape as [number, number]
  const spatial = elementCount(shape.slice(2))
  const blocks = Math.ceil(channels / block)
  const result = new Uint8Array(batch * blocks * spatial * block * width)
  for (let image = 0; image < batch; image++)
    for (let channel = 0; channel < channels; channel++)
      for (let at = 0; at < spatial; at++) {
        const from = ((image * channels + channel) * spatial + at) * width
        const major = (image * blocks + Math.floor(channel / block)) * spatial + at
        const to = (major * block + (channel % block)) * width
        for (let i = 0; i < width; i++) result[to + i] = bytes[from + i]!
      }
  return result
}
