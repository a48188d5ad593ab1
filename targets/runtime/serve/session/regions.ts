import { arrayOf, copyInput, elementCount, type InputValue } from '../../tensor.ts'
import type { CardPart } from '../card.ts'
import type { PlacedState } from '../placement.ts'
import type { RecordedFlow } from '../record.ts'
import type { Begins } from '../states.ts'

/** A part whose states lie in a region of its card, one for each session, and are renewed there. */
export interface StatefulPart {
  readonly part: CardPart
  /** By flow, its step, or −1, and whether that renews states. */
  readonly steps: readonly number[]
  readonly renews: readonly boolean[]
  /** Those of its states that callers may say first values of. */
  readonly states: readonly PlacedState[]
}

/** The parts with states, and what flows do to these. */
export function planRegions(
  parts: readonly CardPart[],
  flows: readonly RecordedFlow[],
  states: readonly PlacedState[] = [],
): readonly StatefulPart[] {
  return parts.flatMap((part) => {
    if (!part.state) return []
    const used = flows.map(({ steps }) => steps.find(({ program }) => program.part === part.index && program.state))
    return {
      part,
      steps: used.map((step) => step?.index ?? -1),
      renews: used.map((step) => step !== undefined && step.program.state!.renews.length > 0),
      states: states.filter(({ kept }) => kept?.part === part.index),
    }
  })
}

/** What a session begins with in a region: what the bundle says, except where callers do. Errors: those of inputs. */
export function firstOf({ part, states }: StatefulPart, initial: Readonly<Record<string, InputValue>>): Begins {
  const given = states.filter(({ input }) => Object.hasOwn(initial, input))
  if (given.length === 0) return true
  const bytes = new Uint8Array(part.state!.bytes)
  if (part.state!.initial) bytes.set(part.state!.initial)
  for (const { kept, input, dtype, shape } of given) {
    const array = new (arrayOf(dtype))(elementCount(shape))
    copyInput({ name: input, dtype, shape }, initial[input], array)
    const { offset } = part.located.manifest.state!.tensors[kept!.index]!
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset)
  }
  return bytes
}
