import type { Lattice } from './lattice.ts'
import type { FlowPart, FlowPlacement, FlowProblem } from './problem.ts'

export interface Split {
  readonly placement: FlowPlacement
  readonly seconds: number
}

export interface SplitResult {
  /** Absent where nothing below `below` was found. */
  readonly split?: Split
  /** Whether there is nothing shorter among the sets that were given. */
  readonly exact: boolean
  /** Pairs of sets that were looked at. */
  readonly steps: number
}

interface Ways {
  /** Devices used of each type, in one number. */
  readonly count: number
  readonly step: readonly number[]
  /** Of each way, devices that are left of each type. */
  readonly left: readonly (readonly number[])[]
}

function waysOf({ types }: FlowProblem): Ways {
  const step: number[] = []
  let count = 1
  for (const type of types) {
    step.push(count)
    count *= type.count + 1
  }
  const left = Array.from({ length: count }, (_, way) =>
    types.map((type, t) => type.count - (Math.floor(way / step[t]!) % (type.count + 1))),
  )
  return { count, step, left }
}

/** What is to be least: the longest part, or all parts after each other, which bounds the latency from above. */
export type Sum = 'longest' | 'all'

/**
 * The best way to part a graph, by dynamic programming over sets of nodes as Tarnawski and others have it (NeurIPS 2020, section 5.1): what the
 * devices used so far do at best with all nodes of a set, for each set and each number of devices of each type. Only what stays below `below`
 * and can still do so is followed. Stops after `most` pairs of sets.
 */
