// What each composite means, written directly from its definition over arrays of doubles: the independent side of the lowering tests.
import type { AttributesOf, CompositeName, OpName, Shape } from '../../compiler/graph/index.ts'

export interface Tensor {
  readonly shape: Shape
  readonly values: readonly number[]
  /** Whether elements are whole numbers by their dtype. */
  readonly whole: boolean
}

type Reference<K extends OpName> = (operands: readonly Tensor[], attributes: AttributesOf<K>) => readonly number[]

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]) => sum(values) / values.length
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const softplus = (x: number) => (x > 30 ? x : Math.log1p(Math.exp(x)))

/** Simpson's rule on the density: an error function that shares nothing with the one under test. */
export function erf(x: number): number {
  const steps = 2000
  const h = x / steps
  const at = (i: number) => Math.exp(-((i * h) ** 2))
  let total = at(0) + at(steps)
  for (let i = 1; i < steps; i++) total += at(i) * (i % 2 ? 4 : 2)
  return ((2 / Math.sqrt(Math.PI)) * h * total) / 3
}

export function coordinatesOf(index: number, shape: Shape): number[] {
  const result = new Array<number>(shape.length)
  let rest = index
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = rest % shape[axis]!
    rest = Math.floor(rest / shape[axis]!)
  }
  return result
}
export const indexOf = (coordinates: readonly number[], shape: Shape): number =>
  coordinates.reduce((index, at, axis) => index * shape[axis]! + at, 0)
const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1)

/** The element of a tensor that broadcasting puts at these coordinates. */
function broadcastAt({ shape, values }: Tensor, coordinates: readonly number[]): number {
  const own = coordinates.slice(coordinates.length - shape.length).map((at, axis) => (shape[axis] === 1 ? 0 : at))
  return values[indexOf(own, shape)]!
}

const each =
  <K extends OpName>(f: (x: number, attributes: AttributesOf<K>) => number): Reference<K> =>
  ([input], attributes) =>
    input!.values.map((x) => f(x, attributes))

function pairs(f: (a: number, b: number) => boolean): (operands: readonly Tensor[]) => readonly number[] {
  return ([left, right]) => {
    const rank = Math.max(left!.shape.length, right!.shape.length)
    const shape = Array.from({ length: rank }, (_, i) => {
      const of = ({ shape }: Tensor) => shape[i - rank + shape.length] ?? 1
      return of(left!) === 1 ? of(right!) : of(left!)
    })
    return Array.from({ length: size(shape) }, (_, i) =>
      Number(f(broadcastAt(left!, coordinatesOf(i, shape)), broadcastAt(right!, coordinatesOf(i, shape)))),
    )
  }
}

/** For each result element, the input elements whose coordinates agree with it outside the axes. */
function groups({ shape, values }: Tensor, axes: readonly number[]): number[][] {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)))
  const kept = shape.filter((_, axis) => !reduced.has(axis))
  const result = Array.from({ length: size(kept) }, (): number[] => [])
  for (const [i, value] of values.entries())
    result[
      indexOf(
        coordinatesOf(i, shape).filter((_, axis) => !reduced.has(axis)),
        kept,
      )
    ]!.push(value)
  return result
}
const over =
  <A extends { readonly axes: readonly number[] }>(f: (values: readonly number[], attributes: A) => number) =>
  ([input]: readonly Tensor[], attributes: A): readonly number[] =>
    groups(input!, attributes.axes).map((values) => f(values, attributes))

/** Replaces each element by a function of it and of its group along an axis. */
function within(input: Tensor, axes: readonly number[], f: (x: number, group: readonly number[]) => number): number[] {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + input.shape.length : axis)))
  const kept = input.shape.filter((_, axis) => !reduced.has(axis))
  const all = groups(input, axes)
  return input.values.map((x, i) =>
    f(
      x,
      all[
        indexOf(
          coordinatesOf(i, input.shape).filter((_, axis) => !reduced.has(axis)),
          kept,
        )
      ]!,
    ),
  )
}

const spread = (group: readonly number[]) => mean(group.map((x) => (x - mean(group)) ** 2))
const trailing = (dims: number) => Array.from({ length: dims }, (_, i) => -1 - i)
const perChannel = (shape: Shape, i: number) => coordinatesOf(i, shape)[1]!

/** Takes each result element from the source coordinates that `from` names. */
const moved = (input: Tensor, shape: Shape, from: (coordinates: number[]) => number[]) =>
  Array.from({ length: size(shape) }, (_, i) => input.values[indexOf(from(coordinatesOf(i, shape)), input.shape)]!)

