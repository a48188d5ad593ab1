import { searchPlacement } from './search.ts'

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

// Searches stop on counts, so that equal problems have equal solutions on any machine.
/** Looks at single buffers and times by the search for a placement that reaches the bound. */
const searchBudget = 5_000_000
/** Pairs of buffers that improvement may compare, and orders that it may try. */
const improvementBudget = 10_000_000
const improvementRounds = 4_000

export const roundUp = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment

type Fit = 'tightest' | 'lowest'
type Order = readonly number[]

interface Candidate {
  readonly order: Order
  readonly fit: Fit
  readonly offsets: readonly number[]
  readonly peak: number
}

/**
 * Gives every interval an offset so that no two live at one time overlap, and the highest end is low. Several orders are tried, each
 * buffer in turn going into the tightest or the lowest gap; the first that reaches the bound wins. Otherwise a search asks for a
 * placement at the bound; and if it finds none, the best is improved by moving the buffers at its top forward in its order.
 */
export function solveMemory(problem: readonly Interval[], alignment: number): Placement {
  const intervals = problem.map(({ bytes, start, end }) => ({ bytes: end > start ? roundUp(bytes, alignment) : 0, start, end }))
  const bound = liveBound(intervals)
  const columns = columnsOf(intervals)

  let best: Candidate | undefined
  for (const makeOrder of startingOrders) {
    const order = makeOrder(intervals)
    for (const fit of ['tightest', 'lowest'] as const) {
      const candidate = place(columns, order, fit)
      if (!best || candidate.peak < best.peak) best = candidate
      if (best.peak === bound) return { offsets: best.offsets, peak: best.peak, bound }
    }
  }
  const tight = searchPlacement(intervals, bound, searchBudget)
  if (tight) return { offsets: tight, peak: bound, bound }
  const { offsets, peak } = improve(best!, columns, bound)
  return { offsets, peak, bound }
}

/** Largest sum of bytes live at one time. */
export function liveBound(intervals: readonly Interval[]): number {
  let [live, most] = [0, 0]
  for (const { bytes } of eventsOf(intervals)) {
    live += bytes
    most = Math.max(most, live)
  }
  return most
}

/** Changes of the live sum in order of time; what ends goes before what starts. */
function eventsOf(intervals: readonly Interval[]): { time: number; bytes: number }[] {
  return intervals
    .filter((interval) => interval.end > interval.start)
    .flatMap(({ bytes, start, end }) => [
      { time: start, bytes },
      { time: end, bytes: -bytes },
    ])
    .sort((a, b) => a.time - b.time || a.bytes - b.bytes)
}

// ---------------------------------------------------------------- orders
const length = ({ start, end }: Interval): number => end - start
const bytes = (interval: Interval): number => interval.bytes
const area = (interval: Interval): number => length(interval) * interval.bytes

/** Largest first by the first key, of equals by the next, at last as given. */
function sorted(intervals: readonly Interval[], ...keys: readonly ((interval: Interval) => number)[]): Order {
  const compare = (a: Interval, b: Interval) => keys.reduce((sign, key) => sign || key(b) - key(a), 0)
  return intervals.map((_, i) => i).sort((a, b) => compare(intervals[a]!, intervals[b]!) || a - b)
}

const startingOrders: readonly ((intervals: readonly Interval[]) => Order)[] = [
  (intervals) => {
    const fullest = fullestTime(intervals)
    return sorted(intervals, ({ start, end }) => (start <= fullest && fullest < end ? 1 : 0), bytes)
  },
  (intervals) => sorted(intervals, length, bytes),
  (intervals) => sorted(intervals, bytes, length),
  (intervals) => sorted(intervals, area),
  (intervals) => sorted(intervals, ({ start }) => -start),
  (intervals) => fromBelow(intervals, length),
  (intervals) => fromBelow(intervals, bytes),
  (intervals) => fromBelow(intervals, area),
]

/** A time at which the most bytes are live. */
function fullestTime(intervals: readonly Interval[]): number {
  let [live, most, time] = [0, -1, 0]
  for (const event of eventsOf(intervals)) {
    live += event.bytes
    if (live > most) [most, time] = [live, event.time]
  }
  return time
}

