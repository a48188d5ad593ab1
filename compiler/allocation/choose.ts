import { beneath, type State } from './state.ts'

/** What to decide next: which of the waiting buffers to put as low as it can lie, or else to postpone. */
export interface Preference {
  /** `lowest`: of those that can lie lowest, one in a section with little to spare. `fewest`: in the section where fewest can come first. */
  readonly by: 'lowest' | 'fewest'
  /** Larger goes first. */
  readonly rank: Float64Array
  /** How often the search failed in each section, plus 1. */
  readonly failures: Float64Array
}

/**
 * A waiting buffer that is not postponed and beneath which nothing fits any more; undefined when there is none, in which case the state
 * has no solution. For such a buffer the two branches are complete: either it lies where it can lie lowest, with all waiting neighbours
 * above it, or it rests on one of them.
 */
export function choose(
  state: State,
  waiting: readonly number[],
  from: number,
  to: number,
  preference: Preference,
): number | undefined {
  const first = preference.by === 'fewest' ? inNarrowest(state, from, to, preference) : undefined
  return first ?? atLowest(state, waiting, preference)
}

function atLowest(state: State, waiting: readonly number[], { rank }: Preference): number | undefined {
  const { low, postponed, from, to, capacity, waiting: sums } = state
  let level = Number.POSITIVE_INFINITY
  for (let k = 0; k < waiting.length; k++) if (!postponed[waiting[k]!] && low[waiting[k]!]! < level) level = low[waiting[k]!]!
  let best: number | undefined
  let least = Number.POSITIVE_INFINITY
  for (let k = waiting.length - 1; k >= 0; k--) {
    const buffer = waiting[k]!
    if (postponed[buffer] || low[buffer] !== level) continue
    let spare = Number.POSITIVE_INFINITY
    for (let s = from[buffer]!; s < to[buffer]!; s++) spare = Math.min(spare, capacity - sums[s]! - level)
    if (best === undefined || spare < least || (spare === least && rank[buffer]! > rank[best]!)) [best, least] = [buffer, spare]
  }
  return best
}

/** In the section where fewest buffers can be the lowest of those that wait, weighed by how often the search failed there, one of them. */
function inNarrowest(state: State, from: number, to: number, { rank, failures }: Preference): number | undefined {
  const { low, placed, inside, capacity, waiting } = state
  let section = -1
  let least = Number.POSITIVE_INFINITY
  for (let s = from; s < to; s++) {
    if (waiting[s] === 0) continue
    const latest = capacity - waiting[s]!
    const list = inside[s]!
    let options = 0
    for (let k = 0; k < list.length; k++) if (!placed[list[k]!] && low[list[k]!]! <= latest) options++
    // A little less, so that single options come first however often the search failed elsewhere.
    const value = (options - 0.999) / failures[s]!
    if (value < least) [least, section] = [value, s]
  }
  const latest = capacity - waiting[section]!
  let best = -1
  for (const buffer of inside[section]!)
    if (!placed[buffer] && low[buffer]! <= latest && (best < 0 || rank[buffer]! > rank[best]!)) best = buffer
  for (let below = best; below >= 0; below = beneath(state, best)) best = below
  return state.postponed[best] ? undefined : best
}
