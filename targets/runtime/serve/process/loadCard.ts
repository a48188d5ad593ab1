import type { Addon } from '../../addon.ts'
import { explain } from '../../error.ts'
import { createHost } from '../../load.ts'
import type { Loaded } from '../../model.ts'
import { native } from '../../native.ts'
import { statePlanOf } from '../../sessions/model.ts'
import type { StatePlan } from '../../sessions/serve.ts'
import { engine } from '../../source.ts'
import { threads } from '../../threads.ts'
import { checkWeights } from '../checkWeights.ts'
import { loadPortableCode } from '../portableCode.ts'
import { type Begins, type HeldState, nativeStates, noMemory } from '../states.ts'
import type { Setup, SetupProgram } from './frames.ts'
import { type Layout, layOut } from './layout.ts'
import { mapWindows, privateWindows, type RegionBytes } from './regions.ts'

/** A program of a card in its process. */
export interface Runner {
  /** Runs over the inputs and outputs of a region and the state in a place; returns 0, the number of a fault, or `noMemory`. */
  run(region: number, place: number, begins: Begins | undefined): number
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
  /** Bytes of the state of one session; 0 where there is none. */
  readonly stateBytes: number
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

function loadNative(
  loaded: Loaded,
  state: StatePlan | undefined,
  threads: number,
  { verify }: Setup,
  progress: () => void,
): LoadedPart {
  const addon = loaded.code as Addon
  if (verify !== 'code') verifyWeights(loaded, addon, verify === 'full', progress)
  const { place, bytes, weights, activations } = loaded
  const handle = addon.open(place as string, bytes, weights.offset, weights.bytes, activations, threads)
  const states = state && nativeStates(addon, state)
  return {
    addon,
    stateBytes: state?.bytes ?? 0,
    runner(entry, { placed, hasState }, { layout }, windows) {
      const buffers = windows.map(({ buffer }) => buffer as ArrayBuffer)
      const own = hasState ? states : undefined
      const run = (region: ArrayBuffer, start: number, held: HeldState | undefined) =>
        addon.run(handle, entry, region, start, held?.memory, held?.start)
      return {
        run(region, place, begins) {
          const window = layout.window[region]!
          let held: HeldState | undefined
          try {
            held = own?.at(place, begins)
          } catch (error) {
            if (error instanceof RangeError) return noMemory
            throw error
          }
          return run(buffers[window]!, windows[window]!.byteOffset + layout.start[region]!, held)
        },
        warm() {
          const scratch = new ArrayBuffer(placed.regions.mutable + 64)
          run(scratch, addon.lead(scratch), own?.scratch())
        },
      }
    },
  }
}

/** WebAssembly and JavaScript have memory of their own: inputs and outputs are copied there and back. */
function loadPortable(loaded: Loaded, state: StatePlan | undefined, { verify }: Setup): LoadedPart {
  const code = loadPortableCode(loaded, state, verify !== 'code')
  return {
    stateBytes: state?.bytes ?? 0,
    runner(entry, program, { bytesOf }) {
      const { run, warm } = code.runner(entry, program, program.hasState)
      return { run: (region, place, begins) => run(bytesOf(region), place, begins), warm }
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
  const host = createHost({ manifest, files: { get: (file: string) => files.get(file) } as any }, {}, drivers)
  const loaded = host.load()
  progress()
  try {
    const state = host.manifest().state && statePlanOf(host.manifest(), loaded, setup.verify, engine().readInto)
    return loaded.chosen.kind === 'addon' ? loadNative(loaded, state, own, setup, progress) : loadPortable(loaded, state, setup)
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
