import { type Candidate, place, startingOrders } from './greedy.ts'
import { improve } from './improve.ts'
import { aligned, type Interval, liveBound, neighboursOf, type Placement } from './problem.ts'
import { type SearchResult, searchPlacement } from './restarts.ts'

// Searches stop on counts, so that equal problems have equal solutions on any machine.
/** Looks that `solveMemory` spends on the search for a placement that reaches the bound: some 50 ms. */
const smallBudget = 2_000_000
/** Looks that `fitMemory` spends: some two minutes. */
const largeBudget = 6_000_000_000

/**
 * Gives every interval an offset so that no two live at one time overlap, and the highest end is low. Several orders are tried, each
 * buffer in turn going into the tightest or the lowest gap; the first that reaches the bound wins. Otherwise a search asks for a
 * placement at the bound; and if it finds none, the best is improved by moving the buffers at its top forward in its order.
 */
export function solveMemory(problem: readonly Interval[], alignment: number): Placement {
  const intervals = aligned(problem, alignment)
  const bound = liveBound(intervals)
  const neighbours = neighboursOf(intervals)
  const best = tryOrders(intervals, neighbours, bound)
  if (best.peak <= bound) return { offsets: best.offsets, peak: best.peak, bound }
  const tight = searchPlacement(intervals, bound, smallBudget)
  if (tight.kind === 'found') return { offsets: tight.offsets, peak: bound, bound }
  const { offsets, peak } = improve(best, intervals, neighbours, bound)
  return { offsets, peak, bound }
}

/** Looks for offsets that are multiples of the alignment and with which everything ends at `capacity` or below; takes minutes to give up. */
export function fitMemory(problem: readonly Interval[], capacity: number, alignment = 1, budget = largeBudget): SearchResult {
  const intervals = aligned(problem, alignment)
  if (liveBound(intervals) > capacity) return { kind: 'impossible' }
  const neighbours = neighboursOf(intervals)
  const { offsets, peak } = tryOrders(intervals, neighbours, capacity)
  return peak <= capacity ? { kind: 'found', offsets } : searchPlacement(intervals, capacity, budget)
}

/** The best of what single orders give; the first that ends at `enough` or below. */
function tryOrders(intervals: readonly Interval[], neighbours: readonly Int32Array[], enough: number): Candidate {
  let best: Candidate | undefined
  for (const makeOrder of startingOrders) {
    const order = makeOrder(intervals, neighbours)
    for (const fit of ['tightest', 'lowest'] as const) {
      const candidate = place(intervals, neighbours, order, fit)
      if (!best || candidate.peak < best.peak) best = candidate
      if (best.peak <= enough) return best
    }
  }
  return best!
}
