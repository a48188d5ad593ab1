// What each composite means, written directly from its definition over arrays of doubles: the independent side of the lowering tests.
import type { AttributesOf, CompositeName, OpName, Shape, StorageDType } from '../../compiler/graph/index.ts'
import { numbersOfBlocks, numbersOfRows } from './packedReference.ts'
import { recurrentReferences } from './recurrentReference.ts'

export interface Tensor {
  readonly shape: Shape
  readonly values: readonly number[]
  /** Whether elements are whole numbers by their dtype. */
  readonly whole: boolean
  /** Whether they are truth values. */
  readonly bool?: boolean
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

function pairs(
  f: (a: number, b: number, whole: boolean) => boolean | number,
): (operands: readonly Tensor[]) => readonly number[] {
  return ([left, right]) => {
    const rank = Math.max(left!.shape.length, right!.shape.length)
    const shape = Array.from({ length: rank }, (_, i) => {
      const of = ({ shape }: Tensor) => shape[i - rank + shape.length] ?? 1
      return of(left!) === 1 ? of(right!) : of(left!)
    })
    return Array.from({ length: size(shape) }, (_, i) =>
      Number(f(broadcastAt(left!, coordinatesOf(i, shape)), broadcastAt(right!, coordinatesOf(i, shape)), left!.whole)),
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

/** Convolution over blocks of channels: lane l of block c is channel c · block + l, and 0 where there is none. */
function blockedSums(
  [input, weight, bias]: readonly Tensor[],
  { stride, before, after, dilation, groups, block }: AttributesOf<'blockedConv'>,
  inputZero: number,
  weightZero: readonly number[],
): readonly number[] {
  const [out, inner, ...kernel] = weight!.shape as [number, number, ...number[]]
  const isBlocked = input!.shape.length > weight!.shape.length
  const extents = input!.shape.slice(2, 2 + kernel.length)
  const results = kernel.map(
    (k, i) => Math.floor((extents[i]! + before[i]! + after[i]! - dilation[i]! * (k - 1) - 1) / stride[i]!) + 1,
  )
  const shape = [input!.shape[0]!, Math.ceil(out / block), ...results, block]
  return Array.from({ length: size(shape) }, (_, i) => {
    const [image, major, ...rest] = coordinatesOf(i, shape) as [number, number, ...number[]]
    const channel = major * block + rest.pop()!
    if (channel >= out) return 0
    const first = Math.floor(channel / (out / groups)) * inner
    let total = bias?.values[channel] ?? 0
    for (let tap = 0; tap < inner * size(kernel); tap++) {
      const [c, ...at] = coordinatesOf(tap, [inner, ...kernel]) as [number, ...number[]]
      const place = at.map((k, axis) => rest[axis]! * stride[axis]! + k * dilation[axis]! - before[axis]!)
      if (place.some((p, axis) => p < 0 || p >= extents[axis]!)) continue
      const from = first + c
      const where = isBlocked ? [image, Math.floor(from / block), ...place, from % block] : [image, from, ...place]
      const factor = weight!.values[channel * inner * size(kernel) + tap]! - (weightZero[channel] ?? weightZero[0]!)
      total += (input!.values[indexOf(where, input!.shape)]! - inputZero) * factor
    }
    return input!.whole ? total | 0 : total
  })
}

const spread = (group: readonly number[]) => mean(group.map((x) => (x - mean(group)) ** 2))
const trailing = (dims: number) => Array.from({ length: dims }, (_, i) => -1 - i)
const perChannel = (shape: Shape, i: number) => coordinatesOf(i, shape)[1]!

/** Takes each result element from the source coordinates that `from` names. */
const moved = (input: Tensor, shape: Shape, from: (coordinates: number[]) => number[]) =>
  Array.from({ length: size(shape) }, (_, i) => input.values[indexOf(from(coordinatesOf(i, shape)), input.shape)]!)

/** Elements outside the last two dimensions' region become 0. */
const masked = ({ shape, values }: Tensor, keeps: (row: number, column: number) => boolean) =>
  values.map((x, i) => {
    const at = coordinatesOf(i, shape)
    return keeps(at.at(-2)!, at.at(-1)!) ? x : 0
  })

const counted = (index: number, extent: number) => (index < 0 ? index + extent : index)

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
/** Places one after another; what is read outside follows from the padding alone. */
const sampledAt: Reference<'gridSample'> = ([input, grid], { mode, padding, coordinates }) => {
  const [batch, channels, ...extents] = input!.shape as [number, number, ...number[]]
  const places = size(grid!.shape.slice(1, -1))
  const reflect = (x: number, extent: number): number => {
    const [low, high] = coordinates === 'edges' ? [-0.5, extent - 0.5] : [0, extent - 1]
    if (high === low) return 0
    let at = x
    while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at
    return at
  }
  const turned = (x: number, extent: number): number =>
    padding === 'zeros' ? x : padding === 'border' ? Math.min(Math.max(x, 0), extent - 1) : reflect(x, extent)
  const keys = (x: number): number => {
    const [d, a] = [Math.abs(x), -0.75]
    if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
    return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0
  }
  const reach = { nearest: [0], linear: [0, 1], cubic: [-1, 0, 1, 2] }[mode]
  const even = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))
  const result: number[] = []
  for (let n = 0; n < batch; n++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < places; p++) {
        const at = extents.map((extent, axis) => {
          const given = grid!.values[(n * places + p) * extents.length + extents.length - 1 - axis]!
          const x =
            coordinates === 'elements'
              ? given
              : coordinates === 'corners'
                ? ((given + 1) / 2) * (extent - 1)
                : ((given + 1) * extent - 1) / 2
          return mode === 'cubic' && padding === 'border' ? x : turned(mode === 'nearest' ? even(x) : x, extent)
        })
        let sum = 0
        for (let k = 0; k < reach.length ** extents.length; k++) {
          const taps = coordinatesOf(
            k,
            extents.map(() => reach.length),
          ).map((i, axis) => Math.floor(at[axis]!) + reach[i]!)
          const share = taps.reduce((product, tap, axis) => {
            const away = at[axis]! - tap
            return product * (mode === 'nearest' ? 1 : mode === 'linear' ? Math.max(0, 1 - Math.abs(away)) : keys(away))
          }, 1)
          // Reflection about the edges of elements brings indices to whole numbers again.
          const inside = taps.map((tap, axis) => Math.min(Math.max(turned(tap, extents[axis]!), 0), extents[axis]! - 1))
          const outside = padding === 'zeros' && taps.some((tap, axis) => tap < 0 || tap >= extents[axis]!)
          if (!outside && share !== 0) sum += share * input!.values[indexOf([n, c, ...inside.map(Math.trunc)], input!.shape)]!
        }
        result.push(sum)
      }
  return result
}

const resize: Reference<'resize'> = ([input], a) => {
  const { shape, values } = input!
  const axes = (a.axes ?? a.size.map((_, i) => i - a.size.length)).map((axis) => (axis < 0 ? axis + shape.length : axis))
  const result = shape.map((extent, axis) => (axes.includes(axis) ? a.size[axes.indexOf(axis)]! : extent))
  const scaleOf = (axis: number) => a.scales?.[axes.indexOf(axis)] ?? result[axis]! / shape[axis]!
  const source = (at: number, axis: number) => {
    const [extent, scale] = [shape[axis]!, scaleOf(axis)]
    const width = a.scales ? scale * extent : result[axis]!
    if (a.coordinates === 'asymmetric') return at / scale
    if (a.coordinates === 'alignCorners') return width <= 1 ? 0 : (at * (extent - 1)) / (width - 1)
    if (a.coordinates === 'pytorchHalfPixel' && width <= 1) return 0
    if (a.coordinates === 'halfPixelSymmetric') return (extent / 2) * (1 - result[axis]! / width) + (at + 0.5) / scale - 0.5
    if (a.coordinates === 'tfCropAndResize') {
      const [start, end] = [a.start![axes.indexOf(axis)]!, a.end![axes.indexOf(axis)]!]
      if (width <= 1) return 0.5 * (start + end) * (extent - 1)
      return start * (extent - 1) + (at * (end - start) * (extent - 1)) / (width - 1)
    }
    return (at + 0.5) / scale - 0.5
  }
  const nearest = (x: number) => {
    // Positions that are whole or half up to rounding must be so exactly, or the choice below would be arbitrary.
    const exact = Math.abs(x * 2 - Math.round(x * 2)) < 1e-9 ? Math.round(x * 2) / 2 : x
    if (a.rounding === 'floor') return Math.floor(exact)
    if (a.rounding === 'ceil') return Math.ceil(exact)
    return a.rounding === 'roundPreferFloor' ? Math.ceil(exact - 0.5) : Math.floor(exact + 0.5)
  }
  const kernel = (d: number) => {
    const [x, c] = [Math.abs(d), a.cubicCoefficient]
    if (a.mode === 'linear') return Math.max(0, 1 - x)
    if (x <= 1) return (c + 2) * x ** 3 - (c + 3) * x ** 2 + 1
    return x < 2 ? c * x ** 3 - 5 * c * x ** 2 + 8 * c * x - 4 * c : 0
  }
  const taps = (x: number, axis: number): [number, number][] => {
    if (a.mode === 'nearest') return [[nearest(x), 1]]
    const narrow = a.antialias ? Math.min(1, scaleOf(axis)) : 1
    const reach = Math.ceil(2 / narrow) + 1
    const around = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.floor(x) - reach + i)
    const weights = around.map((i) => (a.excludeOutside && (i < 0 || i >= shape[axis]!) ? 0 : kernel((i - x) * narrow)))
    const total = sum(weights)
    return around.map((i, k) => [i, weights[k]! / total])
  }
  return Array.from({ length: size(result) }, (_, i) => {
    const at = coordinatesOf(i, result)
    const outside = axes.some((axis) => source(at[axis]!, axis) < 0 || source(at[axis]!, axis) > shape[axis]! - 1)
    if (a.coordinates === 'tfCropAndResize' && outside) return a.extrapolation ?? 0
    const sampled = (axis: number, chosen: number[]): number => {
      if (axis === shape.length) return values[indexOf(chosen, shape)]!
      if (!axes.includes(axis)) return sampled(axis + 1, [...chosen, at[axis]!])
      const extent = shape[axis]!
      return sum(
        taps(source(at[axis]!, axis), axis).flatMap(([position, weight]) =>
          weight === 0 ? [] : [weight * sampled(axis + 1, [...chosen, Math.min(extent - 1, Math.max(0, position))])],
        ),
      )
    }
    return sampled(0, [])
  })
}

/** Rounded to the nearest whole number, ties to even, and brought into the range of the dtype. */
function toInteger(x: number, zeroPoint: number, dtype: StorageDType): number {
  const nearest = Math.round(x)
  const rounded = Math.abs(nearest - x) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
  const bits = Number(dtype.slice(1))
  const [low, high] = dtype.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  return Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.fround(rounded + zeroPoint)))
}

