// Shapes that several ops of windows and products share.
import { reject } from '../problem.ts'
import { printType, type Shape, type TensorType } from '../type.ts'
import { broadcastShapes, perAxis, positive, size, slide } from './shared.ts'

/** One entry for each spatial axis; `before` and `after` are the padding on either side. */
export const window = {
  stride: perAxis(positive),
  before: perAxis(size),
  after: perAxis(size),
  dilation: perAxis(positive),
}
export type WindowAttributes = { stride: number[]; before: number[]; after: number[]; dilation: number[] }

/** How many spatial axes there are; rejects unless each list has an entry for each. */
export function spatialAxes(input: TensorType, counts: readonly (readonly unknown[])[], op: string): number {
  const axes = input.shape.length - 2
  if (axes < 1 || axes > 3)
    reject('rank-mismatch', `${op}: input must be [batch, channels, …1 to 3 spatial dimensions], got ${printType(input)}`)
  if (counts.some((list) => list.length !== axes))
    reject('bad-attribute', `${op}: window attributes need ${axes} entries each for ${printType(input)}`)
  return axes
}

/** Extents of the result on the spatial axes. */
export const slideAll = (input: TensorType, kernel: readonly number[], a: WindowAttributes, op: string) =>
  kernel.map((k, i) => slide(input.shape[2 + i]!, k, a.stride[i]!, a.before[i]!, a.after[i]!, a.dilation[i]!, op))

/** Attributes of a convolution. */
export const convolution = { ...window, groups: positive }

/** The shape that convolving gives; element types are the caller's matter. */
export function inferConvolution(
  { input, weight, bias }: { input: TensorType; weight: TensorType; bias: TensorType | undefined },
  attributes: WindowAttributes & { groups: number },
  op: string,
): Shape {
  const { groups } = attributes
  const axes = spatialAxes(input, [attributes.stride, attributes.before, attributes.after, attributes.dilation], op)
  if (weight.shape.length !== axes + 2)
    reject('rank-mismatch', `${op}: weight must be [out, in / groups, …${axes} kernel dimensions], got ${printType(weight)}`)
  const [out, perGroup] = weight.shape as [number, number]
  const channels = input.shape[1]!
  if (channels !== perGroup * groups) {
    reject(
      'shape-mismatch',
      `${op}: input ${printType(input)} has ${channels} channels, weight ${printType(weight)} with ${groups} group${groups === 1 ? '' : 's'} expects ${perGroup * groups}`,
    )
  }
  if (out % groups !== 0) reject('shape-mismatch', `${op}: ${out} output channels do not divide into ${groups} groups`)
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out))
    reject('shape-mismatch', `${op}: bias must be [${out}], got ${printType(bias)}`)
  return [input.shape[0]!, out, ...slideAll(input, weight.shape.slice(2), attributes, op)]
}

/** The shape of a matrix product; element types are the caller's matter. */
export function inferMatmul(left: TensorType, right: TensorType, op: string): Shape {
  if (left.shape.length < 2 || right.shape.length < 2)
    reject('rank-mismatch', `${op}: both operands need at least two dimensions, got ${printType(left)} and ${printType(right)}`)
  const [inner, other] = [left.shape.at(-1)!, right.shape.at(-2)!]
  if (inner !== other)
    reject('shape-mismatch', `${op}: inner dimensions ${inner} and ${other} differ in ${printType(left)} x ${printType(right)}`)
  return [...broadcastShapes([left.shape.slice(0, -2), right.shape.slice(0, -2)], op), left.shape.at(-2)!, right.shape.at(-1)!]
}
