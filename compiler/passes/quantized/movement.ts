// Decoding moves behind what only moves or chooses elements, encoding before it, until they meet.
import { type Builder, dtypeFacts, hasTrait, type Node, type OpName } from '../../graph/index.ts'
import { asOp, isConstant, orderOf } from '../match.ts'
import { type Rule, rule } from '../rule.ts'
import {
  axisAfterReshape,
  type Decoded,
  decodedNumber,
  decodedOf,
  dequantized,
  encoded,
  encodingOf,
  sameEncoding,
  withoutLimits,
} from './encoding.ts'

/** Where each index of the quantised axis lies after a movement; `undefined` where the movement mixes them. */
function axisAfter(node: Node, axis: number): number | undefined {
  const transpose = asOp(node, 'transpose')
  if (transpose) return orderOf(transpose).indexOf(axis)
  return node.op === 'reshape' ? axisAfterReshape(axis, node.operands[0]!.type.shape, node.type.shape) : undefined
}

/** The attributes with which an op moves stored integers as it moved the numbers; undefined where it cannot. */
function storedAttributes(node: Node, { dtype, quantization }: Decoded): Readonly<Record<string, unknown>> | undefined {
  const pad = asOp(node, 'pad')
  if (pad) {
    const value = encoded(pad.attributes.value, dtype, quantization)
    return decodedNumber(value, quantization) === pad.attributes.value ? { ...pad.attributes, value } : undefined
  }
  const resize = asOp(node, 'resize')?.attributes
  const interpolates = resize && (resize.mode !== 'nearest' || resize.coordinates === 'tfCropAndResize')
  return interpolates ? undefined : node.attributes
}

/** Scales are positive: the largest integer stands for the largest number. */
const movements: readonly OpName[] = [
  'reshape',
  'transpose',
  'slice',
  'pad',
  'padWith',
  'resize',
  'gather',
  'gatherElements',
  'gatherNd',
  'maxPool',
  'reduceMax',
  'reduceMin',
]

const belowMovement = rule({
  name: 'dequantize-behind-movement',
  note: 'transpose(dequantize(q)) → dequantize(transpose(q))',
  root: movements,
  match: (node) => {
    const decoded = decodedOf(node.operands[0])
    if (!decoded) return undefined
    const { axis, ...single } = decoded.quantization
    const moved = axis === undefined ? undefined : axisAfter(node, axis)
    const attributes = storedAttributes(node, decoded)
    if (!attributes || (axis !== undefined && moved === undefined)) return undefined
    const quantization = moved === undefined ? single : { ...single, axis: moved }
    return { through: [decoded.node], stored: decoded.stored, attributes, quantization }
  },
  apply: ({ stored, attributes, quantization }, builder, node) =>
    dequantized(builder, builder.addFlat(node.op, [stored, ...node.operands.slice(1)], attributes), quantization),
})

/** Different integers of 16 bits stand for different numbers, in the same order. */
const order = rule({
  name: 'order-of-integers',
  note: 'argMax(dequantize(q)) → argMax(q)',
  root: ['argMax', 'argMin', 'topKIndices'],
  match: (node) => {
    const decoded = decodedOf(node.operands[0])
    return (
      decoded?.quantization.axis === undefined &&
      decoded &&
      dtypeFacts[decoded.dtype].bytes <= 2 && { through: [decoded.node], stored: decoded.stored }
    )
  },
  apply: ({ stored }, builder, node) => builder.addFlat(node.op, [stored], node.attributes),
})

const belowEmbedding = rule({
  name: 'dequantize-behind-embedding',
  note: 'embedding(i, dequantize(q)) → dequantize(embedding(i, q))',
  root: 'embedding',
  match: (node) => {
    const { table, indices } = asOp(node, 'embedding')!.operands
    const decoded = decodedOf(table)
    return decoded?.quantization.axis === undefined && decoded && { through: [table], indices, decoded }
  },
  apply: ({ indices, decoded }, builder) =>
    dequantized(builder, builder.add('embedding', { indices, table: decoded.stored }), decoded.quantization),
})

const belowConcat = rule({
  name: 'dequantize-behind-concat',
  note: 'concat(dequantize(p), dequantize(q)) with equal parameters → dequantize(concat(p, q))',
  root: 'concat',
  match: (node) => {
    const parts = node.operands.map(decodedOf)
    const [first] = parts
    return (
      first?.quantization.axis === undefined &&
      first &&
      parts.every((part) => part && sameEncoding(part, first)) && { through: node.operands, parts: parts as Decoded[], first }
    )
  },
  apply: ({ parts, first }, builder, node) =>
    dequantized(
      builder,
      builder.add('concat', { inputs: parts.map((part) => part.stored) }, asOp(node, 'concat')!.attributes),
      first.quantization,
    ),
})

/** With one scale and zero point: the shape is another. */
function quantizeLike(builder: Builder, input: Node, node: Node): Node {
  const { dtype, quantization } = encodingOf(node)
  return builder.add('quantize', { input }, { dtype, scale: [...quantization.scale], zeroPoint: [...quantization.zeroPoint] })
}

/** Limits that stood behind a value, behind another one. */
const limitedLike = (builder: Builder, input: Node, through: readonly Node[]): Node =>
  through.reduceRight((value, { op, attributes }) => builder.addFlat(op, [value], attributes), input)

/**
 * OP-48, OP-49, OP-50. Integers are decoded with the parameters of each part and take those of the whole; what computes a part encodes
 * it as well, and bytes are put side by side. An input would need a kernel of its own for that.
 */
const aboveConcat = rule({
  name: 'quantize-before-concat',
  note: 'quantize(relu(concat(x, y))) → concat(quantize(relu(x)), quantize(relu(y)))',
  root: 'quantize',
  match: (node, context) => {
    const { input, quantization } = encodingOf(node)
    const { inner, through } = withoutLimits(input)
    const concat = asOp(inner, 'concat')
    if (!concat || quantization.axis !== undefined || [...through, inner].some(context.isShared)) return undefined
    const encodes = (part: Node) => isConstant(part) || !hasTrait(part, 'storage')
    const { inputs } = concat.operands
    return inputs.every(encodes) && !inputs.every(isConstant) && { through: [...through, inner], limits: through, concat }
  },
  apply: ({ limits, concat }, builder, node) => {
    const inputs = concat.operands.inputs.map((part) => quantizeLike(builder, limitedLike(builder, part, limits), node))
    return builder.add('concat', { inputs }, concat.attributes)
  },
})

/** Where decoding cannot move on: its parameters belong to an axis that the movement dissolves, or a border has no integer. */
const aboveMovement = rule({
  name: 'quantize-before-movement',
  note: 'quantize(reshape(x)) → reshape(quantize(x))',
  root: 'quantize',
  match: (node, context) => {
    const { input, quantization } = encodingOf(node)
    return (
      ['reshape', 'transpose', 'pad'].includes(input.op) &&
      quantization.axis === undefined &&
      !isConstant(input.operands[0]!) &&
      !context.isShared(input) && { through: [input], input, encoding: encodingOf(node) }
    )
  },
  apply: ({ input, encoding }, builder, node) => {
    const pad = asOp(input, 'pad')
    const border = pad ? { value: encoded(pad.attributes.value, encoding.dtype, encoding.quantization) } : {}
    return builder.addFlat(input.op, [quantizeLike(builder, input.operands[0]!, node)], { ...input.attributes, ...border })
  },
})

export const movementRules: readonly Rule[] = [belowMovement, order, belowEmbedding, belowConcat, aboveConcat, aboveMovement]