/** By loops over batch, head and query; a key that is not seen has the weight 0. */
function attended(
  [query, key, value, mask]: readonly Tensor[],
  { scale, causal, past, softcap, hidden, blind }: AttributesOf<'attention'>,
): readonly number[] {
  const [batch, heads, length, width] = query!.shape as [number, number, number, number]
  const [, groups, keys, out] = value!.shape as [number, number, number, number]
  const result: number[] = []
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < length; i++) {
        const group = Math.floor(h / (heads / groups))
        const scores = Array.from({ length: keys }, (_, j) => {
          const at = mask && broadcastAt(mask, [b, h, i, j])
          if (causal && j > i + past) return undefined
          if (mask?.bool && !at) return hidden === Number.NEGATIVE_INFINITY ? undefined : hidden
          const product = sum(
            Array.from(
              { length: width },
              (_, d) =>
                query!.values[((b * heads + h) * length + i) * width + d]! *
                key!.values[((b * groups + group) * keys + j) * width + d]!,
            ),
          )
          const score = softcap > 0 ? softcap * Math.tanh((scale * product) / softcap) : scale * product
          return score + (mask && !mask.bool ? at! : 0)
        })
        const top = Math.max(...scores.map((score) => score ?? Number.NEGATIVE_INFINITY))
        const powers = scores.map((score) => (score === undefined ? 0 : Math.exp(score - top)))
        const none = scores.every((score) => score === undefined || score === Number.NEGATIVE_INFINITY)
        for (let d = 0; d < out; d++) {
          const share = (power: number, j: number) => power * value!.values[((b * groups + group) * keys + j) * out + d]!
          result.push(none ? (blind === 'zero' ? 0 : Number.NaN) : sum(powers.map(share)) / sum(powers))
        }
      }
  return result
}

