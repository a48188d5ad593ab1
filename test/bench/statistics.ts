/** A middle and the quartiles around it. */
export interface Spread {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** The value below which the share `q` of sorted values lies, between two of them where need be (type 7 of Hyndman and Fan, 1996). */
export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) throw new RangeError('there is nothing to take a quantile of')
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!]
  return low + (high - low) * (place - below)
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) }
}

/** What both took for the same work, right after one another; any unit of time. */
export interface Pair {
  readonly ours: number
  readonly peer: number
}

export interface Comparison {
  /** Time of the peer over ours, pair by pair: what disturbs both of a pair alike does not count. */
  readonly ratio: Spread
  readonly ours: Spread
  readonly peer: Spread
  readonly pairs: number
}

export const comparePairs = (pairs: readonly Pair[]): Comparison => ({
  ratio: spreadOf(pairs.map(({ ours, peer }) => peer / ours)),
  ours: spreadOf(pairs.map(({ ours }) => ours)),
  peer: spreadOf(pairs.map(({ peer }) => peer)),
  pairs: pairs.length,
})
