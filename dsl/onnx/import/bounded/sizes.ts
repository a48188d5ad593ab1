// Shape arithmetic over sizes that data decides: what stays a list of sizes.
import { elementCount, isInteger } from '../../../../compiler/graph/index.ts'
import type { Known, OpContext } from '../context.ts'
import { axisIn, dtypeAttribute, range } from '../rules/shared.ts'
import { extentsOf } from './movement.ts'
import { arithmeticOn, isOpen, type Size, sameSize } from './size.ts'
import { boundsOf, type SizeList, sizeList, sizesIn } from './values.ts'

type Result = Known | SizeList | undefined
/** Undefined where the result is no list of sizes; the operator is then computed when the model runs. */
type SizeRule = (c: OpContext) => Result

interface List {
  readonly sizes: readonly Size[]
  readonly shape: readonly number[]
}

function listIn(c: OpContext, i: number): List | undefined {
  if (!c.has(i)) return undefined
  const { shape } = c.typeOf(i)
  if (shape.length > 1 || (!c.isConstant(i) && !c.sizes(i))) return undefined
  const sizes = sizesIn(c, i)
  return sizes && { sizes, shape }
}

const dtypeOf = (c: OpContext, i = 0): 'i64' | 'i32' | undefined => {
  const { dtype } = c.typeOf(i)
  return dtype === 'i64' || dtype === 'i32' ? dtype : undefined
}

const made = (c: OpContext, sizes: readonly Size[], shape: readonly number[], dtype = dtypeOf(c)): Result =>
  dtype && sizeList(c, sizes, shape, dtype)

/** The same elements in another shape, of which lists and single elements alone are followed. */
const reshaped =
  (shapeFor: (c: OpContext, list: List) => readonly number[] | undefined): SizeRule =>
  (c) => {
    const list = listIn(c, 0)
    const shape = list && shapeFor(c, list)
    return shape && shape.length <= 1 && elementCount(shape) === list.sizes.length ? made(c, list.sizes, shape) : undefined
  }

const pairwise =
  (apply: (c: OpContext, a: Size, b: Size) => Size | undefined): SizeRule =>
  (c) => {
    const lists = range(c.inputCount).map((i) => listIn(c, i))
    if (lists.some((list) => !list)) return undefined
    const count = Math.max(...lists.map((list) => list!.sizes.length))
    if (lists.some((list) => list!.sizes.length !== 1 && list!.sizes.length !== count)) return undefined
    const at = (list: List, k: number) => list.sizes[list.sizes.length === 1 ? 0 : k]!
    const sizes = range(count).map((k) => {
      let result: Size | undefined = at(lists[0]!, k)
      for (const list of lists.slice(1)) result = result === undefined ? undefined : apply(c, result, at(list!, k))
      return result
    })
    if (sizes.some((size) => size === undefined)) return undefined
    return made(c, sizes as Size[], lists.some((list) => list!.shape.length > 0) ? [count] : [])
  }

const combined =
  (apply: (c: OpContext, a: Size, b: Size) => Size): SizeRule =>
  (c) => {
    const list = listIn(c, 0)
    if (!list || list.sizes.length === 0) return undefined
    return made(c, [list.sizes.reduce((a, b) => apply(c, a, b))], c.int('keepdims', 1) !== 0 && list.shape.length > 0 ? [1] : [])
  }

/** What is the same whatever the data. */
function isEqual(a: Size, b: Size): boolean | undefined {
  if (sameSize(a, b)) return true
  if (!isOpen(a) && !isOpen(b)) return a === b
  const [low, high] = [isOpen(a) ? a.low : a, isOpen(a) ? a.high : a]
  const [least, most] = [isOpen(b) ? b.low : b, isOpen(b) ? b.high : b]
  return high < least || most < low ? false : undefined
}

