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

export interface CompileOptions {
  readonly target: Target
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
  const { target, evaluate, verify = false, assumeFinite = false, observe } = options
  const stages: { -readonly [K in keyof Stages]?: Stages[K] } = {}
  const log: PassRecord[] = []
  const times: Partial<Record<StageName, number>> = {}
  const budget = { applications: options.maximumApplications ?? Number.POSITIVE_INFINITY }
  const stop = Symbol('stop')

  const enter = <K extends keyof Stages>(stage: StageName, key: K, make: () => Stages[K]): Stages[K] => {
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
  const rewrite = (from: Graph, phase: keyof typeof phases): Graph => {
    const after = (record: PassRecord, result: Graph) => {
      log.push(record)
      observe?.({ kind: 'pass', record, graph: result })
      return stopAfter === record.pass
    }
    const result = runPasses(from, options.passes?.[phase] ?? phases[phase], {
      phase,
      evaluate,
      verify,
      assumeFinite,
      budget,
      after,
    })
    if (!result.stopped) return result.graph
    stages[phase === 'optimise' ? 'optimised' : 'lowered'] = result.graph
    throw stop
  }
  const verified = <T>(value: T, check: (value: T) => void): T => {
    check(value)
    return value
  }
  const verifyStage = (value: Graph) => verifyGraph(value, { payloads: verify })

  try {
    const source = enter('graph', 'graph', () => verified(graph, verifyStage))
    const optimised = enter('optimised', 'optimised', () => verified(rewrite(source, 'optimise'), verifyStage))
    const lowered = enter('lowered', 'lowered', () =>
      verified(rewrite(verified(lowerGraph(optimised, target.keeps), verifyStage), 'optimise-lowered'), verifyStage),
    )
    requireSupport(lowered, target)
    const kernels = enter('kernels', 'kernels', () =>
      verified(scheduleKernels(verified(fuseGraph(lowered, target), verifyKernels), target).kernels, verifyKernels),
    )
    const instructions = enter('instructions', 'instructions', () => {
      const selected = verified(selectInstructions(kernels, target), verifyInstructions)
      const elided = verified(elideCopies(selected), verifyInstructions)
      return verified(shareInPlace(elided, target), verifyInstructions)
    })
    enter('memory', 'program', () => verified(allocateMemory(instructions, target.alignment), verifyProgram))
  } catch (error) {
    if (error !== stop) throw error
  }
  return { ...stages, log, times }
}

/** The text form of a stage; undefined when the compilation did not get there. */
export function printStage(stages: Partial<Stages>, stage: StageName): string | undefined {
  if (stage === 'kernels') return stages.kernels && printKernels(stages.kernels)
  if (stage === 'instructions') return stages.instructions && printInstructions(stages.instructions)
  if (stage === 'memory') return stages.program && printProgram(stages.program)
  return stages[stage] && printGraph(stages[stage])
}
