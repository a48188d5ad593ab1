import { operandsOfStep, resultsOfStep } from '../fuse/graph.ts'
import type { KernelGraph } from '../fuse/kernel.ts'
import { inputName, type ModelState, type Node } from '../graph/index.ts'
import { elideCopies } from '../instructions/elide.ts'
import { peakBytes } from '../instructions/lifetime.ts'
import { selectInstructions } from '../instructions/select.ts'
import { shareInPlace } from '../instructions/share.ts'
import type { Target } from '../target.ts'

/**
 * The same steps in an order in which states are read before they are renewed, as far as what reads them does not wait for the new values: these can
 * then be made where the states lie. Other steps stay in the order given. Where more would be live at one time, it stays altogether.
 */
export function readBeforeRenewing(kernels: KernelGraph, target: Target, states: readonly ModelState[]): KernelGraph {
  const measure = (graph: KernelGraph) =>
    peakBytes(shareInPlace(elideCopies(selectInstructions(graph, target, states), target), target), target.alignment)
  const ordered = inOrder(kernels, waitsFor(kernels, states))
  return ordered !== kernels && measure(ordered) <= measure(kernels) ? ordered : kernels
}

type Waits = readonly ReadonlySet<number>[]

/** By step, those that come before it: the makers of what it reads, and the readers of states that it renews. */
function waitsFor({ steps, inputs, outputs }: KernelGraph, states: readonly ModelState[]): Waits {
  const makers = new Map<Node, number>()
  /** What a value is, or is a view of. */
  const storage = new Map<Node, Node>(inputs.map((node) => [node, node]))
  const readers = new Map<Node, number[]>()
  const waits = steps.map((step, i) => {
    const operands = operandsOfStep(step)
    for (const node of operands) {
      const root = storage.get(node)
      if (root && step.kind !== 'view') readers.set(root, [...(readers.get(root) ?? []), i])
    }
    for (const result of resultsOfStep(step)) {
      makers.set(result, i)
      storage.set(result, (step.kind === 'view' && storage.get(step.of)) || result)
    }
    return new Set(operands.flatMap((node) => makers.get(node) ?? []))
  })
  for (const { input, output } of states) {
    const before = inputs.find((node) => inputName(node) === input)
    const after = outputs.find(({ name }) => name === output)?.value
    const maker = after && makers.get(storage.get(after) ?? after)
    if (!before || maker === undefined) continue
    const others = (readers.get(before) ?? []).filter((reader) => reader !== maker)
    if (others.some((reader) => reaches(waits, reader, maker))) continue
    for (const reader of others) waits[maker]!.add(reader)
  }
  return waits
}

/** Does a step wait for another, or for what waits for it? */
function reaches(waits: Waits, from: number, to: number): boolean {
  const seen = new Set([from])
  for (const step of seen) {
    if (step === to) return true
    for (const earlier of waits[step]!) seen.add(earlier)
  }
  return false
}

/** The order given, but for what a step waits for and that comes later in it, which goes in front of the step. */
function inOrder(kernels: KernelGraph, waits: Waits): KernelGraph {
  const order = new Set<number>()
  for (const first of waits.keys()) {
    const pending = [first]
    for (let step = pending.at(-1); step !== undefined; step = pending.at(-1)) {
      const missing = [...waits[step]!].filter((earlier) => !order.has(earlier)).sort((a, b) => b - a)
      if (missing.length > 0) pending.push(...missing)
      else {
        order.add(step)
        pending.pop()
      }
    }
  }
  const list = [...order]
  return list.every((step, i) => step === i) ? kernels : { ...kernels, steps: list.map((step) => kernels.steps[step]!) }
}