/** Filled up like water: always the buffer that can lie lowest upon those before it; of equals the one with the largest key. */
function fromBelow(intervals: readonly Interval[], key: (interval: Interval) => number): Order {
  const floor = new Float64Array(intervals.length)
  const left = new Set(intervals.keys())
  const order: number[] = []
  while (left.size > 0) {
    let next = -1
    for (const i of left) {
      if (next < 0 || floor[i]! < floor[next]! || (floor[i] === floor[next] && key(intervals[i]!) > key(intervals[next]!)))
        next = i
    }
    left.delete(next)
    order.push(next)
    const { start, end, bytes } = intervals[next]!
    const top = floor[next]! + bytes
    for (const i of left) {
      const other = intervals[i]!
      if (other.start < end && start < other.end && floor[i]! < top) floor[i] = top
    }
  }
  return order
}

// ---------------------------------------------------------------- placement
interface Columns {
  readonly count: number
  readonly bytes: Float64Array
  readonly start: Float64Array
  readonly end: Float64Array
}

const columnsOf = (intervals: readonly Interval[]): Columns => ({
  count: intervals.length,
  bytes: Float64Array.from(intervals, (interval) => interval.bytes),
  start: Float64Array.from(intervals, (interval) => interval.start),
  end: Float64Array.from(intervals, (interval) => interval.end),
})

function place({ count, bytes, start, end }: Columns, order: Order, fit: Fit): Candidate {
  const offsets = new Array<number>(count).fill(0)
  /** Placed buffers by rising offset, and those offsets. */
  const placed = new Int32Array(count)
  let placedCount = 0
  let peak = 0
  for (const index of order) {
    const [size, from, to] = [bytes[index]!, start[index]!, end[index]!]
    if (size === 0) continue
    let [offset, room, top] = [-1, Number.POSITIVE_INFINITY, 0]
    for (let i = 0; i < placedCount; i++) {
      const other = placed[i]!
      if (end[other]! <= from || to <= start[other]!) continue
      const at = offsets[other]!
      const gap = at - top
      if (gap >= size && gap < room) {
        offset = top
        room = gap
        if (fit === 'lowest') break
      }
      if (at + bytes[other]! > top) top = at + bytes[other]!
    }
    if (offset < 0) offset = top
    offsets[index] = offset
    if (offset + size > peak) peak = offset + size
    let at = placedCount++
    while (at > 0 && offsets[placed[at - 1]!]! > offset) {
      placed[at] = placed[at - 1]!
      at--
    }
    placed[at] = index
  }
  return { order, fit, offsets, peak }
}

// ---------------------------------------------------------------- improvement
function improve(start: Candidate, columns: Columns, bound: number): Candidate {
  const rounds = Math.min(improvementRounds, Math.floor(improvementBudget / Math.max(1, columns.count ** 2)))
  const random = randomNumbers(columns.count)
  let best = start
  let current = start
  for (let round = 0; round < rounds && best.peak > bound; round++) {
    const candidate = place(
      columns,
      disturb(current, columns, random),
      random() < 0.9 ? current.fit : current.fit === 'lowest' ? 'tightest' : 'lowest',
    )
    // Equal peaks are taken too: a plateau is left only by walking over it.
    if (candidate.peak <= current.peak) current = candidate
    else if (random() < 0.02) current = best
    if (current.peak < best.peak) best = current
  }
  return best
}

/** The order with one of the highest buffers, or now and then any buffer, moved, mostly forward. */
function disturb({ order, offsets, peak }: Candidate, { bytes }: Columns, random: () => number): Order {
  const highest = order.filter((i) => offsets[i]! + bytes[i]! === peak)
  const pool = random() < 0.7 ? highest : order
  const moved = pool[Math.floor(random() * pool.length)]!
  const next = order.filter((i) => i !== moved)
  const before = order.indexOf(moved)
  next.splice(Math.floor(random() * (random() < 0.8 ? before + 1 : order.length)), 0, moved)
  return next
}

/** Numbers from 0 to 1 that look random and are the same every time (a linear congruence modulo 2^32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
