import { elementCount, type Node, sameShape } from '../graph/index.ts'
import { resizedAxes, resolveAxes } from '../graph/ops/shared.ts'
import { asOp, expandTo, reshapeTo, uniformValue } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** OP-28. */
const pool = rule({
  name: 'pool-of-one',
  note: 'pool(x) with windows of one element → x',
  root: ['maxPool', 'avgPool'],
  match: (node) => {
    const { window, stride } = (asOp(node, 'maxPool') ?? asOp(node, 'avgPool'))!.attributes
    return [...window, ...stride].every((n) => n === 1) && sameShape(node.type.shape, node.operands[0]!.type.shape) && {}
  },
  apply: (_, __, node) => node.operands[0]!,
})

/** These keep every element in its place when the shape stays: cells of one element, positions that map to themselves, no border. */
const sameExtent = rule({
  name: 'resample-to-same-shape',
  note: 'resize, adaptive pool or padWith that keeps the shape → x',
  root: ['resize', 'adaptiveAvgPool', 'adaptiveMaxPool', 'padWith'],
  match: (node) => sameShape(node.type.shape, node.operands[0]!.type.shape) && !isRegional(node) && {},
  apply: (_, __, node) => node.operands[0]!,
})

/** A factor of its own, or a part of the input to look at, moves positions even where the shape stays. */
const isRegional = (node: Node): boolean => {
  const resize = asOp(node, 'resize')
  return resize !== undefined && (resize.attributes.scales !== undefined || resize.attributes.start !== undefined)
}

/** OP-26. However positions are chosen and weighed, there is one element to choose. */
const resizeOfOne = rule({
  name: 'resize-from-one',
  note: 'resize(x[…, 1], n) → expand(resize(x[…, 1], 1))',
  root: 'resize',
  match: (node) => {
    const { operands, attributes } = asOp(node, 'resize')!
    const { shape } = operands.input.type
    const axes = resizedAxes(operands.input.type, attributes.axes, attributes.size.length)
    const size = attributes.size.map((extent, i) => (shape[axes[i]!] === 1 ? 1 : extent))
    return !isRegional(node) && size.some((extent, i) => extent !== attributes.size[i]) && { size }
  },
  apply: ({ size }, builder, node) => {
    const { operands, attributes } = asOp(node, 'resize')!
    return expandTo(builder, builder.add('resize', operands, { ...attributes, size }), node.type.shape)
  },
})

/** Reductions that give back the element when there is one. */
const reduceOne = rule({
  name: 'reduce-of-one',
  note: 'reduce(x) over dimensions of size 1 → reshape(x)',
  root: ['reduceSum', 'reduceProd', 'reduceMax', 'reduceMin', 'reduceMean'],
  match: (node) => {
    const { shape } = node.operands[0]!.type
    const axes = resolveAxes(node.attributes.axes as number[], shape.length, node.op)
    return axes.every((axis) => shape[axis] === 1) && elementCount(shape) > 0 && {}
  },
  apply: (_, builder, node) => reshapeTo(builder, node.operands[0]!, node.type.shape),
})

const knownCondition = rule({
  name: 'where-known',
  note: 'where(true, x, y) → x',
  root: 'where',
  match: (node) => {
    const { condition, whenTrue, whenFalse } = asOp(node, 'where')!.operands
    if (whenTrue === whenFalse) return { chosen: whenTrue }
    const value = uniformValue(condition)
    return value !== undefined && { chosen: value ? whenTrue : whenFalse }
  },
  apply: ({ chosen }, builder, node) => expandTo(builder, chosen, node.type.shape),
})

const negatedCondition = rule({
  name: 'where-not',
  note: 'where(not(c), x, y) → where(c, y, x)',
  root: 'where',
  match: (node) => {
    const { condition, whenTrue, whenFalse } = asOp(node, 'where')!.operands
    const not = asOp(condition, 'not')
    return not && { through: [condition], condition: not.operands.input, whenTrue: whenFalse, whenFalse: whenTrue }
  },
  apply: ({ condition, whenTrue, whenFalse }, builder) => builder.add('where', { condition, whenTrue, whenFalse }),
})

/**
 * Drops ops that give back their operand.
 *
 *     %1 = maxPool(%0) {window: [1, 1], stride: [1, 1], …}   →   %0
 */
export const simplifyNoop = rulePass({
  name: 'simplify-noop',
  summary: 'Drop pools, resizes, reductions and choices that give back their operand',
  level: 'any',
  rules: [pool, sameExtent, resizeOfOne, reduceOne, knownCondition, negatedCondition],
})
