import { inferType, printAttributes } from './builder.ts'
import { dtypeFacts, isDType } from './dtype.ts'
import type { Attributes, ConstantData, Graph, Node } from './node.ts'
import { inputName } from './node.ts'
import { definitionOf, hasTrait, isOpName } from './ops/index.ts'
import { assertInvariant } from './problem.ts'
import { byteSize, maximumElements, maximumRank, printType, sameType, type TensorType } from './type.ts'

export interface VerifyOptions {
  /** Also read each constant and compare its size with its type. Default: true. */
  readonly payloads?: boolean
}

/**
 * Throws InvariantError unless everything that a graph promises holds: types are what inference gives, attributes are complete and
 * allowed, operands stand before their users, names are unique, payloads have the size of their type, nothing is unreachable.
 */
export function verifyGraph(graph: Graph, options: VerifyOptions = {}): void {
  const earlier = new Set<Node>()
  let lastId = -1
  for (const node of graph.nodes) {
    const say = (message: string) => `graph "${graph.name}": %${earlier.size} = ${node.op}: ${message}`
    assertInvariant(isOpName(node.op), say('unknown op'))
    assertInvariant(node.id > lastId, say(`id ${node.id} does not follow ${lastId}`))
    for (const operand of node.operands)
      assertInvariant(earlier.has(operand), say(`operand ${operand.op} #${operand.id} does not stand before it`))
    verifyNode(node, say)
    for (const body of node.bodies ?? []) verifyGraph(body, options)
    if (node.data && options.payloads !== false) {
      assertInvariant(
        payloadSize(node.data) === byteSize(node.type),
        say(
          `payload '${node.data.label}' has ${payloadSize(node.data)} bytes, ${printType(node.type)} needs ${byteSize(node.type)}`,
        ),
      )
    }
    assertInvariant(graph.locations.has(node), say('has no entry among the locations'))
    earlier.add(node)
    lastId = node.id
  }
  verifyBorders(graph, earlier)
}

function verifyNode(node: Node, say: (message: string) => string): void {
  verifyType(node.type, say)
  const storage = hasTrait(node, 'storage')
  const parsed = definitionOf(node.op).attributes.safeParse(node.attributes)
  assertInvariant(parsed.success, say(`attributes ${printAttributes(node.attributes)} are not allowed`))
  const complete = printAttributes(parsed.data as Attributes)
  assertInvariant(
    complete === printAttributes(node.attributes),
    say(`attributes ${printAttributes(node.attributes)} should be ${complete}`),
  )
  if (storage) {
    assertInvariant(node.operands.length === 0, say('has operands'))
    assertInvariant(
      (node.data !== undefined) === (node.attributes.name === undefined),
      say(node.data ? 'an input has a payload' : 'a constant has no payload'),
    )
    return
  }
  assertInvariant(!node.data, say('has a payload'))
  let inferred: TensorType
  try {
    inferred = inferType(node.op, node.operands, node.attributes, node.bodies)
  } catch (error) {
    assertInvariant(false, say(`does not fit its operands: ${(error as Error).message}`))
  }
  assertInvariant(sameType(inferred, node.type), say(`has type ${printType(node.type)}, inference gives ${printType(inferred)}`))
}

function verifyType({ dtype, shape, quantization }: TensorType, say: (message: string) => string): void {
  assertInvariant(isDType(dtype), say(`unknown dtype ${dtype}`))
  assertInvariant(shape.length <= maximumRank, say(`rank ${shape.length} is above ${maximumRank}`))
  assertInvariant(
    shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0),
    say(`[${shape.join(', ')}] is not a shape`),
  )
  assertInvariant(
    shape.reduce((product, extent) => product * extent, 1) <= maximumElements,
    say(`[${shape.join(', ')}] has too many elements`),
  )
  if (!quantization) return
  const { scale, zeroPoint, axis } = quantization
  const { bytes, kind } = dtypeFacts[dtype]
  assertInvariant(kind === 'signed' || kind === 'unsigned', say(`${dtype} holds no integers that could stand for other numbers`))
  assertInvariant(
    axis === undefined || axis in shape,
    say(`axis ${axis} of the quantization is no dimension of [${shape.join(', ')}]`),
  )
  const entries = axis === undefined ? 1 : shape[axis]
  assertInvariant(
    scale.length === entries && zeroPoint.length === entries,
    say('quantization needs one scale and zero point, or one for each index of its axis'),
  )
  const low = kind === 'signed' ? -(2 ** (8 * bytes - 1)) : 0
  assertInvariant(
    scale.every((s) => s > 0 && Number.isFinite(s) && Math.fround(s) === s) &&
      zeroPoint.every((z) => Number.isInteger(z) && z >= low && z < low + 2 ** (8 * bytes)),
    say(`quantization needs positive scales of f32 and zero points that ${dtype} holds`),
  )
}

function verifyBorders(graph: Graph, nodes: ReadonlySet<Node>): void {
  const say = (message: string) => `graph "${graph.name}": ${message}`
  const isInput = (node: Node) => hasTrait(node, 'storage') && !node.data
  for (const node of graph.inputs)
    assertInvariant(nodes.has(node) && isInput(node), say(`input ${node.op} #${node.id} is not an input of the graph`))
  for (const node of nodes)
    assertInvariant(!isInput(node) || graph.inputs.includes(node), say(`input '${inputName(node)}' is not declared`))
  const names = graph.inputs.map(inputName)
  assertInvariant(new Set(names).size === names.length, say(`two inputs have one name: ${names.join(', ')}`))
  const outputs = graph.outputs.map((output) => output.name)
  assertInvariant(outputs.length > 0, say('has no output'))
  assertInvariant(new Set(outputs).size === outputs.length, say(`two outputs have one name: ${outputs.join(', ')}`))
  const reached = new Set<Node>(graph.inputs)
  const pending = graph.outputs.map((output) => output.value)
  for (let node = pending.pop(); node; node = pending.pop()) {
    assertInvariant(nodes.has(node), say(`${node.op} #${node.id} is used but not listed`))
    if (!reached.has(node)) pending.push(...node.operands)
    reached.add(node)
  }
  for (const node of nodes) assertInvariant(reached.has(node), say(`${node.op} #${node.id} is listed but no output needs it`))
}

/** Payloads are compared by identity and never change, so that one reading serves all verifications. */
const sizes = new WeakMap<ConstantData, number>()

function payloadSize(data: ConstantData): number {
  const size = sizes.get(data) ?? data.read().byteLength
  sizes.set(data, size)
  return size
}
