// What `glowplug/compiler` exports: a graph in, a bundle out. Targets, the extractor and all that they need load on first use.
import { createDiagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { type Graph, InvariantError, ModelProblem } from '../compiler/graph/index.ts'
import {
  CompileError,
  type CompileResult,
  compileUntil,
  type PartialResult,
  type CompileOptions as PipelineOptions,
  writeReproducer,
} from '../compiler/pipeline.ts'
import type { Code, Target } from '../compiler/target.ts'
import type { Bundle } from '../targets/runtime/bundle.ts'
import { type CompiledCode, makeBundle } from './bundle/make.ts'
import type { Extraction, ExtractOptions } from './extract/index.ts'
import { defaultTarget, loadTarget } from './targets.ts'

export { type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
export {
  type Builder,
  createBuilder,
  type Graph,
  InvariantError,
  ModelProblem,
  type Node,
  parseGraph,
  printGraph,
  verifyGraph,
} from '../compiler/graph/index.ts'
export {
  CompileError,
  type CompileResult,
  type PartialResult,
  type PassRecord,
  type PipelineEvent,
  printStage,
  readReproducer,
  type StageName,
  stageNames,
} from '../compiler/pipeline.ts'
export type { Code, Evaluate, Target } from '../compiler/target.ts'
export type { Bundle } from '../targets/runtime/bundle.ts'
export { writeBundle } from './bundle/write.ts'
export { type TargetName, targetNames } from './targets.ts'

/** How the compiler goes about it; what it makes depends on `assumeFinite` alone. */
export type StageOptions = Omit<PipelineOptions, 'target' | 'evaluate'> & {
  /** Name of a target, or one of your own. Default `wasm`. */
  readonly target?: string | Target
}

export interface CompileOptions extends Omit<StageOptions, 'target'> {
  /** What to compile for, in the order in which the loader tries them. Default `wasm`. */
  readonly target?: string | Target | readonly (string | Target)[]
}

const resolveTarget = (target: string | Target): Promise<Target> | Target =>
  typeof target === 'string' ? loadTarget(target) : target

/** Compiles for one target as far as the program, or as far as a stage or pass named by `stopAfter`; emits no code. Errors are those of `compile`. */
export const compileStages = (
  graph: Graph,
  options: StageOptions & { readonly stopAfter?: string } = {},
): Promise<PartialResult> =>
  withDiagnostics(async () => {
    const { target = defaultTarget, stopAfter, ...rest } = options
    const { evaluate } = await import('../targets/interpreter/index.ts')
    return compileUntil(graph, { ...rest, target: await resolveTarget(target), evaluate }, stopAfter)
  })

/** What is wrong with the model, wherever it comes to light, as a diagnostic: weights are read late, and limits of targets show late. */
async function withDiagnostics<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (error instanceof ModelProblem) throw new DiagnosticError([createDiagnostic(error.code, error.message)])
    throw error
  }
}

/** Compiles for one target, code included. Errors are those of `compile`. */
export const compileCode = (
  graph: Graph,
  options: StageOptions = {},
): Promise<CompileResult & { readonly code: Code; readonly target: string }> =>
  withDiagnostics(async () => {
    const target = await resolveTarget(options.target ?? defaultTarget)
    target.prepare?.()
    const result = (await compileStages(graph, { ...options, target })) as CompileResult
    try {
      return { ...result, code: await target.emit(result.program), target: target.name }
    } catch (error) {
      if (error instanceof InvariantError)
        throw new CompileError(`code for ${target.name}`, error, writeReproducer(result.lowered, 'stages', 'memory'))
      throw error
    }
  })

/**
 * Compiles a graph to a bundle, for `open` or `writeBundle`. Equal graphs and options give equal bytes. Throws RangeError for a target
 * that does not exist, DiagnosticError where a target lacks an op or weights cannot be read, CompileError with a reproducer where the
 * compiler itself fails.
 */
export const compile = (graph: Graph, options: CompileOptions = {}): Promise<Bundle> =>
  withDiagnostics(async () => {
    const { target = defaultTarget, ...rest } = options
    const targets = await Promise.all(([target].flat() as (string | Target)[]).map(resolveTarget))
    if (targets.length === 0) throw new RangeError('no target was given')
    const codes: CompiledCode[] = []
    for (const each of targets) {
      const { program, code } = await compileCode(graph, { ...rest, target: each })
      codes.push({ target: each.name, program, code, export: 'entry' })
    }
    return makeBundle({ graph, codes })
  })

/** Reads the models of a file without running it. Mistakes are in `diagnostics`. */
export async function extract(file: string, options: Partial<ExtractOptions> = {}): Promise<Extraction> {
  const { extractModule } = await import('./extract/index.ts')
  return extractModule(file, options)
}
