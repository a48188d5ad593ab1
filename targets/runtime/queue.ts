import { crash, explain, fail } from './error.ts'
import type { Answer, Place, Request } from './plan.ts'

/** One run, from its call until its answer. The region of the request becomes the device's until it ends. */
export interface Job {
  readonly request: Request
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** What runs requests, one at a time: a worker thread, or native code on the threads of the process. */
export interface Device {
  postMessage(request: Request, transfer: ArrayBuffer[]): void
  terminate(): unknown
  /** Absent where the device itself keeps the process alive while it works. */
  ref?(): void
  unref?(): void
}

/**
 * Starts a device, which calls `answer` once when it stands and then for every request, or `broken` when it is of no more use, with the
 * file of weights where its instance could not be made. Neither is called before this returns. `warm`: every entry runs once before it stands.
 */
export type StartDevice = (
  warm: boolean,
  answer: (answer: Answer) => void,
  broken: (error: { readonly message: string }, weights?: { readonly place: Place; readonly bytes: number }) => void,
) => Device

export interface Queue {
  /** Queues a job, if the queue is not closed; throws `queue-full`. */
  add(job: Job): void
  /** Takes a job out again if no device has it yet. */
  remove(job: Job): void
  /** Resolves when all devices stand with their weights loaded and have run once. */
  ready(): Promise<unknown>
  /** What has no answer yet fails with this error. No job may be added afterwards. */
  close(error: unknown): Promise<unknown>
}

/** A place for a device; a new one stands in its stead when the device breaks. */
interface Slot {
  device?: Device
  /** Since it was started. */
  ready?: Promise<void> | undefined
  /** Ends its start. */
  reject?: (error: unknown) => void
  /** Its weights are loaded. */
  standing?: boolean
  job?: Job | undefined
}

/**
 * Up to `count` devices that take jobs in order, one each at a time. Devices start with the first job or with `ready`, keep the process
 * alive only while they have something to do, and are replaced when they break. `about` words a sentence about the model.
 */
export function createQueue(startDevice: StartDevice, count: number, limit: number, about: (text: string) => string): Queue {
  const slots: Slot[] = Array.from({ length: count }, () => ({}))
  let waiting: Job[] = []

  function failWaiting(error: unknown): void {
    for (const job of waiting.splice(0)) job.reject(error)
  }

  /** Takes the device out of use. What it was doing fails. */
  function drop(slot: Slot, error: unknown): unknown {
    slots[slots.indexOf(slot)] = {}
    slot.reject?.(error)
    slot.job?.reject(error)
    return slot.device?.terminate()
  }

  function start(slot: Slot, warm = false): Promise<void> {
    slot.ready ??= new Promise((resolve, reject) => {
      slot.reject = reject
      slot.device = startDevice(
        warm,
        (answer) => {
          // What a dropped device had sent before is of no use to its successor.
          if (!slots.includes(slot)) return
          const { job } = slot
          slot.device!.unref?.()
          slot.standing = true
          slot.job = undefined
          resolve()
          job?.resolve(answer)
          pump()
        },
        (error, weights) => {
          if (!slots.includes(slot)) return
          drop(slot, slot.standing || !weights ? crash(about, error) : explain(error, weights))
          // One that never stood, or that died at rest, might only do so again: the next job starts it.
          if (slot.job) pump()
        },
      )
    })
    slot.ready.catch((error) => {
      slot.ready = undefined
      if (!slots.some((other) => other.ready)) failWaiting(error)
    })
    return slot.ready
  }

  /** Hands waiting jobs to devices that stand idle, and starts devices while fewer are starting than jobs wait. */
  function pump(): void {
    for (const slot of slots) {
      if (!slot.standing || slot.job || !waiting[0]) continue
      slot.job = waiting.shift()!
      slot.device!.ref?.()
      slot.device!.postMessage(slot.job.request, [slot.job.request.region])
    }
    let missing = waiting.length - slots.filter((slot) => slot.ready && !slot.standing).length
    for (const slot of slots) if (!slot.ready && missing-- > 0) void start(slot)
  }

  return {
    add(job) {
      if (waiting.length >= limit) fail('queue-full', about(`has ${limit} requests waiting`))
      waiting.push(job)
      pump()
    },
    remove(job) {
      waiting = waiting.filter((other) => other !== job)
    },
    ready: () => Promise.all(slots.map((slot) => start(slot, true))),
    close(error) {
      failWaiting(error)
      return Promise.all(slots.map((slot) => drop(slot, error)))
    },
  }
}
