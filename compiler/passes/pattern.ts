// What recognisers of composites share: products, sums and polynomials taken apart however they were written, means, and the question
// whether a pattern is used by nobody else.
import { type DType, elementCount, isFloat, type Node, sameShape } from '../graph/index.ts'
import { resolveAxes } from '../graph/ops/shared.ts'
import { asOp, isConstant, uniformValue } from './match.ts'
import type { MatchContext } from './rule.ts'

/** The nodes that a pattern walked through: they vanish with the rewrite. */
export type Trail = Node[]

/** Whether root and members alone use the members, so that all of them vanish with the root. Constants may have other users. */
export function isClosed(root: Node, members: readonly Node[], { uses }: Pick<MatchContext, 'uses'>): boolean {
  const inside = new Set(members)
  const counts = new Map<Node, number>()
  for (const user of new Set([root, ...inside]))
    for (const operand of new Set(user.operands)) counts.set(operand, (counts.get(operand) ?? 0) + 1)
  return [...inside].every((member) => member === root || isConstant(member) || uses(member) <= (counts.get(member) ?? 0))
}

/**
 * How far a constant may be from the number it stands for, relative to it: two units in the last place, for constants that were computed
 * from rounded ones. None in 16-bit floats, in which other constants are near.
 */
const closeness: Partial<Record<DType, number>> = { f32: 2 ** -22, f64: 2 ** -51, f16: 2 ** -11, bf16: 2 ** -8 }

/** Whether a constant of this dtype is the number, rounded. */
export const isNear = (value: number, expected: number, dtype: DType): boolean =>
  Math.abs(value - expected) <= (closeness[dtype] ?? 0) * Math.abs(expected)

/** factor · Π over / Π under. */
export interface Product {
  readonly factor: number
  readonly over: readonly Node[]
  readonly under: readonly Node[]
  readonly through: Trail
}

/** A float value as a product, taken apart through mul, div, negate and reciprocal, where nobody else uses what is between. */
export function productOf(root: Node, { isShared }: Pick<MatchContext, 'isShared'>): Product {
  let factor = 1
  const [over, under, through]: [Node[], Node[], Node[]] = [[], [], []]
  function visit(node: Node, inverse: boolean, depth: number): void {
    const value = uniformValue(node)
    if (value !== undefined && value !== 0) {
      factor = inverse ? factor / value : factor * value
      return
    }
    const open = depth < 12 && isFloat(node.type.dtype) && (node === root || !isShared(node))
    if (!open || !['mul', 'div', 'reciprocal', 'negate'].includes(node.op)) {
      const side = inverse ? under : over
      side.push(node)
      return
    }
    if (node !== root) through.push(node)
    if (node.op === 'negate') factor = -factor
    const [left, right] = node.operands
    visit(left!, inverse !== (node.op === 'reciprocal'), depth + 1)
    if (right) visit(right, inverse !== (node.op === 'div'), depth + 1)
  }
  visit(root, false, 0)
  return { factor, over, under, through }
}

/** scale · x + offset with constants, where that is what a value is of `x`. */
export interface Affine {
  readonly scale: number
  readonly offset: number
}

/** The coefficients of a value as a polynomial of x of at most the third degree, lowest first; undefined where it is none. */
export function polynomialOf(node: Node, x: Node, trail: Trail, depth = 10): readonly number[] | undefined {
  if (node === x) return [0, 1]
  const value = uniformValue(node)
  if (value !== undefined) return [value]
  if (depth === 0) return undefined
  const part = (i: number) => polynomialOf(node.operands[i]!, x, trail, depth - 1)
  const made = (result: readonly number[] | undefined) => {
    if (result && result.length > 4) return undefined
    if (result) trail.push(node)
    return result
  }
  if (node.op === 'negate') return made(part(0)?.map((coefficient) => -coefficient))
  if (!['add', 'sub', 'mul', 'div', 'pow'].includes(node.op)) return undefined
  const [left, right] = [part(0), part(1)]
  if (!left || !right) return undefined
  if (node.op === 'mul') return made(times(left, right))
  if (node.op === 'div') return made(right.length === 1 ? left.map((coefficient) => coefficient / right[0]!) : undefined)
  if (node.op === 'pow') {
    const [exponent] = right
    if (right.length > 1 || (exponent !== 2 && exponent !== 3)) return undefined
    return made(exponent === 2 ? times(left, left) : times(times(left, left), left))
  }
  const sign = node.op === 'sub' ? -1 : 1
  const length = Math.max(left.length, right.length)
  return made(Array.from({ length }, (_, i) => (left[i] ?? 0) + sign * (right[i] ?? 0)))
}

