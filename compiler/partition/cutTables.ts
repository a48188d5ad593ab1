import {
  assertInvariant,
  type Builder,
  type ConstantData,
  copyNode,
  definitionOf,
  dtypeFacts,
  findUsers,
  type Graph,
  hasTrait,
  type Node,
  rebuildGraph,
} from '../graph/index.ts'
import type { FoundTables, TableUse } from './findTables.ts'
import type { Piece } from './tables/index.ts'
import { tableOfLookup } from './uses.ts'

/** A graph in which tables that are cut are several tables. */
export interface CutTables {
  readonly graph: Graph
  /** By the payload of a table, or of a part of one: the holder that it is on. */
  readonly holders: ReadonlyMap<ConstantData, string>
}

/** A value in parts, which joined along the last axis, or added, are the value. */
interface Parts {
  readonly by: 'rows' | 'columns'
  readonly values: readonly Node[]
}

/** The payload of another constant, made when it is read. */
const derived = (data: ConstantData, label: string, make: (bytes: Uint8Array) => Uint8Array): ConstantData => ({
  label: `${data.label} ${label}`,
  read: () => make(data.read()),
})

/** Elements `from` … `to - 1` of each row. */
function columnsOf(builder: Builder, table: Node, from: number, to: number): Node {
  const { dtype, shape } = table.type
  const [rows, elements] = shape as [number, number]
  const { bytes: size } = dtypeFacts[dtype]
  const data = derived(table.data!, `columns ${from} … ${to - 1}`, (bytes) => {
    const part = new Uint8Array(rows * (to - from) * size)
    for (let row = 0; row < rows; row++)
      part.set(bytes.subarray((row * elements + from) * size, (row * elements + to) * size), row * (to - from) * size)
    return part
  })
  return builder.constant({ dtype, shape: [rows, to - from] }, data)
}

/** A row of zeros, and behind it the rows whose number leaves `part` when divided by `parts`. */
function rowsOf(builder: Builder, table: Node, part: number, parts: number): Node {
  const { dtype, shape } = table.type
  const [rows, elements] = shape as [number, number]
  const rowBytes = elements * dtypeFacts[dtype].bytes
  const count = Math.ceil((rows - part) / parts)
  const data = derived(table.data!, `rows ${part} of ${parts}`, (bytes) => {
    const result = new Uint8Array((count + 1) * rowBytes)
    for (let i = 0; i < count; i++)
      result.set(bytes.subarray((part + i * parts) * rowBytes).subarray(0, rowBytes), (i + 1) * rowBytes)
    return result
  })
  return builder.constant({ dtype, shape: [count + 1, elements] }, data)
}

/**
 * Where a row of the whole table is in that part: row 0, of zeros, where it is in another. Negative indices count from the end of the whole; what
 * is outside of it is outside of the part that it would be in.
 */
function indexIn(builder: Builder, given: Node, rows: number, part: number, parts: number): Node {
  const { bytes, kind } = dtypeFacts[given.type.dtype]
  const indices = bytes < 4 ? builder.add('cast', { input: given }, { dtype: 'i32' }) : given
  const number = (value: number) => builder.scalar(indices.type.dtype, value)
  const choose = (condition: Node, whenTrue: Node, whenFalse: Node) => builder.add('where', { condition, whenTrue, whenFalse })
  const isNegative = (value: Node) => builder.add('less', { left: value, right: number(0) })
  const signed = kind === 'signed'
  const row = signed ? choose(isNegative(indices), builder.add('add', { left: indices, right: number(rows) }), indices) : indices
  const isMine = builder.add('equal', { left: builder.add('mod', { left: row, right: number(parts) }), right: number(part) })
  const mine = builder.add('add', { left: builder.add('div', { left: row, right: number(parts) }), right: number(1) })
  const inside = choose(isMine, mine, number(0))
  return signed ? choose(isNegative(row), number(rows + 1), inside) : inside
}

