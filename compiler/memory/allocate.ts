import { type Interval, roundUp, solveMemory } from '../allocation/index.ts'
import type { Kernel } from '../fuse/kernel.ts'
import { InvariantError, type ModelState } from '../graph/index.ts'
import type { Buffer, BufferId, InstructionList } from '../instructions/instruction.ts'
import { placeOf } from '../instructions/place.ts'
import type { Program } from './program.ts'
import { layOutStates } from './states.ts'

/**
 * Gives every buffer a byte offset in its region: constants one after another, then inputs and outputs one after another, activations
 * and scratch where no other is live, states where all entries of the model have them.
 */
export function allocateMemory(list: InstructionList, alignment: number, states: readonly ModelState[] = []): Program {
  const all = [...list.buffers.values()]
  const offsets = new Map<BufferId, number>()
  const constants = layOut(
    all.filter((buffer) => buffer.kind === 'constant'),
    alignment,
    offsets,
  )
  const mutable = layOut(
    all.filter((buffer) => buffer.kind === 'input' || buffer.kind === 'output'),
    alignment,
    offsets,
  )

  const carried = layOutStates(states)
  for (const [name, { buffer }] of list.states ?? []) {
    const offset = carried.offsets.get(name)
    if (offset === undefined) throw new InvariantError(`memory: '${name}' is no state of the model`)
    offsets.set(buffer, offset)
  }

  const lifetimes = lifetimesOf(list)
  const { offsets: solved, peak, bound } = solveMemory([...lifetimes.values()], alignment)
  for (const [i, id] of [...lifetimes.keys()].entries()) offsets.set(id, solved[i]!)

  for (const { id, kind } of all) {
    if (kind !== 'view') continue
    const place = placeOf(list.buffers, id)
    offsets.set(id, offsets.get(place.origin)! + place.from)
  }
  return {
    ...list,
    offsets,
    regions: { constants, mutable, activations: peak, ...(carried.bytes > 0 && { state: carried.bytes }) },
    alignment,
    lowerBound: bound,
    unshared: [...lifetimes.values()].reduce((sum, { bytes }) => sum + roundUp(bytes, alignment), 0),
    kernels: kernelsOf(list),
  }
}

/** Offsets one after another; returns their end. */
function layOut(buffers: readonly Buffer[], alignment: number, offsets: Map<BufferId, number>): number {
  let end = 0
  for (const { id, bytes } of buffers) {
    offsets.set(id, end)
    end += roundUp(bytes, alignment)
  }
  return end
}

/** When activations and scratch are live, in instruction numbers: from the alloc up to the dealloc, or at the one call. */
export function lifetimesOf(list: InstructionList): ReadonlyMap<BufferId, Interval> {
  const starts = new Map<BufferId, number>()
  const lifetimes = new Map<BufferId, Interval>()
  for (const [i, instruction] of list.instructions.entries()) {
    if (instruction.kind === 'alloc') starts.set(instruction.buffer, i)
    if (instruction.kind === 'dealloc') {
      const start = starts.get(instruction.buffer)
      if (start === undefined) throw new InvariantError(`memory: buffer ${instruction.buffer} is freed before it is allocated`)
      lifetimes.set(instruction.buffer, { bytes: list.buffers.get(instruction.buffer)!.bytes, start, end: i })
    }
    if (instruction.kind === 'call') {
      for (const { buffer, qualifier } of instruction.operands) {
        if (qualifier === 'scratch') lifetimes.set(buffer, { bytes: list.buffers.get(buffer)!.bytes, start: i, end: i + 1 })
      }
    }
  }
  return lifetimes
}

function kernelsOf(list: InstructionList): ReadonlyMap<string, Kernel> {
  return new Map(
    list.instructions.flatMap((instruction) =>
      instruction.kind === 'call' ? [[instruction.name, instruction.kernel] as const] : [],
    ),
  )
}
