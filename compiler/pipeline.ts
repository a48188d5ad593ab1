// The way of a graph to a program. Stages are plain values with a text form; each border has a verifier, which always runs.
import { workOfGraph } from './cost/index.ts'
import { type Body, fuseGraph, type KernelGraph, printKernels, printKernelsDot, verifyKernels } from './fuse/index.ts'
import {
  type CompositeName,
  type Graph,
  inputName,
  type ModelState,
  type Node,
  printGraph,
  printGraphDot,
  takeOrigin,
  verifyGraph,
} from './graph/index.ts'
import {
  elideCopies,
  type InstructionList,
  printInstructions,
  selectInstructions,
  shareInPlace,
  verifyInstructions,
} from './instructions/index.ts'
import { assignLayouts, rewriteLayouts, verifyLayouts } from './layout/index.ts'
import { lowerGraph } from './lower/index.ts'
import { roundWeights } from './lower/roundWeights.ts'
import { allocateMemory, carriedName, type Program, printProgram, verifyProgram } from './memory/index.ts'
import type { PassList } from './pipeline/passList.ts'
import { phases } from './pipeline/phases.ts'
import { CompileError, failureOf } from './pipeline/reproducer.ts'
import { type PassChange, type PassRecord, runPasses } from './pipeline/runPasses.ts'
import { requireSupport } from './pipeline/support.ts'
import {
  type RecomputeReport,
  readBeforeRenewing,
  type ScheduleReport,
  scheduleKernels,
  scheduleWithin,
} from './schedule/index.ts'
import { type ChooseOptions, chooseCuts, splitGraph } from './split/index.ts'
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
export { CompileError, readReproducer, type Standing, writeReproducer } from './pipeline/reproducer.ts'
export { type PassChange, type PassRecord, runPasses } from './pipeline/runPasses.ts'

/** Every stage of a compilation, in order. */
export interface Stages {
  /** As it was written. */
  readonly graph: Graph
  readonly optimised: Graph
  /** Primitives, and the composites that the target keeps; optimised again. */
  readonly lowered: Graph
  /** Channels in blocks where the target wants them and that pays; otherwise `lowered` itself. */
  readonly layout: Graph
  /** In the order that needs least memory. */
  readonly kernels: KernelGraph
  /** Copies elided, buffers shared. */
  readonly instructions: InstructionList
  readonly program: Program
}

/** The name under which each stage is printed. */
export type StageName = 'graph' | 'optimised' | 'lowered' | 'layout' | 'kernels' | 'instructions' | 'memory'
export const stageNames: readonly StageName[] = ['graph', 'optimised', 'lowered', 'layout', 'kernels', 'instructions', 'memory']

export type PipelineEvent =
  /** One run of a pass; lowering counts as one. */
  | ({ readonly kind: 'pass'; readonly record: PassRecord } & PassChange)
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
  /**
   * Bytes of activations, inputs and outputs. Where more are needed, cheap values are made a second time right before their later readers
   * rather than kept, until this is enough or nothing helps. Default: everything is made once.
   */
  readonly recomputeAbove?: number
  /** Rewrites at most, to find the one that breaks a model. Default: no limit. */
  readonly maximumApplications?: number
  /** Computes large nodes of the lowered graph in parts; see `chooseCuts`. Default: every node as a whole. */
  readonly split?: ChooseOptions
  /** States of the model: inputs and outputs of these names become what a session carries. Default: none. */
  readonly states?: readonly ModelState[]
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
  /** How good the order of the kernels is; with `recomputeAbove` also what was made again. */
  readonly schedule: ScheduleReport & Partial<RecomputeReport>
}

/** What there is of a compilation that was stopped. */
export type PartialResult = Partial<Stages> &
  Pick<CompileResult, 'log'> &
  Partial<Pick<CompileResult, 'schedule'>> & { readonly times: Readonly<Partial<Record<StageName, number>>> }

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

/** The stage that each phase ends with. */
const stageOf = { optimise: 'optimised', 'optimise-lowered': 'lowered', 'optimise-layout': 'layout' } as const

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
  /** Of the order of kernels, once there is one. */
  schedule?: CompileResult['schedule']
}

const journeyFrom = ({ stages, times, log, budget }: Journey): Journey => ({
  stages: { ...stages },
  times: { ...times },
  log: [...log],
  budget: { ...budget },
})

/** What a target said to a composite. */
interface Answer {
  readonly node: Node
  readonly answer: boolean
}

