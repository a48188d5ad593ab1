import type { Addon } from '../addon.ts'
import { GlowplugError } from '../error.ts'
import { begin, type StatefulInstance } from '../sessions/instance.ts'
import type { StatePlan } from '../sessions/serve.ts'

/** What a state is before a run, where that is not what the run before left: what sessions begin with, or these bytes. */
export type Begins = true | Uint8Array

/** How the state of a command begins, as a number. Bytes come apart from it. */
export const beginnings = { goesOn: 0, anew: 1, withBytes: 2 } as const

/** Place and beginning of a state in one number, which has room for both. */
export const stateWord = (place: number | undefined = 0, begins: Begins | undefined): number =>
  place * 4 + (begins === undefined ? beginnings.goesOn : begins === true ? beginnings.anew : beginnings.withBytes)

export const placeIn = (word: number): number => Math.floor(word / 4)
export const beginningIn = (word: number): number => word % 4

export const beginsOf = (word: number, bytes: Uint8Array | undefined): Begins | undefined =>
  beginningIn(word) === beginnings.goesOn ? undefined : beginningIn(word) === beginnings.anew ? true : bytes

/** How a command ends, beside the faults of models, where its card has no memory for another state. Nothing was written. */
export const noMemory = 0xffff_ffff

export const outOfMemory = (about: (text: string) => string, cause?: unknown): GlowplugError =>
  new GlowplugError('out-of-memory', about('has no memory for the state of another session; close one'), cause)

/** Of one session, over all of these parts. */
export const stateBytes = (parts: readonly { readonly state?: Pick<StatePlan, 'bytes'> | undefined }[]): number =>
  parts.reduce((sum, { state }) => sum + (state?.bytes ?? 0), 0)

/** The states of a part on a card: a region for each place, made when it is first used and used again by later sessions. */
export interface HeldStates<S> {
  /** Throws RangeError where there is no memory for another. */
  at(place: number, begins: Begins | undefined): S
  /** For what runs for no session. */
  scratch(): S
}

function createStates<S>(
  initial: Uint8Array | undefined,
  make: () => S,
  write: (state: S, bytes: Uint8Array | undefined) => void,
): HeldStates<S> {
  const held = new Map<number, S>()
  /** Left by what ran for no session. */
  let spare: S | undefined
  return {
    at(place, begins) {
      const known = held.get(place)
      if (!begins) {
        // Never a state that begins in silence.
        if (known === undefined) throw Error(`place ${place} has no state to go on from`)
        return known
      }
      // What has just been made is zeros.
      const isFresh = known === undefined && spare === undefined
      const state = known ?? spare ?? make()
      if (known === undefined) {
        held.set(place, state)
        spare = undefined
      }
      const first = begins === true ? initial : begins
      if (first || !isFresh) write(state, first)
      return state
    },
    scratch() {
      spare ??= make()
      write(spare, initial)
      return spare
    },
  }
}

/** A region that native code reaches by its address. */
export interface HeldState {
  readonly memory: ArrayBuffer
  readonly start: number
}

export const nativeStates = ({ lead }: Pick<Addon, 'lead'>, { bytes, initial }: StatePlan): HeldStates<HeldState> =>
  createStates(
    initial,
    () => {
      // Takes memory as it is touched.
      const memory = new ArrayBuffer(bytes + 64)
      return { memory, start: lead(memory) }
    },
    ({ memory, start }, first) => begin(new Uint8Array(memory, start, bytes), first),
  )

/** Addresses in the memory of an instance, which grows by a region for each place, up to the 4 GiB of WebAssembly. */
export const portableStates = (
  instance: Pick<StatefulInstance, 'allocate' | 'bytesOf'>,
  { initial }: StatePlan,
): HeldStates<number> => createStates(initial, instance.allocate, (state, first) => begin(instance.bytesOf(state), first))
