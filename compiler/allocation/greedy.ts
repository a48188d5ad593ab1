import { fullestTime, type Interval } from './problem.ts'

/** How a buffer chooses among the gaps that it fits into. */
export type Fit = 'tightest' | 'lowest'
export type Order = readonly number[]

/** What was made of an order. */
export interface Candidate {
  readonly order: Order
  readonly fit: Fit
  readonly offsets: readonly number[]
  readonly peak: number
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

type Neighbours = readonly Int32Array[]

/** Orders in which to place buffers, made one at a time as they are asked for. */
export const startingOrders: readonly ((intervals: readonly Interval[], neighbours: Neighbours) => Order)[] = [
  (intervals) => {
    const { time } = fullestTime(intervals)
    return sorted(intervals, ({ start, end }) => (start <= time && time < end ? 1 : 0), bytes)
  },
  (intervals) => sorted(intervals, length, bytes),
  (intervals) => sorted(intervals, bytes, length),
  (intervals) => sorted(intervals, area),
  (intervals) => sorted(intervals, ({ start }) => -start),
  (intervals, neighbours) => fromBelow(intervals, neighbours, length),
  (intervals, neighbours) => fromBelow(intervals, neighbours, bytes),
  (intervals, neighbours) => fromBelow(intervals, neighbours, area),
]

/** Buffers beyond which an order that compares all of them for each is left out. */
const comparedBuffers = 3000

/** Filled up like water: always the buffer that can lie lowest upon those before it; of equals the one with the largest key. */
function fromBelow(intervals: readonly Interval[], neighbours: Neighbours, key: (interval: Interval) => number): Order {
  if (intervals.length > comparedBuffers) return sorted(intervals, key)
  const floor = new Float64Array(intervals.length)
  const keys = Float64Array.from(intervals, key)
  const left = [...intervals.keys()]
  const done = new Uint8Array(intervals.length)
  const order: number[] = []
  while (left.length > 0) {
    let at = 0
    for (let k = 1; k < left.length; k++) {
      const [i, next] = [left[k]!, left[at]!]
      if (floor[i]! < floor[next]! || (floor[i] === floor[next] && keys[i]! > keys[next]!)) at = k
    }
    const next = left.splice(at, 1)[0]!
    done[next] = 1
    order.push(next)
    const top = floor[next]! + intervals[next]!.bytes
    for (const i of neighbours[next]!) if (!done[i] && floor[i]! < top) floor[i] = top
  }
  return order
}

// ---------------------------------------------------------------- placement
/** Puts each buffer of an order in turn into the tightest or the lowest gap among those placed before that are live with it. */
export function place(intervals: readonly Interval[], neighbours: Neighbours, order: Order, fit: Fit): Candidate {
  const offsets = new Array<number>(intervals.length).fill(0)
  const placed = new Uint8Array(intervals.length)
  const near: number[] = []
  let peak = 0
  for (const index of order) {
    const size = intervals[index]!.bytes
    if (size === 0) continue
    near.length = 0
    for (const other of neighbours[index]!) if (placed[other]) near.push(other)
    near.sort((a, b) => offsets[a]! - offsets[b]!)
    let [offset, room, top] = [-1, Number.POSITIVE_INFINITY, 0]
    for (const other of near) {
      const gap = offsets[other]! - top
      if (gap >= size && gap < room) {
        offset = top
        room = gap
        if (fit === 'lowest') break
      }
      top = Math.max(top, offsets[other]! + intervals[other]!.bytes)
    }
    offsets[index] = offset < 0 ? top : offset
    placed[index] = 1
    peak = Math.max(peak, offsets[index]! + size)
  }
  return { order, fit, offsets, peak }
}
