import type { GlowplugError } from '../error.ts'
import type { EntriesInfo, RunOptions } from '../model.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import type { BatchOptions } from './batch/batcher.ts'
import type { CardBytes, CardState } from './card.ts'
import type { Swapped } from './manager/swap.ts'
import type { ServeSource } from './readPlacement.ts'
import type { Session, SessionOptions } from './session/session.ts'
import type { Overhead } from './watch/overhead.ts'

/** How a model is served. All have defaults. */
export interface ServeOptions {
  /** Cards. Default: those of the placement; for a model without one, as many as there are processors, six at most. */
  readonly cards?: number | undefined
  /**
   * `worker`: native code runs on threads of this process, WebAssembly in a worker thread each. `process`: each card is a process of its
   * own, whose crash or hang is survived. Default `worker`.
   */
  readonly device?: 'worker' | 'process' | undefined
  /** Take this target or fail. Default: the first of the bundle that runs here. */
  readonly target?: string | undefined
  /** Threads that run one command of a card together, native code's alone. Default 1. */
  readonly threads?: number | undefined
  /** Requests that are under way at once. Default 48. */
  readonly active?: number | undefined
  /** Requests that may wait for one of them to end; one more is refused with `request-refused`. Default 100. */
  readonly queue?: number | undefined
  /** Milliseconds that one command of a card may take before the card counts as hung. Default 10000. */
  readonly timeout?: number | undefined
  /** Share of requests, 0 to 1, whose indices, lengths and offsets are checked before they run. Default 1. */
  readonly sanitize?: number | undefined
  /** Cards read what other cards made without the host, where they can. Default true. */
  readonly peerToPeer?: boolean | undefined
  /** Values of inputs that are the same for all requests: sent to each card once. */
  readonly statics?: Readonly<Record<string, InputValue>> | undefined
  /** How weights are checked, as by `open`. */
  readonly verify?: 'code' | 'full' | undefined
  /** Requests share runs, where entries take several rows and each row stands for itself. Default: every request is a run of its own. */
  readonly batching?: BatchOptions | undefined
  /** Sessions that may hold something at once: each keeps inputs, outputs and states on cards. Default 16 of a model that declares states, otherwise 0. */
  readonly sessions?: number | undefined
  /**
   * For measurements of the server alone; outputs are then of no meaning. 1: inputs are not copied to cards; 2: cards do not run; 3: neither.
   * Default 0.
   */
  readonly overhead?: Overhead | undefined
}

/** Of one request. */
export interface RequestOptions<O = Record<string, TensorValue>> extends RunOptions<O> {
  /** Those with smaller numbers go first; among equals, those that came first. Default 0. */
  readonly priority?: number | undefined
  /** Milliseconds from the call after which it fails with `deadline-exceeded` where it has not been answered. Default: none. */
  readonly deadline?: number | undefined
}

/** A way to call what is served. */
export interface ServedEntry<I = Record<string, InputValue>, O = Record<string, TensorValue>> {
  readonly name: string
  /** Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: I, options?: RequestOptions<O>): Promise<O>
}

export interface CardInfo {
  /** The logical card, as events name it; −1 is the host's own processor. */
  readonly index: number
  readonly name: string
  readonly device: 'worker' | 'process'
  readonly state: CardState
  readonly target: string
  /** Parts of the model that it has. */
  readonly parts: readonly string[]
  readonly bytes: CardBytes
  readonly restarts: number
  /** The number of the process that it is now, where it is one. */
  readonly pid?: number | undefined
}

export interface ServerInfo extends Pick<EntriesInfo, 'model' | 'glowplug'> {
  /** Tells models with other code, weights or placement apart: hexadecimal digits of a digest of them. */
  readonly bundle: string
  /** Requests that wait, and that are under way. */
  readonly waiting: number
  readonly active: number
  /** Names of the parts, as events number them. */
  readonly parts: readonly string[]
  readonly cards: readonly CardInfo[]
  /** Bytes that one request sends over links, by entry: what cards and host give to others. */
  readonly crossing: Readonly<Record<string, number>>
}

/** Of times, in milliseconds. */
export interface TimeStatistics {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p99: number
}