const adaptive =
  (combine: (values: readonly number[]) => number) =>
  ([input]: readonly Tensor[], { size: cells }: { readonly size: readonly number[] }): readonly number[] => {
    const { shape, values } = input!
    const result = [...shape.slice(0, 2), ...cells]
    return Array.from({ length: size(result) }, (_, i) => {
      const cell = coordinatesOf(i, result)
      return combine(
        values.filter((_, j) =>
          coordinatesOf(j, shape).every((at, axis) =>
            axis < 2
              ? at === cell[axis]
              : at >= Math.floor((cell[axis]! * shape[axis]!) / cells[axis - 2]!) &&
                at < Math.ceil(((cell[axis]! + 1) * shape[axis]!) / cells[axis - 2]!),
          ),
        ),
      )
    })
  }

/** ONNX Resize 19, one coordinate after the other as in its reference implementation: no separation into axes. */
const resize: Reference<'resize'> = ([input], a) => {
  const { shape, values } = input!
  const lead = shape.length - a.size.length
  const result = [...shape.slice(0, lead), ...a.size]
  const source = (at: number, extent: number, out: number) => {
    const scale = out / extent
    if (a.coordinates === 'asymmetric') return at / scale
    if (a.coordinates === 'alignCorners') return out === 1 ? 0 : (at * (extent - 1)) / (out - 1)
    if (a.coordinates === 'pytorchHalfPixel' && out === 1) return 0
    return (at + 0.5) / scale - 0.5
  }
  const nearest = (x: number) => {
    // Positions that are whole or half up to rounding must be so exactly, or the choice below would be arbitrary.
    const exact = Math.abs(x * 2 - Math.round(x * 2)) < 1e-9 ? Math.round(x * 2) / 2 : x
    if (a.rounding === 'floor') return Math.floor(exact)
    if (a.rounding === 'ceil') return Math.ceil(exact)
    return a.rounding === 'roundPreferFloor' ? Math.ceil(exact - 0.5) : Math.floor(exact + 0.5)
  }
  const cubic = (d: number) => {
    const [x, c] = [Math.abs(d), a.cubicCoefficient]
    if (x <= 1) return (c + 2) * x ** 3 - (c + 3) * x ** 2 + 1
    return x < 2 ? c * x ** 3 - 5 * c * x ** 2 + 8 * c * x - 4 * c : 0
  }
  const taps = (x: number): [number, number][] => {
    if (a.mode === 'nearest') return [[nearest(x), 1]]
    const base = Math.floor(x)
    if (a.mode === 'linear')
      return [
        [base, 1 - (x - base)],
        [base + 1, x - base],
      ]
    return [-1, 0, 1, 2].map((offset) => [base + offset, cubic(x - base - offset)])
  }
  return Array.from({ length: size(result) }, (_, i) => {
    const at = coordinatesOf(i, result)
    const sampled = (axis: number, chosen: number[]): number => {
      if (axis === shape.length) return values[indexOf(chosen, shape)]!
      if (axis < lead) return sampled(axis + 1, [...chosen, at[axis]!])
      const extent = shape[axis]!
      return sum(
        taps(source(at[axis]!, extent, result[axis]!)).map(
          ([position, weight]) => weight * sampled(axis + 1, [...chosen, Math.min(extent - 1, Math.max(0, position))]),
        ),
      )
    }
    return sampled(0, [])
  })
}

