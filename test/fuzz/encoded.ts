// Graphs as messages between processes.
import { createBuilder, type Graph, type Node, type TensorType } from '../../compiler/graph/index.ts'

interface EncodedNode {
  readonly op: string
  /** Places in the list of nodes. */
  readonly operands: readonly number[]
  readonly attributes: Node['attributes']
  readonly type: TensorType
  /** Bytes of a constant. */
  readonly bytes?: Uint8Array
  readonly bodies?: readonly EncodedGraph[]
}

/** A graph as plain data that the structured clone of Node's channels can carry. */
export interface EncodedGraph {
  readonly name: string
  readonly nodes: readonly EncodedNode[]
  readonly inputs: readonly number[]
  readonly outputs: readonly { readonly name: string; readonly value: number }[]
}

export function encodeGraph({ name, nodes, inputs, outputs }: Graph): EncodedGraph {
  const places = new Map(nodes.map((node, i) => [node, i]))
  const at = (node: Node) => places.get(node)!
  return {
    name,
    nodes: nodes.map(({ op, operands, attributes, type, data, bodies }) => ({
      op,
      operands: operands.map(at),
      attributes,
      type,
      ...(data ? { bytes: data.read() } : {}),
      ...(bodies ? { bodies: bodies.map(encodeGraph) } : {}),
    })),
    inputs: inputs.map(at),
    outputs: outputs.map((output) => ({ name: output.name, value: at(output.value) })),
  }
}

export function decodeGraph({ name, nodes, inputs, outputs }: EncodedGraph): Graph {
  const builder = createBuilder()
  const made: Node[] = []
  for (const { op, operands, attributes, type, bytes, bodies } of nodes) {
    const list = operands.map((place) => made[place]!)
    made.push(
      bytes
        ? builder.literal(type, bytes, 'random')
        : op === 'input'
          ? builder.input(attributes.name as string, type)
          : builder.addFlat(op, list, attributes, undefined, bodies?.map(decodeGraph)),
    )
  }
  return builder.finish(
    name,
    inputs.map((place) => made[place]!),
    outputs.map((output) => ({ name: output.name, value: made[output.value]! })),
  )
}
