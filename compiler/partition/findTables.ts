import { operandBytes, pickedRows, workOf } from '../cost/index.ts'
import { byteSize, type ConstantData, elementCount, findUsers, type Graph, hasTrait, type Node } from '../graph/index.ts'
import { tableOfLookup } from './uses.ts'

/** A table of a graph, and what moves with it. */
export interface TableUse {
  /** A constant `[rows, elements]` of which indices pick rows. */
  readonly table: Node
  readonly lookups: readonly Node[]
  /** Look-ups, and the light nodes behind them that read nothing else which is computed, up to where least bytes leave. */
  readonly cluster: ReadonlySet<Node>
  /** Values of the cluster that others read or callers get. */
  readonly frontier: readonly Node[]
  /** Rows that a request picks, about where bags have various lengths. */
  readonly picked: number
}

export interface FoundTables {
  /** In the order of their first look-up. */
  readonly tables: readonly TableUse[]
  /** Light nodes over inputs and constants alone that lead to look-ups: slices of indices and the like. To be computed wherever they are read. */
  readonly preparation: ReadonlySet<Node>
}

/** Tables shorter than this are constants like others: they are faster repeated than sent for. */
const leastBytes = 2 ** 16

/** Operations for an element of what it reads and writes from which a node is too heavy to move: products are, norms are not. */
const heavy = 32

const isStorage = (node: Node): boolean => hasTrait(node, 'storage')

/** Tables however small they are, by what they hold. */
export interface KnownTables {
  has(data: ConstantData): boolean
}

/** The constant of rows that a look-up picks some of, where it is worth a place of its own; undefined for other nodes. */
function tableOf(node: Node, known: KnownTables): Node | undefined {
  const table = tableOfLookup(node)
  if (table?.type.shape.length !== 2) return undefined
  if (known.has(table.data!)) return table
  const bytes = byteSize(table.type)
  return bytes >= leastBytes && operandBytes(node)[node.operands.indexOf(table)]! < bytes ? table : undefined
}

function isLight(node: Node): boolean {
  const touched = node.operands.reduce((sum, { type }) => sum + elementCount(type.shape), elementCount(node.type.shape))
  return (
    workOf(node).operations <= heavy * touched && node.operands.every(({ data, type }) => !data || byteSize(type) < leastBytes)
  )
}

/** Light nodes that read nothing but inputs, constants and each other, of which look-ups read. */
function findPreparation(graph: Graph, lookups: ReadonlyMap<Node, Node>): ReadonlySet<Node> {
  const candidates = new Set<Node>()
  for (const node of graph.nodes)
    if (
      !isStorage(node) &&
      !lookups.has(node) &&
      isLight(node) &&
      node.operands.every((operand) => isStorage(operand) || candidates.has(operand))
    )
      candidates.add(node)
  const found = new Set<Node>()
  const visit = (node: Node): void => {
    if (!candidates.has(node) || found.has(node)) return
    found.add(node)
    node.operands.forEach(visit)
  }
  for (const lookup of lookups.keys()) lookup.operands.forEach(visit)
  return found
}

/** Values of a cluster that leave it. */
function frontierOf(
  cluster: ReadonlySet<Node>,
  users: ReadonlyMap<Node, readonly Node[]>,
  returned: ReadonlySet<Node>,
): readonly Node[] {
  return [...cluster].filter((node) => returned.has(node) || (users.get(node) ?? []).some((user) => !cluster.has(user)))
}

const bytesOfAll = (nodes: readonly Node[]): number => nodes.reduce((sum, { type }) => sum + byteSize(type), 0)

/**
 * Finds the tables of a recommendation model (PA-10): constants of which indices pick rows, the nodes that move with each (PA-13: whatever is
 * light and reads nothing of others, such as sums over a bag, clips, norms, tanh), and what prepares the indices. Where the last of those nodes
 * make a value larger, as repeating a row of a user for each sample does, they stay behind, so that the small value crosses (FB-08). `known` are
 * tables however small, such as parts of larger ones.
 */
export function findTables(graph: Graph, known: KnownTables = new Set()): FoundTables {
  const lookups = new Map<Node, Node>()
  for (const node of graph.nodes) {
    const table = tableOf(node, known)
    if (table) lookups.set(node, table)
  }
  const preparation = findPreparation(graph, lookups)
  const users = findUsers(graph)
  const returned = new Set(graph.outputs.map(({ value }) => value))
  /** The table whose cluster a node may be in. */
  const owner = new Map<Node, Node>()
  const growth = new Map<Node, Node[]>()
  for (const node of graph.nodes) {
    const table = lookups.get(node) ?? followed(node, owner, preparation)
    if (!table) continue
    owner.set(node, table)
    growth.set(table, [...(growth.get(table) ?? []), node])
  }
  const tables = [...growth].map(([table, grown]): TableUse => {
    const own = grown.filter((node) => lookups.get(node) === table)
    let cluster = new Set(own)
    let frontier = frontierOf(cluster, users, returned)
    const soFar = new Set(own)
    for (const node of grown) {
      soFar.add(node)
      const now = frontierOf(soFar, users, returned)
      if (bytesOfAll(now) <= bytesOfAll(frontier)) [cluster, frontier] = [new Set(soFar), now]
    }
    const picked = own.reduce((sum, lookup) => sum + pickedRows(lookup), 0)
    return { table, lookups: own, cluster, frontier, picked }
  })
  return { tables, preparation }
}

/** The one table that a light node depends on, if there is one; its other operands are storage or preparation. */
function followed(node: Node, owner: ReadonlyMap<Node, Node>, preparation: ReadonlySet<Node>): Node | undefined {
  if (isStorage(node) || preparation.has(node) || !isLight(node)) return undefined
  let table: Node | undefined
  for (const operand of node.operands) {
    if (isStorage(operand) || preparation.has(operand)) continue
    const of = owner.get(operand)
    if (!of || (table && of !== table)) return undefined
    table = of
  }
  return table
}
