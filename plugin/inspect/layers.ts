// A layer is one kernel call. What it should compute is what the interpreter makes of the nodes inside it.
import { type KernelGraph, type KernelStep, operandsOfStep, resultsOfStep } from '../../compiler/fuse/index.ts'
import { copyNode, createBuilder, type Graph, hasTrait, type Location, type Node } from '../../compiler/graph/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { perturb, perturbOperands, uniform } from './compare.ts'
import { type Tensors, valueOf } from './reference.ts'

export type KernelCallStep = Extract<KernelStep, { readonly kind: 'call' }>

/** The nodes that a kernel computes, operands before users, and the stored values and constants that it starts from. */
export interface Members {
  readonly inside: readonly Node[]
  readonly leaves: readonly Node[]
}

/** Values that some step or the caller stores. */
export const storedValues = (kernels: KernelGraph): ReadonlySet<Node> =>
  new Set([...kernels.inputs, ...kernels.constants, ...kernels.steps.flatMap(resultsOfStep)])

export function membersOf(results: readonly Node[], stored: ReadonlySet<Node>): Members {
  const inside = new Set<Node>()
  const leaves = new Set<Node>()
  const pending = [...results]
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (inside.has(node) || leaves.has(node)) continue
    const isLeaf = hasTrait(node, 'storage') || (stored.has(node) && !results.includes(node))
    if (isLeaf) leaves.add(node)
    else {
      inside.add(node)
      pending.push(...node.operands)
    }
  }
  const inOrder = (set: ReadonlySet<Node>) => [...set].sort((a, b) => a.id - b.id)
  return { inside: inOrder(inside), leaves: inOrder(leaves) }
}

/** What the members of a kernel compute from the values of its leaves; with `random`, each a little off. */
export function computeMembers(
  { inside }: Members,
  leaf: (node: Node) => Uint8Array,
  random?: () => number,
): Map<Node, Uint8Array> {
  const values = new Map<Node, Uint8Array>()
  for (const node of inside) {
    const operands = node.operands.map((operand) => values.get(operand) ?? leaf(operand))
    const value = evaluate(node, random ? perturbOperands(node, operands, random) : operands)
    values.set(node, random && !hasTrait(node, 'movement') ? perturb(node.type, value, random) : value)
  }
  return values
}

/** What stored values should be, computed step by step and forgotten after their last reader. */
export interface LayerReference {
  /** The exact value of a stored node, then those of the runs with moved values. */
  values(node: Node): readonly Uint8Array[]
  /** Results of a step from exact inputs that are moved a little: how sensitive this layer is by itself. */
  movedAlone(step: KernelStep): ReadonlyMap<Node, readonly Uint8Array[]>
  /** Tells that a step has been looked at. */
  finish(step: KernelStep): void
}

export function createLayerReference(kernels: KernelGraph, inputs: Tensors, movedRuns: number): LayerReference {
  const stored = storedValues(kernels)
  const makers = new Map(kernels.steps.flatMap((step) => resultsOfStep(step).map((node) => [node, step] as const)))
  const known = new Map<Node, readonly Uint8Array[]>()
  const readers = new Map<Node, Set<KernelStep>>()
  for (const step of kernels.steps)
    for (const node of operandsOfStep(step)) readers.set(node, (readers.get(node) ?? new Set()).add(step))
  const kept = new Set(kernels.outputs.map(({ value }) => value))
  const randoms = Array.from({ length: movedRuns }, (_, i) => uniform(i + 1))

  function values(node: Node): readonly Uint8Array[] {
    const found = known.get(node)
    if (found) return found
    const held = valueOf(node, inputs)
    if (held) {
      const all = [held, ...randoms.map((random) => (node.data ? held : perturb(node.type, held, random)))]
      if (!node.data) known.set(node, all)
      return all
    }
    const results = resultsOfStep(makers.get(node)!)
    const members = membersOf(results, stored)
    const runs = [undefined, ...randoms].map((random, run) => computeMembers(members, (leaf) => values(leaf)[run]!, random))
    for (const result of results)
      known.set(
        result,
        runs.map((each) => each.get(result)!),
      )
    return known.get(node)!
  }

  return {
    values,
    movedAlone(step) {
      const results = resultsOfStep(step)
      const members = membersOf(results, stored)
      const runs = randoms.map((random) =>
        computeMembers(members, (leaf) => (leaf.data ? leaf.data.read() : perturb(leaf.type, values(leaf)[0]!, random)), random),
      )
      return new Map(results.map((node) => [node, runs.map((each) => each.get(node)!)]))
    },
    finish(step) {
      for (const node of operandsOfStep(step)) {
        const left = readers.get(node)
        left?.delete(step)
        if (left?.size === 0 && !kept.has(node)) known.delete(node)
      }
    },
  }
}

/** A graph of one kernel alone: its leaves are inputs `x0`, `x1`, …, its results outputs `y0`, …; constants stay. */
export function graphOfLayer(
  name: string,
  step: KernelCallStep,
  kernels: KernelGraph,
): { readonly graph: Graph; readonly inputs: ReadonlyMap<string, Node> } {
  const results = resultsOfStep(step)
  const { inside, leaves } = membersOf(results, storedValues(kernels))
  const builder = createBuilder()
  const copies = new Map<Node, Node>()
  const inputs = new Map<string, Node>()
  const locations: readonly Location[] = step.locations
  for (const leaf of leaves) {
    if (leaf.data) copies.set(leaf, builder.constant(leaf.type, leaf.data))
    else {
      const input = `x${inputs.size}`
      inputs.set(input, leaf)
      copies.set(leaf, builder.input(input, leaf.type))
    }
  }
  for (const node of inside) {
    const copy = copyNode(
      node,
      builder,
      node.operands.map((operand) => copies.get(operand)!),
    )
    builder.attribute(copy, locations)
    copies.set(node, copy)
  }
  const outputs = results.map((node, i) => ({ name: `y${i}`, value: copies.get(node)! }))
  return {
    graph: builder.finish(
      name,
      [...inputs.values()].map((leaf) => copies.get(leaf)!),
      outputs,
    ),
    inputs,
  }
}
