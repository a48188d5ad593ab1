import { assertInvariant, type Graph, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import { type BuiltKernel, buildKernel } from './build.ts'
import type { Decision } from './decision.ts'
import { operandsOfStep } from './graph.ts'
import { chooseStored, narrowerCuts } from './group.ts'
import type { Body, KernelGraph, KernelStep } from './kernel.ts'
import { mergeKernels } from './merge.ts'
import { joinAxis, roleOf, viewOffset } from './movement.ts'
import { kernelNames } from './names.ts'
import { storeNarrow } from './stored.ts'
import { isView, type Unit } from './unit.ts'
import { keepWhole } from './whole.ts'

export interface FuseOptions {
  /** Default: true. */
  readonly fuse?: boolean
  /** Default: as `fuse`. */
  readonly together?: boolean
  /** What became of the graphs that nodes run. */
  readonly bodyOf?: (body: Graph) => Body | undefined
}

/**
 * Turns a graph of primitives (and of composites that the target keeps) into kernels: chooses which values get storage, builds for each
 * the kernel that computes it from stored ones, and lets kernels over the same positions become one where that pays. With `together: false`
 * none become one, so that what they make need not be there at one time; with `fuse: false` every value gets storage and a kernel of its
 * own. The results are the same.
 */
export function fuseGraph(graph: Graph, target: Target, { fuse = true, together = fuse, bodyOf }: FuseOptions = {}): KernelGraph {
  const apart = new Set<Node>(fuse ? [] : graph.nodes)
  const narrow = new Set<Node>()
  const built = new Map<Node, BuiltKernel>()
  for (;;) {
    const choice = chooseStored(graph, target, apart, narrow)
    const { stored, decisions } = choice
    if (buildAll(graph, stored, apart, built)) continue
    const cuts = narrowerCuts(graph, target, choice).filter((node) => !narrow.has(node))
    for (const node of cuts) narrow.add(node)
    if (cuts.length > 0) continue
    const units = graph.nodes.flatMap((node, at): Unit[] => {
      const kernel = stored.has(node) && needsKernel(node, stored) ? built.get(node) : undefined
      return kernel ? [{ at, roots: [node], built: kernel }] : []
    })
    const merged = together ? mergeKernels(graph, target, units, stored) : { units, decisions: new Map<Node, Decision>() }
    const reasons = [...decisions.values()].map((first) => {
      const last = merged.decisions.get(first.value)
      return last ? { ...last, reason: `${first.reason}; ${last.reason}` } : first
    })
    return {
      ...assemble(
        graph,
        stored,
        merged.units.map((unit) => knowingInputs(withBodies(unit, bodyOf), target)),
      ),
      decisions: reasons.sort((a, b) => a.value.id - b.value.id),
    }
  }
}

/** The kernel of a node that runs graphs of its own has what these became. */
function withBodies(unit: Unit, bodyOf: FuseOptions['bodyOf']): Unit {
  const node = unit.roots.find(({ bodies }) => bodies)
  const { kernel } = unit.built
  if (!node?.bodies || !kernel.anchor) return unit
  const bodies = node.bodies.map((body) => {
    const compiled = bodyOf?.(body)
    assertInvariant(compiled, `the body '${body.name}' of a ${node.op} was not compiled`)
    return compiled
  })
  return { ...unit, built: { ...unit.built, kernel: { ...kernel, anchor: { ...kernel.anchor, bodies } } } }
}

/** What inputs hold is known here alone. */
const knowingInputs = (unit: Unit, target: Target): Unit => {
  const { kernel, inputs } = unit.built
  return { ...unit, built: { ...unit.built, kernel: storeNarrow(keepWhole(kernel, inputs), inputs, target) } }
}

/**
 * Builds the kernel of each stored value that `built` does not have, or has with other values stored. What building wants apart is stored
 * at once, so that what else is wrong is found in the same round. Says whether there was any.
 */
function buildAll(graph: Graph, chosen: ReadonlySet<Node>, apart: Set<Node>, built: Map<Node, BuiltKernel>): boolean {
  const found = apart.size
  const stored = new Set(chosen)
  const isStored = (node: Node) => stored.has(node) || roleOf(node) === 'storage'
  const pending = graph.nodes.filter((node) => stored.has(node))
  for (const node of pending) {
    if (!needsKernel(node, stored)) continue
    const known = built.get(node)
    if (known?.members.every((member) => member === node || !stored.has(member)) && known.inputs.every(isStored)) continue
    built.delete(node)
    for (;;) {
      const result = buildKernel([node], graph, (member) => member !== node && isStored(member))
      if (!('apart' in result)) {
        built.set(node, result)
        break
      }
      assertInvariant(!stored.has(result.apart), `fusion wants to store ${result.apart.op} again`)
      apart.add(result.apart)
      stored.add(result.apart)
      pending.push(result.apart)
    }
  }
  return apart.size > found
}

/** Storage and joins need none; movements that are contiguous parts of a stored value are views of it. */
function needsKernel(node: Node, stored: ReadonlySet<Node>): boolean {
  const role = roleOf(node)
  if (role === 'view' || role === 'bits' || role === 'access') return !isView(node, stored)
  return role === 'elementwise' || role === 'anchor'
}

/** Units and joins in their order, and views as early as their source is made. */
function assemble(graph: Graph, stored: ReadonlySet<Node>, units: readonly Unit[]): Omit<KernelGraph, 'decisions'> {
  const nameOf = kernelNames()
  const made = new Map<Node, KernelStep>()
  const calls = new Map<number, KernelStep>()
  for (const { at, roots, built } of units) {
    const { kernel, inputs, locations } = built
    const step: KernelStep = { kind: 'call', name: '', kernel, inputs, results: roots, locations }
    for (const root of roots) made.set(root, step)
    calls.set(at, step)
  }
  const steps: KernelStep[] = []
  const placed = new Set<KernelStep>()

  function stepOf(node: Node): KernelStep | undefined {
    if (roleOf(node) === 'storage') return undefined
    let step = made.get(node)
    if (!step) {
      step =
        roleOf(node) === 'join'
          ? { kind: 'join', parts: node.operands, axis: joinAxis(node), result: node, locations: graph.locations.get(node) ?? [] }
          : { kind: 'view', of: node.operands[0]!, offset: viewOffset(node)!, result: node }
      made.set(node, step)
    }
    return step
  }

  /** Puts a step behind all that it reads. */
  function place(first: KernelStep): void {
    const pending = [first]
    for (let step = pending.at(-1); step; step = pending.at(-1)) {
      const missing = placed.has(step) ? [] : operandsOfStep(step).flatMap((node) => stepOf(node) ?? [])
      const next = missing.filter((other) => !placed.has(other))
      assertInvariant(pending.length <= graph.nodes.length, 'kernels wait for each other')
      if (next.length > 0) pending.push(next[0]!)
      else {
        pending.pop()
        if (placed.has(step)) continue
        placed.add(step)
        steps.push(step.kind === 'call' ? { ...step, name: nameOf(step.kernel) } : step)
      }
    }
  }

  /** The source of a view is no value where its only readers are inside the kernel that makes it. */
  const isPlaced = (node: Node) => roleOf(node) === 'storage' || placed.has(made.get(node)!)
  for (const [at, node] of graph.nodes.entries()) {
    const call = calls.get(at)
    if (call) place(call)
    if (!stored.has(node) || made.has(node)) continue
    if (roleOf(node) === 'join' || (isView(node, stored) && isPlaced(node.operands[0]!))) place(stepOf(node)!)
  }
  for (const { value } of graph.outputs) {
    const step = stepOf(value)
    if (step) place(step)
  }
  const read = new Set<Node>([...steps.flatMap(operandsOfStep), ...graph.outputs.map((output) => output.value)])
  return {
    name: graph.name,
    inputs: graph.inputs,
    outputs: graph.outputs,
    constants: graph.nodes.filter((node) => node.data !== undefined && read.has(node)),
    steps,
  }
}
