import {
  type Builder,
  type CompositeName,
  copyNode,
  elementCount,
  type Graph,
  hasTrait,
  InvariantError,
  isPrimitive,
  locatedBuilder,
  type Node,
  operandsOf,
  printType,
  rebuildGraph,
  sameType,
} from '../graph/index.ts'
import { activationRules } from './activation.ts'
import { movementRules } from './movement.ts'
import { normalizationRules } from './normalization.ts'
import { productRules } from './product.ts'
import { reduceRules } from './reduce.ts'
import { createScope, type LoweringRule, type Scope } from './scope.ts'
import { windowRules } from './window.ts'

/** What each composite means. A composite without a row does not compile. */
export const loweringRules: { readonly [K in CompositeName]: LoweringRule<K> } = {
  ...activationRules,
  ...movementRules,
  ...normalizationRules,
  ...productRules,
  ...reduceRules,
  ...windowRules,
}

const keepNothing: ReadonlySet<CompositeName> = new Set()

/** The same graph in primitives and the composites in `keeps`; every new node has the locations of the composite it comes from. */
export function lowerGraph(graph: Graph, keeps: ReadonlySet<CompositeName>): Graph {
  if (graph.nodes.every((node) => isFinal(node, keeps))) return graph
  return rebuildGraph(graph, (node, operands, builder) =>
    lowerNode(node, locatedBuilder(builder, graph.locations.get(node) ?? []), operands, keeps),
  )
}

const isFinal = (node: Node, keeps: ReadonlySet<CompositeName>): boolean =>
  isPrimitive(node) || keeps.has(node.op as CompositeName)

/** Builds what `node` computes over other operands of the same types, in primitives and the composites in `keeps` (default: none). */
export function lowerNode(node: Node, builder: Builder, operands: readonly Node[], keeps = keepNothing): Node {
  if (isFinal(node, keeps)) return copyNode(node, builder, operands)
  if (elementCount(node.type.shape) === 0 && !hasTrait(node, 'checked'))
    return builder.literal(node.type, new Uint8Array(0), 'empty')
  const scope = createScope(builder, (op, parts, attributes) => {
    const made = builder.add(op, parts, attributes as never)
    return isFinal(made, keeps) ? made : lowerNode(made, builder, made.operands, keeps)
  })
  const rule = loweringRules[node.op as CompositeName] as (
    operands: unknown,
    attributes: unknown,
    scope: Scope,
    type: Node['type'],
  ) => Node
  const result = rule(operandsOf({ ...node, operands }), node.attributes, scope, node.type)
  if (!sameType(result.type, node.type))
    throw new InvariantError(`${node.op} of type ${printType(node.type)} was lowered to ${printType(result.type)}`)
  return result
}
