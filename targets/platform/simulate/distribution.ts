/** Of many numbers. */
export interface Distribution {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly most: number
}

/** Percentiles are of the nearest rank: numbers that occurred. All 0 where there are none. */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  const mean = sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, sorted.length)
  return { mean, p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), most: sorted.at(-1) ?? 0 }
}
