import type { Node } from '../graph/index.ts'
import { asOp, constantElements, isConstant, uniformValue } from './match.ts'
import { isWide, perChannel, producerOf, scaleProducer, variesByChannel } from './producer.ts'
import { rule, rulePass } from './rule.ts'

/** Factors beyond this could make weights overflow or vanish that were usable before. */
const usual = (value: number): boolean => value === 0 || (Math.abs(value) >= 1e-6 && Math.abs(value) <= 1e6)

const isUsual = (constant: Node): boolean => constantElements(constant)?.every(usual) ?? false

/** OP-16, OP-17, OP-18. */
const afterProducer = rule({
  name: 'constants-into-weights',
  note: 'conv(x, w, b) · c + d → conv(x, w · c, b · c + d), and so for linear, convTranspose, batchNorm and groupNorm',
  root: ['mul', 'add', 'div'],
  match: (node, context) => {
    const [input, constant] = node.operands as [Node, Node]
    const producer = producerOf(input)
    if (!producer || !isWide(node) || context.isShared(input) || !variesByChannel(producer, constant)) return undefined
    return (
      isUsual(constant) &&
      (node.op !== 'div' || !constantElements(constant)!.includes(0)) && { through: [input], producer, constant }
    )
  },
  apply: ({ producer, constant }, builder, node) => {
    const vector = perChannel(builder, producer, constant)
    if (node.op === 'add') return scaleProducer(builder, producer, undefined, vector)
    const factor = node.op === 'mul' ? vector : builder.add('div', { left: builder.scalar(node.type.dtype, 1), right: vector })
    return scaleProducer(builder, producer, factor, undefined)
  },
})

/** Zero padding stays zero when the input is scaled, so this holds for padded convolutions too; a shift would not. */
const beforeProducer = rule({
  name: 'factor-into-weights',
  note: 'conv(x · c, w) → conv(x, w · c)',
  root: ['conv', 'linear'],
  match: (node, context) => {
    const producer = producerOf(node)
    const scaled = asOp(node.operands[0], 'mul')
    if (!producer || !isWide(node) || !scaled || context.isShared(scaled.node)) return undefined
    const { left, right } = scaled.operands
    const factor = uniformValue(right)
    const keepsShape =
      left.type.shape.length === scaled.node.type.shape.length &&
      left.type.shape.every((extent, i) => extent === scaled.node.type.shape[i])
    return (
      factor !== undefined &&
      usual(factor) &&
      !isConstant(left) &&
      keepsShape && { through: [scaled.node], producer, left, factor }
    )
  },
  apply: ({ producer, left, factor }, builder, node) => {
    const weight = builder.add('mul', { left: producer.weight, right: builder.scalar(node.type.dtype, factor) })
    return builder.addFlat(node.op, [left, weight, ...node.operands.slice(2)], node.attributes)
  },
})

/**
 * Constant factors and terms around a convolution, a linear layer or a normalisation of channels move into its weights and bias. Numeric: one more rounding of each
 * weight.
 *
 *     %2 = conv(%0, %1)    // %1 constant, %2 used once
 *     %4 = mul(%2, %3)     // %3 : f32[8, 1, 1] constant
 *   →
 *     %4 = conv(%0, %1 · reshape(%3))
 */
export const foldAffine = rulePass({
  name: 'fold-affine',
  summary: 'Fold constant factors and terms into the weights beside them',
  level: 'any',
  follows: [{ pass: 'simplify-arithmetic', because: 'it brings constants to the right and turns differences into sums' }],
  rules: [afterProducer, beforeProducer],
})
