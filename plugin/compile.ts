// What `glowplug/compiler` exports: a graph in, a bundle out. Targets, the extractor and all that they need load on first use.
import { createDiagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { type Graph, InvariantError, type ModelGraph, ModelProblem, mainEntry, verifyStates } from '../compiler/graph/index.ts'
import { shareConstants } from '../compiler/memory/index.ts'
import {
  CompileError,
  type CompileResult,
  compileUntil,
  createCompilation,
  type PartialResult,
  type PipelineOptions,
  type Standing,
} from '../compiler/pipeline.ts'
import type { EntryProgram, Target } from '../compiler/target.ts'
import type { TargetOptions } from '../targets/c/level.ts'
import type { Bundle } from '../targets/runtime/bundle.ts'
import { type Budgets, recomputeNeeds } from './budgets.ts'
import { type CompiledCode, makeBundle } from './bundle/make.ts'
import type { Extraction, ExtractOptions } from './extract/index.ts'
import { requireBudgets } from './requireBudgets.ts'
import { chooseTargets, defaultTarget, describeTarget } from './targets.ts'

export { type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
export {
  type Builder,
  createBuilder,
  type Graph,
  InvariantError,
  type ModelGraph,
  ModelProblem,
  type Node,
  parseGraph,
  printGraph,
  verifyGraph,
} from '../compiler/graph/index.ts'
export {
  type ModelPlan,
  PartitionError,
  type PlacementMap,
  PlanError,
  type Platform as CardPlatform,
  printPlan,
  readMap,
  readPlan,
} from '../compiler/partition/index.ts'
export {
  CompileError,
  type CompileResult,
  type PartialResult,
  type PassRecord,
  type PipelineEvent,
  printStage,
  readReproducer,
  type StageName,
  type Standing,
  stageNames,
} from '../compiler/pipeline.ts'
export type { Code, EntryProgram, Evaluate, Platform, Target } from '../compiler/target.ts'
export type { Bundle } from '../targets/runtime/bundle.ts'
export type { PlacedModel } from '../targets/runtime/serve/readPlacement.ts'
export type { Budgets } from './budgets.ts'
export type { CompiledCode } from './bundle/make.ts'
export { writeBundle } from './bundle/write.ts'
export { compilePlaced, type PlacedOptions } from './compilePlaced.ts'
export { findPlatform, type PlatformChoice } from './platform.ts'
export { type TargetName, TargetUnavailable, targetNames } from './targets.ts'
export { readTuned, type Tuned } from './tune/tuned.ts'

/** How the compiler goes about it; what it makes depends on `assumeFinite` and `recomputeAbove` alone. */
type Manner = Omit<PipelineOptions, 'evaluate' | 'states'>

/** For one target at one level. */
export interface StageOptions extends Manner, TargetOptions {
  /** Name of a target, or one of your own. Default `wasm`. */
  readonly target?: string | Target
  /** One of the target's levels, such as `x86-64-v3`. Default: its most demanding. */
  readonly level?: string
}

export interface CompileOptions extends Omit<Manner, 'recomputeAbove'>, TargetOptions {
  /**
   * What to compile for, in the order in which the loader tries it; all levels of each target. `auto` is native code for this machine
   * where there is a C compiler, and wasm. Default `wasm`.
   */
  readonly target?: string | Target | readonly (string | Target)[]
  /** Bytes that the model may need; more is a DiagnosticError with the largest contributors. Default: no limits. */
  readonly budgets?: Budgets
  /**
   * Where an entry needs more than `budgets.memory`, makes cheap values a second time right before their later readers rather than keep
   * them. Results are the same, and take longer. Default false.
   */
  readonly recompute?: boolean
}

const modelOf = (model: Graph | ModelGraph): ModelGraph =>
  'entries' in model ? model : { name: model.name, entries: [{ name: mainEntry, graph: model }] }

async function resolveLevel({
  target = defaultTarget,
  level,
  winograd = true,
  precision = 'f32',
  trace = false,
  tuned,
}: StageOptions): Promise<Target> {
  const { targets } = await chooseTargets([target], 'node', { winograd, precision, trace, ...(tuned && { tuned }) })
  const found = level === undefined ? targets[0] : targets.find((each) => each.level === level)
  if (!found)
    throw new RangeError(
      `target '${targets[0]!.name}' has no level '${level}'; it has ${targets.map((each) => each.level).join(', ')}`,
    )
  return found
}

/**
 * Compiles one graph as far as the program, or as far as a stage or pass named by `stopAfter`; emits no code. `states` are those of the model
 * that it is an entry of. Errors are those of `compile`.
 */
export const compileStages = (
  graph: Graph,
  options: StageOptions & Pick<PipelineOptions, 'states'> & { readonly stopAfter?: string } = {},
): Promise<PartialResult> =>
  withDiagnostics(async () => {
    const { target: _, level: __, winograd: ___, precision: ____, tuned: _____, trace: ______, stopAfter, ...manner } = options
    const target = await resolveLevel(options)
    const { evaluate } = await import('../targets/interpreter/index.ts')
    return compileUntil(graph, { ...manner, target, evaluate }, stopAfter)
  })

/** What is wrong with the model, wherever it comes to light, as a diagnostic: weights are read late, and limits of targets show late. */
export async function withDiagnostics<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (error instanceof ModelProblem) throw new DiagnosticError([createDiagnostic(error.code, error.message)])
    throw error
  }
}

