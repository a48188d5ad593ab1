import { explain, fail, GlowplugError } from './error.ts'
import { type Located, locate, type Source } from './locate.ts'
import type { CodeEntry } from './manifest.ts'
import type { Executor, Host, Loaded, OpenOptions } from './model.ts'
import type { Place, Plan } from './plan.ts'
import { planOf } from './planOf.ts'
import { engine } from './source.ts'

/** Loads and runs code of some kind. */
export interface Driver {
  /** Compiles or loads what `read` returns, after checking its digest. What it throws itself is why this process cannot run the code. */
  prepare(code: CodeEntry, place: Place, read: () => Buffer): Plan['code']
  execute(plan: Plan, options: OpenOptions): Executor
}

/** Kinds without a driver do not run. */
export type Drivers = { readonly [K in CodeEntry['kind']]?: Driver }

/**
 * Takes the first code of the bundle that this process can run. To pass to another level of the same target is no news; to another target
 * is a process warning.
 */
function load(located: Located, options: OpenOptions, drivers: Drivers): Loaded {
  const { codes, model } = located.manifest
  const { target } = options
  const candidates = codes.filter((code) => !target || code.target === target)
  const reasons: string[] = []
  for (const chosen of candidates)
    try {
      const { bytes, digest, kind } = chosen
      const place = located.place(chosen.file)
      const driver = drivers[kind]
      if (!driver) throw Error(`no ${kind} here`)
      const read = () => {
        const content = Buffer.alloc(bytes)
        try {
          engine().readInto(content, place, bytes, 0, digest)
        } catch (error) {
          throw explain(error, { place, bytes })
        }
        return content
      }
      const plan = planOf(located, chosen, driver.prepare(chosen, place, read))
      const fallback = chosen.target === candidates[0]!.target ? undefined : reasons.join('; ')
      if (fallback) process.emitWarning(`model '${model}' runs on ${chosen.target}: ${fallback}`, { code: 'GLOWPLUG_FALLBACK' })
      return { ...plan, ...driver.execute(plan, options), fallback, chosen }
    } catch (error) {
      // Damage is no reason to take other code.
      if (error instanceof GlowplugError) throw error
      reasons.push(`${chosen.target} ${chosen.level}: ${(error as Error).message}`)
    }
  const why = reasons.join('; ') || `built for ${codes.map((code) => code.target)}, not ${target}`
  fail('target-unavailable', `model '${model}' cannot run: ${why}`)
}

/** Bundles in files or in memory. */
export function createHost(source: Source, options: OpenOptions, drivers: Drivers): Host {
  let located: Located | undefined
  let loaded: Loaded | undefined
  const find = () => (located ??= locate(source))
  return { manifest: () => find().manifest, load: () => (loaded ??= load(find(), options, drivers)) }
}
