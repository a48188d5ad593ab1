import type { Graph, Node } from '../graph/index.ts'
import { type CutEdge, type CutProblem, minimumCut } from './cut.ts'
import { relayoutCost } from './price.ts'
import type { BlockOptions, InBlocks } from './row.ts'
import { rowOf } from './rows.ts'

/** The nodes that work on blocks, and how; all others are as they were. */
export type Assignment = ReadonlyMap<Node, InBlocks>

/** Edges of a cut carry sixteenths of nanoseconds. */
const unit = 16
const [source, sink] = [0, 1]

/** Only these gain by blocks: without one, all others stay as they are. */
const isConvolution = ({ op }: Node): boolean => op === 'conv' || op === 'convInteger'

/**
 * IR-19. Which nodes work on blocks of channels, such that relayouts and the nodes themselves take least time by the estimates of
 * `price.ts`; where two assignments cost the same, the one with fewer nodes in blocks. Exact: a minimum cut between nodes in blocks (with
 * the source) and plain ones (with the sink). A relayout is paid once for all readers of a value.
 */
export function assignLayouts(graph: Graph, options: BlockOptions): Assignment {
  const rows = new Map<Node, InBlocks>()
  for (const node of graph.nodes) {
    const row = rowOf(node, options)
    if (row) rows.set(node, row)
  }
  if (!graph.nodes.some((node) => isConvolution(node) && (rows.get(node)?.saves ?? 0) > 0)) return new Map()
  const { problem, vertexOf } = problemOf(graph, rows, options)
  const side = minimumCut(problem)
  return new Map(side ? [...rows].filter(([node]) => side[vertexOf.get(node)!]) : [])
}

/** Who reads a value: a vertex, and what it asks for when it is in blocks. Plain readers have the sink for a vertex. */
interface Reader {
  readonly vertex: number
  readonly demand: 'blocked' | 'plain' | 'either'
}

/** The assignment as a cut: the source's side are nodes in blocks. */
export function problemOf(
  graph: Graph,
  rows: ReadonlyMap<Node, InBlocks>,
  { block, rates }: BlockOptions,
): { readonly problem: CutProblem; readonly vertexOf: ReadonlyMap<Node, number> } {
  const vertexOf = new Map<Node, number>([...rows.keys()].map((node, i) => [node, 2 + i]))
  let vertices = 2 + rows.size
  const edges: CutEdge[] = []
  const join = (from: number, to: number, capacity: number) => {
    if (capacity > 0 && from !== to) edges.push({ from, to, capacity })
  }
  const price = (cost: number) => Math.round(cost * unit)

  /** An edge from `from` to all of `to`, paid once however many of them are cut off. */
  function fanOut(from: number, to: readonly number[], cost: number): void {
    if (cost <= 0 || to.length === 0) return
    if (to.includes(sink)) join(from, sink, cost)
    else if (to.length === 1) join(from, to[0]!, cost)
    else {
      join(from, vertices, cost)
      for (const each of to) join(vertices, each, Number.POSITIVE_INFINITY)
      vertices++
    }
  }
  /** The same the other way round. */
  function fanIn(from: readonly number[], to: number, cost: number): void {
    if (cost <= 0 || from.length === 0) return
    if (from.length === 1) join(from[0]!, to, cost)
    else {
      for (const each of from) join(each, vertices, Number.POSITIVE_INFINITY)
      join(vertices, to, cost)
      vertices++
    }
  }

  for (const [node, { saves }] of rows) {
    const vertex = vertexOf.get(node)!
    join(source, vertex, price(Math.max(0, saves)))
    join(vertex, sink, price(Math.max(0, -saves)))
  }
  for (const [value, readers] of readersOf(graph, rows, vertexOf)) {
    const vertex = vertexOf.get(value) ?? sink
    const cost = (into: boolean) => price(relayoutCost(value.type, { block, rates, into }))
    // Out of blocks for readers that are plain, or that want a plain operand even so.
    if (vertex !== sink) {
      const plain = readers.map((reader) => (reader.demand === 'plain' ? sink : reader.vertex))
      fanOut(vertex, [...new Set(plain)], cost(false))
    }
    const wanting = readers.flatMap((reader) => (reader.demand === 'blocked' ? [reader.vertex] : []))
    if (wanting.length > 0) fanIn([...new Set(wanting)], vertex, cost(true))
  }
  return { problem: { vertices, source, sink, edges }, vertexOf }
}

/** The readers of each value that has a layout; constants are laid out at build, as often as somebody wants. */
function readersOf(
  graph: Graph,
  rows: ReadonlyMap<Node, InBlocks>,
  vertexOf: ReadonlyMap<Node, number>,
): ReadonlyMap<Node, readonly Reader[]> {
  const readers = new Map<Node, Reader[]>(graph.nodes.flatMap((node) => (node.data ? [] : [[node, []]])))
  for (const node of graph.nodes) {
    const vertex = vertexOf.get(node) ?? sink
    for (const [i, operand] of node.operands.entries())
      readers.get(operand)?.push({ vertex, demand: rows.get(node)?.demands[i] ?? 'plain' })
  }
  for (const { value } of graph.outputs) readers.get(value)?.push({ vertex: sink, demand: 'plain' })
  return readers
}
