import type { Node } from '../graph/index.ts'
import type { BuiltKernel } from './build.ts'
import { roleOf, viewOffset } from './movement.ts'

/** A kernel with the values that it stores, and its place in the order of the graph's nodes. */
export interface Unit {
  readonly at: number
  readonly roots: readonly Node[]
  readonly built: BuiltKernel
}

/** Is a stored movement a contiguous part of a stored value? */
export function isView(node: Node, stored: ReadonlySet<Node>): boolean {
  const role = roleOf(node)
  if (role !== 'view' && role !== 'bits' && role !== 'access') return false
  const operand = node.operands[0]!
  return (stored.has(operand) || roleOf(operand) === 'storage') && viewOffset(node) !== undefined
}
