import { choose, type Preference } from './choose.ts'
import type { Sections } from './sections.ts'
import { lowestEnd, place, raise, type State, setPostponed, startState, takeBack } from './state.ts'

/** How far one search goes, and what it learns for the next. */
export interface SearchLimits {
  /** Dead ends after which it is given up. */
  readonly deadEnds: number
  /** Looks at buffers in sections that all searches together may take; counted down. */
  readonly budget: { looks: number }
  /** Told of each dead end: the section that became too full and the buffers that do not fit there. */
  readonly failed: (section: number, buffers: readonly number[]) => void
}

/**
 * Looks for a placement under the capacity, depth first; returns offsets in units, or whether there is none or the limits were met.
 *
 * Any placement can be pushed down until every buffer lies at 0 or rests on another. So each step takes a buffer beneath which nothing
 * fits any more and asks: does it lie as low as it can, or does it rest on one that still waits? After each answer every section must
 * have room for its waiting buffers: those that cannot lie below a level must fit between it and the capacity. Where no waiting buffer
 * lives on both sides of a point in time, the sides are searched apart.
 * The ideas are those of MiniMalloc (Moffitt, ASPLOS 2023) and of scheduling by "start or postpone" with one-machine bounds.
 */
export function searchOnce(
  problem: Sections,
  preference: Preference,
  limits: SearchLimits,
): { readonly kind: 'found'; readonly units: ArrayLike<number> } | { readonly kind: 'impossible' | 'unknown' } {
  const state = startState(problem)
  const above = problem.numbers(problem.sections)
  let deadEnds = 0
  const givenUp = () => deadEnds >= limits.deadEnds || limits.budget.looks <= 0

  /** Ends a branch. */
  function deadEnd(): false {
    deadEnds++
    return false
  }

  /** Whether every section from `from` to `to` still has room for the waiting buffers, which it sorts by falling level. */
  function fits(waiting: number[], from: number, to: number): boolean {
    if (!liftPostponed(state, waiting)) return false
    const { low, size, capacity, from: firsts, to: ends } = state
    sortByLevel(state, waiting)
    above.fill(0, from, to)
    limits.budget.looks -= waiting.length
    for (let k = 0; k < waiting.length; k++) {
      const buffer = waiting[k]!
      const [units, room, end] = [size[buffer]!, capacity - low[buffer]!, ends[buffer]!]
      limits.budget.looks -= end - firsts[buffer]!
      for (let s = firsts[buffer]!; s < end; s++) {
        above[s]! += units
        if (above[s]! <= room) continue
        limits.failed(
          s,
          waiting.slice(0, k + 1).filter((each) => firsts[each]! <= s && s < ends[each]!),
        )
        return false
      }
    }
    return true
  }

  /** Whether the waiting buffers, all of them live between two sections, can be placed. Places them. */
  function solve(waiting: number[], from: number, to: number): boolean {
    for (;;) {
      const buffer = choose(state, waiting, from, to, preference)
      if (buffer === undefined) return deadEnd()
      const before = state.trail.length
      place(state, buffer)
      if (solveRest(waiting, buffer, from, to)) return true
      takeBack(state, before)
      if (givenUp()) return false
      const level = state.low[buffer]!
      setPostponed(state, buffer, 1)
      for (const twin of state.twins[buffer]!) if (!state.placed[twin] && state.low[twin] === level) setPostponed(state, twin, 1)
      if (lowestEnd(state, buffer) === Number.POSITIVE_INFINITY || !fits(waiting, from, to)) return deadEnd()
    }
  }

  function solveRest(waiting: readonly number[], buffer: number, from: number, to: number): boolean {
    const rest = waiting.filter((other) => other !== buffer)
    if (rest.length === 0) return true
    if (!fits(rest, from, to)) return deadEnd()
    return partsOf(state, rest, from, to).every((part) => solve(part.waiting, part.from, part.to))
  }

  const all = Array.from({ length: problem.count }, (_, i) => i)
  const found =
    fits(all, 0, problem.sections) &&
    partsOf(state, all, 0, problem.sections).every((part) => solve(part.waiting, part.from, part.to))
  if (found) return { kind: 'found', units: state.low }
  return { kind: givenUp() ? 'unknown' : 'impossible' }
}

/** Rounds of raising postponed buffers, each upon the last; more would be right too, only seldom worth it. */
const liftRounds = 8

/** Raises postponed buffers onto the lowest that they can rest on. False when one then ends above the capacity. */
function liftPostponed(state: State, waiting: readonly number[]): boolean {
  const { postponed, low, size, capacity } = state
  for (let round = 0, changed = true; changed && round < liftRounds; round++) {
    changed = false
    for (let k = 0; k < waiting.length; k++) {
      const buffer = waiting[k]!
      if (!postponed[buffer]) continue
      const level = lowestEnd(state, buffer)
      if (level <= low[buffer]!) continue
      if (level + size[buffer]! > capacity) return false
      raise(state, buffer, level)
      changed = true
    }
  }
  return true
}

/** By insertion: little has changed since the last time. */
function sortByLevel({ low }: State, waiting: number[]): void {
  for (let k = 1; k < waiting.length; k++) {
    const buffer = waiting[k]!
    const level = low[buffer]!
    let at = k
    for (; at > 0 && low[waiting[at - 1]!]! < level; at--) waiting[at] = waiting[at - 1]!
    waiting[at] = buffer
  }
}

interface Part {
  readonly waiting: number[]
  readonly from: number
  readonly to: number
}

/** Stretches of time that no waiting buffer crosses into another, the one with least room to spare first. */
function partsOf(
  { from, to, crossing, capacity, waiting: sums, low }: State,
  waiting: number[],
  first: number,
  end: number,
): readonly Part[] {
  const cuts: number[] = []
  for (let s = first + 1; s < end; s++) if (crossing[s] === 0) cuts.push(s)
  if (cuts.length === 0) return [{ waiting, from: first, to: end }]
  const bounds = [first, ...cuts, end]
  const parts: (Part & { readonly spare: number })[] = []
  for (let k = 0; k + 1 < bounds.length; k++) {
    const [begin, stop] = [bounds[k]!, bounds[k + 1]!]
    const inside = waiting.filter((buffer) => from[buffer]! >= begin && to[buffer]! <= stop)
    if (inside.length === 0) continue
    let spare = Number.POSITIVE_INFINITY
    for (const buffer of inside)
      for (let s = from[buffer]!; s < to[buffer]!; s++) spare = Math.min(spare, capacity - sums[s]! - low[buffer]!)
    parts.push({ waiting: inside, from: begin, to: stop, spare })
  }
  return parts.sort((a, b) => a.spare - b.spare || a.waiting.length - b.waiting.length)
}
