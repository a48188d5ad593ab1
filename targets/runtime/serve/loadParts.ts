import { createHost } from '../load.ts'
import type { Located } from '../locate.ts'
import { native } from '../native.ts'
import { statePlanOf } from '../sessions/model.ts'
import { engine } from '../source.ts'
import { threads as threadsDriver } from '../threads.ts'
import type { ServeOptions } from './api.ts'
import type { CardPart } from './card.ts'
import type { ReadPlacement } from './readPlacement.ts'
import { withTimes } from './watch/times.ts'

const drivers = { wasm: threadsDriver, module: threadsDriver, addon: native }

function loadPart(
  located: Located,
  { verify, threads }: ServeOptions,
  target: string | undefined,
): Pick<CardPart, 'loaded' | 'state'> {
  const files = { get: (file: string) => located.place(file) } as any
  const loaded = createHost({ manifest: located.manifest, files }, { verify, threads, target }, drivers).load()
  return {
    loaded: { ...loaded, entries: loaded.entries.map(withTimes) },
    ...(located.manifest.state && { state: statePlanOf(located.manifest, loaded, verify, engine().readInto) }),
  }
}

/**
 * Takes for each part the first code that this process can run, and checks its digest. A card has either native code or none: where one part has none,
 * the others leave theirs. Errors are those of `open`.
 */
export function loadParts({ placement, bundles }: ReadPlacement, options: ServeOptions): readonly CardPart[] {
  const load = (target: (located: Located) => string | undefined) => {
    // Parts with equal bundles have the same code.
    const known = new Map<Located, ReturnType<typeof loadPart>>()
    return placement.parts.map(({ name, threads }, index): CardPart => {
      const located = bundles[index]!
      const own = known.get(located) ?? loadPart(located, options, target(located))
      known.set(located, own)
      return { index, name, located, ...own, threads }
    })
  }
  const parts = load(() => options.target)
  const isNative = ({ loaded }: CardPart) => loaded.chosen.kind === 'addon'
  if (options.target !== undefined || parts.every(isNative) || !parts.some(isNative)) return parts
  return load(({ manifest }) => manifest.codes.find(({ kind }) => kind !== 'addon')?.target)
}
