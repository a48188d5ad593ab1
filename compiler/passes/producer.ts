// Layers with constant weights, whose result can be scaled and shifted for each channel by changing the weights.
import { type Builder, byteSize, elementCount, type Node, type Shape } from '../graph/index.ts'
import { asOp, isConstant, reshapeTo, withoutLeadingOnes } from './match.ts'

export interface Producer {
  readonly node: Node
  /** The channels' axis in the result. */
  readonly axis: number
  readonly channels: number
  /** What is multiplied by the factor. */
  readonly weight: Node
  readonly bias: Node | undefined
  /** The weight times a vector of the channels. Nothing in it is larger than the weight: what grows is not folded. */
  readonly scaledBy: (builder: Builder, factor: Node) => Node
  readonly rebuild: (builder: Builder, weight: Node, bias: Node | undefined) => Node
}

/** The layer that made a value, if its weights are constants. */
export function producerOf(node: Node): Producer | undefined {
  const found = layerOf(node) ?? transposedOf(node) ?? normalizationOf(node)
  return found && isConstant(found.weight) && (!found.bias || isConstant(found.bias)) ? found : undefined
}

/** Dimension 0 of the weight are the channels. */
function layerOf(node: Node): Producer | undefined {
  const conv = asOp(node, 'conv')
  const linear = asOp(node, 'linear')
  const operands = conv?.operands ?? linear?.operands
  if (!operands) return undefined
  const { weight, bias } = operands
  const channels = weight.type.shape[0]!
  return {
    node,
    axis: conv ? 1 : node.type.shape.length - 1,
    channels,
    weight,
    bias,
    scaledBy: (builder, factor) =>
      builder.add('mul', {
        left: weight,
        right: reshapeTo(builder, factor, [channels, ...weight.type.shape.slice(1).map(() => 1)]),
      }),
    rebuild: (builder, weight, bias) =>
      conv
        ? builder.add('conv', { ...conv.operands, weight, bias }, conv.attributes)
        : builder.add('linear', { ...linear!.operands, weight, bias }),
  }
}

/** Dimension 1 of the weight are the channels of a group; the groups lie one after another in dimension 0. */
function transposedOf(node: Node): Producer | undefined {
  const layer = asOp(node, 'convTranspose')
  if (!layer) return undefined
  const { weight, bias } = layer.operands
  const { groups } = layer.attributes
  const [inputs, perGroup, ...kernel] = weight.type.shape as [number, number, ...number[]]
  return {
    node,
    axis: 1,
    channels: perGroup * groups,
    weight,
    bias,
    scaledBy(builder, factor) {
      const grouped = reshapeTo(builder, weight, [groups, inputs / groups, perGroup, ...kernel])
      const right = reshapeTo(builder, factor, [groups, 1, perGroup, ...kernel.map(() => 1)])
      return reshapeTo(builder, builder.add('mul', { left: grouped, right }), weight.type.shape)
    },
    rebuild: (builder, weight, bias) => builder.add('convTranspose', { ...layer.operands, weight, bias }, layer.attributes),
  }
}

/** OP-17. What scales each channel anyway. Its statistics need not be constants. */
function normalizationOf(node: Node): Producer | undefined {
  const batch = asOp(node, 'batchNorm')
  const group = asOp(node, 'groupNorm')
  const weight = batch?.operands.scale ?? group?.operands.scale
  if (!weight) return undefined
  return {
    node,
    axis: 1,
    channels: weight.type.shape[0]!,
    weight,
    bias: batch?.operands.shift ?? group?.operands.shift,
    scaledBy: (builder, factor) => builder.add('mul', { left: weight, right: factor }),
    rebuild: (builder, scale, shift) =>
      batch
        ? builder.add('batchNorm', { ...batch.operands, scale, shift: shift! }, batch.attributes)
        : builder.add('groupNorm', { ...group!.operands, scale, shift }, group!.attributes),
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
  const scaled = factor ? scaledWeight(builder, producer, factor) : weight
  const scaledBias = bias && factor ? builder.add('mul', { left: bias, right: factor }) : bias
  return producer.rebuild(builder, scaled, addedBias(builder, scaledBias, offset, channels))
}

const scaledWeight = (builder: Builder, { weight, scaledBy }: Producer, factor: Node): Node =>
  elementCount(factor.type.shape) === 1 ? builder.add('mul', { left: weight, right: factor }) : scaledBy(builder, factor)

function addedBias(builder: Builder, bias: Node | undefined, offset: Node | undefined, channels: number): Node | undefined {
  if (!offset) return bias
  if (bias) return builder.add('add', { left: bias, right: offset })
  if (offset.type.shape.length === 1) return offset
  const type = { dtype: offset.type.dtype, shape: [channels] }
  return builder.add('add', { left: builder.literal(type, new Uint8Array(byteSize(type)), 'zeros'), right: offset })
}

/** 16-bit weights would lose digits by being multiplied. */
export const isWide = (node: Node): boolean => node.type.dtype === 'f32' || node.type.dtype === 'f64'
