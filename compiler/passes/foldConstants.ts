import { type Builder, byteSize, copyNode, elementCount, type Graph, hasTrait, type Node, rebuildGraph } from '../graph/index.ts'
import { isConstant } from './match.ts'
import type { Pass, PassContext } from './pass.ts'

/** A result with more elements than its operands is folded up to this size: beyond, computing it costs less than storing it. */
const grownBytes = 1 << 16
/** Elements of the result times those of the largest operand, where each result may need every operand element. */
const maximumWork = 2 ** 30

/**
 * Computes at build what depends on constants alone. Never makes a bundle much larger: expanding a constant is left to the kernels. What
 * decodes a constant waits for its lowering: until then it may turn out that the encoded form is what is needed.
 *
 *     %1 = constant @"w" [1, 2]
 *     %2 = constant @"2" [2]        →   %1 = constant @"folded(w)" [2, 4]
 *     %3 = mul(%1, %2)
 */
export const foldConstants: Pass = {
  name: 'fold-constants',
  summary: 'Compute at build what depends on constants alone',
  level: 'any',
  run(graph, context) {
    if (!graph.nodes.some(isFoldable)) return graph
    let folded = 0
    const result = rebuildGraph(graph, (original, operands, builder) => {
      const node = copyNode(original, builder, operands)
      if (!isFoldable(node)) return node
      const constant = fold(node, graph, original, builder, context)
      if (constant) folded++
      return constant ?? node
    })
    return folded > 0 ? result : graph
  },
}

function isFoldable(node: Node): boolean {
  if (
    !hasTrait(node, 'pure') ||
    hasTrait(node, 'storage') ||
    hasTrait(node, 'decoding') ||
    node.operands.length === 0 ||
    !node.operands.every(isConstant)
  )
    return false
  const size = elementCount(node.type.shape)
  const largest = Math.max(...node.operands.map((operand) => elementCount(operand.type.shape)))
  const grows = size > node.operands.reduce((sum, operand) => sum + elementCount(operand.type.shape), 0)
  if (grows && (hasTrait(node, 'movement') || byteSize(node.type) > grownBytes)) return false
  return !hasTrait(node, 'anchor') || size * largest <= maximumWork
}

function fold(node: Node, graph: Graph, original: Node, builder: Builder, context: PassContext): Node | undefined {
  const bytes = compute(node, context)
  if (!bytes) return undefined
  const locations = graph.locations.get(original) ?? []
  const note = `${node.op} of constants → constant`
  if (!context.apply({ rule: 'fold-constants', note, locations, node: original.id })) return undefined
  return builder.literal(node.type, bytes, labelOf(node))
}

/** Named after the largest operand: the weight, rather than what it was scaled with. */
function labelOf({ operands }: Node): string {
  const largest = operands.reduce((a, b) => (byteSize(b.type) > byteSize(a.type) ? b : a)).data!.label
  return largest.startsWith('folded(') ? largest : `folded(${largest})`
}

/** A checked op that refuses its operands is left as it is: it refuses them again where the user sees it, at run time. */
function compute(node: Node, { evaluate }: PassContext): Uint8Array | undefined {
  try {
    return evaluate(
      node,
      node.operands.map((operand) => operand.data!.read()),
    )
  } catch (error) {
    if (hasTrait(node, 'checked')) return undefined
    throw error
  }
}
