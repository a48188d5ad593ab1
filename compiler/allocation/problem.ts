/** A buffer of `bytes` that is live from time `start` up to, not including, `end`. */
export interface Interval {
  readonly bytes: number
  readonly start: number
  readonly end: number
}

export interface Placement {
  /** Byte offset of each interval, in the order of the problem; multiples of the alignment. */
  readonly offsets: readonly number[]
  /** End of the highest buffer. */
  readonly peak: number
  /** Largest sum of live bytes, each rounded up to the alignment; no placement needs less. */
  readonly bound: number
}

export const roundUp = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment

/** Sizes rounded up to the alignment; 0 for what is never live, which then needs no room anywhere. */
export const aligned = (problem: readonly Interval[], alignment: number): readonly Interval[] =>
  problem.map(({ bytes, start, end }) => ({ bytes: end > start ? roundUp(bytes, alignment) : 0, start, end }))

/** Largest sum of bytes live at one time, and the first time at which it is live; time 0 where nothing ever is. */
export function fullestTime(intervals: readonly Interval[]): { readonly bytes: number; readonly time: number } {
  const events = intervals
    .filter(({ start, end }) => end > start)
    .flatMap(({ bytes, start, end }) => [
      { time: start, bytes },
      { time: end, bytes: -bytes },
    ])
    // What ends goes before what starts.
    .sort((a, b) => a.time - b.time || a.bytes - b.bytes)
  let live = 0
  let fullest = { bytes: 0, time: 0 }
  for (const { time, bytes } of events) {
    live += bytes
    if (live > fullest.bytes) fullest = { bytes: live, time }
  }
  return fullest
}

/** Largest sum of bytes live at one time. */
export const liveBound = (intervals: readonly Interval[]): number => fullestTime(intervals).bytes

/** For each interval those that are live with it; those without bytes are nobody's neighbours. */
export function neighboursOf(intervals: readonly Interval[]): readonly Int32Array[] {
  const degree = new Int32Array(intervals.length)
  forEachPair(intervals, (a, b) => {
    degree[a]!++
    degree[b]!++
  })
  const lists = Array.from(degree, (count) => new Int32Array(count))
  degree.fill(0)
  forEachPair(intervals, (a, b) => {
    lists[a]![degree[a]!++] = b
    lists[b]![degree[b]!++] = a
  })
  return lists
}

/** Sweeps over time; `visit` gets each pair that is live together once. */
function forEachPair(intervals: readonly Interval[], visit: (a: number, b: number) => void): void {
  const order = [...intervals.keys()].filter((i) => intervals[i]!.bytes > 0 && intervals[i]!.end > intervals[i]!.start)
  const ends = order.toSorted((a, b) => intervals[a]!.end - intervals[b]!.end)
  const live = new Set<number>()
  let ended = 0
  for (const i of order.sort((a, b) => intervals[a]!.start - intervals[b]!.start || a - b)) {
    for (; intervals[ends[ended]!]!.end <= intervals[i]!.start; ended++) live.delete(ends[ended]!)
    for (const other of live) visit(i, other)
    live.add(i)
  }
}

/** Numbers from 0 to 1 that look random and are the same every time (the generator mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
