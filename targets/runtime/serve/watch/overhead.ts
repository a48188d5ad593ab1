import type { TensorArray } from '../../tensor.ts'
import type { Card, CardCopy } from '../card.ts'

/**
 * What cards leave out, so that it shows what the rest takes: 0 nothing, 1 the copies of inputs, by host and cards, 2 the runs, 3 both: what is left is the server itself.
 * Outputs are then of no meaning.
 */
export type Overhead = 0 | 1 | 2 | 3

const noCopies: readonly CardCopy[] = []
/** Takes what is written to it. */
const sink = { set() {} } as unknown as TensorArray
const sinks = new Proxy<readonly TensorArray[]>([], { get: () => sink })

/** A card that leaves something out. */
export function leavingOut(card: Card, level: Overhead): Card {
  if (level === 0) return card
  const copies = level === 2
  const runs = level === 1
  return Object.create(card, {
    ...(!copies && { inputs: { value: () => sinks } }),
    submit: {
      value: ((command, finish) => {
        if (!runs) queueMicrotask(() => finish(0))
        else card.submit({ ...command, copies: noCopies }, finish)
      }) satisfies Card['submit'],
    },
  }) as Card
}
