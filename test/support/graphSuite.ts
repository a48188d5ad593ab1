import * as fc from 'fast-check'
import { createBuilder, type Graph, inputName, type Node, type Output } from '../../compiler/graph/index.ts'
import { copyNode } from '../../compiler/graph/rebuild.ts'
import { arbitraryGraph, randomInputs } from './randomGraph.ts'
import { expectOutputs } from './sensitivity.ts'

type Bytes = Readonly<Record<string, Uint8Array>>

/** Random graphs as one, and what its outputs must be. */
export interface GraphSuite {
  readonly graph: Graph
  readonly inputs: Bytes
  /** Throws where an output is not what the interpreter makes of the graph as it was drawn. */
  check(outputs: Bytes): void
}

/** Graphs side by side in one, so that one run of clang serves all of them; names are prefixed with the graph's number. */
export function union(graphs: readonly Graph[]): Graph {
  const builder = createBuilder()
  const inputs: Node[] = []
  const outputs: Output[] = []
  for (const [i, graph] of graphs.entries()) {
    const copies = new Map<Node, Node>()
    for (const node of graph.nodes) {
      const isInput = graph.inputs.includes(node)
      const copy = isInput
        ? builder.input(`${i} ${inputName(node)}`, node.type)
        : copyNode(
            node,
            builder,
            node.operands.map((operand) => copies.get(operand)!),
          )
      copies.set(node, copy)
      if (isInput) inputs.push(copy)
    }
    outputs.push(...graph.outputs.map(({ name, value }) => ({ name: `${i} ${name}`, value: copies.get(value)! })))
  }
  return builder.finish('union', inputs, outputs)
}

/** Tensors without dimensions or elements, of 64-bit integers as often as of floats. */
const edges = { maximumNodes: 14, extents: [0, 1, 2, 3], dtypes: ['i64', 'i64', 'f32', 'f32', 'u8', 'bool'] } as const

/** As many graphs as asked, from a seed, and half as many at the edges of what is legal; see `draw.ts`. */
export function graphSuite({ seed, numRuns }: { readonly seed: number; readonly numRuns: number }): GraphSuite {
  const graphs = [
    ...fc.sample(arbitraryGraph({ maximumNodes: 14 }), { seed, numRuns }),
    ...fc.sample(arbitraryGraph(edges), { seed, numRuns: Math.ceil(numRuns / 2) }),
  ]
  const given = graphs.map((graph, i) => randomInputs(graph, seed * 1000 + i))
  return {
    graph: union(graphs),
    inputs: Object.fromEntries(given.flatMap((list, i) => Object.entries(list).map(([name, bytes]) => [`${i} ${name}`, bytes]))),
    check(outputs) {
      for (const [i, graph] of graphs.entries()) {
        const own = Object.fromEntries(graph.outputs.map(({ name }) => [name, outputs[`${i} ${name}`]!]))
        expectOutputs(own, graph, given[i]!)
      }
    },
  }
}
