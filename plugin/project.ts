import { relative, resolve } from 'node:path'
import { type Cache, defaultFolder, folderCache, memoryCache } from './cache/index.ts'
import { type Host, loadModelFile, type Outcome } from './core.ts'
import { findOptionProblems, type Options } from './options.ts'
import { formatReport, type ModelSummary } from './report.ts'

/** Milliseconds after which a model that is being compiled is named. */
const patience = 15_000

/** One use of the plugin: what all bundlers do with options, cache and report. */
export interface Project {
  readonly root: string
  /** What is wrong with the options, one sentence each. With any, nothing else may be asked. */
  readonly problems: readonly string[]
  /** Compiles a model file, or finds it in the cache. */
  load(file: string, host: Host): Promise<Outcome>
  /** See `Cache`. */
  place: Cache['place']
  /** A build begins: what earlier ones compiled is no part of its report. */
  begin(): void
  /** A build ended well: reports the models that it loaded. A table is printed unless `silent`. */
  end(silent?: boolean): void
}

/** `root` is the folder of the build: of messages, of cached paths, and of a cache folder that was given as a relative path. */
export async function openProject(options: Options, root: string): Promise<Project> {
  const problems = await findOptionProblems(options)
  const { report = 'table' } = problems.length > 0 ? {} : options
  let cache: Cache | undefined
  const openCache = () =>
    (cache ??=
      options.cache === false
        ? memoryCache()
        : folderCache(resolve(root, options.cache ?? defaultFolder(root)), options.cacheBytes))
  let summaries = new Map<string, readonly ModelSummary[]>()
  return {
    root,
    problems,
    place: (owner, name, bytes) => openCache().place(owner, name, bytes),
    async load(file, host) {
      const shown = relative(root, file).replaceAll('\\', '/')
      const notice = () =>
        process.stderr.write(`glowplug is compiling ${shown}; large and recurrent models take a while the first time\n`)
      const timer = report === 'table' ? setTimeout(notice, patience).unref() : undefined
      const outcome = await loadModelFile(file, host, options, openCache()).finally(() => clearTimeout(timer))
      // A bundler may load a module more than once in a build; the first time says what it cost.
      const key = `${host.platform} ${file}`
      if (outcome.loaded && !summaries.has(key)) summaries.set(key, outcome.loaded.summaries)
      return outcome
    },
    begin() {
      summaries = new Map()
    },
    end(silent = false) {
      const order = (a: ModelSummary, b: ModelSummary) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0)
      const summary = { models: [...summaries.values()].flat().sort(order) }
      if (typeof report === 'function') report(summary)
      else if (report === 'table' && !silent) process.stderr.write(formatReport(summary))
    },
  }
}
