import type { OpContext, OpRule, Value } from '../context.ts'
import { axesOf, axisIn, dimsOf, range } from '../rules/shared.ts'
import { rearranged, remainder } from './rearrange.ts'
import { arithmeticOn, distanceBetween, highOf, isOpen, type OpenSize, type Size, sameSize } from './size.ts'
import { type Bounds, boundsOf, known, sizesIn, withBounds } from './values.ts'

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
export const extentsOf = (value: Value): Size[] => dimsOf(value).map((size, axis) => boundsOf(value)?.[axis] ?? size)
export const openOf = (sizes: readonly Size[]): Bounds => sizes.map((size) => (isOpen(size) ? size : undefined))
const shapeOf = (sizes: readonly Size[]): number[] => sizes.map(highOf)

export const carrySqueeze = (c: OpContext, _plain: OpRule) => {
  const x = c.input(0)
  const extents = extentsOf(x)
  const axes = axesOf(c, 1, extents.length) ?? range(extents.length).filter((axis) => extents[axis] === 1)
  if (axes.some((axis) => isOpen(extents[axis]))) return c.unsupported('it takes away an axis whose size data decides')
  if (axes.length === 0) return x
  return withBounds(c, c.d.squeeze(x, { axes }) as Value, openOf(extents.filter((_, axis) => !axes.includes(axis))))
}

export const carryUnsqueeze = (c: OpContext, plain: OpRule) => {
  const extents: (Size | undefined)[] = extentsOf(c.input(0))
  const given = c.ints('axes') ?? c.numbers(1) ?? []
  const rank = extents.length + given.length
  const added = given.map((axis) => axisIn(c, axis, rank))
  const rest = [...extents]
  return withBounds(c, plain(c) as Value, openOf(range(rank).map((axis) => (added.includes(axis) ? 1 : rest.shift()!))))
}

export const carryFlatten = (c: OpContext, _plain: OpRule) => {
  const x = c.input(0)
  const extents = extentsOf(x)
  const given = c.int('axis', 1)
  const axis = given === extents.length ? given : axisIn(c, given, extents.length)
  const [left, right] = [extents.slice(0, axis), extents.slice(axis)]
  if (left.some(isOpen) && right.some(isOpen)) {
    const { mul } = arithmeticOn(c.d)
    return reshaped(c, x, [left.reduce<Size>(mul, 1), right.reduce<Size>(mul, 1)])
  }
  return reshaped(c, x, left.some(isOpen) ? [-1, product(shapeOf(right))] : [product(shapeOf(left)), -1])
}

export const carryReshape = (c: OpContext, _plain: OpRule) => {
  const x = c.input(0)
  const extents = extentsOf(x)
  const wanted = c.ints('shape') ?? sizesIn(c, 1) ?? known(c, 1)
  const copies = c.int('allowzero', 0) === 0
  const sizes = wanted.map((size, i) =>
    size === 0 && copies ? (extents[i] ?? c.unsupported(`its shape copies dimension ${i}, which the input does not have`)) : size,
  )
  // One that data decides, over a tensor of a known size, is what the others leave.
  if (!extents.some(isOpen) && sizes.filter(isOpen).length + sizes.filter((size) => size === -1).length > 1) return known(c, 1)
  return reshaped(c, x, extents.some(isOpen) ? sizes : sizes.map((size) => (isOpen(size) ? -1 : size)))
}

/**
 * What is filled stays in one piece where an axis keeps its place among all others, or where nothing but ones stands before it: then it is the first
 * part of all elements.
 */
