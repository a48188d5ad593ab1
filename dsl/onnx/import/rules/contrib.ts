import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { layerNormalization, layerNormOf, rmsNormalization, rmsNormOf } from './normalization.ts'
import { dimsOf } from './shared.ts'

/** com.microsoft FastGelu adds a bias before the tanh approximation. */
const fastGelu: OpRule = (c) => {
  const x = c.input(0)
  const bias = c.optional(1)
  return c.d.gelu(bias ? c.d.add(x, bias) : x, { approximate: 'tanh' })
}

const quickGelu: OpRule = (c) => {
  const [x, alpha] = [c.input(0), c.float('alpha', 1.702)]
  return c.d.mul(x, c.d.sigmoid(alpha === 1 ? x : c.d.mul(x, alpha)))
}

/** Input, skip and bias summed; the sum may be wanted as output 3. */
function skipSum(c: OpContext, biasAt: number): Value {
  const sum = c.d.add(c.input(0), c.input(1)) as Value
  const bias = c.optional(biasAt)
  return bias ? (c.d.add(sum, bias) as Value) : sum
}

const epsilonOf = (c: OpContext): { epsilon?: number } => {
  const epsilon = c.float('epsilon', 1e-12)
  return epsilon === 1e-5 ? {} : { epsilon }
}

function requireNoStatistics(c: OpContext): void {
  if (c.wantsOutput(1) || c.wantsOutput(2)) c.unsupported('mean and inverse deviation as outputs are not supported')
}

/** Inputs: input, skip, gamma, beta?, bias?. */
const skipLayerNormalization: OpRule = (c) => {
  requireNoStatistics(c)
  const sum = skipSum(c, 4)
  return [layerNormOf(c, sum, dimsOf(sum).length - 1, c.input(2), c.optional(3), epsilonOf(c)), undefined, undefined, sum]
}

/** Inputs: input, skip, gamma, bias?. */
const skipSimplified: OpRule = (c) => {
  requireNoStatistics(c)
  const sum = skipSum(c, 3)
  return [rmsNormOf(c, sum, dimsOf(sum).length - 1, c.input(2), epsilonOf(c)), undefined, undefined, sum]
}

/** com.microsoft operators that are elementwise work or a normalisation. */
export const contrib: OpRules = {
  Gelu: (c) => c.d.gelu(c.input(0)),
  FastGelu: fastGelu,
  QuickGelu: quickGelu,
  BiasGelu: (c) => c.d.gelu(c.d.add(c.input(0), c.input(1)) as Value),
  BiasAdd: (c) => c.d.add(c.d.add(c.input(0), c.input(1)) as Value, c.input(2)),
  BiasDropout(c) {
    const sum = c.d.add(c.input(0), c.input(1)) as Value
    const residual = c.optional(2)
    if (c.wantsOutput(1)) return c.unsupported('the mask of a dropout is not supported')
    return residual ? c.d.add(sum, residual) : sum
  },
  LayerNormalization: layerNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  SkipLayerNormalization: skipLayerNormalization,
  SkipSimplifiedLayerNormalization: skipSimplified,
}
