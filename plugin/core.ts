import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { type Cache, dependenciesOf, isCurrent, type Resolution, sha256 } from './cache/index.ts'
import type { Options } from './options.ts'
import type { ModelSummary } from './report.ts'

/** Files that the plugin reads as model modules; all others it leaves alone. */
export const modelPattern = /\.model\.(?:ts|tsx|mts|js|mjs)$/

/** What a bundler says about the build that a model is part of. */
export interface Host {
  /** Folder that paths in messages, and in the cache, are relative to. */
  readonly root: string
  /** Absolute path of the file that an import means, by the bundler's own rules; undefined when there is none. */
  resolve(specifier: string, importer: string): Promise<string | undefined>
  /** Names that the bundler replaces by source text. */
  readonly define: Readonly<Record<string, string>>
  /**
   * Source text for the place of one emitted file: an expression for a URL, given the name of a variable that holds what the
   * bundler makes of the import. Text that the expressions need stands before them once.
   */
  readonly address: { readonly prelude: string; of(variable: string): string }
}

/** A model module turned into a loader module. */
export interface Loaded {
  readonly code: string
  /** Files that `code` imports as `glowplug:asset/<name>`. */
  readonly assets: Readonly<Record<string, Uint8Array>>
  readonly summaries: readonly ModelSummary[]
}

/** What became of a model file. `loaded` is absent when there are errors. */
export interface Outcome {
  readonly loaded?: Loaded
  readonly diagnostics: readonly Diagnostic[]
  /** Everything that was read, for watch mode: absolute paths. */
  readonly watchFiles: readonly string[]
  /** What broke in the compiler itself. */
  readonly fault?: Error
}

export const runtimeSpecifier = 'glowplug:runtime'
export const assetPrefix = 'glowplug:asset/'

const here = dirname(fileURLToPath(import.meta.url))

/** The loader as one file, which bundlers inline. */
export const runtimeFile = join(here, 'runtime.js')

declare const GLOWPLUG_VERSION: string
declare const GLOWPLUG_SOURCES: string

/** Version of the C compiler that npm installed, read without loading it. */
function compilerVersion(): string {
  for (let folder = here; ; folder = dirname(folder)) {
    try {
      return JSON.parse(readFileSync(join(folder, 'node_modules', '@yowasp', 'clang', 'package.json'), 'utf8')).version
    } catch {
      if (folder === dirname(folder)) return 'unknown'
    }
  }
}

/** All that decides about the result beside the contents of files: the first key of the cache. */
function subjectOf(file: string, host: Host, options: Options): string {
  const { targets, instances, verify } = options
  const versions = [GLOWPLUG_VERSION, GLOWPLUG_SOURCES, compilerVersion(), process.version]
  const address = [host.address.prelude, host.address.of('')]
  const subject = [relative(host.root, file), host.define, address, targets, instances, verify, versions]
  return sha256(JSON.stringify(subject)).slice(0, 32)
}

/** What of an outcome the cache keeps beside the emitted files. */
interface KeptValue {
  readonly code: string
  readonly summaries: readonly ModelSummary[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Turns one model file into a loader module: from the cache when nothing it was made from has changed, otherwise by reading and
 * compiling it. Only then are the extractor and the compiler loaded.
 */
export async function loadModelFile(file: string, host: Host, options: Options, cache: Cache): Promise<Outcome> {
  const started = performance.now()
  const subject = subjectOf(file, host, options)
  const found = await cache.find(subject, (dependencies) => isCurrent(host.root, dependencies, host.resolve, cache))
  if (found) {
    const { code, summaries, diagnostics } = found.value as KeptValue
    const milliseconds = performance.now() - started
    return {
      loaded: { code, assets: found.blobs, summaries: summaries.map((summary) => ({ ...summary, milliseconds, cached: true })) },
      diagnostics,
      watchFiles: found.dependencies.files.map(({ path }) => resolve(host.root, path)),
    }
  }
  const since = Date.now()
  const resolutions: Resolution[] = []
  const recording: Host = {
    ...host,
    async resolve(specifier, importer) {
      const result = await host.resolve(specifier, importer)
      resolutions.push({ specifier, importer, result: result ?? null })
      return result
    },
  }
  const { compileModelFile } = await import('./compileModelFile.ts')
  const { loaded, diagnostics, files, weightFiles, fault } = await compileModelFile(file, recording, options)
  const watchFiles = [...files, ...weightFiles]
  if (!loaded) return { diagnostics, watchFiles, ...(fault && { fault }) }
  const { code, summaries, assets } = loaded
  const dependencies = await dependenciesOf(host.root, { files, large: weightFiles, resolutions }, since, cache)
  if (dependencies)
    await cache.keep(subject, { dependencies, value: { code, summaries, diagnostics } satisfies KeptValue, blobs: assets })
  return { loaded, diagnostics, watchFiles }
}
