import { readFile } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { createDiagnostic, type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { PartitionError } from '../compiler/partition/index.ts'
import { PlatformError } from '../targets/platform/index.ts'
import { hasBounds } from '../targets/runtime/bounded.ts'
import type { Bundle } from '../targets/runtime/index.ts'
import type { PlacedModel } from '../targets/runtime/serve/readPlacement.ts'
import { compile, compilePlaced } from './compile.ts'
import { assetPrefix, type Host, isPlaced, type Loaded, runtimeSpecifier } from './core.ts'
import { extractModule, stripTypes, transformModule } from './extract/index.ts'
import type { Options } from './options.ts'
import { placedSummaries } from './placedReport.ts'
import { findPlatform } from './platform.ts'
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
    trace: options.trace ?? false,
    ...(tuned && { tuned: tuned.chosen }),
  })
  choosing.catch(() => undefined)
  const extraction = await extractModule(file, { root: host.root, define: host.define, resolve: host.resolve, source })
  const { models, weightFiles } = extraction
  // That there were no measurements is something that was read too.
  const files = [...extraction.files, ...(options.tuned === false ? [] : [lockFileOf(file)])]
  const diagnostics = [...problems, ...extraction.diagnostics]
  const failed = () => diagnostics.some(({ severity }) => severity === 'error')
  const placed = isPlaced(host.platform, options)
    ? await findPlatform(options.platform!, host.root).catch((error) => {
        if (!(error instanceof PlatformError)) throw error
        diagnostics.push(createDiagnostic('placement-impossible', error.message))
        return undefined
      })
    : undefined
  if (placed?.file !== undefined) files.push(placed.file)
  const bundles: (Bundle | PlacedModel)[] = []
  const summaries: ModelSummary[] = []
  if (!failed()) {
    try {
      // A file without models may be imported where none of its targets runs.
      const { targets: target, omitted } = models.length > 0 ? await choosing : { targets: [] }
      for (const { model } of models) {
        const { budgets = {}, recompute = false } = options
        const how = { target, budgets, recompute }
        const made = placed ? await compilePlaced(model, placed.platform, how) : await compile(model, how)
        bundles.push(made)
        // Reading the file counts for its first model.
        const about = { file: name, milliseconds: performance.now() - mark, omitted }
        summaries.push(...('placement' in made ? placedSummaries(made, about) : summariesOf(made, about)))
        mark = performance.now()
      }
      diagnostics.push(...(tuned?.stale(true) ?? []))
    } catch (error) {
      if (error instanceof DiagnosticError) diagnostics.push(...error.diagnostics)
      else if (error instanceof PartitionError) diagnostics.push(createDiagnostic('placement-impossible', error.message))
      else if (error instanceof TargetUnavailable) diagnostics.push(createDiagnostic('target-unavailable', error.message))
      else return { fault: error as Error, diagnostics, files, weightFiles }
    }
  }
  if (failed()) return { diagnostics, files, weightFiles }

  const assets: Record<string, Uint8Array> = {}
  for (const bundle of bundles) for (const [name, bytes] of filesOf(bundle)) assets[assetOf(name)] = bytes
  const variables = new Map(Object.keys(assets).map((name, i) => [name, `__glowplug_file_${i}`]))
  const imports = [...variables].map(([name, variable]) => `import ${variable} from ${JSON.stringify(assetPrefix + name)}\n`)
  const portable =
    host.platform === 'node' &&
    bundles.every((made) => 'manifest' in made && made.manifest.codes.every(({ kind }) => kind !== 'addon'))
  // Bundlers leave away what runs native code, what pads and trims, and what keeps state, where no module asks for it.
  const bucketed = bundles.some((made) => 'manifest' in made && made.manifest.buckets)
  const isBounded = bundles.some((made) => 'manifest' in made && hasBounds(made.manifest.entries))
  const stateful = bundles.some((made) => 'manifest' in made && made.manifest.state)
  const opener = placed
    ? 'openServed'
    : `open${portable ? 'Portable' : ''}${bucketed ? 'Buckets' : ''}${stateful ? 'Sessions' : ''}`
  const servable = host.platform === 'node' && !placed
  const header = `import { ${opener} as __glowplug_${servable ? 'opener' : 'open'}${isBounded ? ', withBounds as __glowplug_bounded' : ''} } from ${JSON.stringify(runtimeSpecifier)}\n${imports.join('')}${host.address.prelude}${servable ? servableOpen : ''}`
  const { instances, threads, verify } = options
  const openOptions = JSON.stringify(placed ? { threads, verify } : { instances, threads, verify })
  const expressionFor = (model: (typeof models)[number]): string => {
    const made = bundles[models.indexOf(model)]!
    const places = filesOf(made).map(
      ([name]) => `get ${JSON.stringify(name)}() { return ${host.address.of(variables.get(assetOf(name))!)} }`,
    )
    const what =
      'placement' in made ? `placement: ${JSON.stringify(withoutPlan(made))}` : `manifest: ${JSON.stringify(made.manifest)}`
    const opened = `/* @__PURE__ */ __glowplug_open({ ${what}, files: { ${places.join(', ')} } }, ${openOptions})`
    return 'manifest' in made && hasBounds(made.manifest.entries) ? `/* @__PURE__ */ __glowplug_bounded(${opened})` : opened
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

/** The manifest of a bundle, and a placement, stand in the module; other files become files of the build, the manifests of parts among them. */
const filesOf = (made: Bundle | PlacedModel): [string, Uint8Array][] =>
  [...made.files].filter(([name]) => !name.endsWith('placement' in made ? '.placement.json' : '.manifest.json'))

/** What a file is called among those of the build: bundlers would read what ends as JSON does. */
const assetOf = (file: string): string => file.replace(/\.json$/, '')

/** What was planned is for people. */
const withoutPlan = ({ placement: { plan: _, ...placement } }: PlacedModel) => placement

/** Opens a model so that `serve` of glowplug/serve finds what it was opened from. */
const servableOpen = `const __glowplug_open = (source, options) =>
  Object.defineProperty(__glowplug_opener(source, options), Symbol.for('glowplug.source'), { value: source })
`
