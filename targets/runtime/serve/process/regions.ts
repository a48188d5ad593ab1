import type { Addon } from '../../addon.ts'
import type { SetupProgram } from './frames.ts'
import { type Layout, windowBytes } from './layout.ts'

/** Inputs and outputs of a region as bytes. */
export interface RegionBytes {
  readonly inputs: readonly Uint8Array[]
  readonly outputs: readonly Uint8Array[]
}

/** Views of all regions of a card in this process, each made when it is first asked for. */
export function regionBytes(
  programs: readonly Pick<SetupProgram, 'inputs' | 'outputs'>[],
  layout: Layout,
  windows: readonly Uint8Array[],
): (region: number) => RegionBytes {
  const made: RegionBytes[] = []
  return (region) => {
    const known = made[region]
    if (known) return known
    const { inputs, outputs } = programs[region % programs.length]!
    const start = layout.start[region]!
    const window = windows[layout.window[region]!]!
    const see = ({ offset, bytes }: SetupProgram['inputs'][number]) => window.subarray(start + offset, start + offset + bytes)
    const views = { inputs: inputs.map(see), outputs: outputs.map(see) }
    made[region] = views
    return views
  }
}

/** Windows of a process' own. `lead` says where in a buffer the first address that is a multiple of 64 lies. */
export const privateWindows = ({ windows }: Layout, lead: (buffer: ArrayBuffer) => number): Uint8Array[] =>
  windows.map((bytes) => {
    const buffer = new ArrayBuffer(bytes + 64)
    return new Uint8Array(buffer, lead(buffer), bytes)
  })

/** Windows that other processes map as well. */
export const mapWindows = (addon: Pick<Addon, 'map'>, { windows }: Layout, descriptor: number, writable: boolean): Uint8Array[] =>
  windows.map((bytes, window) => new Uint8Array(addon.map(descriptor, window * windowBytes, bytes, writable)))

/** Bytes of a file that holds all windows. */
export const fileBytes = ({ windows }: Layout): number => (windows.length - 1) * windowBytes + (windows.at(-1) ?? 0)
