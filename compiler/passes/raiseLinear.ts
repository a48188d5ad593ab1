import { elementCount, isFloat, type Node } from '../graph/index.ts'
import { asOp, isConstant, reshapeTo, withoutLeadingOnes } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** OP-39. The weight of a linear layer is stored transposed; folding does that at build. */
const matmul = rule({
  name: 'matmul-into-linear',
  note: 'matmul(x, constant) → linear(x, transpose(constant))',
  root: 'matmul',
  match: (node) => {
    const { right } = asOp(node, 'matmul')!.operands
    return isConstant(right) && right.type.shape.length === 2 && isFloat(right.type.dtype) && {}
  },
  apply: (_, builder, node) => {
    const { left, right } = asOp(node, 'matmul')!.operands
    return builder.add('linear', { input: left, weight: builder.add('transpose', { input: right }, { order: [1, 0] }) })
  },
})

/** OP-38. */
const bias = rule({
  name: 'add-into-linear-bias',
  note: 'linear(x, w) + b → linear(x, w, b)',
  root: 'add',
  match: (node, context) => {
    for (const [i, operand] of node.operands.entries()) {
      const linear = asOp(operand, 'linear')
      const other = node.operands[1 - i]!
      if (!linear || linear.operands.bias || context.isShared(operand)) continue
      const tail = withoutLeadingOnes(other.type.shape)
      const out = operand.type.shape.at(-1)
      // A bias of one element is left as an add: it would have to be expanded.
      if (other !== operand && tail.length === 1 && tail[0] === out && other.type.shape.length <= operand.type.shape.length)
        return { through: [operand], linear, other }
    }
    return undefined
  },
  apply: ({ linear, other }, builder) =>
    builder.add('linear', { ...linear.operands, bias: reshapeTo(builder, other, withoutLeadingOnes(other.type.shape)) }),
})

/** The matrix of integers in blocks that a weight `[out, in]` is, or that a right operand `[in, out]` is when it is turned. */
function blocksOf(weight: Node, turned: boolean) {
  const transpose = turned ? asOp(weight, 'transpose') : undefined
  if (turned && !transpose) return undefined
  const decoded = asOp(transpose ? transpose.operands.input : weight, 'dequantizeBlocks')
  return decoded?.node.type.shape.length === 2 ? { decoded, through: transpose ? [transpose.node] : [] } : undefined
}

/** Integers are decoded as they are multiplied. */
const ofBlocks = rule({
  name: 'linear-of-blocks',
  note: 'linear(x, dequantizeBlocks(w, scale)) → blockLinear(x, w, scale), also as a product with the transposed weight',
  root: ['linear', 'matmul'],
  match: (node) => {
    const linear = asOp(node, 'linear')
    const found = linear ? blocksOf(linear.operands.weight, false) : blocksOf(node.operands[1]!, true)
    return found && { ...found, through: [...found.through, found.decoded.node], bias: linear?.operands.bias }
  },
  apply: ({ decoded: { operands, attributes }, bias }, builder, node) => {
    const { packed: weight, ...parameters } = operands
    const { size: _, ...rest } = attributes
    const product = builder.add('blockLinear', { input: node.operands[0]!, weight, ...parameters }, rest)
    return bias ? builder.add('add', { left: product, right: bias }) : product
  },
})

/**
 * A sequence of which a convolution sees all at once is a row of a product, whose vectors run along the outputs; a convolution's would run
 * along its one position. Convolutions over planes stay: they may stand between images in blocks of channels.
 */
const wholeSequence = rule({
  name: 'conv-of-whole-sequence-into-linear',
  note: 'conv(x[n, c, k], constant[o, c, k]) → linear(x[n, c · k], constant[o, c · k])',
  root: 'conv',
  match: (node) => {
    const { operands, attributes } = asOp(node, 'conv')!
    const { input, weight } = operands
    if (input.type.shape.length !== 3 || attributes.groups !== 1 || !isConstant(weight)) return undefined
    const isPadded = attributes.before[0] !== 0 || attributes.after[0] !== 0
    return !isPadded && attributes.dilation[0] === 1 && input.type.shape[2] === weight.type.shape[2] && operands
  },
  apply: ({ input, weight, bias }, builder, node) => {
    const [outputs, ...seen] = weight.type.shape as [number, ...number[]]
    const inner = elementCount(seen)
    const rows = reshapeTo(builder, input, [input.type.shape[0]!, inner])
    const product = builder.add('linear', { input: rows, weight: reshapeTo(builder, weight, [outputs, inner]), bias })
    return reshapeTo(builder, product, node.type.shape)
  },
})

/**
 * Recognises linear layers that were written as products and sums, or as convolutions.
 *
 *     %3 = matmul(%0, %1)      // %1 : f32[784, 10] constant
 *     %4 = add(%3, %2)         // %2 : f32[10]
 *   →
 *     %3 = transpose(%1) {order: [1, 0]}
 *     %4 = linear(%0, %3, %2)
 */
export const raiseLinear = rulePass({
  name: 'raise-linear',
  summary: 'Recognise linear layers in matmul and add, and in convolutions that see all of a sequence',
  level: 'composite',
  rules: [matmul, bias, ofBlocks, wholeSequence],
})
