import type { AttributesOf } from '../../compiler/graph/ops/index.ts'
import { EvaluationFault } from './fault.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, decodeNumbers, encode, rounding } from './values.ts'

/** A place along an axis: between element `at` and the one behind it, whose share is `share`. */
interface Sample {
  readonly at: number
  readonly share: number
}

/** Samples of each cell of an axis within the image, and how many there are with those outside. */
interface Cells {
  readonly samples: readonly (readonly Sample[])[]
  readonly count: number
}

function cellsAlong(from: number, cell: number, count: number, cells: number, extent: number, most: number): Cells {
  const step = cell / count
  const samples = Array.from({ length: cells }, (_, i) => {
    const list: Sample[] = []
    if (!(count > 0)) return list
    const start = from + i * cell
    // Of an enormous region only samples near the image are looked at.
    const first = step > 0 ? (-1 - start) / step - 1.5 : 0
    const low = first > 0 ? Math.floor(Math.min(first, count)) : 0
    for (let n = low; n < count && n < low + most; n++) {
      const place = start + (n + 0.5) * step
      if (!(place >= -1 && place <= extent)) continue
      const at = Math.floor(Math.max(place, 0))
      list.push(at >= extent - 1 ? { at: extent - 1, share: 0 } : { at, share: Math.max(place, 0) - at })
    }
    return list
  })
  return { samples, count: count > 0 ? count : 0 }
}

/** Element ranges of cells: rounded ends of the region, its cells rounded outwards. */
function rangesAlong(from: number, to: number, cells: number, extent: number): (readonly [number, number])[] {
  const bound = (x: number) =>
    x > -(2 ** 30) ? (x < 2 ** 30 ? Math.sign(x) * Math.floor(Math.abs(x) + 0.5) : 2 ** 30) : -(2 ** 30)
  const [start, end] = [bound(from), bound(to)]
  const length = Math.max(end - start + 1, 1)
  const within = (x: number) => Math.min(Math.max(x, 0), extent)
  return Array.from({ length: cells }, (_, i) => [
    within(start + Math.floor((i * length) / cells)),
    within(start + Math.ceil(((i + 1) * length) / cells)),
  ])
}

export const regionRows = {
  regionPool: whole<'regionPool'>(([input, regions, images], attributes, result) => {
    const { mode, samples, aligned } = attributes as AttributesOf<'regionPool'>
    const [batch, channels, height, width] = input!.type.shape as [number, number, number, number]
    const [count, , rows, columns] = result.shape as [number, number, number, number]
    const [pixels, corners] = [decodeNumbers(input!), decodeNumbers(regions!)]
    const named = [...decode(images!)].map(Number)
    for (const image of named)
      if (!(image >= 0 && image < batch)) throw new EvaluationFault(`regionPool: there is no image ${image} among ${batch}`)
    const round = rounding(result.dtype === 'f64' ? 'f64' : 'f32')
    const scale = round(attributes.scale)
    const pooled = new Float64Array(count * channels * rows * columns)
    for (let r = 0, to = 0; r < count; r++) {
      const edge = (i: number) => round(round(corners[r * 4 + i]! * scale) - (aligned && mode !== 'cells' ? 0.5 : 0))
      const planes = named[r]! * channels * height * width
      const [left, top, right, bottom] = [edge(0), edge(1), edge(2), edge(3)]
      if (mode === 'cells') {
        const [ys, xs] = [rangesAlong(top, bottom, rows, height), rangesAlong(left, right, columns, width)]
        for (let c = 0; c < channels; c++)
          for (const [y0, y1] of ys)
            for (const [x0, x1] of xs) {
              let best = y1 > y0 && x1 > x0 ? Number.NEGATIVE_INFINITY : 0
              for (let y = y0; y < y1; y++)
                for (let x = x0; x < x1; x++) {
                  const value = pixels[planes + (c * height + y) * width + x]!
                  if (value > best || Number.isNaN(value)) best = value
                }
              pooled[to++] = best
            }
        continue
      }
      const along = (from: number, end: number, cells: number, extent: number) => {
        const length = aligned ? round(end - from) : Math.max(round(end - from), 1)
        const cell = round(length / cells)
        return cellsAlong(
          from,
          cell,
          samples > 0 ? samples : Math.ceil(cell),
          cells,
          extent,
          samples > 0 ? samples : 2 * extent + 8,
        )
      }
      const [ys, xs] = [along(top, bottom, rows, height), along(left, right, columns, width)]
      const total = Math.max(ys.count * xs.count, 1)
      for (let c = 0; c < channels; c++)
        for (const down of ys.samples)
          for (const across of xs.samples) {
            let sum = 0
            let best =
              down.length < ys.count || across.length < xs.count || down.length * across.length === 0
                ? 0
                : Number.NEGATIVE_INFINITY
            for (const y of down)
              for (const x of across) {
                const at = planes + (c * height + y.at) * width + x.at
                const below = y.at + 1 < height ? width : 0
                const beside = x.at + 1 < width ? 1 : 0
                const shares = [
                  (1 - y.share) * (1 - x.share) * pixels[at]!,
                  (1 - y.share) * x.share * pixels[at + beside]!,
                  y.share * (1 - x.share) * pixels[at + below]!,
                  y.share * x.share * pixels[at + below + beside]!,
                ]
                for (const share of shares) {
                  sum += share
                  if (share > best || Number.isNaN(share)) best = share
                }
              }
            pooled[to++] = mode === 'mean' ? sum / total : best
          }
    }
    return encode(result.dtype, pooled)
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
