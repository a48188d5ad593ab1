import { readFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { DevEnvironment, Environment, Plugin, ResolvedConfig, Rolldown } from 'vite'
import { type Host, modelPattern, runtimeFile, runtimeSpecifier } from './core.ts'
import type { Message } from './messages.ts'
import { findOptionProblems, type Options } from './options.ts'
import { createHooks, type Setting } from './rollupLike.ts'
import { createDevelopment, type Development } from './viteDevelopment.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/** The loader of one platform, beside `glowplug:runtime`, which is what the models of this build open with. */
const loaderPrefix = 'glowplug:loader/'
const loaderOf = (platform: Host['platform']) => `${loaderPrefix}${platform}`
const virtual = (specifier: string) => `\0${specifier}`

type Context = Rolldown.PluginContext & { readonly environment: Environment }

/** For libraries, of which nobody knows yet where they will run. */
const anyLoader = `import * as node from '${loaderOf('node')}'
import * as browser from '${loaderOf('browser')}'
const inNode = typeof process === 'object' && process.versions && process.versions.node
${['', 'Buckets', 'Sessions', 'BucketsSessions']
  .flatMap((what) => [
    `export const open${what} = inNode ? node.open${what} : browser.open${what}`,
    `export const openPortable${what} = inNode ? node.openPortable${what} : browser.open${what}`,
  ])
  .join('\n')}
export const withBounds = node.withBounds
`

/**
 * Compiles `*.model.ts` modules for Vite: client environments get the loader for browsers and wasm, server environments the loader for
 * Node and all targets, libraries both loaders. In development models are compiled when a module asks for them.
 */
export default function glowplug(options: Options = {}): Plugin {
  let config: ResolvedConfig
  let development: Development | undefined
  const hooks = createHooks<Context>(options, settingOf)

  const isLibrary = ({ config }: Environment) => config.consumer === 'client' && Boolean(config.build.lib)

  function settingOf(context: Context): Setting & Omit<Host, 'address'> {
    const { environment } = context
    const { consumer, define = {}, logLevel } = environment.config
    const isWorkerRuntime = config.ssr.target === 'webworker' && environment.name === 'ssr'
    const isBrowser = (consumer === 'client' && !isLibrary(environment)) || isWorkerRuntime
    const platform = options.environment ?? (isBrowser ? 'browser' : 'node')
    return {
      root: config.root,
      platform,
      language: 'typescript',
      define: Object.fromEntries(
        Object.entries(define).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
      ),
      resolve: (specifier, importer) =>
        resolveWith(environment, () => context.resolve(specifier, importer, { skipSelf: true }), specifier, importer),
      relative: platform === 'node' || isLibrary(environment),
      silent: logLevel === 'silent',
    }
  }

  return {
    name: 'glowplug',
    // Before the plugins that would read a model module as it stands.
    enforce: 'pre',

    // The scan for packages reads model modules as they stand, too: what they import of the DSL never reaches a browser.
    config: () => ({ optimizeDeps: { exclude: ['glowplug'] } }),

    async configResolved(resolved) {
      config = resolved
      const problems = await findOptionProblems(options)
      if (problems.length > 0) throw new Error(problems.join('\n'))
    },

    configureServer(server) {
      development = createDevelopment(server, options)
      server.middlewares.use(development.answer)
    },

    buildStart() {
      return development ? undefined : hooks.buildStart.call(this)
    },

    resolveId: {
      filter: { id: /^glowplug:/ },
      handler(specifier, importer) {
        if (specifier.startsWith(loaderPrefix)) return { id: virtual(specifier), moduleSideEffects: false }
        if (development && importer) return development.resolveId(specifier, importer)
        return hooks.resolveId.call(this, specifier, importer)
      },
    },

    load: {
      // What stands behind a question mark asks for something else than the module.
      filter: { id: [/^\0glowplug:/, modelPattern] },
      async handler(id) {
        const setting = settingOf(this)
        if (id.startsWith(virtual(loaderPrefix))) {
          const platform = id.slice(virtual(loaderPrefix).length) as Host['platform']
          return { code: await readFile(runtimeFile(platform, options), 'utf8'), map: null, moduleSideEffects: false }
        }
        if (!development) {
          if (id === virtual(runtimeSpecifier) && isLibrary(this.environment) && !options.environment && !options.platform)
            return { code: anyLoader, map: null, moduleSideEffects: false }
          return hooks.load.call(this, id)
        }
        const code = development.loadVirtual(id, setting.platform, loaderOf(setting.platform))
        if (code !== undefined) return { code, map: null }
        const { loaded, error } = await development.loadModel(this, id, setting)
        if (error) throw asError(error)
        return { code: loaded!.code, map: loaded!.map as never }
      },
    },

    hotUpdate(change) {
      return development?.hotUpdate(this.environment as DevEnvironment, change)
    },

    resolveFileUrl(url) {
      return hooks.resolveFileUrl.call(this, url)
    },
    generateBundle: hooks.generateBundle as never,
    writeBundle: hooks.writeBundle as never,
    buildEnd(error) {
      if (!development) hooks.buildEnd.call(this, error)
    },
  }
}

/** Vite shows whatever has the fields of an error; the calls that led to it are the plugin's own, and of no use to an author of models. */
function asError(problem: Message | Error): Error {
  if (problem instanceof Error) return problem
  // Vite's overlay opens the place in an editor, which counts columns from 1.
  const loc = problem.loc && { ...problem.loc, column: problem.loc.column + 1 }
  return Object.assign(new Error(problem.message), problem, { plugin: 'glowplug', stack: '', loc })
}

/** Making one costs a plugin container. */
const resolvers = new WeakMap<ResolvedConfig, ReturnType<typeof import('vite').createIdResolver>>()

const isOwnFile = (id: string) => isAbsolute(id) && !id.includes('\0')

/**
 * The file that an import means by Vite's rules and those of its plugins. Packages are asked for as they stand on disk: neither as what a
 * development server makes of them for a browser, nor as what a server is left to load by itself.
 */
async function resolveWith(
  environment: Environment,
  plain: () => Promise<{ id: string; external?: unknown } | null>,
  specifier: string,
  importer: string,
): Promise<string | undefined> {
  const found =
    environment.mode === 'dev'
      ? await environment.pluginContainer.resolveId(specifier, importer, { scan: true } as object)
      : await plain()
  const pathOf = (id: string | undefined) => {
    const path = id?.replace(/[?#].*$/, '')
    return path && isOwnFile(path) ? path : undefined
  }
  if (found && !found.external && pathOf(found.id)) return pathOf(found.id)
  const { createIdResolver } = await import('vite')
  const config = environment.getTopLevelConfig()
  const resolver = resolvers.get(config) ?? createIdResolver(config, { scan: true } as object)
  resolvers.set(config, resolver)
  return pathOf(await resolver(environment, specifier, importer))
}
