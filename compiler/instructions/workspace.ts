// What the passes over instructions work on: storage and accesses that change in place, so that a pass costs about as much as the list is
// long. A pass opens a workspace, moves buffers into each other's storage and drops instructions, and closes it into a list again.
import { kernelSignature } from '../fuse/print.ts'
import { assertInvariant, InvariantError } from '../graph/index.ts'
import type { Buffer, BufferId, Instruction, InstructionList, Qualifier } from './instruction.ts'
import { tightenLifetimes } from './lifetime.ts'
import { bufferOf, type Place, placeOf, usesOf } from './place.ts'
import { createTimeline } from './timeline.ts'

/** One use of storage by the instruction numbered `index`; its place changes when its storage moves. */
export interface Access extends Place {
  readonly index: number
  readonly qualifier: Qualifier
  /** As the instruction names it. */
  readonly buffer: BufferId
  origin: BufferId
  from: number
  to: number
}

export interface Workspace {
  readonly list: InstructionList
  /** The instructions that are left, under the numbers they had when the workspace was opened; allocs and deallocs are none of them. */
  instruction(index: number): Instruction | undefined
  readonly count: number
  buffer(id: BufferId): Buffer
  /** What an instruction uses, in the order of its operands. */
  uses(index: number): readonly Access[]
  /** Accesses to storage, in the order of instructions. */
  accesses(origin: BufferId): readonly Access[]
  /** Those of instructions `from` up to and including `to`. */
  accessesBetween(origin: BufferId, from: number, to: number): readonly Access[]
  /** Most bytes of activations and scratch live at one instruction. */
  peak(): number
  /** Lets storage `id` live in other storage: a view of `of` from `offset` bytes on. */
  moveInto(id: BufferId, of: BufferId, offset: number): void
  drop(index: number): void
  /** Puts another instruction in the place of one. */
  replace(index: number, instruction: Instruction): void
  /** Signatures of the kernels that are called, by name; who makes a kernel adds its own. */
  readonly kernels: Map<string, string>
  /** What has been done until now, to be given to `undo`. */
  mark(): number
  /** Takes back what was done since the mark. */
  undo(mark: number): void
  /** The list as it is now: allocs right before first uses, deallocs right after last ones, no buffer that nobody uses. */
  close(): InstructionList
}