function reshaped(c: OpContext, x: Value, wanted: readonly Size[]): Value {
  const extents = extentsOf(x)
  const flexible = wanted.map((size, i) => (size === -1 || isOpen(size) ? i : -1)).filter((i) => i >= 0)
  /** No piece of memory is that: the elements are looked up one by one. */
  const lookUp = () => {
    const free = wanted.indexOf(-1)
    if (free >= 0) {
      const others = wanted.filter((_, i) => i !== free)
      return rearranged(c, x, wanted.toSpliced(free, 1, remainder(c, extents, others)))
    }
    const endless = wanted.find((size) => !Number.isFinite(highOf(size)))
    return endless === undefined ? rearranged(c, x, wanted) : known(c, 1)
  }
  const open = extents.map((size, i) => (isOpen(size) ? i : -1)).filter((i) => i >= 0)
  if (open.length === 0) {
    const rest = product(shapeOf(wanted.map((size) => (size === -1 ? 1 : size))))
    const total = product(shapeOf(extents))
    return c.d.reshape(
      x,
      wanted.map((size) => (size === -1 ? (rest === 0 ? 0 : total / rest) : highOf(size))),
    ) as Value
  }
  if (open.length === 1 && flexible.length === 1 && product(shapeOf(extents.slice(0, open[0]))) === 1) {
    const [from, to] = [open[0]!, flexible[0]!]
    const size = extents[from] as OpenSize
    const [rest, left] = [product(shapeOf(extents.slice(from + 1))), product(shapeOf(wanted.slice(to + 1)))]
    if (product(shapeOf(wanted.slice(0, to))) !== 1 || left === 0) return lookUp()
    const { mul, div } = arithmeticOn(c.d)
    const scaled = rest === left ? size : rest % left === 0 ? mul(size, rest / left) : div(mul(size, rest), left)
    const count = isOpen(scaled) ? scaled : undefined
    const high = highOf(scaled)
    const shape = wanted.map((each, i) => (i === to ? high : (each as number)))
    const exact = high * left === size.high * rest
    const flat = exact ? x : (c.d.slice(c.d.reshape(x, [size.high * rest]) as Value, { axis: 0, stop: high * left }) as Value)
    return withBounds(
      c,
      c.d.reshape(flat, shape) as Value,
      wanted.map((_, i) => (i === to ? count : undefined)),
    )
  }
  // Axes that keep their places: as many elements stand before each, and behind it.
  const sizes: (Size | undefined)[] = wanted.map((size) => (size === -1 ? undefined : size))
  const highs = sizes.map((size) => (size === undefined ? 1 : highOf(size)))
  const total = product(shapeOf(extents))
  const at = wanted.indexOf(-1)
  if (at >= 0) highs[at] = total / product(highs)
  for (const axis of open) {
    const size = extents[axis] as OpenSize
    const before = product(shapeOf(extents.slice(0, axis)))
    // Those that are asked for by the same size come first, since products are no places where a size is 1.
    const place = range(wanted.length).find(
      (i) =>
        flexible.includes(i) &&
        product(highs.slice(0, i)) === before &&
        (highs[i] === size.high || (isOpen(wanted[i]) && sameSize(wanted[i], size))),
    )
    if (place === undefined || (isOpen(sizes[place]) && !sameSize(sizes[place], size))) return lookUp()
    sizes[place] = size
    highs[place] = size.high
  }
  if (product(highs) !== total || flexible.some((i) => !isOpen(sizes[i]) && i !== at) || !highs.every(Number.isInteger))
    return lookUp()
  return withBounds(
    c,
    c.d.reshape(x, highs) as Value,
    sizes.map((size) => (isOpen(size) ? size : undefined)),
  )
}

/** Parts that are filled one after the other: an index says where each entry of the result stands among them. */
export const carryConcat = (c: OpContext, plain: OpRule) => {
  const inputs = range(c.inputCount).map((i) => c.input(i))
  const all = inputs.map(extentsOf)
  const rank = all[0]!.length
  const axis = axisIn(c, c.int('axis', c.opset < 4 ? 1 : undefined), rank)
  const { add, sub, scalar } = arithmeticOn(c.d)
  const others = range(rank).map((at) => {
    if (at === axis) return undefined
    const sizes = all.map((extents) => extents[at]!)
    const [first] = sizes as [Size]
    if (sizes.some((size) => !sameSize(size, first))) return c.unsupported('its inputs differ in a size that data decides')
    return first
  })
  const sizes = all.map((extents) => extents[axis]!)
  const whole = plain(c) as Value
  const count = sizes.reduce<Size>(add, 0)
  const bounds = others.map((size, at) => (at === axis ? count : size!)).map((size) => (isOpen(size) ? size : undefined))
  const lastFilled = sizes.findLastIndex((size) => highOf(size) > 0)
  if (sizes.every((size, i) => !isOpen(size) || i === lastFilled)) return withBounds(c, whole, bounds)
  const total = dimsOf(whole)[axis]!
  const { d } = c
  const place = d.positions(total) as Value
  let [start, offset]: [Size, number] = [0, 0]
  let index = place
  for (const size of sizes) {
    if (!sameSize(start, offset)) {
      const moved = d.add(place, scalar(sub(offset, start))) as Value
      index = d.where(d.greaterOrEqual(place, scalar(start)) as Value, moved, index) as Value
    }
    start = add(start, size)
    offset += highOf(size)
  }
  const inside = d.minimum(index, total - 1) as Value
  return withBounds(c, d.gather(whole, inside, { axis }) as Value, bounds)
}

/** Ranges of axes, any of which data may decide. */
export const carrySlice = (c: OpContext, plain: OpRule) => {
  const x = c.input(0)
  const extents = extentsOf(x)
  const attributes = c.opset < 10
  const starts = (attributes ? c.ints('starts') : sizesIn(c, 1)) ?? known(c, 1)
  const ends = (attributes ? c.ints('ends') : sizesIn(c, 2)) ?? known(c, 2)
  const axes = ((attributes ? c.ints('axes') : c.has(3) ? c.numbers(3) : undefined) ?? range(starts.length)).map((axis) =>
    axisIn(c, axis, extents.length),
  )
  const steps = (!attributes && c.has(4) ? c.numbers(4) : undefined) ?? starts.map(() => 1)
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    return c.unsupported('starts, ends, axes and steps differ in length')
  const isPlain = axes.every((axis, i) => !isOpen(extents[axis]) && !isOpen(starts[i]) && !isOpen(ends[i]))
  if (isPlain) return withBounds(c, plain(c) as Value, openOf(extents))
  axes.forEach((_, i) => {
    if (steps[i]! > 0) return
    if (isOpen(starts[i])) known(c, 1)
    if (isOpen(ends[i])) known(c, 2)
    c.unsupported(`a step of ${steps[i]} along an axis whose size data decides`)
  })
  return axes.reduce<Value>((value, axis, i) => sliced(c, value, axis, starts[i]!, ends[i]!, steps[i]!), x)
}

