import type { Bundle } from '../bundle.ts'
import { checkManifest } from '../check.ts'
import { explain, fail } from '../error.ts'
import { type Located, locate, type Source, toPath } from '../locate.ts'
import type { Manifest } from '../manifest.ts'
import { builtin, type Place } from '../plan.ts'
import { engine } from '../source.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import type { ServedEntry, ServeOptions, Server } from './api.ts'
import { checkPlacement } from './checkPlacement.ts'
import type { PlacedPart, Placement } from './placement.ts'

/** A model placed over cards, in memory: what `compilePlaced` returns, and one of the things `serve` takes. */
export interface PlacedModel {
  /** The model's name. */
  readonly name: string
  readonly placement: Placement
  /** Contents by file name: the placement as `<name>-<hash>.placement.json`, and those of the bundles of all parts. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** A placement that is part of the program, and where its files are: beside `base`, or each at its own address. */
export interface InlinePlacement {
  readonly placement: unknown
  readonly base?: string | URL
  /** By the name in the placement and in the manifests; paths or file: addresses. */
  readonly files?: Readonly<Record<string, string | URL>>
}

/** Modules that the plugin made of models keep under this what `serve` makes its servers from. */
export const sourceKey: unique symbol = Symbol.for('glowplug.source')

type AnyEntry = { run(inputs: any, options?: any): Promise<any> }

/** A model as its module exports it. What the plugin compiled knows what it was made of. */
export interface CompiledModule {
  readonly entries: Readonly<Record<string, AnyEntry>>
  close(): Promise<void>
  readonly [sourceKey]?: Source | InlinePlacement
}

type ServedLike<E> = E extends { run(inputs: infer I, options?: any): Promise<infer O> } ? ServedEntry<I, O> : never

/** The server of a model, with the types that the model has. */
export type ServedModule<M extends CompiledModule> = Omit<Server, 'entries' | 'run'> & {
  readonly entries: { readonly [K in keyof M['entries']]: ServedLike<M['entries'][K]> }
} & (M extends AnyEntry ? Pick<ServedLike<M>, 'run'> : unknown)

/** What `serve` takes and makes. */
export interface Serve {
  <M extends CompiledModule>(model: M, options?: ServeOptions): ServedModule<M>
  <I = Record<string, InputValue>, O = Record<string, TensorValue>>(source: ServeSource, options?: ServeOptions): Server<I, O>
}

/** All that can be served: a folder or a file of a placed model or of a bundle, either in memory, or what the module of a model exports. */
export type ServeSource = Source | PlacedModel | InlinePlacement | CompiledModule

/** A placement, and for each of its parts the manifest of its bundle and where its files are; parts with equal bundles share one. */
export interface ReadPlacement {
  readonly placement: Placement
  readonly bundles: readonly Located[]
  /** Where the placement's own files are: the initial values of states. */
  readonly place?: (file: string) => Place
}

const placementName = /(?:-([0-9a-f]{8}))?\.placement\.json$/

/** Longer files are neither placements nor manifests. */
const longestFile = 2 ** 26

/** The path of the placement file that an address means; undefined where there is none in the folder, or the file is another. */
function findFile(path: string): string | undefined {
  const { statSync, readdirSync } = builtin('fs')
  try {
    if (!statSync(path).isDirectory()) return placementName.test(path) ? path : undefined
    const found = readdirSync(path).filter((name) => placementName.test(name))
    if (found.length > 1) fail('bundle-missing-file', `${path} holds ${found.length} placements, not one: ${found.sort()}`)
    return found[0] && `${path.replace(/[\\/]+$/, '')}/${found[0]}`
  } catch (error) {
    throw explain(error, { place: path })
  }
}

/** The contents of a placement file. Its name, where that has a hash, must be that of its contents. */
function readFile(file: string): unknown {
  const { statSync, readFileSync } = builtin('fs')
  try {
    const { size } = statSync(file)
    if (size > longestFile) fail('placement-malformed', `${file} has ${size} bytes; no placement has more than ${longestFile}`)
    const bytes = readFileSync(file)
    const hash = placementName.exec(file)?.[1]
    if (hash && engine().sha256(bytes).slice(7, 15) !== hash) throw { code: 'digest' }
    return JSON.parse(String(bytes))
  } catch (error) {
    if ((error as Error).name === 'SyntaxError')
      fail('placement-malformed', `${file} is damaged: ${(error as Error).message}`, error)
    throw explain(error, { place: file })
  }
}

/** Reads the manifest of a part's bundle, which must have the size and the digest that the placement says. */
function readManifest({ bytes, digest }: PlacedPart['bundle'], place: Place): Manifest {
  try {
    if (bytes > longestFile) fail('placement-malformed', `the placement is damaged: no manifest has ${bytes} bytes`)
    const content = Buffer.alloc(bytes)
    engine().readInto(content, place, bytes, 0, digest)
    return checkManifest(JSON.parse(String(content)))
  } catch (error) {
    throw explain(error, { place, bytes })
  }
}

/** The placement with the manifests of its bundles, all checked. */
function complete(value: unknown, place: (file: string) => Place): ReadPlacement {
  const known = new Map<string, Located>()
  const { placement, manifests } = checkPlacement(value, (bundle) => readManifest(bundle, place(bundle.file)))
  const bundles = placement.parts.map(({ bundle: { file } }, part) => {
    const located = known.get(file) ?? { manifest: manifests[part]!, place }
    known.set(file, located)
    return located
  })
  return { placement, bundles, place }
}

/**
 * Finds and checks a placement and the manifests of its parts, in bounded time, since they may be damaged or foreign; reads nothing else.
 * Undefined where the source is a bundle, which has none. Errors: `placement-malformed`, which names the field, and those of `open` for files.
 */
export function readPlacement(source: ServeSource): ReadPlacement | undefined {
  const own = (source as CompiledModule)[sourceKey]
  if (own) return readPlacement(own)
  if (typeof source === 'string' || source instanceof URL) {
    const file = findFile(toPath(source))
    return file === undefined ? undefined : complete(readFile(file), (name) => file.replace(/[^\\/]*$/, name))
  }
  if (!('placement' in source)) return undefined
  const { placement, files, base } = source as InlinePlacement & { readonly files?: any }
  return complete(placement, (file) => {
    const found = files?.get?.(file) ?? files?.[file] ?? (base && new URL(file, base))
    if (!found) fail('bundle-missing-file', `no address for ${file}`)
    return found instanceof Uint8Array ? found : toPath(found)
  })
}

/** The bundle of a source that has no placement. */
export function readBundle(source: ServeSource): Located {
  const own = (source as CompiledModule)[sourceKey] ?? source
  if (typeof own !== 'string' && !(own instanceof URL) && !('manifest' in own))
    fail('bad-option', 'serve() takes a folder, a bundle, or a model that the plugin has compiled; this is none of them')
  return locate(own as string | URL | Bundle | Source)
}
