import type { CardInfo, ServeEvent, Server, ServerInfo } from '../api.ts'

/** All that can be watched. */
export type Watched = Pick<Server, 'watch' | 'info'>

/** What a server says of itself, asked for when first needed and again when a card has changed. */
export interface About {
  get(): ServerInfo
  card(index: number): CardInfo | undefined
  cardName(index: number): string
  partName(index: number): string
  /** To be told of every event, before `get`. */
  note(event: ServeEvent): void
}

const nothing: ServerInfo = {
  ...{ model: '', glowplug: '', bundle: '', waiting: 0, active: 0, parts: [], cards: [], crossing: {} },
}

export function createAbout(server: Watched): About {
  let known: ServerInfo | undefined
  let stale = true
  function get(): ServerInfo {
    if (stale)
      try {
        known = server.info
        stale = false
      } catch {
        // It is closed, or cannot be loaded, which is what requests are told: what was known before still names it.
      }
    return known ?? nothing
  }
  const card = (index: number) => get().cards.find((each) => each.index === index)
  return {
    get,
    card,
    cardName: (index) => card(index)?.name ?? (index < 0 ? 'host' : `card${index}`),
    partName: (index) => get().parts[index] ?? String(index),
    note({ kind }) {
      if (kind === 'card') stale = true
    },
  }
}