function sliced(c: OpContext, x: Value, axis: number, start: Size, end: Size, step: number): Value {
  const { d } = c
  const { add, sub, min, max, div, scalar } = arithmeticOn(d)
  const extents = extentsOf(x)
  const extent = extents[axis]!
  const width = step === 1 && isOpen(start) && !isOpen(extent) ? distanceBetween(start, end) : undefined
  if (isOpen(start) && !isOpen(extent) && width !== undefined && width > 0) {
    // As many as the file says, wherever they begin: a range that leaves the axis is an error of the run, as an index outside of it.
    const first = start.value
    const crosses = d.and(d.less(first, 0) as Value, d.greaterOrEqual(first, -width) as Value) as Value
    const begin = d.where(crosses, extent, first) as Value
    const index = width === 1 ? (d.reshape(begin, [1]) as Value) : (d.add(d.positions(width) as Value, begin) as Value)
    return withBounds(c, d.gather(x, index, { axis }) as Value, openOf(extents))
  }
  /** A position counted from the front, within the axis. */
  const position = (size: Size): Size => {
    if (!isOpen(size)) return size >= 0 ? (size >= highOf(extent) ? extent : min(size, extent)) : max(add(extent, size), 0)
    if (size.low >= 0) return min(size, extent)
    const counted = d.where(d.less(size.value, 0) as Value, d.add(size.value, scalar(extent)) as Value, size.value) as Value
    const value = d.maximum(d.minimum(counted, scalar(extent)) as Value, 0) as Value
    return { value, low: 0, high: highOf(extent) }
  }
  const [from, to] = [position(start), position(end)]
  const length = max(sub(to, from), 0)
  const count = step === 1 ? length : div(add(length, step - 1), step)
  const high = highOf(count)
  const bounds = extents.map((size, i) => (i === axis ? count : size)).map((size) => (isOpen(size) ? size : undefined))
  if (!isOpen(from)) {
    const stop = high === 0 ? from : from + (high - 1) * step + 1
    return withBounds(c, d.slice(x, { axis, start: from, stop, step }) as Value, bounds)
  }
  const places = d.positions(high) as Value
  const index = d.add(step === 1 ? places : (d.mul(places, step) as Value), from.value) as Value
  return withBounds(c, d.gather(x, d.minimum(index, Math.max(0, highOf(extent) - 1)) as Value, { axis }) as Value, bounds)
}

/** Parts of an axis one behind the other. A part of a size that the file says is as long, wherever the axis ends. */
export const carrySplit = (c: OpContext, plain: OpRule) => {
  const x = c.input(0)
  const extents = extentsOf(x)
  const axis = axisIn(c, c.int('axis', 0), extents.length)
  const extent = extents[axis]!
  const attribute = c.opset < 13 ? c.ints('split') : undefined
  const given = attribute ?? (c.has(1) ? (sizesIn(c, 1) ?? known(c, 1)) : undefined)
  if (!isOpen(extent) && !given?.some(isOpen)) {
    const parts = plain(c)
    return (Array.isArray(parts) ? parts : [parts]).map((part) =>
      withBounds(c, part as Value, openOf(extents.with(axis, dimsOf(part as Value)[axis]!))),
    )
  }
  const { add, min, div } = arithmeticOn(c.d)
  const count = c.outputCount
  const each = div(add(extent, count - 1), count)
  let start: Size = 0
  return range(given?.length ?? count).map((i) => {
    const end: Size = given ? add(start, given[i]!) : min(add(start, each), extent)
    const isFixed = !isOpen(start) && !isOpen(end)
    // More than there are is an error, as it is in ONNX: an index outside of the axis.
    const part =
      isFixed && isOpen(extent) ? picked(c, x, axis, start as number, end as number, extent) : sliced(c, x, axis, start, end, 1)
    start = end
    return part
  })

  function picked(context: OpContext, whole: Value, along: number, from: number, to: number, size: OpenSize): Value {
    const { d } = context
    const missing = d.minimum(d.sub(size.value, to) as Value, 0) as Value
    const index = d.add(d.add(d.positions(to - from) as Value, from) as Value, d.mul(missing, 2 ** 32) as Value) as Value
    return withBounds(context, d.gather(whole, index, { axis: along }) as Value, openOf(extents.with(along, to - from)))
  }
}
