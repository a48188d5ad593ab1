import { type Candidate, type Order, place } from './greedy.ts'
import { type Interval, randomNumbers } from './problem.ts'

/** Pairs of buffers that improvement may compare, and orders that it may try. */
const pairBudget = 2_000_000
const roundBudget = 1_000

/** The best placement found by moving, again and again, one of the highest buffers forward in the order. */
export function improve(
  start: Candidate,
  intervals: readonly Interval[],
  neighbours: readonly Int32Array[],
  bound: number,
): Candidate {
  const pairs = neighbours.reduce((sum, list) => sum + list.length, 4 * intervals.length)
  const rounds = Math.min(roundBudget, Math.floor(pairBudget / Math.max(1, pairs)))
  const random = randomNumbers(intervals.length)
  let best = start
  let current = start
  for (let round = 0; round < rounds && best.peak > bound; round++) {
    const other = current.fit === 'lowest' ? 'tightest' : 'lowest'
    const candidate = place(intervals, neighbours, disturb(current, intervals, random), random() < 0.9 ? current.fit : other)
    // Equal peaks are taken too: a plateau is left only by walking over it.
    if (candidate.peak <= current.peak) current = candidate
    else if (random() < 0.02) current = best
    if (current.peak < best.peak) best = current
  }
  return best
}

/** The order with one of the highest buffers, or now and then any buffer, moved, mostly forward. */
function disturb({ order, offsets, peak }: Candidate, intervals: readonly Interval[], random: () => number): Order {
  const highest = order.filter((i) => offsets[i]! + intervals[i]!.bytes === peak)
  const pool = random() < 0.7 ? highest : order
  const moved = pool[Math.floor(random() * pool.length)]!
  const next = order.filter((i) => i !== moved)
  const before = order.indexOf(moved)
  next.splice(Math.floor(random() * (random() < 0.8 ? before + 1 : order.length)), 0, moved)
  return next
}
