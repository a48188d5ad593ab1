import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rspack } from '@rspack/core'
import glowplugRolldown from 'glowplug/rolldown'
import glowplugRollup, { type ModelSummary, type Options, type Summary } from 'glowplug/rollup'
import glowplugRspack from 'glowplug/rspack'
import glowplugWebpack from 'glowplug/webpack'
import { rolldown, watch as watchRolldown } from 'rolldown'
import { type RollupLog, rollup, watch as watchRollup } from 'rollup'
import webpack from 'webpack'
import { createProject as createBare, type Files, repository, sharedCache } from '../esbuild/support.ts'

export interface Settings {
  /** Source files by the names of their outputs. */
  readonly entry: Readonly<Record<string, string>>
  readonly format?: 'es' | 'cjs'
  readonly out?: string
  /** Options of the bundler itself, merged over those above. */
  readonly input?: object
  readonly output?: object
}

/** What a build ended with; lines from 1, columns from 0. */
export interface Outcome {
  readonly models: readonly ModelSummary[]
  readonly error?: { readonly text: string; readonly file?: string; readonly line?: number; readonly column?: number }
  readonly warnings: readonly string[]
}

export interface Watching {
  /** The outcome of the next build that ends. */
  next(): Promise<Outcome>
  close(): Promise<unknown>
}

export interface Bundler {
  build(project: string, settings: Settings, options?: Options): Promise<Outcome>
  watch(project: string, settings: Settings, options?: Options): Watching
}

export type Name = 'rollup' | 'rolldown' | 'webpack' | 'rspack'

/** A folder as a user has it, with the bundlers among the packages. */
export function createProject(files: Files): string {
  const folder = createBare(files)
  for (const name of ['rollup', 'rolldown', 'webpack', '@rspack/core']) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true })
    symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

/** The options of a plugin and what it reported last. */
function reporting(options: Options) {
  const state = { models: [] as readonly ModelSummary[] }
  const report = (summary: Summary) => {
    state.models = summary.models
  }
  return { state, options: { cache: sharedCache, report, ...options } }
}

const extension = ({ format = 'es' }: Settings) => (format === 'es' ? 'mjs' : 'cjs')
const values = (entry: Readonly<Record<string, string>>, project: string) =>
  Object.fromEntries(Object.entries(entry).map(([name, file]) => [name, join(project, file)]))

function rollupLike(
  run: (input: any) => Promise<{ write(output: any): Promise<unknown>; close(): Promise<unknown> }>,
  startWatching: (options: any) => { on(event: 'event', body: (event: any) => void): unknown; close(): Promise<unknown> },
  plugin: (options: Options) => unknown,
  more: (project: string) => object,
): Bundler {
  const configure = (project: string, settings: Settings, options: Options) => {
    const warnings: string[] = []
    const { state, options: given } = reporting(options)
    const input = {
      input: values(settings.entry, project),
      plugins: [plugin(given)],
      external: [/^node:/],
      onLog: (level: string, { message }: RollupLog) => void (level === 'warn' && warnings.push(message)),
      ...more(project),
      ...settings.input,
    }
    const { format = 'es' } = settings
    const output = {
      dir: join(project, settings.out ?? 'out'),
      format,
      entryFileNames: `[name].${extension(settings)}`,
      chunkFileNames: `[name]-[hash].${extension(settings)}`,
      ...settings.output,
    }
    const outcome = (error?: RollupLog): Outcome => ({
      models: state.models,
      warnings: [...warnings],
      ...(error && { error: failureOf(error) }),
    })
    return { input, output, outcome }
  }
  return {
    async build(project, settings, options = {}) {
      const { input, output, outcome } = configure(project, settings, options)
      try {
        const built = await run(input)
        await built.write(output)
        await built.close()
        return outcome()
      } catch (error) {
        return outcome(error as RollupLog)
      }
    },
    watch(project, settings, options = {}) {
      const { input, output, outcome } = configure(project, settings, options)
      const watcher = startWatching({ ...input, output, watch: { buildDelay: 20 } })
      const queue = outcomes()
      let failed: RollupLog | undefined
      watcher.on('event', (event) => {
        if (event.code === 'ERROR') failed = event.error
        void event.result?.close()
        if (event.code !== 'END') return
        queue.add(outcome(failed))
        failed = undefined
      })
      return { next: queue.next, close: async () => watcher.close() }
    },
  }
}

