import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxGraph, OnnxNode } from '../model.ts'
import { quote } from '../quote.ts'
import { describeNode, graphsOf } from './names.ts'

/**
 * The graph with nodes in an order in which every value is made before it is used, without those that no output needs, inner graphs
 * likewise; a file that is in order stays so. Throws ModelProblem `onnx-malformed` for values that are made twice or never, and for cycles.
 * @param known whether an outer graph makes a value
 */
export function orderGraph(graph: OnnxGraph, known: (name: string) => boolean = () => false): OnnxGraph {
  const makers = findMakers(graph)
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()])
  const here = (name: string) => given.has(name) || makers.has(name) || known(name)

  const captured = createCaptures()
  const usesOf = graph.nodes.map((node) => {
    const inner = graphsOf(node)
    return inner.length === 0 ? node.inputs : [...node.inputs, ...inner.flatMap((each) => [...captured(each)])]
  })
  for (const [i, node] of graph.nodes.entries())
    for (const name of usesOf[i]!)
      if (name !== '' && !here(name))
        reject('onnx-malformed', `${describeNode(node)} uses the value ${quote(name)}, which nothing makes`)
  const outputs = graph.outputs.map(({ name }) => name)
  for (const name of outputs) if (!here(name)) reject('onnx-malformed', `nothing makes the output ${quote(name)}`)
  const twice = outputs.find((name, i) => outputs.indexOf(name) < i)
  if (twice !== undefined) reject('onnx-malformed', `the graph has two outputs called ${quote(twice)}`)

  const order = sortNodes(graph.nodes, (i) => usesOf[i]!.flatMap((name) => makers.get(name) ?? []))
  const needed = new Set<number>()
  for (const name of outputs) if (makers.has(name)) needed.add(makers.get(name)!)
  for (const i of [...order].reverse())
    if (needed.has(i)) for (const name of usesOf[i]!) if (makers.has(name)) needed.add(makers.get(name)!)
  const nodes = order.filter((i) => needed.has(i)).map((i) => orderWithin(graph.nodes[i]!, here))
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !graph.initializers.has(name)), nodes }
}

function orderWithin(node: OnnxNode, known: (name: string) => boolean): OnnxNode {
  if (graphsOf(node).length === 0) return node
  const attributes = new Map<string, OnnxAttribute>()
  for (const [name, attribute] of node.attributes)
    attributes.set(name, attribute.kind === 'graph' ? { kind: 'graph', value: orderGraph(attribute.value, known) } : attribute)
  return { ...node, attributes }
}

/** Which node makes a value, after checking that each is made once. */
function findMakers(graph: OnnxGraph): ReadonlyMap<string, number> {
  const inputs = new Set<string>()
  for (const { name } of graph.inputs) {
    if (name === '') reject('onnx-malformed', 'an input of the graph has no name')
    if (inputs.has(name)) reject('onnx-malformed', `there are two inputs ${quote(name)}`)
    inputs.add(name)
  }
  const makers = new Map<string, number>()
  for (const [i, node] of graph.nodes.entries())
    for (const name of node.outputs) {
      if (name === '') continue
      const other = makers.get(name)
      if (other !== undefined)
        reject(
          'onnx-malformed',
          `${describeNode(graph.nodes[other]!)} and ${describeNode(node)} both make the value ${quote(name)}`,
        )
      if (inputs.has(name) || graph.initializers.has(name))
        reject('onnx-malformed', `${describeNode(node)} makes the value ${quote(name)}, which is an input or an initializer too`)
      makers.set(name, i)
    }
  return makers
}

/** Values that a graph uses and does not make, remembered for each graph. */
function createCaptures(): (graph: OnnxGraph) => ReadonlySet<string> {
  const known = new Map<OnnxGraph, Set<string>>()
  return function capturesOf(graph) {
    const before = known.get(graph)
    if (before) return before
    const own = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()])
    for (const node of graph.nodes) for (const name of node.outputs) own.add(name)
    const captured = new Set<string>()
    const use = (name: string) => {
      if (name !== '' && !own.has(name)) captured.add(name)
    }
    for (const node of graph.nodes) {
      for (const name of node.inputs) use(name)
      for (const inner of graphsOf(node)) for (const name of capturesOf(inner)) use(name)
    }
    for (const { name } of graph.outputs) use(name)
    known.set(graph, captured)
    return captured
  }
}

/** Positions of nodes, makers before users and otherwise as they stand. Without recursion: chains are as long as the file. */
function sortNodes(nodes: readonly OnnxNode[], makersOf: (i: number) => readonly number[]): number[] {
  const order: number[] = []
  const state = new Uint8Array(nodes.length)
  const [waiting, done] = [1, 2]
  for (let start = 0; start < nodes.length; start++) {
    const stack: { node: number; makers: readonly number[]; next: number }[] = []
    const enter = (node: number) => {
      state[node] = waiting
      stack.push({ node, makers: makersOf(node), next: 0 })
    }
    if (state[start] === 0) enter(start)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const maker = top.makers[top.next++]
      if (maker === undefined) {
        state[top.node] = done
        order.push(top.node)
        stack.pop()
      } else if (state[maker] === waiting) {
        const cycle = stack.slice(stack.findIndex(({ node }) => node === maker)).map(({ node }) => describeNode(nodes[node]!))
        reject('onnx-malformed', `the graph has a cycle: ${cycle.slice(0, 8).join(' ← ')}${cycle.length > 8 ? ' ← …' : ''}`)
      } else if (state[maker] === 0) enter(maker)
    }
  }
  return order
}
