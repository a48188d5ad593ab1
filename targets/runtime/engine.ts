// What touches memory and the bytes of files. The loader carries this module as text, because worker threads are started from text, and
// evaluates the same text once on the calling thread, so that it exists once. It words no messages: what goes wrong is an error with a
// code that `explain` in error.ts puts into a sentence.
import { createInstance, serve } from './instance.ts'
import { builtin, type Instance, type Place, type Plan, type WorkerData } from './plan.ts'

export interface Engine {
  /** `sha256-` and 64 hex digits. */
  sha256(bytes: Uint8Array): string
  /** Fills `target` from byte `offset` of a file of `bytes` bytes, without another copy in between; `digest` is that of the part. */
  readInto(target: Uint8Array, place: Place, bytes: number, offset: number, digest: string | false): void
  /** Makes an instance and reads its weights; `verify` checks their digest. */
  instantiate(plan: Plan, verify: boolean): Instance
}

/** The text stands in a function with this parameter: Node's worker module on a worker, an object to fill in on the calling thread. */
declare const host: Partial<Engine> & Partial<typeof import('node:worker_threads')>
declare const WebAssembly: any

const sha256: Engine['sha256'] = (bytes) => `sha256-${builtin('crypto').createHash('sha256').update(bytes).digest('hex')}`

const readInto: Engine['readInto'] = (target, place, bytes, offset, digest) => {
  const { length } = target
  const check = (size: number) => {
    if (size !== bytes) throw { code: 'size', message: size }
  }
  if (typeof place === 'string') {
    const { openSync, fstatSync, readSync, closeSync } = builtin('fs')
    const file = openSync(place, 'r')
    try {
      check(fstatSync(file).size)
      // One call reads less than 2 GiB, and nothing at all beyond the end of a file that has just been cut.
      for (let done = 0, count = 0; done < length; done += count || (check(done) as never))
        count = readSync(file, target, done, Math.min(length - done, 2 ** 30), offset + done)
    } finally {
      closeSync(file)
    }
  } else {
    check(place.length)
    target.set(place.subarray(offset, offset + length))
  }
  if (digest && sha256(target) !== digest) throw { code: 'digest' }
}

const instantiate: Engine['instantiate'] = (plan, verify) => {
  const { code, place, bytes, weights } = plan
  const exported = typeof code === 'string' ? builtin('vm').runInThisContext(code)() : new WebAssembly.Instance(code).exports
  return createInstance(plan, exported, (constants) =>
    readInto(constants, place, bytes, weights.offset, verify && weights.digest),
  )
}

if (host.parentPort) {
  const { plan, verify, warm } = host.workerData as WorkerData
  serve(plan, instantiate(plan, verify), warm, host.parentPort)
} else Object.assign(host, { sha256, readInto, instantiate } satisfies Engine)
