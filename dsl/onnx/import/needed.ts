import type { OnnxGraph, OnnxNode } from '../model.ts'

/** The nodes that the outputs of a graph need, in order, and the values that somebody takes. */
export function neededNodes(graph: OnnxGraph): { readonly nodes: readonly OnnxNode[]; readonly values: ReadonlySet<string> } {
  const values = new Set(graph.outputs.map(({ name }) => name))
  const nodes: OnnxNode[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => values.has(output))) continue
    nodes.push(node)
    for (const input of [...node.inputs, ...capturedBy(node)]) if (input !== '') values.add(input)
  }
  return { nodes: nodes.reverse(), values }
}

/** Names from outside that the branches of a node use; also names of their own, which does no harm. */
function capturedBy(node: OnnxNode): string[] {
  const names: string[] = []
  const pending = [node]
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const attribute of next.attributes.values()) {
      if (attribute.kind !== 'graph') continue
      names.push(...attribute.value.outputs.map(({ name }) => name))
      for (const inner of attribute.value.nodes) {
        names.push(...inner.inputs)
        pending.push(inner)
      }
    }
  }
  return names
}
