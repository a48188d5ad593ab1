import { readsOfGroups } from './lattice.ts'
import type { FlowProblem } from './problem.ts'

/** Nodes that stay together, in groups that can run one after the other in some order; those that are given are in none. Nodes rise within one. */
export type Groups = readonly (readonly number[])[]

/** All groups that can be reached. */
function reach(from: number, next: readonly (readonly number[])[]): ReadonlySet<number> {
  const found = new Set<number>()
  const open = [from]
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const other of next[at]!)
      if (!found.has(other)) {
        found.add(other)
        open.push(other)
      }
  return found
}

const reversed = (reads: readonly (readonly number[])[]): readonly (readonly number[])[] => {
  const readers = reads.map((): number[] => [])
  reads.forEach((own, group) => {
    for (const read of own) readers[read]!.push(group)
  })
  return readers
}

const merge = (groups: Groups, which: ReadonlySet<number>): Groups => [
  groups.flatMap((members, group) => (which.has(group) ? members : [])).sort((a, b) => a - b),
  ...groups.filter((_, group) => !which.has(group)),
]

/** In an order in which they can run: each as early as its nodes stand in the problem. */
export function inOrder(problem: FlowProblem, groups: Groups): Groups {
  const reads = readsOfGroups(problem, groups)
  const readers = reversed(reads)
  const missing = reads.map((own) => own.length)
  const ready = groups.flatMap((_, group) => (missing[group] === 0 ? [group] : []))
  const ordered: (readonly number[])[] = []
  while (ready.length > 0) {
    let next = 0
    for (let i = 1; i < ready.length; i++) if (groups[ready[i]!]![0]! < groups[ready[next]!]![0]!) next = i
    const [group] = ready.splice(next, 1)
    ordered.push(groups[group!]!)
    for (const reader of readers[group!]!) if (--missing[reader]! === 0) ready.push(reader)
  }
  return ordered
}

/** Each node by itself, but for those that must be together, with all that lies between them. */
export function smallestGroups(problem: FlowProblem): Groups {
  let groups: Groups = problem.nodes.flatMap(({ given }, node) => (given ? [] : [[node]]))
  for (const together of problem.together ?? []) {
    const wanted = new Set(together)
    groups = merge(groups, new Set(groups.flatMap((members, group) => (members.some((node) => wanted.has(node)) ? [group] : []))))
  }
  // What lies on a way from a group back to itself must be in it.
  for (let changed = (problem.together?.length ?? 0) > 0; changed; ) {
    changed = false
    for (let group = 0; group < groups.length; group++) {
      if (groups[group]!.length === 1) continue
      const reads = readsOfGroups(problem, groups)
      const before = reach(group, reads)
      if (!before.has(group)) continue
      const after = reach(group, reversed(reads))
      groups = merge(groups, new Set([...before].filter((other) => after.has(other))))
      changed = true
      break
    }
  }
  return inOrder(problem, groups)
}

/**
 * Fewer groups: pairs of one that is read by the other alone, or that reads of the other alone, the most crossing bytes first, each at most once,
 * and none that takes more than `most` seconds. The same groups where there is no such pair.
 */
export function coarsen(problem: FlowProblem, groups: Groups, most: number): Groups {
  const reads = readsOfGroups(problem, groups)
  const readers = reversed(reads)
  const secondsOf = (group: number) => groups[group]!.reduce((sum, node) => sum + Math.min(...problem.nodes[node]!.seconds), 0)
  const crossing = groups.map((members) => members.reduce((sum, node) => sum + problem.nodes[node]!.crossing, 0))
  const pairs = reads.flatMap((own, group) =>
    own
      .filter((read) => own.length === 1 || readers[read]!.length === 1)
      .map((read) => ({ read, group, bytes: crossing[read]! })),
  )
  pairs.sort((a, b) => b.bytes - a.bytes || a.group - b.group)
  const taken = new Set<number>()
  const merged: (readonly number[])[] = []
  for (const { read, group } of pairs) {
    if (taken.has(read) || taken.has(group) || secondsOf(read) + secondsOf(group) > most) continue
    taken.add(read).add(group)
    merged.push([...groups[read]!, ...groups[group]!].sort((a, b) => a - b))
  }
  return merged.length === 0 ? groups : inOrder(problem, [...merged, ...groups.filter((_, group) => !taken.has(group))])
}
