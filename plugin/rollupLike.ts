import { mkdir, readFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path'
import { detachFile, writeWhole } from './bundle/write.ts'
import { assetPrefix, type Host, modelPattern, runtimeFile, runtimeSpecifier } from './core.ts'
import { errorOf, type Message, warningsOf } from './messages.ts'
import type { Options } from './options.ts'
import { openProject, type Project } from './project.ts'

/** What a bundler with Rollup's plugin interface says about a build. */
export type Setting = Omit<Host, 'resolve' | 'address'> & {
  readonly silent: boolean
  /** Where the bundler's own way to resolve imports leads to other files than those of the model. */
  readonly resolve?: Host['resolve']
  /** Whether files are opened beside the chunk that names them, whatever address the bundler would give them. Default: in scripts. */
  readonly relative?: boolean
}

/** The part of a plugin context that Rollup, Rolldown and Vite share. */
interface Context {
  emitFile(file: { type: 'asset'; name: string; source: Uint8Array }): string
  resolve(
    specifier: string,
    importer?: string,
    options?: { skipSelf?: boolean },
  ): Promise<{ id: string; external: boolean | 'absolute' | 'relative' } | null>
  addWatchFile(file: string): void
  error(message: Message | Error): never
  warn(message: Message): void
}

interface FileUrl {
  readonly chunkId: string
  readonly fileName: string
  readonly format: string
  readonly referenceId: string
  readonly relativePath: string
}

interface Files {
  [fileName: string]: {
    readonly type: string
    readonly name?: string | undefined
    readonly names?: readonly string[]
    readonly source?: string | Uint8Array
    readonly code?: string
  }
}

/** Where an output goes; neither where it stays in memory. */
interface Output {
  readonly dir?: string | undefined
  readonly file?: string | undefined
}

const folderOf = ({ dir, file }: Output): string | undefined => dir ?? (file === undefined ? undefined : dirname(file))

const virtual = (specifier: string) => `\0${specifier}`
const modulePath = (id: string) => id.replace(/[?#].*$/, '')

/**
 * Hooks of a plugin for bundlers with Rollup's interface. An asset is a module of its own, whose default export is the URL of the
 * emitted file: the bundler writes it relative to the chunk that the module lands in, once for each output. `settingOf` is asked for
 * each build, with the context of the hook that asks.
 */
export function createHooks<C extends Context>(options: Options, settingOf: (context: C) => Setting) {
  const assets = new Map<string, Uint8Array>()
  /** Names of emitted files by reference id. */
  const emitted = new Map<string, string>()
  const sources = new Map<string, string | Uint8Array>()
  let project: Promise<Project> | undefined
  const open = (root: string) => {
    project ??= openProject(options, root)
    return project
  }

  const hostOf = (context: C, setting: Setting): Host => ({
    async resolve(specifier, importer) {
      const found = await context.resolve(specifier, importer, { skipSelf: true })
      const path = found && !found.external ? modulePath(found.id) : undefined
      return path && isAbsolute(path) ? path : undefined
    },
    ...setting,
    // The module of an asset holds an absolute address.
    address: { prelude: '', of: (variable) => variable },
  })

  async function loadModel(context: C, file: string) {
    const setting = settingOf(context)
    const opened = await open(setting.root)
    const { loaded, diagnostics, watchFiles, fault } = await opened.load(file, hostOf(context, setting))
    for (const path of watchFiles) context.addWatchFile(path)
    for (const warning of await warningsOf(diagnostics, setting.root)) context.warn(warning)
    const error = await errorOf(diagnostics, setting.root)
    if (error) context.error(error)
    if (!loaded) context.error(fault ?? new Error(`glowplug: nothing came of ${relative(setting.root, file)}`))
    const folder = relative(setting.root, file).replaceAll('\\', '/')
    for (const [name, bytes] of Object.entries(loaded.assets)) assets.set(virtual(`${assetPrefix}${folder}/${name}`), bytes)
    return loaded
  }

  return {
    async buildStart(this: C) {
      const setting = settingOf(this)
      const opened = await open(setting.root)
      if (opened.problems.length > 0) this.error(new Error(opened.problems.join('\n')))
      opened.begin()
    },

    resolveId(this: C, specifier: string, importer: string | undefined) {
      if (specifier === runtimeSpecifier) return { id: virtual(runtimeSpecifier), moduleSideEffects: false as const }
      if (!specifier.startsWith(assetPrefix) || !importer) return null
      const folder = relative(settingOf(this).root, modulePath(importer)).replaceAll('\\', '/')
      return {
        id: virtual(`${assetPrefix}${folder}/${specifier.slice(assetPrefix.length)}`),
        moduleSideEffects: false as const,
      }
    },

    async load(this: C, id: string) {
      if (id === virtual(runtimeSpecifier)) {
        const file = runtimeFile(settingOf(this).platform, options)
        return { code: await readFile(file, 'utf8'), moduleSideEffects: false as const, map: null }
      }
      if (id.startsWith(virtual(assetPrefix))) {
        const place = id.slice(virtual(assetPrefix).length)
        const [folder, name] = [place.slice(0, place.lastIndexOf('/')), place.slice(place.lastIndexOf('/') + 1)]
        // Let go once emitted: weights are large. A bundler that kept the model's module may still ask for this one again.
        if (!assets.has(id)) await loadModel(this, resolve(settingOf(this).root, folder))
        const referenceId = this.emitFile({ type: 'asset', name, source: assets.get(id)! })
        assets.delete(id)
        emitted.set(referenceId, name)
        return { code: `export default import.meta.ROLLUP_FILE_URL_${referenceId}`, moduleSideEffects: false as const, map: null }
      }
      // What stands behind a question mark asks for something else than the module.
      if (!modelPattern.test(id) || !isAbsolute(id)) return null
      const loader = await this.resolve(runtimeSpecifier, id, { skipSelf: false })
      if (loader?.id !== virtual(runtimeSpecifier) || loader.external)
        this.error(
          new Error(
            `glowplug: the option \`external\` takes the loader out of the bundle; ids that begin with 'glowplug:' or '\\0' must stay inside`,
          ),
        )
      const { code, map } = await loadModel(this, id)
      return { code, map: { ...map, sources: [...map.sources], sourcesContent: [...map.sourcesContent], names: [...map.names] } }
    },

    /** Scripts that Node runs have no address but `__filename`. */
    resolveFileUrl(this: C, { format, referenceId, relativePath }: FileUrl) {
      if (!emitted.has(referenceId)) return null
      const isScript = format === 'iife' || format === 'umd'
      if (!(settingOf(this).relative ?? isScript)) return null
      if (format === 'es') return `new URL(${JSON.stringify(relativePath)}, import.meta.url).href`
      const script = `typeof document === 'object' && (document.currentScript && document.currentScript.src || document.baseURI)`
      const file = `typeof __filename === 'string' && process.getBuiltinModule('node:url').pathToFileURL(__filename)`
      return `new URL(${JSON.stringify(relativePath)}, ${file} || ${script}).href`
    },

    generateBundle: {
      order: 'pre' as const,
      async handler(this: unknown, { dir, file }: Output, files: Files) {
        const ours = new Set(emitted.values())
        const codes = Object.values(files).flatMap(({ code }) => code ?? [])
        for (const [fileName, { names, name, source }] of Object.entries(files)) {
          if (![...(names ?? []), name].some((each) => each !== undefined && ours.has(each))) continue
          // With a model that nobody uses, its files go.
          if (!codes.some((code) => code.includes(basename(fileName)))) delete files[fileName]
          else if (source !== undefined) sources.set(fileName, source)
        }
        const folder = folderOf({ dir, file })
        if (folder !== undefined) for (const fileName of sources.keys()) await detachFile(resolve(folder, fileName))
      },
    },

    /** Builds for servers may leave assets to the build for browsers; the server opens these files itself. */
    async writeBundle(this: unknown, output: Output, files: Files) {
      const folder = folderOf(output)
      for (const [fileName, source] of sources) {
        if (folder === undefined || files[fileName]) continue
        await mkdir(dirname(resolve(folder, fileName)), { recursive: true })
        await writeWhole(resolve(folder, fileName), source)
      }
      sources.clear()
    },

    async buildEnd(this: C, error?: Error) {
      if (!error) (await project)?.end(settingOf(this).silent)
    },
  }
}
