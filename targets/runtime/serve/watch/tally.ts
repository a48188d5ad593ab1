import type { ServeEvent, ServerInfo } from '../api.ts'
import type { Watched } from './about.ts'
import { createHistogram, type Histogram, note, rowBounds, secondBounds } from './histogram.ts'

/** What one model has done since it is watched. Times are seconds. */
export interface Tally {
  readonly requests: Map<string, number>
  readonly requestBytes: Map<string, { in: number; out: number }>
  /** By entry and code; `ok` are those that were answered. */
  readonly answered: Map<string, number>
  readonly refused: Map<string, number>
  readonly seconds: Map<string, Histogram>
  readonly queued: Histogram
  /** By card and part. */
  readonly commands: Map<string, Histogram>
  readonly commandErrors: Map<string, number>
  /** By card: bytes that the host wrote there, and that it read from other cards. */
  readonly links: Map<number, { host: number; cards: number }>
  /** By card and code. */
  readonly losses: Map<string, number>
  retried: number
  /** Runs for several requests, the rows that they had and those that were padding. */
  readonly batches: Histogram
  padding: number
  readonly collected: Histogram
}

const createTally = (): Tally => ({
  ...{ requests: new Map(), requestBytes: new Map(), answered: new Map(), refused: new Map(), seconds: new Map() },
  ...{ queued: createHistogram(secondBounds), commands: new Map(), commandErrors: new Map(), links: new Map() },
  ...{ losses: new Map(), retried: 0, batches: createHistogram(rowBounds), padding: 0, collected: createHistogram(secondBounds) },
})

const count = (map: Map<string, number>, key: string, by = 1): void => {
  map.set(key, (map.get(key) ?? 0) + by)
}

export function under<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

export const times = () => createHistogram(secondBounds)
/** Names and codes have no line ends: what `\n` divides is told apart again. */
const keyOf = (...parts: readonly (string | number)[]): string => parts.join('\n')

/** What a server does, in numbers. */
export interface Metrics {
  readonly tally: Tally
  /** What the server says of itself; undefined where it is closed, or cannot be loaded. */
  info(): ServerInfo | undefined
  stop(): void
}

/** Counts all that happens in a server from now on. */
export function watchMetrics(server: Watched): Metrics {
  const tally = createTally()
  /** Of requests under way, when they came and of which entry. */
  const open = new Map<number, { readonly entry: string; readonly time: number }>()
  let last: ServerInfo | undefined
  function observe(event: ServeEvent): void {
    switch (event.kind) {
      case 'request': {
        if (event.batch) break
        const { entry, request, time, bytes } = event
        open.set(request, { entry, time })
        count(tally.requests, entry)
        under(tally.requestBytes, entry, () => ({ in: 0, out: 0 })).in += bytes
        break
      }
      case 'refused':
        count(tally.refused, keyOf(event.entry, event.code))
        break
      case 'started': {
        const waiting = open.get(event.request)
        if (waiting) note(tally.queued, (event.time - waiting.time) / 1e3)
        break
      }
      case 'command': {
        const { card, part, milliseconds, bytes, error, fault } = event
        note(under(tally.commands, keyOf(card, part), times), milliseconds / 1e3)
        const link = under(tally.links, card, () => ({ host: 0, cards: 0 }))
        link.host += bytes.fromHost
        link.cards += bytes.fromCards
        if (error || fault) count(tally.commandErrors, keyOf(card, error?.code ?? 'run-fault'))
        break
      }
      case 'retried':
        tally.retried++
        break
      case 'answered': {
        const { request, milliseconds, bytes, error, batch } = event
        if (batch) {
          note(tally.batches, batch.rows)
          tally.padding += batch.size - batch.rows
          note(tally.collected, batch.waited / 1e3)
          break
        }
        const entry = open.get(request)?.entry
        open.delete(request)
        // It came before anybody watched.
        if (entry === undefined) break
        count(tally.answered, keyOf(entry, error?.code ?? 'ok'))
        note(under(tally.seconds, entry, times), milliseconds / 1e3)
        under(tally.requestBytes, entry, () => ({ in: 0, out: 0 })).out += bytes
        break
      }
      case 'card':
        if (event.error) count(tally.losses, keyOf(event.card, event.error.code))
        break
    }
  }
  return {
    tally,
    info() {
      try {
        last = server.info
        return last
      } catch {
        // After its end its numbers are still known under its name.
        return last && { ...last, waiting: 0, active: 0, cards: [] }
      }
    },
    stop: server.watch(observe),
  }
}
