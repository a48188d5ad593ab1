import {
  type AttributesOf,
  attributesOf,
  definitionOf,
  denseStrides,
  dtypeFacts,
  elementCount,
  hasTrait,
  type Node,
  type OpName,
  type Shape,
} from '../graph/index.ts'
import { canonicalAccess, flatten, type IndexMap, identityMap, scaleAccess, zeroAccess } from './access.ts'
import type { Access } from './kernel.ts'

/** Which operand element a result element is: the operand's index from the result's. */
type Rule<K extends OpName> = (index: IndexMap, attributes: AttributesOf<K>, operand: Shape, rank: number) => IndexMap

const rule = <K extends OpName>(op: K, follow: Rule<K>) => ({ op, follow: follow as Rule<OpName> })

/** Movements whose every result element is one operand element at an affine place; they are folded into the accesses of their readers. */
const rules: ReadonlyMap<string, Rule<OpName>> = new Map(
  [
    rule('transpose', (index, { order }, operand) => {
      const result = new Array<Access>(operand.length)
      for (const [axis, from] of order.entries()) result[from < 0 ? from + operand.length : from] = index[axis]!
      return result
    }),
    rule('slice', (index, { start, step }) => index.map((access, axis) => scaleAccess(access, step[axis]!, start[axis]!))),
    rule('expand', (index, _, operand, rank) => broadcastIndex(index, operand, rank)),
  ].map(({ op, follow }) => [op, follow]),
)

/** What becomes of a node in fusion. */
export type Role = 'storage' | 'elementwise' | 'anchor' | 'view' | 'bits' | 'access' | 'join'

export function roleOf(node: Node): Role {
  if (hasTrait(node, 'storage')) return 'storage'
  if (hasTrait(node, 'elementwise')) return 'elementwise'
  if (hasTrait(node, 'view')) return 'view'
  if (hasTrait(node, 'bits')) return 'bits'
  if (rules.has(node.op)) return 'access'
  // Of the other movements, one with several operands puts them side by side; one with a single operand writes what no operand has.
  const takesMany = Object.values(definitionOf(node.op).operands).some((operand) => operand.count === 'many')
  return hasTrait(node, 'movement') && takesMany ? 'join' : 'anchor'
}

/** The operand's index under an affine movement, for the domain that `index` is over. */
export const followMovement = (node: Node, index: IndexMap, rank: number): IndexMap =>
  rules.get(node.op)!(index, attributesOf(node), node.operands[0]!.type.shape, rank)

/** Index of an operand that broadcasts to the tensor indexed by `index`. */
export const broadcastIndex = (index: IndexMap, operand: Shape, rank: number): IndexMap =>
  operand.map((extent, axis) => (extent === 1 ? zeroAccess(rank) : index[index.length - operand.length + axis]!))

/** Where a node's elements lie in its operand, in the order of the node's own elements. */
function accessOf(node: Node): Access {
  const { shape } = node.type
  return canonicalAccess(
    flatten(followMovement(node, identityMap(shape), shape.length), node.operands[0]!.type.shape, shape.length),
    shape,
  )
}

/** The element of the operand at which the node begins when it is a contiguous part of it: reshapes, row ranges, transposes of ones. */
export function viewOffset(node: Node): number | undefined {
  const { shape, dtype } = node.type
  if (roleOf(node) === 'bits') return attributesOf<'resultOf'>(node).offset / dtypeFacts[dtype].bytes
  if (roleOf(node) === 'view' || elementCount(shape) === 0) return 0
  const { offset, strides } = accessOf(node)
  const dense = denseStrides(shape)
  return strides.every((stride, axis) => shape[axis] === 1 || stride === dense[axis]) ? offset : undefined
}

/** Does a row of the result lie in a row of the operand, in order or repeated? Then reading through the movement costs little. */
export function keepsRows(node: Node): boolean {
  const axis = node.type.shape.findLastIndex((extent) => extent > 1)
  const stride = axis < 0 ? 1 : accessOf(node).strides[axis]!
  return stride === 0 || stride === 1
}

export function joinAxis(node: Node): number {
  const { axis } = attributesOf<'concat'>(node)
  return axis < 0 ? axis + node.type.shape.length : axis
}
