import { assertInvariant } from '../graph/index.ts'
import type { Buffer, BufferId, Instruction, InstructionList } from './instruction.ts'
import { tightenLifetimes } from './lifetime.ts'
import { accessesByOrigin, bufferOf, placeOf } from './place.ts'

/** A state and the buffer that holds what it is to become. */
export interface Renewal {
  readonly from: BufferId
  readonly state: BufferId
}

/**
 * Copies new values over those of states, each as soon as the new one is made and the old one was read for the last time. A state that becomes
 * what another one was is copied before that one is renewed; where states change places in a circle, one of them goes by a buffer of its own.
 */
export function renewStates(list: InstructionList, renewals: readonly Renewal[]): InstructionList {
  const buffers = new Map(list.buffers)
  const added = new Map<number, Instruction[]>()
  const accesses = accessesByOrigin(list)
  const lastAccess = (id: BufferId) => accesses.get(placeOf(list.buffers, id).origin)?.at(-1)?.index ?? -1

  function declare(buffer: Buffer extends infer B ? (B extends Buffer ? Omit<B, 'id'> : never) : never): BufferId {
    const id = buffers.size as BufferId
    buffers.set(id, { ...buffer, id } as Buffer)
    return id
  }

  function copy(from: BufferId, to: BufferId, after: number): void {
    const { bytes } = bufferOf(buffers, to)
    const instructions = added.get(after) ?? []
    instructions.push({ kind: 'copy', from, to, rows: 1, rowBytes: bytes, fromStride: bytes, toStride: bytes })
    added.set(after, instructions)
  }

  /** By state: where what is read of its old value by renewals ends. */
  const read = new Map<BufferId, number>()
  function renew({ from, state }: Renewal): void {
    const { name, bytes, ...buffer } = bufferOf(buffers, state)
    assertInvariant(buffer.kind === 'state', `buffer ${state} is no state`)
    const to = declare({ kind: 'view', name: 'renewed', type: buffer.type, bytes, of: state, offset: 0, renewed: true })
    const after = Math.max(madeAt(from), lastAccess(state), read.get(state) ?? -1)
    const { origin } = placeOf(buffers, from)
    read.set(origin, Math.max(read.get(origin) ?? -1, after))
    copy(from, to, after)
  }

  /** The instruction by which a buffer holds its value: the last that writes its storage. */
  function madeAt(id: BufferId): number {
    const { origin } = placeOf(buffers, id)
    return accesses.get(origin)?.findLast(({ qualifier }) => qualifier !== 'in')?.index ?? -1
  }

  let left = renewals
  while (left.length > 0) {
    const isRead = ({ state }: Renewal, others: readonly Renewal[]) =>
      others.some((other) => other.state !== state && placeOf(buffers, other.from).origin === state)
    const free = left.filter((renewal) => !isRead(renewal, left))
    if (free.length > 0) {
      // Those that read states before those that renew what may be read.
      for (const renewal of free) renew(renewal)
      left = left.filter((renewal) => !free.includes(renewal))
      continue
    }
    const [first, ...others] = left as [Renewal, ...Renewal[]]
    const source = bufferOf(buffers, first.from)
    assertInvariant(source.kind !== 'scratch', 'a state becomes scratch')
    const kept = declare({ kind: 'activation', name: 'kept', type: source.type, bytes: source.bytes })
    copy(first.from, kept, -1)
    left = [{ from: kept, state: first.state }, ...others]
  }
  const instructions: Instruction[] = [...(added.get(-1) ?? [])]
  for (const [i, instruction] of list.instructions.entries()) instructions.push(instruction, ...(added.get(i) ?? []))
  return tightenLifetimes({ ...list, buffers, instructions })
}
