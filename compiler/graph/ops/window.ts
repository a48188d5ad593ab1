import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, type TensorType } from '../type.ts'
import { floats, numbers, one, optional, perAxis, positive, requireSameDType, size, slide, withShape } from './shared.ts'

/** One entry for each spatial axis; `before` and `after` are the padding on either side. */
const window = {
  stride: perAxis(positive),
  before: perAxis(size),
  after: perAxis(size),
  dilation: perAxis(positive),
}
type WindowAttributes = { stride: number[]; before: number[]; after: number[]; dilation: number[] }

function spatialAxes(input: TensorType, counts: readonly (readonly unknown[])[], op: string): number {
  const axes = input.shape.length - 2
  if (axes < 1 || axes > 3)
    reject('rank-mismatch', `${op}: input must be [batch, channels, …1 to 3 spatial dimensions], got ${printType(input)}`)
  if (counts.some((list) => list.length !== axes))
    reject('bad-attribute', `${op}: window attributes need ${axes} entries each for ${printType(input)}`)
  return axes
}

const slideAll = (input: TensorType, kernel: readonly number[], a: WindowAttributes, op: string) =>
  kernel.map((k, i) => slide(input.shape[2 + i]!, k, a.stride[i]!, a.before[i]!, a.after[i]!, a.dilation[i]!, op))

export const conv = primitive({
  name: 'conv',
  summary: 'Convolution over one to three spatial dimensions',
  operands: {
    input: one('[batch, in, …spatial]', floats),
    weight: one('[out, in / groups, …kernel]', floats),
    bias: optional('[out]', floats),
  },
  attributes: z.strictObject({ ...window, groups: positive }),
  traits: ['pure', 'anchor'],
  infer: ({ input, weight, bias }, attributes) => {
    const { groups } = attributes
    const axes = spatialAxes(input, [attributes.stride, attributes.before, attributes.after, attributes.dilation], 'conv')
    requireSameDType(input, weight, 'conv', ['input', 'weight'])
    if (weight.shape.length !== axes + 2)
      reject('rank-mismatch', `conv: weight must be [out, in / groups, …${axes} kernel dimensions], got ${printType(weight)}`)
    const [out, perGroup] = weight.shape as [number, number]
    const channels = input.shape[1]!
    if (channels !== perGroup * groups) {
      reject(
        'shape-mismatch',
        `conv: input ${printType(input)} has ${channels} channels, weight ${printType(weight)} with ${groups} group${groups === 1 ? '' : 's'} expects ${perGroup * groups}`,
      )
    }
    if (out % groups !== 0) reject('shape-mismatch', `conv: ${out} output channels do not divide into ${groups} groups`)
    if (bias) {
      requireSameDType(input, bias, 'conv', ['input', 'bias'])
      if (bias.shape.length !== 1 || bias.shape[0] !== out)
        reject('shape-mismatch', `conv: bias must be [${out}], got ${printType(bias)}`)
    }
    return withShape(input, [input.shape[0]!, out, ...slideAll(input, weight.shape.slice(2), attributes, 'conv')])
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

/** Cell i of n over an extent e covers floor(i·e/n) up to, not including, ceil((i+1)·e/n), as in PyTorch. */
const adaptive = <const Name extends string>(name: Name, summary: string) =>
  composite({
    name,
    summary,
    operands: { input: one('[batch, channels, …spatial]', floats) },
    attributes: z.strictObject({ size: perAxis(positive) }),
    traits: ['pure'],
    infer: ({ input }, attributes) => {
      spatialAxes(input, [attributes.size], name)
      if (input.shape.slice(2).includes(0)) reject('shape-mismatch', `${name}: ${printType(input)} has no spatial elements`)
      return withShape(input, [input.shape[0]!, input.shape[1]!, ...attributes.size])
    },
  })

export const adaptiveAvgPool = adaptive('adaptiveAvgPool', 'Mean of each cell of a grid laid over the spatial dimensions')
export const adaptiveMaxPool = adaptive(
  'adaptiveMaxPool',
  'Largest value of each cell of a grid laid over the spatial dimensions',
)
