import { sameShape } from '../graph/index.ts'
import { asOp, orderOf, reshapeTo } from './match.ts'
import { rule, rulePass } from './rule.ts'

const compose = rule({
  name: 'transpose-of-transpose',
  note: 'transpose(transpose(x)) → transpose(x)',
  root: 'transpose',
  match: (node) => {
    const inner = asOp(node.operands[0], 'transpose')
    const outer = asOp(node, 'transpose')!
    return (
      inner && { through: [inner.node], input: inner.operands.input, order: orderOf(outer).map((axis) => orderOf(inner)[axis]!) }
    )
  },
  apply: ({ input, order }, builder) => builder.add('transpose', { input }, { order }),
})

const identity = rule({
  name: 'transpose-to-same-order',
  note: 'transpose(x, [0, 1, …]) → x',
  root: 'transpose',
  match: (node) => orderOf(asOp(node, 'transpose')!).every((axis, i) => axis === i) && {},
  apply: (_, __, node) => node.operands[0]!,
})

/** Only dimensions of size 1 change places, so that no element does. */
const intoReshape = rule({
  name: 'transpose-into-reshape',
  note: 'transpose that moves only dimensions of size 1 → reshape',
  root: 'transpose',
  match: (node) => {
    const { operands, attributes, node: transpose } = asOp(node, 'transpose')!
    const moving = orderOf({ operands, attributes, node: transpose }).filter((axis) => operands.input.type.shape[axis] !== 1)
    return (
      moving.every((axis, i) => i === 0 || axis > moving[i - 1]!) && !sameShape(operands.input.type.shape, node.type.shape) && {}
    )
  },
  apply: (_, builder, node) => reshapeTo(builder, node.operands[0]!, node.type.shape),
})

/** The same where the shape does not even change. */
const ofOnes = rule({
  name: 'transpose-of-ones',
  note: 'transpose that exchanges dimensions of size 1 → x',
  root: 'transpose',
  match: (node) => {
    const transpose = asOp(node, 'transpose')!
    const { shape } = transpose.operands.input.type
    const moving = orderOf(transpose).filter((axis) => shape[axis] !== 1)
    return moving.every((axis, i) => i === 0 || axis > moving[i - 1]!) && sameShape(shape, node.type.shape) && {}
  },
  apply: (_, __, node) => node.operands[0]!,
})

/**
 * Transposes merge, and vanish where they move nothing.
 *
 *     %1 = transpose(%0) {order: [0, 2, 3, 1]}
 *     %2 = transpose(%1) {order: [0, 3, 1, 2]}   →   %0
 */
export const simplifyTranspose = rulePass({
  name: 'simplify-transpose',
  summary: 'Merge transposes, drop those that move nothing',
  level: 'any',
  rules: [compose, identity, ofOnes, intoReshape],
})
