import { dtypeFacts, isFloat, type Node } from '../graph/index.ts'
import { inFloat32, type LoweringRule, type Scope } from './scope.ts'

const minimumAndMaximum = (g: Scope, input: Node, low: number, high: number): Node => {
  const raised = low === Number.NEGATIVE_INFINITY ? input : g.maximum(input, low)
  return high === Number.POSITIVE_INFINITY ? raised : g.minimum(raised, high)
}

/** log(1 + e^x) as max(x, 0) + log(1 + e^−|x|), whose exponential never overflows. */
const softplusOf = (g: Scope, input: Node): Node => g.add(g.maximum(input, 0), g.log(g.add(g.exp(g.negate(g.abs(input))), 1)))

/** The negative branch is chosen where x < 0, so that NaN takes the other and stays NaN. */
const branch = (g: Scope, input: Node, whenNegative: Node): Node => g.where(g.less(input, 0), whenNegative, input)

const relu: LoweringRule<'relu'> = ({ input }, _, g) => g.maximum(input, 0)
const leakyRelu: LoweringRule<'leakyRelu'> = ({ input }, { slope }, g) => branch(g, input, g.mul(input, slope))
const prelu: LoweringRule<'prelu'> = ({ input, slope }, _, g) => branch(g, input, g.mul(input, slope))
const elu = inFloat32<'elu'>(({ input }, { alpha }, g) => branch(g, input, g.mul(g.sub(g.exp(input), 1), alpha)))

const celu = inFloat32<'celu'>(({ input }, { alpha }, g) => branch(g, input, g.mul(g.sub(g.exp(g.div(input, alpha)), 1), alpha)))
const thresholdedRelu: LoweringRule<'thresholdedRelu'> = ({ input }, { threshold }, g) =>
  g.where(g.lessOrEqual(input, threshold), 0, input)
/** NaN is neither below nor above, and stays because it is not between. */
const shrink = inFloat32<'shrink'>(({ input }, { threshold, bias }, g) => {
  const outer = g.where(g.less(input, -threshold), g.add(input, bias), g.sub(input, bias))
  return g.where(g.lessOrEqual(g.abs(input), threshold), 0, outer)
})
/** The constants of Klambauer et al., for which mean 0 and variance 1 are a fixed point. */
const seluAlpha = 1.6732632423543772
const seluScale = 1.0507009873554805
const selu = inFloat32<'selu'>(({ input }, _, g) => g.mul(branch(g, input, g.mul(g.sub(g.exp(input), 1), seluAlpha)), seluScale))

const softplus = inFloat32<'softplus'>(({ input }, _, g) => softplusOf(g, input))
const softsign = inFloat32<'softsign'>(({ input }, _, g) => g.div(input, g.add(g.abs(input), 1)))
const silu = inFloat32<'silu'>(({ input }, _, g) => g.mul(input, g.sigmoid(input)))
const mish = inFloat32<'mish'>(({ input }, _, g) => g.mul(input, g.tanh(softplusOf(g, input))))
const hardSigmoid = inFloat32<'hardSigmoid'>(({ input }, { slope, offset }, g) =>
  minimumAndMaximum(g, g.add(g.mul(input, slope), offset), 0, 1),
)
const hardSwish = inFloat32<'hardSwish'>(({ input }, _, g) =>
  g.mul(input, minimumAndMaximum(g, g.add(g.mul(input, 1 / 6), 0.5), 0, 1)),
)

const gelu = inFloat32<'gelu'>(({ input }, { approximate }, g) => {
  const inner =
    approximate === 'none'
      ? g.erf(g.mul(input, Math.SQRT1_2))
      : g.tanh(g.mul(g.mul(input, g.add(g.mul(g.mul(input, input), 0.044715), 1)), Math.sqrt(2 / Math.PI)))
  return g.mul(g.mul(input, 0.5), g.add(inner, 1))
})

const reciprocal: LoweringRule<'reciprocal'> = ({ input }, _, g) => g.div(1, input)
const rsqrt = inFloat32<'rsqrt'>(({ input }, _, g) => g.div(1, g.sqrt(input)))

/** For integers the bounds are rounded inwards: between 0.5 and 2.5 lie 1 and 2. */
const clamp: LoweringRule<'clamp'> = ({ input }, { minimum, maximum }, g, { dtype }) => {
  const whole = !dtype.includes('f')
  return minimumAndMaximum(g, input, whole ? Math.ceil(minimum) : minimum, whole ? Math.floor(maximum) : maximum)
}

const bitwiseNot: LoweringRule<'bitwiseNot'> = ({ input }, _, g, { dtype }) => {
  const { kind, bytes } = dtypeFacts[dtype]
  const ones = g.constant({ dtype, shape: [] }, [kind === 'signed' ? -1 : 2 ** (bytes * 8) - 1], 'all bits')
  return g.node('bitwiseXor', { left: input, right: ones }, {})
}

/** Of floats, the floored remainder of magnitudes, which is exact; −0 is not below 0, and gives 0. */
const fmod: LoweringRule<'fmod'> = ({ left, right }, _, g, { dtype }) => {
  if (!isFloat(dtype)) {
    const rest = g.sub(left, g.mul(g.div(left, right), right))
    return g.where(g.equal(right, 0), 0, rest)
  }
  const rest = g.node('mod', { left: g.abs(left), right: g.abs(right) }, {})
  return g.where(g.less(left, 0), g.negate(rest), rest)
}

const isInf: LoweringRule<'isInf'> = ({ input }, { positive, negative }, g) => {
  if (positive && negative) return g.equal(g.abs(input), Number.POSITIVE_INFINITY)
  // Nothing is below itself.
  if (!positive && !negative) return g.less(input, input)
  return g.equal(input, positive ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY)
}

const notEqual: LoweringRule<'notEqual'> = ({ left, right }, _, g) => g.not(g.equal(left, right))
const greater: LoweringRule<'greater'> = ({ left, right }, _, g) => g.less(right, left)
const greaterOrEqual: LoweringRule<'greaterOrEqual'> = ({ left, right }, _, g) => g.lessOrEqual(right, left)

/** x − max(x): no exponential of it overflows. */
const belowMaximum = (g: Scope, input: Node, axis: number): Node =>
  g.sub(input, g.node('reduceMax', { input }, { axes: [axis], keepDims: true }))

const softmax = inFloat32<'softmax'>(({ input }, { axis }, g) => {
  const powers = g.exp(belowMaximum(g, input, axis))
  return g.div(powers, g.sum(powers, [axis], true))
})

const logSoftmax = inFloat32<'logSoftmax'>(({ input }, { axis }, g) => {
  const shifted = belowMaximum(g, input, axis)
  return g.sub(shifted, g.log(g.sum(g.exp(shifted), [axis], true)))
})

export const activationRules = {
  relu,
  leakyRelu,
  prelu,
  elu,
  celu,
  thresholdedRelu,
  shrink,
  selu,
  softplus,
  softsign,
  silu,
  mish,
  hardSigmoid,
  hardSwish,
  gelu,
  reciprocal,
  rsqrt,
  clamp,
  bitwiseNot,
  fmod,
  isInf,
  notEqual,
  greater,
  greaterOrEqual,
  softmax,
  logSoftmax,
}
