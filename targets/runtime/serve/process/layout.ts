import { fail } from '../../error.ts'
import type { PlacedEntry } from '../../plan.ts'

/** Memory is mapped in windows of at most so many bytes: the largest ArrayBuffer that typed arrays can see all of is below twice that. */
export const windowBytes = 2 ** 31

/** A region of inputs and outputs begins at a multiple of this. */
const alignment = 64

/** What a region is laid out by. */
export interface RegionProgram {
  readonly id: number
  readonly placed: Pick<PlacedEntry, 'regions'>
}

/** Where the regions of a card lie: one for each of its programs in each slot, those of a slot together. */
export interface Layout {
  /** Of each window. */
  readonly windows: readonly number[]
  readonly bytes: number
  /** Index of the region of a program in a slot, or -1 where there is none. */
  regionOf(program: number, slot: number): number
  /** By region: the window, and the first byte in it. */
  readonly window: readonly number[]
  readonly start: readonly number[]
}

/** The same for all who ask. Errors: `out-of-memory` for a region larger than a window. */
export function layOut(programs: readonly RegionProgram[], slots: number): Layout {
  const windows: number[] = []
  const window: number[] = []
  const start: number[] = []
  const places: number[] = []
  programs.forEach(({ id }, place) => {
    places[id] = place
  })
  let used = windowBytes
  for (let slot = 0; slot < slots; slot++)
    for (const { placed } of programs) {
      // One without tensors has an address too.
      const bytes = Math.max(alignment, Math.ceil(placed.regions.mutable / alignment) * alignment)
      if (bytes > windowBytes)
        fail('out-of-memory', `inputs and outputs of one request are ${bytes} bytes, a card takes ${windowBytes}`)
      if (used + bytes > windowBytes) {
        windows.push(0)
        used = 0
      }
      window.push(windows.length - 1)
      start.push(used)
      used += bytes
      windows[windows.length - 1] = used
    }
  return {
    windows,
    bytes: windows.reduce((sum, bytes) => sum + bytes, 0),
    regionOf(program, slot) {
      const place = places[program]
      return place === undefined || !(slot >= 0 && slot < slots) ? -1 : slot * programs.length + place
    },
    window,
    start,
  }
}
