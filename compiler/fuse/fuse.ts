import { assertInvariant, type Graph, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import { type BuiltKernel, buildKernel } from './build.ts'
import { chooseStored } from './group.ts'
import type { Kernel, KernelGraph, KernelStep } from './kernel.ts'
import { joinAxis, roleOf, viewOffset } from './movement.ts'
import { kernelSignature } from './print.ts'

/** Op names in a kernel's name at most; the rest is counted. */
const namedOps = 4

/**
 * Turns a graph of primitives (and of composites that the target keeps) into kernels: chooses which values get storage, then builds
 * for each the kernel that computes it from stored ones. With `fuse: false` every value gets storage; the results are the same.
 */
export function fuseGraph(graph: Graph, target: Target, { fuse = true }: { readonly fuse?: boolean } = {}): KernelGraph {
  const apart = new Set<Node>(fuse ? [] : graph.nodes)
  for (;;) {
    const stored = chooseStored(graph, target, apart)
    const found = apart.size
    const built = new Map<Node, BuiltKernel>()
    for (const node of graph.nodes) {
      if (!stored.has(node) || !needsKernel(node, stored)) continue
      const result = buildKernel(node, graph, stored)
      if ('apart' in result) {
        assertInvariant(!stored.has(result.apart), `fusion wants to store ${result.apart.op} again`)
        apart.add(result.apart)
      } else built.set(node, result)
    }
    if (apart.size === found) return assemble(graph, stored, built)
  }
}

/** Storage and joins need none; movements that are contiguous parts of a stored value are views of it. */
function needsKernel(node: Node, stored: ReadonlySet<Node>): boolean {
  const role = roleOf(node)
  if (role === 'view' || role === 'access') return !isView(node, stored)
  return role === 'elementwise' || role === 'anchor'
}

function isView(node: Node, stored: ReadonlySet<Node>): boolean {
  const operand = node.operands[0]!
  return (stored.has(operand) || roleOf(operand) === 'storage') && viewOffset(node) !== undefined
}

function assemble(graph: Graph, stored: ReadonlySet<Node>, built: ReadonlyMap<Node, BuiltKernel>): KernelGraph {
  const nameOf = kernelNames()
  const steps = graph.nodes.flatMap((node): KernelStep[] => {
    const role = roleOf(node)
    if (!stored.has(node) || role === 'storage') return []
    const result = built.get(node)
    if (result)
      return [
        {
          kind: 'call',
          name: nameOf(result.kernel),
          kernel: result.kernel,
          inputs: result.inputs,
          result: node,
          locations: result.locations,
        },
      ]
    if (role === 'join')
      return [
        { kind: 'join', parts: node.operands, axis: joinAxis(node), result: node, locations: graph.locations.get(node) ?? [] },
      ]
    return [{ kind: 'view', of: node.operands[0]!, offset: viewOffset(node)!, result: node }]
  })
  const read = new Set<Node>([...steps.flatMap(operandsOfStep), ...graph.outputs.map((output) => output.value)])
  return {
    name: graph.name,
    inputs: graph.inputs,
    outputs: graph.outputs,
    constants: graph.nodes.filter((node) => node.data !== undefined && read.has(node)),
    steps,
  }
}

/** The values a step reads. */
export function operandsOfStep(step: KernelStep): readonly Node[] {
  return step.kind === 'call' ? step.inputs : step.kind === 'view' ? [step.of] : step.parts
}

/** Names for kernels: equal ones share a name, others get another. */
function kernelNames(): (kernel: Kernel) => string {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  return (kernel) => {
    const signature = kernelSignature(kernel)
    let name = names.get(signature)
    if (name === undefined) {
      const base = describeKernel(kernel)
      name = base
      for (let n = 2; taken.has(name); n++) name = `${base}_${n}`
      names.set(signature, name)
      taken.add(name)
    }
    return name
  }
}

/** `conv_maximum_1x64x60x80`: the ops in order and the result's shape; op names are identifiers. */
function describeKernel(kernel: Kernel): string {
  const applied = (steps: Kernel['steps']) => steps.flatMap((step) => (step.kind === 'apply' ? [step.op] : []))
  const ops = [...applied(kernel.prologue ?? []), ...(kernel.anchor ? [kernel.anchor.op] : []), ...applied(kernel.steps)]
  const idle = kernel.steps.some((step) => step.kind === 'load') ? 'relayout' : 'fill'
  const named =
    ops.length === 0 ? [idle] : ops.length <= namedOps ? ops : [...ops.slice(0, namedOps), `${ops.length - namedOps}more`]
  const shape = kernel.domain.length === 0 ? 'scalar' : kernel.domain.join('x')
  return [...named, shape].join('_')
}
