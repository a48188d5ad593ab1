import type { OpContext, OpRule, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, range } from '../rules/shared.ts'
import type { OpenSize } from './size.ts'
import { boundsOf, filledMask, filledWith, replacing, withBounds } from './values.ts'

type Extent = number | OpenSize

const extentsOf = (value: Value): Extent[] => dimsOf(value).map((size, axis) => boundsOf(value)?.[axis] ?? size)

/** Indices into an axis: 0 where there are none; counted from the end of what is filled; outside of it a fault. */
function within(c: OpContext, indices: Value, extent: Extent): Value {
  const { d } = c
  const wide = castTo(c, indices, 'i64')
  const filled = filledWith(c, withSame(c, wide, indices), 0)
  if (typeof extent === 'number') return filled
  const counted = d.where(d.less(filled, 0) as Value, d.add(filled, extent.value) as Value, filled) as Value
  // No position of the axis, though the tensor has it: as an index that is outside.
  const outside = d.or(d.less(counted, 0) as Value, d.greaterOrEqual(counted, extent.value) as Value) as Value
  const checked = d.where(outside, extent.high, counted) as Value
  // What stands behind is looked up at 0, in an axis that may be empty: that is no fault.
  const mask = (boundsOf(indices) ?? []).reduce<Value | undefined>((all, bound, axis) => {
    if (!bound) return all
    const next = filledMask(c, dimsOf(indices).length, axis, bound)
    return all ? (d.and(all, next) as Value) : next
  }, undefined)
  return mask ? (d.where(mask, checked, 0) as Value) : checked
}

/** `value`, made of `before` element by element, with its bounds. */
const withSame = (c: OpContext, value: Value, before: Value): Value =>
  value === before ? value : withBounds(c, value, boundsOf(before) ?? [])

const openOf = (extents: readonly Extent[]) => extents.map((extent) => (typeof extent === 'number' ? undefined : extent))
const hasBounds = (value: Value): boolean => boundsOf(value) !== undefined

export const carryGather = (c: OpContext, _plain: OpRule) => {
  const [data, indices] = [c.input(0), c.input(1)]
  const extents = extentsOf(data)
  const axis = axisIn(c, c.int('axis', 0), extents.length)
  if (dimsOf(data)[axis] === 0) return c.unsupported('it picks from an axis without elements')
  const at = hasBounds(indices) || typeof extents[axis] === 'object' ? within(c, indices, extents[axis]!) : indices
  const result = c.d.gather(data, at, { axis }) as Value
  return withBounds(c, result, openOf([...extents.slice(0, axis), ...extentsOf(indices), ...extents.slice(axis + 1)]))
}

export const carryGatherElements = (c: OpContext, plain: OpRule) => {
  const [data, indices] = [c.input(0), c.input(1)]
  const extents = extentsOf(data)
  const axis = axisIn(c, c.int('axis', 0), extents.length)
  return withBounds(c, plain(replacing(c, { 1: within(c, indices, extents[axis]!) })) as Value, boundsOf(indices) ?? [])
}

/** Index vectors whose entries lie in axes of known sizes. */
export const carryGatherNd = (c: OpContext, plain: OpRule) => {
  const [data, indices] = [c.input(0), c.input(1)]
  const extents = extentsOf(data)
  const lead = extentsOf(indices)
  const depth = dimsOf(indices).at(-1)!
  const batch = c.int('batch_dims', 0)
  if (
    typeof lead.at(-1) === 'object' ||
    lead.slice(0, batch).some((size) => typeof size === 'object') ||
    extents.slice(0, batch).some((size) => typeof size === 'object')
  )
    return c.unsupported('index vectors whose length data decides')
  const at = vectors(c, indices, extents.slice(batch, batch + depth))
  return withBounds(c, plain(replacing(c, { 1: at })) as Value, openOf([...lead.slice(0, -1), ...extents.slice(batch + depth)]))
}

/** Vectors of indices, each entry within its axis. */
function vectors(c: OpContext, indices: Value, extents: readonly Extent[]): Value {
  if (extents.every((extent) => typeof extent === 'number'))
    return filledWith(c, withSame(c, castTo(c, indices, 'i64'), indices), 0)
  const axis = dimsOf(indices).length - 1
  const columns = extents.map((extent, i) => {
    const column = c.d.slice(indices, { axis, start: i, stop: i + 1 }) as Value
    return within(c, withBounds(c, column, boundsOf(indices) ?? []), extent)
  })
  return columns.length === 1 ? columns[0]! : (c.d.concat(columns, { axis }) as Value)
}

/** Updates that are not there go to a row behind the tensor, which is cut off. */
export const carryScatterNd = (c: OpContext, plain: OpRule) => {
  const [data, indices, updates] = [c.input(0), c.input(1), c.input(2)]
  const { d } = c
  const extents = extentsOf(data)
  const depth = dimsOf(indices).at(-1)!
  const open = boundsOf(indices) ?? []
  if (open.at(-1)) return c.unsupported('index vectors whose length data decides')
  const result = (value: Value) => withBounds(c, value, boundsOf(data) ?? [])
  const at = vectors(c, indices, extents.slice(0, depth))
  if (!open.some(Boolean)) return result(plain(replacing(c, { 1: at })) as Value)
  const shape = dimsOf(data)
  const spare = d.full(data.dtype, [1, ...shape.slice(1)], 0) as Value
  const longer = d.concat([data, spare], { axis: 0 }) as Value
  const rank = dimsOf(indices).length
  const mask = open.reduce<Value | undefined>((all, bound, axis) => {
    if (!bound) return all
    const next = filledMask(c, rank, axis, bound)
    return all ? (d.and(all, next) as Value) : next
  }, undefined)!
  const first = d.equal(c.literal('i64', [depth], range(depth)), 0) as Value
  const away = d.where(first, c.literal('i64', [1], [shape[0]!]), c.literal('i64', [1], [0])) as Value
  const scattered = plain(replacing(c, { 0: longer, 1: d.where(mask, at, away) as Value, 2: updates })) as Value
  return result(d.slice(scattered, { axis: 0, stop: shape[0]! }) as Value)
}

export const carryScatterElements = (c: OpContext, plain: OpRule) => {
  const [data, indices, updates] = [c.input(0), c.input(1), c.input(2)]
  const { d } = c
  const extents = extentsOf(data)
  const axis = axisIn(c, c.int('axis', 0), extents.length)
  const at = within(c, indices, extents[axis]!)
  const result = (value: Value) => withBounds(c, value, boundsOf(data) ?? [])
  const open = boundsOf(indices)
  if (!open) return result(plain(replacing(c, { 1: at })) as Value)
  const shape = dimsOf(data)
  const longer = d.concat(
    [
      data,
      d.full(
        data.dtype,
        shape.map((size, i) => (i === axis ? 1 : size)),
        0,
      ) as Value,
    ],
    { axis },
  ) as Value
  const mask = open.reduce<Value | undefined>((all, bound, i) => {
    if (!bound) return all
    const next = filledMask(c, shape.length, i, bound)
    return all ? (d.and(all, next) as Value) : next
  }, undefined)!
  const scattered = plain(replacing(c, { 0: longer, 1: d.where(mask, at, shape[axis]!) as Value, 2: updates })) as Value
  return result(d.slice(scattered, { axis, stop: shape[axis]! }) as Value)
}
