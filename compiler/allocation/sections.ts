import { type Interval, neighboursOf } from './problem.ts'

/** Sizes and lengths as the arrays that the search works with; floating point where whole numbers of 32 bits would not do. */
export type Numbers = Int32Array | Float64Array

/**
 * The problem as the search sees it: time cut into sections in which nothing starts or ends, and of these only those whose buffers are
 * not all live in a neighbour section too; bytes counted in units that divide all sizes.
 */
export interface Sections {
  /** Buffers with bytes; the others need no search. */
  readonly count: number
  /** Index of each buffer in the problem. */
  readonly origin: readonly number[]
  readonly sections: number
  /** First section of each buffer, and the one after its last. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** In units. */
  readonly size: Numbers
  readonly capacity: number
  readonly bytesPerUnit: number
  /** Buffers live with each. */
  readonly neighbours: readonly Int32Array[]
  /** Buffers with the same life and size as each: interchangeable. */
  readonly twins: readonly (readonly number[])[]
  /** Buffers live in each section. */
  readonly inside: readonly Int32Array[]
  /** Numbers of the kind of `size`. */
  readonly numbers: (length: number) => Numbers
}

export function sectionsOf(problem: readonly Interval[], capacityBytes: number): Sections {
  const origin = [...problem.keys()].filter((i) => problem[i]!.bytes > 0 && problem[i]!.end > problem[i]!.start)
  const intervals = origin.map((i) => problem[i]!)
  const bytesPerUnit = intervals.reduce((divisor, { bytes }) => greatestDivisor(bytes, divisor), 0) || 1
  const capacity = Math.floor(capacityBytes / bytesPerUnit)
  const numbers = capacity < 2 ** 29 ? (length: number) => new Int32Array(length) : (length: number) => new Float64Array(length)

  const times = [...new Set(intervals.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b)
  const starts = new Set(intervals.map(({ start }) => start))
  const ends = new Set(intervals.map(({ end }) => end))
  /** Number of kept sections before each time. */
  const before = new Map<number, number>()
  let sections = 0
  for (const [i, time] of times.entries()) {
    before.set(time, sections)
    const next = times[i + 1]
    // Nothing ended since the section before: the next one holds all of these and perhaps more.
    if (next !== undefined && starts.has(time) && ends.has(next)) sections++
  }
  const from = Int32Array.from(intervals, ({ start }) => before.get(start)!)
  const to = Int32Array.from(intervals, ({ end }) => before.get(end)!)
  const size = numbers(intervals.length)
  for (const [i, { bytes }] of intervals.entries()) size[i] = bytes / bytesPerUnit

  const neighbours = neighboursOf(intervals)
  const twins = neighbours.map((list, i) =>
    [...list].filter((j) => from[i] === from[j] && to[i] === to[j] && size[i] === size[j]),
  )
  const inside = Array.from({ length: sections }, (): number[] => [])
  for (const i of intervals.keys()) for (let s = from[i]!; s < to[i]!; s++) inside[s]!.push(i)
  return {
    count: intervals.length,
    origin,
    sections,
    from,
    to,
    size,
    capacity,
    bytesPerUnit,
    neighbours,
    twins,
    inside: inside.map((list) => Int32Array.from(list)),
    numbers,
  }
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))
