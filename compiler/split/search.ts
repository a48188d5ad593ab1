import { byteSize, type Node } from '../graph/index.ts'
import { type NodePart, partOf } from './part.ts'
import { type Range, rangesOf } from './range.ts'
import { isRefusal, type Refusal, refuse } from './rule.ts'

/** SP-02. Says of a part whether it will do. */
export type Constraint = (part: NodePart, range: Range) => boolean

/** Bytes of a part's operands and result together. */
export const bytesAtMost =
  (limit: number): Constraint =>
  ({ needs, operands, type }) =>
    operands.reduce((sum, operand, i) => sum + (needs[i] === 'none' ? 0 : byteSize(operand)), byteSize(type)) <= limit

export interface SearchOptions {
  /** Dimensions to try, in order of preference. Default: all, from the front. */
  readonly axes?: readonly number[]
  /** Starts of parts are multiples of it. Default 1. */
  readonly alignment?: number
  /** Parts at most. Default 4096. */
  readonly maximumParts?: number
}

/**
 * The division into fewest equal parts of which each meets the constraint; of equally many, along the axis named first. Refused, with
 * what stood in the way on each axis, where there is none.
 */
export function findDivision(
  node: Node,
  accepts: Constraint,
  options: SearchOptions = {},
): { readonly axis: number; readonly ranges: readonly Range[] } | Refusal {
  const { axes = [...node.type.shape.keys()], alignment = 1, maximumParts = 4096 } = options
  const obstacles = new Map<number, string>()
  const open = axes.filter((axis) => (node.type.shape[axis] ?? 0) > 0)
  for (let count = 1; count <= maximumParts && obstacles.size < open.length; count++) {
    for (const axis of open) {
      if (obstacles.has(axis)) continue
      const ranges = rangesOf({ kind: 'count', count }, node.type.shape[axis]!, alignment)
      const obstacle = obstacleOf(node, axis, ranges, accepts)
      if (obstacle === undefined) return { axis, ranges }
      // More parts than positions there are none.
      if (obstacle.final || count >= Math.ceil(node.type.shape[axis]! / alignment)) obstacles.set(axis, obstacle.text)
    }
  }
  const reasons = open.map((axis) => `dimension ${axis}: ${obstacles.get(axis) ?? `not with ${maximumParts} parts`}`)
  return refuse(`${node.op} has no division that meets the constraint; ${reasons.join('; ') || 'it has no positions'}`)
}

function obstacleOf(node: Node, axis: number, ranges: readonly Range[], accepts: Constraint) {
  for (const range of ranges) {
    const part = partOf(node, axis, range)
    if (isRefusal(part)) return { text: part.refused, final: ranges.length === 1 }
    if (!accepts(part, range)) return { text: `positions ${range.start} to ${range.end} do not meet it`, final: false }
  }
  return undefined
}
