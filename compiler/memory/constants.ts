import { createHash } from 'node:crypto'
import { roundUp } from '../allocation/index.ts'
import { type ConstantData, InvariantError } from '../graph/index.ts'
import type { BufferId, Buffer as Storage } from '../instructions/instruction.ts'
import { placeOf } from '../instructions/place.ts'
import { mapBodies, programsWithin } from './control.ts'
import type { Program } from './program.ts'

export interface SharedConstants {
  /** The given programs, in the same order, with offsets into the one region and its size. */
  readonly programs: readonly Program[]
  /** The region: every constant at its offset, packed as its readers want it; zeros between. */
  readonly bytes: Uint8Array
}

type Constant = Extract<Storage, { kind: 'constant' }>

const constantsOf = ({ buffers }: Program): Constant[] =>
  [...buffers.values()].filter((buffer): buffer is Constant => buffer.kind === 'constant')

/**
 * Lays the constants of all programs of a model, and of the bodies in them, into one region. Constants of equal bytes, however they came about and whoever reads
 * them, lie there once; they stand in the order in which the programs first name them.
 */
export function shareConstants(programs: readonly Program[]): SharedConstants {
  const alignment = Math.max(1, ...programs.map((program) => program.alignment))
  const contentOf = createPacker()
  const all = programs.flatMap((program) => [...programsWithin(program)].flatMap(constantsOf))
  const firstOf = findEqual(all, contentOf)

  const places = new Map<Uint8Array, number>()
  let end = 0
  for (const buffer of all) {
    const bytes = firstOf(contentOf(buffer))
    if (places.has(bytes)) continue
    places.set(bytes, end)
    end += roundUp(bytes.length, alignment)
  }
  const bytes = new Uint8Array(end)
  for (const [content, offset] of places) bytes.set(content, offset)

  function move(program: Program): Program {
    const offsets = new Map(program.offsets)
    for (const buffer of constantsOf(program)) offsets.set(buffer.id, places.get(firstOf(contentOf(buffer)))!)
    for (const { id, kind } of program.buffers.values()) {
      if (kind !== 'view') continue
      const place = placeOf(program.buffers, id)
      if (program.buffers.get(place.origin)?.kind === 'constant') offsets.set(id, offsets.get(place.origin)! + place.from)
    }
    return { ...mapBodies(program, move), offsets, regions: { ...program.regions, constants: end } }
  }
  const moved = programs.map(move)
  verifyConstants(
    moved.flatMap((program) => [...programsWithin(program)]),
    bytes,
    contentOf,
  )
  return { programs: moved, bytes }
}

/** Packs each constant once, however many programs read it in one layout. */
function createPacker(): (buffer: Constant) => Uint8Array {
  const packed = new Map<ConstantData, Map<string, Uint8Array>>()
  return ({ name, data, packing, bytes: expected }) => {
    const layouts = packed.get(data) ?? new Map<string, Uint8Array>()
    packed.set(data, layouts)
    const key = packing ? `packed ${packing.key}` : 'dense'
    const known = layouts.get(key)
    if (known) return known
    const bytes = packing ? packing.pack(data.read()) : data.read()
    if (bytes.length !== expected)
      throw new InvariantError(`constants: '${name}' has ${bytes.length} bytes where ${expected} were planned`)
    layouts.set(key, bytes)
    return bytes
  }
}

/** For the bytes of a constant, the first of equal bytes. Only those are compared that have their length in common. */
function findEqual(all: readonly Constant[], contentOf: (buffer: Constant) => Uint8Array): (bytes: Uint8Array) => Uint8Array {
  const byLength = new Map<number, Set<Uint8Array>>()
  for (const buffer of all) {
    const bytes = contentOf(buffer)
    byLength.set(bytes.length, (byLength.get(bytes.length) ?? new Set()).add(bytes))
  }
  const first = new Map<Uint8Array, Uint8Array>()
  for (const group of byLength.values()) {
    if (group.size === 1) continue
    const known = new Map<string, Uint8Array>()
    for (const bytes of group) {
      const digest = createHash('sha256').update(bytes).digest('hex')
      const earlier = known.get(digest)
      if (earlier) first.set(bytes, earlier)
      else known.set(digest, bytes)
    }
  }
  return (bytes) => first.get(bytes) ?? bytes
}

/**
 * Throws InvariantError unless every constant of every program, and every view of one, finds its own bytes in the region, at a multiple
 * of the program's alignment.
 */
export function verifyConstants(
  programs: readonly Program[],
  region: Uint8Array,
  contentOf: (buffer: Constant) => Uint8Array = createPacker(),
): void {
  for (const program of programs) {
    const { name, buffers, offsets, regions, alignment } = program
    const fail = (message: string): never => {
      throw new InvariantError(`constants of ${name}: ${message}`)
    }
    if (regions.constants !== region.length) fail(`the region has ${region.length} bytes, the program says ${regions.constants}`)
    for (const buffer of buffers.values()) {
      const at = (id: BufferId) => offsets.get(id) ?? fail(`buffer ${id} has no address`)
      if (buffer.kind === 'view') {
        const place = placeOf(buffers, buffer.id)
        if (buffers.get(place.origin)?.kind === 'constant' && at(buffer.id) !== at(place.origin) + place.from)
          fail(`view ${buffer.id} does not lie where its storage ${place.origin} lies`)
      }
      if (buffer.kind !== 'constant') continue
      const offset = at(buffer.id)
      const content = contentOf(buffer)
      if (offset < 0 || offset % alignment !== 0) fail(`'${buffer.name}' is at ${offset}, not a multiple of ${alignment}`)
      const found = region.subarray(offset, offset + content.length)
      if (found.length !== content.length || Buffer.compare(found, content) !== 0)
        fail(`other bytes than those of '${buffer.name}' lie at ${offset}`)
    }
  }
}
