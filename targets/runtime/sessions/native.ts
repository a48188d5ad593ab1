import type { Addon, NativeInstance } from '../addon.ts'
import type { Driver } from '../load.ts'
import type { Executor } from '../model.ts'
import { native } from '../native.ts'
import type { Instance, Plan } from '../plan.ts'
import { begin } from './instance.ts'
import { jobOf, type KeeperSetting, type Keepers, type Places } from './keeper.ts'
import { createQuick } from './quick.ts'
import type { StatePlan } from './serve.ts'

/** State of a session: memory of its own, which any instance of native code reaches by its address. */
interface Held {
  readonly memory: ArrayBuffer
  readonly start: number
}

/** What the driver instantiates. */
type NativeLocal = Instance & { readonly handle: NativeInstance }

/** Native code over states: nothing of them is ever moved. The other regions are those of the driver for models without state. */
export const nativeSessions = (stateOf: (plan: Plan) => StatePlan): Driver => ({
  prepare: native.prepare,
  execute(plan, options) {
    const addon = plan.code as Addon
    const { bytes, initial } = stateOf(plan)
    function hold(): Held {
      const memory = new ArrayBuffer(bytes + 64)
      const held = { memory, start: addon.lead(memory) }
      if (initial) renew(held)
      return held
    }
    const renew = ({ memory, start }: Held) => begin(new Uint8Array(memory, start, bytes), initial)
    /** The state that belongs to a region of inputs and outputs. */
    const states = new WeakMap<ArrayBuffer, Held>()
    /** For what runs for no session: to warm up, and entries that touch no state. */
    let nobodys: Held | undefined
    function heldOf(region: ArrayBuffer): Held {
      const own = states.get(region)
      if (own) return own
      nobodys ??= hold()
      return nobodys
    }
    const code: Addon = {
      ...addon,
      run(instance, entry, region, start) {
        const held = heldOf(region)
        return addon.run(instance, entry, region, start, held.memory, held.start)
      },
      start(instance, entry, region, start, done) {
        const held = heldOf(region)
        addon.start(instance, entry, region, start, done, held.memory, held.start)
      },
    }
    const executor = native.execute({ ...plan, code }, options)

    function keepers({ newQueue, instances, instantiate, places }: KeeperSetting): Keepers {
      const queue = newQueue(executor.start, instances)
      let local: Instance | undefined
      const found: Places[] = []
      const quick = createQuick()
      return {
        ready: () => queue.ready(),
        close(error) {
          local?.close?.()
          local = undefined
          return queue.close(error)
        },
        create() {
          let held: Held | undefined
          return {
            submit(submission) {
              held ??= hold()
              const { region, start, entry } = submission.request
              states.set(region, held)
              if (quick.isQuick(entry)) {
                local ??= instantiate()
                const { handle } = local as NativeLocal
                return quick.run(submission, () => code.run(handle, entry, region, start))
              }
              const job = jobOf(quick.measured(submission), (request) => request)
              queue.add(job)
              return () => queue.remove(job)
            },
            placesHere(entry) {
              local ??= instantiate()
              found[entry] ??= places(entry, local.memory, local.mutable)
              return found[entry]
            },
            runHere(entry) {
              held ??= hold()
              states.set(local!.memory, held)
              return local!.run(entry)
            },
            reset() {
              if (held) renew(held)
            },
            free() {
              held = undefined
            },
          }
        },
      }
    }
    return { ...executor, keepers } as Executor
  },
})
