import { definitionOf } from '../graph/index.ts'
import type { Copy, Instruction, InstructionList } from './instruction.ts'
import { moveInto, peakBytes, tightenLifetimes } from './lifetime.ts'
import { type Access, accessesByOrigin, bufferOf, isPlain, overlap, type Place, placeOf, writes } from './place.ts'

/**
 * Removes copies that need not be: values are produced where they would be copied to, or read where they were copied from; then stores
 * that nobody reads. Each pass is simple, and all repeat until none finds anything.
 */
export function elideCopies(list: InstructionList): InstructionList {
  let current = tightenLifetimes(list)
  for (;;) {
    const next = removeDeadStores(readFromSource(produceInPlace(current)))
    if (next.instructions.length === current.instructions.length) return next
    current = next
  }
}

/**
 *     call f @out %1; …; copy @in %1, @out %2 + 64   ⟶   call f @out %2 + 64
 *
 * The whole of an activation is copied; nobody uses the place between its production and the copy, and nobody writes the place while
 * the activation is still read. A longer life of the destination must not raise the peak; all copies into one destination are judged
 * together first, then singly from the last.
 */
export function produceInPlace(list: InstructionList): InstructionList {
  let current = list
  for (const destination of destinations(list)) {
    const before = current
    const copies = copiesOf(before).filter((copy) => placeOf(before.buffers, copy.to).origin === destination)
    const all = copies.reduceRight(produceFor, before)
    if (peakBytes(all) <= peakBytes(before)) current = all
    else {
      current = copies.reduceRight((list, copy) => {
        const one = produceFor(list, copy)
        return peakBytes(one) <= peakBytes(list) ? one : list
      }, before)
    }
  }
  return current
}

const copiesOf = (list: InstructionList): Copy[] => list.instructions.filter((instruction) => instruction.kind === 'copy')

const destinations = (list: InstructionList) => new Set(copiesOf(list).map((copy) => placeOf(list.buffers, copy.to).origin))

function produceFor(list: InstructionList, copy: Copy): InstructionList {
  const at = list.instructions.indexOf(copy)
  const from = placeOf(list.buffers, copy.from)
  const to = writtenPlace(list, copy)
  const source = bufferOf(list.buffers, from.origin)
  const whole = isPlain(copy) && source.kind === 'activation' && from.from === 0 && copy.rows * copy.rowBytes === source.bytes
  if (!whole || from.origin === to.origin) return list
  const accesses = accessesByOrigin(list)
  const own = accesses.get(from.origin)!
  const produced = own[0]!.index
  if (own.some((access) => writes(access) && access.index > at)) return list
  const lastRead = own.at(-1)!.index
  const clash = accesses
    .get(to.origin)!
    .some(
      (access) =>
        access.index !== at &&
        overlap(access.place, to) &&
        (access.index < at ? access.index >= produced : writes(access) && access.index <= lastRead),
    )
  return clash ? list : moveInto(list, from.origin, to.origin, to.from, new Set([at]))
}

const writtenPlace = (list: InstructionList, { to, rows, rowBytes, toStride }: Copy): Place => {
  const place = placeOf(list.buffers, to)
  return { ...place, to: place.from + (rows - 1) * toStride + rowBytes }
}

/**
 *     copy @in %1, @out %2; call f @in %2   ⟶   call f @in %1
 *
 * The whole of an activation is written by one copy alone, and nobody writes the source while the copy is read.
 */
export function readFromSource(list: InstructionList): InstructionList {
  for (const [at, copy] of list.instructions.entries()) {
    if (copy.kind !== 'copy' || !isPlain(copy)) continue
    const [from, to] = [placeOf(list.buffers, copy.from), writtenPlace(list, copy)]
    const target = bufferOf(list.buffers, to.origin)
    if (target.kind !== 'activation' || to.from !== 0 || to.to !== target.bytes) continue
    const accesses = accessesByOrigin(list)
    const own = accesses.get(to.origin)!
    if (own.some((access) => writes(access) && access.index !== at)) continue
    const lastRead = own.at(-1)!.index
    const source: Place = { ...from, to: from.from + target.bytes }
    const changes = (access: Access) =>
      writes(access) && access.index > at && access.index <= lastRead && overlap(access.place, source)
    if (accesses.get(from.origin)!.some(changes)) continue
    return readFromSource(moveInto(list, to.origin, from.origin, from.from, new Set([at])))
  }
  return list
}

/** Copies and calls into activations that are read no more before they are wholly written again or freed. Checks must still fail. */
export function removeDeadStores(list: InstructionList): InstructionList {
  const accesses = accessesByOrigin(list)
  const dead = (instruction: Instruction, at: number): boolean => {
    if (instruction.kind === 'alloc' || instruction.kind === 'dealloc') return false
    if (
      instruction.kind === 'call' &&
      instruction.kernel.anchor &&
      definitionOf(instruction.kernel.anchor.op).traits.includes('checked')
    )
      return false
    const operands =
      instruction.kind === 'copy'
        ? [instruction.to]
        : instruction.operands.flatMap((operand) => (operand.qualifier === 'out' ? [operand.buffer] : []))
    return operands.every((id) => {
      const place = placeOf(list.buffers, id)
      return (
        bufferOf(list.buffers, place.origin).kind === 'activation' && !isReadAfter(accesses.get(place.origin)!, place, at, list)
      )
    })
  }
  const instructions = list.instructions.filter((instruction, i) => !dead(instruction, i))
  return instructions.length === list.instructions.length ? list : tightenLifetimes({ ...list, instructions })
}

function isReadAfter(accesses: readonly Access[], place: Place, at: number, list: InstructionList): boolean {
  // An instruction's reads stand before its writes.
  for (const access of accesses) {
    if (access.index <= at || !overlap(access.place, place)) continue
    if (!writes(access)) return true
    const writer = list.instructions[access.index]!
    const gapless = writer.kind === 'call' || (writer.kind === 'copy' && isPlain(writer))
    if (gapless && access.place.from <= place.from && place.to <= access.place.to) return false
  }
  return false
}
