import type { Builder, Node } from '../graph/index.ts'
import { asOp, isConstant } from './match.ts'
import { isWide, producerOf, scaleProducer } from './producer.ts'
import { rule, rulePass } from './rule.ts'

/** scale / √(variance + epsilon) and shift − mean · that, as nodes over constants: folding computes them. */
function affineOf(builder: Builder, node: Node): { readonly factor: Node; readonly offset: Node } {
  const { operands, attributes } = asOp(node, 'batchNorm')!
  const { scale, shift, mean, variance } = operands
  const raised = builder.add('add', { left: variance, right: builder.scalar(node.type.dtype, attributes.epsilon) })
  const factor = builder.add('div', { left: scale, right: builder.add('sqrt', { input: raised }) })
  return { factor, offset: builder.add('sub', { left: shift, right: builder.add('mul', { left: mean, right: factor }) }) }
}

const intoProducer = rule({
  name: 'batch-norm-into-producer',
  note: 'batchNorm(conv(x, w, b)) → conv(x, w · factor, b · factor + offset)',
  root: 'batchNorm',
  match: (node, context) => {
    const [input, ...parameters] = node.operands as [Node, ...Node[]]
    const producer = producerOf(input)
    // The channels of a batch norm are dimension 1.
    return (
      isWide(node) &&
      producer?.axis === 1 &&
      !context.isShared(input) &&
      parameters.every(isConstant) && { through: [input], producer }
    )
  },
  apply: ({ producer }, builder, node) => {
    const { factor, offset } = affineOf(builder, node)
    return scaleProducer(builder, producer, factor, offset)
  },
})

/**
 * OP-19. Batch normalisation with constant statistics moves into the weights and bias of the convolution, linear layer or normalisation before it.
 * Numeric: at most 1e-5 relative. Left alone in 16-bit floats, whose weights would lose digits.
 *
 *     %2 = conv(%0, %1)                   // %1 constant, %2 used once
 *     %7 = batchNorm(%2, %3, %4, %5, %6)  // %3 … %6 constant
 *   →
 *     %7 = conv(%0, %1 · factor, offset)
 */
export const foldBatchNorm = rulePass({
  name: 'fold-batch-norm',
  summary: 'Fold batch normalisation into the weights before it',
  level: 'composite',
  rules: [intoProducer],
})
