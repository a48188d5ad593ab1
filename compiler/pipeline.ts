// The way of a graph to a program. Stages are plain values with a text form; each border has a verifier, which always runs.
import { fuseGraph, type KernelGraph, printKernels, verifyKernels } from './fuse/index.ts'
import { type Graph, printGraph, verifyGraph } from './graph/index.ts'
import {
  elideCopies,
  type InstructionList,
  printInstructions,
  selectInstructions,
  shareInPlace,
  verifyInstructions,
} from './instructions/index.ts'
import { lowerGraph } from './lower/index.ts'
import { allocateMemory, type Program, printProgram, verifyProgram } from './memory/index.ts'
import type { PassList } from './pipeline/passList.ts'
import { phases } from './pipeline/phases.ts'
import { CompileError, failureOf, writeReproducer } from './pipeline/reproducer.ts'
import { type PassRecord, runPasses } from './pipeline/runPasses.ts'
import { requireSupport } from './pipeline/support.ts'
import { scheduleKernels } from './schedule/index.ts'
import type { Evaluate, Target } from './target.ts'

export { firstBadApplication } from './pipeline/bisect.ts'
export {
  nearestName,
  once,
  type PassEntry,
  type PassList,
  PassListError,
  parsePassList,
  printPassList,
  untilStable,
} from './pipeline/passList.ts'
export { optimise, optimiseLowered, phases } from './pipeline/phases.ts'
export { CompileError, readReproducer, writeReproducer } from './pipeline/reproducer.ts'
export { type PassRecord, runPasses } from './pipeline/runPasses.ts'

/** Every stage of a compilation, in order. */
export interface Stages {
  /** As it was written. */
  readonly graph: Graph
  readonly optimised: Graph
  /** Primitives, and the composites that the target keeps; optimised again. */
  readonly lowered: Graph
  /** In the order that needs least memory. */
  readonly kernels: KernelGraph
  /** Copies elided, buffers shared. */
  readonly instructions: InstructionList
  readonly program: Program
}

/** The name under which each stage is printed. */
export type StageName = 'graph' | 'optimised' | 'lowered' | 'kernels' | 'instructions' | 'memory'
export const stageNames: readonly StageName[] = ['graph', 'optimised', 'lowered', 'kernels', 'instructions', 'memory']

export type PipelineEvent =
  | { readonly kind: 'pass'; readonly record: PassRecord; readonly graph: Graph }
  /** `text` prints the stage when called. */
  | { readonly kind: 'stage'; readonly stage: StageName; readonly milliseconds: number; readonly text: () => string }

/** How a compilation goes about it, whatever it is for. */
export interface PipelineOptions {
  /** Folds constants: the interpreter's. */
  readonly evaluate: Evaluate
  /** Told of every pass and stage: for printing, and for showing progress. */
  readonly observe?: (event: PipelineEvent) => void
  /** Verifies after every pass too, payloads included. Default: false, which verifies at the borders between stages. */
  readonly verify?: boolean
  /** Lets `x · 0` of floats become 0. Default: false. */
  readonly assumeFinite?: boolean
  /** Rewrites at most, to find the one that breaks a model. Default: no limit. */
  readonly maximumApplications?: number
  /** Replaces the passes of a phase. */
  readonly passes?: Partial<Record<keyof typeof phases, PassList>>
}

export interface CompileOptions extends PipelineOptions {
  readonly target: Target
}

export interface CompileResult extends Stages {
  readonly log: readonly PassRecord[]
  /** Milliseconds of each stage. */
  readonly times: Readonly<Record<StageName, number>>
}

/** What there is of a compilation that was stopped. */
export type PartialResult = Partial<Stages> &
  Pick<CompileResult, 'log'> & { readonly times: Readonly<Partial<Record<StageName, number>>> }

/**
 * Compiles a graph for a target. Throws DiagnosticError where the target lacks an op, CompileError (with a reproducer) where the
 * compiler itself fails.
 */
export function compileGraph(graph: Graph, options: CompileOptions): CompileResult {
  return compileUntil(graph, options, undefined) as CompileResult
}

/** Compiles up to and including a stage, or the first run of a pass (`sink-reshape`). */
export function compileUntil(graph: Graph, options: CompileOptions, stopAfter: string | undefined): PartialResult {
  return prepare(graph, options)(options.target, stopAfter)
}

/**
 * Prepares to compile a graph for several targets; the result compiles it for one, as `compileGraph` does. The passes over the graph as
 * written run once for all of them, lowering and the passes over primitives once for those that keep the same composites; what was done
 * already is reported to `observe` no second time.
 */
export function createCompilation(graph: Graph, options: PipelineOptions): (target: Target) => CompileResult {
  const compile = prepare(graph, options)
  return (target) => compile(target, undefined) as CompileResult
}

/** Thrown inside a compilation that was asked to stop. */
const stop = Symbol('stop')

type Unfinished<T> = { -readonly [K in keyof T]?: T[K] }

/** What has become of the graph on the way to one target. */
interface Journey {
  readonly stages: Unfinished<Stages>
  readonly times: Partial<Record<StageName, number>>
  readonly log: PassRecord[]
  /** Counts down with every rewrite. */
  readonly budget: { applications: number }
}

