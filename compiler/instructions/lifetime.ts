import type { BufferId, Instruction, InstructionList } from './instruction.ts'
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
  const known = map.get(key)
  if (known) known.push(value)
  else map.set(key, [value])
}

/** Inputs, outputs, states, what instructions name, and what that is a view of. */
function usedBuffers(list: InstructionList): InstructionList['buffers'] {
  const states = [...(list.states?.values() ?? [])].map(({ buffer }) => buffer)
  const used = new Set<BufferId>([...list.inputs, ...list.outputs, ...states])
  for (const instruction of list.instructions) for (const use of usesOf(instruction)) used.add(use.buffer)
  for (const id of used) {
    const buffer = bufferOf(list.buffers, id)
    if (buffer.kind === 'view') used.add(buffer.of)
  }
  return new Map([...list.buffers].filter(([id]) => used.has(id)))
}

/** Largest sum of activation and scratch bytes live at one instruction, each buffer rounded up to the alignment. */
export function peakBytes(list: InstructionList, alignment = 1): number {
  const bytes = (id: BufferId) => Math.ceil(bufferOf(list.buffers, id).bytes / alignment) * alignment
  let [live, peak] = [0, 0]
  for (const instruction of list.instructions) {
    if (instruction.kind === 'alloc') live += bytes(instruction.buffer)
    if (instruction.kind === 'dealloc') live -= bytes(instruction.buffer)
    const scratch = usesOf(instruction).reduce((sum, use) => sum + (use.qualifier === 'scratch' ? bytes(use.buffer) : 0), 0)
    peak = Math.max(peak, live + scratch)
  }
  return peak
}
