import type { Part } from './part.ts'
import type { Order } from './problem.ts'
import { createQueue } from './queue.ts'
import { type Effort, openSide, type Side } from './side.ts'

export interface PartSolution {
  /** An order of the part with a peak below the limit, if one was found. */
  readonly order: Order | undefined
  /** No order of the part has a lower peak; the limit at most. */
  readonly bound: number
}

/** Sets of done tasks looked at from one end before the other end is tried. */
const patience = [64, 1024, 16384]
/** The same, when a step is taken that is not proven. */
const impatience = 64
/** Tasks followed at most to see whether what one brings to life dies again. */
const followed = 32

/**
 * Searches for an order with a peak below `limit`, and for a bound. `floor` is a known bound.
 *
 * Bytes live are a function f of the set of done tasks, so that the sets are the states of a search for the path whose largest need is
 * least; the state with the least need is looked at first, so that what it costs to get there is needed by every order. f is submodular
 * (each storage adds its bytes where some task that touches it is done, but not where all are), whence
 *
 *     f(S) ≥ f(S ∪ T)  ⟹  f(U) ≥ f(U ∪ T)  for every U ⊇ S:
 *
 * whatever is done in between, doing T first leaves no more alive. So as soon as a state is reached that keeps no more alive than the one
 * the search began with, at no greater need than every order has, the search begins anew from there, and all else is forgotten: these are
 * the valleys of Liu's method (J. Liu, 1987: An application of generalized tree pebbling to sparse matrix factorization), here for any
 * acyclic graph. The same holds from the end back, where branches that grow are what ones that shrink are from the beginning. Both ends
 * move towards each other, with more and more patience. Where that does not suffice, steps are taken that are not proven, and the bound
 * stays where it was.
 */
export function searchPart(part: Part, floor: number, limit: number, effort: Effort): PartSolution {
  const count = part.tasks.length
  const sides = [openSide(part, true, effort), openSide(part, false, effort)]
  const taken = new Set<number>()
  let ceiling = Math.max(floor, part.floor)

  const left = () => count - taken.size
  function advance(side: Side, states: number, proven: boolean): boolean {
    const found = search({ side, taken, left: left(), ceiling, limit, states, force: !proven, effort })
    ceiling = found.ceiling
    for (const task of found.path) {
      side.step(task)
      side.path.push(task)
      taken.add(task)
    }
    return found.path.length > 0
  }

  for (const states of patience) {
    let moved = true
    while (moved && left() > 0 && ceiling < limit && effort.left > 0) {
      moved = false
      for (const side of sides) while (left() > 0 && ceiling < limit && advance(side, states, true)) moved = true
    }
  }
  const bound = Math.min(ceiling, limit)
  while (left() > 0 && ceiling < limit && effort.left > 0) if (!advance(sides[0]!, impatience, false)) break
  if (left() > 0 || ceiling >= limit) return { order: undefined, bound }
  return { order: [...sides[0]!.path, ...sides[1]!.path.toReversed()], bound }
}

interface State {
  readonly before: State | undefined
  /** Tasks done since the state before. */
  readonly tasks: readonly number[]
  readonly set: bigint
  readonly size: number
  readonly peak: number
  readonly live: number
}

interface Search {
  readonly side: Side
  /** Tasks settled at either end. */
  readonly taken: ReadonlySet<number>
  readonly left: number
  /** Known to be needed by every order. */
  readonly ceiling: number
  readonly limit: number
  /** States to be looked at. */
  readonly states: number
  /** Take the most promising way where none is proven. */
  readonly force: boolean
  readonly effort: Effort
}

const isBetter = (a: State, b: State): boolean =>
  a.peak < b.peak || (a.peak === b.peak && (a.live < b.live || (a.live === b.live && a.size > b.size)))

/** Tasks that may be done next without loss, none when the search ends before there are any; and what every order needs. */
function search({ side, taken, left, limit, states, force, effort, ...known }: Search): {
  readonly path: readonly number[]
  readonly ceiling: number
} {
  const start = side.live()
  const bits = new Map<number, bigint>()
  const reached = new Map<bigint, number>()
  const queue = createQueue(isBetter)
  let ceiling = known.ceiling

  function expand(state: State): void {
    const path = pathOf(state)
    for (const task of path) side.step(task)
    const options = [...side.ready].filter((task) => !taken.has(task))
    effort.left -= path.length + options.length
    const free = freeTasks(side, options, taken, ceiling)
    for (const tasks of free ? [free] : options.map((task) => [task])) add(state, tasks)
    for (const task of path.toReversed()) side.back(task)
  }

  function add(before: State, tasks: readonly number[]): void {
    let [peak, set] = [Math.max(before.peak, ceiling), before.set]
    for (const task of tasks) {
      peak = Math.max(peak, side.effect(task).during)
      side.step(task)
      let bit = bits.get(task)
      if (bit === undefined) {
        bit = 1n << BigInt(bits.size)
        bits.set(task, bit)
      }
      set |= bit
    }
    const live = side.live()
    for (const task of tasks.toReversed()) side.back(task)
    // A set of 32 tasks is about as much to look at as one touch.
    effort.left -= bits.size >> 5
    if (peak >= limit || (reached.get(set) ?? Number.POSITIVE_INFINITY) <= peak) return
    reached.set(set, peak)
    queue.push({ before, tasks, set, size: before.size + tasks.length, peak, live })
  }

  expand({ before: undefined, tasks: [], set: 0n, size: 0, peak: ceiling, live: start })
  for (let looked = 0; ; ) {
    const state = queue.pop()
    // Every way leads to the limit.
    if (!state) return { path: [], ceiling: force ? ceiling : limit }
    ceiling = Math.max(ceiling, state.peak)
    if (state.live <= start || state.size === left) return { path: pathOf(state), ceiling }
    if (looked >= states || effort.left <= 0) return { path: force ? pathOf(state) : [], ceiling }
    if ((reached.get(state.set) ?? state.peak) < state.peak) continue
    looked++
    expand(state)
  }
}

function pathOf(state: State): readonly number[] {
  const pieces: (readonly number[])[] = []
  for (let each: State | undefined = state; each; each = each.before) pieces.push(each.tasks)
  return pieces.reverse().flat()
}

/** Tasks that need no more than every order does and leave no more alive than there is: one, or one and what it makes ready. */
function freeTasks(
  side: Side,
  options: readonly number[],
  taken: ReadonlySet<number>,
  ceiling: number,
): readonly number[] | undefined {
  const live = side.live()
  for (const task of options) {
    const { during, after } = side.effect(task)
    if (during <= ceiling && after <= live) return [task]
  }
  for (const task of options) {
    const done: number[] = []
    let next: number | undefined = task
    while (next !== undefined && done.length < followed) {
      if (side.effect(next).during > ceiling) break
      const made = side.step(next)
      done.push(next)
      if (side.live() <= live) break
      next = leastAfter(side, made, taken)
    }
    const isFree = side.live() <= live
    for (const each of done.toReversed()) side.back(each)
    if (isFree && done.length > 0) return done
  }
  return undefined
}

function leastAfter(side: Side, tasks: readonly number[], taken: ReadonlySet<number>): number | undefined {
  let best: { readonly task: number; readonly after: number } | undefined
  for (const task of tasks) {
    if (taken.has(task)) continue
    const { after } = side.effect(task)
    if (!best || after < best.after) best = { task, after }
  }
  return best?.task
}