const journeyFrom = ({ stages, times, log, budget }: Journey): Journey => ({
  stages: { ...stages },
  times: { ...times },
  log: [...log],
  budget: { ...budget },
})

type CompileUntil = (target: Target, stopAfter: string | undefined) => PartialResult

function prepare(graph: Graph, options: PipelineOptions): CompileUntil {
  const { evaluate, verify = false, assumeFinite = false, observe, maximumApplications = Number.POSITIVE_INFINITY } = options
  let optimised: Journey | undefined
  const lowered = new Map<string, Journey>()

  function enter<K extends keyof Stages>(
    { stages, times }: Journey,
    [stage, key]: readonly [StageName, K],
    stopAfter: string | undefined,
    make: () => Stages[K],
  ): Stages[K] {
    const started = performance.now()
    try {
      stages[key] = make()
    } catch (error) {
      if (error === stop || error instanceof CompileError) throw error
      throw failureOf(`stage ${stage}`, error, () =>
        writeReproducer(stages.lowered ?? stages.optimised ?? graph, 'stages', stage),
      )
    }
    times[stage] = performance.now() - started
    observe?.({ kind: 'stage', stage, milliseconds: times[stage], text: () => printStage(stages, stage)! })
    if (stopAfter === stage) throw stop
    return stages[key]!
  }

  function rewrite(
    { stages, log, budget }: Journey,
    from: Graph,
    phase: keyof typeof phases,
    stopAfter: string | undefined,
  ): Graph {
    const after = (record: PassRecord, result: Graph) => {
      log.push(record)
      observe?.({ kind: 'pass', record, graph: result })
      return stopAfter === record.pass
    }
    const list = options.passes?.[phase] ?? phases[phase]
    const result = runPasses(from, list, { phase, evaluate, verify, assumeFinite, budget, after })
    if (!result.stopped) return result.graph
    stages[phase === 'optimise' ? 'optimised' : 'lowered'] = result.graph
    throw stop
  }

  function verified<T>(value: T, check: (value: T) => void): T {
    check(value)
    return value
  }
  const verifyStage = (value: Graph) => verifyGraph(value, { payloads: verify })

  function optimise(journey: Journey, stopAfter: string | undefined): void {
    const source = enter(journey, ['graph', 'graph'], stopAfter, () => verified(graph, verifyStage))
    enter(journey, ['optimised', 'optimised'], stopAfter, () =>
      verified(rewrite(journey, source, 'optimise', stopAfter), verifyStage),
    )
  }

  function lower(journey: Journey, keeps: Target['keeps'], stopAfter: string | undefined): void {
    enter(journey, ['lowered', 'lowered'], stopAfter, () => {
      const primitives = verified(lowerGraph(journey.stages.optimised!, keeps), verifyStage)
      return verified(rewrite(journey, primitives, 'optimise-lowered', stopAfter), verifyStage)
    })
  }

  /** From here on the target decides about everything. */
  function generate(journey: Journey, target: Target, stopAfter: string | undefined): void {
    const graph = journey.stages.lowered!
    requireSupport(graph, target)
    const kernels = enter(journey, ['kernels', 'kernels'], stopAfter, () =>
      verified(scheduleKernels(verified(fuseGraph(graph, target), verifyKernels), target).kernels, verifyKernels),
    )
    const instructions = enter(journey, ['instructions', 'instructions'], stopAfter, () => {
      const selected = verified(selectInstructions(kernels, target), verifyInstructions)
      const elided = verified(elideCopies(selected), verifyInstructions)
      return verified(shareInPlace(elided, target), verifyInstructions)
    })
    enter(journey, ['memory', 'program'], stopAfter, () =>
      verified(allocateMemory(instructions, target.alignment), verifyProgram),
    )
  }

  return (target, stopAfter) => {
    const composites = [...target.keeps].sort().join(' ')
    const begun = lowered.get(composites) ?? optimised
    let journey = begun ? journeyFrom(begun) : { stages: {}, times: {}, log: [], budget: { applications: maximumApplications } }
    try {
      if (!journey.stages.optimised) {
        optimise(journey, stopAfter)
        optimised = journey
        journey = journeyFrom(journey)
      }
      if (!journey.stages.lowered) {
        lower(journey, target.keeps, stopAfter)
        lowered.set(composites, journey)
        journey = journeyFrom(journey)
      }
      generate(journey, target, stopAfter)
    } catch (error) {
      if (error !== stop) throw error
    }
    return { ...journey.stages, log: journey.log, times: journey.times }
  }
}

/** The text form of a stage; undefined when the compilation did not get there. */
export function printStage(stages: Partial<Stages>, stage: StageName): string | undefined {
  if (stage === 'kernels') return stages.kernels && printKernels(stages.kernels)
  if (stage === 'instructions') return stages.instructions && printInstructions(stages.instructions)
  if (stage === 'memory') return stages.program && printProgram(stages.program)
  return stages[stage] && printGraph(stages[stage])
}
