import type { BoundCard } from '../choose.ts'

/** The cards of a session: one for each part that holds something of it, the same from the first run on. */
export interface Homes {
  /** The first of them; undefined before the first run. */
  readonly card: BoundCard | undefined
  has(card: BoundCard): boolean
  get(part: number): BoundCard | undefined
  /** Which of the places for states that the card of a part has is the session's. */
  placeOf(part: number): number | undefined
  /**
   * The card of a part, chosen when it is first asked for: that with the fewest sessions, and among those the one with the least to do. Parts that share
   * cards share that of the session, so that values stay on it. Undefined where none stands.
   */
  find(part: number): BoundCard | undefined
  /** Others are chosen where parts were on this card, or on any. */
  leave(card?: BoundCard): void
}

/** Of each card, the places that sessions have: one each. */
export type Places = Map<BoundCard, Set<number>>

/** Takes the first place that is free, so that cards have no more of them than they had sessions at one time. */
function takePlace(places: Places, card: BoundCard): number {
  const taken = places.get(card) ?? new Set()
  places.set(card, taken)
  let place = 0
  while (taken.has(place)) place++
  taken.add(place)
  return place
}

/** `places` are those of all sessions. */
export function createHomes(cardsOf: (part: number) => readonly BoundCard[], places: Places): Homes {
  const homes = new Map<number, BoundCard>()
  const own = new Map<BoundCard, number>()
  /** No card stood when one was asked for. */
  let hasWaited = false
  const sessions = (bound: BoundCard) => places.get(bound)?.size ?? 0
  const has = (bound: BoundCard) => own.has(bound)

  return {
    get card() {
      return [...homes.values()][0]
    },
    has,
    get: (part) => homes.get(part),
    placeOf: (part) => own.get(homes.get(part)!),
    find(part) {
      const known = homes.get(part)
      if (known) return known
      const cards = cardsOf(part)
      const standing = cards.filter(({ card }) => card.state === 'ready')
      // At the start for all, so that sessions spread.
      if (standing.length === 0 || (hasWaited && cards.some(({ card }) => card.state === 'starting'))) {
        hasWaited = true
        return undefined
      }
      hasWaited = false
      const [least] = standing.sort((a, b) => sessions(a) - sessions(b) || a.load.outstanding - b.load.outstanding)
      const chosen = standing.find(has) ?? least!
      if (!has(chosen)) own.set(chosen, takePlace(places, chosen))
      homes.set(part, chosen)
      return chosen
    },
    leave(card) {
      for (const [part, bound] of [...homes]) if (!card || bound === card) homes.delete(part)
      for (const [bound, place] of [...own]) {
        if (card && bound !== card) continue
        own.delete(bound)
        places.get(bound)!.delete(place)
      }
    },
  }
}
