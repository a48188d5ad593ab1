import { fail } from '../error.ts'
import type { ServedEntry, ServeOptions, Server } from './api.ts'
import { type InlinePlacement, sourceKey } from './readPlacement.ts'
import { serve } from './serve.ts'

/**
 * What the module of a model exports that the plugin placed over cards: its server, from which `serve` makes others. It has the names of a model that
 * runs in one piece; what needs the calling thread fails with `no-sync`.
 */
export function openServed(source: InlinePlacement, options: ServeOptions = {}): Server {
  const refuse = (name: string) => () =>
    fail('no-sync', `${name}() runs a model on the calling thread, and this one is on cards; await run() instead`)
  const here = { runSync: { value: refuse('runSync') }, bind: { value: refuse('bind') } }
  const server = serve(source, options)
  const { get: entriesOf } = Object.getOwnPropertyDescriptor(server, 'entries')!
  const shown = new WeakMap<ServedEntry, ServedEntry>()
  function show(entry: ServedEntry): ServedEntry {
    const known = shown.get(entry) ?? Object.create(entry, here)
    shown.set(entry, known)
    return known
  }
  return Object.defineProperties(server, {
    ...here,
    entries: {
      get: () => Object.fromEntries(Object.entries<ServedEntry>(entriesOf!()).map(([name, entry]) => [name, show(entry)])),
    },
    [sourceKey]: { value: source },
  })
}
