import {
  attributesOf,
  byteSize,
  createBuilder,
  type Graph,
  hasTrait,
  InvariantError,
  inputName,
  isPrimitive,
  type Node,
  printType,
  resultsOf,
  scalarBytes,
} from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import type { Evaluate } from '../../compiler/target.ts'
import { EvaluationFault } from './fault.ts'
import { applyPrimitive } from './primitives.ts'

/**
 * Computes one node from its operands' little-endian bytes; composites are lowered first. Operands and result have the sizes of their
 * types. Throws EvaluationFault where a `checked` op refuses a value.
 */
export const evaluate: Evaluate = (node, operands) => {
  for (const [i, operand] of node.operands.entries()) requireSize(operands[i], operand, `operand ${i} of ${node.op}`)
  if (node.bodies) return evaluateBodies(node, operands)
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

/** Runs the bodies of a node, each as a graph. */
function evaluateBodies(node: Node, operands: readonly Uint8Array[]): Uint8Array {
  const bodies = node.bodies!
  const result = new Uint8Array(byteSize(node.type))
  const layout = resultsOf(
    node.op,
    bodies[0]!.outputs.map(({ value }) => value.type),
    node.attributes,
  )
  const put = (index: number, bytes: Uint8Array, place = 0) => result.set(bytes, layout.offsets[index]! + place * bytes.length)
  const run = (body: Graph, inputs: readonly Uint8Array[]) => {
    const results = runGraph(body, Object.fromEntries(body.inputs.map((input, i) => [inputName(input), inputs[i]!])))
    return body.outputs.map(({ name }) => results[name]!)
  }
  if (node.op === 'branch') {
    const [condition, ...rest] = operands
    for (const [i, bytes] of run(bodies[condition![0] ? 0 : 1]!, rest).entries()) put(i, bytes)
    return result
  }
  const { carried, limit } = attributesOf<'loop'>(node)
  const [count, condition, ...rest] = operands
  const [turns, captured] = [new DataView(count!.buffer, count!.byteOffset, 8).getBigInt64(0, true), rest.slice(carried)]
  let values: readonly Uint8Array[] = rest.slice(0, carried)
  let turn = 0
  for (let proceed = condition![0] !== 0; proceed && turn < turns; turn++) {
    if (limit > 0 && turn === limit) throw new EvaluationFault(`loop: more than ${limit} turns`)
    const [goOn, ...given] = run(bodies[0]!, [elementBytes(turn), ...values, ...captured])
    values = given.slice(0, carried)
    for (const [i, bytes] of given.slice(carried).entries()) put(1 + carried + i, bytes, turn)
    proceed = goOn![0] !== 0
  }
  put(0, elementBytes(turn))
  for (const [i, bytes] of values.entries()) put(1 + i, bytes)
  return result
}

const elementBytes = (turn: number): Uint8Array => scalarBytes('i64', turn)

/**
 * Computes all outputs of a graph. `inputs` are little-endian dense bytes under the names of the graph's inputs; each must be there in
 * its full size. Values are released after their last use.
 */
export function runGraph(graph: Graph, inputs: Readonly<Record<string, Uint8Array>>): Record<string, Uint8Array> {
  const { nodes, outputs } = loweredOf(graph)
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

/** A body is run again and again. */
const lowered = new WeakMap<Graph, Graph>()

function loweredOf(graph: Graph): Graph {
  const known = lowered.get(graph) ?? lowerGraph(graph, new Set())
  lowered.set(graph, known)
  return known
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
