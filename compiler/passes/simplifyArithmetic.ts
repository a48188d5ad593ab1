import { type DType, elementCount, elementsOf, hasTrait, isFloat, type Node } from '../graph/index.ts'
import { arithmeticRules } from './arithmetic.ts'
import { isConstant } from './match.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

/** Elements of a constant that are checked before it is combined with another. */
const checkedElements = 1 << 16

/**
 * Whether two constants may be combined: the result is no larger than the larger of them, and for floats neither overflows nor
 * vanishes, so that `(x · 1e30) · 1e-30` does not change what it does to infinities and zeros.
 */
function combines(op: string, inner: Node, outer: Node, type: Node['type'], { evaluate }: MatchContext): boolean {
  const shapes = [inner.type.shape, outer.type.shape]
  const larger = shapes.find((shape) => elementCount(shape) === Math.max(...shapes.map(elementCount)))!
  const fits = shapes.every(
    (shape) =>
      shape.length <= larger.length &&
      shape.every((extent, i) => extent === 1 || extent === larger[larger.length - shape.length + i]),
  )
  if (!fits || elementCount(larger) > checkedElements) return false
  if (!isFloat(type.dtype)) return true
  const combined: Node = { id: 0, op, operands: [inner, outer], attributes: {}, type: { dtype: type.dtype, shape: larger } }
  const constants = [inner.data!.read(), outer.data!.read()] as const
  const [left, right, result] = [...constants, evaluate(combined, constants)].map((bytes) => valuesOf(type.dtype, bytes)) as [
    number[],
    number[],
    number[],
  ]
  const usual = (value: number) => value === 0 || (Math.abs(value) > 1e-30 && Math.abs(value) < 1e30)
  const vanished = (value: number, i: number) => value === 0 && left[i % left.length] !== 0 && right[i % right.length] !== 0
  return [left, right, result].every((values) => values.every(usual)) && !(op === 'mul' && result.some(vanished))
}

function valuesOf(dtype: DType, bytes: Uint8Array): number[] {
  const elements = elementsOf(dtype, bytes)
  return Array.from({ length: elements.length }, (_, i) => elements.get(i))
}

const chain = rule({
  name: 'constant-chain',
  note: '(x · a) · b → x · (a · b)',
  root: { trait: 'associative' },
  match: (node, context) => {
    const [inner, outer] = node.operands as [Node, Node]
    if (!hasTrait(node, 'commutative') || inner.op !== node.op || !isConstant(outer) || isConstant(inner)) return undefined
    const [input, constant] = inner.operands as [Node, Node]
    if (!isConstant(constant) || isConstant(input) || !combines(node.op, constant, outer, node.type, context)) return undefined
    return { through: [inner], input, constant, outer }
  },
  apply: ({ input, constant, outer }, builder, node) =>
    builder.addFlat(node.op, [input, builder.addFlat(node.op, [constant, outer], {})], {}),
})

/**
 * Arithmetic identities. Results may differ from the original in the sign of zero and, for chains of constants, in the last digit;
 * where infinities and NaN would be lost (`x · 0`), floats are left alone unless `assumeFinite` is set.
 *
 *     %2 = mul(%0, %1)      // %1, %3 constant
 *     %4 = mul(%2, %3)   →   %3 = mul(%1, %2), %4 = mul(%0, %3)
 */
export const simplifyArithmetic = rulePass({
  name: 'simplify-arithmetic',
  summary: 'Apply arithmetic identities and gather constants',
  level: 'any',
  rules: [...arithmeticRules, chain],
})