export function splitBySets(
  problem: FlowProblem,
  lattice: Lattice,
  {
    sum = 'longest',
    below = Number.POSITIVE_INFINITY,
    most = Number.POSITIVE_INFINITY,
  }: { readonly sum?: Sum; readonly below?: number; readonly most?: number } = {},
): SplitResult {
  const { nodes, types } = problem
  const { groups } = lattice
  const readerCounts = new Int32Array(nodes.length)
  for (const { reads } of nodes) for (const read of reads) readerCounts[read]!++
  const ways = waysOf(problem)
  const last = lattice.count - 1
  const combine = sum === 'longest' ? Math.max : (a: number, b: number) => a + b

  // A bound of what is left: the fastest each node can be, divided among the devices by the most that each is worth beside the fastest.
  const fastest = nodes.map(({ seconds, given }) => (given ? 0 : Math.min(...seconds)))
  const worth = types.map((_, t) =>
    nodes.reduce((best, { seconds }, n) => (fastest[n] === 0 ? best : Math.max(best, fastest[n]! / seconds[t]!)), 0),
  )
  const worthLeft = Array.from({ length: ways.count }, (_, way) =>
    ways.left[way]!.reduce((all, count, t) => all + count * worth[t]!, 0),
  )
  const leftAfter = new Float64Array(lattice.count)
  leftAfter[0] = fastest.reduce((all, seconds) => all + seconds, 0)
  for (let set = 0; set < lattice.count; set++)
    for (let i = lattice.begin[set]!; i < lattice.begin[set + 1]!; i++)
      leftAfter[lattice.sets[i]!] = groups[lattice.added[i]!]!.reduce((left, node) => left - fastest[node]!, leftAfter[set]!)

  const best = new Float64Array(lattice.count * ways.count).fill(Number.POSITIVE_INFINITY)
  const from = new Int32Array(lattice.count * ways.count).fill(-1)
  const by = new Int8Array(lattice.count * ways.count)
  best[0] = 0
  let bound = below
  let bestWay = -1
  let steps = 0

  /** That so many seconds cannot be part of anything better, `way` devices being used before the nodes behind `set`. */
  const hopeless = (seconds: number, set: number, way: number) => {
    // Sums round: what is left may seem more than it is.
    const left = Math.max(0, leftAfter[set]! - 1e-9 * leftAfter[0]!)
    const rest = sum === 'all' ? seconds + left : left === 0 ? 0 : left / worthLeft[way]!
    return Math.max(seconds, rest) >= bound
  }

  /** Whether a node is in the set that is being extended, 0, or in what is added, 1; of what is outside nobody asks. */
  const where = new Uint8Array(nodes.length)
  const readBy = new Int32Array(nodes.length)
  const seen = new Int32Array(lattice.count).fill(-1)
  let origin = 0
  let live: readonly number[] = []

  interface Added {
    /** Values that cross, their bytes, and bytes that are held. */
    readonly values: number
    readonly crossing: number
    readonly held: number
    /** Of each type. */
    readonly seconds: readonly number[]
  }

  /** Notes what becomes of a set that a device of a type ends, and goes on from it. */
  function visit(set: number, { values, crossing, held, seconds }: Added): void {
    types.forEach((type, t) => {
      if (held > type.bytes) return
      const load = type.launchSeconds + seconds[t]! + values * type.secondsPerValue + crossing * type.secondsPerByte
      if (load >= bound) return
      for (const way of live) {
        if (ways.left[way]![t] === 0) continue
        const all = combine(load, best[origin * ways.count + way]!)
        const next = way + ways.step[t]!
        const to = set * ways.count + next
        if (all >= best[to]! || hopeless(all, set, next)) continue
        best[to] = all
        from[to] = origin
        by[to] = t
        if (set === last) {
          bound = all
          bestWay = next
        }
      }
    })
  }

  function extend(set: number, so: Added): void {
    for (let i = lattice.begin[set]!; i < lattice.begin[set + 1]!; i++) {
      const next = lattice.sets[i]!
      if (seen[next] === origin) continue
      seen[next] = origin
      if (++steps > most) return
      const group = groups[lattice.added[i]!]!
      const held = group.reduce((all, node) => all + nodes[node]!.bytes, so.held)
      const seconds = so.seconds.map((all, t) => group.reduce((s, node) => s + nodes[node]!.seconds[t]!, all))
      if (types.every((type, t) => held > type.bytes || type.launchSeconds + seconds[t]! >= bound)) continue
      let { values, crossing } = so
      for (const node of group) {
        for (const read of nodes[node]!.reads) {
          const before = readBy[read]!++
          const taken = where[read] === 0 ? before === 0 : before + 1 === readerCounts[read] && !nodes[read]!.returned
          if (!taken) continue
          // Taken in for its first reader, or no longer given out behind its last.
          const more = where[read] === 0 ? 1 : -1
          values += more
          crossing += more * nodes[read]!.crossing
        }
        if (readerCounts[node]! > 0 || nodes[node]!.returned) {
          values++
          crossing += nodes[node]!.crossing
        }
        where[node] = 1
      }
      const added = { values, crossing, held, seconds }
      visit(next, added)
      extend(next, added)
      for (const node of group) {
        where[node] = 0
        for (const read of nodes[node]!.reads) readBy[read]!--
      }
    }
  }

  const members = membersOf(lattice)
  const nothing = { values: 0, crossing: 0, held: 0, seconds: types.map(() => 0) }
  for (origin = 0; origin < last && steps <= most; origin++) {
    const first = origin * ways.count
    live = Array.from({ length: ways.count }, (_, way) => way).filter(
      (way) => best[first + way]! < Number.POSITIVE_INFINITY && !hopeless(best[first + way]!, origin, way),
    )
    if (live.length > 0) extend(origin, nothing)
  }
  const exact = steps <= most
  if (bestWay < 0) return { exact, steps }
  const parts: FlowPart[] = []
  for (let set = last, way = bestWay; set > 0; ) {
    const index = set * ways.count + way
    const before = new Set(members(from[index]!))
    const own = members(set).filter((group) => !before.has(group))
    parts.unshift({ type: by[index]!, nodes: own.flatMap((group) => groups[group]!).sort((a, b) => a - b) })
    set = from[index]!
    way -= ways.step[by[index]!]!
  }
  return { split: { placement: { parts }, seconds: bound }, exact, steps }
}

/** The groups of a set: those of a set that it grew from, and one more. */
function membersOf(lattice: Lattice): (set: number) => readonly number[] {
  const before = new Int32Array(lattice.count).fill(-1)
  const added = new Int32Array(lattice.count)
  for (let set = 0; set < lattice.count; set++)
    for (let i = lattice.begin[set]!; i < lattice.begin[set + 1]!; i++) {
      before[lattice.sets[i]!] = set
      added[lattice.sets[i]!] = lattice.added[i]!
    }
  return (set) => {
    const found: number[] = []
    for (let at = set; at > 0; at = before[at]!) found.push(added[at]!)
    return found
  }
}
