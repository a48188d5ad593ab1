import { InvariantError } from '../graph/index.ts'
import type { Buffer, BufferId, Copy, Instruction, InstructionList, Qualifier } from './instruction.ts'

/** Bytes `from` up to, not including, `to` of a buffer that is no view. */
export interface Place {
  readonly origin: BufferId
  readonly from: number
  readonly to: number
}

export type Buffers = InstructionList['buffers']

export function bufferOf(buffers: Buffers, id: BufferId): Buffer {
  const buffer = buffers.get(id)
  if (!buffer) throw new InvariantError(`instructions: buffer ${id} is not declared`)
  return buffer
}

/** Follows views to their storage. */
export function placeOf(buffers: Buffers, id: BufferId): Place {
  const { bytes } = bufferOf(buffers, id)
  let offset = 0
  let origin = id
  for (let buffer = bufferOf(buffers, id); buffer.kind === 'view'; buffer = bufferOf(buffers, origin)) {
    offset += buffer.offset
    origin = buffer.of
  }
  return { origin, from: offset, to: offset + bytes }
}

/** Does a buffer of a state's storage stand for the value that the run leaves there? */
export function isRenewed(buffers: Buffers, id: BufferId): boolean {
  let buffer = bufferOf(buffers, id)
  while (buffer.kind === 'view' && !buffer.renewed) buffer = bufferOf(buffers, buffer.of)
  return buffer.kind === 'view'
}

export const overlap = (a: Place, b: Place): boolean => a.origin === b.origin && a.from < b.to && b.from < a.to
export const samePlace = (a: Place, b: Place): boolean => a.origin === b.origin && a.from === b.from && a.to === b.to

/** What an instruction does to storage; a strided copy may leave gaps in the place it writes. */
export interface Use {
  readonly buffer: BufferId
  readonly qualifier: Qualifier
}

export function usesOf(instruction: Instruction): readonly Use[] {
  if (instruction.kind === 'call') return instruction.operands
  if (instruction.kind === 'copy')
    return [
      { buffer: instruction.from, qualifier: 'in' },
      { buffer: instruction.to, qualifier: 'out' },
    ]
  return []
}

export const reads = (use: Use): boolean => use.qualifier === 'in' || use.qualifier === 'inout'
export const writes = (use: Use): boolean => use.qualifier !== 'in'

/** A copy without gaps on either side. */
export const isPlain = (copy: Copy): boolean =>
  copy.rows <= 1 || (copy.fromStride === copy.rowBytes && copy.toStride === copy.rowBytes)

/** One access to storage. */
export interface Access extends Use {
  readonly index: number
  readonly place: Place
}

/** Lists are looked at again and again before one of them changes. */
const known = new WeakMap<InstructionList, ReadonlyMap<BufferId, readonly Access[]>>()

/** Accesses by the storage they touch, in the order of instructions. */
export function accessesByOrigin(list: InstructionList): ReadonlyMap<BufferId, readonly Access[]> {
  const found = known.get(list)
  if (found) return found
  const result = new Map<BufferId, Access[]>()
  const places = new Map<BufferId, Place>()
  for (const [index, instruction] of list.instructions.entries()) {
    for (const use of usesOf(instruction)) {
      const place = places.get(use.buffer) ?? placeOf(list.buffers, use.buffer)
      places.set(use.buffer, place)
      const accesses = result.get(place.origin) ?? []
      accesses.push({ buffer: use.buffer, qualifier: use.qualifier, index, place })
      result.set(place.origin, accesses)
    }
  }
  known.set(list, result)
  return result
}
