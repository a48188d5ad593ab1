import {
  byteSize,
  createBuilder,
  type Graph,
  hasTrait,
  InvariantError,
  inputName,
  isPrimitive,
  type Node,
  printType,
} from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import type { Evaluate } from '../../compiler/target.ts'
import { applyPrimitive } from './primitives.ts'

/**
 * Computes one node from its operands' little-endian bytes; composites are lowered first. Operands and result have the sizes of their
 * types. Throws EvaluationFault where a `checked` op refuses a value.
 */
export const evaluate: Evaluate = (node, operands) => {
  for (const [i, operand] of node.operands.entries()) requireSize(operands[i], operand, `operand ${i} of ${node.op}`)
  if (isPrimitive(node))
    return applyPrimitive(
      node.op,
      node.operands.map(({ type }, i) => ({ type, bytes: operands[i]! })),
      node.attributes,
      node.type,
    )
  const builder = createBuilder()
  const inputs = node.operands.map(({ type }, i) => builder.input(`operand${i}`, type))
  const value = builder.addFlat(node.op, inputs, node.attributes)
  const graph = builder.finish(node.op, inputs, [{ name: 'result', value }])
  return runGraph(graph, Object.fromEntries(inputs.map((input, i) => [inputName(input), operands[i]!]))).result!
}

/**
 * Computes all outputs of a graph. `inputs` are little-endian dense bytes under the names of the graph's inputs; each must be there in
 * its full size. Values are released after their last use.
 */
export function runGraph(graph: Graph, inputs: Readonly<Record<string, Uint8Array>>): Record<string, Uint8Array> {
  const { nodes, outputs } = lowerGraph(graph, new Set())
  const uses = new Map<Node, number>()
  const use = (node: Node) => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of nodes) node.operands.forEach(use)
  for (const { value } of outputs) use(value)

  const values = new Map<Node, Uint8Array>()
  for (const node of nodes) {
    values.set(
      node,
      isStorage(node)
        ? stored(node, inputs)
        : evaluate(
            node,
            node.operands.map((operand) => values.get(operand)!),
          ),
    )
    for (const operand of node.operands) {
      const left = uses.get(operand)! - 1
      uses.set(operand, left)
      if (left === 0) values.delete(operand)
    }
  }
  // Outputs belong to the caller: what an input, a constant or another output holds is copied.
  return Object.fromEntries(outputs.map(({ name, value }) => [name, new Uint8Array(values.get(value)!)]))
}

const isStorage = (node: Node): boolean => hasTrait(node, 'storage')

function stored(node: Node, inputs: Readonly<Record<string, Uint8Array>>): Uint8Array {
  if (node.data) return requireSize(node.data.read(), node, `constant '${node.data.label}'`)
  const name = inputName(node)
  return requireSize(Object.hasOwn(inputs, name) ? inputs[name] : undefined, node, `input '${name}'`)
}

function requireSize(bytes: Uint8Array | undefined, node: Node, what: string): Uint8Array {
  const expected = byteSize(node.type)
  if (bytes?.byteLength !== expected) {
    throw new InvariantError(`${what}: ${printType(node.type)} needs ${expected} bytes, got ${bytes ? bytes.byteLength : 'none'}`)
  }
  return bytes
}
