import type { Addon, NativeInstance } from './addon.ts'
import { explain } from './error.ts'
import type { Driver } from './load.ts'
import { builtin, type Plan } from './plan.ts'
import { engine } from './source.ts'

/** Native code: a device is an instance with activations of its own on weights that all share, and runs on the threads of the process. */
export const native: Driver = {
  prepare({ platform }, place, read) {
    const { os, arch, libc } = Object(platform)
    let library = 'glibc'
    try {
      if (/ld-musl-/.test(builtin('fs').readFileSync('/proc/self/maps') as never)) library = 'musl'
    } catch {
      // Another system, or a process that may not read it.
    }
    const wanted = `${os} ${arch} ${libc}`
    const here = `${process.platform} ${process.arch} ${library}`
    if (wanted !== here) throw Error(`made for ${wanted}, not ${here}`)
    if (typeof place !== 'string') throw Error('code is no file')
    read()
    const module = { exports: {} as Addon }
    process.dlopen(module, builtin('path').resolve(place))
    const { lacks } = module.exports
    if (lacks) throw Error(`this processor lacks ${lacks}`)
    return module.exports
  },

  execute(plan, { verify, threads }) {
    const { code: addon, place, bytes, entries } = plan as Plan & { code: Addon; place: string }
    const { offset, bytes: length, digest, checksum } = plan.weights
    let checked: Promise<void> | undefined

    function instantiate() {
      const memory = new ArrayBuffer(plan.mutable + 64)
      const start = addon.lead(memory)
      let handle: NativeInstance
      try {
        handle = addon.open(place, bytes, offset, length, plan.activations, threads)
      } catch (error) {
        throw explain(error, plan)
      }
      const run = (entry: number) => addon.run(handle, entry, memory, start)
      return { handle, memory, mutable: start, run, close: () => addon.close(handle) }
    }

    /** Weights, in slices, between which the event loop goes on. Their digest would take five times as long: longer than a first run. */
    async function check() {
      if (verify === 'code') return
      const state = new ArrayBuffer(64)
      const buffer = new Uint8Array(Math.min(length, 2 ** 20))
      for (let done = 0; done < length; done += buffer.length) {
        const slice = buffer.subarray(0, length - done)
        engine().readInto(slice, place, bytes, offset + done, false)
        addon.addToChecksum(state, slice)
        await new Promise(setImmediate)
      }
      if (Buffer.from(state).toString('hex') !== checksum) throw { code: 'digest' }
    }

    return {
      lead: addon.lead,
      instantiate() {
        if (verify === 'full') engine().readInto(new Uint8Array(length), place, bytes, offset, digest)
        return instantiate()
      },
      start(warm, answer, broken) {
        const { handle, memory, mutable, close } = instantiate()
        const execute = (entry: number, region: ArrayBuffer, start: number) =>
          new Promise<number>((done) => addon.start(handle, entry, region, start, done))
        // The first run goes on meanwhile. Code looks at every index that it reads: nothing worse than wrong numbers, which nobody sees, comes
        // of damaged weights.
        checked ??= check().catch((error) => {
          checked = undefined
          throw explain(error, plan)
        })
        const checking = checked
        const stand = async () => {
          // Those that have state run in sessions alone.
          for (const entry of warm ? entries.keys() : []) await execute(entry, memory, mutable).catch(() => {})
          await (warm && checking)
          answer({})
        }
        Promise.all([stand(), checking]).catch(broken)
        return {
          async postMessage({ region, start, entry }) {
            try {
              const fault = await execute(entry, region, start)
              await checking
              answer({ region, fault })
            } catch (error) {
              broken(error as Error)
            }
          },
          terminate: close,
        }
      },
    }
  },
}
