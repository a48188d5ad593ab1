import type { Groups } from './groups.ts'
import type { FlowProblem } from './problem.ts'

/**
 * Sets of groups of nodes that, with each node, have all that it reads (the ideals of the order), or some of these sets, and how they grow. What
 * lies between two of them, one within the other, can run together. Numbered so that sets grow into later ones; the first is empty, the last full.
 */
export interface Lattice {
  readonly count: number
  readonly groups: Groups
  /** Of set `i`, the groups that can be added, and the sets that they lead to: `added` and `sets` from `begin[i]` up to `begin[i + 1]`. */
  readonly begin: Int32Array
  readonly added: Int32Array
  readonly sets: Int32Array
}

/** Groups that each group reads of, each once. */
export function readsOfGroups({ nodes }: FlowProblem, groups: Groups): readonly (readonly number[])[] {
  const groupOf = new Int32Array(nodes.length).fill(-1)
  groups.forEach((members, group) => {
    for (const node of members) groupOf[node] = group
  })
  return groups.map((members, group) => [
    ...new Set(
      members.flatMap((node) => nodes[node]!.reads.map((read) => groupOf[read]!)).filter((read) => read >= 0 && read !== group),
    ),
  ])
}

/** All sets, or undefined where there are more than `most`. */
export function allSets(problem: FlowProblem, groups: Groups, most: number): Lattice | undefined {
  const reads = readsOfGroups(problem, groups)
  const readers = groups.map((): number[] => [])
  reads.forEach((own, group) => {
    for (const read of own) readers[read]!.push(group)
  })
  const keys = new Map<string, number>()
  /** Of each set: which groups it has, 16 in a number, and which can be added. */
  const members: Uint16Array[] = []
  const open: (readonly number[])[] = []
  const has = (set: Uint16Array, group: number) => (set[group >> 4]! >> (group & 15)) & 1
  const isOpen = (set: Uint16Array, group: number) => !has(set, group) && reads[group]!.every((read) => has(set, read))
  const enter = (set: Uint16Array, more: () => readonly number[]): number => {
    const key = String.fromCharCode(...set)
    const known = keys.get(key)
    if (known !== undefined) return known
    keys.set(key, members.length)
    members.push(set)
    open.push(more())
    return members.length - 1
  }
  enter(new Uint16Array(Math.ceil(groups.length / 16)), () =>
    groups.flatMap((_, group) => (reads[group]!.length === 0 ? [group] : [])),
  )
  const begin: number[] = []
  const added: number[] = []
  const sets: number[] = []
  for (let i = 0; i < members.length; i++) {
    if (members.length > most) return undefined
    begin.push(added.length)
    for (const group of open[i]!) {
      const set = members[i]!.slice()
      set[group >> 4]! |= 1 << (group & 15)
      added.push(group)
      sets.push(
        enter(set, () => [
          ...open[i]!.filter((other) => other !== group),
          ...readers[group]!.filter((reader) => isOpen(set, reader)),
        ]),
      )
    }
  }
  begin.push(added.length)
  return {
    count: members.length,
    groups,
    begin: Int32Array.from(begin),
    added: Int32Array.from(added),
    sets: Int32Array.from(sets),
  }
}

/** The sets that groups in one order, in which they can run, pass through. */
export function setsInOrder(groups: Groups): Lattice {
  const count = groups.length
  return {
    count: count + 1,
    groups,
    begin: Int32Array.from({ length: count + 2 }, (_, i) => Math.min(i, count)),
    added: Int32Array.from(groups, (_, i) => i),
    sets: Int32Array.from(groups, (_, i) => i + 1),
  }
}
