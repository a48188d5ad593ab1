import type { OpContext, OpRule, OpRules, Value } from '../context.ts'

function optionsOf(c: OpContext) {
  const reduction = c.text('reduction', 'mean')
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none')
    return c.unsupported(`reduction '${reduction}' is unknown`)
  const weight = c.optional(2)
  return {
    ...(weight && { weight }),
    ...(c.node.attributes.has('ignore_index') && { ignore: c.int('ignore_index') }),
    ...(reduction !== 'mean' && { reduction }),
  } as { weight?: Value; ignore?: number; reduction?: 'sum' | 'none' }
}

const negativeLogLikelihood: OpRule = (c) =>
  c.d.negativeLogLikelihood(c.input(0), c.input(1) as never, optionsOf(c) as never) as Value

/** Its second result are the logarithms of the probabilities. */
const crossEntropy: OpRule = (c) => {
  if (!c.wantsOutput(1)) return c.d.crossEntropy(c.input(0), c.input(1) as never, optionsOf(c) as never) as Value
  const logarithms = c.d.logSoftmax(c.input(0), { axis: 1 }) as Value
  return [c.d.negativeLogLikelihood(logarithms, c.input(1) as never, optionsOf(c) as never) as Value, logarithms]
}

export const losses: OpRules = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: crossEntropy,
}
