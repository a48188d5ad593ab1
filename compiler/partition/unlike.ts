import { type Graph, hasTrait, type Node } from '../graph/index.ts'
import type { Processor } from './platform.ts'

/** A part of a graph of which every second is the host's. */
export interface UnlikePart {
  readonly name: string
  readonly onHost: boolean
}

/**
 * Nodes that a card refuses on the host, the others on a card (PA-08, PA-22). A node is in the first part of its kind that none of its operands
 * comes after: parts wait for earlier ones alone, and are as few as that allows.
 */
export function placeUnlike(graph: Graph, { refuses }: Pick<Processor, 'refuses'>): (node: Node) => UnlikePart {
  const refused = new Set(refuses)
  const numbers = new Map<Node, number>()
  for (const node of graph.nodes) {
    if (hasTrait(node, 'storage')) continue
    const least = Math.max(0, ...node.operands.map((operand) => numbers.get(operand) ?? 0))
    // Even numbers are cards.
    const onHost = refused.has(node.op)
    numbers.set(node, (least % 2 === 1) === onHost ? least : least + 1)
  }
  return (node) => {
    const number = numbers.get(node) ?? 0
    const onHost = number % 2 === 1
    return { name: `${onHost ? 'host' : 'card'}${Math.floor(number / 2)}`, onHost }
  }
}