function times(left: readonly number[], right: readonly number[]): readonly number[] {
  const result = new Array<number>(left.length + right.length - 1).fill(0)
  for (const [i, a] of left.entries()) for (const [j, b] of right.entries()) result[i + j]! += a * b
  return result
}

/** The value as scale · x + offset. */
export function affineOf(node: Node, x: Node, trail: Trail): Affine | undefined {
  const found = polynomialOf(node, x, trail)
  return found && found.length === 2 ? { scale: found[1]!, offset: found[0]! } : undefined
}

/** The one value that is not constant of which this is an affine function, and which. */
export function affineSourceOf(
  node: Node,
  trail: Trail,
  context: Pick<MatchContext, 'isShared'>,
): (Affine & { readonly x: Node }) | undefined {
  let x = node
  while (['add', 'sub', 'mul', 'div', 'negate'].includes(x.op) && (x === node || !context.isShared(x))) {
    const varying = x.operands.filter((operand) => uniformValue(operand) === undefined)
    if (varying.length !== 1 || (x.op === 'div' && varying[0] !== x.operands[0])) break
    x = varying[0]!
  }
  if (!sameShape(x.type.shape, node.type.shape)) return undefined
  const found = affineOf(node, x, trail)
  return found && { ...found, x }
}

/** A reduction with kept dimensions, be it reshaped to them afterwards. */
export interface Reduced {
  readonly input: Node
  /** From the front, ascending. */
  readonly axes: readonly number[]
}

export function reducedOf(node: Node, op: 'reduceSum' | 'reduceMean' | 'reduceMax', trail: Trail): Reduced | undefined {
  const reshaped = asOp(node, 'reshape')
  const reduction = asOp(reshaped?.operands.input ?? node, op)
  if (!reduction) return undefined
  const { input } = reduction.operands
  const axes = resolveAxes(reduction.attributes.axes, input.type.shape.length, op)
  const kept = input.type.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))
  if (!sameShape(node.type.shape, kept)) return undefined
  trail.push(reduction.node)
  if (reshaped) trail.push(node)
  return { input, axes }
}

/** A mean with kept dimensions: as such, or as a sum divided by the count. */
export function meanOf(node: Node, trail: Trail, context: Pick<MatchContext, 'isShared'>): Reduced | undefined {
  const mean = reducedOf(node, 'reduceMean', trail)
  if (mean) return mean
  const { factor, over, under, through } = productOf(node, context)
  if (over.length !== 1 || under.length > 0 || node.op === 'reduceSum') return undefined
  const sum = reducedOf(over[0]!, 'reduceSum', trail)
  if (!sum) return undefined
  const count = sum.axes.reduce((product, axis) => product * sum.input.type.shape[axis]!, 1)
  if (count === 0 || !isNear(factor, 1 / count, node.type.dtype)) return undefined
  trail.push(node, ...through)
  return sum
}

/** Whether axes are the last ones, and how many. */
export function trailingAxes(axes: readonly number[], rank: number): number | undefined {
  return axes.length > 0 && axes.every((axis, i) => axis === rank - axes.length + i) ? axes.length : undefined
}

/** Whether a value has elements, as patterns over empty tensors are left to be folded. */
export const hasElements = (node: Node): boolean => elementCount(node.type.shape) > 0
