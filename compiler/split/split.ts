import {
  assertInvariant,
  type Builder,
  castStorage,
  copyNode,
  countUses,
  createBuilder,
  type Graph,
  hasTrait,
  locatedBuilder,
  type Node,
} from '../graph/index.ts'
import { partOf } from './part.ts'
import { lengthOf, ownPartOf, type Range } from './range.ts'
import { isRefusal, type Need, replaced } from './rule.ts'

/** A node's result computed in parts. */
export interface Cut {
  /** Dimension of the result, counted from the front. */
  readonly axis: number
  /** Cover the dimension in order; see `rangesOf`. */
  readonly ranges: readonly Range[]
  /**
   * SP-03. How many nodes in a row are computed in parts, this one being the last: above 1 what only this node reads is computed in parts
   * too, with the halo that windows need computed in both of two neighbours. Default 1.
   */
  readonly depth?: number
}

export type Cuts = ReadonlyMap<Node, Cut>

export interface SplitGraph {
  readonly graph: Graph
  /** The parts of each node that was cut, in the order of its ranges; nodes of the new graph. */
  readonly parts: ReadonlyMap<Node, readonly Node[]>
}

/** A cut that cannot be made. */
export class SplitError extends Error {
  override readonly name = 'SplitError'
}

/**
 * SP-04, SP-05. The same graph with some nodes computed in parts, which are concatenated where somebody needs the whole; a node that is
 * cut as its operand is reads the operand's parts. Throws SplitError where a node cannot be divided so.
 */
export function splitGraph(graph: Graph, cuts: Cuts): SplitGraph {
  const builder = createBuilder()
  const whole = new Map<Node, Node>()
  const parts = new Map<Node, readonly Node[]>()
  const users = countUses(graph)
  const known = new Map<string, Node>()

  const wholeOf = (node: Node): Node => {
    const found = whole.get(node)
    assertInvariant(found, `split: ${node.op} is read before it is made`)
    return found
  }

  /** The positions `range` of a value that the new graph has. */
  function take(node: Node, axis: number, range: Range, located: Builder): Node {
    const cut = cuts.get(node)
    const part = cut?.axis === axis ? cut.ranges.findIndex(({ start, end }) => start === range.start && end === range.end) : -1
    return part >= 0 ? parts.get(node)![part]! : sliceOf(located, wholeOf(node), axis, range)
  }

  const mayFollow = (node: Node, depth: number): boolean =>
    depth > 0 && users.get(node) === 1 && !cuts.has(node) && !hasTrait(node, 'storage')

  function compute(node: Node, axis: number, range: Range, depth: number): Node | string {
    const key = `${node.id} ${axis} ${range.start} ${range.end} ${depth}`
    const done = known.get(key)
    if (done) return done
    const part = partOf(node, axis, range)
    if (isRefusal(part)) return part.refused
    const located = locatedBuilder(builder, graph.locations.get(node) ?? [])
    const operands = part.needs.flatMap((need: Need, i): Node[] => {
      const operand = node.operands[i]!
      if (need === 'none') return []
      if (need === 'all') return [wholeOf(operand)]
      const followed = mayFollow(operand, depth - 1) ? compute(operand, need.axis, need.range, depth - 1) : 'whole'
      return [typeof followed === 'string' ? take(operand, need.axis, need.range, located) : followed]
    })
    const result = located.addFlat(node.op, operands, part.attributes)
    known.set(key, result)
    return result
  }

  function cutNode(node: Node, { axis, ranges, depth = 1 }: Cut): Node {
    const made = ranges.map((range) => {
      const part = compute(node, axis, range, depth)
      if (typeof part === 'string')
        throw new SplitError(`${node.op} cannot be divided into ${range.start} to ${range.end} of dimension ${axis}: ${part}`)
      return part
    })
    parts.set(node, made)
    const located = locatedBuilder(builder, graph.locations.get(node) ?? [])
    const inputs = ownPartOf(ranges).map(({ start, end }, i) => {
      const offset = ranges[i]!.start
      return sliceOf(located, made[i]!, axis, { start: start - offset, end: end - offset })
    })
    const joined = inputs.length === 1 ? inputs[0]! : located.add('concat', { inputs }, { axis })
    return castStorage(located, joined, node.type.quantization)
  }

  for (const node of graph.nodes) {
    const cut = cuts.get(node)
    const made = cut ? cutNode(node, cut) : copyNode(node, builder, node.operands.map(wholeOf))
    builder.attribute(made, graph.locations.get(node) ?? [])
    whole.set(node, made)
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: wholeOf(value) }))
  return { graph: builder.finish(graph.name, graph.inputs.map(wholeOf), outputs), parts }
}

function sliceOf(builder: Builder, input: Node, axis: number, range: Range): Node {
  const { shape } = input.type
  if (lengthOf(range) === shape[axis]) return input
  const attributes = {
    start: shape.map((_, i) => (i === axis ? range.start : 0)),
    size: replaced([...shape], axis, lengthOf(range)),
    step: shape.map(() => 1),
  }
  return builder.add('slice', { input }, attributes)
}
