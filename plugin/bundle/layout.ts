import { InvariantError } from '../../compiler/graph/index.ts'
import type { Program } from '../../compiler/memory/program.ts'

/** The bytes of a program's constants region: each constant at its offset, packed as its reader wants it; zeros between. */
export function layoutConstants({ name, buffers, offsets, regions }: Program): Uint8Array {
  const section = new Uint8Array(regions.constants)
  for (const buffer of buffers.values()) {
    if (buffer.kind !== 'constant') continue
    const dense = buffer.data.read()
    const bytes = buffer.packing ? buffer.packing.pack(dense) : dense
    const offset = offsets.get(buffer.id)
    const expected = buffer.packing?.bytes ?? buffer.bytes
    if (offset === undefined || bytes.length !== expected || offset + bytes.length > section.length) {
      throw new InvariantError(
        `${name}: constant '${buffer.name}' of ${bytes.length} bytes, planned ${expected}, does not fit at ${offset} in ${section.length}`,
      )
    }
    section.set(bytes, offset)
  }
  return section
}

/** Sections of a weights file start at multiples of this: whole pages can then be mapped. */
export const sectionAlignment = 4096

export interface Section {
  readonly offset: number
  readonly bytes: number
}

/** Lays sections one after another; equal ones are stored once. Returns where each of the given sections lies. */
export function joinSections(sections: readonly { readonly bytes: Uint8Array; readonly digest: string }[]): {
  file: Uint8Array
  places: Section[]
} {
  const known = new Map<string, Section>()
  let end = 0
  for (const { bytes, digest } of sections) {
    if (known.has(digest)) continue
    const offset = Math.ceil(end / sectionAlignment) * sectionAlignment
    known.set(digest, { offset, bytes: bytes.length })
    end = offset + bytes.length
  }
  const file = new Uint8Array(end)
  for (const { bytes, digest } of sections) file.set(bytes, known.get(digest)!.offset)
  return { file, places: sections.map(({ digest }) => known.get(digest)!) }
}
