import { InvariantError } from '../graph/index.ts'
import type { Buffer, BufferId, Instruction, InstructionList } from './instruction.ts'
import { accessesByOrigin, bufferOf, usesOf } from './place.ts'

/**
 * Allocs right before the first use and deallocs right after the last; what nobody uses is declared and allocated no more.
 *
 *     alloc %1; alloc %2; call f @out %1; call g @in %1, @out %2; …; dealloc %1
 *     alloc %1; call f @out %1; alloc %2; call g @in %1, @out %2; dealloc %1; …
 */
export function tightenLifetimes(list: InstructionList): InstructionList {
  const born = new Map<number, BufferId[]>()
  const dead = new Map<number, BufferId[]>()
  for (const [id, accesses] of accessesByOrigin(list)) {
    if (bufferOf(list.buffers, id).kind !== 'activation') continue
    append(born, accesses[0]!.index, id)
    append(dead, accesses.at(-1)!.index, id)
  }
  const instructions = list.instructions.flatMap((instruction, i): Instruction[] => {
    if (instruction.kind === 'alloc' || instruction.kind === 'dealloc') return []
    const [first, last] = [born.get(i) ?? [], dead.get(i) ?? []]
    return [
      ...first.map((buffer) => ({ kind: 'alloc', buffer }) as const),
      instruction,
      ...last.map((buffer) => ({ kind: 'dealloc', buffer }) as const),
    ]
  })
  return { ...list, instructions, buffers: usedBuffers({ ...list, instructions }) }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  map.set(key, [...(map.get(key) ?? []), value])
}

/** Inputs, outputs, what instructions name, and what that is a view of. */
function usedBuffers(list: InstructionList): InstructionList['buffers'] {
  const used = new Set<BufferId>([...list.inputs, ...list.outputs])
  for (const instruction of list.instructions) for (const use of usesOf(instruction)) used.add(use.buffer)
  for (const id of used) {
    const buffer = bufferOf(list.buffers, id)
    if (buffer.kind === 'view') used.add(buffer.of)
  }
  return new Map([...list.buffers].filter(([id]) => used.has(id)))
}

/** Largest sum of activation and scratch bytes live at one instruction. */
export function peakBytes(list: InstructionList): number {
  const bytes = (id: BufferId) => bufferOf(list.buffers, id).bytes
  let [live, peak] = [0, 0]
  for (const instruction of list.instructions) {
    if (instruction.kind === 'alloc') live += bytes(instruction.buffer)
    if (instruction.kind === 'dealloc') live -= bytes(instruction.buffer)
    const scratch = usesOf(instruction).reduce((sum, use) => sum + (use.qualifier === 'scratch' ? bytes(use.buffer) : 0), 0)
    peak = Math.max(peak, live + scratch)
  }
  return peak
}

/**
 * The list with storage `id` living inside other storage: a view of `of` from `offset` bytes on. Instructions numbered in `without` go,
 * and the alloc and dealloc of both sides are made anew.
 */
export function moveInto(
  list: InstructionList,
  id: BufferId,
  of: BufferId,
  offset: number,
  without: ReadonlySet<number>,
): InstructionList {
  const moved = bufferOf(list.buffers, id)
  if (moved.kind === 'scratch' || moved.kind === 'view') throw new InvariantError(`instructions: ${moved.kind} ${id} cannot move`)
  const view: Buffer = { kind: 'view', id, name: moved.name, type: moved.type, bytes: moved.bytes, of, offset }
  const buffers = new Map<BufferId, Buffer>()
  for (const [key, buffer] of list.buffers) {
    // Views name their storage, not another view.
    const next =
      key === id ? view : buffer.kind === 'view' && buffer.of === id ? { ...buffer, of, offset: buffer.offset + offset } : buffer
    buffers.set(key, next)
  }
  return tightenLifetimes({ ...list, buffers, instructions: list.instructions.filter((_, i) => !without.has(i)) })
}
