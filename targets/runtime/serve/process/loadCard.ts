import type { Addon } from '../../addon.ts'
import { explain } from '../../error.ts'
import { createHost } from '../../load.ts'
import type { Loaded } from '../../model.ts'
import { native } from '../../native.ts'
import { engine } from '../../source.ts'
import { threads } from '../../threads.ts'
import { checkWeights } from '../checkWeights.ts'
import type { Setup, SetupProgram } from './frames.ts'
import { type Layout, layOut } from './layout.ts'
import { mapWindows, privateWindows, type RegionBytes } from './regions.ts'

/** A program of a card in its process. */
export interface Runner {
  /** Runs over the inputs and outputs of a region; returns 0 or the number of a fault. */
  run(region: number): number
  /** Runs once, on inputs of zeros elsewhere: what becomes of them is no matter. */
  warm(): void
}

interface OwnRegions {
  readonly layout: Layout
  readonly bytesOf: (region: number) => RegionBytes
}

export interface LoadedPart {
  /** Present where its code is native. */
  readonly addon?: Addon
  runner(entry: number, program: SetupProgram, regions: OwnRegions, windows: readonly Uint8Array[]): Runner
}

/** Bytes of weights that are checked between two words to the host. */
const checkedBytes = 2 ** 28

/** Weights by their checksum, or by their digest with `full`. */
function verifyWeights(loaded: Loaded, addon: Addon, full: boolean, progress: () => void): void {
  const { place, bytes, weights } = loaded
  if (full) engine().readInto(new Uint8Array(weights.bytes), place, bytes, weights.offset, weights.digest)
  else for (const done of checkWeights(loaded, addon)) if (done % checkedBytes === 0) progress()
}

function loadNative(loaded: Loaded, threads: number, { verify }: Setup, progress: () => void): LoadedPart {
  const addon = loaded.code as Addon
  if (verify !== 'code') verifyWeights(loaded, addon, verify === 'full', progress)
  const { place, bytes, weights, activations } = loaded
  const handle = addon.open(place as string, bytes, weights.offset, weights.bytes, activations, threads)
  return {
    addon,
    runner(entry, { placed }, { layout }, windows) {
      const buffers = windows.map(({ buffer }) => buffer as ArrayBuffer)
      return {
        run(region) {
          const window = layout.window[region]!
          return addon.run(handle, entry, buffers[window]!, windows[window]!.byteOffset + layout.start[region]!)
        },
        warm() {
          const scratch = new ArrayBuffer(placed.regions.mutable + 64)
          addon.run(handle, entry, scratch, addon.lead(scratch))
        },
      }
    },
  }
}

/** WebAssembly and JavaScript have memory of their own: inputs and outputs are copied there and back. */
function loadPortable(loaded: Loaded, { verify }: Setup): LoadedPart {
  const instance = engine().instantiate(loaded, verify !== 'code')
  return {
    runner(entry, { inputs, outputs }, { bytesOf }) {
      const see = ({ offset, bytes }: SetupProgram['inputs'][number]) =>
        new Uint8Array(instance.memory, instance.mutable + offset, bytes)
      const here = { inputs: inputs.map(see), outputs: outputs.map(see) }
      return {
        run(region) {
          const there = bytesOf(region)
          here.inputs.forEach((input, i) => {
            input.set(there.inputs[i]!)
          })
          const fault = instance.run(entry)
          there.outputs.forEach((output, i) => {
            output.set(here.outputs[i]!)
          })
          return fault
        },
        warm() {
          try {
            instance.run(entry)
          } catch {
            // A trap on zeros says nothing of what requests will bring.
          }
        },
      }
    },
  }
}

/** Loads a part as the loader does: checks files, sizes and digests. Throws GlowplugErrors. */
export function loadPart(
  { manifest, files, threads: own }: Setup['parts'][number],
  setup: Setup,
  progress: () => void,
): LoadedPart {
  const drivers = { wasm: threads, module: threads, addon: native }
  const loaded = createHost({ manifest, files: { get: (file: string) => files.get(file) } as any }, {}, drivers).load()
  progress()
  try {
    return loaded.chosen.kind === 'addon' ? loadNative(loaded, own, setup, progress) : loadPortable(loaded, setup)
  } catch (error) {
    throw explain(error, loaded)
  } finally {
    progress()
  }
}

/** Memory of each card of a setup: what others may write is mapped, and what they have is not to be written here. */
export function windowsOf({ cards, slots, parent }: Setup, parts: readonly LoadedPart[]): (readonly Uint8Array[])[] {
  const addon = parts.find((part) => part.addon)?.addon
  addon?.endWithParent?.(parent)
  return cards.map(({ programs, descriptor }, place) => {
    const layout = layOut(programs, slots)
    if (descriptor === undefined) return privateWindows(layout, addon?.lead ?? (() => 0))
    return mapWindows(addon!, layout, descriptor, place === 0)
  })
}
