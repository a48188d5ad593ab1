import { operandsOfStep, resultsOfStep } from '../fuse/graph.ts'
import type { KernelGraph, KernelStep } from '../fuse/kernel.ts'
import type { Node } from '../graph/index.ts'
import { allocateMemory } from '../memory/index.ts'
import type { Target } from '../target.ts'
import { fullestMoment, instructionsOf, type Measured } from './moment.ts'
import { candidatesAt, checksValues, livesOf, nanosecondsOf, type Recomputation } from './recomputation.ts'
import { type Scheduled, scheduleKernels } from './schedule.ts'

/** What was done to stay within a budget of memory. */
export interface RecomputeReport {
  /** Calls that were added. */
  readonly recomputed: number
  /** What the calls take longer than those of the order given, by the cost model of the target. */
  readonly addedNanoseconds: number
}

/** Candidates measured at most for one moment, the best first. */
const triedCandidates = 8
/** Graphs measured at most. */
const measuredGraphs = 200
/** Steps of all graphs measured: each makes all its instructions. */
const measuredSteps = 20_000

/**
 * An order of kernels for which activations, inputs and outputs fit into `memory` bytes, or as few more as there is a way to. Where the
 * best order needs more, cheap values are made a second time: in that order, then in the order that fusion gave, in which readers come
 * soon; then the same with kernels of one result each (`together: false`), which make every value as late as it can be. Results are the
 * same bit for bit. Never worse than the best order, and that order where nothing helps.
 */
export function scheduleWithin(
  memory: number,
  target: Target,
  fuse: (options: { readonly together: boolean }) => KernelGraph,
): Scheduled & RecomputeReport {
  const usual = fuse({ together: true })
  const given = scheduleKernels(usual, target)
  let best = { ...given, recomputed: 0, addedNanoseconds: 0, need: memoryOf(given.kernels, target) }
  for (const together of [true, false]) {
    if (best.need <= memory) break
    const kernels = together ? usual : fuse({ together })
    if (!together && kernels.steps.length === usual.steps.length) break
    const scheduled = together ? given : scheduleKernels(kernels, target)
    for (const start of new Set([scheduled.kernels, kernels])) {
      if (best.need <= memory) break
      const found = recomputeKernels(scheduled, target, memory, start)
      const need = memoryOf(found.kernels, target)
      if (need < best.need && found.peak < best.peak) best = { ...found, need }
    }
  }
  const { need: _, ...result } = best
  const addedNanoseconds = timeOf(result.kernels, target) - timeOf(given.kernels, target)
  return { ...result, topologicalPeak: given.topologicalPeak, addedNanoseconds }
}

function memoryOf(kernels: KernelGraph, target: Target): number {
  const { activations, mutable } = allocateMemory(instructionsOf(kernels, target).list, target.alignment).regions
  return activations + mutable
}

const timeOf = ({ steps }: KernelGraph, target: Target): number =>
  steps.reduce((sum, step) => sum + (step.kind === 'call' ? nanosecondsOf(step.kernel, target) : 0), 0)

/**
 * Has cheap values made a second time right before their later readers, rather than kept over the fullest moment, until activations,
 * inputs and outputs fit into `memory` bytes or nothing helps any more. Candidates come from a model of lives; the judge is the real
 * thing, as for orders. Begins with the steps as `start` has them, by default as they were scheduled. The result has a lower peak than
 * what was scheduled, or is that. The calls added are of kernels that are there, on the same inputs.
 */
export function recomputeKernels(
  scheduled: Scheduled,
  target: Target,
  memory: number,
  start: KernelGraph = scheduled.kernels,
): Scheduled & RecomputeReport {
  const given: Measured = measure(start, target)
  const limit = memory - allocateMemory(given.list, target.alignment).regions.mutable
  const fits = ({ needed, list }: Measured) =>
    needed <= limit && allocateMemory(list, target.alignment).regions.activations <= limit

  const spent = { graphs: 0, steps: 0 }
  /** The first candidate that makes less live. Of several moments that are equally full, one after the other is emptied. */
  function improve(current: Measured): Measured | undefined {
    const candidates = candidatesAt(current.graph, livesOf(current.graph), current.step, target)
    for (const candidate of candidates.slice(0, triedCandidates)) {
      const graph = addCalls(current.graph, candidate)
      spent.graphs++
      spent.steps += graph.steps.length
      if (spent.graphs > measuredGraphs || spent.steps > measuredSteps) return undefined
      const next = measure(graph, target)
      if (next.needed < current.needed || (next.needed === current.needed && next.moments < current.moments)) return next
    }
    return undefined
  }

  let best = given
  for (let current: Measured | undefined = given; current; current = fits(current) ? undefined : improve(current))
    if (current.needed < best.needed) best = current
  if (best.needed >= scheduled.peak) return { ...scheduled, recomputed: 0, addedNanoseconds: 0 }
  return finish(scheduled, best, target)
}

function measure(graph: KernelGraph, target: Target): Measured {
  const { list, stepOf } = instructionsOf(graph, target)
  return { graph, list, ...fullestMoment(list, stepOf, target.alignment) }
}

/** With the calls added, another order may be better. */
function finish(scheduled: Scheduled, { graph }: Measured, target: Target): Scheduled & RecomputeReport {
  return {
    ...scheduleKernels(graph, target),
    topologicalPeak: scheduled.topologicalPeak,
    recomputed: callsOf(graph) - callsOf(scheduled.kernels),
    addedNanoseconds: timeOf(graph, target) - timeOf(scheduled.kernels, target),
  }
}

const callsOf = ({ steps }: KernelGraph): number => steps.filter(({ kind }) => kind === 'call').length

/** The graph with the calls in place; readers from there on read what they make. */
function addCalls(graph: KernelGraph, { again, before, replaced }: Recomputation): KernelGraph {
  const renamed = (node: Node) => replaced.get(node) ?? node
  const steps = [
    ...graph.steps.slice(0, before),
    ...again,
    ...graph.steps.slice(before).map((step): KernelStep => {
      if (step.kind === 'call') return { ...step, inputs: step.inputs.map(renamed) }
      return step.kind === 'join' ? { ...step, parts: step.parts.map(renamed) } : step
    }),
  ]
  const kept = withoutUnread(steps, graph)
  const made = new Set(kept.flatMap(resultsOfStep))
  const gone = new Set(steps.flatMap(resultsOfStep).filter((value) => !made.has(value)))
  const reason = 'made again for later readers, so that it need not be kept'
  const added = again.flatMap(resultsOfStep).map((value) => ({ value, place: 'stored', reason }) as const)
  return { ...graph, steps: kept, decisions: [...graph.decisions, ...added].filter(({ value }) => !gone.has(value)) }
}

/** A value is not made early when it is made again before its first reader. */
function withoutUnread(steps: readonly KernelStep[], { outputs }: KernelGraph): KernelStep[] {
  const read = new Set(outputs.map(({ value }) => value))
  const kept: KernelStep[] = []
  for (const step of steps.toReversed()) {
    const checks = step.kind === 'call' && checksValues(step.kernel)
    if (!checks && !resultsOfStep(step).some((result) => read.has(result))) continue
    for (const operand of operandsOfStep(step)) read.add(operand)
    kept.push(step)
  }
  return kept.reverse()
}
