import type { Node } from '../../../../compiler/graph/index.ts'
import { elementCount, elementsOf } from '../../../../compiler/graph/index.ts'
import { nodeOf } from '../../../tracer.ts'
import type { OpContext, Value } from '../context.ts'
import { dimsOf, range } from '../rules/shared.ts'
import { extentsOf, openOf } from './movement.ts'
import { arithmeticOn, highOf, isOpen, lowOf, type Size, sameSize } from './size.ts'
import { withBounds } from './values.ts'

/** Places of a result that is looked up element by element; beyond, a size that nothing bounds well has been multiplied by another. */
const mostPlaces = 2 ** 26

/** A size as a product: computations that are no product, and a number. */
function factorsOf(size: Size): { readonly nodes: readonly Node[]; readonly number: number } {
  if (!isOpen(size)) return { nodes: [], number: size }
  const nodes: Node[] = []
  let number = 1
  const pending = [nodeOf(size.value, 'import', 'a size')]
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (node.op === 'mul' || node.op === 'reshape') pending.push(...node.operands)
    else if (node.data && elementCount(node.type.shape) === 1) number *= elementsOf(node.type.dtype, node.data.read()).get(0)
    else nodes.push(node)
  }
  return { nodes, number }
}

/** What is left of the elements where `others` are the sizes of all axes but one: factors that both have fall out. */
export function remainder(c: OpContext, extents: readonly Size[], others: readonly Size[]): Size {
  const { mul, div, scalar } = arithmeticOn(c.d)
  const left = [...extents]
  let divisor = 1
  const unmatched: Size[] = []
  for (const other of others) {
    const { nodes, number } = factorsOf(other)
    const places = nodes.map((node) => left.findIndex((size) => isOpen(size) && nodeOf(size.value, 'import', 'a size') === node))
    if (places.includes(-1) || new Set(places).size < places.length) unmatched.push(other)
    else {
      for (const place of places) left[place] = 1
      divisor *= number
    }
  }
  const whole = div(left.reduce<Size>(mul, 1), Math.max(1, divisor))
  if (unmatched.length === 0) return whole
  const rest = unmatched.reduce<Size>(mul, 1)
  const least = Math.max(1, lowOf(rest))
  const value = c.d.div(scalar(whole), c.d.maximum(scalar(rest), 1) as Value) as Value
  return { value, low: 0, high: Math.floor(highOf(whole) / least) }
}

/**
 * The filled elements one after the other in another shape, whatever axes data decides: a place of the result is the position of an element
 * among those that are filled, and that is a place of the operand. Trailing axes that both have are moved as one.
 */
export function rearranged(c: OpContext, x: Value, sizes: readonly Size[]): Value {
  const { d } = c
  const { mul, scalar } = arithmeticOn(d)
  const extents = extentsOf(x)
  let shared = 0
  while (shared < Math.min(extents.length, sizes.length)) {
    const [from, to] = [extents.at(-1 - shared)!, sizes.at(-1 - shared)!]
    if (isOpen(from) || !sameSize(from, to)) break
    shared++
  }
  const [from, to] = [extents.slice(0, extents.length - shared), sizes.slice(0, sizes.length - shared)]
  const highs = to.map(highOf)
  const places = highs.reduce((a, b) => a * b, 1)
  const block = dimsOf(x).slice(from.length)
  if (!(places * elementCount(block) <= mostPlaces))
    return c.unsupported(
      `it takes axes apart, or joins them, whose sizes data decides, into as many as [${highs.join(', ')}]`,
      '--limit says the most of a size that data decides',
    )
  const times = (value: Value, size: Size): Value =>
    size === 1 ? value : (d.mul(value, isOpen(size) ? size.value : (size as never)) as Value)
  let position: Value | undefined
  let stride: Size = 1
  for (const axis of range(to.length).reverse()) {
    const along = d.reshape(d.positions(highs[axis]!), [highs[axis]!, ...range(to.length - 1 - axis).map(() => 1)]) as Value
    const part = times(along, stride)
    position = position ? (d.add(position, part) as Value) : part
    stride = mul(stride, to[axis]!)
  }
  let rest = position ?? (d.constant('i64', [], [0]) as Value)
  let place: Value | undefined
  let width = 1
  for (const axis of range(from.length).reverse()) {
    const size = from[axis]!
    const divisor = isOpen(size) ? (d.maximum(scalar(size), 1) as Value) : Math.max(1, size)
    const index = axis === 0 ? rest : (d.mod(rest, divisor as never) as Value)
    const part = times(index, width)
    place = place ? (d.add(place, part) as Value) : part
    if (axis > 0) rest = d.div(rest, divisor as never) as Value
    width *= highOf(size)
  }
  if (width === 0) return withBounds(c, d.full(x.dtype, [...highs, ...block], 0) as Value, openOf(sizes))
  const rows = d.reshape(x, [width, ...block]) as Value
  const index = d.minimum(place ?? rest, width - 1) as Value
  const whole = d.reshape(d.gather(rows, index, { axis: 0 }) as Value, [...highs, ...block]) as Value
  return withBounds(c, whole, openOf(sizes))
}
