import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import type { DType } from '../dtype.ts'
import { reject } from '../problem.ts'
import { printType, type TensorType } from '../type.ts'
import { convolution, inferConvolution, slideAll, spatialAxes, type WindowAttributes, window } from './geometry.ts'
import { floats, numbers, one, optional, perAxis, positive, requireSameDType, size, withShape } from './shared.ts'

export const conv = primitive({
  name: 'conv',
  summary: 'Convolution over one to three spatial dimensions',
  operands: {
    input: one('[batch, in, …spatial]', floats),
    weight: one('[out, in / groups, …kernel]', floats),
    bias: optional('[out]', floats),
  },
  attributes: z.strictObject(convolution),
  traits: ['pure', 'anchor'],
  infer: (operands, attributes) => {
    requireSameDType(operands.input, operands.weight, 'conv', ['input', 'weight'])
    if (operands.bias) requireSameDType(operands.input, operands.bias, 'conv', ['input', 'bias'])
    return withShape(operands.input, inferConvolution(operands, attributes, 'conv'))
  },
})

/**
 * Every input element adds the weight, scaled by it, to the result at stride times its position (ONNX ConvTranspose 11). `before` and
 * `after` are taken off the borders of that, `extra` zeros are added behind; before + after may not exceed the rest.
 */
export const convTranspose = composite({
  name: 'convTranspose',
  summary: 'Transposed convolution over one to three spatial dimensions',
  operands: {
    input: one('[batch, in, …spatial]', floats),
    weight: one('[in, out / groups, …kernel]', floats),
    bias: optional('[out]', floats),
  },
  attributes: z.strictObject({ ...window, extra: perAxis(size), groups: positive }),
  traits: ['pure'],
  infer: ({ input, weight, bias }, attributes) => {
    const { groups, stride, before, after, dilation, extra } = attributes
    const axes = spatialAxes(input, [stride, before, after, dilation, extra], 'convTranspose')
    requireSameDType(input, weight, 'convTranspose', ['input', 'weight'])
    if (weight.shape.length !== axes + 2)
      reject(
        'rank-mismatch',
        `convTranspose: weight must be [in, out / groups, …${axes} kernel dimensions], got ${printType(weight)}`,
      )
    const [expected, perGroup, ...kernel] = weight.shape as [number, number, ...number[]]
    const channels = input.shape[1]!
    if (channels !== expected)
      reject(
        'shape-mismatch',
        `convTranspose: input ${printType(input)} has ${channels} channels, weight ${printType(weight)} expects ${expected}`,
      )
    if (channels % groups !== 0)
      reject('shape-mismatch', `convTranspose: ${channels} channels do not divide into ${groups} groups`)
    if (input.shape.slice(2).includes(0) || kernel.includes(0))
      reject(
        'shape-mismatch',
        `convTranspose: ${printType(input)} and ${printType(weight)} need at least one element in each spatial dimension`,
      )
    const out = perGroup * groups
    if (bias) {
      requireSameDType(input, bias, 'convTranspose', ['input', 'bias'])
      if (bias.shape.length !== 1 || bias.shape[0] !== out)
        reject('shape-mismatch', `convTranspose: bias must be [${out}], got ${printType(bias)}`)
    }
    const extents = kernel.map((k, i) => {
      const whole = (input.shape[2 + i]! - 1) * stride[i]! + dilation[i]! * (k - 1) + 1 + extra[i]!
      const extent = whole - before[i]! - after[i]!
      if (extent < 1)
        reject(
          'shape-mismatch',
          `convTranspose: padding ${before[i]} and ${after[i]} leave nothing of the ${whole} elements of spatial axis ${i}`,
        )
      return extent
    })
    return withShape(input, [input.shape[0]!, out, ...extents])
  },
})

const pool = { ...window, window: perAxis(positive) }

function inferPool(input: TensorType, attributes: WindowAttributes & { window: number[] }, op: string): TensorType {
  spatialAxes(input, [attributes.window, attributes.stride, attributes.before, attributes.after, attributes.dilation], op)
  for (const [i, k] of attributes.window.entries()) {
    const [extent, before, after, dilation] = [
      input.shape[2 + i]!,
      attributes.before[i]!,
      attributes.after[i]!,
      attributes.dilation[i]!,
    ]
    const reach = dilation * (k - 1) + 1
    // A window that begins in the padding sees an element at its start modulo the dilation, if there is one there.
    const blind = before >= reach || after >= reach || extent === 0 || (before > 0 && dilation > extent)
    if (blind) {
      reject(
        'bad-attribute',
        `${op}: with padding ${before} and ${after}, windows of ${k} elements ${dilation} apart over ${extent} would see no element; padding must stay below the window's reach of ${reach} and dilation not exceed the extent`,
      )
    }
  }
  return withShape(input, [input.shape[0]!, input.shape[1]!, ...slideAll(input, attributes.window, attributes, op)])
}

export const maxPool = primitive({
  name: 'maxPool',
  summary: 'Largest value under each position of a sliding window',
  operands: { input: one('[batch, channels, …spatial]', numbers) },
  attributes: z.strictObject(pool),
  traits: ['pure', 'anchor'],
  infer: ({ input }, attributes) => inferPool(input, attributes, 'maxPool'),
})

export const avgPool = primitive({
  name: 'avgPool',
  summary: 'Mean under each position of a sliding window',
  operands: { input: one('[batch, channels, …spatial]', floats) },
  attributes: z.strictObject({ ...pool, countPadding: z.boolean() }),
  traits: ['pure', 'anchor'],
  infer: ({ input }, attributes) => inferPool(input, attributes, 'avgPool'),
})

/** (Σ |x|^p)^(1/p); padding adds nothing (ONNX LpPool 18). */
export const lpPool = composite({
  name: 'lpPool',
  summary: 'p-norm of the elements under each position of a sliding window',
  operands: { input: one('[batch, channels, …spatial]', floats) },
  attributes: z.strictObject({ ...pool, p: positive.default(2) }),
  traits: ['pure'],
  infer: ({ input }, attributes) => inferPool(input, attributes, 'lpPool'),
})

/** Cell i of n over an extent e covers floor(i·e/n) up to, not including, ceil((i+1)·e/n), as in PyTorch. */
const adaptive = <const Name extends string>(name: Name, summary: string, accepted: readonly DType[]) =>
  composite({
    name,
    summary,
    operands: { input: one('[batch, channels, …spatial]', accepted) },
    attributes: z.strictObject({ size: perAxis(positive) }),
    traits: ['pure'],
    infer: ({ input }, attributes) => {
      spatialAxes(input, [attributes.size], name)
      if (input.shape.slice(2).includes(0)) reject('shape-mismatch', `${name}: ${printType(input)} has no spatial elements`)
      return withShape(input, [input.shape[0]!, input.shape[1]!, ...attributes.size])
    },
  })

export const adaptiveAvgPool = adaptive('adaptiveAvgPool', 'Mean of each cell of a grid laid over the spatial dimensions', floats)
export const adaptiveMaxPool = adaptive(
  'adaptiveMaxPool',
  'Largest value of each cell of a grid laid over the spatial dimensions',
  numbers,
)
