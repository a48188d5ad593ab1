import type { BucketedEntry, FileEntry, TensorSignature } from '../manifest.ts'

/** What a placement file says. Written at build, checked by the loader. A change of meaning raises `format`. */
export const placementFormat = 2

/** Where a part lives: on the host, or on logical cards, each of which has a copy and one of which runs it for a request. */
export type Place = 'host' | readonly number[]

/** Nodes that run together, as a bundle of their own. */
export interface PlacedPart {
  readonly name: string
  readonly on: Place
  /** The manifest of its bundle, in the folder of the placement file. */
  readonly bundle: { readonly file: string; readonly bytes: number; readonly digest: string }
  /** Seconds of one run, modelled: what outstanding work is weighed by before there are measurements. */
  readonly seconds: number
  /** Threads that run it together, where it is native code. Default: those of the server. */
  readonly threads?: number
}

/** Where a value comes from: the request, by the index of its input, or an output of an earlier step. */
export type PlacedSource = { readonly input: number } | { readonly step: number; readonly output: number }

/** One run of a part. Inputs and outputs in the order of the entry of its bundle. */
export interface PlacedStep {
  /** Index into `parts`. */
  readonly part: number
  /** Name of the entry of the part's bundle. */
  readonly entry: string
  readonly inputs: readonly PlacedSource[]
  /** For each input the ranges of its elements that are read, in their order; null where all are. Absent where all of all are. */
  readonly reads?: readonly (readonly ReadRange[] | null)[]
}

/** Elements `from` … `to - 1` of an input of a step. */
export interface ReadRange {
  readonly from: number
  readonly to: number
  /**
   * Where only as many of them are read, from the first on, as bags have indices: the sum of elements `from` … `to - 1` of an input of the
   * entry, or the last of these.
   */
  readonly used?: { readonly by: 'lengths' | 'offsets'; readonly input: number; readonly from: number; readonly to: number }
}

/** What elements of an input of integers stand for, where look-ups read it and nothing else does: checked before a request runs. */
export interface InputUse {
  /** Elements pick rows of a table. With `parts`, each index of the leading axis has a table of its own. */
  readonly indices?: readonly { readonly table: string; readonly rows: number; readonly from: number; readonly to: number }[]
  /** Elements are how many rows each bag takes of the indices in that input; their sum is how many of them are used. */
  readonly lengthsOf?: number
  /** Elements are where each bag starts among the indices in that input, and, last, how many of them are used. */
  readonly offsetsOf?: number
  /** One element for each of the indices in that input. */
  readonly weightsOf?: number
  /** Which elements, from `from` up to `to`, are about which of the other input, where they are not one list about another. In their order. */
  readonly groups?: readonly { readonly from: number; readonly to: number; readonly ofFrom: number; readonly ofTo: number }[]
}

/** How the values of one entry flow. */
export interface Flow {
  /** In an order in which they can run; a step may start as soon as all that it reads is there. */
  readonly steps: readonly PlacedStep[]
  /** In the order of the entry's outputs. */
  readonly outputs: readonly PlacedSource[]
  /** In the order of the entry's inputs. */
  readonly uses: readonly InputUse[]
}

/**
 * A value that sessions carry from one run to the next: what an entry leaves in the output is the input of later runs, of whichever entry. Callers of
 * sessions see neither. Those that one part alone reads and makes are states of its bundle, which it renews where they lie; the others are among the
 * inputs and outputs of entries here.
 */
export interface PlacedState extends TensorSignature {
  readonly input: string
  readonly output: string
  /** The part that has it, and which of the states of its bundle it is: there, too, is what a session begins with. */
  readonly kept?: { readonly part: number; readonly index: number }
  /** What a session begins with, dense; zeros where absent. */
  readonly initial?: FileEntry
}

/** A model over cards. */

export interface Placement {
  readonly format: number
  readonly glowplug: string
  readonly model: string
  readonly platform: string
  /** Names of the logical cards. */
  readonly cards: readonly string[]
  readonly entries: readonly {
    readonly name: string
    readonly inputs: readonly TensorSignature[]
    readonly outputs: readonly TensorSignature[]
  }[]
  /** Absent where callers see the entries as they are. States are left out of their inputs and outputs. */
  readonly buckets?: readonly BucketedEntry[]
  /** Present where sessions carry something. */
  readonly states?: readonly PlacedState[]
  readonly parts: readonly PlacedPart[]
  /** One for each of `entries`. */
  readonly flows: readonly Flow[]
  /** What the partitioner decided, with modelled figures: read by `glowplug plan`, not by the loader. */
  readonly plan: unknown
}
