import type { AttributesOf, Node } from '../graph/index.ts'
import { along, inFloat32, type LoweringRule, pick, type Scope } from './scope.ts'

const embedding: LoweringRule<'embedding'> = ({ indices, table }, _, g) =>
  g.node('gather', { input: table, indices }, { axis: 0 })

type PadMode = AttributesOf<'padWith'>['mode']

/** Where element i of the padded axis, counted from the first original one, comes from. */
const continued: Readonly<Record<PadMode, (i: number, extent: number) => number>> = {
  reflect: (i, extent) => (i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i),
  edge: (i, extent) => Math.min(extent - 1, Math.max(0, i)),
  wrap: (i, extent) => (i + extent) % extent,
}

const padWith: LoweringRule<'padWith'> = ({ input }, { before, after, mode }, g) =>
  input.type.shape.reduce((padded, extent, axis) => {
    const length = before[axis]! + extent + after[axis]!
    return pick(
      g,
      padded,
      axis,
      Array.from({ length }, (_, i) => continued[mode](i - before[axis]!, extent)),
    )
  }, input)

type Resize = AttributesOf<'resize'>

/** The input coordinate of output position i, as ONNX Resize 19 has it. Multiplies before it divides: whole results stay exact. */
const coordinate: Readonly<Record<Resize['coordinates'], (i: number, extent: number, size: number) => number>> = {
  halfPixel: (i, extent, size) => ((i + 0.5) * extent) / size - 0.5,
  pytorchHalfPixel: (i, extent, size) => (size > 1 ? ((i + 0.5) * extent) / size - 0.5 : 0),
  alignCorners: (i, extent, size) => (size > 1 ? (i * (extent - 1)) / (size - 1) : 0),
  asymmetric: (i, extent, size) => (i * extent) / size,
}

const rounded: Readonly<Record<Resize['rounding'], (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  roundPreferFloor: (x) => Math.ceil(x - 0.5),
  roundPreferCeil: (x) => Math.floor(x + 0.5),
}

/** Weights of the elements at floor(x) − 1 … floor(x) + 2 for the rest t = x − floor(x) (Keys 1981, with coefficient a). */
function cubicWeights(t: number, a: number): number[] {
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  return [far(1 + t), near(t), near(1 - t), far(2 - t)]
}

/** For each output position of one axis: which elements, clamped to the axis, and with which weights. */
function taps(
  extent: number,
  size: number,
  { mode, coordinates, rounding, cubicCoefficient }: Resize,
): { readonly indices: number[][]; readonly weights: number[][] } {
  const clamped = (i: number) => Math.min(extent - 1, Math.max(0, i))
  const positions = Array.from({ length: size }, (_, i) => coordinate[coordinates](i, extent, size))
  if (mode === 'nearest') return { indices: [positions.map((x) => clamped(rounded[rounding](x)))], weights: [] }
  const offsets = mode === 'linear' ? [0, 1] : [-1, 0, 1, 2]
  const weigh = (x: number) =>
    mode === 'linear' ? [1 - (x - Math.floor(x)), x - Math.floor(x)] : cubicWeights(x - Math.floor(x), cubicCoefficient)
  const weights = positions.map(weigh)
  return {
    indices: offsets.map((offset) => positions.map((x) => clamped(Math.floor(x) + offset))),
    weights: offsets.map((_, tap) => weights.map((list) => list[tap]!)),
  }
}

function resizeAxis(g: Scope, input: Node, axis: number, size: number, attributes: Resize): Node {
  const { dtype, shape } = input.type
  const { indices, weights } = taps(shape[axis]!, size, attributes)
  const parts = indices.map((list) => pick(g, input, axis, list))
  if (weights.length === 0) return parts[0]!
  const weighted = parts.flatMap((part, tap) => {
    const factors = weights[tap]!
    if (factors.every((factor) => factor === 0)) return []
    if (factors.every((factor) => factor === 1)) return [part]
    return [g.mul(part, g.constant({ dtype, shape: along(axis, shape.length, size) }, factors, 'weights'))]
  })
  return weighted.reduce((total, part) => g.add(total, part))
}

/** One axis after the other, those that shrink most first, so that the later ones have less to do. */
const resizeAxes: LoweringRule<'resize'> = ({ input }, attributes, g) => {
  const lead = input.type.shape.length - attributes.size.length
  const axes = attributes.size.map((size, i) => ({ axis: lead + i, size, growth: size / input.type.shape[lead + i]! }))
  return axes
    .sort((a, b) => a.growth - b.growth)
    .reduce((value, { axis, size }) => resizeAxis(g, value, axis, size, attributes), input)
}

/** Choosing the nearest element computes nothing. */
const resize: LoweringRule<'resize'> = (operands, attributes, g, type) =>
  (attributes.mode === 'nearest' ? resizeAxes : inFloat32(resizeAxes))(operands, attributes, g, type)

export const movementRules = { embedding, padWith, resize }
