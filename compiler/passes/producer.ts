// Layers with constant weights, whose result can be scaled and shifted for each channel by changing the weights.
import { type Builder, byteSize, elementCount, type Node, type Shape } from '../graph/index.ts'
import { asOp, isConstant, reshapeTo, withoutLeadingOnes } from './match.ts'

export interface Producer {
  readonly node: Node
  /** The channels' axis in the result. */
  readonly axis: number
  readonly channels: number
  /** Operands that are multiplied by the factor; the first one exists, and its dimension 0 are the channels. */
  readonly weight: Node
  readonly bias: Node | undefined
  readonly rebuild: (builder: Builder, weight: Node, bias: Node | undefined) => Node
}

/** The layer that made a value, if its weights are constants. */
export function producerOf(node: Node): Producer | undefined {
  const constants = (...operands: (Node | undefined)[]) => operands.every((operand) => !operand || isConstant(operand))
  const conv = asOp(node, 'conv')
  const linear = asOp(node, 'linear')
  const operands = conv?.operands ?? linear?.operands
  if (!operands || !constants(operands.weight, operands.bias)) return undefined
  const { weight, bias } = operands
  return {
    node,
    axis: conv ? 1 : node.type.shape.length - 1,
    channels: weight.type.shape[0]!,
    weight,
    bias,
    rebuild: (builder, weight, bias) =>
      conv
        ? builder.add('conv', { ...conv.operands, weight, bias }, conv.attributes)
        : builder.add('linear', { ...linear!.operands, weight, bias }),
  }
}

/** The constant as one element per channel, or as a single element; undefined when it varies otherwise over the producer's result. */
export function perChannel(builder: Builder, { channels }: Producer, constant: Node): Node {
  return reshapeTo(builder, constant, elementCount(constant.type.shape) === 1 ? [] : [channels])
}

/** Whether a constant, broadcast over the producer's result, is the same within each channel. */
export function variesByChannel({ node, axis, channels }: Producer, constant: Node): boolean {
  const rank = node.type.shape.length
  const { shape } = constant.type
  if (!isConstant(constant) || shape.length > rank) return false
  const tail: Shape = withoutLeadingOnes(shape)
  return (
    tail.length === 0 || (tail.length === rank - axis && tail[0] === channels && tail.slice(1).every((extent) => extent === 1))
  )
}

/** The producer with its result multiplied by `factor` and increased by `offset`: vectors of the channels, or single elements. */
export function scaleProducer(builder: Builder, producer: Producer, factor: Node | undefined, offset: Node | undefined): Node {
  const { weight, bias, channels } = producer
  const alongWeight = (input: Node) =>
    elementCount(input.type.shape) === 1
      ? input
      : builder.add('reshape', { input }, { shape: [channels, ...weight.type.shape.slice(1).map(() => 1)] })
  const scaled = factor ? builder.add('mul', { left: weight, right: alongWeight(factor) }) : weight
  const scaledBias = bias && factor ? builder.add('mul', { left: bias, right: factor }) : bias
  return producer.rebuild(builder, scaled, addedBias(builder, scaledBias, offset, channels))
}

function addedBias(builder: Builder, bias: Node | undefined, offset: Node | undefined, channels: number): Node | undefined {
  if (!offset) return bias
  if (bias) return builder.add('add', { left: bias, right: offset })
  if (offset.type.shape.length === 1) return offset
  const type = { dtype: offset.type.dtype, shape: [channels] }
  return builder.add('add', { left: builder.literal(type, new Uint8Array(byteSize(type)), 'zeros'), right: offset })
}

/** 16-bit weights would lose digits by being multiplied. */
export const isWide = (node: Node): boolean => node.type.dtype === 'f32' || node.type.dtype === 'f64'
