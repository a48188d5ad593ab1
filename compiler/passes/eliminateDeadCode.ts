import { copyNode, rebuildGraph } from '../graph/index.ts'
import type { Pass } from './pass.ts'

/**
 * Drops what no output needs; inputs stay, they are the model's signature.
 *
 *     %1 = exp(%0)      %1 = sin(%0)
 *     %2 = sin(%0)  →   return "y" = %1
 *     return "y" = %2
 */
export const eliminateDeadCode: Pass = {
  name: 'eliminate-dead-code',
  summary: 'Drop nodes that no output needs',
  level: 'any',
  run: (graph, context) => {
    const needed = new Set(graph.inputs)
    const pending = graph.outputs.map(({ value }) => value)
    for (let node = pending.pop(); node; node = pending.pop()) {
      if (needed.has(node)) continue
      needed.add(node)
      pending.push(...node.operands)
    }
    const dead = graph.nodes.filter((node) => !needed.has(node))
    if (dead.length === 0) return graph
    const locations = dead.flatMap((node) => graph.locations.get(node) ?? [])
    if (!context.apply({ rule: 'eliminate-dead-code', note: 'a node without users vanishes', locations })) return graph
    return rebuildGraph({ ...graph, nodes: graph.nodes.filter((node) => needed.has(node)) }, (node, operands, builder) =>
      copyNode(node, builder, operands),
    )
  },
}
