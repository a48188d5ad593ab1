import { type AttributesOf, elementCount, type Node } from '../graph/index.ts'
import { resizedAxes } from '../graph/ops/shared.ts'
import { along, inFloat32, type LoweringRule, pick, type Scope } from './scope.ts'

type Resize = AttributesOf<'resize'>

/** One axis that is resized. */
interface Resampling {
  readonly axis: number
  readonly extent: number
  readonly size: number
  /** Length that the factor asks for, which `size` is rounded from; `size` where no factor is given. */
  readonly length: number
  /** What an output coordinate divided by the factor is. Multiplies before it divides where there is none: whole results stay exact. */
  readonly divided: (position: number) => number
  readonly factor: number
  /** The part of the input that is looked at, in units of extent − 1. */
  readonly start: number
  readonly end: number
}

function resamplings(input: Node, { size, axes, scales, start, end }: Resize): Resampling[] {
  return resizedAxes(input.type, axes, size.length).map((axis, i) => {
    const extent = input.type.shape[axis]!
    const scale = scales?.[i]
    return {
      axis,
      extent,
      size: size[i]!,
      length: scale === undefined ? size[i]! : scale * extent,
      divided: scale === undefined ? (x) => (x * extent) / size[i]! : (x) => x / scale,
      factor: scale ?? size[i]! / extent,
      start: start?.[i] ?? 0,
      end: end?.[i] ?? 1,
    }
  })
}

/** The input coordinate of output position i, as ONNX Resize 19 and its reference implementation have it. */
const coordinate: Readonly<Record<Resize['coordinates'], (i: number, r: Resampling) => number>> = {
  halfPixel: (i, { divided }) => divided(i + 0.5) - 0.5,
  pytorchHalfPixel: (i, { divided, length }) => (length > 1 ? divided(i + 0.5) - 0.5 : 0),
  alignCorners: (i, { extent, length }) => (length > 1 ? (i * (extent - 1)) / (length - 1) : 0),
  asymmetric: (i, { divided }) => divided(i),
  halfPixelSymmetric: (i, { divided, extent, size, length }) => (extent / 2) * (1 - size / length) + divided(i + 0.5) - 0.5,
  tfCropAndResize: (i, { extent, length, start, end }) =>
    (extent - 1) * (length > 1 ? start + (i * (end - start)) / (length - 1) : (start + end) / 2),
}

const coordinates = (r: Resampling, attributes: Resize): number[] =>
  Array.from({ length: r.size }, (_, i) => coordinate[attributes.coordinates](i, r))

const rounded: Readonly<Record<Resize['rounding'], (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  roundPreferFloor: (x) => Math.ceil(x - 0.5),
  roundPreferCeil: (x) => Math.floor(x + 0.5),
}

/** Weight of an element at a distance: a triangle, or the cubic of Keys 1981 with coefficient a. */
function weightAt(distance: number, { mode, cubicCoefficient: a }: Resize): number {
  const d = Math.abs(distance)
  if (mode === 'linear') return Math.max(0, 1 - d)
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
}