/** A lowered graph serves every target that gives the answers from which it was made. */
interface Lowered {
  readonly precision: Target['precision']
  readonly asked: readonly Answer[]
  readonly journey: Journey
}

const keepsNode = (target: Target, node: Node): boolean =>
  target.keeps.has(node.op as CompositeName) && target.lowers?.(node) !== true

function remember(asked: Answer[], node: Node, answer: boolean): boolean {
  asked.push({ node, answer })
  return answer
}

type CompileUntil = (target: Target, stopAfter: string | undefined) => PartialResult

function prepare(graph: Graph, options: PipelineOptions): CompileUntil {
  const {
    evaluate,
    verify = false,
    assumeFinite = false,
    observe,
    recomputeAbove,
    maximumApplications = Number.POSITIVE_INFINITY,
    split,
    states = [],
  } = options
  let optimised: Journey | undefined
  const lowered: Lowered[] = []

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
      throw failureOf(`stage ${stage}`, error, () => ({
        graph: stages.layout ?? stages.lowered ?? stages.optimised ?? graph,
        phase: 'stages',
        remaining: stage,
      }))
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
    const after = (record: PassRecord, change: PassChange) => {
      log.push(record)
      observe?.({ kind: 'pass', record, ...change })
      return stopAfter === record.pass
    }
    const list = options.passes?.[phase] ?? phases[phase]
    const result = runPasses(from, list, { phase, evaluate, verify, assumeFinite, budget, after })
    if (!result.stopped) return result.graph
    stages[stageOf[phase]] = result.graph
    throw stop
  }

  /** Lowering, rounding, splitting and layout assignment rewrite as a pass does, and are logged as one. */
  function rewriteAs(
    pass: 'lower' | 'round-weights' | 'split' | 'layout',
    { log }: Journey,
    before: Graph,
    make: (graph: Graph) => Graph,
    phase: string = pass,
  ): Graph {
    const started = performance.now()
    const after = verified(make(before), verifyStage)
    const milliseconds = performance.now() - started
    const [nodesBefore, nodesAfter] = [before.nodes.length, after.nodes.length]
    const changed = after !== before
    const record = { phase, pass, round: 1, changed, milliseconds, nodesBefore, nodesAfter, applications: [] }
    const became = changed ? takeOrigin(after) : undefined
    log.push(record)
    observe?.({ kind: 'pass', record, before, graph: after, ...(became && { became }) })
    return after
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

  function lower(journey: Journey, { precision }: Target, keeps: (node: Node) => boolean, stopAfter: string | undefined): void {
    enter(journey, ['lowered', 'lowered'], stopAfter, () => {
      const primitives = rewriteAs('lower', journey, journey.stages.optimised!, (before) => lowerGraph(before, keeps))
      const rewritten = verified(rewrite(journey, primitives, 'optimise-lowered', stopAfter), verifyStage)
      const rounded = precision ? rewriteAs('round-weights', journey, rewritten, roundWeights) : rewritten
      if (!split) return rounded
      return rewriteAs('split', journey, rounded, (before) => splitGraph(before, chooseCuts(before, split)).graph)
    })
  }

  /** IR-19, IR-20. Channels in blocks; blocked convolutions that the target has no kernels for are lowered again. */
  function layOut(journey: Journey, target: Target, stopAfter: string | undefined): Graph {
    const { channelBlock: block, channelsAtOnce, rates } = target
    const lowered = journey.stages.lowered!
    return enter(journey, ['layout', 'layout'], stopAfter, () => {
      if (block === undefined) return lowered
      const blocks = (node: Node) => target.blocks?.(node) ?? true
      const assigned = rewriteAs('layout', journey, lowered, (before) => {
        const assignment = assignLayouts(before, { block, channelsAtOnce: channelsAtOnce ?? block, rates, blocks })
        return assignment.size === 0 ? before : rewriteLayouts(before, assignment, block)
      })
      if (assigned === lowered) return lowered
      const keeps = (node: Node) => keepsNode(target, node)
      const kept = rewriteAs('lower', journey, assigned, (before) => lowerGraph(before, keeps), 'layout')
      const rewritten = verified(rewrite(journey, kept, 'optimise-layout', stopAfter), verifyStage)
      return verified(rewritten, (graph) => verifyLayouts(graph, lowered))
    })
  }

  /** From here on the target decides about everything. */
  function generate(journey: Journey, target: Target, stopAfter: string | undefined): void {
    const graph = layOut(journey, target, stopAfter)
    requireSupport(graph, target)
    const bodies = compileBodies(graph, target, { ...options, maximumApplications: journey.budget.applications })
    const bodyOf = (body: Graph) => bodies.get(body)
    const kernels = enter(journey, ['kernels', 'kernels'], stopAfter, () => {
      const fuse = (options: { readonly together?: boolean }) =>
        verified(fuseGraph(graph, target, { ...options, bodyOf }), verifyKernels)
      const { kernels, ...report } =
        recomputeAbove === undefined ? scheduleKernels(fuse({}), target) : scheduleWithin(recomputeAbove, target, fuse)
      journey.schedule = report
      const renewing = states.length > 0 && recomputeAbove === undefined
      return verified(renewing ? readBeforeRenewing(kernels, target, states) : kernels, verifyKernels)
    })
    const instructions = enter(journey, ['instructions', 'instructions'], stopAfter, () => {
      const selected = verified(selectInstructions(kernels, target, states), verifyInstructions)
      const elided = verified(elideCopies(selected, target), verifyInstructions)
      return verified(shareInPlace(elided, target), verifyInstructions)
    })
    enter(journey, ['memory', 'program'], stopAfter, () =>
      verified(allocateMemory(instructions, target.alignment, states), verifyProgram),
    )
  }

  return (target, stopAfter) => {
    const { precision } = target
    const serves = ({ asked, precision: rounded }: Lowered) =>
      rounded === precision && asked.every(({ node, answer }) => keepsNode(target, node) === answer)
    const begun = lowered.find(serves)?.journey ?? optimised
    let journey = begun ? journeyFrom(begun) : { stages: {}, times: {}, log: [], budget: { applications: maximumApplications } }
    try {
      if (!journey.stages.optimised) {
        optimise(journey, stopAfter)
        optimised = journey
        journey = journeyFrom(journey)
      }
      if (!journey.stages.lowered) {
        const asked: Answer[] = []
        lower(journey, target, (node) => remember(asked, node, keepsNode(target, node)), stopAfter)
        lowered.push({ precision, asked, journey })
        journey = journeyFrom(journey)
      }
      generate(journey, target, stopAfter)
    } catch (error) {
      if (error !== stop) throw error
    }
    return { ...journey.stages, log: journey.log, times: journey.times, ...(journey.schedule && { schedule: journey.schedule }) }
  }
}

