import { readFile } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import type { Bundle } from '../targets/runtime/index.ts'
import { compile } from './compile.ts'
import { assetPrefix, type Host, type Loaded, runtimeSpecifier } from './core.ts'
import { extractModule, transformModule } from './extract/index.ts'
import type { Options } from './options.ts'
import type { ModelSummary } from './report.ts'
import { defaultTarget, prepareTargets } from './targets.ts'

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
  const { targets = [defaultTarget] } = options
  await prepareTargets(targets)
  const extraction = await extractModule(file, { root: host.root, define: host.define, resolve: host.resolve, source })
  const { models, files, weightFiles } = extraction
  const diagnostics = [...extraction.diagnostics]
  const failed = () => diagnostics.some(({ severity }) => severity === 'error')
  const bundles: Bundle[] = []
  const summaries: ModelSummary[] = []
  if (!failed()) {
    for (const model of models) {
      try {
        const bundle = await compile(model.graph, { target: targets })
        bundles.push(bundle)
        // Reading the file counts for its first model.
        summaries.push(...summarise(relative(host.root, file).replaceAll('\\', '/'), bundle, performance.now() - mark))
        mark = performance.now()
      } catch (error) {
        if (!(error instanceof DiagnosticError)) return { fault: error as Error, diagnostics, files, weightFiles }
        diagnostics.push(...error.diagnostics)
      }
    }
  }
  if (failed()) return { diagnostics, files, weightFiles }

  const assets: Record<string, Uint8Array> = {}
  for (const bundle of bundles) for (const [name, bytes] of filesOf(bundle)) assets[name] = bytes
  const variables = new Map(Object.keys(assets).map((name, i) => [name, `__glowplug_file_${i}`]))
  const imports = [...variables].map(([name, variable]) => `import ${variable} from ${JSON.stringify(assetPrefix + name)}\n`)
  const header = `import { open as __glowplug_open } from ${JSON.stringify(runtimeSpecifier)}\n${imports.join('')}${host.address.prelude}`
  const openOptions = JSON.stringify({ instances: options.instances, verify: options.verify })
  const expressionFor = (model: (typeof models)[number]): string => {
    const bundle = bundles[models.indexOf(model)]!
    const places = filesOf(bundle).map(
      ([name]) => `get ${JSON.stringify(name)}() { return ${host.address.of(variables.get(name)!)} }`,
    )
    return `/* @__PURE__ */ __glowplug_open({ manifest: ${JSON.stringify(bundle.manifest)}, files: { ${places.join(', ')} } }, ${openOptions})`
  }
  const { code, map } = transformModule(source, file, extraction, { expressionFor, header })
  return { loaded: { code: code + inlineMap(map, file), assets, summaries }, diagnostics, files, weightFiles }
}

/** The manifest stands in the module; the other files of a bundle become files of the build. */
const filesOf = ({ files }: Bundle): [string, Uint8Array][] => [...files].filter(([name]) => !name.endsWith('.manifest.json'))

/** The map as a comment. Its one source is named as the module's neighbour, so that builds in different folders are equal. */
function inlineMap(map: object, file: string): string {
  const text = JSON.stringify({ ...map, sources: [basename(file)] })
  return `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(text).toString('base64')}\n`
}

const summarise = (file: string, { manifest }: Bundle, milliseconds: number): ModelSummary[] =>
  manifest.codes.map(({ target, level, bytes, weights, entries }) => {
    const largest = entries.reduce((a, b) => (b.regions.activations > a.regions.activations ? b : a)).regions
    return {
      file,
      model: manifest.model,
      target,
      level,
      code: bytes,
      weights: weights.bytes,
      activations: largest.activations,
      lowerBound: largest.lowerBound,
      milliseconds,
      cached: false,
    }
  })