const rules: Readonly<Record<string, SizeRule>> = {
  Shape(c) {
    if (c.sizes(0) || !boundsOf(c.input(0))) return undefined
    const extents = extentsOf(c.input(0))
    const clamp = (value: number) => Math.min(extents.length, Math.max(0, value < 0 ? value + extents.length : value))
    const part = extents.slice(clamp(c.int('start', 0)), clamp(c.int('end', extents.length)))
    return sizeList(c, part, [part.length])
  },
  Size(c) {
    if (c.sizes(0) || !boundsOf(c.input(0))) return undefined
    return sizeList(c, [extentsOf(c.input(0)).reduce<Size>(arithmeticOn(c.d).mul, 1)], [])
  },
  Identity: reshaped((_, { shape }) => shape),
  Cast(c) {
    const to = dtypeAttribute(c, 'to')
    const list = listIn(c, 0)
    return list && isInteger(to) && (to === 'i64' || to === 'i32') ? sizeList(c, list.sizes, list.shape, to) : undefined
  },
  Squeeze: reshaped((_, { sizes }) => (sizes.length === 1 ? [] : undefined)),
  Unsqueeze: reshaped((c, { shape }) => (shape.length === 0 && (c.ints('axes') ?? c.numbers(1))?.length === 1 ? [1] : undefined)),
  Reshape: reshaped((c, { sizes }) => {
    const wanted = c.has(1) && c.isConstant(1) ? c.numbers(1) : undefined
    return wanted && (wanted.length === 0 ? [] : wanted.length === 1 ? [sizes.length] : undefined)
  }),
  Gather(c) {
    const list = listIn(c, 0)
    if (list?.shape.length !== 1 || !c.isConstant(1) || c.typeOf(1).shape.length > 1) return undefined
    const picked = c.numbers(1)!.map((i) => list.sizes[axisIn(c, i, list.sizes.length)]!)
    return made(c, picked, c.typeOf(1).shape)
  },
  Slice(c) {
    const list = listIn(c, 0)
    if (list?.shape.length !== 1) return undefined
    const read = (name: string, i: number) =>
      c.opset < 10 ? c.ints(name) : c.has(i) && c.isConstant(i) ? c.numbers(i) : undefined
    const [start, end, step] = [read('starts', 1)?.[0], read('ends', 2)?.[0], c.has(4) ? read('steps', 4)?.[0] : 1]
    if (start === undefined || end === undefined || step === undefined || step < 1) return undefined
    const part = list.sizes.slice(start, end).filter((_, i) => i % step === 0)
    return made(c, part, [part.length])
  },
  Concat(c) {
    const lists = range(c.inputCount).map((i) => listIn(c, i))
    if (lists.some((list) => list?.shape.length !== 1)) return undefined
    const all = lists.flatMap((list) => list!.sizes)
    return made(c, all, [all.length])
  },
  Add: pairwise((c, a, b) => arithmeticOn(c.d).add(a, b)),
  Sub: pairwise((c, a, b) => arithmeticOn(c.d).sub(a, b)),
  Mul: pairwise((c, a, b) => arithmeticOn(c.d).mul(a, b)),
  Div: pairwise((c, a, b) => (!isOpen(b) && b > 0 ? arithmeticOn(c.d).div(a, b) : undefined)),
  Min: pairwise((c, a, b) => arithmeticOn(c.d).min(a, b)),
  Max: pairwise((c, a, b) => arithmeticOn(c.d).max(a, b)),
  ReduceMin: combined((c, a, b) => arithmeticOn(c.d).min(a, b)),
  ReduceMax: combined((c, a, b) => arithmeticOn(c.d).max(a, b)),
  ReduceProd: combined((c, a, b) => arithmeticOn(c.d).mul(a, b)),
  ReduceSum: combined((c, a, b) => arithmeticOn(c.d).add(a, b)),
  Equal(c) {
    const [a, b] = [listIn(c, 0), listIn(c, 1)]
    if (!a || !b) return undefined
    const count = Math.max(a.sizes.length, b.sizes.length)
    const at = (list: List, k: number) => list.sizes[list.sizes.length === 1 ? 0 : k]!
    const equal = range(count).map((k) => isEqual(at(a, k), at(b, k)))
    if (equal.some((each) => each === undefined)) return undefined
    return c.constant('bool', a.shape.length + b.shape.length > 0 ? [count] : [], equal.map(Number))
  },
  Where(c) {
    const [yes, no] = [listIn(c, 1), listIn(c, 2)]
    if (!c.isConstant(0) || !yes || !no) return undefined
    const condition = c.numbers(0)!
    const count = Math.max(condition.length, yes.sizes.length, no.sizes.length)
    const at = <T>(list: readonly T[], k: number) => list[list.length === 1 ? 0 : k]!
    const sizes = range(count).map((k) => at(at(condition, k) !== 0 ? yes.sizes : no.sizes, k))
    const isList = [c.typeOf(0).shape, yes.shape, no.shape].some((shape) => shape.length > 0)
    return made(c, sizes, isList ? [count] : [], dtypeOf(c, 1))
  },
}

/** A list of sizes that an operator makes of others; undefined where it makes none. */
export const sizeResult = (c: OpContext): Result =>
  c.node.domain === '' && Object.hasOwn(rules, c.node.op) ? rules[c.node.op]!(c) : undefined
