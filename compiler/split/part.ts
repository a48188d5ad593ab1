import {
  type AttributesOf,
  hasTrait,
  InvariantError,
  inferType,
  ModelProblem,
  type Node,
  nameOperands,
  type OpName,
  printType,
  sameShape,
  type TensorType,
} from '../graph/index.ts'
import { lengthOf, type Range } from './range.ts'
import { isRefusal, type Need, type Refusal, refuse, replaced, type SplitRule, type Whole } from './rule.ts'
import { splitElementwise } from './rules/elementwise.ts'
import { splitRules } from './rules/index.ts'

/** How a range of a node's result is computed. */
export interface NodePart {
  /** In the order of the node's operands. */
  readonly needs: readonly Need[]
  readonly attributes: Readonly<Record<string, unknown>>
  /** Types of the operands' parts that are needed, and of the result. */
  readonly operands: readonly TensorType[]
  readonly type: TensorType
}

const partType = (type: TensorType, need: Need): TensorType =>
  typeof need === 'string' ? type : { ...type, shape: replaced([...type.shape], need.axis, lengthOf(need.range)) }

function ruleOf(node: Node): SplitRule<OpName> | undefined {
  const rule = (splitRules as Partial<Record<string, SplitRule<any>>>)[node.op]
  return rule ?? (hasTrait(node, 'elementwise') ? splitElementwise : undefined)
}

/**
 * What the positions `range` along `axis` of a node's result need. Refused where the op cannot be divided there, or where its own rules
 * do not allow the part.
 */
export function partOf(node: Node, axis: number, range: Range): NodePart | Refusal {
  const rule = ruleOf(node)
  if (!rule)
    return refuse(hasTrait(node, 'storage') ? 'it is stored, not computed' : `${node.op} is divided after it was lowered`)
  const types = node.operands.map(({ type }) => type)
  const attributes = node.attributes as AttributesOf<OpName>
  const whole = { operands: nameOperands(node.op, types), attributes, type: node.type } as unknown as Whole<OpName>
  const part = rule(whole, axis, range)
  if (isRefusal(part)) return part
  const needs = Object.values(part.needs as Readonly<Record<string, Need | readonly Need[]>>).flat() as Need[]
  if (needs.length !== types.length)
    throw new InvariantError(`split: ${node.op} has ${types.length} operands, its rule tells the needs of ${needs.length}`)
  const given = { ...node.attributes, ...part.attributes }
  const operands = types.map((type, i) => partType(type, needs[i]!))
  const type = inferPart(
    node,
    operands.filter((_, i) => needs[i] !== 'none'),
    given,
  )
  if (isRefusal(type)) return type
  const expected = partType(node.type, { axis, range })
  if (!sameShape(type.shape, expected.shape) || type.dtype !== expected.dtype)
    throw new InvariantError(`split: a part of ${node.op} is ${printType(type)}, expected ${printType(expected)}`)
  return { needs, attributes: given, operands, type }
}

function inferPart(node: Node, operands: readonly TensorType[], attributes: NodePart['attributes']): TensorType | Refusal {
  try {
    return inferType(node.op, operands.map((type) => ({ type })) as never, attributes as never)
  } catch (error) {
    if (error instanceof ModelProblem) return refuse(error.message)
    throw error
  }
}
