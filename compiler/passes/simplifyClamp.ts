import { type Builder, type Node, sameShape } from '../graph/index.ts'
import { asOp, uniformValue } from './match.ts'
import { type Range, rangeOf } from './range.ts'
import { rule, rulePass } from './rule.ts'

/** The range an op limits its first operand to; undefined for ops that do something else. */
function limitOf(node: Node): Range | undefined {
  if (node.op === 'relu') return { low: 0, high: Number.POSITIVE_INFINITY }
  const clamp = asOp(node, 'clamp')
  if (clamp) return { low: clamp.attributes.minimum, high: clamp.attributes.maximum }
  if (node.op !== 'maximum' && node.op !== 'minimum') return undefined
  const bound = uniformValue(node.operands[1]!)
  if (bound === undefined || Number.isNaN(bound) || !sameShape(node.type.shape, node.operands[0]!.type.shape)) return undefined
  return node.op === 'maximum' ? { low: bound, high: Number.POSITIVE_INFINITY } : { low: Number.NEGATIVE_INFINITY, high: bound }
}

const alreadyWithin = rule({
  name: 'limit-already-kept',
  note: 'max(sigmoid(x), 0) → sigmoid(x)',
  root: ['relu', 'clamp', 'maximum', 'minimum'],
  match: (node) => {
    const limit = limitOf(node)
    if (!limit) return undefined
    const range = rangeOf(node.operands[0]!)
    return range.low >= limit.low && range.high <= limit.high && {}
  },
  apply: (_, __, node) => node.operands[0]!,
})

/** OP-29. */
const compose = rule({
  name: 'clamp-of-clamp',
  note: 'clamp(clamp(x, a, b), c, d) → clamp(x, max(a, c), min(b, d))',
  root: ['relu', 'clamp'],
  match: (node) => {
    const inner = node.operands[0]!
    const within =
      ['relu', 'clamp'].includes(inner.op) && (inner.op === 'clamp' || node.op === 'clamp') ? limitOf(inner) : undefined
    if (!within) return undefined
    const outer = limitOf(node)!
    const [minimum, maximum] = [Math.max(within.low, outer.low), Math.min(within.high, outer.high)]
    return minimum <= maximum && within.low <= within.high && outer.low <= outer.high && { through: [inner], minimum, maximum }
  },
  apply: ({ minimum, maximum }, builder: Builder, node) =>
    builder.add('clamp', { input: node.operands[0]!.operands[0]! }, { minimum, maximum }),
})

/**
 * Limits that hold anyway vanish, neighbouring ones become one.
 *
 *     %1 = clamp(%0) {minimum: -1, maximum: 6}
 *     %2 = relu(%1)                              →   %1 = clamp(%0) {minimum: 0, maximum: 6}
 */
export const simplifyClamp = rulePass({
  name: 'simplify-clamp',
  summary: 'Merge limits and drop those that hold anyway',
  level: 'any',
  rules: [alreadyWithin, compose],
})
