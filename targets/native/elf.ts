import { assertInvariant } from '../../compiler/graph/problem.ts'

/** What a shared object asks of whoever loads it. */
export interface Demands {
  /** Names of undefined symbols. */
  readonly symbols: readonly string[]
  /** Libraries it wants loaded. */
  readonly libraries: readonly string[]
  /** Whether a symbol must have a certain version. */
  readonly versions: boolean
}

const sections = { dynamic: 6, dynamicSymbols: 11, versionNeeds: 0x6ffffffe } as const
const neededLibrary = 1

/** Reads the dynamic sections of a 64-bit little-endian ELF file. */
export function demandsOf(file: Uint8Array): Demands {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  assertInvariant(view.getUint32(0) === 0x7f454c46 && view.getUint16(4) === 0x0201, 'an addon is a 64-bit ELF file')
  const long = (at: number) => Number(view.getBigUint64(at, true))
  const [start, size, count] = [long(40), view.getUint16(58, true), view.getUint16(60, true)]
  const headers = Array.from({ length: count }, (_, i) => {
    const at = start + i * size
    return { type: view.getUint32(at + 4, true), from: long(at + 24), bytes: long(at + 32), link: view.getUint32(at + 40, true) }
  })
  const rows = (type: number, bytes: number) =>
    headers
      .filter((header) => header.type === type)
      .flatMap(({ from, bytes: all, link }) =>
        Array.from({ length: Math.floor(all / bytes) }, (_, i) => ({ at: from + i * bytes, strings: headers[link]!.from })),
      )
  const text = (at: number) => new TextDecoder('latin1').decode(file.subarray(at, file.indexOf(0, at)))
  return {
    symbols: rows(sections.dynamicSymbols, 24)
      .filter(({ at }, i) => i > 0 && view.getUint16(at + 6, true) === 0)
      .map(({ at, strings }) => text(strings + view.getUint32(at, true)))
      .sort(),
    libraries: rows(sections.dynamic, 16)
      .filter(({ at }) => long(at) === neededLibrary)
      .map(({ at, strings }) => text(strings + long(at + 8))),
    versions: headers.some(({ type }) => type === sections.versionNeeds),
  }
}
