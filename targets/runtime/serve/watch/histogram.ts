/** How often values came, in classes with fixed upper bounds. */
export interface Histogram {
  readonly bounds: readonly number[]
  /** By class: values up to its bound and above that of the class before; the last are those above all bounds. */
  readonly counts: Float64Array
  sum: number
  count: number
}

export const createHistogram = (bounds: readonly number[]): Histogram => ({
  bounds,
  counts: new Float64Array(bounds.length + 1),
  sum: 0,
  count: 0,
})

export function note(histogram: Histogram, value: number): void {
  const { bounds, counts } = histogram
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (value <= bounds[middle]!) high = middle
    else low = middle + 1
  }
  counts[low]!++
  histogram.sum += value
  histogram.count++
}

/** Adds what another of the same bounds has seen. */
export function merge(into: Histogram, other: Histogram): void {
  for (let i = 0; i < into.counts.length; i++) into.counts[i]! += other.counts[i]!
  into.sum += other.sum
  into.count += other.count
}

/**
 * The value below which a share of all lies, as `histogram_quantile` of Prometheus estimates it: on a line through its class. Those above all bounds count as the
 * last bound. NaN where there are none.
 */
export function quantile({ bounds, counts, count }: Histogram, share: number): number {
  if (count === 0) return Number.NaN
  let left = share * count
  for (let i = 0; i < bounds.length; i++) {
    const own = counts[i]!
    const from = i === 0 ? 0 : bounds[i - 1]!
    if (left <= own) return own === 0 ? from : from + ((bounds[i]! - from) * left) / own
    left -= own
  }
  return bounds.at(-1)!
}

/** Seconds: 1, 2 and 5 of each power of ten from 20 µs to 20 s. */
export const secondBounds: readonly number[] = [
  ...[2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2],
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20],
]

/** Rows of a run. */
export const rowBounds: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