export function openWorkspace(list: InstructionList): Workspace {
  const instructions: (Instruction | undefined)[] = list.instructions.filter(({ kind }) => kind !== 'alloc' && kind !== 'dealloc')
  const accesses = new Map<BufferId, Access[]>()
  const moved = new Map<BufferId, { readonly of: BufferId; readonly offset: number }>()
  const timeline = createTimeline(instructions.length)
  const done: (() => void)[] = []

  const usesAt = instructions.map((instruction, index) =>
    usesOf(instruction!).map(({ buffer, qualifier }): Access => {
      const access = { index, qualifier, buffer, ...placeOf(list.buffers, buffer) }
      const own = accesses.get(access.origin)
      if (own) own.push(access)
      else accesses.set(access.origin, [access])
      if (qualifier === 'scratch') timeline.add(index, index, bufferOf(list.buffers, buffer).bytes)
      return access
    }),
  )
  for (const origin of accesses.keys()) live(origin, 1)

  /** Adds the life of an activation to what is live, or takes it away. */
  function live(origin: BufferId, sign: 1 | -1): void {
    const { kind, bytes } = bufferOf(list.buffers, origin)
    const own = accesses.get(origin)
    if (kind === 'activation' && own && own.length > 0) timeline.add(own[0]!.index, own.at(-1)!.index, sign * bytes)
  }

  function insert(access: Access): void {
    const own = accesses.get(access.origin) ?? []
    accesses.set(access.origin, own)
    own.splice(firstAfter(own, access.index), 0, access)
  }

  function remove(access: Access): void {
    const own = accesses.get(access.origin)!
    own.splice(own.indexOf(access, firstAt(own, access.index)), 1)
  }

  function shift(own: readonly Access[], origin: BufferId, offset: number): void {
    for (const access of own) {
      access.origin = origin
      access.from += offset
      access.to += offset
    }
  }

  function moveInto(id: BufferId, of: BufferId, offset: number): void {
    const { kind } = bufferOf(list.buffers, id)
    if (kind !== 'activation' || moved.has(id) || moved.has(of))
      throw new InvariantError(`instructions: ${kind} ${id} cannot move into ${of}`)
    const own = accesses.get(id) ?? []
    live(id, -1)
    live(of, -1)
    accesses.delete(id)
    shift(own, of, offset)
    const before = accesses.get(of) ?? []
    accesses.set(of, merge(before, own))
    moved.set(id, { of, offset })
    live(of, 1)
    done.push(() => {
      live(of, -1)
      const gone = new Set(own)
      accesses.set(
        of,
        accesses.get(of)!.filter((access) => !gone.has(access)),
      )
      shift(own, id, -offset)
      accesses.set(id, own)
      moved.delete(id)
      live(id, 1)
      live(of, 1)
    })
  }

  /** Where a buffer lies now, and whether it became part of that storage or is a view of its renewed value. */
  function placeNow(id: BufferId): Place & { readonly renewed: boolean } {
    const { bytes } = bufferOf(list.buffers, id)
    let [origin, from, renewed] = [id, 0, false]
    for (;;) {
      const buffer = bufferOf(list.buffers, origin)
      const into = moved.get(origin)
      const up = into ?? (buffer.kind === 'view' ? buffer : undefined)
      if (!up) return { origin, from, to: from + bytes, renewed: renewed && buffer.kind === 'state' }
      // Storage moves into a state when its value is what the state becomes, never to read what it was.
      renewed ||= into !== undefined || (buffer.kind === 'view' && buffer.renewed === true)
      from += up.offset
      origin = up.of
    }
  }

  function accessesOf(instruction: Instruction | undefined, index: number): Access[] {
    if (!instruction) return []
    return usesOf(instruction).map(({ buffer, qualifier }) => {
      const { renewed: _, ...place } = placeNow(buffer)
      return { index, qualifier, buffer, ...place }
    })
  }

  /** Puts an instruction, or none, in the place of one. */
  function exchange(index: number, instruction: Instruction | undefined, uses: Access[]): void {
    const before = usesAt[index]!
    const origins = new Set([...before, ...uses].map((access) => access.origin))
    const scratch = (list: readonly Access[], sign: 1 | -1) => {
      for (const { qualifier, buffer } of list)
        if (qualifier === 'scratch') timeline.add(index, index, sign * work.buffer(buffer).bytes)
    }
    for (const origin of origins) live(origin, -1)
    for (const access of before) remove(access)
    for (const access of uses) insert(access)
    for (const origin of origins) live(origin, 1)
    scratch(before, -1)
    scratch(uses, 1)
    instructions[index] = instruction
    usesAt[index] = uses
  }

  function replace(index: number, instruction: Instruction | undefined): void {
    const [before, uses] = [instructions[index], usesAt[index]!]
    exchange(index, instruction, accessesOf(instruction, index))
    done.push(() => exchange(index, before, uses))
  }

  function close(): InstructionList {
    const left = instructions.filter((instruction) => instruction !== undefined)
    const buffers = new Map<BufferId, Buffer>()
    for (const [id, buffer] of list.buffers) {
      // Views name their storage, not another view.
      const { origin: of, from: offset, renewed } = placeNow(id)
      if (of === id || buffer.kind === 'scratch') buffers.set(id, buffer)
      else {
        const { name, type, bytes } = buffer
        buffers.set(id, { kind: 'view', id, name, type, bytes, of, offset, ...(renewed && { renewed }) })
      }
    }
    return tightenLifetimes({ ...list, buffers, instructions: left })
  }

  const work: Workspace = {
    list,
    kernels: new Map(
      instructions.flatMap((instruction) =>
        instruction?.kind === 'call' ? [[instruction.name, kernelSignature(instruction.kernel)] as const] : [],
      ),
    ),
    count: instructions.length,
    instruction: (index) => instructions[index],
    buffer: (id) => bufferOf(list.buffers, id),
    uses: (index) => usesAt[index]!,
    accesses: (origin) => accesses.get(origin) ?? [],
    accessesBetween(origin, from, to) {
      const own = accesses.get(origin) ?? []
      return own.slice(firstAt(own, from), firstAfter(own, to))
    },
    peak: timeline.peak,
    moveInto,
    drop: (index) => replace(index, undefined),
    replace,
    mark: () => done.length,
    undo(mark) {
      while (done.length > mark) done.pop()!()
    },
    close,
  }
  return work
}

/** From the first byte that a copy writes to the last. */
export function writtenPlace(work: Workspace, at: number): Place {
  const copy = work.instruction(at)
  assertInvariant(copy?.kind === 'copy', `instruction ${at} is no copy`)
  const { origin, from } = work.uses(at)[1]!
  return { origin, from, to: from + (copy.rows - 1) * copy.toStride + copy.rowBytes }
}

/** Position of the first access at instruction `index` or later. */
function firstAt(accesses: readonly Access[], index: number): number {
  let [low, high] = [0, accesses.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (accesses[middle]!.index < index) low = middle + 1
    else high = middle
  }
  return low
}

const firstAfter = (accesses: readonly Access[], index: number): number => firstAt(accesses, index + 1)

/** Few into many cost few; of one instruction, those of `into` come first. */
function merge(into: Access[], added: readonly Access[]): Access[] {
  if (added.length > 32 && added.length > into.length / 16) return [...into, ...added].sort((a, b) => a.index - b.index)
  for (const access of added) into.splice(firstAfter(into, access.index), 0, access)
  return into
}
