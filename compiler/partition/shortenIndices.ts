import { type Builder, copyNode, definitionOf, type Graph, type Node, rebuildGraph } from '../graph/index.ts'
import type { FoundTables } from './findTables.ts'

/** All that i32 holds. */
const [least, most] = [-(2 ** 31), 2 ** 31 - 1]

/** The same numbers in half the bytes. What i32 does not hold becomes the nearest that it does, which no table has and no bag is as long as. */
function shortened(builder: Builder, value: Node): Node {
  const number = (bound: number) => builder.scalar(value.type.dtype, bound)
  const above = builder.add('maximum', { left: value, right: number(least) })
  return builder.add('cast', { input: builder.add('minimum', { left: above, right: number(most) }) }, { dtype: 'i32' })
}

/**
 * Indices of tables, and lengths of bags, in i32 where they come in 64 bits (RT-27, FB-07): the host converts them, and half the bytes cross.
 * What was refused still is, with the same words.
 */
export function shortenIndices(graph: Graph, { tables }: FoundTables): Graph {
  const lookups = new Set(tables.flatMap((table) => table.lookups))
  const made = new Set([...lookups].flatMap(({ operands }) => operands.filter(({ op }) => op === 'bagOffsets')))
  const positionOf = (node: Node) =>
    Object.keys(definitionOf(node.op).operands).indexOf(lookups.has(node) ? 'indices' : made.has(node) ? 'lengths' : '')
  const isLong = (node: Node) => {
    const operand = node.operands[positionOf(node)]
    return operand !== undefined && !operand.data && operand.type.dtype === 'i64'
  }
  if (!graph.nodes.some(isLong)) return graph
  return rebuildGraph(graph, (node, operands, builder) => {
    if (!isLong(node)) return copyNode(node, builder, operands)
    const at = positionOf(node)
    return builder.copy(node, operands.with(at, shortened(builder, operands[at]!)))
  })
}
