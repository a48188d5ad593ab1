import { createHash } from 'node:crypto'
import { byteSize, type ConstantData, copyNode, type Graph, type Node, printType, rebuildGraph } from '../graph/index.ts'
import type { Pass } from './pass.ts'

/** Bytes read in order to compare, at most; larger weights are taken for different. */
const readableBytes = 1 << 26

/**
 * Equal constants become one, wherever their bytes come from; nodes that differed in them alone then merge as well.
 *
 *     %1 = constant @"a.scale" [1, 2]
 *     %2 = constant @"b.scale" [1, 2]      %1 = constant @"a.scale" [1, 2]
 *     %3 = add(%0, %1)                 →   %2 = add(%0, %1)
 *     %4 = mul(%0, %2)                     %3 = mul(%0, %1)
 */
export const mergeEqualConstants: Pass = {
  name: 'merge-equal-constants',
  summary: 'Store equal constants once',
  level: 'any',
  follows: [{ pass: 'fold-constants', because: 'folding makes constants that may equal others' }],
  run(graph, context) {
    const first = findEqual(graph)
    let merged = 0
    const result = rebuildGraph(graph, (node, operands, builder) => {
      const other = first.get(node)
      if (
        !other ||
        !context.apply({
          rule: 'merge-equal-constants',
          note: 'equal constants → one',
          locations: graph.locations.get(node) ?? [],
          node: node.id,
        })
      )
        return copyNode(node, builder, operands)
      merged++
      return builder.constant(other.type, other.data!)
    })
    return merged > 0 ? result : graph
  },
}

/** For each constant that equals an earlier one, that one. */
function findEqual(graph: Graph): Map<Node, Node> {
  const groups = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    if (!node.data) continue
    const type = printType(node.type)
    groups.set(type, [...(groups.get(type) ?? []), node])
  }
  const equal = new Map<Node, Node>()
  let left = readableBytes
  const bySize = [...groups.values()]
    .filter((group) => group.length > 1)
    .sort((a, b) => byteSize(a[0]!.type) - byteSize(b[0]!.type))
  for (const group of bySize) {
    left -= group.length * byteSize(group[0]!.type)
    if (left < 0) break
    const seen = new Map<string, Node>()
    for (const node of group) {
      const digest = digestOf(node.data!)
      const other = seen.get(digest)
      if (other) equal.set(node, other)
      else seen.set(digest, node)
    }
  }
  return equal
}

const digests = new WeakMap<ConstantData, string>()

function digestOf(data: ConstantData): string {
  const digest = digests.get(data) ?? createHash('sha256').update(data.read()).digest('hex')
  digests.set(data, digest)
  return digest
}