/** Rolldown gathers the errors of a build. */
function failureOf(error: RollupLog): NonNullable<Outcome['error']> {
  const first = ((error as { errors?: RollupLog[] }).errors?.[0] ?? error) as RollupLog
  const { message, frame = '', loc } = first
  return {
    text: `${message}\n${frame}`,
    ...(loc && { file: loc.file ?? first.id ?? '', line: loc.line, column: loc.column }),
  }
}

type Stats = { toJson(options: object): { errors?: StatsError[]; warnings?: StatsError[] } }
interface StatsError {
  readonly message: string
  readonly moduleName?: string
  readonly loc?: string
}
interface Compiler {
  run(done: (error: Error | null, stats?: Stats) => void): void
  watch(options: object, done: (error: Error | null, stats?: Stats) => void): { close(done: () => void): void }
  close(done: (error?: Error | null) => void): void
}

function webpackLike(create: (configuration: any) => Compiler, plugin: (options: Options) => unknown): Bundler {
  const configure = (project: string, settings: Settings, options: Options) => {
    const { state, options: given } = reporting(options)
    const module = settings.format !== 'cjs'
    const compiler = create({
      mode: 'production',
      target: 'node20',
      context: project,
      entry: values(settings.entry, project),
      optimization: { minimize: false },
      plugins: [plugin(given)],
      ...(module && { experiments: { outputModule: true } }),
      ...settings.input,
      output: {
        path: join(project, settings.out ?? 'out'),
        filename: `[name].${extension(settings)}`,
        chunkFilename: `[name]-[contenthash].${extension(settings)}`,
        module,
        ...(module ? { library: { type: 'module' } } : { library: { type: 'commonjs2' } }),
        ...settings.output,
      },
    })
    const outcome = (error: Error | null, stats?: Stats): Outcome => {
      const { errors = [], warnings = [] } = stats?.toJson({ all: false, errors: true, warnings: true, moduleTrace: true }) ?? {}
      const first = errors[0]
      const [line, column] = (first?.loc ?? '').split(/[:-]/).map(Number)
      return {
        models: state.models,
        warnings: warnings.map(({ message }) => message),
        ...(error && { error: { text: error.message } }),
        ...(first && {
          error: {
            text: errors.map(({ message }) => message).join('\n'),
            ...(first.moduleName && { file: join(project, first.moduleName) }),
            ...(line && { line, column: column! }),
          },
        }),
      }
    }
    return { compiler, outcome }
  }
  return {
    build(project, settings, options = {}) {
      const { compiler, outcome } = configure(project, settings, options)
      return new Promise((done) =>
        compiler.run((error, stats) => {
          const found = outcome(error, stats)
          compiler.close(() => done(found))
        }),
      )
    },
    watch(project, settings, options = {}) {
      const { compiler, outcome } = configure(project, settings, options)
      const queue = outcomes()
      const watching = compiler.watch({ aggregateTimeout: 20 }, (error, stats) => queue.add(outcome(error, stats)))
      return { next: queue.next, close: () => new Promise<void>((done) => watching.close(() => compiler.close(() => done()))) }
    },
  }
}

/** Builds end when they like; who watches takes their outcomes in order. */
function outcomes() {
  const waiting: ((outcome: Outcome) => void)[] = []
  const ready: Outcome[] = []
  return {
    add(outcome: Outcome) {
      const taker = waiting.shift()
      if (taker) taker(outcome)
      else ready.push(outcome)
    },
    next: () => new Promise<Outcome>((done) => (ready.length > 0 ? done(ready.shift()!) : waiting.push(done))),
  }
}

export const bundlers: Readonly<Record<Name, Bundler>> = {
  rollup: rollupLike(rollup, watchRollup as never, glowplugRollup, () => ({})),
  rolldown: rollupLike(rolldown as never, watchRolldown as never, glowplugRolldown, (project) => ({
    cwd: project,
    platform: 'node',
    checks: { pluginTimings: false },
  })),
  webpack: webpackLike(webpack as never, glowplugWebpack),
  rspack: webpackLike(rspack as never, glowplugRspack),
}

export const names = Object.keys(bundlers) as readonly Name[]
