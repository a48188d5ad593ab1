import type { GlowplugError } from '../error.ts'
import type { TensorArray } from '../tensor.ts'
import type { BatchInfo, Observe } from './api.ts'
import type { CardState } from './card.ts'
import type { BoundCard } from './choose.ts'
import type { Gate } from './gate.ts'
import type { RecordedFlow, RecordedStep } from './record.ts'
import type { Begins } from './states.ts'

/** A value on a card that a session keeps: an output of a program in the slot of the session. */
export interface Resident {
  readonly program: number
  readonly output: number
}

/** What is to be run, and whoever waits for it: told once, by `done` or by `failed`. */
export interface Work {
  readonly flow: RecordedFlow
  /** In the order of the flow's inputs. Read until it is answered, and by nobody written to. */
  readonly inputs: readonly TensorArray[]
  readonly priority: number
  /** The only card that a step may run on, or `any`; undefined where that is none that stands. Default: any. */
  home?(step: RecordedStep): BoundCard | 'any' | undefined
  /** Whether it waits for a card that is to stand, and runs again elsewhere where one is lost. Default: it does. */
  mayMove?(): boolean
  /** A slot of `keepSlot`; otherwise one that is free. */
  readonly slot?: number | undefined
  /** Of inputs that are not among `inputs`, by their index: where the card has them, in that slot; `there` where they need no copy. */
  readonly resident?: readonly (Resident | 'there' | undefined)[] | undefined
  /** It is not run again where a card is lost by it. */
  readonly once?: boolean | undefined
  /** For those who watch: what it was put together from. */
  readonly batch?: BatchInfo | undefined
  /** Where the card of a step has the state of the session. */
  place?(step: RecordedStep): number | undefined
  /** What that begins with; undefined where it goes on. */
  begins?(step: number): Begins | undefined
  /** Told of each step as it is given to its card. */
  begun?(step: number): void
  /** Told of a step that failed before it wrote anything of a state. */
  left?(step: number): void
  /** Whether it runs to its end, unseen, where whoever waits for it gives up. Default: no more of it is begun. */
  goesOn?(): boolean
  /** Told when all of it has run, before `done`, and where that is not told since nobody waits any more. */
  ran?(outputs: readonly TensorArray[]): void
  /** In the order of the flow's outputs, in memory that is used again after the call. */
  done(outputs: readonly TensorArray[]): void
  failed(error: GlowplugError): void
  /** Told last, and once: nothing of it is under way any more. */
  ended?(): void
}

/** Work on its way. */
export interface Job {
  readonly id: number
  readonly priority: number
  readonly work: Work
}

export interface ExecutorOptions {
  readonly model: string
  /** The cards of a step. */
  readonly cardsOf: (step: RecordedStep) => readonly BoundCard[]
  /** How many runs may be under way, and wait. */
  readonly active: number
  readonly queue: number
  /** Slots beyond those of `active`, for sessions. */
  readonly kept: number
  readonly peerToPeer: boolean
  /** Inputs by flow whose values are the same for all requests. */
  readonly statics?: readonly (readonly (TensorArray | undefined)[] | undefined)[] | undefined
  readonly observe: () => Observe | undefined
  /** Numbers for requests, where several versions of a model share them. Default: from 0 on. */
  readonly nextId?: (() => number) | undefined
  /** Added to the priorities of all. */
  readonly priority?: number | undefined
  /** Where several models share what may be under way. */
  readonly gate?: Gate | undefined
}

/** Runs what is asked for on cards. */
export interface Executor {
  /** Throws `request-refused` where too many wait. */
  submit(work: Work): Job
  /** Answers it with the error, if it has no answer yet. What is under way ends unseen. */
  cancel(job: Job, error: GlowplugError): void
  /** A number that no other request has. */
  readonly nextId: () => number
  /** A slot for work that leaves something there; undefined where all are kept. */
  keepSlot(): number | undefined
  giveSlot(slot: number): void
  /** A card's state is another. */
  changed(card: BoundCard, state: CardState, error?: GlowplugError): void
  readonly waiting: number
  readonly active: number
  /** Called when nothing waits or runs. */
  onIdle(listener: () => void): void
  /** All that has no answer gets this one. */
  failAll(error: GlowplugError): void
}
