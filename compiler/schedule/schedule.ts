import { operandsOfStep } from '../fuse/fuse.ts'
import type { KernelGraph, KernelStep } from '../fuse/kernel.ts'
import { byteSize, elementCount, type Node } from '../graph/index.ts'
import { elideCopies } from '../instructions/elide.ts'
import { peakBytes } from '../instructions/lifetime.ts'
import { selectInstructions } from '../instructions/select.ts'
import { shareInPlace } from '../instructions/share.ts'
import type { Target } from '../target.ts'
import { searchOrder } from './exact.ts'
import { leastAlive, postOrder } from './heuristic.ts'
import { type Order, peakOf, prepare, type ScheduleProblem } from './problem.ts'

export interface Scheduled {
  readonly kernels: KernelGraph
  /** Largest sum of activation and scratch bytes live at one instruction, in the order given and in the order chosen. */
  readonly peakBefore: number
  readonly peak: number
}

/** Tasks beyond which the exact search is not worth its copies of state. */
const searchedTasks = 1500

/**
 * The same steps in an order that keeps fewer activation bytes alive. Orders come from a model of storage; the judge is the real thing:
 * the instructions of each order, with copies elided and operands shared. Never worse than the order given.
 */
export function scheduleKernels(kernels: KernelGraph, target: Target): Scheduled {
  const inOrder = (order: Order): KernelGraph => ({ ...kernels, steps: order.map((task) => kernels.steps[task]!) })
  const measure = (graph: KernelGraph) => peakBytes(shareInPlace(elideCopies(selectInstructions(graph, target)), target))
  const peakBefore = measure(kernels)
  let best = { kernels, peakBefore, peak: peakBefore }
  for (const order of candidates(modelOf(kernels, target))) {
    const graph = inOrder(order)
    const peak = measure(graph)
    if (peak < best.peak) best = { kernels: graph, peakBefore, peak }
  }
  return best
}

/** Orders worth measuring: better in the model than the one given, the best first. */
function candidates(problem: ScheduleProblem): Order[] {
  const prepared = prepare(problem)
  const given = problem.tasks.map((_, task) => task)
  const limit = peakOf(problem, given)
  const judged = [postOrder(prepared), leastAlive(prepared)].map((order) => ({ order, peak: peakOf(problem, order) }))
  const heuristic = Math.min(limit, ...judged.map(({ peak }) => peak))
  const found = problem.tasks.length <= searchedTasks ? searchOrder(prepared, heuristic).order : undefined
  if (found) judged.push({ order: found, peak: peakOf(problem, found) })
  return judged
    .filter(({ peak }) => peak < limit)
    .sort((a, b) => a.peak - b.peak)
    .map(({ order }) => order)
}

/**
 * What storage the steps will touch once copies are elided: a part that is contiguous in its join lives in the join's storage, a view
 * in that of its source, an output in the caller's.
 */
function modelOf(kernels: KernelGraph, target: Target): ScheduleProblem {
  const bytes: number[] = []
  const maker = new Map<Node, number>(kernels.steps.map((step, task) => [step.result, task]))
  const storages = new Map<Node, number>()
  const holder = holdersOf(kernels)
  const outputs = new Set(kernels.outputs.map((output) => holder(output.value)))

  function storageOf(node: Node): number | undefined {
    const own = holder(node)
    if (!maker.has(own)) return undefined
    const known = storages.get(own)
    if (known !== undefined) return known
    storages.set(own, bytes.length)
    return bytes.push(outputs.has(own) ? 0 : byteSize(own.type)) - 1
  }

  const tasks = kernels.steps.map((step) => {
    const operands = operandsOfStep(step)
    const touched = step.kind === 'view' ? [] : [...operands, step.result].flatMap((node) => storageOf(node) ?? [])
    const scratch = step.kind === 'call' ? target.scratch(step.kernel) : 0
    if (scratch > 0) touched.push(bytes.push(scratch) - 1)
    return { after: [...new Set(operands.flatMap((operand) => maker.get(operand) ?? []))], touches: [...new Set(touched)] }
  })
  return { tasks, bytes }
}

/** The value in whose storage each value lies. */
function holdersOf(kernels: KernelGraph): (node: Node) => Node {
  const inside = new Map<Node, Node>()
  const isWhole = (step: Extract<KernelStep, { kind: 'view' }>) => byteSize(step.of.type) === byteSize(step.result.type)
  const sources = new Map(kernels.steps.flatMap((step) => (step.kind === 'view' ? [[step.result, step] as const] : [])))
  /** What a part is a view of, as long as it is all of it. */
  const whole = (node: Node): Node => {
    const view = sources.get(node)
    return view && isWhole(view) ? whole(view.of) : node
  }
  for (const step of kernels.steps) {
    if (step.kind !== 'join' || elementCount(step.result.type.shape.slice(0, step.axis)) !== 1) continue
    for (const part of step.parts.map(whole)) if (!sources.has(part) && !inside.has(part)) inside.set(part, step.result)
  }
  for (const [result, { of }] of sources) inside.set(result, of)
  return (node) => {
    let last = node
    for (let next = inside.get(node); next; next = inside.get(next)) last = next
    return last
  }
}
