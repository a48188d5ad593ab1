import { elementCount, type Graph, hasTrait, type Node } from '../graph/index.ts'
import { partOf } from './part.ts'
import { type Range, rangesOf } from './range.ts'
import { isRefusal } from './rule.ts'
import type { Cut, Cuts } from './split.ts'

export interface ChooseOptions {
  /** Parts of each node that is divided. */
  readonly count: number
  /** Starts of parts are multiples of it, so that the last part may be smaller. Default 1. */
  readonly alignment?: number
  /** Outputs of a product from which it is divided by outputs (model parallel). Default 512, Glow's. */
  readonly minimumOutputs?: number
  /** Batch from which other nodes are divided by it (data parallel). Default 256, Glow's. */
  readonly minimumBatch?: number
}

/**
 * SP-06. Products whose result is at least `minimumOutputs` wide are divided along it, so that each part reads its own weights; elementwise
 * nodes follow their operand; all else is divided by batch, the first dimension, from `minimumBatch` on. What cannot be divided so stays
 * whole.
 */
export function chooseCuts(graph: Graph, options: ChooseOptions): Cuts {
  const { count, alignment = 1, minimumOutputs = 512, minimumBatch = 256 } = options
  const cuts = new Map<Node, Cut>()
  if (count < 2) return cuts

  function cutAlong(node: Node, axis: number): Cut | undefined {
    const ranges = rangesOf({ kind: 'count', count }, node.type.shape[axis]!, alignment)
    return ranges.length > 1 && isDivisible(node, axis, ranges) ? { axis, ranges } : undefined
  }

  for (const node of graph.nodes) {
    const { shape } = node.type
    if (hasTrait(node, 'storage') || elementCount(shape) === 0) continue
    const wide = shape.length - 1
    const followed = hasTrait(node, 'elementwise') ? followedCut(node, cuts) : undefined
    const cut =
      followed ??
      (isProduct(node) && shape[wide]! >= minimumOutputs ? cutAlong(node, wide) : undefined) ??
      ((shape[0] ?? 0) >= minimumBatch ? cutAlong(node, 0) : undefined)
    if (cut) cuts.set(node, cut)
  }
  return cuts
}

const isDivisible = (node: Node, axis: number, ranges: readonly Range[]): boolean =>
  ranges.every((range) => !isRefusal(partOf(node, axis, range)))

/** The cut of an operand of the node's own shape, as long as the node may be divided so. */
function followedCut(node: Node, cuts: Cuts): Cut | undefined {
  for (const operand of node.operands) {
    const cut = cuts.get(operand)
    const fits = cut && operand.type.shape.length === node.type.shape.length && isDivisible(node, cut.axis, cut.ranges)
    if (fits && operand.type.shape[cut.axis] === node.type.shape[cut.axis]) return { axis: cut.axis, ranges: cut.ranges }
  }
  return undefined
}

/** Whether the last dimension of the result takes a part of an operand that the other dimensions need whole: an op with weights. */
function isProduct(node: Node): boolean {
  const { shape } = node.type
  if (hasTrait(node, 'elementwise') || hasTrait(node, 'movement') || shape.length < 2 || node.operands.length < 2) return false
  const one = { start: 0, end: 1 }
  const [columns, rows] = [partOf(node, shape.length - 1, one), partOf(node, shape.length - 2, one)]
  if (isRefusal(columns) || isRefusal(rows)) return false
  return columns.needs.some((need, i) => need !== 'all' && rows.needs[i] === 'all') && columns.needs[0] === 'all'
}
