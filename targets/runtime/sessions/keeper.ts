import type { GlowplugError } from '../error.ts'
import type { Loaded } from '../model.ts'
import type { Answer, Instance, Request } from '../plan.ts'
import type { Job, Queue, StartDevice } from '../queue.ts'
import type { TensorArray } from '../tensor.ts'

/** A run of a session on a device, whose turn it is. */
export interface Submission {
  readonly request: Request
  /** A device has it: it runs, whoever waits for it. */
  begun(): void
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** Inputs and outputs of an entry in memory that the calling thread reaches. */
export interface Places {
  readonly inputs: readonly TensorArray[]
  readonly outputs: readonly TensorArray[]
}

/** Keeps the state of one session where code reaches it. */
export interface Keeper {
  /** Throws `queue-full`. Returns what takes the run back, unless a device has it: then it returns false. */
  submit(submission: Submission): () => void
  /** Where `runHere` reads inputs and writes outputs. Throws `session-elsewhere`. */
  placesHere(entry: number): Places
  /** Runs on the calling thread, from the inputs in `placesHere` to the outputs there; returns 0 or the number of a fault. */
  runHere(entry: number): number
  /** The next run begins with the initial state. Called between runs. */
  reset(): void
  /** Called once, after the last run. */
  free(): void
}

/** States of all sessions of a model. */
export interface Keepers {
  create(): Keeper
  ready(): Promise<unknown>
  close(error: GlowplugError): Promise<unknown>
}

/** What keepers need of the model. */
export interface KeeperSetting {
  readonly instances: number
  /** An instance for the calling thread; errors are worded. */
  instantiate(): Instance
  newQueue(start: StartDevice, devices: number): Queue
  places(entry: number, memory: ArrayBuffer, mutable: number): Places
  about(text: string): string
}

/** What runs code over the states of sessions. */
export interface StatefulLoaded extends Loaded {
  keepers(setting: KeeperSetting): Keepers
}

/** A job that says when a device takes it, and makes its request then. */
export function jobOf(submission: Submission, complete: (request: Request) => Request): Job {
  const { resolve, reject } = submission
  let request: Request | undefined
  return {
    get request() {
      if (!request) {
        submission.begun()
        request = complete(submission.request)
      }
      return request
    },
    resolve,
    reject,
  }
}
