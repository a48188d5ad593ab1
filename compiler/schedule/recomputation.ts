import { costOf } from '../cost/index.ts'
import { operandsOfStep, resultsOfStep } from '../fuse/graph.ts'
import type { Kernel, KernelGraph, KernelStep } from '../fuse/kernel.ts'
import { workOfKernel } from '../fuse/work.ts'
import { byteSize, definitionOf, elementCount, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'

/** Calls that make values a second time. */
export interface Recomputation {
  /** The step before which they come. */
  readonly before: number
  /** Calls on nodes of their own, and views of what they make. */
  readonly again: readonly KernelStep[]
  /** What readers from `before` on read instead of these. */
  readonly replaced: ReadonlyMap<Node, Node>
  readonly nanoseconds: number
}

/** When stored values are made and read. A view is no reader: who reads it reads the value of which it is a part. */
export interface Lives {
  /** The stored value in which a value lies: itself, but for views. */
  readonly stored: (node: Node) => Node
  readonly makers: ReadonlyMap<Node, number>
  /** Steps that read a stored value or a view of it, in order. */
  readonly readers: ReadonlyMap<Node, readonly number[]>
  readonly views: ReadonlyMap<Node, Extract<KernelStep, { kind: 'view' }>>
  /** Stored values that are outputs, in part or whole; they stay. */
  readonly outputs: ReadonlySet<Node>
}

export function livesOf({ steps, outputs }: KernelGraph): Lives {
  const places = new Map<Node, Node>()
  const stored = (node: Node) => places.get(node) ?? node
  const makers = new Map<Node, number>()
  const readers = new Map<Node, number[]>()
  const views = new Map<Node, Extract<KernelStep, { kind: 'view' }>>()
  for (const [i, step] of steps.entries()) {
    for (const result of resultsOfStep(step)) makers.set(result, i)
    if (step.kind === 'view') {
      views.set(step.result, step)
      places.set(step.result, stored(step.of))
      continue
    }
    for (const value of new Set(operandsOfStep(step).map(stored))) {
      const known = readers.get(value)
      if (known) known.push(i)
      else readers.set(value, [i])
    }
  }
  return { stored, makers, readers, views, outputs: new Set(outputs.map(({ value }) => stored(value))) }
}

/** Operations for each element of its results that a cheap kernel does at most: two or three functions of it, or a small window. */
const cheapOperations = 48
/** Calls that one recomputation adds at most: inputs that are gone by then are made again too. */
const maximumCalls = 4

export const nanosecondsOf = (kernel: Kernel, { rates }: Target): number => costOf(workOfKernel(kernel), rates)

const isCheap = (kernel: Kernel): boolean =>
  workOfKernel(kernel).operations <= cheapOperations * kernel.results.length * elementCount(kernel.domain)

/** Calls that check values report what is wrong where the model says so, once. */
export function checksValues({ anchor, prologue = [], steps }: Kernel): boolean {
  const names = [...prologue, ...steps].flatMap((step) => (step.kind === 'apply' ? [step.op] : []))
  return [...names, ...(anchor ? [anchor.op] : [])].some((op) => definitionOf(op).traits.includes('checked'))
}

/** Ways to have less live at a step, most bytes for each nanosecond first; of equals those that are needed again last. */
export function candidatesAt(graph: KernelGraph, lives: Lives, at: number, target: Target): readonly Recomputation[] {
  const found: { readonly recomputation: Recomputation; readonly saved: number }[] = []
  for (const step of graph.steps.slice(0, at)) {
    if (step.kind !== 'call' || !step.results.every((result) => waits(lives, result, at))) continue
    const recomputation = recomputationOf(graph, lives, step.results, at, target)
    const saved = step.results.reduce((sum, { type }) => sum + byteSize(type), 0)
    if (recomputation && saved > 0) found.push({ recomputation, saved })
  }
  return found
    .map((each) => ({ ...each, rate: each.saved / each.recomputation.nanoseconds }))
    .sort((a, b) => b.rate - a.rate || b.recomputation.before - a.recomputation.before)
    .map(({ recomputation }) => recomputation)
}

/** Whether a value is live at a step only for those that come after. */
function waits({ readers, outputs }: Lives, value: Node, at: number): boolean {
  const reads = readers.get(value) ?? []
  return !outputs.has(value) && !reads.includes(at) && (reads.at(-1) ?? 0) > at
}

/** Undefined where a kernel is dear, checks values, or reads what would have to be kept instead. */
function recomputationOf(
  { steps }: KernelGraph,
  lives: Lives,
  results: readonly Node[],
  at: number,
  target: Target,
): Recomputation | undefined {
  const { stored, makers, readers, views } = lives
  const again: KernelStep[] = []
  const copies = new Map<Node, Node>()
  let [calls, nanoseconds] = [0, 0]

  /** Whether a value is there after `at`, as it was or made again. */
  function provide(value: Node): boolean {
    const maker = makers.get(value)
    const kept = maker === undefined || lives.outputs.has(value) || (readers.get(value)?.at(-1) ?? -1) >= at
    return kept || copies.has(value) || (steps[maker]!.kind === 'call' && repeat(maker))
  }

  function repeat(index: number): boolean {
    const step = steps[index]!
    if (step.kind !== 'call' || ++calls > maximumCalls) return false
    if (checksValues(step.kernel) || !isCheap(step.kernel)) return false
    if (!step.inputs.every((input) => provide(stored(input)))) return false
    const inputs = step.inputs.map(copyOf)
    const made = step.results.map((result): Node => ({ ...result }))
    again.push({ ...step, inputs, results: made })
    for (const [i, result] of step.results.entries()) copies.set(result, made[i]!)
    nanoseconds += nanosecondsOf(step.kernel, target)
    return true
  }

  /** What to read instead of a value once what it lies in is made again. */
  function copyOf(node: Node): Node {
    const known = copies.get(node)
    if (known || !copies.has(stored(node))) return known ?? node
    const view = views.get(node)!
    const result: Node = { ...node }
    again.push({ ...view, of: copyOf(view.of), result })
    copies.set(node, result)
    return result
  }

  if (!repeat(makers.get(results[0]!)!)) return undefined
  const before = Math.min(...results.map((result) => readers.get(result)!.find((reader) => reader > at)!))
  const replaced = new Map<Node, Node>()
  for (const reader of results.flatMap((result) => readers.get(result)!.filter((reader) => reader >= before)))
    for (const operand of operandsOfStep(steps[reader]!))
      if (results.includes(stored(operand))) replaced.set(operand, copyOf(operand))
  return { before, again, replaced, nanoseconds }
}