const clamped = (i: number, extent: number) => Math.min(extent - 1, Math.max(0, i))
const normalised = (weights: readonly number[]): number[] => {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/** For each output position: the elements at floor(x) + offset, clamped to the axis, and their weights. */
function taps(r: Resampling, attributes: Resize): { readonly indices: number[][]; readonly weights: number[][] } {
  const positions = coordinates(r, attributes)
  if (attributes.mode === 'nearest')
    return { indices: [positions.map((x) => clamped(rounded[attributes.rounding](x), r.extent))], weights: [] }
  const offsets = attributes.mode === 'linear' ? [0, 1] : [-1, 0, 1, 2]
  const weights = positions.map((x) => {
    const list = offsets.map((offset) => weightAt(Math.floor(x) + offset - x, attributes))
    if (!attributes.excludeOutside) return list
    return normalised(list.map((weight, tap) => (isInside(Math.floor(x) + offsets[tap]!, r.extent) ? weight : 0)))
  })
  return {
    indices: offsets.map((offset) => positions.map((x) => clamped(Math.floor(x) + offset, r.extent))),
    weights: offsets.map((_, tap) => weights.map((list) => list[tap]!)),
  }
}

const isInside = (i: number, extent: number) => i >= 0 && i < extent

/** Few elements for each position: they are picked and added up, weighted. */
function picked(g: Scope, input: Node, r: Resampling, attributes: Resize): Node {
  const { dtype, shape } = input.type
  const { indices, weights } = taps(r, attributes)
  const parts = indices.map((list) => pick(g, input, r.axis, list))
  if (weights.length === 0) return parts[0]!
  const weighted = parts.flatMap((part, tap) => {
    const factors = weights[tap]!
    if (factors.every((factor) => factor === 0)) return []
    if (factors.every((factor) => factor === 1)) return [part]
    return [g.mul(part, g.constant({ dtype, shape: along(r.axis, shape.length, r.size) }, factors, 'weights'))]
  })
  return weighted.reduce((total, part) => g.add(total, part))
}

/** Filters as wide as the factor is small: a product with the matrix of weights. */
function filtered(g: Scope, input: Node, r: Resampling, attributes: Resize): Node {
  const { dtype, shape } = input.type
  const shrink = Math.min(1, r.factor)
  const reach = (attributes.mode === 'linear' ? 1 : 2) / shrink
  const rows = coordinates(r, attributes).map((x) => {
    const first = Math.ceil(x - reach)
    const around = Array.from({ length: Math.floor(x + reach) - first + 1 }, (_, j) => first + j)
    const weigh = (i: number) =>
      attributes.excludeOutside && !isInside(i, r.extent) ? 0 : weightAt((i - x) * shrink, attributes)
    const weights = normalised(around.map(weigh))
    const row = new Array<number>(r.extent).fill(0)
    for (const [j, i] of around.entries()) row[clamped(i, r.extent)]! += weights[j]!
    return row
  })
  const left = g.constant({ dtype, shape: [r.size, r.extent] }, rows.flat(), 'weights')
  // Columns of one element would make poor products.
  if (r.axis === shape.length - 1) return g.node('linear', { input, weight: left }, {})
  const right = g.reshape(input, [elementCount(shape.slice(0, r.axis)), r.extent, elementCount(shape.slice(r.axis + 1))])
  return g.reshape(
    g.node('matmul', { left, right }, {}),
    shape.map((extent, axis) => (axis === r.axis ? r.size : extent)),
  )
}

/** Results whose coordinate lies outside the input on some axis become the extrapolation value. */
function extrapolated(g: Scope, value: Node, list: readonly Resampling[], attributes: Resize): Node {
  const outside = list.flatMap((r) => {
    const flags = coordinates(r, attributes).map((x) => (x < 0 || x > r.extent - 1 ? 1 : 0))
    const shape = along(r.axis, value.type.shape.length, r.size)
    return flags.includes(1) ? [g.constant({ dtype: 'bool', shape }, flags, 'outside')] : []
  })
  if (outside.length === 0) return value
  const anywhere = outside.reduce((left, right) => g.node('or', { left, right }, {}))
  return g.where(anywhere, attributes.extrapolation ?? 0, value)
}

/** One axis after the other, those that shrink most first, so that the later ones have less to do. */
const resizeAxes: LoweringRule<'resize'> = ({ input }, attributes, g) => {
  const list = resamplings(input, attributes)
  const wide = attributes.antialias && attributes.mode !== 'nearest'
  const resampled = [...list]
    .sort((a, b) => a.size / a.extent - b.size / b.extent)
    .reduce((value, r) => (wide && r.factor < 1 ? filtered : picked)(g, value, r, attributes), input)
  return attributes.coordinates === 'tfCropAndResize' ? extrapolated(g, resampled, list, attributes) : resampled
}

/** Choosing the nearest element computes nothing. */
const resize: LoweringRule<'resize'> = (operands, attributes, g, type) =>
  (attributes.mode === 'nearest' ? resizeAxes : inFloat32(resizeAxes))(operands, attributes, g, type)

export const resizeRules = { resize }
