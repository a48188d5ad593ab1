// What a graph computes, by the interpreter: the side that every tool takes for right.
import {
  byteSize,
  dtypeFacts,
  elementsOf,
  type Graph,
  hasTrait,
  inputName,
  isFloat,
  type Node,
} from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { EvaluationFault, evaluate } from '../../targets/interpreter/index.ts'
import { perturb, perturbOperands, uniform } from './compare.ts'

/** Little-endian dense bytes by the name of an input or output. */
export type Tensors = Readonly<Record<string, Uint8Array>>

export interface ReferenceResult {
  readonly outputs: Tensors
  /** Outputs of runs in which every intermediate value was moved by up to two spacings. */
  readonly moved: readonly Tensors[]
}

export interface ReferenceOptions {
  /** How many runs with moved values there are; default 2. None where a tolerance is given. */
  readonly movedRuns?: number
  /** Told how far it is, from 0 to 1. */
  readonly update?: (share: number) => void
}

/** Lets timers run: the interpreter works on this thread, and slowly. */
export function createPause(): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < 100) return
    await new Promise((resolve) => setImmediate(resolve))
    last = performance.now()
  }
}

/** Runs a graph on the interpreter. Throws EvaluationFault where an op refuses a value. */
export async function runReference(
  graph: Graph,
  inputs: Tensors,
  { movedRuns = 2, update }: ReferenceOptions = {},
): Promise<ReferenceResult> {
  const { nodes, outputs } = lowerGraph(graph, new Set())
  const uses = new Map<Node, number>()
  const use = (node: Node) => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of nodes) node.operands.forEach(use)
  for (const { value } of outputs) use(value)
  const pause = createPause()
  /** Of the exact run, then of the moved ones. */
  const values = new Map<Node, readonly Uint8Array[]>()
  const randoms = Array.from({ length: movedRuns }, (_, i) => uniform(i + 1))
  for (const [at, node] of nodes.entries()) {
    const operandsOf = (run: number) => node.operands.map((operand) => values.get(operand)![run]!)
    const held = valueOf(node, inputs)
    const first = held ?? evaluate(node, operandsOf(0))
    const others = randoms.map((random, i) => {
      const value = held ?? evaluate(node, perturbOperands(node, operandsOf(i + 1), random))
      return hasTrait(node, 'movement') ? value : perturb(node.type, value, random)
    })
    values.set(node, [first, ...others])
    for (const operand of node.operands) {
      const left = uses.get(operand)! - 1
      uses.set(operand, left)
      if (left === 0) values.delete(operand)
    }
    update?.((at + 1) / nodes.length)
    await pause()
  }
  const run = (i: number): Tensors =>
    Object.fromEntries(outputs.map(({ name, value }) => [name, new Uint8Array(values.get(value)![i]!)]))
  return { outputs: run(0), moved: randoms.map((_, i) => run(i + 1)) }
}

/** What a constant or an input holds; undefined for a node that computes. */
export const valueOf = (node: Node, inputs: Tensors): Uint8Array | undefined =>
  node.data ? node.data.read() : hasTrait(node, 'storage') ? inputs[inputName(node)]! : undefined

/** Inputs for a model of which nothing is known: floats between −2 and 2, integers below `extent` (all of 8 bits where there is none). */
export function drawInputs(graph: Graph, seed: number, extent?: number): Record<string, Uint8Array> {
  const random = uniform(seed)
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const { dtype } = input.type
      const bytes = new Uint8Array(byteSize(input.type))
      const elements = elementsOf(dtype, bytes)
      const width = dtypeFacts[dtype].bytes
      for (let i = 0; i < elements.length; i++) elements.set(i, draw(random()))
      return [inputName(input), bytes]

      function draw(share: number): number {
        if (isFloat(dtype)) return share * 4 - 2
        if (dtype === 'bool') return share < 0.5 ? 0 : 1
        if (extent !== undefined) return Math.floor(share * (width === 1 ? Math.min(extent, 128) : extent))
        return width === 1 ? Math.floor(share * 256) - (dtypeFacts[dtype].kind === 'signed' ? 128 : 0) : Math.floor(share * 1000)
      }
    }),
  )
}

/** Bounds for integers, tried in turn until no op refuses them: an index must be one of a table that may be small. */
const extents = [undefined, 100, 10, 2, 1] as const

/** Random inputs that the model accepts, those in `fixed` as they are, and what it makes of them. */
export async function drawReference(
  graph: Graph,
  seed: number,
  { fixed = {}, ...options }: ReferenceOptions & { readonly fixed?: Tensors } = {},
): Promise<ReferenceResult & { readonly inputs: Tensors }> {
  for (const extent of extents) {
    const inputs = { ...drawInputs(graph, seed, extent), ...fixed }
    try {
      return { inputs, ...(await runReference(graph, inputs, options)) }
    } catch (error) {
      if (!(error instanceof EvaluationFault) || extent === extents.at(-1)) throw error
    }
  }
  throw new RangeError('no bound for integers was tried')
}
