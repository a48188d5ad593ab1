import type { Graph, Node } from './node.ts'

/** IR-13. How many nodes read each value; being an output counts as one more for each. A node that reads a value twice counts once. */
export function countUses(graph: Pick<Graph, 'nodes' | 'outputs'>): Map<Node, number> {
  const uses = new Map<Node, number>()
  const use = (node: Node) => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of graph.nodes) new Set(node.operands).forEach(use)
  for (const { value } of graph.outputs) use(value)
  return uses
}

/** The nodes that read each value; a node that reads it twice is there once. Values that nobody reads are absent. */
export function findUsers({ nodes }: Pick<Graph, 'nodes'>): Map<Node, readonly Node[]> {
  const users = new Map<Node, Node[]>()
  for (const node of nodes)
    for (const operand of new Set(node.operands)) {
      const known = users.get(operand)
      if (known) known.push(node)
      else users.set(operand, [node])
    }
  return users
}
