import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { quantizationOptions } from './quantized.ts'
import { dimsOf, range } from './shared.ts'
import { byAxes, channelsLast, poolOptions, spatialExtents, uniform, type Window, windowOf } from './window.ts'

function readPool(c: OpContext): { readonly x: Value; readonly axes: number; readonly window: Window } {
  const x = c.input(0)
  const extents = spatialExtents(c, x)
  const kernel = c.ints('kernel_shape') ?? c.unsupported('attribute kernel_shape is missing')
  if (kernel.length !== extents.length)
    return c.unsupported(`kernel_shape has ${kernel.length} entries for ${extents.length} spatial axes`)
  return { x, axes: extents.length, window: windowOf(c, extents, kernel) }
}

const maxPool: OpRule = (c) => {
  const { x, axes, window } = readPool(c)
  const y = byAxes(c, 'maxPool', axes)(x, uniform(window.kernel), poolOptions(window))
  return [y, c.wantsOutput(1) ? indicesOfMaximum(c, x, window) : undefined]
}

/** Indices that are written in the model. */
const maximumIndices = 1 << 20

/**
 * Which element of the input is the largest under each window, counted over the whole tensor: the values at each place of the window side
 * by side, the first largest of them, and where that stands. Padding is below everything.
 */
function indicesOfMaximum(c: OpContext, x: Value, window: Window): Value {
  const [batch, channels, ...extents] = dimsOf(x) as readonly [number, number, ...number[]]
  const { kernel, stride, dilation, before } = window
  const after = window.after.map((pad, i) => pad + window.beyond[i]!)
  const counts = extents.map(
    (extent, i) => Math.floor((extent + before[i]! + after[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
  )
  const sizes = [kernel, counts, [batch, channels]].map((list) => list.reduce((product, extent) => product * extent, 1))
  if (sizes.some((size) => size > maximumIndices)) return c.unsupported(`indices of [${dimsOf(x).join(', ')}] are too many`)
  const lowest: Readonly<Record<string, number>> = { i8: -128, u8: 0 }
  const padded = c.d.pad(x, {
    before: [0, 0, ...before],
    after: [0, 0, ...after],
    value: lowest[x.dtype] ?? Number.NEGATIVE_INFINITY,
  }) as Value
  const places = kernel.reduce<number[][]>((lists, k) => lists.flatMap((list) => range(k).map((i) => [...list, i])), [[]])
  const parts = places.map((place) =>
    c.d.slice(
      padded,
      place.map((k, i) => ({
        axis: i + 2,
        start: k * dilation[i]!,
        stop: k * dilation[i]! + (counts[i]! - 1) * stride[i]! + 1,
        step: stride[i]!,
      })),
    ),
  ) as Value[]
  const chosen = c.d.argMax(c.d.stack(parts, { axis: 0 }) as Value, { axis: 0 }) as Value
  const columnMajor = c.int('storage_order', 0) === 1
  const weights = extents.map((_, i) => (columnMajor ? extents.slice(0, i) : extents.slice(i + 1)).reduce((a, b) => a * b, 1))
  const indexOf = (position: readonly number[]) => position.reduce((sum, p, i) => sum + p * weights[i]!, 0)
  const offsets = c.literal(
    'i64',
    [places.length],
    places.map((place) => indexOf(place.map((k, i) => k * dilation[i]!))),
  )
  const starts = counts.reduce<number[][]>(
    (lists, count, i) => lists.flatMap((list) => range(count).map((n) => [...list, n * stride[i]! - before[i]!])),
    [[]],
  )
  const plane = extents.reduce((a, b) => a * b, 1)
  const first = c.literal('i64', [1, 1, ...counts], starts.map(indexOf))
  const planes = c.literal(
    'i64',
    [batch, channels, ...extents.map(() => 1)],
    range(batch * channels).map((n) => n * plane),
  )
  return c.d.add(c.d.add(c.d.gather(offsets, chosen) as Value, first) as Value, planes) as Value
}

/** `overhangCounts` says whether what the last window reaches over behind the padding counts, where the padding does. */
function averageOf(c: OpContext, overhangCounts: boolean): Value {
  const { x, axes, window } = readPool(c)
  const [counted, padded, extended] = [
    c.int('count_include_pad', 0) !== 0,
    [...window.before, ...window.after].some((pad) => pad > 0),
    window.beyond.some((pad) => pad > 0),
  ]
  const average = byAxes(c, 'avgPool', axes)
  if (counted && overhangCounts) return average(x, uniform(window.kernel), poolOptions(window))
  if (counted && padded && extended) {
    const border = c.d.pad(x, { before: [0, 0, ...window.before], after: [0, 0, ...window.after] }) as Value
    const none = window.before.map(() => 0)
    return average(border, uniform(window.kernel), {
      ...poolOptions({ ...window, before: none, after: none }),
      countPadding: false,
    })
  }
  const matters = padded || extended
  return average(x, uniform(window.kernel), {
    ...poolOptions(window),
    countPadding: matters && !(counted && padded) ? false : undefined,
  })
}

const averagePool: OpRule = (c) => averageOf(c, false)

const lpPool: OpRule = (c) => {
  const { x, axes, window } = readPool(c)
  const p = c.int('p', 2)
  return byAxes(c, 'lpPool', axes)(x, uniform(window.kernel), { ...poolOptions(window), p: p === 2 ? undefined : p })
}

const spatialAxes = (x: Value): number[] => range(dimsOf(x).length).slice(2)

const globalLpPool: OpRule = (c) => {
  const x = c.input(0)
  const [p, options] = [c.int('p', 2), { axes: spatialAxes(x), keepDims: true }]
  if (p === 1) return c.d.l1Norm(x, options) as Value
  if (p === 2) return c.d.l2Norm(x, options) as Value
  return c.d.pow(c.d.sum(c.d.pow(c.d.abs(x), p), options) as Value, 1 / p) as Value
}

/** A pool over all spatial dimensions, however many there are. */
const globalPool =
  (name: 'globalAvgPool' | 'globalMaxPool', reduction: 'mean' | 'max'): OpRule =>
  (c) => {
    const x = c.input(0)
    const rank = dimsOf(x).length
    if (rank === 2) return x
    return (rank <= 5 ? c.d[name](x) : c.d[reduction](x, { axes: spatialAxes(x), keepDims: true })) as Value
  }

export const pool: OpRules = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool('globalAvgPool', 'mean'),
  GlobalMaxPool: globalPool('globalMaxPool', 'max'),
  GlobalLpPool: globalLpPool,
}

/** Inputs: x, scale, zero point?, scale and zero point? of the result. */
const qlinearAveragePool: OpRule = (c) => {
  const numbers = (value: Value) => c.d.dequantize(value as never, quantizationOptions(c, 1, 0)) as Value
  const mean = averageOf({ ...c, input: (i) => (i === 0 ? numbers(c.input(0)) : c.input(i)) }, true)
  return c.d.quantize(mean as never, { dtype: c.typeOf(0).dtype as 'u8' | 'i8', ...quantizationOptions(c, 3, 0) }) as Value
}

export const contribPool: OpRules = {
  NhwcMaxPool: channelsLast(maxPool, true),
  QLinearAveragePool: channelsLast(qlinearAveragePool),
}
