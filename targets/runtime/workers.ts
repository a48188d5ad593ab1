import { explain, fail, GlowplugError } from './error.ts'
import { type Answer, builtin, type WorkerData } from './plan.ts'
import { workerSource } from './source.ts'

/** One run, from its call until its answer. */
export interface Job {
  /** The region of inputs and outputs, inputs filled in; becomes the workers' until the job ends. */
  readonly region: ArrayBuffer
  /** `region` is the same bytes with the outputs filled in, unless `fault` is not 0: then the model refused its input. */
  done(region: ArrayBuffer, fault: number): void
  failed(error: unknown): void
}

export interface Workers {
  /** Queues a job, if the workers are not closed; throws `queue-full`. */
  add(job: Job): void
  /** Takes a job out again if no worker has it yet; says whether it did. */
  remove(job: Job): boolean
  /** Resolves when all workers stand with their weights loaded and have run once. */
  ready(): Promise<unknown>
  close(): Promise<unknown>
}

/** A place for a worker; the worker in it may change. */
interface Slot {
  worker?: import('node:worker_threads').Worker | undefined
  /** Since it was started. */
  ready?: Promise<void> | undefined
  /** Its weights are loaded. */
  standing?: boolean
  job?: Job | undefined
}

/**
 * Up to `count` worker threads that take jobs in order, one each at a time. Workers start with the first job or with `ready`, keep the
 * process alive only while they have something to do, and are replaced when they break. `about` words a sentence about the model.
 */
export function createWorkers(
  data: (warm: boolean) => WorkerData,
  count: number,
  limit: number,
  about: (text: string) => string,
): Workers {
  const slots: Slot[] = Array.from({ length: count }, () => ({}))
  const waiting: Job[] = []
  let closed = false

  const crashed = (message: string, cause?: unknown) => new GlowplugError('run-crashed', about(`crashed: ${message}`), cause)
  const closedError = () => new GlowplugError('closed', about('is closed'))

  function failWaiting(error: unknown): void {
    for (const job of waiting.splice(0)) job.failed(error)
  }

  /** Empties the slot. What its worker was doing fails. */
  function drop(slot: Slot, error: unknown): Promise<unknown> | undefined {
    const { worker, job } = slot
    slot.worker = slot.ready = slot.job = undefined
    slot.standing = false
    job?.failed(error)
    return worker?.terminate()
  }

  function start(slot: Slot, warm = false): Promise<void> {
    slot.ready ??= new Promise((resolve, reject) => {
      if (closed) throw closedError()
      const workerData = data(warm)
      const { Worker } = builtin('worker_threads')
      // Without the options of the process: they may name hooks that take longer to load than the model.
      const worker = new Worker(workerSource, { eval: true, workerData, execArgv: [] })
      slot.worker = worker
      const broken = (error: unknown) => {
        reject(error)
        if (slot.worker !== worker) return
        const { job } = slot
        void drop(slot, error)
        // One that never stood, or that died at rest, might only do so again: the next job starts it.
        if (job) void start(slot)
      }
      worker.on('message', ({ region, fault, error }: Answer) => {
        const { job } = slot
        // What a dropped worker had sent before is of no use to its successor.
        if (slot.worker !== worker) return
        if (error) return broken(slot.standing ? crashed(error.message) : explain(error, workerData.plan))
        worker.unref()
        slot.standing = true
        slot.job = undefined
        resolve()
        if (region) job!.done(region, fault!)
        pump()
      })
      worker.on('error', (error) => broken(crashed(error.message, error)))
      worker.on('exit', (status) => broken(closed ? closedError() : crashed(`worker ended with ${status}`)))
    })
    const { ready } = slot
    ready.catch((error) => {
      slot.ready = undefined
      if (!slots.some((other) => other.ready)) failWaiting(error)
    })
    return ready
  }

  /** Hands waiting jobs to workers that stand idle, and starts workers while fewer are starting than jobs wait. */
  function pump(): void {
    for (const slot of slots) {
      if (!slot.standing || slot.job || waiting.length === 0) continue
      slot.job = waiting.shift()!
      slot.worker!.ref()
      slot.worker!.postMessage(slot.job.region, [slot.job.region])
    }
    let missing = waiting.length - slots.filter((slot) => slot.ready && !slot.standing).length
    for (const slot of slots) if (!slot.ready && missing-- > 0) void start(slot)
  }

  return {
    add(job) {
      if (waiting.length >= limit) fail('queue-full', about(`has ${limit} requests waiting already`))
      waiting.push(job)
      pump()
    },
    remove(job) {
      const index = waiting.indexOf(job)
      if (index >= 0) waiting.splice(index, 1)
      return index >= 0
    },
    ready: () => Promise.all(slots.map((slot) => start(slot, true))),
    close() {
      closed = true
      failWaiting(closedError())
      return Promise.all(slots.map((slot) => drop(slot, closedError())))
    },
  }
}
