import { sameShape } from '../graph/index.ts'
import { asOp } from './match.ts'
import { rule, rulePass } from './rule.ts'

const identity = rule({
  name: 'reshape-to-same-shape',
  note: 'reshape(x, shape of x) → x',
  root: 'reshape',
  match: (node) => sameShape(node.type.shape, node.operands[0]!.type.shape) && {},
  apply: (_, __, node) => node.operands[0]!,
})

const compose = rule({
  name: 'reshape-of-reshape',
  note: 'reshape(reshape(x)) → reshape(x)',
  root: 'reshape',
  match: (node) => {
    const inner = asOp(node.operands[0], 'reshape')
    return inner && { through: [inner.node], input: inner.operands.input }
  },
  apply: ({ input }, builder, node) => builder.add('reshape', { input }, { shape: [...node.type.shape] }),
})

/** So that equal reshapes are one node, however they were written. */
const resolve = rule({
  name: 'reshape-resolves-shape',
  note: 'reshape(x, [-1, 4]) → reshape(x, [3, 4])',
  root: 'reshape',
  match: (node) => asOp(node, 'reshape')!.attributes.shape.includes(-1) && {},
  apply: (_, builder, node) => builder.add('reshape', { input: node.operands[0]! }, { shape: [...node.type.shape] }),
})

/**
 * Reshapes merge, and vanish where the shape stays.
 *
 *     %1 = reshape(%0) {shape: [-1]}
 *     %2 = reshape(%1) {shape: [2, 3]}   →   %1 = reshape(%0) {shape: [2, 3]}
 */
export const simplifyReshape = rulePass({
  name: 'simplify-reshape',
  summary: 'Merge reshapes, drop those that keep the shape',
  level: 'any',
  rules: [identity, compose, resolve],
})
