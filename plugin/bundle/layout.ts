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