/** Compiles all entries for one target at one level, code included. Errors are those of `compile`. */
export const compileCode = (model: Graph | ModelGraph, options: StageOptions = {}): Promise<CompiledCode> =>
  withDiagnostics(async () => {
    const { target: _, level: __, winograd: ___, precision: ____, tuned: _____, trace: ______, ...manner } = options
    const [code] = await compileFor(modelOf(model), [await resolveLevel(options)], manner)
    return code!
  })

/**
 * Compiles a model, or the one graph of it, to a bundle, for `open` or `writeBundle`. Equal graphs, options and tools give equal bytes.
 * Throws RangeError for a target that does not exist and for `recompute` without `budgets.memory`, TargetUnavailable for one that this machine cannot compile for, DiagnosticError
 * where a target lacks an op or weights cannot be read, CompileError with a reproducer where the compiler itself fails.
 */
export const compile = (model: Graph | ModelGraph, options: CompileOptions = {}): Promise<Bundle> =>
  withDiagnostics(async () => {
    const {
      target = defaultTarget,
      budgets = {},
      recompute = false,
      winograd = true,
      precision = 'f32',
      trace = false,
      tuned,
      ...manner
    } = options
    if (recompute && budgets.memory === undefined) throw new RangeError(`compile: ${recomputeNeeds}`)
    const { targets } = await chooseTargets(target === 'auto' ? target : ([target].flat() as (string | Target)[]), 'node', {
      winograd,
      precision,
      trace,
      ...(tuned && { tuned }),
    })
    const whole = modelOf(model)
    const above = recompute ? budgets.memory : undefined
    const codes = await compileFor(whole, targets, { ...manner, ...(above !== undefined && { recomputeAbove: above }) })
    requireBudgets(whole.name, codes, budgets, recompute)
    return makeBundle({ model: whole, codes })
  })

/** Lets what waits for this thread go on, such as handing its input to a C compiler. */
const pause = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Code for each target. Entries are compiled once for all targets as far as these agree, and while a C compiler works on one target's code
 * the next target's programs are made.
 */
async function compileFor(model: ModelGraph, targets: readonly Target[], manner: Manner): Promise<CompiledCode[]> {
  const { evaluate } = await import('../targets/interpreter/index.ts')
  const { states = [] } = model
  verifyStates(model)
  const entries = model.entries.map((entry) => ({
    ...entry,
    compile: createCompilation(entry.graph, { ...manner, states, evaluate }),
  }))
  const begun = new Map<Target, Promise<CompiledCode>>()
  let failed = false
  // The loader's last choice first: what runs everywhere is compiled by what runs everywhere, and that takes longest.
  for (const target of [...targets].reverse()) {
    if (failed) break
    target.prepare?.()
    const code = generate(target)
    code.catch(() => {
      failed = true
    })
    begun.set(target, code)
    await pause()
  }
  // All are waited for, so that none is left running when another fails.
  const results = await Promise.allSettled(targets.flatMap((target) => begun.get(target) ?? []))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })

  async function generate(target: Target): Promise<CompiledCode> {
    const compiled = entries.map(({ compile }) => compile(target))
    const { programs, bytes } = shareConstants(compiled.map(({ program }) => program))
    const list = entries.map(({ name }, i): EntryProgram => ({ entry: name, export: `entry${i}`, program: programs[i]! }))
    try {
      return { target: target.name, entries: list, constants: bytes, code: await target.emit(model.name, list) }
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error
      throw new CompileError(`code for ${describeTarget(target)}`, error, await standingOf(target, list, compiled))
    }
  }

  /** The graph of the entry that fails on its own; of the first where none does. */
  async function standingOf(
    target: Target,
    list: readonly EntryProgram[],
    compiled: readonly CompileResult[],
  ): Promise<Standing> {
    const standing = (result: CompileResult) => ({ graph: result.layout, phase: 'stages', remaining: 'memory' })
    for (const [i, entry] of list.entries()) {
      const fails = await target.emit(model.name, [entry]).then(
        () => false,
        () => true,
      )
      if (fails) return standing(compiled[i]!)
    }
    return standing(compiled[0]!)
  }
}

/** Reads the models of a file without running it. Mistakes are in `diagnostics`. */
export async function extract(file: string, options: Partial<ExtractOptions> = {}): Promise<Extraction> {
  const { extractModule } = await import('./extract/index.ts')
  return extractModule(file, options)
}
