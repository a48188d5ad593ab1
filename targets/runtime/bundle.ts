import type { Manifest } from './manifest.ts'

/** A compiled model in memory: what `compile` returns, what `writeBundle` writes, one of the things `open` takes. */
export interface Bundle {
  /** The model's name. */
  readonly name: string
  readonly manifest: Manifest
  /** Contents by file name, the manifest among them as `<name>-<hash>.manifest.json`. */
  readonly files: ReadonlyMap<string, Uint8Array>
}
