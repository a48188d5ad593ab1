import type { Interval } from './solve.ts'

/** A section that stays empty at its level: lower than any level above, as sizes are whole numbers. */
const passed = 0.5

/**
 * Looks for offsets with which everything ends at `capacity` or below: depth first, filling the lowest valley from the left.
 *
 * Any placement can be pushed down until each buffer lies on one that is live with it, or at 0. So it is enough to ask, at the lowest
 * time section that still waits for buffers, which of them begins at this level, or that none does; once all sections of a level are
 * answered, the empty ones rise to the next level. A branch ends when what is to come at some time no longer fits under the capacity.
 * Returns undefined when there is no such placement, or when `budget` looks at sections and buffers are spent.
 */
export function searchPlacement(intervals: readonly Interval[], capacity: number, budget: number): readonly number[] | undefined {
  const { from, to, sections } = sectionsOf(intervals)
  const top = new Float64Array(sections)
  const remaining = new Float64Array(sections)
  const waiting: number[][] = Array.from({ length: sections }, () => [])
  const offsets = intervals.map(() => 0)
  const placed = intervals.map(({ bytes }) => bytes === 0)
  let left = placed.filter((done) => !done).length
  let looks = 0

  const area = (i: number) => intervals[i]!.bytes * (to[i]! - from[i]!)
  for (const i of [...intervals.keys()].sort((a, b) => area(b) - area(a) || a - b)) {
    for (let s = from[i]!; s < to[i]! && !placed[i]; s++) {
      remaining[s]! += intervals[i]!.bytes
      waiting[s]!.push(i)
    }
  }

  /** The lowest section with buffers to come. */
  function lowestSection(): number {
    let lowest = -1
    for (let s = 0; s < sections; s++) if (remaining[s]! > 0 && (lowest < 0 || top[s]! < top[lowest]!)) lowest = s
    looks += sections
    return lowest
  }

  function beginsAt(i: number, level: number): boolean {
    for (let s = from[i]!; s < to[i]!; s++) if (top[s] !== level) return false
    return true
  }

  function put(i: number, level: number): void {
    const { bytes } = intervals[i]!
    for (let s = from[i]!; s < to[i]!; s++) {
      top[s] = level + bytes
      remaining[s]! -= bytes
    }
    offsets[i] = level
    placed[i] = true
    left--
  }

  function takeBack(i: number, level: number): void {
    for (let s = from[i]!; s < to[i]!; s++) {
      top[s] = level
      remaining[s]! += intervals[i]!.bytes
    }
    placed[i] = false
    left++
  }

  /** What can be decided next. */
  function nextChoice(): Choice {
    const section = lowestSection()
    const level = Math.floor(top[section]!)
    // All sections of the level are answered: the empty ones rise.
    if (top[section] !== level) return { kind: 'rise', level, risen: undefined }
    const tried = new Set<string>()
    const options = waiting[section]!.filter((i) => {
      // Buffers of equal size and life are interchangeable.
      const alike = `${from[i]} ${to[i]} ${intervals[i]!.bytes}`
      if (placed[i] || tried.has(alike) || !beginsAt(i, level)) return false
      tried.add(alike)
      return true
    })
    looks += waiting[section]!.length
    if (level + 1 + remaining[section]! <= capacity) options.push(empty)
    return { kind: 'fill', section, level, options, taken: -1 }
  }

  function rise(choice: Extract<Choice, { kind: 'rise' }>): boolean {
    const { level } = choice
    let next = Number.POSITIVE_INFINITY
    for (let s = 0; s < sections; s++) if (remaining[s]! > 0 && top[s]! > level + passed) next = Math.min(next, top[s]!)
    choice.risen = []
    looks += 2 * sections
    for (let s = 0; s < sections; s++) {
      if (remaining[s] === 0 || top[s] !== level + passed) continue
      if (next + remaining[s]! > capacity) return false
      choice.risen.push(s)
    }
    for (const s of choice.risen) top[s] = next
    return true
  }

  /** Takes the next way out of a choice, after taking back the last; false when there is none left. */
  function takeNext(choice: Choice): boolean {
    if (choice.kind === 'rise') {
      if (!choice.risen) return rise(choice)
      for (const s of choice.risen) top[s] = choice.level + passed
      return false
    }
    const { section, level, options } = choice
    const last = options[choice.taken]
    if (last === empty) top[section] = level
    else if (last !== undefined) takeBack(last, level)
    const next = options[++choice.taken]
    if (next === undefined) return false
    if (next === empty) top[section] = level + passed
    else put(next, level)
    return true
  }

  if (remaining.some((bytes) => bytes > capacity)) return undefined
  const trail: Choice[] = []
  while (left > 0) {
    trail.push(nextChoice())
    for (let choice = trail.at(-1); choice && !takeNext(choice); choice = trail.at(-1)) trail.pop()
    if (trail.length === 0 || looks > budget) return undefined
  }
  return offsets
}

const empty = -1

type Choice =
  /** Which waiting buffer begins at the level in the section; `empty` for none. */
  | {
      readonly kind: 'fill'
      readonly section: number
      readonly level: number
      readonly options: readonly number[]
      taken: number
    }
  | { readonly kind: 'rise'; readonly level: number; risen: number[] | undefined }

/** Times renumbered so that something starts or ends at each; buffers are live from section `from` up to `to`. */
function sectionsOf(intervals: readonly Interval[]) {
  const times = [...new Set(intervals.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b)
  const section = new Map(times.map((time, i) => [time, i]))
  return {
    from: intervals.map(({ start }) => section.get(start)!),
    to: intervals.map(({ end }) => section.get(end)!),
    sections: times.length,
  }
}
