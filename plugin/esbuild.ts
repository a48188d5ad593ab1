import { dirname, extname, isAbsolute, relative, resolve } from 'node:path'
import type { Loader, OnLoadResult, PartialMessage, Plugin, PluginBuild } from 'esbuild'
import { detachFiles } from './bundle/write.ts'
import { assetPrefix, type Host, type Loaded, modelPattern, runtimeFile, withInlineMap } from './core.ts'
import { toMessages } from './esbuildMessages.ts'
import type { Options } from './options.ts'
import { openProject } from './project.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while esbuild bundles them. Emitted files go through esbuild's own `file` loader, so that
 * `outdir`, `outfile`, `write: false`, `assetNames`, splitting and the metafile treat them like any other asset.
 */
export default (options: Options = {}): Plugin => ({ name: 'glowplug', setup: (build) => setup(build, options) })

async function setup(build: PluginBuild, options: Options): Promise<void> {
  const root = resolve(build.initialOptions.absWorkingDir ?? process.cwd())
  const project = await openProject(options, root)
  if (project.problems.length > 0) {
    build.onStart(() => ({ errors: project.problems.map((text) => ({ text })) }))
    return
  }
  const host = hostOf(build, root, options)

  const { outdir, outfile, write, loader = {} } = build.initialOptions
  const outputs = outdir ?? (outfile === undefined ? undefined : dirname(outfile))
  let detached = write === false || outputs === undefined
  const readsWeights = outputs !== undefined && (loader[weights] ?? 'file') === 'file'
  if (readsWeights) build.initialOptions.loader = { ...loader, [weights]: 'file' }

  build.onStart(async () => {
    project.begin()
    // In later builds of a context esbuild leaves files alone that did not change.
    if (!detached) await detachFiles(resolve(root, outputs!))
    detached = true
  })

  build.onLoad({ filter: modelPattern, namespace: 'file' }, async ({ path }): Promise<OnLoadResult | undefined> => {
    const obstacle = obstacleOf(build)
    if (obstacle) return { errors: [obstacle] }
    const { loaded, diagnostics, watchFiles, fault } = await project.load(path, host)
    const { errors, warnings } = await toMessages(diagnostics, root)
    return {
      ...(loaded && {
        contents: withInlineMap(loaded),
        loader: loaders[extname(path)]!,
        resolveDir: dirname(path),
        pluginData: loaded,
      }),
      errors: fault ? [...errors, { text: fault.message, detail: fault }] : errors,
      warnings,
      watchFiles: [...watchFiles],
    }
  })

  build.onResolve({ filter: /^glowplug:runtime$/ }, () => ({ path: runtimeFile(host.platform, options), sideEffects: false }))
  // The path begins with that of the module that asked: an asset shared by two models could land in another chunk than theirs, and
  // its address is relative to its chunk.
  build.onResolve({ filter: /^glowplug:asset\// }, async ({ path, importer, pluginData }) => {
    const name = path.slice(assetPrefix.length)
    const owner = relative(root, importer).replaceAll('\\', '/')
    const bytes = (pluginData as Loaded).assets[name]!
    // What esbuild reads by itself need not go through the pipe to its process.
    const file = readsWeights && name.endsWith(weights) ? await project.place(owner, name, bytes) : undefined
    if (file) return { path: file, sideEffects: false }
    return { path: `${owner}/${name}`, namespace: 'glowplug', sideEffects: false, pluginData: bytes }
  })
  build.onLoad({ filter: /.*/, namespace: 'glowplug' }, ({ pluginData }) => ({
    contents: pluginData as Uint8Array,
    loader: 'file',
  }))

  build.onEnd(({ errors }) => {
    if (errors.length === 0) project.end(build.initialOptions.logLevel === 'silent')
  })
}

/** Extension of the large files. */
const weights = '.weights'

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

function hostOf(build: PluginBuild, root: string, options: Options): Host {
  const { initialOptions } = build
  // Unless it is said, esbuild's `browser` is a default that servers get too.
  const platform = options.environment ?? (initialOptions.platform === 'browser' ? 'browser' : 'node')
  const format = initialOptions.format ?? { node: 'cjs', neutral: 'esm', browser: 'iife' }[initialOptions.platform ?? 'browser']
  return {
    root,
    platform,
    language: 'typescript',
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
    address: platform === 'browser' ? inBrowser(format === 'esm') : inNode(format === 'esm', initialOptions.publicPath),
  }
}

/**
 * esbuild makes the import of an asset its path relative to the chunk, so a chunk must know its own address: ES modules do, scripts
 * have `__filename` when Node runs them. With `publicPath` the import is a web address instead; the file itself is then looked for
 * beside the chunk and in the folders above it, under its hashed name.
 */
function inNode(isModule: boolean, publicPath: string | undefined): Host['address'] {
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

/** The import is relative to the chunk, or an address by `publicPath`. A script knows its own address only while it runs. */
const inBrowser = (isModule: boolean): Host['address'] =>
  isModule
    ? { prelude: '', of: (variable) => `new URL(${variable}, import.meta.url)` }
    : {
        prelude: `const __glowplug_script = document.currentScript && document.currentScript.src || document.baseURI\n`,
        of: (variable) => `new URL(${variable}, __glowplug_script)`,
      }
