import { readFile } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { createDiagnostic, type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import type { Bundle } from '../targets/runtime/index.ts'
import { compile } from './compile.ts'
import { assetPrefix, type Host, type Loaded, runtimeSpecifier } from './core.ts'
import { extractModule, stripTypes, transformModule } from './extract/index.ts'
import type { Options } from './options.ts'
import { type ModelSummary, summariesOf } from './report.ts'
import { chooseTargets, defaultChoice, TargetUnavailable } from './targets.ts'
import { lockFileOf } from './tune/lock.ts'
import { readTuned } from './tune/tuned.ts'

export interface Compiled {
  /** Absent when there are errors. */
  readonly loaded?: Loaded
  readonly diagnostics: readonly Diagnostic[]
  readonly files: readonly string[]
  readonly weightFiles: readonly string[]
  /** What broke in the compiler itself. Not thrown: whoever watches must still learn which files were read. */
  readonly fault?: Error
}

/** The way of a model file that the cache does not know: read it, compile each model in it, write the module that takes its place. */
export async function compileModelFile(file: string, host: Host, options: Options): Promise<Compiled> {
  let mark = performance.now()
  const source = await readFile(file, 'utf8')
  const name = relative(host.root, file).replaceAll('\\', '/')
  const problems: Diagnostic[] = []
  const tuned = options.tuned === false ? undefined : await readTuned(file, name).catch(diagnosed(problems))
  // While the model is being read, compilers are looked for and begin to load.
  const choosing = chooseTargets(options.targets ?? defaultChoice, host.platform, {
    winograd: options.winograd ?? true,
    precision: options.precision ?? 'f32',
    ...(tuned && { tuned: tuned.chosen }),
  })
  choosing.catch(() => undefined)
  const extraction = await extractModule(file, { root: host.root, define: host.define, resolve: host.resolve, source })
  const { models, weightFiles } = extraction
  // That there were no measurements is something that was read too.
  const files = [...extraction.files, ...(options.tuned === false ? [] : [lockFileOf(file)])]
  const diagnostics = [...problems, ...extraction.diagnostics]
  const failed = () => diagnostics.some(({ severity }) => severity === 'error')
  const bundles: Bundle[] = []
  const summaries: ModelSummary[] = []
  if (!failed()) {
    try {
      // A file without models may be imported where none of its targets runs.
      const { targets: target, omitted } = models.length > 0 ? await choosing : { targets: [] }
      for (const { model } of models) {
        const { budgets = {}, recompute = false } = options
        const bundle = await compile(model, { target, budgets, recompute })
        bundles.push(bundle)
        // Reading the file counts for its first model.
        const milliseconds = performance.now() - mark
        summaries.push(...summariesOf(bundle, { file: name, milliseconds, omitted }))
        mark = performance.now()
      }
      diagnostics.push(...(tuned?.stale(true) ?? []))
    } catch (error) {
      if (error instanceof DiagnosticError) diagnostics.push(...error.diagnostics)
      else if (error instanceof TargetUnavailable) diagnostics.push(createDiagnostic('target-unavailable', error.message))
      else return { fault: error as Error, diagnostics, files, weightFiles }
    }
  }
  if (failed()) return { diagnostics, files, weightFiles }

  const assets: Record<string, Uint8Array> = {}
  for (const bundle of bundles) for (const [name, bytes] of filesOf(bundle)) assets[name] = bytes
  const variables = new Map(Object.keys(assets).map((name, i) => [name, `__glowplug_file_${i}`]))
  const imports = [...variables].map(([name, variable]) => `import ${variable} from ${JSON.stringify(assetPrefix + name)}\n`)
  const portable =
    host.platform === 'node' && bundles.every(({ manifest }) => manifest.codes.every(({ kind }) => kind !== 'addon'))
  // Bundlers leave away what runs native code, and what pads and trims, where no module asks for it.
  const bucketed = bundles.some(({ manifest }) => manifest.buckets)
  const opener = `open${portable ? 'Portable' : ''}${bucketed ? 'Buckets' : ''}`
  const header = `import { ${opener} as __glowplug_open } from ${JSON.stringify(runtimeSpecifier)}\n${imports.join('')}${host.address.prelude}`
  const openOptions = JSON.stringify({ instances: options.instances, threads: options.threads, verify: options.verify })
  const expressionFor = (model: (typeof models)[number]): string => {
    const bundle = bundles[models.indexOf(model)]!
    const places = filesOf(bundle).map(
      ([name]) => `get ${JSON.stringify(name)}() { return ${host.address.of(variables.get(name)!)} }`,
    )
    return `/* @__PURE__ */ __glowplug_open({ manifest: ${JSON.stringify(bundle.manifest)}, files: { ${places.join(', ')} } }, ${openOptions})`
  }
  const transformed = transformModule(source, file, extraction, { expressionFor, header })
  const { code, map } = host.language === 'javascript' ? stripTypes(transformed.code, transformed.map, file) : transformed
  const loaded = { code, map: { ...map, sources: [basename(file)] }, assets, summaries }
  return { loaded, diagnostics, files, weightFiles }
}

/** What is wrong with a file that was read, among the others. */
const diagnosed =
  (list: Diagnostic[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof DiagnosticError)) throw error
    list.push(...error.diagnostics)
    return undefined
  }

/** The manifest stands in the module; the other files of a bundle become files of the build. */
const filesOf = ({ files }: Bundle): [string, Uint8Array][] => [...files].filter(([name]) => !name.endsWith('.manifest.json'))