/**
 * What becomes of the graphs that the nodes of a graph run: programs of their own, by the same way. What a loop carries is to its body what a
 * session carries is to a model, so that it stays where it is from turn to turn.
 */
function compileBodies(graph: Graph, target: Target, options: PipelineOptions): ReadonlyMap<Graph, Body> {
  const { observe, split, states, recomputeAbove, ...inside } = options
  const compiled = new Map<Graph, Body>()
  for (const node of graph.nodes) {
    for (const body of node.bodies ?? []) {
      const count = (node.attributes.carried as number | undefined) ?? 0
      const carried = body.outputs.slice(1, 1 + count).map(({ name, value: { type } }, i) => ({
        name: carriedName(i),
        input: inputName(body.inputs[1 + i]!),
        output: name,
        type,
      }))
      const { program, lowered } = createCompilation(body, { ...inside, states: carried })(target)
      compiled.set(body, { program, work: workOfGraph(lowered) })
    }
  }
  return compiled
}

/** The text form of a stage, of kernels with the reasons for them if asked for; undefined when the compilation did not get there. */
export function printStage(
  stages: Partial<Stages>,
  stage: StageName,
  options: { readonly reasons?: boolean } = {},
): string | undefined {
  if (stage === 'kernels') return stages.kernels && printKernels(stages.kernels, options)
  if (stage === 'instructions') return stages.instructions && printInstructions(stages.instructions)
  if (stage === 'memory') return stages.program && printProgram(stages.program)
  return stages[stage] && printGraph(stages[stage])
}

/** Stages that are graphs, and can be drawn. */
export const drawnStages: readonly StageName[] = ['graph', 'optimised', 'lowered', 'layout', 'kernels']

/** A stage in the DOT language; undefined when it is not among `drawnStages`, or the compilation did not get there. */
export function drawStage(stages: Partial<Stages>, stage: StageName): string | undefined {
  if (stage === 'kernels') return stages.kernels && printKernelsDot(stages.kernels)
  return stage === 'instructions' || stage === 'memory' ? undefined : stages[stage] && printGraphDot(stages[stage])
}
