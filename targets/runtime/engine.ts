// What touches memory and the bytes of files. The loader carries this module as text, because worker threads are started from text, and
// evaluates the same text once on the calling thread, so that it exists once. It words no messages: what goes wrong is an error with a
// code that `explain` in error.ts puts into a sentence.
import { type Answer, builtin, type Instance, type ModuleCode, type Place, type Plan, type WorkerData } from './plan.ts'

export interface Engine {
  /** `sha256-` and 64 hex digits. */
  sha256(bytes: Uint8Array): string
  /** Fills `target` from byte `offset` of a file of `bytes` bytes, without another copy in between; `digest` is that of the part. */
  readInto(target: Uint8Array, place: Place, bytes: number, offset: number, digest: string | false): void
  /** Makes an instance and reads its weights; `module` is the code where that is JavaScript. */
  createInstance(plan: Plan, module: ModuleCode | undefined): Instance
}

/** The text stands in a function with this parameter: Node's worker module on a worker, an object to fill in on the calling thread. */
declare const host: Partial<Engine> & Partial<typeof import('node:worker_threads')>
declare const WebAssembly: any

const sha256: Engine['sha256'] = (bytes) => `sha256-${builtin('crypto').createHash('sha256').update(bytes).digest('hex')}`

const readInto: Engine['readInto'] = (target, place, bytes, offset, digest) => {
  if (typeof place === 'string') {
    const { openSync, fstatSync, readSync, closeSync } = builtin('fs')
    const file = openSync(place, 'r')
    try {
      const { size } = fstatSync(file)
      let count = 1
      for (let done = 0; size === bytes && count && done < target.length; done += count) {
        // One call reads less than 2 GiB.
        count = readSync(file, target, done, Math.min(target.length - done, 2 ** 30), offset + done)
      }
      if (size !== bytes || !count) throw { code: 'size', message: size }
    } finally {
      closeSync(file)
    }
  } else {
    if (place.length !== bytes) throw { code: 'size', message: place.length }
    target.set(place.subarray(offset, offset + target.length))
  }
  if (digest && sha256(target) !== digest) throw { code: 'digest' }
}

const align = (offset: number): number => Math.ceil(offset / 64) * 64

const createInstance: Engine['createInstance'] = ({ code, entry, place, bytes, weights, verify }, module) => {
  const { mutable, activations } = entry.regions
  const exported = module ? undefined : new WebAssembly.Instance(code).exports
  const constantsAt = module ? 0 : align(exported.__heap_base.value)
  const mutableAt = align(constantsAt + weights.bytes)
  const activationsAt = align(mutableAt + mutable)
  const end = activationsAt + activations
  const missing = module ? 0 : end - exported.memory.buffer.byteLength
  if (missing > 0) exported.memory.grow(Math.ceil(missing / 65536))
  const memory: ArrayBuffer = module ? new ArrayBuffer(end) : exported.memory.buffer
  const call = (module ? module.instantiate(memory) : exported)[entry.export]
  readInto(new Uint8Array(memory, constantsAt, weights.bytes), place, bytes, weights.offset, verify && weights.digest)
  return { memory, mutable: mutableAt, run: () => call(constantsAt, mutableAt, activationsAt) }
}

/** Runs one request after the other: inputs in, run, outputs out. */
async function serve(
  port: import('node:worker_threads').MessagePort,
  { plan, inputs, outputs, warm }: WorkerData,
): Promise<void> {
  const answer = (message: Answer, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)
  const broken = ({ name, code, message }: any) => answer({ error: { name, code, message } })
  try {
    const { memory, mutable, run } = createInstance(plan, typeof plan.code === 'string' ? await import(plan.code) : undefined)
    // Code is compiled at its first call. What zeros as inputs may bring about is no matter here.
    if (warm)
      await Promise.resolve()
        .then(run)
        .catch(() => {})
    const here = new Uint8Array(memory, mutable, plan.entry.regions.mutable)
    port.on('message', (region: ArrayBuffer) => {
      try {
        const there = new Uint8Array(region)
        const move = (from: Uint8Array, to: Uint8Array, parts: WorkerData['inputs']) => {
          for (const { offset, bytes } of parts) to.set(from.subarray(offset, offset + bytes), offset)
        }
        move(there, here, inputs)
        const fault = run()
        move(here, there, outputs)
        answer({ region, fault }, [region])
      } catch (error) {
        broken(error)
      }
    })
    answer({})
  } catch (error) {
    broken(error)
  }
}

if (host.parentPort) void serve(host.parentPort, host.workerData)
else Object.assign(host, { sha256, readInto, createInstance } satisfies Engine)
