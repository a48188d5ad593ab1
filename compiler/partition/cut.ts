import { type Builder, copyNode, createBuilder, type Graph, hasTrait, inputName, type Node, type Output } from '../graph/index.ts'

/** Where a value comes from: a request, or an output of another part. */
export type Source =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'value'; readonly part: string; readonly output: string }

/** Nodes that run together, as a graph of their own. */
export interface Part {
  readonly name: string
  readonly graph: Graph
  /** Of each input of the graph, in their order. */
  readonly sources: readonly Source[]
}

/** A graph in parts. */
export interface PartitionedGraph {
  readonly name: string
  readonly inputs: readonly Node[]
  /** In an order in which they can run. */
  readonly parts: readonly Part[]
  /** In the order of the graph's. */
  readonly outputs: readonly { readonly name: string; readonly from: Source }[]
}

/** Why nodes cannot be parted so. */
export class CutError extends Error {
  override readonly name = 'CutError'
}

const isStorage = (node: Node): boolean => hasTrait(node, 'storage')

/** Names of parts, each behind those that it reads of; CutError where some wait for each other. */
function orderParts(reads: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const ordered: string[] = []
  const waiting = new Set(reads.keys())
  while (waiting.size > 0) {
    const next = [...waiting].find((name) => [...reads.get(name)!].every((other) => !waiting.has(other)))
    if (next === undefined) throw new CutError(`parts wait for each other: ${[...waiting].join(', ')}`)
    ordered.push(next)
    waiting.delete(next)
  }
  return ordered
}

/** Values by name that cross from one part to others, or are outputs: `<part>_<n>`, with more underscores where an input has that name. */
function nameCrossings(
  graph: Graph,
  partOf: (node: Node) => string | undefined,
  giver: (node: Node) => string | undefined,
): ReadonlyMap<Node, string> {
  const crossing = new Set<Node>(graph.outputs.map(({ value }) => value).filter((value) => giver(value) !== undefined))
  for (const node of graph.nodes)
    for (const operand of node.operands)
      if (partOf(operand) !== undefined && partOf(operand) !== partOf(node)) crossing.add(operand)
  const taken = new Set(graph.inputs.map(inputName))
  const counts = new Map<string, number>()
  const names = new Map<Node, string>()
  for (const node of graph.nodes) {
    if (!crossing.has(node)) continue
    const part = giver(node)!
    const count = counts.get(part) ?? 0
    counts.set(part, count + 1)
    let name = `${part}_${count}`
    while (taken.has(name)) name += '_'
    taken.add(name)
    names.set(node, name)
  }
  return names
}

interface Draft {
  readonly builder: Builder
  readonly inside: Map<Node, Node>
  readonly inputs: Node[]
  readonly sources: Source[]
  readonly outputs: Output[]
}

/**
 * The parts of a graph. `partOf` names the part of each node that computes, or says undefined of one that is to be computed wherever it is read.
 * Constants and inputs belong to every part that reads them, so that none waits for another for their sake. What belongs to no part and is an
 * output goes to `home`. Locations carry over. Throws CutError where parts would wait for each other.
 */
export function cutGraph(graph: Graph, partOf: (node: Node) => string | undefined, home: string): PartitionedGraph {
  const returned = new Set(graph.outputs.map(({ value }) => value))
  const isInput = (node: Node) => isStorage(node) && !node.data
  const of = (node: Node) => (isStorage(node) ? undefined : partOf(node))
  /** Who gives it to callers. */
  const giver = (node: Node) => of(node) ?? (isInput(node) ? undefined : home)
  const names = nameCrossings(graph, of, giver)
  const drafts = new Map<string, Draft>()
  const reads = new Map<string, Set<string>>()
  const draftOf = (part: string): Draft => {
    const found = drafts.get(part)
    if (found) return found
    const made: Draft = { builder: createBuilder(), inside: new Map(), inputs: [], sources: [], outputs: [] }
    drafts.set(part, made)
    reads.set(part, new Set())
    return made
  }
  const enter = (draft: Draft, node: Node, source: Source, name: string): Node => {
    const input = draft.builder.input(name, node.type)
    draft.inputs.push(input)
    draft.sources.push(source)
    return input
  }
  const use = (part: string, node: Node): Node => {
    const draft = draftOf(part)
    const known = draft.inside.get(node)
    if (known) return known
    const producer = of(node)
    let made: Node
    if (producer !== undefined && producer !== part) {
      reads.get(part)!.add(producer)
      made = enter(draft, node, { kind: 'value', part: producer, output: names.get(node)! }, names.get(node)!)
    } else if (isInput(node)) made = enter(draft, node, { kind: 'input', name: inputName(node) }, inputName(node))
    else
      made = copyNode(
        node,
        draft.builder,
        node.operands.map((operand) => use(part, operand)),
      )
    draft.builder.attribute(made, graph.locations.get(node) ?? [])
    draft.inside.set(node, made)
    return made
  }
  for (const node of graph.nodes) {
    const part = of(node) ?? (returned.has(node) ? giver(node) : undefined)
    if (part === undefined) continue
    const value = use(part, node)
    const name = names.get(node)
    if (name !== undefined) draftOf(part).outputs.push({ name, value })
  }
  const outputs = graph.outputs.map(({ name, value }) => {
    const part = giver(value)
    const from: Source =
      part === undefined ? { kind: 'input', name: inputName(value) } : { kind: 'value', part, output: names.get(value)! }
    return { name, from }
  })
  const parts = orderParts(reads).map((name): Part => {
    const { builder, inputs, sources, outputs: made } = drafts.get(name)!
    return { name, graph: builder.finish(`${graph.name}.${name}`, inputs, made), sources }
  })
  return { name: graph.name, inputs: graph.inputs, parts, outputs }
}

/** The graph that the parts are of: what they compute, in one. */
export function mergeParts({ name, inputs, parts, outputs }: PartitionedGraph): Graph {
  const builder = createBuilder()
  const entered = new Map(inputs.map((node) => [inputName(node), copyNode(node, builder, [])]))
  const made = new Map<string, Node>()
  const valueOf = (source: Source): Node =>
    source.kind === 'input' ? entered.get(source.name)! : made.get(`${source.part} ${source.output}`)!
  for (const part of parts) {
    const inside = new Map(part.graph.inputs.map((input, i) => [input, valueOf(part.sources[i]!)]))
    for (const node of part.graph.nodes) {
      const known = inside.get(node)
      const merged =
        known ??
        copyNode(
          node,
          builder,
          node.operands.map((operand) => inside.get(operand)!),
        )
      builder.attribute(merged, part.graph.locations.get(node) ?? [])
      inside.set(node, merged)
    }
    for (const { name: output, value } of part.graph.outputs) made.set(`${part.name} ${output}`, inside.get(value)!)
  }
  return builder.finish(
    name,
    [...entered.values()],
    outputs.map((output) => ({ name: output.name, value: valueOf(output.from) })),
  )
}
