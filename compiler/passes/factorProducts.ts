import { costOf, workOf } from '../cost/index.ts'
import { type Builder, elementCount, isFloat, type Node, printAttributes, sameShape } from '../graph/index.ts'
import { asOp, constantElements, isConstant } from './match.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'
import { typicalRates } from './typicalRates.ts'

/** Sums of constants that neither overflow nor vanish by being added before they are multiplied. */
const usual = (value: number): boolean => value === 0 || (Math.abs(value) >= 1e-15 && Math.abs(value) <= 1e15)
const isUsual = (node: Node): boolean => constantElements(node)?.every(usual) ?? false

/** Two products with a factor in common, and what each multiplies it with. */
function commonFactor(node: Node, context: MatchContext) {
  const [left, right] = node.operands.map((operand) => asOp(operand, 'mul')?.node)
  if (!left || !right || left === right || [left, right].some(context.isShared)) return undefined
  for (const [i, factor] of left.operands.entries()) {
    const j = right.operands.indexOf(factor)
    if (j >= 0) return { through: [left, right], factor, terms: [left.operands[1 - i]!, right.operands[1 - j]!] as const }
  }
  return undefined
}

/** Integers wrap, so that the order does not matter; of floats, b and c must be known not to meet in infinity or to cancel in it. */
const elementwise = rule({
  name: 'common-factor',
  note: 'a · b + a · c → a · (b + c), for integers, constants b and c, or where floats are assumed finite',
  root: ['add', 'sub'],
  match: (node, context) => {
    const found = commonFactor(node, context)
    if (!found) return undefined
    const exact = !isFloat(node.type.dtype) || context.assumeFinite || found.terms.every(isUsual)
    // The sum of the terms must not be larger than the sum of the products was.
    return exact && !isConstant(found.factor) && found
  },
  apply: ({ factor, terms }, builder, node) =>
    builder.add('mul', { left: factor, right: builder.addFlat(node.op, [...terms], {}) }),
})

/** A layer with constant weights of which nobody needs the result but the sum. */
function layerOf(node: Node, context: MatchContext) {
  const layer = asOp(node, 'linear') ?? asOp(node, 'conv')
  if (!layer || context.isShared(node)) return undefined
  const { input, weight, bias } = layer.operands
  return isConstant(weight) && (!bias || isConstant(bias)) ? { node, input, weight, bias } : undefined
}

function sumOf(builder: Builder, op: 'add' | 'sub', left: Node | undefined, right: Node | undefined): Node | undefined {
  if (left && right) return builder.add(op, { left, right })
  return left ?? (right && op === 'sub' ? builder.add('negate', { input: right }) : right)
}

function twoLayers(node: Node, context: MatchContext) {
  const [left, right] = node.operands.map((operand) => layerOf(operand, context))
  const alike =
    left &&
    right &&
    left.node !== right.node &&
    left.node.op === right.node.op &&
    printAttributes(left.node.attributes) === printAttributes(right.node.attributes) &&
    sameShape(left.weight.type.shape, right.weight.type.shape) &&
    sameShape(left.node.type.shape, right.node.type.shape)
  return alike ? { through: [left.node, right.node], left, right } : undefined
}

const weights = rule({
  name: 'layers-of-one-input-summed',
  note: 'linear(x, v) + linear(x, w) → linear(x, v + w), and so for convolutions',
  root: ['add', 'sub'],
  match: (node, context) => {
    const found = twoLayers(node, context)
    return found && found.left.input === found.right.input && found
  },
  apply: ({ left, right }, builder, node) => {
    const op = node.op as 'add' | 'sub'
    const operands = [left.input, sumOf(builder, op, left.weight, right.weight), sumOf(builder, op, left.bias, right.bias)]
    return builder.addFlat(
      left.node.op,
      operands.filter((operand) => operand !== undefined),
      left.node.attributes,
    )
  },
})

/** One product less and one sum more. */
const inputs = rule({
  name: 'layers-of-one-weight-summed',
  note: 'linear(x, w) + linear(y, w) → linear(x + y, w), where the cost model says that it pays',
  root: ['add', 'sub'],
  match: (node, context) => {
    const found = twoLayers(node, context)
    if (!found || found.left.weight !== found.right.weight || found.left.input === found.right.input) return undefined
    const { left, right } = found
    if (!sameShape(left.input.type.shape, right.input.type.shape) || elementCount(node.type.shape) === 0) return undefined
    const sum = workOf({ op: node.op, attributes: {}, type: left.input.type, operands: [left.input, right.input] })
    return costOf(sum, typicalRates) < costOf(workOf(right.node), typicalRates) && found
  },
  apply: ({ left, right }, builder, node) => {
    const op = node.op as 'add' | 'sub'
    const operands = [sumOf(builder, op, left.input, right.input), left.weight, sumOf(builder, op, left.bias, right.bias)]
    return builder.addFlat(
      left.node.op,
      operands.filter((operand) => operand !== undefined),
      left.node.attributes,
    )
  },
})

/**
 * Multiplies a sum in place of summing products. Numeric.
 *
 *     %3 = linear(%0, %1)   // %1, %2 constant
 *     %4 = linear(%0, %2)
 *     %5 = add(%3, %4)      →   %3 = linear(%0, add(%1, %2))
 */
export const factorProducts = rulePass({
  name: 'factor-products',
  summary: 'Multiply a sum in place of summing products',
  level: 'composite',
  follows: [{ pass: 'raise-linear', because: 'products with constants are looked for as linear layers' }],
  rules: [elementwise, weights, inputs],
})
