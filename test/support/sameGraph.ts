import { createBuilder, type Graph, type ModelGraph, type Node, printGraph } from '../../compiler/graph/index.ts'

/**
 * The text of a graph whose nodes are numbered by how the outputs reach them, not by when they were made: graphs that compute the same in
 * the same way have the same text, whatever the order in which a program called for them.
 */
export const graphText = (graph: Graph): string => printGraph(canonical(graph))

/** Bodies too. */
function canonical(graph: Graph): Graph {
  const builder = createBuilder()
  const made = new Map<Node, Node>()
  const literals = new Map<string, Node['data']>()
  const copy = (node: Node): Node => {
    const operands = node.operands.map((operand) => made.get(operand)!)
    if (node.op === 'input') return builder.input(String(node.attributes.name), node.type)
    if (!node.data) return builder.addFlat(node.op, operands, node.attributes, undefined, node.bodies?.map(canonical))
    // Literals have a label for each way to write them; their bytes are what they are.
    const bytes = node.data.read()
    const label = bytes.byteLength <= 4096 ? Buffer.from(bytes).toString('hex') : node.data.label
    const key = `${label} ${JSON.stringify(node.type)}`
    const data = literals.get(key) ?? { ...node.data, label: label.slice(0, 40), read: () => bytes }
    literals.set(key, data)
    return builder.constant(node.type, data)
  }
  for (const input of graph.inputs) made.set(input, copy(input))
  for (const { value } of graph.outputs) {
    const stack = [value]
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      const missing = made.has(node) ? undefined : node.operands.find((operand) => !made.has(operand))
      if (missing) stack.push(missing)
      else {
        if (!made.has(node)) made.set(node, copy(node))
        stack.pop()
      }
    }
  }
  const at = (node: Node) => made.get(node)!
  return builder.finish(
    graph.name,
    graph.inputs.map(at),
    graph.outputs.map(({ name, value }) => ({ name, value: at(value) })),
  )
}

/** The texts of all entries. */
export const modelText = ({ entries }: ModelGraph): string =>
  entries.map(({ name, graph }) => `entry ${name}\n${graphText(graph)}`).join('\n')
