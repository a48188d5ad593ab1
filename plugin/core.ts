import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { type Cache, dependenciesOf, isCurrent, type Resolution, sha256 } from './cache/index.ts'
import type { SourceMap } from './extract/index.ts'
import type { Options } from './options.ts'
import type { ModelSummary } from './report.ts'
import { compilersOf, defaultChoice } from './targets.ts'

/** Files that the plugin reads as model modules; all others it leaves alone. */
export const modelPattern = /\.model\.(?:ts|tsx|mts|js|mjs)$/

/** What a bundler says about the build that a model is part of. */
export interface Host {
  /** Folder that paths in messages, and in the cache, are relative to. */
  readonly root: string
  /** Where the program will run: decides about the loader and about the targets. */
  readonly platform: 'node' | 'browser'
  /** What the bundler can read: one that reads TypeScript gets a model module in the language it was written in. */
  readonly language: 'typescript' | 'javascript'
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
  /** Maps `code` to the model file, which is named as the module's neighbour: builds in different folders are equal. */
  readonly map: SourceMap
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

/** Whether models are placed over cards: browsers have none. */
export const isPlaced = (platform: Host['platform'], options: Options): boolean =>
  platform === 'node' && options.platform !== undefined

/** What opens models, or serves them, as one file, which bundlers inline. */
export const runtimeFile = (platform: Host['platform'], options: Options): string =>
  join(here, platform === 'browser' ? 'browser.js' : isPlaced(platform, options) ? 'serve.js' : 'runtime.js')

/** The code with its map as a comment, for bundlers that look for it there. */
export const withInlineMap = ({ code, map }: Loaded): string =>
  `${code}\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`

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

/** What decides about the results of a build beside files and the bundler's settings: versions, the machine, and options. */
export function variantOf(options: Options, platform: Host['platform']): string {
  const { targets, instances, threads, verify, budgets, recompute, winograd, precision, trace, tuned } = options
  const placed = isPlaced(platform, options) && options.platform
  const machine = [process.version, process.platform, process.arch]
  const compilers = compilersOf(targets ?? defaultChoice, platform)
  const versions = [GLOWPLUG_VERSION, GLOWPLUG_SOURCES, compilerVersion(), compilers, ...machine]
  return sha256(
    JSON.stringify([
      platform,
      targets,
      instances,
      threads,
      verify,
      budgets,
      recompute,
      winograd,
      precision,
      trace,
      tuned,
      placed,
      versions,
    ]),
  ).slice(0, 32)
}

/** All that decides about the result beside the contents of files: the first key of the cache. */
function subjectOf(file: string, host: Host, options: Options): string {
  const { root, platform, language, define, address } = host
  const subject = [relative(root, file), variantOf(options, platform), language, define, address.prelude, address.of('')]
  return sha256(JSON.stringify(subject)).slice(0, 32)
}

/** What of an outcome the cache keeps beside the emitted files. */
interface KeptValue {
  readonly code: string
  readonly map: SourceMap
  readonly summaries: readonly ModelSummary[]
  readonly diagnostics: readonly Diagnostic[]
}

const busy = new Map<string, Promise<unknown>>()

/** One after another where they ask for the same: builds for two output formats at once find in the cache what the first compiled. */
async function inTurn<T>(name: string, body: () => Promise<T>): Promise<T> {
  const mine = (busy.get(name) ?? Promise.resolve()).catch(() => undefined).then(body)
  busy.set(name, mine)
  try {
    return await mine
  } finally {
    if (busy.get(name) === mine) busy.delete(name)
  }
}

/**
 * Turns one model file into a loader module: from the cache when nothing it was made from has changed, otherwise by reading and
 * compiling it. Only then are the extractor and the compiler loaded.
 */
export function loadModelFile(file: string, host: Host, options: Options, cache: Cache): Promise<Outcome> {
  const subject = subjectOf(file, host, options)
  return inTurn(`${subject} ${file}`, () => loadSubject(subject, file, host, options, cache))
}

async function loadSubject(subject: string, file: string, host: Host, options: Options, cache: Cache): Promise<Outcome> {
  const started = performance.now()
  const found = await cache.find(subject, (dependencies) => isCurrent(host.root, dependencies, host.resolve, cache))
  if (found) {
    const { code, map, summaries, diagnostics } = found.value as KeptValue
    const milliseconds = performance.now() - started
    return {
      loaded: {
        code,
        map,
        assets: found.blobs,
        summaries: summaries.map((summary) => ({ ...summary, milliseconds, cached: true })),
      },
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
  const { code, map, summaries, assets } = loaded
  const dependencies = await dependenciesOf(host.root, { files, large: weightFiles, resolutions }, since, cache)
  if (dependencies)
    await cache.keep(subject, { dependencies, value: { code, map, summaries, diagnostics } satisfies KeptValue, blobs: assets })
  return { loaded, diagnostics, watchFiles }
}
