import type { Target } from '../target.ts'
import { removeDeadStores } from './deadStores.ts'
import type { BufferId, Copy, InstructionList } from './instruction.ts'
import { isPlain, overlap, type Place, writes } from './place.ts'
import { renewInSteps, runsOver } from './renewInSteps.ts'
import { storeRows } from './storeRows.ts'
import { pitchOf } from './stripes.ts'
import { openWorkspace, type Workspace, writtenPlace } from './workspace.ts'

/**
 * Removes copies that need not be: values are produced where they would be copied to, or read where they were copied from; then stores
 * that nobody reads. Each pass is simple, and all repeat until none finds anything. Without a target no kernel stores rows apart.
 */
export function elideCopies(list: InstructionList, target?: Target): InstructionList {
  const work = openWorkspace(list)
  for (let before = -1; work.mark() > before; ) {
    before = work.mark()
    produceInPlace(work, target)
    if (target) renewInSteps(work, target)
    readFromSource(work)
    removeDeadStores(work)
  }
  return work.close()
}

/**
 *     call f @out %1; …; copy @in %1, @out %2 + 64   ⟶   call f @out %2 + 64
 *
 * The whole of an activation is copied; nobody uses the place between its production and the copy, and nobody writes the place while
 * the activation is still read; rows of a place are stored by the kernel itself (`storeRows`). A state may be read by the call that renews it
 * where that call may run in place. A longer life of the destination must not raise the peak; all copies into one destination are judged
 * together first, then singly from the last.
 */
export function produceInPlace(work: Workspace, target?: Target): void {
  for (const [destination, copies] of copiesByDestination(work)) {
    const [mark, peak] = [work.mark(), work.peak()]
    const still = () => {
      const left = copies.filter((index) => work.instruction(index) && work.uses(index)[1]!.origin === destination)
      const inRows = (index: number) => pitchOf(work.instruction(index)!, 1) !== undefined
      // Rows from the first: what is stored already then lies before all that is looked at between the next part and its copy.
      return [...left.filter((index) => !inRows(index)).toReversed(), ...left.filter(inRows)]
    }
    for (const index of still()) produceFor(work, index, target)
    if (work.peak() <= peak) continue
    work.undo(mark)
    for (const index of still()) {
      const before = work.mark()
      produceFor(work, index, target)
      if (work.peak() > peak) work.undo(before)
    }
  }
}

function copiesByDestination(work: Workspace): ReadonlyMap<BufferId, readonly number[]> {
  const result = new Map<BufferId, number[]>()
  for (let index = 0; index < work.count; index++) {
    if (work.instruction(index)?.kind !== 'copy') continue
    const { origin } = work.uses(index)[1]!
    const copies = result.get(origin)
    if (copies) copies.push(index)
    else result.set(origin, [index])
  }
  return result
}

function produceFor(work: Workspace, at: number, target: Target | undefined): void {
  const copy = work.instruction(at) as Copy
  if (pitchOf(copy, 1)) {
    if (target) storeRows(work, at, target)
    return
  }
  const from = work.uses(at)[0]!
  const to = writtenPlace(work, at)
  const source = work.buffer(from.origin)
  const whole = isPlain(copy) && source.kind === 'activation' && from.from === 0 && copy.rows * copy.rowBytes === source.bytes
  if (!whole || from.origin === to.origin) return
  const own = work.accesses(from.origin)
  const produced = own[0]!.index
  const lastRead = own.at(-1)!.index
  if (own.some((access) => writes(access) && access.index > at)) return
  const clash = work
    .accessesBetween(to.origin, produced, lastRead)
    .some(
      (access) =>
        access.index !== at &&
        overlap(access, to) &&
        (access.index < at || writes(access)) &&
        !(work.buffer(to.origin).kind === 'state' && target && runsOver(work, access, own[0]!, to, target)),
    )
  if (clash) return
  work.drop(at)
  work.moveInto(from.origin, to.origin, to.from)
}

/**
 *     copy @in %1, @out %2; call f @in %2   ⟶   call f @in %1
 *
 * The whole of an activation is written by one copy alone, and nobody writes the source while the copy is read. What is kept of a state is
 * kept because the state is about to change.
 */
export function readFromSource(work: Workspace): void {
  for (let at = 0; at < work.count; at++) {
    const copy = work.instruction(at)
    if (copy?.kind !== 'copy' || !isPlain(copy)) continue
    const [from, to] = [work.uses(at)[0]!, writtenPlace(work, at)]
    const target = work.buffer(to.origin)
    if (work.buffer(from.origin).kind === 'state') continue
    if (target.kind !== 'activation' || to.from !== 0 || to.to !== target.bytes || from.origin === to.origin) continue
    const own = work.accesses(to.origin)
    if (own.some((access) => writes(access) && access.index !== at)) continue
    const source: Place = { origin: from.origin, from: from.from, to: from.from + target.bytes }
    const changed = work
      .accessesBetween(from.origin, at + 1, own.at(-1)!.index)
      .some((access) => writes(access) && overlap(access, source))
    if (changed) continue
    const offset = from.from
    work.drop(at)
    work.moveInto(to.origin, source.origin, offset)
  }
}
