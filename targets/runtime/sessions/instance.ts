import type { Instance, Plan, Request, TensorInfo } from '../plan.ts'

const align = (offset: number): number => Math.ceil(offset / 64) * 64

/** Code on its own memory, with room behind its activations for the states of sessions. `memory` is another buffer once that room has grown. */
export interface StatefulInstance extends Instance {
  /** Where a state may lie from now on; what is in it is of no meaning. Throws RangeError without memory. */
  allocate(): number
  free(state: number): void
  /** The bytes of a state, in `memory` as it is. */
  bytesOf(state: number): Uint8Array
  /** Without a state for entries that touch none. */
  run(entry: number, state?: number): number
  /** Runs a request: inputs in, run, outputs out. */
  answer(request: Request, state: number): number
}

/** What an instance of a WebAssembly module exports, or the same from JavaScript. */
interface Exported {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): unknown }
  readonly __heap_base: { readonly value: number }
}

/** As `createInstance`, for entries that take a state of so many bytes behind the other regions. */
export function createStatefulInstance(
  plan: Plan,
  stateBytes: number,
  exported: Exported & Readonly<Record<string, any>>,
  fill: (constants: Uint8Array) => void,
): StatefulInstance {
  const { memory } = exported
  const constants = align(exported.__heap_base.value)
  const mutable = align(constants + plan.weights.bytes)
  const activations = align(mutable + plan.mutable)
  let end = align(activations + plan.activations)
  const reach = (needed: number) => {
    const missing = needed - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / 65536))
  }
  reach(end)
  const calls = plan.entries.map((entry) => exported[entry.export])
  fill(new Uint8Array(memory.buffer, constants, plan.weights.bytes))
  /** States of sessions that ended, for later ones. */
  const spare: number[] = []
  const run = (entry: number, state = 0): number => calls[entry](constants, mutable, activations, state)
  return {
    get memory() {
      return memory.buffer
    },
    mutable,
    allocate() {
      const used = spare.pop()
      if (used !== undefined) return used
      reach(end + stateBytes)
      end += stateBytes
      return end - stateBytes
    },
    free(state) {
      spare.push(state)
    },
    bytesOf: (state) => new Uint8Array(memory.buffer, state, stateBytes),
    run,
    answer({ region, start, entry }, state) {
      const [here, there] = [new Uint8Array(memory.buffer, mutable), new Uint8Array(region, start)]
      const move = (from: Uint8Array, to: Uint8Array, tensors: readonly TensorInfo[]) => {
        for (const { offset, bytes } of tensors) to.set(from.subarray(offset, offset + bytes), offset)
      }
      const { inputs, outputs } = plan.entries[entry]!
      move(there, here, inputs)
      const fault = run(entry, state)
      move(here, there, outputs)
      return fault
    },
  }
}

/** Writes what a session begins with: `initial`, or zeros. */
export function begin(bytes: Uint8Array, initial: Uint8Array | undefined): void {
  if (initial) bytes.set(initial)
  else bytes.fill(0)
}

/** Memory for JavaScript code, which keeps what is in it when it grows, as that of WebAssembly does. */
export function createMemory(): Exported['memory'] {
  const memory = {
    buffer: new ArrayBuffer(0),
    grow(pages: number) {
      const grown = new ArrayBuffer(memory.buffer.byteLength + pages * 65536)
      new Uint8Array(grown).set(new Uint8Array(memory.buffer))
      memory.buffer = grown
    },
  }
  return memory
}
