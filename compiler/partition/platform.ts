// A host, its cards and their links, as the compiler sees them. `targets/platform` reads them from files and has presets.

/** Kinds of arithmetic that machines have rates for. Integers of other widths and bools are moved, not computed, as far as rates go. */
export const arithmetics = ['int8', 'f16', 'f32'] as const
export type Arithmetic = (typeof arithmetics)[number]

/** One way, and the other at the same time. */
export interface Link {
  readonly bytesPerSecond: number
  /** From the start of a transfer until its first byte is there. */
  readonly latencySeconds: number
}

export interface MemoryLevel {
  readonly name: string
  readonly bytes: number
  readonly bytesPerSecond: number
}

/** Peak rates are what a data sheet says; these are the parts of them that programs are taken to reach, above 0 and at most 1. */
export interface Utilisation {
  /** Of arithmetic. */
  readonly arithmetic: number
  /** Of the rate of memory, where rows are looked up here and there. */
  readonly lookups: number
  /** Of arithmetic, by kinds of nodes (`kindsOf`) of which it is known: more than 1 where code needs fewer operations than their definition has. */
  readonly kinds?: Readonly<Record<string, number>>
}

/**
 * Parts of their own rates that cards keep when all of them work: those that share a memory, or the power that drives them. Fewer lose as much
 * less as they are fewer.
 */
export interface Sharing {
  readonly arithmetic: number
  readonly memory: number
  /** Processors that cards and host run on together, where cards have none of their own: who copies takes time from who computes. */
  readonly processors?: number
}

/** What computes: a card, or the host itself. */
export interface Processor {
  readonly name: string
  /** Cards of one type are alike; what is compiled for one runs on all. */
  readonly type: string
  /** Which work can be divided among; rates are of all of them together. */
  readonly cores: number
  /** Operations per second, a multiplication and its addition counting two. */
  readonly operationsPerSecond: Readonly<Record<Arithmetic, number>>
  /** The fastest first. The last is the one that weights lie in: its bytes are the capacity. */
  readonly memory: readonly [MemoryLevel, ...MemoryLevel[]]
  readonly utilisation: Utilisation
  /** From a command until its work begins. */
  readonly launchSeconds: number
  /** What a command takes longer from beginning to end where the host waited for it alone, and both slept. Default 0. */
  readonly wakeSeconds?: number
  readonly watts: { readonly idle: number; readonly busy: number }
  /** Tensors that a part placed on it may take in at most. Default: any number. */
  readonly maximumInputs?: number
  /** Names of ops that it cannot run. */
  readonly refuses: readonly string[]
}

export interface Card extends Processor {
  /** To the switch that all cards of the host hang on. */
  readonly link: Link
}

export interface Platform {
  readonly name: string
  readonly host: Processor
  /** What clients reach the host through. */
  readonly network: Link
  /** Between host and switch. All transfers between the host and any card share it. */
  readonly uplink: Link
  /** Whether cards reach each other through the switch, without the host. */
  readonly peerToPeer: boolean
  readonly cards: readonly Card[]
  /** Default: cards do not feel each other. */
  readonly sharing?: Sharing
}

/** Bytes that a processor has for weights, activations and whatever else has to stay. */
export const capacityOf = ({ memory }: Processor): number => memory.at(-1)!.bytes
