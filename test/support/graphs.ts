import {
  type Builder,
  createBuilder,
  type Graph,
  hasTrait,
  type ModelGraph,
  type Node,
  type Shape,
  type TensorType,
} from '../../compiler/graph/index.ts'

export const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape })

/** A graph from a function that returns its outputs by name; inputs are those the outputs reach. */
export function graphOf(make: (b: Builder) => Readonly<Record<string, Node>>): Graph {
  const builder = createBuilder()
  const outputs = Object.entries(make(builder)).map(([name, value]) => ({ name, value }))
  const { nodes } = builder.finish('all', [], outputs)
  const inputs = nodes.filter((node) => hasTrait(node, 'storage') && node.data === undefined)
  return builder.finish('test', inputs, outputs)
}

/** The graph of a model with one entry. */
export function onlyGraph({ name, entries }: ModelGraph): Graph {
  if (entries.length !== 1) throw new Error(`model '${name}' has ${entries.length} entries`)
  return entries[0]!.graph
}

/** A constant whose elements differ. */
export function weights(b: Builder, label: string, ...shape: number[]): Node {
  const type = f32(...shape)
  const values = Float32Array.from({ length: count(shape) }, (_, i) => ((i * 37) % 101) / 50 - 1)
  return b.constant(type, { label, read: () => new Uint8Array(values.buffer) })
}

const count = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1)

/** Same padding on both sides, bias, as networks for images have them. */
export function conv(b: Builder, input: Node, out: number, kernel: number, label: string, stride = 1): Node {
  const pad = (kernel - 1) / 2
  const operands = {
    input,
    weight: weights(b, label, out, input.type.shape[1]!, kernel, kernel),
    bias: weights(b, `${label}.bias`, out),
  }
  return b.add('conv', operands, { stride: [stride, stride], before: [pad, pad], after: [pad, pad], dilation: [1, 1], groups: 1 })
}

export const relu = (b: Builder, input: Node): Node => b.add('maximum', { left: input, right: b.scalar(input.type.dtype, 0) })
