import type { Answer, Instance, Plan, Request, TensorInfo } from './plan.ts'

/** Not among the values in the types of Node 20. */
declare const WebAssembly: any

const align = (offset: number): number => Math.ceil(offset / 64) * 64

/**
 * An instance on its own memory. `exported` is what an instance of a WebAssembly module exports, or the same from JavaScript; `fill` gets
 * the region of constants.
 */
export function createInstance(plan: Plan, exported: any, fill: (constants: Uint8Array) => void): Instance {
  const { memory } = exported
  const constants = align(exported.__heap_base.value)
  const mutable = align(constants + plan.weights.bytes)
  const activations = align(mutable + plan.mutable)
  const missing = activations + plan.activations - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / 65536))
  const calls = plan.entries.map((entry) => exported[entry.export])
  fill(new Uint8Array(memory.buffer, constants, plan.weights.bytes))
  // Entries with state, which `openSessions` gives them, trap on an address far beyond the memory.
  return { memory: memory.buffer, mutable, run: (entry) => calls[entry](constants, mutable, activations, 3e9) }
}

/** An instance of a compiled module, where `plan.place` is the constants and nothing else. */
export const instantiate = (plan: Plan): Instance =>
  createInstance(plan, new WebAssembly.Instance(plan.code).exports, (constants) => constants.set(plan.place as Uint8Array))

/** The way to the loader from where a device runs; as Node's MessagePort. */
export interface Port {
  postMessage(answer: Answer, transfer?: ArrayBuffer[]): void
  on(event: 'message', handler: (request: Request) => void): void
}

/** Runs one request after the other: inputs in, run, outputs out. Answers with nothing as soon as it listens. What is thrown is the end. */
export function serve(plan: Plan, { memory, mutable, run }: Instance, warm: boolean, port: Port): void {
  // Code is compiled at its first call. What zeros as inputs may bring about is no matter here.
  if (warm)
    for (const entry of plan.entries.keys())
      try {
        run(entry)
      } catch {}
  const here = new Uint8Array(memory, mutable)
  port.on('message', ({ region, start, entry }) => {
    const there = new Uint8Array(region, start)
    const move = (from: Uint8Array, to: Uint8Array, tensors: readonly TensorInfo[]) => {
      for (const { offset, bytes } of tensors) to.set(from.subarray(offset, offset + bytes), offset)
    }
    const { inputs, outputs } = plan.entries[entry]!
    move(there, here, inputs)
    const fault = run(entry)
    move(here, there, outputs)
    port.postMessage({ region, fault }, [region])
  })
  port.postMessage({})
}

/** Runs `body`; what it throws becomes an answer, for where an error that nobody catches does not reach the loader whole. */
export function attempt(port: Pick<Port, 'postMessage'>, body: () => void): void {
  try {
    body()
  } catch ({ name, code, message }: any) {
    port.postMessage({ error: { name, code, message } })
  }
}
