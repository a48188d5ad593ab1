import type { GlowplugError } from '../error.ts'
import type { Card } from './card.ts'

/** What a card has to do, over all models that are on it, in milliseconds, and when it was last given something, in turns of `nextTurn`. */
export interface CardLoad {
  outstanding: number
  turn: number
}

export const createLoad = (): CardLoad => ({ outstanding: 0, turn: 0 })

let turns = 0
const nextTurn = (): number => ++turns

/** A card as the executor sees it. */
export interface BoundCard {
  readonly card: Card
  /** Shared with other models that are on the same card. */
  load: CardLoad
  /** Milliseconds of a run by program, on average; modelled until one has been measured. */
  readonly averages: Float64Array
  readonly measured: Uint8Array
  /** When its last command ended. */
  ended: number
  /** Why it does not stand. */
  error: GlowplugError | undefined
  /** It was lost, and the command that it was running has not been heard of yet. */
  suspicious: boolean
  /** By slot and program, the number of the flow whose static inputs are there, from 1; empty where there are none. */
  readonly statics: Uint16Array
}

/** Share of the latest run in the average of a program. */
const weight = 0.125

export function learn({ averages, measured }: BoundCard, program: number, milliseconds: number): void {
  averages[program] = measured[program] ? averages[program]! + weight * (milliseconds - averages[program]!) : milliseconds
  measured[program] = 1
}

/** Gives a card work of so many milliseconds. */
export function occupy({ load }: BoundCard, milliseconds: number): void {
  load.outstanding += milliseconds
  load.turn = nextTurn()
}

export function relieve({ load }: BoundCard, milliseconds: number): void {
  // Sums of fractions leave crumbs behind.
  load.outstanding = Math.max(0, load.outstanding - milliseconds)
}

/**
 * The card that stands and has the least to do; among equals, the one that was given something longest ago. `avoid` is taken where there is
 * no other. Undefined where none stands.
 */
export function choose(cards: readonly BoundCard[], avoid?: BoundCard): BoundCard | undefined {
  let best: BoundCard | undefined
  for (const bound of cards) {
    const { card, load } = bound
    if (card.state !== 'ready') continue
    if (!best || best === avoid) best = bound
    else if (bound === avoid) continue
    else if (load.outstanding < best.load.outstanding) best = bound
    else if (load.outstanding === best.load.outstanding && load.turn < best.load.turn) best = bound
  }
  return best
}
