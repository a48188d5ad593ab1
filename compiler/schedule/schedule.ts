import type { KernelGraph } from '../fuse/kernel.ts'
import { elideCopies } from '../instructions/elide.ts'
import { peakBytes } from '../instructions/lifetime.ts'
import { selectInstructions } from '../instructions/select.ts'
import { shareInPlace } from '../instructions/share.ts'
import type { Target } from '../target.ts'
import { type Model, modelOf } from './model.ts'
import type { Order } from './problem.ts'
import { solveOrder } from './solve.ts'

/** How good an order is, in bytes of activations and scratch live at one instruction, each rounded up to the target's alignment. */
export interface ScheduleReport {
  /** Of the order chosen. */
  readonly peak: number
  /** What the instructions of every order of the same steps need; never above `peak`. */
  readonly lowerBound: number
  /** Of the order given, in which every step comes as soon as the graph names it. */
  readonly topologicalPeak: number
  /** Whether it is proven that no order needs less: the peak is at its bound. */
  readonly exact: boolean
}

export interface Scheduled extends ScheduleReport {
  readonly kernels: KernelGraph
}

/** Beyond, an order that is better than the given one suffices: to measure another makes all instructions anew. */
const manySteps = 2000

/**
 * The same steps in an order that keeps fewer activation bytes alive. Orders and the bound come from models of storage; the judge is the
 * real thing: the instructions of each order, with copies elided and operands shared. Never worse than the order given.
 */
export function scheduleKernels(kernels: KernelGraph, target: Target): Scheduled {
  const measure = (graph: KernelGraph) =>
    peakBytes(shareInPlace(elideCopies(selectInstructions(graph, target), target), target), target.alignment)
  const topologicalPeak = measure(kernels)
  let best = { kernels, peak: topologicalPeak }

  const pieces = modelOf(kernels, target, 'pieces')
  const { bound, ...least } = solveOrder(pieces.problem)
  const tryOrder = ({ inOrder }: Model, order: Order): void => {
    if (order.every((task, i) => task === i)) return
    const graph = inOrder(order)
    const peak = measure(graph)
    if (peak < best.peak) best = { kernels: graph, peak }
  }
  if (best.peak > bound) tryOrder(pieces, least.order)
  const isAffordable = kernels.steps.length <= manySteps || best.peak === topologicalPeak
  if (best.peak > bound && pieces.hasJoins && isAffordable) {
    const whole = modelOf(kernels, target, 'whole')
    tryOrder(whole, solveOrder(whole.problem).order)
  }
  return { ...best, topologicalPeak, lowerBound: Math.min(bound, best.peak), exact: best.peak === bound }
}