export const references: { readonly [K in CompositeName]: Reference<K> } = {
  relu: each((x) => Math.max(x, 0)),
  leakyRelu: each<'leakyRelu'>((x, { slope }) => (x < 0 ? slope * x : x)),
  elu: each<'elu'>((x, { alpha }) => (x < 0 ? alpha * Math.expm1(x) : x)),
  selu: each((x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x)),
  softplus: each(softplus),
  softsign: each((x) => x / (1 + Math.abs(x))),
  silu: each((x) => x * sigmoid(x)),
  mish: each((x) => x * Math.tanh(softplus(x))),
  hardSigmoid: each<'hardSigmoid'>((x, { slope, offset }) => Math.min(1, Math.max(0, slope * x + offset))),
  hardSwish: each((x) => (x * Math.min(6, Math.max(0, x + 3))) / 6),
  gelu: each<'gelu'>((x, { approximate }) =>
    approximate === 'none'
      ? (x / 2) * (1 + erf(x / Math.SQRT2))
      : (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ),
  reciprocal: each((x) => 1 / x),
  rsqrt: each((x) => 1 / Math.sqrt(x)),
  // Of whole numbers, those between 0.5 and 2.5 are 1 and 2.
  clamp: ([input], { minimum, maximum }) => {
    const [low, high] = input!.whole ? [Math.ceil(minimum), Math.floor(maximum)] : [minimum, maximum]
    return input!.values.map((x) => (Number.isNaN(x) ? x : Math.min(high, Math.max(low, x))))
  },
  prelu: ([input, slope]) => input!.values.map((x, i) => (x < 0 ? x * broadcastAt(slope!, coordinatesOf(i, input!.shape)) : x)),
  notEqual: pairs((a, b) => a !== b),
  greater: pairs((a, b) => a > b),
  greaterOrEqual: pairs((a, b) => a >= b),
  softmax: ([input], { axis }) => within(input!, [axis], (x, group) => Math.exp(x) / sum(group.map(Math.exp))),
  logSoftmax: ([input], { axis }) => within(input!, [axis], (x, group) => x - Math.log(sum(group.map(Math.exp)))),
  embedding: ([indices, table]) =>
    indices!.values.flatMap((row) => table!.values.slice(row * table!.shape[1]!, (row + 1) * table!.shape[1]!)),
  resize,
  padWith: ([input], { before, after, mode }) => {
    const { shape } = input!
    return moved(
      input!,
      shape.map((extent, i) => before[i]! + extent + after[i]!),
      (to) =>
        to.map((at, axis) => {
          const extent = shape[axis]!
          let i = at - before[axis]!
          if (mode === 'edge') return i < 0 ? 0 : i >= extent ? extent - 1 : i
          if (mode === 'wrap') return ((i % extent) + extent) % extent
          if (i < 0) i = -i
          return i >= extent ? extent - 1 - (i - (extent - 1)) : i
        }),
    )
  },
  adaptiveAvgPool: adaptive(mean),
  adaptiveMaxPool: adaptive((values) => Math.max(...values)),
  linear: ([input, weight, bias]) => {
    const [out, width] = weight!.shape as [number, number]
    return Array.from({ length: input!.values.length / width }, (_, row) =>
      Array.from(
        { length: out },
        (_, o) =>
          sum(Array.from({ length: width }, (_, k) => input!.values[row * width + k]! * weight!.values[o * width + k]!)) +
          (bias?.values[o] ?? 0),
      ),
    ).flat()
  },
  reduceMean: over(mean),
  reduceL1: over((values) => sum(values.map(Math.abs))),
  reduceL2: over((values) => Math.hypot(...values)),
  reduceSumSquare: over((values) => sum(values.map((x) => x * x))),
  reduceLogSumExp: over((values) => Math.log(sum(values.map(Math.exp)))),
  variance: over<AttributesOf<'variance'>>(
    (values, { correction }) => (spread(values) * values.length) / Math.max(0, values.length - correction),
  ),
  batchNorm: ([input, scale, shift, average, variance], { epsilon }) =>
    input!.values.map((x, i) => {
      const c = perChannel(input!.shape, i)
      return ((x - average!.values[c]!) / Math.sqrt(variance!.values[c]! + epsilon)) * scale!.values[c]! + shift!.values[c]!
    }),
  layerNorm: ([input, scale, shift], { dims, epsilon }) => {
    const inner = size(input!.shape.slice(input!.shape.length - dims))
    return within(input!, trailing(dims), (x, group) => (x - mean(group)) / Math.sqrt(spread(group) + epsilon)).map(
      (x, i) => x * (scale?.values[i % inner] ?? 1) + (shift?.values[i % inner] ?? 0),
    )
  },
  rmsNorm: ([input, scale], { dims, epsilon }) => {
    const inner = size(input!.shape.slice(input!.shape.length - dims))
    return within(input!, trailing(dims), (x, group) => x / Math.sqrt(mean(group.map((y) => y * y)) + epsilon)).map(
      (x, i) => x * (scale?.values[i % inner] ?? 1),
    )
  },
  groupNorm: ([input, scale, shift], { groups: count, epsilon }) => {
    const { shape, values } = input!
    const grouped = { shape: [shape[0]!, count, size(shape.slice(1)) / count], values, whole: false }
    return within(grouped, [2], (x, group) => (x - mean(group)) / Math.sqrt(spread(group) + epsilon)).map(
      (x, i) => x * (scale?.values[perChannel(shape, i)] ?? 1) + (shift?.values[perChannel(shape, i)] ?? 0),
    )
  },
}
