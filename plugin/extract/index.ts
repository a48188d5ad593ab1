import { readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { createDiagnostic, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { sortDiagnostics } from '../../compiler/diagnostics/render.ts'
import type { ModelGraph } from '../../compiler/graph/index.ts'
import { Exhausted } from './budget.ts'
import { type FoundModel, findModels } from './model/find.ts'
import { traceModelCall } from './model/trace.ts'
import { reportUnusedWeights } from './model/weights.ts'
import { evaluateModules } from './modules/evaluate.ts'
import { loadModules } from './modules/load.ts'
import { dslSpecifiersOf } from './modules/module.ts'
import { createResolver, type ResolveHook } from './modules/resolve.ts'
import { createSession, diagnosticAt, report, type Session, spanOf } from './session.ts'
import { parseSource, type ts } from './syntax.ts'

export { type TransformOptions, transformModule } from './transform/index.ts'
export type { SourceMap } from './transform/map.ts'
export { stripTypes } from './transform/types.ts'

export interface ExtractOptions {
  /** Folder that file names in messages and locations are relative to; the current directory unless given. */
  readonly root?: string
  /** The bundler's resolution of aliases: an absolute path, or undefined to resolve as Node and TypeScript do. */
  readonly resolve?: ResolveHook
  /** What the bundler puts in the place of free names, such as `{ 'process.env.NODE_ENV': '"production"' }`. */
  readonly define?: Readonly<Record<string, string>>
  /** Text of the file, when it is not what lies on disk. */
  readonly source?: string
}

export interface ExtractedModel {
  /** Name under which the file exports the model. */
  readonly exportName: string
  readonly model: ModelGraph
  /** Offsets in the source of the expression whose value is the model, mostly the `model(…)` call. */
  readonly start: number
  readonly end: number
}

export interface Extraction {
  /** Models whose graphs could be built, in the order of the source. */
  readonly models: readonly ExtractedModel[]
  /** Errors and warnings, sorted by place. */
  readonly diagnostics: readonly Diagnostic[]
  /** Absolute paths of all files read besides weights. */
  readonly files: readonly string[]
  /** Absolute paths of the weights files named, present or not. */
  readonly weightFiles: readonly string[]
  /** Import specifiers of the file that lead to the DSL, directly or through other modules. */
  readonly dslSpecifiers: readonly string[]
}

/** Reads a model file without running it. Never throws for what stands in the file. */
export async function extractModule(file: string, options: ExtractOptions = {}): Promise<Extraction> {
  const path = resolve(file)
  const root = resolve(options.root ?? '.')
  const nameOf = (name: string) => relative(root, name).replaceAll('\\', '/')
  const text = options.source ?? (await readFile(path, 'utf8'))
  const session = createSession(nameOf, options.define ?? {}, parseSource(path, ''))
  const { entry, files } = await loadModules(session, path, text, createResolver(options.resolve))
  const models = session.diagnostics.length > 0 ? [] : guarded(session, () => buildModels(session, entry))
  return {
    models: models ?? [],
    diagnostics: sortDiagnostics(session.diagnostics),
    files,
    weightFiles: [...session.weightFiles].sort(),
    dslSpecifiers: dslSpecifiersOf(entry),
  }

  function buildModels(within: Session, module: typeof entry): ExtractedModel[] {
    evaluateModules(within, module)
    const found = findModels(within, module)
    const built = found.flatMap((one) => {
      const model = traceModelCall(within, one.call)
      return model ? [{ ...one, model }] : []
    })
    reportDuplicates(within, built)
    // Without a model, the file may only hold what models of other files use.
    if (built.length > 0 && built.length === found.length && within.diagnostics.every((d) => d.severity === 'warning'))
      reportUnusedWeights(within)
    return built.map(({ exportName, model, expression }) => ({
      exportName,
      model,
      start: expression.getStart(),
      end: expression.getEnd(),
    }))
  }
}

function reportDuplicates(session: Session, models: readonly (FoundModel & { readonly model: ModelGraph })[]): void {
  const first = new Map<string, ts.Node>()
  for (const { model, expression } of models) {
    const earlier = first.get(model.name)
    if (earlier) {
      const note = { message: 'the first is here', span: spanOf(session, earlier) }
      const diagnostic = diagnosticAt(
        session,
        expression,
        'duplicate-name',
        `another model of this file is named '${model.name}'`,
      )
      report(session, { ...diagnostic, notes: [note] })
    } else first.set(model.name, expression)
  }
}

/** Turns a spent budget, and a host stack that ran over all the same, into a diagnostic. */
function guarded<T>(session: Session, run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof Exhausted) session.diagnostics.push(error.diagnostic)
    else if (error instanceof RangeError && /call stack/.test(error.message)) {
      report(
        session,
        createDiagnostic('depth-limit', 'the model is nested too deep to be read', { span: spanOf(session, session.at) }),
      )
    } else throw error
    return undefined
  }
}
