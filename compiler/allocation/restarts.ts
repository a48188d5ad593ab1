import { aligned, type Interval, liveBound, randomNumbers } from './problem.ts'
import { searchOnce } from './search.ts'
import { type Sections, sectionsOf } from './sections.ts'

export type SearchResult =
  | { readonly kind: 'found'; readonly offsets: readonly number[] }
  /** There is no placement under the capacity. */
  | { readonly kind: 'impossible' }
  /** The budget was spent. */
  | { readonly kind: 'unknown' }

/** Buffers beyond which nothing is searched: the search goes as deep as there are buffers. */
const searchedBuffers = 2000
/** Dead ends of the shortest search. */
const shortest = 300
/** Searches after which what was learned is forgotten: now and then it leads astray. */
const memory = 127

/**
 * Looks for offsets with which everything ends at `capacity` bytes or below. Many short searches with different preferences, some longer
 * ones between: what makes a problem hard is mostly an unlucky first choice. Buffers that did not fit where searches failed go earlier
 * in the next ("squeaky wheel"). `budget` counts looks at one buffer in one section.
 */
export function searchPlacement(problem: readonly Interval[], capacity: number, budget: number): SearchResult {
  const intervals = aligned(problem, 1)
  if (liveBound(intervals) > capacity) return { kind: 'impossible' }
  if (intervals.length > searchedBuffers) return { kind: 'unknown' }
  const sections = sectionsOf(intervals, capacity)
  const random = randomNumbers(intervals.length)
  const orders = baseOrders(sections)
  const blame = new Float64Array(sections.count)
  const failures = new Float64Array(sections.sections).fill(1)
  const rank = new Float64Array(sections.count)
  const left = { looks: budget }
  const failed = (section: number, buffers: readonly number[]) => {
    failures[section]!++
    for (const buffer of buffers) blame[buffer]!++
  }

  for (let search = 0; left.looks > 0; search++) {
    if (search % memory === 0) {
      blame.fill(0)
      failures.fill(1)
    }
    const order = orders[Math.floor(random() * orders.length)]!
    const trust =
      blameWeights[Math.floor(random() * blameWeights.length)]! / blame.reduce((most, each) => Math.max(most, each), 1)
    const noise = search < 2 ? 0 : 0.1
    for (const [position, buffer] of order.entries())
      rank[buffer] = trust * blame[buffer]! - position / order.length + noise * random()
    const result = searchOnce(
      sections,
      { by: search % 2 === 0 ? 'lowest' : 'fewest', rank, failures },
      { deadEnds: shortest * luby((search % memory) + 1), budget: left, failed },
    )
    if (result.kind === 'found') return { kind: 'found', offsets: inBytes(sections, intervals.length, result.units) }
    if (result.kind === 'impossible') return result
  }
  return { kind: 'unknown' }
}

/** How much blame counts against the order that a search starts from. */
const blameWeights = [0.5, 1, 2, 5]

function inBytes({ origin, bytesPerUnit }: Sections, count: number, units: ArrayLike<number>): readonly number[] {
  const offsets = new Array<number>(count).fill(0)
  for (const [i, index] of origin.entries()) offsets[index] = units[i]! * bytesPerUnit
  return offsets
}

/** 1 1 2 1 1 2 4 1 1 2 1 1 2 4 8 …: lengths of restarts that are within a factor of the best for any distribution (Luby, 1993). */
function luby(index: number): number {
  let length = 1
  while (2 * length - 1 < index) length *= 2
  return 2 * length - 1 === index ? length : luby(index - length + 1)
}

/** Buffers by falling length, size, area and how full it is where they live, in several orders of importance. */
function baseOrders({ count, from, to, size, sections, inside }: Sections): readonly (readonly number[])[] {
  const sums = Array.from({ length: sections }, (_, s) => inside[s]!.reduce((sum, buffer) => sum + size[buffer]!, 0))
  const keys = {
    length: (i: number) => to[i]! - from[i]!,
    size: (i: number) => size[i]!,
    area: (i: number) => size[i]! * (to[i]! - from[i]!),
    full: (i: number) => sums.slice(from[i]!, to[i]!).reduce((most, each) => Math.max(most, each), 0),
  }
  const importance: readonly (readonly (keyof typeof keys)[])[] = [
    ['length', 'area', 'full'],
    ['full', 'area', 'length'],
    ['full', 'length', 'area'],
    ['area', 'length', 'full'],
    ['size', 'length', 'full'],
    ['area', 'size', 'full'],
    ['length', 'size', 'full'],
  ]
  return importance.map((names) => {
    const values = Array.from({ length: count }, (_, i) => names.map((name) => keys[name](i)))
    const compare = (a: number, b: number) => names.reduce((sign, _, k) => sign || values[b]![k]! - values[a]![k]!, 0)
    return Array.from({ length: count }, (_, i) => i).sort((a, b) => compare(a, b) || a - b)
  })
}
