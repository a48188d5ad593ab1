import {
  byteSize,
  createBuilder,
  elementCount,
  type Graph,
  type Node,
  reachableNodes,
  unknownLocation,
} from '../../../compiler/graph/index.ts'
import { nodeOf, type Tracer, withTracer } from '../../tracer.ts'
import type { Known, Value } from './context.ts'

/** Computes the outputs of a graph without inputs; the interpreter, which is loaded lazily. */
export type RunGraph = (graph: Graph, inputs: Readonly<Record<string, Uint8Array>>) => Record<string, Uint8Array>

/** Bytes of inputs and of results up to which nodes are computed while importing. */
export const foldedBytes = 1 << 16
/** Elements of all intermediate tensors together, where a rule insists on elements. */
const insistedElements = 1 << 24

export const scratchTracer = (): Tracer => ({ builder: createBuilder(), location: () => unknownLocation })

/** Elements of tensors that depend on constants alone; undefined where that would be too much, or fails as it would when the model runs. */
export function evaluateNodes(nodes: readonly Node[], run: RunGraph, limit = insistedElements): readonly Known[] | undefined {
  const all = reachableNodes(nodes)
  if (all.reduce((sum, node) => sum + elementCount(node.type.shape), 0) > limit) return undefined
  const builder = createBuilder()
  const graph = builder.finish(
    'folded',
    [],
    nodes.map((value, i) => ({ name: `r${i}`, value })),
  )
  const results = attempt(() => run(graph, {}))
  return results && nodes.map(({ type }, i) => ({ type, bytes: results[`r${i}`]! }))
}

/** Whether results of these types are small enough to be kept as constants. */
export const isSmall = (nodes: readonly Node[]): boolean =>
  nodes.reduce((sum, { type }) => sum + byteSize(type), 0) <= foldedBytes

/** A refusal of a value while computing, such as an index outside its table, is left to the run of the model. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step()
  } catch (error) {
    if (error instanceof Error && error.name === 'EvaluationFault') return undefined
    throw error
  }
}

export const nodeBehind = (tracer: Tracer, tensor: Value): Node => withTracer(tracer, () => nodeOf(tensor, 'import', 'a value'))

/** Whether nothing that a node reaches is an input. Remembers what it found. */
export function createConstancy(): (node: Node) => boolean {
  const constant = new Map<Node, boolean>()
  return (root) => {
    const pending = [root]
    for (let node = pending.at(-1); node; node = pending.at(-1)) {
      const unknown = node.operands.filter((operand) => !constant.has(operand))
      if (unknown.length > 0) {
        pending.push(...unknown)
        continue
      }
      constant.set(node, node.op !== 'input' && node.operands.every((operand) => constant.get(operand)))
      pending.pop()
    }
    return constant.get(root)!
  }
}
