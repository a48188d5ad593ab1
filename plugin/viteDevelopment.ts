import { join, relative, resolve } from 'node:path'
import type { DevEnvironment, EnvironmentModuleNode, HotUpdateOptions, ViteDevServer } from 'vite'
import { assetPrefix, type Host, runtimeSpecifier } from './core.ts'
import { errorOf, type Message, warningsOf } from './messages.ts'
import type { Options } from './options.ts'
import { openProject, type Project } from './project.ts'
import { formatReport } from './report.ts'
import { type ServedFiles, servedPath, serveFiles } from './viteFiles.ts'

/** What became of a model file in one environment. */
interface Known {
  /** All that was read for it: absolute paths with slashes. */
  readonly files: ReadonlySet<string>
  readonly failed: boolean
}

interface Context {
  readonly environment: unknown
  warn(message: Message): void
}

type Setting = Omit<Host, 'address'>

const virtual = (specifier: string) => `\0${specifier}`
const runtimeOf = virtual(`${runtimeSpecifier}/`)
const slashed = (path: string) => path.replaceAll('\\', '/')

/**
 * Statements of a model module before its models are opened. Those that an earlier state of the module had opened are closed; where
 * modules are replaced without telling anyone, not before the next change, since answers may be under way. A server that starts over
 * forgets all modules; a page that does so is gone.
 */
const renewalOf = (platform: Host['platform']) => `import { renew as __glowplug_renew } from ${JSON.stringify(runtimeSpecifier)}
__glowplug_renew(import.meta.hot ? 1 : 2)
if (import.meta.hot) import.meta.hot.prune(() => __glowplug_renew(0))
${platform === 'node' ? `if (import.meta.hot) import.meta.hot.on('vite:beforeFullReload', () => __glowplug_renew(0))\n` : ''}`

/** What model modules open models with. */
const openers = [
  ...['open', 'openPortable', 'openBuckets', 'openPortableBuckets'].flatMap((name) => [name, `${name}Sessions`]),
  'openServed',
]

/** The loader as one model module sees it. It stays when that module is replaced, and remembers what has been opened. */
const rememberingLoader = (loader: string) => `import * as loader from ${JSON.stringify(loader)}
const states = []
export const renew = (kept) => {
  states.push([])
  for (const models of states.splice(0, states.length - kept)) for (const model of models) void model.close()
}
const remembering = (open) => (...given) => {
  const model = open(...given)
  states.at(-1).push(model)
  return model
}
${openers.map((name) => `export const ${name} = remembering((...given) => loader.${name}(...given))\n`).join('')}export const withBounds = (model) => loader.withBounds(model)
`

/** Whether nothing on some way from a module to the program takes its replacement. */
function endsNowhere(node: EnvironmentModuleNode, seen = new Set<EnvironmentModuleNode>()): boolean {
  if (seen.has(node) || node.isSelfAccepting) return false
  seen.add(node)
  const importers = [...node.importers]
  return importers.length === 0 || importers.some((each) => !each.acceptedHmrDeps.has(node) && endsNowhere(each, seen))
}

/** Models in a development server: compiled when asked for, again when something they were read from changes, their files served. */
export function createDevelopment(server: ViteDevServer, options: Options) {
  const { config } = server
  const files: ServedFiles = serveFiles(join(config.cacheDir, 'glowplug'), `${config.base}${servedPath}`, config.server.headers)
  const known = new WeakMap<DevEnvironment, Map<string, Known>>()
  let project: Promise<Project> | undefined
  void files.clean()

  const modelsOf = (environment: DevEnvironment) => {
    const found = known.get(environment) ?? new Map<string, Known>()
    known.set(environment, found)
    return found
  }

  return {
    answer: files.answer,

    /** `loader` is the specifier of the loader for this environment. */
    resolveId(specifier: string, importer: string): string | undefined {
      const place = slashed(relative(config.root, importer))
      if (specifier === runtimeSpecifier) return `${runtimeOf}${place}`
      return specifier.startsWith(assetPrefix) ? virtual(specifier) : undefined
    },

    /** Code of what `resolveId` found. */
    loadVirtual(id: string, platform: Host['platform'], loader: string): string | undefined {
      if (id.startsWith(runtimeOf)) return rememberingLoader(loader)
      if (!id.startsWith(virtual(assetPrefix))) return undefined
      const name = id.slice(virtual(assetPrefix).length)
      if (platform === 'node') return `export default ${JSON.stringify(files.addressOf(name))}`
      // Behind the server that the module came from: the page may be of another one.
      return `const path = ${JSON.stringify(`${config.base}${servedPath}${name}`)}\nexport default new URL(path, import.meta.url).href`
    },

    async loadModel(context: Context, file: string, setting: Setting) {
      project ??= openProject(options, setting.root)
      const opened = await project
      const host: Host = { ...setting, address: { prelude: renewalOf(setting.platform), of: (variable) => variable } }
      const { loaded, diagnostics, watchFiles, fault } = await opened.load(file, host)
      const read = watchFiles.map((path) => resolve(path))
      modelsOf(context.environment as DevEnvironment).set(slashed(file), { files: new Set(read.map(slashed)), failed: !loaded })
      const outside = read.filter((path) => !slashed(path).startsWith(`${slashed(config.root)}/`))
      if (outside.length > 0) server.watcher.add(outside)
      for (const warning of await warningsOf(diagnostics, setting.root)) context.warn(warning)
      if (!loaded) return { error: (await errorOf(diagnostics, setting.root)) ?? fault ?? new Error(`nothing came of ${file}`) }
      await files.add(loaded.assets)
      const { report = 'table' } = options
      if (typeof report === 'function') report({ models: loaded.summaries })
      else if (report === 'table') config.logger.info(formatReport({ models: loaded.summaries }).trimEnd())
      return { loaded }
    },

    /** The modules that a change reaches: what is imported, as Vite knows it, and the models that were read from the file. */
    hotUpdate(
      environment: DevEnvironment,
      { type, file, modules, timestamp }: HotUpdateOptions,
    ): EnvironmentModuleNode[] | undefined {
      // A file that is new may be the one that an import did not find.
      const reached = [...modelsOf(environment)].filter(
        ([, model]) => model.files.has(file) || (model.failed && type !== 'update'),
      )
      if (reached.length === 0) return undefined
      const nodes = reached.flatMap(([model]) => [...(environment.moduleGraph.getModulesByFile(model) ?? [])])
      // Whoever imports what never was a module cannot be updated in place.
      const reload = reached.some(([, { failed }]) => failed)
      // On a server Vite would name the changed file, of which the modules that run there know nothing.
      const isServer = environment.config.consumer === 'server'
      const stale = nodes.filter((node) => reload || (isServer && endsNowhere(node)))
      for (const node of stale) environment.moduleGraph.invalidateModule(node, new Set(), timestamp, true)
      if (isServer) for (const { file } of stale) environment.hot.send({ type: 'full-reload', triggeredBy: file! })
      if (reload) server.environments.client.hot.send({ type: 'full-reload' })
      return [...new Set([...modules, ...nodes])]
    },
  }
}

export type Development = ReturnType<typeof createDevelopment>
