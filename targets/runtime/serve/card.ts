import type { GlowplugError } from '../error.ts'
import type { Located } from '../locate.ts'
import type { StateUse } from '../manifest.ts'
import type { Loaded } from '../model.ts'
import type { PlacedEntry } from '../plan.ts'
import type { StatePlan } from '../sessions/serve.ts'
import type { TensorArray } from '../tensor.ts'
import type { Begins } from './states.ts'

/**
 * One way to run a part on a card: an entry of a part's bundle, with a region of inputs and outputs for each slot. Programs are numbered
 * over the whole model, so that a number means the same on every card; a card has those of the parts that are placed on it.
 */
export interface CardProgram {
  readonly id: number
  readonly part: number
  /** Index of the entry in the part's bundle, and where its tensors lie. */
  readonly entry: number
  readonly placed: PlacedEntry
  /** Present where it runs over the state of a session. */
  readonly state?: StateUse | undefined
}

/** A copy into an input of a program, in the same slot: of an output of another program, on this card or on another. */
export interface CardCopy {
  /** Index of the input that is written. */
  readonly to: number
  /** Index of the card that holds the value, the program that made it, and its output. */
  readonly card: number
  readonly program: number
  readonly output: number
}

/** What a card is asked to do: copies, then the run. The host has written all other inputs. */
export interface Command {
  readonly program: number
  readonly slot: number
  readonly copies: readonly CardCopy[]
  /** Which of the card's regions for states of its part it runs over, numbered from 0; absent where the program has none. */
  readonly place?: number | undefined
  /** What that state begins with; absent where it goes on from the run before. */
  readonly begins?: Begins | undefined
}

/** How a command ended: 0, the number of a fault of the model, or an error, after which the slot on this card holds nothing. */
export type Finish = (fault: number, error?: GlowplugError) => void

/**
 * `starting` until its parts are loaded and have run once; `ready`; `lost` from a death until it stands again; `quarantined` when it
 * hangs and cannot be ended; `failed` when it does not come up again; `closed`.
 */
export type CardState = 'starting' | 'ready' | 'lost' | 'quarantined' | 'failed' | 'closed'

/** Bytes held: weights mapped or copied, activations, inputs and outputs of all slots, and the states of as many sessions as there may be. */
export interface CardBytes {
  readonly weights: number
  readonly activations: number
  readonly regions: number
  readonly states: number
}

/** Where a logical card lives. Commands run one after the other, in the order in which they came. */
export interface Card {
  /** The logical card; the host's own processor has the index −1. */
  readonly index: number
  readonly name: string
  readonly device: 'worker' | 'process'
  readonly state: CardState
  /** What runs there, as `native x86-64-v4`; empty before the first start. */
  readonly target: string
  readonly bytes: CardBytes
  /** Times that it was started anew. */
  readonly restarts: number
  /** The number of the process that it is now, where it is one. */
  readonly pid?: number | undefined
  /** Resolves when it stands; rejects when it cannot. */
  start(): Promise<void>
  /**
   * Inputs and outputs of a program in a slot, as the host sees them. Views may change between commands, so they are asked for
   * each time, and are not to be touched while a command of that slot and program is under way.
   */
  inputs(program: number, slot: number): readonly TensorArray[]
  outputs(program: number, slot: number): readonly TensorArray[]
  /** Whether it reads outputs of that card itself; where it does not, the host copies. */
  reaches(card: number): boolean
  /** Throws nothing: all that goes wrong ends in `finish`, which is called once and not before this returns. */
  submit(command: Command, finish: Finish): void
  /** What is under way fails with `closed`. */
  close(): Promise<void>
}

/** Told by a card of what befalls it. */
export interface CardWatcher {
  changed(card: Card, state: CardState, error?: GlowplugError): void
}

/** A part of the model, found and loaded on the host: every card that has it runs the code that was chosen there. */
export interface CardPart {
  /** Index into the parts of the placement. */
  readonly index: number
  readonly name: string
  readonly located: Located
  readonly loaded: Loaded
  /** What its bundle says of states, where it has some: a region for each session. */
  readonly state?: StatePlan | undefined
  /** Threads that run it together, where it is native code. Default: those of the card. */
  readonly threads?: number | undefined
}

/** What a card is made from. Making it does nothing yet. */
export interface CardOptions {
  readonly index: number
  readonly name: string
  /** Those of its parts alone, and the parts that these programs name. */
  readonly programs: readonly CardProgram[]
  readonly parts: readonly CardPart[]
  /** Requests that may be under way at once, and behind them slots of sessions. */
  readonly slots: number
  /** How many of them are of sessions. */
  readonly kept: number
  /** That run one command together, native code's alone. */
  readonly threads: number
  /** Milliseconds that a command may take, from when the one before it ended, before the card counts as hung. */
  readonly timeout: number
  readonly verify?: 'code' | 'full' | undefined
  /** Told of changes of state; not before the function that makes the card has returned. */
  readonly watcher: CardWatcher
}