/** What a model has done since somebody first asked. Times are milliseconds; shares of them are estimated from classes. */
export interface ServerStatistics {
  readonly model: string
  readonly bundle: string
  readonly waiting: number
  readonly active: number
  /** Requests that were let in, and their answers: `processed` is `succeeded` and `failed`. */
  readonly requests: number
  readonly processed: number
  readonly succeeded: number
  readonly failed: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, number>>
  readonly retried: number
  readonly latency: TimeStatistics
  readonly queue: TimeStatistics
  readonly bytes: { readonly inputs: number; readonly outputs: number; readonly fromHost: number; readonly fromCards: number }
  readonly batches: { readonly count: number; readonly rows: number; readonly padding: number }
  readonly cards: readonly {
    readonly name: string
    readonly state: CardState
    readonly restarts: number
    readonly bytes: number
    readonly command: TimeStatistics
  }[]
}

/** A model that is served. */
export interface Server<I = Record<string, InputValue>, O = Record<string, TensorValue>> extends ServedEntry<I, O> {
  readonly info: ServerInfo
  readonly entries: Readonly<Record<string, ServedEntry>>
  /** Loads, verifies and warms up all cards. */
  ready(): Promise<void>
  /**
   * Runs that hand values on from one to the next, on a card that keeps them. At most as many as the option `sessions`. A model that declares states needs no
   * options: these are what is carried.
   */
  session(options?: Partial<SessionOptions>): Session
  /**
   * Replaces the model by another version of it, with the same entries for callers. It is loaded and warmed up beside the one that serves; then new requests
   * and new sessions go to it, while the version before finishes its own. Resolves then. Where the new version cannot serve, the one before goes on.
   * `options` are those of the new version, by default the same.
   */
  swap(source: ServeSource, options?: ServeOptions): Promise<Swapped>
  /** Takes no more requests, and resolves when all that came are answered. */
  drain(): Promise<void>
  /** Ends all cards. Requests that have no answer yet fail with `closed`. */
  close(): Promise<void>
  /** Tells of all that happens from now on, until the function that it returns is called. What `observe` throws is an error that nobody catches. */
  watch(observe: Observe): () => void
  /** What it has done since somebody first asked, by this or by `metricsText`. */
  statistics(): ServerStatistics
}

/** What a run was put together from. */
export interface BatchInfo {
  /** The requests that have rows in it. */
  readonly requests: readonly number[]
  /** Rows that they have, and rows that there is room for: the rest is padding. */
  readonly rows: number
  readonly size: number
  /** Milliseconds that the oldest rows waited for it. */
  readonly waited: number
}

/** A call of a kernel; times are milliseconds of a clock of the card. */
export interface KernelTime {
  readonly name: string
  /** Where it stands in the model, as `face.model.ts:12:3`; empty where it comes from no line. */
  readonly at: string
  readonly time: number
  readonly milliseconds: number
}

/** What happens in a server, in order, for those who watch: metrics, spans, traces. Times are of `performance.now`, in milliseconds. */
export type ServeEvent =
  | {
      readonly kind: 'request'
      readonly request: number
      readonly entry: string
      readonly time: number
      readonly bytes: number
      readonly priority: number
      /** Present where this is no request of a caller but a run for several, which have events of their own. */
      readonly batch?: BatchInfo | undefined
    }
  | { readonly kind: 'refused'; readonly code: string; readonly entry: string; readonly time: number }
  | { readonly kind: 'started'; readonly request: number; readonly slot: number; readonly time: number }
  | {
      readonly kind: 'command'
      readonly request: number
      readonly card: number
      readonly part: number
      readonly time: number
      readonly milliseconds: number
      /** Sent by the host, read from other cards, and copied from outputs to inputs of the card itself, as for sessions without a region of their own. */
      readonly bytes: { readonly fromHost: number; readonly fromCards: number; readonly withinCard: number }
      /** What the host wrote, before it asked the card. */
      readonly copies: { readonly time: number; readonly milliseconds: number }
      /** The kernels of the run in their order, of parts that were built to tell them; to be asked for while it is being told. */
      readonly kernels?: (() => readonly KernelTime[]) | undefined
      readonly fault: number
      readonly error?: GlowplugError | undefined
    }
  | { readonly kind: 'retried'; readonly request: number; readonly card: number; readonly time: number }
  | {
      readonly kind: 'answered'
      readonly request: number
      readonly time: number
      readonly milliseconds: number
      readonly bytes: number
      readonly error?: GlowplugError | undefined
      readonly batch?: BatchInfo | undefined
      /** Of one that failed, what it was given, by name: copies, to be asked for while it is being told. */
      readonly inputs?: (() => Readonly<Record<string, TensorValue>>) | undefined
    }
  | {
      readonly kind: 'card'
      readonly card: number
      readonly state: CardState
      readonly time: number
      readonly error?: GlowplugError | undefined
    }

export type Observe = (event: ServeEvent) => void
