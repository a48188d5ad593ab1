import { fail } from '../error.ts'
import type { ServeOptions, Server } from './api.ts'
import { type InlinePlacement, sourceKey } from './readPlacement.ts'
import { serve } from './serve.ts'

/**
 * What the module of a model exports that the plugin placed over cards: its server, from which `serve` makes others. It has the names of a model that
 * runs in one piece; what needs the calling thread fails with `no-sync`.
 */
export function openServed(source: InlinePlacement, options: ServeOptions = {}): Server {
  const refuse = (name: string) => () =>
    fail('no-sync', `${name}() runs a model on the calling thread, and this one is on cards; await run() instead`)
  return Object.defineProperties(serve(source, options), {
    runSync: { value: refuse('runSync') },
    bind: { value: refuse('bind') },
    [sourceKey]: { value: source },
  })
}
