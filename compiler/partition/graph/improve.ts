import { loadsOf, objectiveOf } from './evaluate.ts'
import type { Groups } from './groups.ts'
import { readsOfGroups } from './lattice.ts'
import type { FlowPlacement, FlowProblem, Objective } from './problem.ts'

/** A device in the order in which parts run, and its groups. */
interface Slot {
  readonly type: number
  readonly groups: ReadonlySet<number>
}

const placementOf = (slots: readonly Slot[], groups: Groups): FlowPlacement => ({
  parts: slots
    .filter((slot) => slot.groups.size > 0)
    .map(({ type, groups: own }) => ({ type, nodes: [...own].flatMap((group) => groups[group]!).sort((a, b) => a - b) })),
})

/**
 * Moves groups from part to part, or to a device that has none, as long as that makes the objective smaller, or leaves it and makes loads more
 * even. Parts keep their order, so that none comes to wait for a later one. Stops after `most` placements tried.
 */
export function improveFlow(
  problem: FlowProblem,
  groups: Groups,
  placement: FlowPlacement,
  { objective, most }: { readonly objective: Objective; readonly most: number },
): FlowPlacement {
  const reads = readsOfGroups(problem, groups)
  const readers = reads.map((): number[] => [])
  reads.forEach((own, group) => {
    for (const read of own) readers[read]!.push(group)
  })
  const partOfNode = new Map(placement.parts.flatMap(({ nodes }, part) => nodes.map((node) => [node, part] as const)))
  let slots: readonly Slot[] = placement.parts.map(({ type }, part) => ({
    type,
    groups: new Set(groups.flatMap((members, group) => (partOfNode.get(members[0]!) === part ? [group] : []))),
  }))

  const judge = (these: readonly Slot[]): readonly [number, number] => {
    const made = placementOf(these, groups)
    const loads = loadsOf(problem, made)
    if (loads.some(({ bytes }, i) => bytes > problem.types[made.parts[i]!.type]!.bytes)) return [Number.POSITIVE_INFINITY, 0]
    return [objectiveOf(problem, made, objective), loads.reduce((sum, { seconds }) => sum + seconds * seconds, 0)]
  }
  const isBetter = ([a, b]: readonly [number, number], [c, d]: readonly [number, number]) =>
    a < c * (1 - 1e-9) || (a <= c && b < d * (1 - 1e-9))

  let now = judge(slots)
  let tried = 0
  const take = (next: readonly Slot[]): boolean => {
    tried++
    const value = judge(next)
    if (!isBetter(value, now)) return false
    now = value
    slots = next.filter((slot) => slot.groups.size > 0)
    return true
  }

  /** Tries to take a group elsewhere; whether that was better. */
  function move(group: number): boolean {
    const slotOf = (other: number) => slots.findIndex((slot) => slot.groups.has(other))
    const at = slotOf(group)
    /** Parts that it reads of come before it, parts that read of it after it. */
    const least = Math.max(-1, ...reads[group]!.map(slotOf))
    const largest = Math.min(slots.length, ...readers[group]!.map(slotOf))
    const without = slots.map((slot, i) =>
      i === at ? { ...slot, groups: new Set([...slot.groups].filter((other) => other !== group)) } : slot,
    )
    for (let to = Math.max(0, least); to <= Math.min(slots.length - 1, largest); to++) {
      if (to === at) continue
      const next = without.map((slot, i) => (i === to ? { ...slot, groups: new Set([...slot.groups, group]) } : slot))
      if (take(next)) return true
    }
    for (let type = 0; type < problem.types.length; type++) {
      if (slots.filter((slot) => slot.type === type).length >= problem.types[type]!.count) continue
      for (const before of new Set([least + 1, largest])) {
        if (before <= least || before > largest) continue
        const alone = { type, groups: new Set([group]) }
        if (take([...without.slice(0, before), alone, ...without.slice(before)])) return true
      }
    }
    return false
  }

  for (let moved = true; moved && tried < most; ) {
    moved = false
    for (let group = 0; group < groups.length && tried < most; group++) if (move(group)) moved = true
  }
  return placementOf(slots, groups)
}
