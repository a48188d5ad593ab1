import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assetPrefix, type Host, type Loaded, modelPattern, runtimeFile, runtimeSpecifier, variantOf } from './core.ts'
import { errorOf, warningsOf } from './messages.ts'
import type { Options } from './options.ts'
import { openProject, type Project } from './project.ts'

/** The part of a compiler that webpack and Rspack share. */
export interface Compiler {
  readonly context: string
  readonly root: object
  readonly platform?: { readonly node?: boolean | null; readonly web?: boolean | null }
  readonly options: {
    readonly module: { readonly rules: unknown[] }
    readonly plugins: readonly unknown[]
    readonly optimization: { readonly nodeEnv?: unknown }
    readonly stats?: unknown
  }
  readonly hooks: {
    readonly environment: { tap(name: string, body: () => void): void }
    readonly make: { tapPromise(name: string, body: (compilation: Compilation) => Promise<void>): void }
    readonly thisCompilation: { tap(name: string, body: (compilation: Compilation) => void): void }
    readonly done: { tapPromise(name: string, body: (stats: { hasErrors(): boolean }) => Promise<void>): void }
  }
}

interface Asset {
  readonly name: string
  readonly info: { readonly sourceFilename?: string }
}

interface Compilation {
  readonly errors: unknown[]
  readonly hooks: { readonly processAssets: { tap(options: { name: string; stage: number }, body: () => void): void } }
  getAssets(): readonly Asset[]
  updateAsset(name: string, source: (before: never) => never, info: object): void
}

/** The part of a loader's context that webpack and Rspack share. */
export interface LoaderContext {
  readonly _compiler: object
  readonly resourcePath: string
  readonly resourceQuery: string
  readonly sourceMap: boolean
  async(): (error?: Error | null, content?: string | Uint8Array, map?: object) => void
  getResolve(options: object): (context: string, request: string) => Promise<string | false | undefined>
  addDependency(file: string): void
  addMissingDependency(file: string): void
  clearDependencies(): void
  emitWarning(warning: Error): void
}

/** What the loaders of one compiler share. */
export interface Session {
  /** Fails with all mistakes of the model as one error. */
  load(context: LoaderContext, file: string): Promise<Loaded>
  /** An emitted file of a model. */
  asset(context: LoaderContext, file: string, name: string): Promise<Uint8Array>
}

/** Loaders are files that the bundler loads by itself; this is how they find what the plugin was given. */
export function sessionOf({ _compiler }: LoaderContext): Session {
  const session = sessions.get(_compiler) ?? sessions.get((_compiler as Partial<Compiler>).root ?? _compiler)
  if (!session) throw new Error('glowplug: a model was loaded by a compiler without the plugin')
  return session
}

/** Files of a model are modules in a folder that exists in names alone, so that one rule tells them from what the application imports. */
const assetFolder = '.glowplug'
const here = dirname(fileURLToPath(import.meta.url))
const globals = globalThis as { [key: symbol]: unknown }
const key = Symbol.for(`glowplug sessions of ${here}`)
/** By compiler. Global, since what reads a configuration may load this module a second time. */
const sessions = (globals[key] ?? new WeakMap()) as WeakMap<object, Session>
globals[key] = sessions
const assetLoader = join(here, 'assetLoader.js')

/** The imports of a loader module as requests: the loaders of other rules have no business with what they lead to. */
export const withRequests = (code: string, file: string, platform: Host['platform'], options: Options): string =>
  code.replace(/^import (\w+|\{[^}]*\}) from "(glowplug:[^"\n]+)"/gm, (_, what: string, specifier: string) => {
    const name = specifier.slice(assetPrefix.length)
    const request =
      specifier === runtimeSpecifier
        ? `-!${runtimeFile(platform, options)}`
        : `${join(dirname(file), assetFolder, name)}!=!-!${assetLoader}!${file}?${name}`
    return `import ${what} from ${JSON.stringify(request)}`
  })

/**
 * Where an emitted file lies at run time. For Node, its name is relative to the output folder, which the runtime code of webpack knows
 * relative to the chunk that it stands in, whatever `publicPath` says. In a browser, webpack makes it an address by `publicPath`.
 */
const addressFor = (platform: Host['platform']): Host['address'] => {
  const message = 'glowplug: this bundle does not know where it is; leave `output.chunkLoading` on, or give the entry a `baseUri`'
  const base = `
function __glowplug_base() {
  if (__webpack_base_uri__) return __webpack_base_uri__
  throw new Error(${JSON.stringify(message)})
}
`
  return platform === 'node'
    ? { prelude: base, of: (variable) => `new URL(${variable}, __glowplug_base())` }
    : { prelude: '', of: (variable) => `new URL(${variable}, document.baseURI)` }
}

/** Puts the rules and hooks of the plugin into a compiler, as soon as the compiler knows what it compiles for. */
export const install = (compiler: Compiler, options: Options): void =>
  compiler.hooks.environment.tap('glowplug', () => {
    const { node, web } = compiler.platform ?? {}
    installFor(options.environment ?? (web && !node ? 'browser' : 'node'), compiler, options)
  })

