import type { Item } from './program.ts'

/** Consecutive calls: which list they stand in, and where they begin. */
export interface Window {
  readonly list: number
  readonly start: number
}

export interface Candidate {
  readonly windows: readonly Window[]
  readonly length: number
  /** What a helper in their place could save at most. */
  readonly bound: number
}

const longestTried = 24

/** Characters that a helper costs at least, and a call of it. */
export const leastHelper = 80
export const leastCall = 17

/** Runs of calls whose patterns occur twice or more, those that promise most first. `isHelper` lists are never taken as a whole. */
export function repeatedWindows(lists: readonly (readonly Item[])[], isHelper: readonly boolean[], atLeast: number): Candidate[] {
  const tokens: number[] = []
  const places: Window[] = []
  const costs: number[] = [0]
  for (const [list, items] of lists.entries()) {
    for (const [start, item] of items.entries()) {
      tokens.push(item.pattern.id)
      places.push({ list, start })
      const width = item.scalars.reduce((sum, scalar) => sum + scalar.key.length, 0)
      costs.push(costs.at(-1)! + item.pattern.cost + width)
    }
    // Ends of lists are alike with nothing.
    tokens.push(-1 - list)
    places.push({ list, start: items.length })
    costs.push(costs.at(-1)!)
  }
  const isWhole = ({ list }: Window, length: number) => isHelper[list]! && lists[list]!.length === length
  const candidates: Candidate[] = []
  for (const length of lengthsOf(tokens)) {
    for (const starts of equalRuns(tokens, length)) {
      const usable = starts.filter((start) => !isWhole(places[start]!, length))
      const windows = usable.map((start) => places[start]!)
      let [count, end, total] = [0, -1, 0]
      for (const start of usable)
        if (start >= end) {
          count++
          end = start + length
          total += costs[end]! - costs[start]!
        }
      const bound = total - total / count - leastHelper - leastCall * count
      if (count < 2 || bound <= atLeast || total / count < leastBody) continue
      if (length > 3 && isRun(tokens, usable[0]!, length)) continue
      candidates.push({ windows, length, bound })
    }
  }
  return candidates.sort((a, b) => b.bound - a.bound)
}

/** Characters of calls that nobody hides behind a name. */
const leastBody = 90

/** Whether calls are three or more times the same, which is for a loop to say. */
function isRun(tokens: readonly number[], start: number, length: number): boolean {
  // Lengths of the longest proper prefix that is a suffix too (Knuth, Morris, Pratt): what is left is the period.
  const border = new Int32Array(length)
  for (let i = 1, k = 0; i < length; i++) {
    while (k > 0 && tokens[start + i] !== tokens[start + k]) k = border[k - 1]!
    if (tokens[start + i] === tokens[start + k]) k++
    border[i] = k
  }
  return 3 * (length - border[length - 1]!) <= length
}

/** Pairs of calls compared to find periods: all of them, but in programs of thousands of calls. */
const maximumComparisons = 4_000_000

/** Lengths worth trying: short ones all, long ones in steps, and the periods of what repeats without a gap. */
function lengthsOf(tokens: readonly number[]): number[] {
  const half = Math.floor(tokens.length / 2)
  const lengths = new Set<number>()
  for (let length = 1; length <= Math.min(longestTried, half); length++) lengths.add(length)
  for (let length = longestTried; length <= half; length = Math.ceil(length * 1.2)) lengths.add(length)
  const longestPeriod = Math.min(half, Math.floor(maximumComparisons / tokens.length))
  for (let period = longestTried + 1; period <= longestPeriod; period++) {
    for (let i = 0, run = 0; i + period < tokens.length; i++) {
      run = tokens[i] === tokens[i + period] ? run + 1 : 0
      if (run < period) continue
      lengths.add(period)
      break
    }
  }
  return [...lengths]
}

/** Starts of runs of one length that are equal, by rolling hash; a false meeting costs time, as wiring is compared later. */
function equalRuns(tokens: readonly number[], length: number): number[][] {
  const base = 0x01000193
  let power = 1
  for (let i = 1; i < length; i++) power = Math.imul(power, base)
  const seen = new Map<number, number[]>()
  let [hash, separator] = [0, -1]
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token < 0) separator = i
    if (i >= length) hash = (hash - Math.imul(tokens[i - length]! + 7919, power)) | 0
    hash = (Math.imul(hash, base) + token + 7919) | 0
    const start = i - length + 1
    if (start <= separator) continue
    const starts = seen.get(hash)
    if (starts) starts.push(start)
    else seen.set(hash, [start])
  }
  return [...seen.values()].filter((starts) => starts.length > 1)
}
