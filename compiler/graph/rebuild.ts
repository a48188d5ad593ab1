import { type Builder, createBuilder } from './builder.ts'
import type { Location } from './location.ts'
import { type Graph, inputName, type Node } from './node.ts'
import { hasTrait } from './ops/index.ts'
import { type Quantization, sameQuantization } from './type.ts'

/** The same node in another builder, over that builder's operands. */
export function copyNode(node: Node, builder: Builder, operands: readonly Node[]): Node {
  if (node.data) return builder.constant(node.type, node.data)
  if (hasTrait(node, 'storage')) return builder.input(inputName(node), node.type)
  return builder.copy(node, operands)
}

/** Copies nodes of a graph that are not in `made` yet, with where they come from in the model, and notes them there. */
export function copyNodes(
  { nodes, locations }: Pick<Graph, 'nodes' | 'locations'>,
  builder: Builder,
  made: Map<Node, Node>,
): void {
  for (const node of nodes) {
    const operands = () => node.operands.map((operand) => made.get(operand)!)
    const copy = made.get(node) ?? copyNode(node, builder, operands())
    builder.attribute(copy, locations.get(node) ?? [])
    made.set(node, copy)
  }
}

/** A builder that gives every node it is asked for these locations too. */
export function locatedBuilder(builder: Builder, locations: readonly Location[]): Builder {
  const located = (node: Node): Node => {
    builder.attribute(node, locations)
    return node
  }
  return {
    ...builder,
    input: (...given) => located(builder.input(...given)),
    constant: (...given) => located(builder.constant(...given)),
    literal: (...given) => located(builder.literal(...given)),
    scalar: (...given) => located(builder.scalar(...given)),
    add: (...given) => located(builder.add(...given)),
    addFlat: (...given) => located(builder.addFlat(...given)),
    copy: (...given) => located(builder.copy(...given)),
  }
}

/**
 * Builds a graph anew, node by node: `replace` gets each node with its operands' replacements and returns its own. `returned` makes the
 * value of an output from the node that it was and from what this became (default: the latter). Locations carry over; what is no longer
 * reached is dropped.
 */
export function rebuildGraph(
  graph: Graph,
  replace: (node: Node, operands: readonly Node[], builder: Builder) => Node,
  returned: (node: Node, replacement: Node, builder: Builder) => Node = (_, replacement) => replacement,
): Graph {
  const builder = createBuilder()
  const replaced = new Map<Node, Node>()
  for (const node of graph.nodes) {
    const operands = node.operands.map((operand) => replaced.get(operand)!)
    const result = replace(node, operands, builder)
    builder.attribute(result, graph.locations.get(node) ?? [])
    replaced.set(node, result)
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: returned(value, replaced.get(value)!, builder) }))
  const result = builder.finish(
    graph.name,
    graph.inputs.map((input) => replaced.get(input)!),
    outputs,
  )
  origins.set(result, { from: graph, became: replaced })
  return result
}

interface Origin {
  readonly from: Graph
  readonly became: ReadonlyMap<Node, Node>
}

/** Beside the graphs, since where a graph comes from is no part of what it is. */
const origins = new WeakMap<Graph, Origin>()

/**
 * What each node of the graph that this one was rebuilt from became, over several rebuildings too; undefined for a graph that was not
 * rebuilt. Told once: the earlier graph need not live as long as this one.
 */
export function takeOrigin(graph: Graph): ReadonlyMap<Node, Node> | undefined {
  const last = origins.get(graph)
  if (!last) return undefined
  origins.delete(graph)
  const earlier = takeOrigin(last.from)
  if (!earlier) return last.became
  const became = new Map<Node, Node>()
  for (const [node, between] of earlier) {
    const now = last.became.get(between)
    if (now) became.set(node, now)
  }
  return became
}

/** A value's stored elements with another quantization, none for plain ones; the value itself where it has that already. */
export function castStorage(builder: Builder, value: Node, quantization: Quantization | undefined): Node {
  if (sameQuantization(value.type.quantization, quantization)) return value
  const { dtype, shape } = value.type
  if (value.data) return builder.constant({ dtype, shape, ...(quantization ? { quantization } : {}) }, value.data)
  if (value.op === 'storageCast') return castStorage(builder, value.operands[0]!, quantization)
  return builder.add(
    'storageCast',
    { input: value },
    {
      scale: [...(quantization?.scale ?? [])],
      zeroPoint: [...(quantization?.zeroPoint ?? [])],
      ...(quantization?.axis === undefined ? {} : { axis: quantization.axis }),
    },
  )
}
