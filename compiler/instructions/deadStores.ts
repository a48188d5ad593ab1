import { definitionOf } from '../graph/index.ts'
import type { BufferId, Instruction } from './instruction.ts'
import { reads, writes } from './place.ts'
import { createRangeSet, type RangeSet } from './ranges.ts'
import { pitchOf } from './stripes.ts'
import { type Workspace, writtenPlace } from './workspace.ts'

/**
 * Drops copies and calls into activations of which nothing is read before it is written again or freed. One walk from the end, which
 * knows of every storage the bytes that somebody reads later; what was read by dropped instructions alone goes in the same walk.
 * Calls that check values stay: they must still fail.
 */
export function removeDeadStores(work: Workspace): void {
  const needed = new Map<BufferId, RangeSet>()
  const neededOf = (origin: BufferId): RangeSet => {
    const known = needed.get(origin) ?? createRangeSet()
    needed.set(origin, known)
    return known
  }
  for (let index = work.count - 1; index >= 0; index--) {
    const instruction = work.instruction(index)
    if (!instruction) continue
    const uses = work.uses(index)
    const written = uses.filter((use) => writes(use) && use.qualifier !== 'scratch')
    const isRead = written.some((use) => work.buffer(use.origin).kind !== 'activation' || neededOf(use.origin).meets(use))
    if (!isRead && !checksValues(instruction)) {
      work.drop(index)
      continue
    }
    for (const [operand, use] of uses.entries()) {
      if (use.qualifier !== 'out' || pitchOf(instruction, operand)) continue
      neededOf(use.origin).remove(instruction.kind === 'copy' ? writtenPlace(work, index) : use)
    }
    for (const use of uses) if (reads(use)) neededOf(use.origin).add(use)
  }
}

function checksValues(instruction: Instruction): boolean {
  const anchor = instruction.kind === 'call' ? instruction.kernel.anchor : undefined
  return anchor !== undefined && definitionOf(anchor.op).traits.includes('checked')
}
