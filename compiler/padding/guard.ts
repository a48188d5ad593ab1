import {
  type Builder,
  copyNode,
  createBuilder,
  type Extent,
  type Graph,
  type Node,
  reachableNodes,
  scalarBytes,
  sizeInput,
} from '../graph/index.ts'
import type { Guard } from './analyse.ts'

/** How much of an axis the request fills, as a value of the graph. */
function countOf(builder: Builder, { dim, times, plus, over }: Extent): Node {
  const number = (value: number) => builder.scalar('i32', value)
  let count = builder.input(sizeInput(dim), { dtype: 'i32', shape: [] })
  if (times !== 1) count = builder.add('mul', { left: count, right: number(times) })
  if (plus !== 0) count = builder.add('add', { left: count, right: number(plus) })
  return over === 1 ? count : builder.add('div', { left: count, right: number(over) })
}

/** Zeros behind an extent along an axis. */
function protect(builder: Builder, value: Node, axis: number, extent: Extent): Node {
  const { shape, dtype } = value.type
  const size = shape[axis]!
  const bytes = Buffer.concat(Array.from({ length: size }, (_, i) => scalarBytes('i32', i)))
  const along = [size, ...shape.slice(axis + 1).map(() => 1)]
  const positions = builder.literal({ dtype: 'i32', shape: along }, bytes, 'positions')
  const condition = builder.add('less', { left: positions, right: countOf(builder, extent) })
  return builder.add('where', { condition, whenTrue: value, whenFalse: builder.scalar(dtype, 0) })
}

/**
 * The graph with zeros where `guards` ask for them; `index` says which of the graphs they are about it is. They mask what is multiplied by
 * zeros anyway: only NaN and infinities that were computed from padding are lost.
 */
export function guardGraph(graph: Graph, guards: readonly Guard[], index: number): Graph {
  if (guards.length === 0) return graph
  const wanted = new Map<Node, Guard[]>()
  for (const guard of guards) {
    const user = guard.users[index]!
    wanted.set(user, [...(wanted.get(user) ?? []), guard])
  }
  const builder = createBuilder()
  const replaced = new Map<Node, Node>()
  for (const node of graph.nodes) {
    const places = graph.locations.get(node) ?? []
    const operands = node.operands.map((operand, i) =>
      (wanted.get(node) ?? [])
        .filter((guard) => guard.operand === i)
        .reduce((value, { axis, extent }) => {
          const result = protect(builder, value, axis, extent)
          builder.attribute(result, places)
          return result
        }, replaced.get(operand)!),
    )
    const result = copyNode(node, builder, operands)
    builder.attribute(result, places)
    replaced.set(node, result)
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: replaced.get(value)! }))
  const inputs = graph.inputs.map((node) => replaced.get(node)!)
  const added = reachableNodes(outputs.map(({ value }) => value)).filter(({ op }) => op === 'input')
  return builder.finish(graph.name, [...inputs, ...added.filter((node) => !inputs.includes(node))], outputs)
}
