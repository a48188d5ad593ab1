import type { GlowplugError } from '../../error.ts'
import type { BoundCard } from '../choose.ts'
import { type Count, createCount } from '../count.ts'
import { createSession, type OpenSession, type Session, type SessionHost, type SessionOptions } from './session.ts'

/** The sessions of a server. */
export interface Sessions {
  open(options: Partial<SessionOptions> | undefined): Session
  /** Those that have not been closed, and their calls that have no answer yet. */
  readonly sessions: Count
  readonly calls: Count
  /** What a card held is gone. */
  lost(card: BoundCard, error: GlowplugError | undefined): void
  /** Ends all with this error. */
  end(error: GlowplugError): void
}

export function createSessions(
  host: Omit<SessionHost, 'calls' | 'closed' | 'places'>,
  declared: () => SessionOptions | undefined,
): Sessions {
  const all = new Set<OpenSession>()
  const [sessions, calls] = [createCount(), createCount()]
  const setting: SessionHost = {
    ...host,
    calls,
    places: new Map(),
    closed(session) {
      if (all.delete(session)) sessions.remove()
    },
  }
  return {
    sessions,
    calls,
    open(options) {
      const own = declared()
      const initial = options?.carry ? options.initial : { ...own?.initial, ...options?.initial }
      const session = createSession(setting, { ...own, ...options, initial })
      all.add(session)
      sessions.add()
      return session
    },
    lost(card, error) {
      for (const session of all) session.lost(card, error)
    },
    end(error) {
      for (const session of [...all]) session.end(error)
    },
  }
}