/** Whether a node does to parts of its first operand what it does to the whole: its other operands are one number. */
function keepsParts(node: Node, by: Parts['by']): boolean {
  const [first, ...others] = node.operands
  const rank = first!.type.shape.length
  if (node.op === 'reduceSum' || (by === 'columns' && hasTrait(node, 'reduction') && node.attributes.axes !== undefined))
    return (node.attributes.axes as readonly number[]).every((axis) => axis >= 0 && axis < rank - 1)
  return (
    by === 'columns' && hasTrait(node, 'elementwise') && others.every(({ type }) => type.shape.every((extent) => extent === 1))
  )
}

/** The look-ups of a table, on each of its parts. */
function lookUpParts(
  builder: Builder,
  pieces: readonly Piece[],
  lookup: Node,
  operands: readonly Node[],
  note: (data: ConstantData, holder: string) => void,
): Parts {
  const at = lookup.operands.indexOf(tableOfLookup(lookup)!)
  const indices = Object.keys(definitionOf(lookup.op).operands).indexOf('indices')
  const table = operands[at]!
  const values = pieces.map((piece) => {
    assertInvariant(piece.by !== 'whole', `table '${piece.table}' is whole and in parts`)
    const part =
      piece.by === 'rows' ? rowsOf(builder, table, piece.part, piece.parts) : columnsOf(builder, table, piece.from, piece.to)
    note(part.data!, piece.holder)
    const given = operands.map((operand, i) => {
      if (i === at) return part
      const isPicked = piece.by === 'rows' && i === indices
      return isPicked ? indexIn(builder, operand, table.type.shape[0]!, piece.part, piece.parts) : operand
    })
    return builder.copy(lookup, given)
  })
  return { by: pieces[0]!.by === 'rows' ? 'rows' : 'columns', values }
}

function join(builder: Builder, { by, values }: Parts): Node {
  const [first, ...others] = values
  if (by === 'rows') return others.reduce((sum, value) => builder.add('add', { left: sum, right: value }), first!)
  return builder.add('concat', { inputs: [...values] }, { axis: first!.type.shape.length - 1 })
}

/**
 * Cuts tables as a placement says (PA-20). A table cut by columns is looked up in each part, and joined; one cut by rows gives sums, which are
 * added: rows that are in another part count as zeros, also in means, whose bags have all their indices in each part. Sums over a bag, and by columns whatever works on each element, are done on the parts,
 * so that less has to cross. Tables that are whole stay as they are.
 */
export function cutTables(
  graph: Graph,
  { tables }: FoundTables,
  pieces: readonly Piece[],
  nameOf: (use: TableUse) => string,
): CutTables {
  const holders = new Map<ConstantData, string>()
  const cut = new Map<Node, readonly Piece[]>()
  const clusterOf = new Map<Node, TableUse>()
  for (const use of tables) {
    const own = pieces.filter(({ table }) => table === nameOf(use))
    assertInvariant(own.length > 0, `table '${nameOf(use)}' has no place`)
    if (own[0]!.by === 'whole') holders.set(use.table.data!, own[0]!.holder)
    else {
      for (const lookup of use.lookups) cut.set(lookup, own)
      for (const node of use.cluster) clusterOf.set(node, use)
    }
  }
  if (cut.size === 0) return { graph, holders }
  const inParts = new Map<Node, Parts>()
  const users = findUsers(graph)
  const returned = new Set(graph.outputs.map(({ value }) => value))
  /** Whether only nodes read it that work on its parts. */
  const staysInParts = (node: Node, by: Parts['by']): boolean =>
    !returned.has(node) &&
    users
      .get(node)!
      .every((user) => clusterOf.get(user) === clusterOf.get(node) && user.operands[0] === node && keepsParts(user, by))
  const result = rebuildGraph(graph, (node, operands, builder) => {
    const lookedUp = cut.get(node)
    const before = inParts.get(node.operands[0]!)
    let parts: Parts | undefined
    if (lookedUp) parts = lookUpParts(builder, lookedUp, node, operands, (data, holder) => holders.set(data, holder))
    else if (before && clusterOf.has(node))
      parts = { by: before.by, values: before.values.map((value) => builder.copy(node, [value, ...operands.slice(1)])) }
    if (!parts) return copyNode(node, builder, operands)
    if (staysInParts(node, parts.by)) inParts.set(node, parts)
    return join(builder, parts)
  })
  return { graph: result, holders }
}
