// What host and card say to each other: frames of eight words, little-endian, and a payload. `mark` opens each, so that a card that has gone mad
// is found out soon.
//
//            │ word 0 │ 1     │ 2  │ 3       │ 4    │ 5      │ 6     │ 7     │ payload
//   setup    │ mark   │ setup │    │         │      │        │ bytes │       │ a Setup, serialized
//   run      │ mark   │ run   │ id │ program │ slot │ copies │ bytes │ state │ four words for each copy, what the state begins with where the word of it says so, then inputs where memory is not shared
//   ping     │ mark   │ ping  │ id │         │      │        │       │       │
//   ready    │ mark   │ ready │    │         │      │        │       │       │
//   progress │ mark   │ …     │    │ first   │      │        │       │       │ a step of the start is done; 1: a first run begins
//   done     │ mark   │ done  │ id │ fault   │      │        │ bytes │       │ outputs where memory is not shared
//   pong     │ mark   │ pong  │ id │         │      │        │       │       │
//   error    │ mark   │ error │    │         │      │        │ bytes │       │ { name, code, message } as JSON; the last of all
import type { TensorInfo } from '../../plan.ts'
import type { RegionProgram } from './layout.ts'

/** Descriptors in the process of a card; those of memory come behind them. */
export const channels = { commands: 3, answers: 4, memory: 5 } as const

export const mark = 0x574f4c47
export const frameBytes = 32
/** Of one copy: input, card, program, output. */
export const copyBytes = 16
export const kinds = { setup: 1, run: 2, ping: 3, ready: 4, progress: 5, done: 6, pong: 7, error: 8 } as const
/** Longer words about an error are cut. */
export const errorBytes = 16384

/** A program as others see it: where its tensors lie. */
export interface SetupProgram extends RegionProgram {
  /** It runs over the state of a session. */
  readonly hasState: boolean
  readonly inputs: readonly Pick<TensorInfo, 'offset' | 'bytes'>[]
  readonly outputs: readonly Pick<TensorInfo, 'offset' | 'bytes'>[]
}

/** What a card is told before anything else. */
export interface Setup {
  /** The process of the host. */
  readonly parent: number
  readonly title: string
  readonly card: number
  readonly slots: number
  readonly verify: 'code' | 'full' | undefined
  readonly parts: readonly {
    readonly index: number
    /** That run it together, native code's alone. */
    readonly threads: number
    /** With the one code that is to run. */
    readonly manifest: unknown
    readonly files: ReadonlyMap<string, string | Uint8Array>
  }[]
  /** Those of this card, in the order of its layout: index into `parts`, and entry of that part. */
  readonly entries: readonly { readonly part: number; readonly entry: number }[]
  /** This card first, then those that it reads. Descriptors of memory, or none where tensors come in frames. */
  readonly cards: readonly {
    readonly index: number
    readonly programs: readonly SetupProgram[]
    readonly descriptor?: number | undefined
  }[]
}
