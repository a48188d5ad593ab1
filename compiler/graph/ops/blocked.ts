// Convolutions whose results, and mostly inputs, stand in blocks of channels: [batch, ⌈channels / block⌉, …spatial, block]. No author writes
// them: layout assignment does, for targets that ask for blocks.
import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, type Shape, type TensorType } from '../type.ts'
import { convolution, inferConvolution, type WindowAttributes } from './geometry.ts'
import { floats, integer, one, optional, positive, requireSameDType, withShape } from './shared.ts'
import { factors, requireConvolutionZeroPoints, zeroPoints } from './zeroPoints.ts'

/** The shape in which a tensor [batch, channels, …spatial] stands in blocks of `block` channels. */
export function blockedShape(shape: Shape, block: number): Shape {
  const [batch, channels, ...spatial] = shape as [number, number, ...number[]]
  return [batch, Math.ceil(channels / block), ...spatial, block]
}

/** The operands of a convolution, of which the input may stand in blocks, told by its rank. */
interface Convolved {
  readonly input: TensorType
  readonly weight: TensorType
  readonly bias: TensorType | undefined
}

/** The input as it is without blocks; `channels` is how many the weight takes. */
export function plainInput({ input, weight }: Convolved, groups: number, block: number, op: string): TensorType {
  const rank = weight.shape.length
  if (input.shape.length === rank) return input
  const channels = (weight.shape[1] ?? 0) * groups
  if (input.shape.length !== rank + 1)
    reject(
      'rank-mismatch',
      `${op}: input must be [batch, ${channels}, …spatial] or [batch, blocks, …spatial, ${block}] with the spatial dimensions of weight ${printType(weight)}, got ${printType(input)}`,
    )
  const [batch, blocks, ...rest] = input.shape as [number, number, ...number[]]
  const lanes = rest.pop()
  if (blocks !== Math.ceil(channels / block) || lanes !== block)
    reject(
      'shape-mismatch',
      `${op}: ${channels} channels in blocks of ${block} are [${batch}, ${Math.ceil(channels / block)}, …, ${block}], got input ${printType(input)}`,
    )
  return withShape(input, [batch, channels, ...rest])
}

function inferBlocked(operands: Convolved, attributes: WindowAttributes & { groups: number; block: number }, op: string): Shape {
  const { groups, block } = attributes
  const input = plainInput(operands, groups, block, op)
  return blockedShape(inferConvolution({ ...operands, input }, attributes, op), block)
}

/**
 * conv over an input that stands in blocks of channels or, told by its rank, does not; its result does. Of a last block that is not full
 * the lanes without a channel are not read, and are 0 in the result.
 */
export const blockedConv = composite({
  name: 'blockedConv',
  summary: 'Convolution whose channels stand in blocks',
  operands: {
    input: one('[batch, ⌈in / block⌉, …spatial, block] or [batch, in, …spatial]', floats),
    weight: one('[out, in / groups, …kernel]', floats),
    bias: optional('[out]', floats),
  },
  attributes: z.strictObject({ ...convolution, block: positive }),
  traits: ['pure', 'anchor'],
  infer: (operands, attributes) => {
    requireSameDType(operands.input, operands.weight, 'blockedConv', ['input', 'weight'])
    if (operands.bias) requireSameDType(operands.input, operands.bias, 'blockedConv', ['input', 'bias'])
    return withShape(operands.input, inferBlocked(operands, attributes, 'blockedConv'))
  },
})

/** convInteger over blocks of channels, as `blockedConv` is to conv. Padding and lanes without a channel add nothing. */
export const blockedConvInteger = composite({
  name: 'blockedConvInteger',
  summary: 'Convolution of integers, less their zero points, whose channels stand in blocks; sums are in i32',
  operands: {
    input: one('[batch, ⌈in / block⌉, …spatial, block] or [batch, in, …spatial]', factors),
    weight: one('[out, in / groups, …kernel]', factors),
    bias: optional('[out]', ['i32']),
  },
  attributes: z.strictObject({
    ...convolution,
    inputZeroPoint: integer.default(0),
    /** One entry, or one for each output channel. */
    weightZeroPoint: zeroPoints.default([0]),
    block: positive,
  }),
  traits: ['pure', 'anchor'],
  infer: (operands, attributes): TensorType => {
    const shape = inferBlocked(operands, attributes, 'blockedConvInteger')
    requireConvolutionZeroPoints(operands, attributes, 'blockedConvInteger')
    return { dtype: 'i32', shape }
  },
})
