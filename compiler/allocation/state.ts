import type { Numbers, Sections } from './sections.ts'

/** A partial placement, with a trail of what changed, so that every step can be taken back. */
export interface State extends Sections {
  /** Units below which each buffer cannot lie; where it lies, once it is placed. */
  readonly low: Numbers
  readonly placed: Uint8Array
  /**
   * 1 for a buffer that shall not lie where it could: in a placement without gaps it then rests on one that is not placed yet, so that it
   * lies no lower than the lowest end of such a neighbour.
   */
  readonly postponed: Uint8Array
  /** Of buffers not placed: their sum in each section, and how many are live on both sides of the border before it. */
  readonly waiting: Numbers
  readonly crossing: Int32Array
  readonly trail: number[]
}

const placing = 0
const raising = 1
const postponing = 2

export function startState(problem: Sections): State {
  const { count, sections, from, to, size, numbers } = problem
  const waiting = numbers(sections)
  const crossing = new Int32Array(sections + 1)
  for (let i = 0; i < count; i++) {
    for (let s = from[i]!; s < to[i]!; s++) waiting[s]! += size[i]!
    for (let s = from[i]! + 1; s < to[i]!; s++) crossing[s]!++
  }
  return {
    ...problem,
    low: numbers(count),
    placed: new Uint8Array(count),
    postponed: new Uint8Array(count),
    waiting,
    crossing,
    trail: [],
  }
}

export function raise({ low, trail }: State, buffer: number, level: number): void {
  trail.push(low[buffer]!, buffer, raising)
  low[buffer] = level
}

export function setPostponed({ postponed, trail }: State, buffer: number, value: 0 | 1): void {
  if (postponed[buffer] === value) return
  trail.push(1 - value, buffer, postponing)
  postponed[buffer] = value
}

/** Puts a buffer as low as it can lie; all neighbours that wait come to lie above it. */
export function place(state: State, buffer: number): void {
  const { low, size, placed, postponed, trail } = state
  count(state, buffer, -1)
  placed[buffer] = 1
  trail.push(0, buffer, placing)
  const top = low[buffer]! + size[buffer]!
  const neighbours = state.neighbours[buffer]!
  for (let k = 0; k < neighbours.length; k++) {
    const other = neighbours[k]!
    if (placed[other] || low[other]! > top) continue
    if (low[other]! < top) raise(state, other, top)
    if (postponed[other]) setPostponed(state, other, 0)
  }
}

/** Takes back what was done since the trail was `length` long. */
export function takeBack(state: State, length: number): void {
  const { low, placed, postponed, trail } = state
  while (trail.length > length) {
    const kind = trail.pop()!
    const buffer = trail.pop()!
    const value = trail.pop()!
    if (kind === raising) low[buffer] = value
    else if (kind === postponing) postponed[buffer] = value
    else {
      placed[buffer] = 0
      count(state, buffer, 1)
    }
  }
}

/** Counts a buffer out of those that wait, or in again. */
function count({ from, to, size, waiting, crossing }: State, buffer: number, sign: 1 | -1): void {
  const [first, end, units] = [from[buffer]!, to[buffer]!, sign * size[buffer]!]
  for (let s = first; s < end; s++) waiting[s]! += units
  for (let s = first + 1; s < end; s++) crossing[s]! += sign
}

/** Lowest end that a waiting neighbour can have; infinite when there is none. */
export function lowestEnd({ neighbours, placed, low, size }: State, buffer: number): number {
  let lowest = Number.POSITIVE_INFINITY
  const list = neighbours[buffer]!
  for (let k = 0; k < list.length; k++) {
    const other = list[k]!
    if (placed[other]) continue
    const end = low[other]! + size[other]!
    if (end < lowest) lowest = end
  }
  return lowest
}

/** A waiting neighbour that fits wholly beneath a buffer where it can lie lowest, or -1. */
export function beneath({ neighbours, placed, low, size }: State, buffer: number): number {
  const level = low[buffer]!
  const list = neighbours[buffer]!
  for (let k = 0; k < list.length; k++) {
    const other = list[k]!
    if (!placed[other] && low[other]! + size[other]! <= level) return other
  }
  return -1
}
