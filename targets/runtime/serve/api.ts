import type { GlowplugError } from '../error.ts'
import type { EntriesInfo, RunOptions } from '../model.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import type { CardState } from './card.ts'

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
  readonly name: string
  readonly device: 'worker' | 'process'
  readonly state: CardState
  readonly target: string
  /** Parts of the model that it has. */
  readonly parts: readonly string[]
  readonly bytes: { readonly weights: number; readonly activations: number; readonly regions: number }
  readonly restarts: number
}

export interface ServerInfo extends Pick<EntriesInfo, 'model' | 'glowplug'> {
  readonly cards: readonly CardInfo[]
  /** Bytes that one request sends over links, by entry: what cards and host give to others. */
  readonly crossing: Readonly<Record<string, number>>
}

/** A model that is served. */
export interface Server<I = Record<string, InputValue>, O = Record<string, TensorValue>> extends ServedEntry<I, O> {
  readonly info: ServerInfo
  readonly entries: Readonly<Record<string, ServedEntry>>
  /** Loads, verifies and warms up all cards. */
  ready(): Promise<void>
  /** Takes no more requests, and resolves when all that came are answered. */
  drain(): Promise<void>
  /** Ends all cards. Requests that have no answer yet fail with `closed`. */
  close(): Promise<void>
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
      /** Sent by the host, and read from other cards. */
      readonly bytes: { readonly fromHost: number; readonly fromCards: number }
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
    }
  | {
      readonly kind: 'card'
      readonly card: number
      readonly state: CardState
      readonly time: number
      readonly error?: GlowplugError | undefined
    }

export type Observe = (event: ServeEvent) => void