/** Element by element: the pair that it belongs to, and whether it is the second there. */
function turned([input, cos, sin]: readonly Tensor[], { interleaved }: AttributesOf<'rotaryEmbedding'>): readonly number[] {
  const pairs = cos!.shape.at(-1)!
  return input!.values.map((x, i) => {
    const at = coordinatesOf(i, input!.shape)
    const place = at.pop()!
    if (place >= 2 * pairs) return x
    const pair = interleaved ? place >> 1 : place % pairs
    const second = interleaved ? place % 2 === 1 : place >= pairs
    const other = input!.values[i + (interleaved ? 1 : pairs) * (second ? -1 : 1)]!
    const [c, s] = [cos!, sin!].map((table) => broadcastAt(table, [...at, pair]))
    return x * c! + (second ? other : -other) * s!
  })
}

export const references: { readonly [K in CompositeName]: Reference<K> } = {
  ...recurrentReferences,
  relu: each((x) => Math.max(x, 0)),
  leakyRelu: each<'leakyRelu'>((x, { slope }) => (x < 0 ? slope * x : x)),
  elu: each<'elu'>((x, { alpha }) => (x < 0 ? alpha * Math.expm1(x) : x)),
  celu: each<'celu'>((x, { alpha }) => (x < 0 ? alpha * Math.expm1(x / alpha) : x)),
  thresholdedRelu: each<'thresholdedRelu'>((x, { threshold }) => (x > threshold ? x : 0)),
  shrink: each<'shrink'>((x, { threshold, bias }) => (x < -threshold ? x + bias : x > threshold ? x - bias : 0)),
  bitwiseNot: ([input]) => input!.values.map((x) => -1 - x),
  fmod: pairs((a, b, whole) => (whole && b === 0 ? 0 : a % b)),
  isInf: each<'isInf'>((x, { positive, negative }) => Number((positive && x === Infinity) || (negative && x === -Infinity))),
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
  hardmax: ([input], { axis }) =>
    input!.values.map((_, i) => {
      const at = coordinatesOf(i, input!.shape)
      const along = axis < 0 ? axis + at.length : axis
      const row = Array.from({ length: input!.shape[along]! }, (_, j) => input!.values[indexOf(at.with(along, j), input!.shape)]!)
      return Number(row.indexOf(Math.max(...row)) === at[along])
    }),
  triu: ([input], { diagonal }) => masked(input!, (row, column) => column - row >= diagonal),
  tril: ([input], { diagonal }) => masked(input!, (row, column) => column - row <= diagonal),
  oneHot: ([indices], { depth, axis }) => {
    const { shape, values } = indices!
    const along = axis < 0 ? axis + shape.length + 1 : axis
    const result = [...shape.slice(0, along), depth, ...shape.slice(along)]
    return Array.from({ length: size(result) }, (_, i) => {
      const at = coordinatesOf(i, result)
      const index = values[indexOf(at.toSpliced(along, 1), shape)]!
      return Number((index < 0 ? index + depth : index) === at[along])
    })
  },
  gatherElements: ([input, indices], { axis }) =>
    indices!.values.map((index, i) => {
      const along = axis < 0 ? axis + input!.shape.length : axis
      return input!.values[
        indexOf(coordinatesOf(i, indices!.shape).with(along, counted(index, input!.shape[along]!)), input!.shape)
      ]!
    }),
  scatterElements: ([input, indices, updates], { axis, reduction }) => {
    const result = [...input!.values]
    const along = axis < 0 ? axis + input!.shape.length : axis
    for (const [i, index] of indices!.values.entries()) {
      const at = indexOf(coordinatesOf(i, indices!.shape).with(along, counted(index, input!.shape[along]!)), input!.shape)
      const [old, update] = [result[at]!, updates!.values[i]!]
      result[at] = { none: update, add: old + update, mul: old * update, max: Math.max(old, update), min: Math.min(old, update) }[
        reduction
      ]
    }
    return result
  },
  gatherNd: ([input, indices], { batchDims }) => {
    const depth = indices!.shape.at(-1)!
    const rows = size(indices!.shape.slice(0, -1))
    const rest = input!.shape.slice(batchDims + depth)
    return Array.from({ length: rows }, (_, i) => {
      const batch = coordinatesOf(i, indices!.shape.slice(0, -1)).slice(0, batchDims)
      const vector = indices!.values
        .slice(i * depth, (i + 1) * depth)
        .map((index, c) => counted(index, input!.shape[batchDims + c]!))
      return Array.from(
        { length: size(rest) },
        (_, j) => input!.values[indexOf([...batch, ...vector, ...coordinatesOf(j, rest)], input!.shape)]!,
      )
    }).flat()
  },
  convTranspose: ([input, weight, bias], a) => {
    const [batch, channels, ...extents] = input!.shape as [number, number, ...number[]]
    const [, perGroup, ...kernel] = weight!.shape as [number, number, ...number[]]
    const out = extents.map(
      (e, i) => (e - 1) * a.stride[i]! + a.dilation[i]! * (kernel[i]! - 1) + 1 + a.extra[i]! - a.before[i]! - a.after[i]!,
    )
    const shape = [batch, perGroup * a.groups, ...out]
    const result = Array.from({ length: size(shape) }, (_, i) => bias?.values[perChannel(shape, i)] ?? 0)
    // As the definition says it: every element adds the weight, scaled by it, at stride times its position.
    for (const [i, x] of input!.values.entries()) {
      const [n, c, ...at] = coordinatesOf(i, input!.shape) as [number, number, ...number[]]
      for (let w = 0; w < perGroup * size(kernel); w++) {
        const [o, ...k] = coordinatesOf(w, [perGroup, ...kernel]) as [number, ...number[]]
        const place = at.map((p, d) => p * a.stride[d]! + k[d]! * a.dilation[d]! - a.before[d]!)
        if (place.some((p, d) => p < 0 || p >= out[d]!)) continue
        const channel = Math.floor(c / (channels / a.groups)) * perGroup + o
        result[indexOf([n, channel, ...place], shape)]! += x * weight!.values[c * perGroup * size(kernel) + w]!
      }
    }
    return result
  },
  gridSample: sampledAt,
  lpPool: ([input], a) => {
    const { shape, values } = input!
    const extents = shape
      .slice(2)
      .map((e, i) => Math.floor((e + a.before[i]! + a.after[i]! - a.dilation[i]! * (a.window[i]! - 1) - 1) / a.stride[i]!) + 1)
    const result = [...shape.slice(0, 2), ...extents]
    return Array.from({ length: size(result) }, (_, i) => {
      const [n, c, ...at] = coordinatesOf(i, result) as [number, number, ...number[]]
      const powers = Array.from({ length: size(a.window) }, (_, w) => {
        const place = coordinatesOf(w, a.window).map((k, d) => at[d]! * a.stride[d]! + k * a.dilation[d]! - a.before[d]!)
        return place.some((p, d) => p < 0 || p >= shape[2 + d]!) ? 0 : Math.abs(values[indexOf([n, c, ...place], shape)]!) ** a.p
      })
      return sum(powers) ** (1 / a.p)
    })
  },
  embedding: ([indices, table]) =>
    indices!.values.flatMap((row) => table!.values.slice(row * table!.shape[1]!, (row + 1) * table!.shape[1]!)),
  embeddingBag: ([indices, given, scale], { mean, rows: format }) => {
    const table = numbersOfRows(given!, format)
    const width = table!.shape[1]!
    const lookups = indices!.shape.at(-1)!
    return Array.from({ length: (indices!.values.length / lookups) * width }, (_, i) => {
      const first = Math.floor(i / width) * lookups
      const rows = indices!.values.slice(first, first + lookups)
      const terms = rows.map((row, k) => table!.values[row * width + (i % width)]! * (scale?.values[first + k] ?? 1))
      return sum(terms) / (mean ? lookups : 1)
    })
  },
  dequantizeBlocks: ([packed, scale, zeroPoint], attributes) => numbersOfBlocks(packed!, scale!, zeroPoint, attributes),
  blockLinear: ([input, weight, scale, zeroPoint], attributes) => {
    const size = input!.shape.at(-1)!
    const numbers = numbersOfBlocks(weight!, scale!, zeroPoint, { ...attributes, size })
    const [out] = weight!.shape as [number]
    return Array.from({ length: (input!.values.length / size) * out }, (_, i) => {
      const row = Math.floor(i / out) * size
      return sum(input!.values.slice(row, row + size).map((x, k) => x * numbers[(i % out) * size + k]!))
    })
  },
  raggedEmbeddingBag: ([indices, given, offsets, scale], { mean, rows: format }) => {
    const table = numbersOfRows(given!, format)
    const width = table!.shape[1]!
    return Array.from({ length: (offsets!.values.length - 1) * width }, (_, i) => {
      const [from, to] = offsets!.values.slice(Math.floor(i / width)) as [number, number]
      const rows = indices!.values.slice(from, to)
      const terms = rows.map((row, k) => table!.values[row * width + (i % width)]! * (scale?.values[from + k] ?? 1))
      return sum(terms) / (mean ? Math.max(1, to - from) : 1)
    })
  },
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
  blockedConv: (operands, attributes) => blockedSums(operands, attributes, 0, [0]),
  blockedConvInteger: (operands, attributes) =>
    blockedSums(operands, attributes, attributes.inputZeroPoint, attributes.weightZeroPoint),
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
  quantize: ([input], { dtype, scale, zeroPoint, axis }) =>
    input!.values.map((x, i) => {
      const at = axis === undefined ? 0 : coordinatesOf(i, input!.shape)[axis]!
      return toInteger(Math.fround(x / Math.fround(scale[at]!)), zeroPoint[at]!, dtype)
    }),
  dequantize: ([input], { scale, zeroPoint, axis }) =>
    input!.values.map((q, i) => {
      const at = axis === undefined ? 0 : coordinatesOf(i, input!.shape)[axis]!
      return (q - zeroPoint[at]!) * Math.fround(scale[at]!)
    }),
  requantize: ([input], { dtype, inputScale, scale, zeroPoint, axis }) =>
    input!.values.map((q, i) => {
      const from = inputScale[axis === undefined ? 0 : coordinatesOf(i, input!.shape)[axis]!]!
      return toInteger(Math.fround(Math.fround(q) * Math.fround(from / scale)), zeroPoint, dtype)
    }),
  reduceMean: ([input], { axes }) =>
    groups(input!, axes).map((values) => (input!.whole ? Math.trunc(mean(values)) : mean(values))),
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
  attention: attended,
  rotaryEmbedding: turned,
  groupNorm: ([input, scale, shift], { groups: count, epsilon }) => {
    const { shape, values } = input!
    const grouped = { shape: [shape[0]!, count, size(shape.slice(1)) / count], values, whole: false }
    return within(grouped, [2], (x, group) => (x - mean(group)) / Math.sqrt(spread(group) + epsilon)).map(
      (x, i) => x * (scale?.values[perChannel(shape, i)] ?? 1) + (shift?.values[perChannel(shape, i)] ?? 0),
    )
  },
}
