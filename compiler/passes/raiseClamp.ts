import { isFloat, type Node, sameShape } from '../graph/index.ts'
import { uniformValue } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** The constant bound of min(x, c) or max(x, c), where the constant does not change the shape; relu is max(x, 0). */
function boundOf(node: Node, op: 'minimum' | 'maximum'): number | undefined {
  if (op === 'maximum' && node.op === 'relu') return 0
  if (node.op !== op || !sameShape(node.type.shape, node.operands[0]!.type.shape)) return undefined
  const bound = uniformValue(node.operands[1]!)
  return bound !== undefined && Number.isFinite(bound) ? bound : undefined
}

/** OP-54, either order: where low ≤ high, limiting from one side first does not matter. */
const minimumAndMaximum = rule({
  name: 'minimum-and-maximum-into-clamp',
  note: 'min(max(x, a), b) → clamp(x, a, b)',
  root: ['minimum', 'maximum'],
  match: (node) => {
    const inner = node.operands[0]!
    const [minimum, maximum] =
      node.op === 'minimum'
        ? [boundOf(inner, 'maximum'), boundOf(node, 'minimum')]
        : [boundOf(node, 'maximum'), boundOf(inner, 'minimum')]
    return (
      isFloat(node.type.dtype) &&
      minimum !== undefined &&
      maximum !== undefined &&
      minimum <= maximum && { through: [inner], input: inner.operands[0]!, minimum, maximum }
    )
  },
  apply: ({ input, minimum, maximum }, builder) => builder.add('clamp', { input }, { minimum, maximum }),
})

const maximumWithZero = rule({
  name: 'maximum-with-zero-into-relu',
  note: 'max(x, 0) → relu(x)',
  root: 'maximum',
  match: (node) => boundOf(node, 'maximum') === 0 && {},
  apply: (_, builder, node) => builder.add('relu', { input: node.operands[0]! }),
})

/**
 * Finds limits that were written with minimum and maximum.
 *
 *     %1 = maximum(%0, 0)
 *     %2 = minimum(%1, 6)   →   %1 = clamp(%0) {minimum: 0, maximum: 6}
 */
export const raiseClamp = rulePass({
  name: 'raise-clamp',
  summary: 'Recognise relu and clamp in minimum and maximum',
  level: 'composite',
  follows: [{ pass: 'simplify-arithmetic', because: 'it brings constants to the right' }],
  rules: [minimumAndMaximum, maximumWithZero],
})
