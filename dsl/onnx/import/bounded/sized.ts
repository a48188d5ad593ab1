// Operators whose sizes are operands, where data decides these.
import { elementsOf } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, Value } from '../context.ts'
import { printable } from '../problem.ts'
import { axisIn, castTo, dimsOf, range } from '../rules/shared.ts'
import { extentsOf, openOf } from './movement.ts'
import { arithmeticOn, highOf, isOpen, lowOf, type Size, sameSize } from './size.ts'
import { extreme, filledWith, known, sizesIn, withBounds } from './values.ts'

/** Sizes with an end, of a shape that input i says. */
function shapeIn(c: OpContext, i: number): Size[] {
  const { max } = arithmeticOn(c.d)
  const sizes = sizesIn(c, i) ?? known(c, i)
  return sizes.map((size) => finite(c, i, isOpen(size) && size.low < 0 ? max(size, 0) : size))
}

function finite(c: OpContext, i: number, size: Size): Size {
  if (Number.isFinite(highOf(size))) return size
  return c.unsupported(
    `input ${i} '${printable(c.node.inputs[i]!, 80)}' depends on data, and nothing says how large it may be`,
    `--limit ${printable(c.node.inputs[i]!, 60)}=100 says the most, --constant fixes an input of the graph`,
  )
}

export const constantOfShape = (c: OpContext, plain: OpRule) => {
  if (c.isConstant(0)) return plain(c)
  const sizes = shapeIn(c, 0)
  const value = c.tensor('value')
  if (value?.unsupported !== undefined) return c.unsupported(`elements of type ${value.unsupported} are not supported`)
  const dtype = value?.dtype ?? 'f32'
  const element = value ? elementsOf(dtype, value.read()).get(0) : 0
  return withBounds(c, c.d.full(dtype, sizes.map(highOf), element) as Value, openOf(sizes))
}

export const expand = (c: OpContext, _plain: OpRule) => {
  const x = c.input(0)
  const [extents, wanted] = [extentsOf(x), shapeIn(c, 1)]
  const rank = Math.max(extents.length, wanted.length)
  const sizes = range(rank).map((axis): Size => {
    const [own, asked] = [extents[axis - rank + extents.length] ?? 1, wanted[axis - rank + wanted.length] ?? 1]
    if (asked === 1 || sameSize(own, asked)) return own
    if (own === 1) return asked
    if (isOpen(own)) return c.unsupported('it takes a size that data decides for another')
    return isOpen(asked) ? own : asked === own ? own : c.unsupported(`shapes do not broadcast: ${own} and ${asked}`)
  })
  return withBounds(c, c.d.expand(x, sizes.map(highOf)) as Value, openOf(sizes))
}

export const tile = (c: OpContext, _plain: OpRule) => {
  const x = c.input(0)
  const repeats = shapeIn(c, 1)
  const extents = extentsOf(x)
  const { mul } = arithmeticOn(c.d)
  const sizes = extents.map((extent, axis): Size => {
    const times = repeats[axis] ?? 1
    if (isOpen(extent) && times !== 1) return c.unsupported('it repeats an axis whose size data decides')
    return mul(extent, times)
  })
  return withBounds(c, c.d.tile(x, repeats.map(highOf)) as Value, openOf(sizes))
}

export const rangeOf = (c: OpContext, _plain: OpRule) => {
  const one = (i: number): Size => {
    const sizes = sizesIn(c, i)
    return sizes?.length === 1 ? sizes[0]! : known(c, i)
  }
  const [start, limit, delta] = [one(0), one(1), one(2)]
  if (isOpen(delta)) return known(c, 2)
  if (delta === 0) return c.unsupported('its step is 0')
  const { add, sub, div, max, scalar } = arithmeticOn(c.d)
  const span = delta > 0 ? sub(limit, start) : sub(start, limit)
  const count = finite(c, 1, div(add(max(span, 0), Math.abs(delta) - 1), Math.abs(delta)))
  const { dtype } = c.typeOf(0)
  const { d } = c
  const places = d.positions(highOf(count)) as Value
  const stepped = delta === 1 ? places : (d.mul(places, delta) as Value)
  const moved = start === 0 ? stepped : (d.add(stepped, scalar(start)) as Value)
  return withBounds(c, castTo(c, moved, dtype), openOf([count]))
}

export const topK = (c: OpContext, _plain: OpRule) => {
  const { d } = c
  const x = c.input(0)
  const extents = extentsOf(x)
  const axis = axisIn(c, c.int('axis', -1), extents.length)
  const asked = (c.opset < 10 ? c.int('k') : sizesIn(c, 1)?.[0]) ?? c.unsupported('it has no k')
  const { min, sub, scalar } = arithmeticOn(d)
  const extent = extents[axis]!
  const largest = c.int('largest', 1) !== 0
  const isFloating = ['f32', 'f64', 'f16', 'bf16'].includes(x.dtype)
  const last = largest || !isFloating ? extreme(x.dtype, !largest) : Number.NaN
  const filled = isOpen(extent) ? filledWith(c, x, last, [axis]) : x
  const size = highOf(asked) <= lowOf(extent) ? asked : min(asked, dimsOf(x)[axis]!)
  const indices = (d.topK(filled, highOf(size), { axis, ...(!largest && { largest }) }) as { indices: Value }).indices
  // More than there are is an error, as it is in ONNX: an index that is outside of a table of one.
  const spare = sub(extent, asked)
  const isEnough = lowOf(spare) >= 0 || (isOpen(asked) && sameSize(asked, extent))
  const checked = isEnough
    ? indices
    : (d.add(
        indices,
        d.gather(d.full('i64', [1], 0), d.cast(d.less(scalar(spare), 0) as Value, 'i64') as Value) as Value,
      ) as Value)
  const bounds = extents.map((each, i) => (i === axis ? size : each))
  const values = d.gatherElements(x, checked, { axis }) as Value
  return [withBounds(c, values, openOf(bounds)), withBounds(c, checked, openOf(bounds))]
}
