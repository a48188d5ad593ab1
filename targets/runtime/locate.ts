import type { Bundle } from './bundle.ts'
import { checkManifest } from './check.ts'
import { explain, fail } from './error.ts'
import type { Manifest } from './manifest.ts'
import { builtin, type Place } from './plan.ts'
import { engine } from './source.ts'

/** A manifest that is part of the program, and where its files are: beside `base`, or each at its own address, since bundlers like to rename. */
export interface InlineSource {
  readonly manifest: unknown
  readonly base?: string | URL
  /** By the name in the manifest; paths or file: addresses. */
  readonly files?: Readonly<Record<string, string | URL>>
}

/** A folder with one bundle, a manifest file, the file: address of either, a bundle in memory, or a manifest and where its files are. */
export type Source = string | URL | Bundle | InlineSource

export interface Located {
  readonly manifest: Manifest
  place(file: string): Place
}

export function toPath(address: string | URL): string {
  const text = String(address)
  if (!/^[a-z]{2,}:/i.test(text)) return text
  return text.startsWith('file:') ? builtin('url').fileURLToPath(text) : fail('bundle-unreadable', `${text}: bundles are files`)
}

const manifestName = /(-([\da-f]{8}))?\.manifest\.json$/

/** Reads a manifest file, or the only one of a folder. Its name, where that has a hash, must be that of its contents. */
function readManifest(path: string): Located {
  let file = path
  const { statSync, readdirSync, readFileSync } = builtin('fs')
  try {
    if (statSync(path).isDirectory()) {
      const found = readdirSync(path).filter((name) => manifestName.test(name))
      if (found.length !== 1) fail('bundle-missing-file', `${path} holds ${found.length} manifests, not one: ${found.sort()}`)
      file += `/${found}`
    }
    const bytes = readFileSync(file)
    const hash = manifestName.exec(file)?.[2]
    if (hash && engine().sha256(bytes).slice(7, 15) !== hash) throw { code: 'digest' }
    return { manifest: checkManifest(JSON.parse(String(bytes))), place: (name) => file.replace(/[^\\/]*$/, name) }
  } catch (error) {
    throw explain(error, { place: file })
  }
}

/** Finds and checks the manifest. Reads it where it is a file, and nothing else. */
export function locate(source: Source): Located {
  if (typeof source === 'string' || source instanceof URL) return readManifest(toPath(source))
  const { manifest, files, base } = source as InlineSource & { files?: any }
  return {
    manifest: checkManifest(manifest),
    place(file) {
      const found = files?.get?.(file) ?? files?.[file] ?? (base && new URL(file, base))
      if (!found) fail('bundle-missing-file', `no address for ${file}`)
      return found instanceof Uint8Array ? found : toPath(found)
    },
  }
}
