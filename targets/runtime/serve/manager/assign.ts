/** What a logical card takes of the memory of a card, in bytes. */
export interface Need {
  /** Its own: activations, inputs and outputs of all slots, weights that nobody shares. */
  readonly own: number
  /** Weights that all that live on the same card have in common where their keys are equal. */
  readonly shared: readonly { readonly key: string; readonly bytes: number }[]
}

/** Memory of a card that is handed out to needs and taken back: shared weights count once, as long as someone has them. */
export interface Ledger {
  readonly capacity: number
  readonly used: number
  readonly free: number
  /** Bytes that this need would take more. */
  extra(need: Need): number
  take(need: Need): void
  /** What `take` took. */
  release(need: Need): void
}

export function createLedger(capacity: number): Ledger {
  let own = 0
  const shared = new Map<string, { readonly bytes: number; users: number }>()
  const distinct = (need: Need) => new Map(need.shared.map(({ key, bytes }) => [key, bytes]))
  const sharedBytes = () => [...shared.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    capacity,
    get used() {
      return own + sharedBytes()
    },
    get free() {
      return capacity - own - sharedBytes()
    },
    extra: (need) => [...distinct(need)].reduce((sum, [key, bytes]) => sum + (shared.has(key) ? 0 : bytes), need.own),
    take(need) {
      own += need.own
      for (const [key, bytes] of distinct(need)) {
        const held = shared.get(key)
        if (held) held.users++
        else shared.set(key, { bytes, users: 1 })
      }
    },
    release(need) {
      own -= need.own
      for (const key of distinct(need).keys()) {
        const held = shared.get(key)
        if (held && --held.users === 0) shared.delete(key)
      }
    },
  }
}

const sizeOf = ({ own, shared }: Need): number => shared.reduce((sum, { bytes }) => sum + bytes, own)

/**
 * The card of each logical card: biggest first, each to the card with the most free memory that has none of these yet; once all have
 * one, or one does not fit, the order of free memory is taken anew, over all cards. The memory is taken then. Where one fits nowhere,
 * nothing is taken, and its index comes back with how many bytes are missing on the card that comes nearest.
 */
export function assignCards(
  needs: readonly Need[],
  cards: readonly Ledger[],
): { readonly cards: readonly number[] } | { readonly failed: number; readonly missing: number } {
  const assigned = Array<number>(needs.length).fill(-1)
  let order: number[] = []
  const byFree = () => [...cards.keys()].sort((a, b) => cards[b]!.free - cards[a]!.free || a - b)
  for (const index of [...needs.keys()].sort((a, b) => sizeOf(needs[b]!) - sizeOf(needs[a]!) || a - b)) {
    const need = needs[index]!
    const fits = (card: number) => cards[card]!.extra(need) <= cards[card]!.free
    if (order.length === 0 || !fits(order[0]!)) order = byFree()
    // What it shares may make it fit on a card that has less free memory than the first.
    const card = order.find(fits)
    if (card === undefined) {
      const missing = Math.min(...cards.map((each) => each.extra(need) - each.free))
      for (const [i, taken] of assigned.entries()) if (taken >= 0) cards[taken]!.release(needs[i]!)
      return { failed: index, missing }
    }
    cards[card]!.take(need)
    assigned[index] = card
    order = order.filter((other) => other !== card)
  }
  return { cards: assigned }
}
