import { dirname, extname, isAbsolute, relative, resolve } from 'node:path'
import type { Loader, OnLoadResult, PartialMessage, PluginBuild } from 'esbuild'
import { createEsbuildPlugin } from 'unplugin'
import { type Cache, defaultFolder, folderCache, memoryCache } from './cache/index.ts'
import { assetPrefix, type Host, type Loaded, loadModelFile, modelPattern, runtimeFile } from './core.ts'
import { toMessages } from './esbuildMessages.ts'
import { findOptionProblems, type Options } from './options.ts'
import { formatReport, type ModelSummary } from './report.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while esbuild bundles them. Emitted files go through esbuild's own `file` loader, so that
 * `outdir`, `outfile`, `write: false`, `assetNames`, splitting and the metafile treat them like any other asset.
 */
export default createEsbuildPlugin<Options | undefined>((options = {}) => ({
  name: 'glowplug',
  esbuild: { setup: (build) => setup(build, options) },
}))

async function setup(build: PluginBuild, options: Options): Promise<void> {
  const problems = await findOptionProblems(options)
  if (problems.length > 0) {
    build.onStart(() => ({ errors: problems.map((text) => ({ text })) }))
    return
  }
  const root = resolve(build.initialOptions.absWorkingDir ?? process.cwd())
  const cache: Cache =
    options.cache === false ? memoryCache() : folderCache(resolve(root, options.cache ?? defaultFolder(root)), options.cacheBytes)
  const host = hostOf(build, root)
  let summaries: ModelSummary[] = []

  build.onStart(() => {
    summaries = []
  })

  build.onLoad({ filter: modelPattern, namespace: 'file' }, async ({ path }): Promise<OnLoadResult | undefined> => {
    const obstacle = obstacleOf(build)
    if (obstacle) return { errors: [obstacle] }
    const { loaded, diagnostics, watchFiles, fault } = await loadModelFile(path, host, options, cache)
    summaries.push(...(loaded?.summaries ?? []))
    const { errors, warnings } = await toMessages(diagnostics, root)
    return {
      ...(loaded && { contents: loaded.code, loader: loaders[extname(path)]!, resolveDir: dirname(path), pluginData: loaded }),
      errors: fault ? [...errors, { text: fault.message, detail: fault }] : errors,
      warnings,
      watchFiles: [...watchFiles],
    }
  })

  build.onResolve({ filter: /^glowplug:runtime$/ }, () => ({ path: runtimeFile, sideEffects: false }))
  // The path begins with that of the module that asked: an asset shared by two models could land in another chunk than theirs, and
  // its address is relative to its chunk.
  build.onResolve({ filter: /^glowplug:asset\// }, ({ path, importer, pluginData }) => {
    const name = path.slice(assetPrefix.length)
    const file = `${relative(root, importer).replaceAll('\\', '/')}/${name}`
    return { path: file, namespace: 'glowplug', sideEffects: false, pluginData: (pluginData as Loaded).assets[name] }
  })
  build.onLoad({ filter: /.*/, namespace: 'glowplug' }, ({ pluginData }) => ({
    contents: pluginData as Uint8Array,
    loader: 'file',
  }))

  build.onEnd(({ errors }) => {
    if (errors.length > 0) return
    const order = (a: ModelSummary, b: ModelSummary) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0)
    const summary = { models: [...summaries].sort(order) }
    const { report = 'table' } = options
    if (typeof report === 'function') report(summary)
    else if (report === 'table' && build.initialOptions.logLevel !== 'silent') process.stderr.write(formatReport(summary))
  })
}

/** What makes a build impossible before any model is read. */
function obstacleOf({ initialOptions }: PluginBuild): PartialMessage | undefined {
  if (!initialOptions.bundle)
    return { text: 'glowplug needs `bundle: true`: the loader and the addresses of the emitted files become part of the bundle' }
  if (!initialOptions.outdir && !initialOptions.outfile)
    return {
      text: 'glowplug needs `outdir` or `outfile`, also with `write: false`: the files of a model get their names from it',
    }
  return undefined
}

const loaders: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.mts': 'ts', '.tsx': 'tsx', '.js': 'js', '.mjs': 'js' }

function hostOf(build: PluginBuild, root: string): Host {
  const { initialOptions } = build
  const format = initialOptions.format ?? { node: 'cjs', neutral: 'esm', browser: 'iife' }[initialOptions.platform ?? 'browser']
  return {
    root,
    define: initialOptions.define ?? {},
    async resolve(specifier, importer) {
      const { path, namespace, errors } = await build.resolve(specifier, {
        importer,
        resolveDir: dirname(importer),
        kind: 'import-statement',
        namespace: 'file',
      })
      return errors.length === 0 && namespace === 'file' && isAbsolute(path) ? path : undefined
    },
    address: addressing(format === 'esm', initialOptions.publicPath),
  }
}

/**
 * esbuild makes the import of an asset its path relative to the chunk, so a chunk must know its own address: ES modules do, scripts
 * have `__filename` when Node runs them. With `publicPath` the import is a web address instead; the file itself is then looked for
 * beside the chunk and in the folders above it, under its hashed name.
 */
function addressing(isModule: boolean, publicPath: string | undefined): Host['address'] {
  const base = isModule ? 'import.meta.url' : '__glowplug_base()'
  const baseOfScript = `
function __glowplug_base() {
  if (typeof __filename === 'string') return process.getBuiltinModule('node:url').pathToFileURL(__filename)
  throw new Error('glowplug: this script does not know where it is; bundle with format: "esm", or run it with Node as CommonJS')
}
`
  const search = `
function __glowplug_find(address) {
  const name = address.slice(${publicPath?.length}).replace(/^\\/+/, '')
  for (let folder = new URL('.', ${base}); ; folder = new URL('..', folder)) {
    const file = new URL(name, folder)
    if (process.getBuiltinModule('node:fs').existsSync(file) || folder.href === new URL('..', folder).href) return file
  }
}
`
  return {
    prelude: `${isModule ? '' : baseOfScript}${publicPath ? search : ''}`,
    of: (variable) => (publicPath ? `__glowplug_find(${variable})` : `new URL(${variable}, ${base})`),
  }
}