function installFor(platform: Host['platform'], compiler: Compiler, options: Options): void {
  const root = compiler.context
  const address = addressFor(platform)
  const assets = new Map<string, Uint8Array>()
  let opened: Promise<Project> | undefined
  const project = () => (opened ??= openProject(options, root))

  const hostOf = (context: LoaderContext): Host => {
    const resolve = context.getResolve({ dependencyType: 'esm' })
    return {
      root,
      platform,
      language: 'javascript',
      define: definitionsOf(compiler),
      async resolve(specifier, importer) {
        const found = await resolve(dirname(importer), specifier).catch(() => undefined)
        const path = found ? found.replace(/[?#].*$/, '') : undefined
        return path && isAbsolute(path) ? path : undefined
      },
      address,
    }
  }

  async function load(context: LoaderContext, file: string): Promise<Loaded> {
    const { problems, load: loadModel } = await project()
    if (problems.length > 0) throw plainError(problems.join('\n'))
    const { loaded, diagnostics, watchFiles, fault } = await loadModel(file, hostOf(context))
    // What is not there may appear.
    for (const path of watchFiles)
      if (existsSync(path)) context.addDependency(path)
      else context.addMissingDependency(path)
    for (const warning of await warningsOf(diagnostics, root)) context.emitWarning(plainError(warning.frame))
    const error = await errorOf(diagnostics, root)
    if (error) throw Object.assign(plainError(error.frame), { place: error.loc })
    if (!loaded) throw fault ?? new Error(`glowplug: nothing came of ${file}`)
    for (const [name, bytes] of Object.entries(loaded.assets)) assets.set(`${file}?${name}`, bytes)
    return { ...loaded, code: withRequests(loaded.code, file, platform, options) }
  }

  sessions.set(compiler, {
    load,
    async asset(context, file, name) {
      const key = `${file}?${name}`
      // A bundler that kept the model's module in a cache of its own may still ask for its files.
      const bytes = assets.get(key) ?? (await load(context, file)).assets[name]
      assets.delete(key)
      if (!bytes) throw new Error(`glowplug: ${name} is no file of ${file}`)
      return bytes
    },
  })

  compiler.options.module.rules.push(
    {
      test: modelPattern,
      resourceQuery: { not: [/./] },
      // Its pitch comes before all other loaders and takes their place. The query is part of the key of webpack's own cache.
      enforce: 'post',
      type: 'javascript/auto',
      use: [{ loader: `${join(here, 'modelLoader.js')}?${variantOf(options, platform)}` }],
    },
    {
      test: new RegExp(`[\\\\/]\\${assetFolder}[\\\\/][^\\\\/]+$`),
      type: 'asset/resource',
      ...(platform === 'node' && { generator: { publicPath: '' } }),
    },
  )

  compiler.hooks.make.tapPromise('glowplug', async (compilation) => {
    const { problems, begin } = await project()
    for (const problem of problems) compilation.errors.push(plainError(problem))
    begin()
  })
  // A minimizer would take one that holds JavaScript for a script of its own to change.
  const beforeMinimizers = -2000
  compiler.hooks.thisCompilation.tap('glowplug', (compilation) =>
    compilation.hooks.processAssets.tap({ name: 'glowplug', stage: beforeMinimizers }, () => {
      for (const { name, info } of compilation.getAssets())
        if (info.sourceFilename?.split(/[\\/]/).at(-2) === assetFolder)
          compilation.updateAsset(name, (source) => source, { ...info, minimized: true })
    }),
  )
  compiler.hooks.done.tapPromise('glowplug', async (stats) => {
    assets.clear()
    const { stats: shown } = compiler.options
    if (!stats.hasErrors()) (await project()).end(shown === false || shown === 'none')
  })
}

/** An error whose text says everything: its stack leads into the plugin, which helps nobody. */
const plainError = (text: string): Error => Object.assign(new Error(text), { stack: text })

/** What DefinePlugins replace: code as strings, other values as JSON, objects by the path of their properties. */
function definitionsOf({ options }: Compiler): Record<string, string> {
  const found: Record<string, string> = {}
  const add = (name: string, value: unknown): void => {
    if (typeof value === 'string') found[name] = value
    else if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
      found[name] = String(value)
    else if (Object.getPrototypeOf(value) === Object.prototype)
      for (const [key, inner] of Object.entries(value as object)) add(`${name}.${key}`, inner)
  }
  const { nodeEnv } = options.optimization
  if (typeof nodeEnv === 'string') add('process.env.NODE_ENV', JSON.stringify(nodeEnv))
  for (const plugin of options.plugins as ({ definitions?: object; _args?: readonly object[] } | null | undefined)[])
    if (plugin?.constructor.name === 'DefinePlugin')
      for (const [name, value] of Object.entries(plugin.definitions ?? plugin._args?.[0] ?? {})) add(name, value)
  return found
}
