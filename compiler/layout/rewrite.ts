import { type Builder, copyNode, type Graph, locatedBuilder, type Node, rebuildGraph } from '../graph/index.ts'
import type { Assignment } from './assign.ts'
import { fromBlocks, toBlocks } from './relayout.ts'

/** The same graph with some nodes working on blocks, and relayouts where values are read in another layout than they are made in. */
export function rewriteLayouts(graph: Graph, assignment: Assignment, block: number): Graph {
  const atOf = (node: Node, builder: Builder) => locatedBuilder(builder, graph.locations.get(node) ?? [])
  /** Relayouts belong to what makes the value. */
  const plain = (node: Node, made: Node, builder: Builder): Node =>
    assignment.has(node) ? fromBlocks(atOf(node, builder), made, node.type.shape[1]!) : made
  const inBlocks = (node: Node, made: Node, builder: Builder): Node =>
    assignment.has(node) ? made : toBlocks(atOf(node, builder), made, block)

  return rebuildGraph(
    graph,
    (node, operands, builder) => {
      const row = assignment.get(node)
      if (!row)
        return copyNode(
          node,
          builder,
          operands.map((made, i) => plain(node.operands[i]!, made, builder)),
        )
      const asked = operands.map((made, i) => {
        const demand = row.demands[i]!
        if (demand === 'either') return made
        return (demand === 'blocked' ? inBlocks : plain)(node.operands[i]!, made, builder)
      })
      return row.build(asked, atOf(node, builder))
    },
    plain,
  )
}
