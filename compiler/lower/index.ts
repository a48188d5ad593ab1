import {
  type Builder,
  type CompositeName,
  castStorage,
  copyNode,
  elementCount,
  type Graph,
  hasTrait,
  InvariantError,
  isPrimitive,
  locatedBuilder,
  type Node,
  operandsOf,
  plainType,
  printType,
  rebuildGraph,
  sameType,
} from '../graph/index.ts'
import { activationRules } from './activation.ts'
import { attentionRules } from './attention.ts'
import { blockedRules } from './blocked.ts'
import { blockRules } from './blocks.ts'
import { embeddingBagRules } from './embeddingBag.ts'
import { indexingRules } from './indexing.ts'
import { movementRules } from './movement.ts'
import { normalizationRules } from './normalization.ts'
import { productRules } from './product.ts'
import { quantizedRules } from './quantized.ts'
import { recurrentRules } from './recurrent.ts'
import { reduceRules } from './reduce.ts'
import { resizeRules } from './resize.ts'
import { rotaryEmbeddingRules } from './rotaryEmbedding.ts'
import { multiplied } from './roundWeights.ts'
import { samplingRules } from './sampling.ts'
import { createScope, type LoweringRule, type Scope } from './scope.ts'
import { transposedRules } from './transposed.ts'
import { windowRules } from './window.ts'

/** What each composite means. A composite without a row does not compile. */
export const loweringRules: { readonly [K in CompositeName]: LoweringRule<K> } = {
  ...activationRules,
  ...attentionRules,
  ...blockedRules,
  ...blockRules,
  ...embeddingBagRules,
  ...indexingRules,
  ...movementRules,
  ...normalizationRules,
  ...productRules,
  ...quantizedRules,
  ...recurrentRules,
  ...reduceRules,
  ...resizeRules,
  ...rotaryEmbeddingRules,
  ...samplingRules,
  ...transposedRules,
  ...windowRules,
}

/** Which composites stay: all of an op, or those nodes of which it says so. */
export type Keeps = ReadonlySet<CompositeName> | ((node: Node) => boolean)

const keepNothing: Keeps = new Set()

/**
 * The same graph in primitives and the composites in `keeps`; every new node has the locations of the composite it comes from. What
 * integers stand for matters no longer: inputs and outputs alone keep their quantization.
 */
export function lowerGraph(graph: Graph, keeps: Keeps): Graph {
  const returned = new Set(graph.outputs.map(({ value }) => value))
  const stays = (node: Node) => isFinal(node, keeps) && !isHalfProduct(node) && isAtBorder(node, returned)
  if (graph.nodes.every(stays)) return graph
  return rebuildGraph(graph, (node, operands, builder) => {
    const located = locatedBuilder(builder, graph.locations.get(node) ?? [])
    const plain = operands.map((operand) => castStorage(located, operand, undefined))
    const value = lowerNode(node, located, plain, keeps)
    return castStorage(located, value, isStorage(node) || returned.has(node) ? node.type.quantization : undefined)
  })
}

/** Whether quantization is where it may stay: on inputs and constants, on outputs, and not on what computes. */
function isAtBorder(node: Node, returned: ReadonlySet<Node>): boolean {
  const plain = node.operands.every(({ type }) => !type.quantization)
  if (node.type.quantization) return isStorage(node) || (plain && hasTrait(node, 'view') && returned.has(node))
  return plain || hasTrait(node, 'view')
}

const isStorage = (node: Node): boolean => hasTrait(node, 'storage')
const isFinal = (node: Node, keeps: Keeps): boolean =>
  isPrimitive(node) || (typeof keeps === 'function' ? keeps(node) : keeps.has(node.op as CompositeName))

const isHalf = ({ type }: Node): boolean => type.dtype === 'f16' || type.dtype === 'bf16'
const isHalfProduct = (node: Node): boolean => isHalf(node) && multiplied[node.op] !== undefined && node.operands.length > 0

/**
 * Sums of products of 16-bit floats are sums of f32, rounded once: what targets have fast kernels and layouts for. Constants are widened at
 * build, and still take 16 bits each where a target stores exact ones so.
 */
function inWideFloats(node: Node, builder: Builder, operands: readonly Node[], keeps: Keeps): Node {
  const wide = operands.map((input) => (isHalf(input) ? builder.add('cast', { input }, { dtype: 'f32' }) : input))
  const made = builder.addFlat(node.op, wide, node.attributes)
  const result = isFinal(made, keeps) ? made : lowerNode(made, builder, made.operands, keeps)
  return builder.add('cast', { input: result }, { dtype: node.type.dtype })
}

/**
 * Builds what `node` computes over other operands of the same types, without quantization, in primitives and the composites in `keeps`
 * (default: none). The result has no quantization either.
 */
export function lowerNode(node: Node, builder: Builder, operands: readonly Node[], keeps = keepNothing): Node {
  if (isHalfProduct(node)) return inWideFloats(node, builder, operands, keeps)
  if (isFinal(node, keeps)) return copyNode(node, builder, operands)
  if (elementCount(node.type.shape) === 0 && !hasTrait(node, 'checked'))
    return builder.literal(plainType(node.type), new Uint8Array(0), 'empty')
  const scope = createScope(builder, (op, parts, attributes) => {
    const made = builder.add(op, parts, attributes as never)
    return isFinal(made, keeps) && !isHalfProduct(made) ? made : lowerNode(made, builder, made.operands, keeps)
  })
  const rule = loweringRules[node.op as CompositeName] as (
    operands: unknown,
    attributes: unknown,
    scope: Scope,
    type: Node['type'],
  ) => Node
  const type = plainType(node.type)
  const result = rule(operandsOf({ ...node, operands }), node.attributes, scope, type)
  if (!sameType(result.type, type))
    throw new InvariantError(`${node.op} of type ${printType(node.type)} was lowered to ${printType(result.type)}`)
  return result
}
