import { elementCount, elementsOf, isInteger, type Node } from '../../../../compiler/graph/index.ts'
import { nodeOf } from '../../../tracer.ts'
import type { Value, Vocabulary } from '../context.ts'

/** A size that is known when the model runs: one i64 shaped `[]`, from `low` to `high`, which may be infinite. */
export interface OpenSize {
  readonly value: Value
  readonly low: number
  readonly high: number
}

/** A size, or another whole number of shape arithmetic. */
export type Size = number | OpenSize

export const isOpen = (size: Size | undefined): size is OpenSize => typeof size === 'object'
export const lowOf = (size: Size): number => (isOpen(size) ? size.low : size)
export const highOf = (size: Size): number => (isOpen(size) ? size.high : size)

/** Whether two sizes are one, whatever the data: the same number, or the same computation. */
export function sameSize(a: Size, b: Size): boolean {
  if (!isOpen(a) || !isOpen(b)) return a === b
  return nodeOf(a.value, 'import', 'a size') === nodeOf(b.value, 'import', 'a size')
}

/** A value of one element as another one and a number. */
function offsetOf(size: OpenSize): { readonly base: Node; readonly offset: number } {
  let node = nodeOf(size.value, 'import', 'a size')
  let offset = 0
  for (;;) {
    const [left, right] = node.operands
    const isMoved = node.op === 'add' || node.op === 'sub'
    if (node.op === 'reshape' || (node.op === 'cast' && isInteger(left!.type.dtype) && node.type.dtype === 'i64')) node = left!
    else if (isMoved && right!.data && elementCount(right!.type.shape) === 1 && elementCount(left!.type.shape) === 1) {
      offset += (node.op === 'add' ? 1 : -1) * elementsOf(right!.type.dtype, right!.data.read()).get(0)
      node = left!
    } else if (node.op === 'add' && left!.data && elementCount(left!.type.shape) === 1 && elementCount(right!.type.shape) === 1) {
      offset += elementsOf(left!.type.dtype, left!.data.read()).get(0)
      node = right!
    } else return { base: node, offset }
  }
}

/** How far two sizes are apart, where that is the same whatever the data. */
export function distanceBetween(a: Size, b: Size): number | undefined {
  if (!isOpen(a) || !isOpen(b)) return isOpen(a) || isOpen(b) ? undefined : b - a
  const [from, to] = [offsetOf(a), offsetOf(b)]
  return from.base === to.base ? to.offset - from.offset : undefined
}

export interface SizeArithmetic {
  add(a: Size, b: Size): Size
  sub(a: Size, b: Size): Size
  mul(a: Size, b: Size): Size
  /** Towards zero, by a number above 0. */
  div(a: Size, by: number): Size
  min(a: Size, b: Size): Size
  max(a: Size, b: Size): Size
  /** A tensor of one i64 shaped `[]`. */
  scalar(size: Size): Value
  /** What is a number after all becomes one. */
  open(value: Value, low: number, high: number): Size
}

/** Shape arithmetic over sizes that data decides, with what they are at least and at most. */
export function arithmeticOn(d: Vocabulary): SizeArithmetic {
  const scalar = (size: Size): Value => (isOpen(size) ? size.value : (d.constant('i64', [], [size]) as Value))
  const open = (value: Value, low: number, high: number): Size => (low === high ? low : { value, low, high })
  const operand = (size: Size): any => (isOpen(size) ? size.value : size)
  type Apply = (a: any, b: any) => unknown
  const apply = (a: Size, b: Size, by: Apply, low: number, high: number): Size =>
    low === high ? low : { value: by(operand(a), operand(b)) as Value, low, high }
  const times = (x: number, y: number) => (x === 0 || y === 0 ? 0 : x * y)
  return {
    scalar,
    open,
    add(a, b) {
      if (a === 0) return b
      if (b === 0) return a
      return apply(a, b, (x, y) => d.add(x, y), lowOf(a) + lowOf(b), highOf(a) + highOf(b))
    },
    sub(a, b) {
      if (b === 0) return a
      if (sameSize(a, b)) return 0
      return apply(a, b, (x, y) => d.sub(x, y), lowOf(a) - highOf(b), highOf(a) - lowOf(b))
    },
    mul(a, b) {
      if (a === 1) return b
      if (b === 1) return a
      const ends = [
        times(lowOf(a), lowOf(b)),
        times(lowOf(a), highOf(b)),
        times(highOf(a), lowOf(b)),
        times(highOf(a), highOf(b)),
      ]
      return apply(a, b, (x, y) => d.mul(x, y), Math.min(...ends), Math.max(...ends))
    },
    div(a, by) {
      if (by === 1) return a
      return apply(a, by, (x, y) => d.div(x, y), Math.trunc(lowOf(a) / by), Math.trunc(highOf(a) / by))
    },
    min(a, b) {
      if (sameSize(a, b) || highOf(a) <= lowOf(b)) return a
      if (highOf(b) <= lowOf(a)) return b
      return apply(a, b, (x, y) => d.minimum(x, y), Math.min(lowOf(a), lowOf(b)), Math.min(highOf(a), highOf(b)))
    },
    max(a, b) {
      if (sameSize(a, b) || lowOf(a) >= highOf(b)) return a
      if (lowOf(b) >= highOf(a)) return b
      return apply(a, b, (x, y) => d.maximum(x, y), Math.max(lowOf(a), lowOf(b)), Math.max(highOf(a), highOf(b)))
    },
  }
}
