import { searchPart } from './exact.ts'
import { leastAlive, postOrder } from './heuristic.ts'
import { cutsOf, partsOf } from './part.ts'
import { needsOf, type Order, prepare, type ScheduleProblem } from './problem.ts'
import type { Effort } from './side.ts'
import { solveTree } from './tree.ts'

export interface Solution {
  /** The order found; the given one where none is better. */
  readonly order: Order
  readonly peak: number
  /** No order has a lower peak. */
  readonly bound: number
}

/** Touches of storage looked at, at most: for each task, and at least. */
const effortPerTask = 30
const effortAtLeast = 300_000

/**
 * The order with the least peak that can be found, and a bound. The problem is cut where every order has done the same tasks; each part
 * takes the best of the orders that heuristics find, and where that is above what other parts need anyway, is searched. The bound is the
 * largest of the parts.
 */
export function solveOrder(problem: ScheduleProblem, decompose = true): Solution {
  const prepared = prepare(problem)
  const count = problem.tasks.length
  const starts = decompose ? cutsOf(prepared) : count > 0 ? [0] : []
  const parts = partsOf(prepared, starts)
  const given = problem.tasks.map((_, task) => task)
  const orders = [given, postOrder(prepared), leastAlive(prepared)].map((order) =>
    byPart(order, starts, needsOf(prepared, order)),
  )
  const best = starts.map((_, i) => orders.map((order) => order[i]!).reduce((a, b) => (b.peak < a.peak ? b : a)))

  let bound = 0
  for (const make of parts) bound = Math.max(bound, make().floor)
  const effort: Effort = { left: Math.max(effortAtLeast, effortPerTask * count) }
  const hardest = [...starts.keys()].sort((a, b) => best[b]!.peak - best[a]!.peak || a - b)
  for (const i of hardest) {
    const { peak } = best[i]!
    if (peak <= bound) continue
    const part = parts[i]!()
    const tree = solveTree(part)
    const found = tree
      ? { order: tree.peak < peak ? tree.order : undefined, bound: tree.peak }
      : searchPart(part, bound, peak, effort)
    bound = Math.max(bound, found.bound)
    if (!found.order) continue
    const order = found.order.map((task) => task + part.first)
    best[i] = { order, peak: 0 }
  }
  const order = best.flatMap((part) => part.order)
  const peak = needsOf(prepared, order).reduce((most, bytes) => Math.max(most, bytes), 0)
  return { order, peak, bound }
}

/** An order in parts, with the peak of each. */
function byPart(order: Order, starts: readonly number[], needs: readonly number[]): { order: number[]; peak: number }[] {
  // Every order does the parts one after another.
  return starts.map((start, i) => {
    const part = order.slice(start, starts[i + 1] ?? order.length)
    return { order: part, peak: part.reduce((most, task) => Math.max(most, needs[task]!), 0) }
  })
}
