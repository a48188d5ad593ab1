import { z } from 'zod'
import { composite } from '../definition.ts'
import { isInteger } from '../dtype.ts'
import { reject } from '../problem.ts'
import {
  axis,
  broadcastShapes,
  floats,
  integers,
  none,
  numbers,
  one,
  real,
  requireSameDType,
  resolveAxis,
  sameAs,
  values,
} from './shared.ts'

/** An elementwise function of one operand with a lowering to simpler ones. */
const activation = <const Name extends string, A extends z.ZodObject>(
  name: Name,
  summary: string,
  attributes: A,
  accepted: typeof floats | typeof numbers | typeof integers = floats,
) =>
  composite({
    name,
    summary,
    operands: { input: one('any shape', accepted) },
    attributes,
    traits: ['pure', 'elementwise'],
    infer: ({ input }) => sameAs(input),
    memory: { inPlace: [0] },
  })

export const relu = activation('relu', 'Rectified linear unit: negative elements become zero', none, numbers)
export const leakyRelu = activation(
  'leakyRelu',
  'x where positive, slope · x elsewhere',
  z.strictObject({ slope: z.number().default(0.01) }),
)
export const elu = activation(
  'elu',
  'x where positive, alpha · (e^x − 1) elsewhere',
  z.strictObject({ alpha: z.number().default(1) }),
)
export const celu = activation(
  'celu',
  'x where positive, alpha · (e^(x / alpha) − 1) elsewhere',
  z.strictObject({
    alpha: z
      .number()
      .refine((alpha) => alpha !== 0)
      .default(1),
  }),
)
export const thresholdedRelu = activation(
  'thresholdedRelu',
  'x where above a threshold, zero elsewhere',
  z.strictObject({ threshold: z.number().default(1) }),
)
export const shrink = activation(
  'shrink',
  'Elements brought closer to zero, and zero where they are near it',
  z.strictObject({ threshold: z.number().default(0.5), bias: z.number().default(0) }),
)
export const selu = activation('selu', 'Self-normalising exponential linear unit', none)
export const softplus = activation('softplus', 'log(1 + e^x)', none)
export const softsign = activation('softsign', 'x / (1 + |x|)', none)
export const silu = activation('silu', 'x · sigmoid(x), also called swish', none)
export const mish = activation('mish', 'x · tanh(softplus(x))', none)
export const hardSigmoid = activation(
  'hardSigmoid',
  'slope · x + offset, clamped to 0 … 1',
  z.strictObject({ slope: z.number().default(1 / 6), offset: z.number().default(0.5) }),
)
export const hardSwish = activation('hardSwish', 'x · clamp(x / 6 + 0.5, 0, 1)', none)
export const gelu = activation(
  'gelu',
  'Gaussian error linear unit',
  z.strictObject({ approximate: z.enum(['none', 'tanh']).default('none') }),
)
export const reciprocal = activation('reciprocal', '1 / x of each element', none)
export const rsqrt = activation('rsqrt', '1 / √x of each element', none)
export const bitwiseNot = activation('bitwiseNot', 'Every bit of each element turned over', none, integers)
/** Limits of an integer tensor are whole numbers or infinite. */
export const clamp = composite({
  name: 'clamp',
  summary: 'Elements limited to a range',
  operands: { input: one('any shape', numbers) },
  attributes: z.strictObject({
    minimum: real.default(Number.NEGATIVE_INFINITY),
    maximum: real.default(Number.POSITIVE_INFINITY),
  }),
  traits: ['pure', 'elementwise'],
  infer: ({ input }, limits) => {
    for (const [name, limit] of Object.entries(limits)) {
      if (isInteger(input.dtype) && Number.isFinite(limit) && !Number.isInteger(limit))
        reject('bad-attribute', `clamp: ${name} ${limit} is not a value of ${input.dtype}`)
    }
    return sameAs(input)
  },
  memory: { inPlace: [0] },
})

export const prelu = composite({
  name: 'prelu',
  summary: 'x where positive, slope · x elsewhere, with a tensor of slopes',
  operands: { input: one('any shape', floats), slope: one('broadcasts to input', floats) },
  attributes: none,
  traits: ['pure', 'elementwise'],
  infer: ({ input, slope }) => {
    requireSameDType(input, slope, 'prelu', ['input', 'slope'])
    const shape = broadcastShapes([input.shape, slope.shape], 'prelu')
    if (shape.some((extent, i) => extent !== input.shape[i])) {
      reject('shape-mismatch', `prelu: slope [${slope.shape.join(', ')}] does not broadcast to input [${input.shape.join(', ')}]`)
    }
    return sameAs(input)
  },
  memory: { inPlace: [0] },
})

/** Exact (IEEE fmod, C `%`). */
export const fmod = composite({
  name: 'fmod',
  summary: 'Remainder with the sign of the dividend, element by element; 0 when an integer divisor is 0',
  operands: { left: one('any shape', numbers), right: one('broadcasts with left', numbers) },
  attributes: none,
  traits: ['pure', 'elementwise'],
  infer: ({ left, right }) => {
    requireSameDType(left, right, 'fmod', ['left', 'right'])
    return { dtype: left.dtype, shape: broadcastShapes([left.shape, right.shape], 'fmod') }
  },
})

export const isInf = composite({
  name: 'isInf',
  summary: 'True where an element is infinite',
  operands: { input: one('any shape', floats) },
  attributes: z.strictObject({ positive: z.boolean().default(true), negative: z.boolean().default(true) }),
  traits: ['pure', 'elementwise'],
  infer: ({ input }) => ({ dtype: 'bool', shape: input.shape }),
})

const compared = <const Name extends string>(name: Name, summary: string, accepted: typeof numbers | typeof values) =>
  composite({
    name,
    summary,
    operands: { left: one('any shape', accepted), right: one('broadcasts with left', accepted) },
    attributes: none,
    traits: name === 'notEqual' ? ['pure', 'elementwise', 'commutative'] : ['pure', 'elementwise'],
    infer: ({ left, right }) => {
      requireSameDType(left, right, name, ['left', 'right'])
      return { dtype: 'bool', shape: broadcastShapes([left.shape, right.shape], name) }
    },
  })

export const notEqual = compared('notEqual', 'True where two elements differ', values)
export const greater = compared('greater', 'True where left is above right', numbers)
export const greaterOrEqual = compared('greaterOrEqual', 'True where left is not below right', numbers)

const alongAxis = <const Name extends string>(name: Name, summary: string) =>
  composite({
    name,
    summary,
    operands: { input: one('any shape', floats) },
    attributes: z.strictObject({ axis: axis.default(-1) }),
    traits: ['pure', 'anchor'],
    infer: ({ input }, attributes) => {
      resolveAxis(attributes.axis, input.shape.length, name)
      return sameAs(input)
    },
    memory: { inPlace: [0] },
  })

export const softmax = alongAxis('softmax', 'Exponentials along an axis, scaled to sum to one')
export const hardmax = composite({
  name: 'hardmax',
  summary: 'One at the first of the largest elements along an axis, zero elsewhere',
  operands: { input: one('any shape', floats) },
  attributes: z.strictObject({ axis: axis.default(-1) }),
  traits: ['pure'],
  infer: ({ input }, attributes) => {
    resolveAxis(attributes.axis, input.shape.length, 'hardmax')
    return sameAs(input)
  },
})
export const logSoftmax = alongAxis('logSoftmax', 'Logarithm of softmax along an axis')
