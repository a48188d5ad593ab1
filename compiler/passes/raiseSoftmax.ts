import { type Node, sameShape } from '../graph/index.ts'
import { asOp, fromFront } from './match.ts'
import type { Pass } from './pass.ts'
import { hasElements, isClosed, productOf, reducedOf, type Trail } from './pattern.ts'
import { rule, rulePass } from './rule.ts'

/** e^x in a sum of e^x over one axis: the argument, and the axis. */
function sumOfPowers(node: Node, trail: Trail): { readonly powers: Node; readonly axis: number } | undefined {
  const sum = reducedOf(node, 'reduceSum', trail)
  if (sum?.axes.length !== 1 || sum.input.op !== 'exp' || overflows(sum.input)) return undefined
  return { powers: sum.input, axis: sum.axes[0]! }
}

/** In half precision e^x leaves the numbers from 11 on, unless the largest x was taken off; that NaN is not to be lost. */
function overflows({ type, operands: [exponent] }: Node): boolean {
  if (type.dtype !== 'f16' && type.dtype !== 'bf16') return false
  const distance = asOp(exponent!, 'sub')
  return !distance || reducedOf(distance.operands.right, 'reduceMax', [])?.input !== distance.operands.left
}

const softmax = rule({
  name: 'powers-by-their-sum-into-softmax',
  note: 'exp(x) / reduceSum(exp(x)) → softmax(x), over the axis of the sum',
  root: ['div', 'mul'],
  match: (node, context) => {
    const { factor, over, under, through } = productOf(node, context)
    if (factor !== 1 || over.length !== 1 || under.length !== 1 || !hasElements(node)) return undefined
    const trail: Trail = [...through]
    const sum = sumOfPowers(under[0]!, trail)
    if (!sum || sum.powers !== over[0] || !sameShape(sum.powers.type.shape, node.type.shape)) return undefined
    trail.push(sum.powers)
    return isClosed(node, trail, context) && { through: trail, input: sum.powers.operands[0]!, axis: sum.axis }
  },
  apply: ({ input, axis }, builder) => builder.add('softmax', { input }, { axis }),
})

const logSoftmax = rule({
  name: 'distance-from-logarithm-of-sum-into-log-softmax',
  note: 'x − log(reduceSum(exp(x))) → logSoftmax(x)',
  root: 'sub',
  match: (node, context) => {
    const [input, subtracted] = node.operands as [Node, Node]
    const whole = asOp(subtracted, 'reduceLogSumExp')
    if (!hasElements(node) || !sameShape(input.type.shape, node.type.shape)) return undefined
    if (whole) {
      const { axes, keepDims } = whole.attributes
      const fits = whole.operands.input === input && keepDims && axes.length === 1
      return fits && !context.isShared(subtracted) && { through: [subtracted], input, axis: axes[0]! }
    }
    const trail: Trail = [subtracted]
    const sum = subtracted.op === 'log' ? sumOfPowers(subtracted.operands[0]!, trail) : undefined
    if (!sum || sum.powers.operands[0] !== input) return undefined
    trail.push(sum.powers)
    return isClosed(node, trail, context) && { through: trail, input, axis: sum.axis }
  },
  apply: ({ input, axis }, builder) => builder.add('logSoftmax', { input }, { axis }),
})

const shifted = rule({
  name: 'softmax-of-distance-from-maximum',
  note: 'softmax(x − reduceMax(x)) → softmax(x), over one axis',
  root: ['softmax', 'logSoftmax'],
  match: (node, context) => {
    const [distance] = node.operands as [Node]
    const sub = asOp(distance, 'sub')
    if (!sub) return undefined
    const { left: input, right } = sub.operands
    const trail: Trail = [distance]
    const maximum = reducedOf(right, 'reduceMax', trail)
    const axis = fromFront((asOp(node, 'softmax') ?? asOp(node, 'logSoftmax'))!.attributes.axis, node.type.shape.length)
    const fits = maximum?.input === input && maximum.axes.length === 1 && maximum.axes[0] === axis
    return fits && isClosed(node, trail, context) && { through: trail, input }
  },
  apply: ({ input }, builder, node) => builder.addFlat(node.op, [input], node.attributes),
})

/**
 * OP-57. Recognises softmax and its logarithm in exponentials and sums, and the subtraction of the maximum that softmax does by itself.
 * Numeric: rounding; where exponentials of f32 or f64 alone would overflow and give NaN, softmax does not.
 *
 *     %1 = reduceMax(%0) {axes: [1], keepDims: true}
 *     %2 = sub(%0, %1)
 *     %3 = exp(%2)
 *     %4 = reduceSum(%3) {axes: [1], keepDims: true}
 *     %5 = div(%3, %4)
 *   →
 *     %5 = softmax(%0) {axis: 1}
 */
export const raiseSoftmax: Pass = rulePass({
  name: 'raise-softmax',
  summary: 'Recognise softmax and its logarithm in exponentials and their sums',
  level: 'composite',
  rules: [softmax, logSoftmax, shifted],
})
