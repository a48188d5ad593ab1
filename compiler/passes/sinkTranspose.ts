import type { Builder, Node } from '../graph/index.ts'
import { resolveAxes } from '../graph/ops/shared.ts'
import { asOp, fromFront, isConstant, isSingle, type Matched, orderOf, reshapeTo } from './match.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

const inverseOf = (order: readonly number[]): number[] => order.map((_, i) => order.indexOf(i))

/** A transpose that nobody else needs, so that moving it computes nothing twice. One of a constant is about to be folded. */
function freeTranspose(node: Node, context: MatchContext): Matched<'transpose'> | undefined {
  const transpose = context.isShared(node) ? undefined : asOp(node, 'transpose')
  return transpose && !isConstant(transpose.operands.input) ? transpose : undefined
}

interface Sinking {
  readonly through: readonly Node[]
  readonly order: readonly number[]
}

/**
 * The common order of all operands of `node` that are transposes, when the others can follow: constants are transposed back at build,
 * single elements fit as they are.
 */
function commonOrder(node: Node, context: MatchContext): Sinking | undefined {
  const rank = node.type.shape.length
  let order: readonly number[] | undefined
  const through: Node[] = []
  for (const operand of node.operands) {
    const transpose = freeTranspose(operand, context)
    if (transpose && operand.type.shape.length === rank) {
      const own = orderOf(transpose)
      if (order && !own.every((axis, i) => axis === order![i])) return undefined
      order = own
      through.push(operand)
    } else if (!isConstant(operand) && !isSingle(operand)) return undefined
  }
  return order && { through, order }
}

/** What an operand becomes when the transpose around it moves below its user. */
const beforeOrder = (builder: Builder, operand: Node, { through, order }: Sinking, broadcasts: boolean): Node => {
  if (through.includes(operand)) return operand.operands[0]!
  const { shape } = operand.type
  // All its dimensions are 1, in whichever order.
  if (isSingle(operand)) return broadcasts ? reshapeTo(builder, operand, []) : operand
  const full = reshapeTo(builder, operand, [...new Array<number>(order.length - shape.length).fill(1), ...shape])
  return builder.add('transpose', { input: full }, { order: inverseOf(order) })
}

const belowElementwise = rule({
  name: 'transpose-below-elementwise',
  note: 'relu(transpose(x)) → transpose(relu(x))',
  root: { trait: 'elementwise' },
  match: (node, context) => commonOrder(node, context),
  apply: (sinking, builder, node) => {
    const operands = node.operands.map((operand) => beforeOrder(builder, operand, sinking, true))
    return builder.add('transpose', { input: builder.addFlat(node.op, operands, node.attributes) }, { order: [...sinking.order] })
  },
})

const belowConcat = rule({
  name: 'transpose-below-concat',
  note: 'concat(transpose(x), transpose(y)) → transpose(concat(x, y))',
  root: 'concat',
  match: (node, context) => commonOrder(node, context),
  apply: (sinking, builder, node) => {
    const inputs = node.operands.map((operand) => beforeOrder(builder, operand, sinking, false))
    const axis = sinking.order[fromFront(asOp(node, 'concat')!.attributes.axis, node.type.shape.length)]!
    return builder.add('transpose', { input: builder.add('concat', { inputs }, { axis }) }, { order: [...sinking.order] })
  },
})

function onlyTranspose(node: Node, context: MatchContext) {
  const transpose = freeTranspose(node.operands[0]!, context)
  return transpose && { through: [transpose.node], input: transpose.operands.input, order: orderOf(transpose) }
}

const permuted = <T>(list: readonly T[], order: readonly number[]): T[] => inverseOf(order).map((axis) => list[axis]!)

const belowPad = rule({
  name: 'transpose-below-pad',
  note: 'pad(transpose(x)) → transpose(pad(x))',
  root: 'pad',
  match: onlyTranspose,
  apply: ({ input, order }, builder, node) => {
    const { before, after, value } = asOp(node, 'pad')!.attributes
    const pad = builder.add('pad', { input }, { before: permuted(before, order), after: permuted(after, order), value })
    return builder.add('transpose', { input: pad }, { order })
  },
})

const belowSlice = rule({
  name: 'transpose-below-slice',
  note: 'slice(transpose(x)) → transpose(slice(x))',
  root: 'slice',
  match: onlyTranspose,
  apply: ({ input, order }, builder, node) => {
    const { start, size, step } = asOp(node, 'slice')!.attributes
    const slice = builder.add(
      'slice',
      { input },
      { start: permuted(start, order), size: permuted(size, order), step: permuted(step, order) },
    )
    return builder.add('transpose', { input: slice }, { order })
  },
})

/** Softmax and its like: one operand, one axis, the shape stays. */
const belowAxis = rule({
  name: 'transpose-below-softmax',
  note: 'softmax(transpose(x)) → transpose(softmax(x))',
  root: ['softmax', 'logSoftmax'],
  match: onlyTranspose,
  apply: ({ input, order }, builder, node) => {
    const axis = order[fromFront(node.attributes.axis as number, order.length)]!
    return builder.add('transpose', { input: builder.addFlat(node.op, [input], { axis }) }, { order })
  },
})

const belowReduction = rule({
  name: 'transpose-below-reduction',
  note: 'sum(transpose(x)) → transpose(sum(x))',
  root: [
    'reduceSum',
    'reduceProd',
    'reduceMax',
    'reduceMin',
    'reduceMean',
    'reduceL1',
    'reduceL2',
    'reduceSumSquare',
    'reduceLogSumExp',
    'variance',
  ],
  match: onlyTranspose,
  apply: ({ input, order }, builder, node) => {
    const outer = resolveAxes(node.attributes.axes as number[], order.length, node.op)
    const axes = outer.map((axis) => order[axis]!).sort((a, b) => a - b)
    const reduced = builder.addFlat(node.op, [input], { ...node.attributes, axes })
    if (node.attributes.keepDims) return builder.add('transpose', { input: reduced }, { order })
    const kept = order.filter((_, axis) => !outer.includes(axis))
    const sorted = [...kept].sort((a, b) => a - b)
    return builder.add('transpose', { input: reduced }, { order: kept.map((axis) => sorted.indexOf(axis)) })
  },
})

/** Statistics belong to dimension 1, which must stay where it is. */
const belowBatchNorm = rule({
  name: 'transpose-below-batch-norm',
  note: 'batchNorm(transpose(x)) → transpose(batchNorm(x)), where the channels stay in place',
  root: ['batchNorm', 'groupNorm'],
  match: (node, context) => {
    const found = onlyTranspose(node, context)
    return found && found.order[0] === 0 && found.order[1] === 1 && found
  },
  apply: ({ input, order }, builder, node) => {
    const normalised = builder.addFlat(node.op, [input, ...node.operands.slice(1)], node.attributes)
    return builder.add('transpose', { input: normalised }, { order })
  },
})

/** Not below decoding, which moves the other way until it meets an encoding. */
const belowCoding = rule({
  name: 'transpose-below-coding',
  note: 'quantize(transpose(x)) → transpose(quantize(x))',
  root: ['quantize', 'lookup'],
  match: (node, context) => node.attributes.axis === undefined && onlyTranspose(node, context),
  apply: ({ input, order }, builder, node) =>
    builder.add('transpose', { input: builder.addFlat(node.op, [input, ...node.operands.slice(1)], node.attributes) }, { order }),
})

/** OP-07: what is moved is not yet repeated. */
const belowExpand = rule({
  name: 'transpose-below-expand',
  note: 'expand(transpose(x)) → transpose(expand(x))',
  root: 'expand',
  match: (node, context) => {
    const found = onlyTranspose(node, context)
    return found && node.type.shape.length === found.order.length && found
  },
  apply: ({ input, order }, builder, node) =>
    builder.add('transpose', { input: builder.add('expand', { input }, { shape: permuted(node.type.shape, order) }) }, { order }),
})

/** OP-12. The columns of the weight take the order that the elements had before. */
const intoLinear = rule({
  name: 'transpose-into-linear',
  note: 'linear(reshape(transpose(x)), w) → linear(reshape(x), w with its columns in that order), w constant',
  root: 'linear',
  match: (node, context) => {
    const { input, weight } = asOp(node, 'linear')!.operands
    const flat = asOp(input, 'reshape')
    const transpose = flat && !context.isShared(input) && freeTranspose(flat.operands.input, context)
    if (!transpose || !isConstant(weight) || input.type.shape.includes(0)) return undefined
    const order = orderOf(transpose)
    const kept = input.type.shape.length - 1
    const stays = order.slice(0, kept).every((axis, i) => axis === i)
    // All dimensions that move must lie within a row.
    const leads = input.type.shape.slice(0, kept).every((extent, i) => extent === transpose.node.type.shape[i])
    return stays && leads && order.length > kept && { through: [input, transpose.node], transpose, order, kept }
  },
  apply: ({ transpose, order, kept }, builder, node) => {
    const { input, weight, bias } = asOp(node, 'linear')!.operands
    const out = weight.type.shape[0]!
    const columns = reshapeTo(builder, weight, [out, ...transpose.node.type.shape.slice(kept)])
    const back = inverseOf(order).slice(kept)
    const ordered = builder.add('transpose', { input: columns }, { order: [0, ...back.map((axis) => axis - kept + 1)] })
    const flat = reshapeTo(builder, transpose.operands.input, input.type.shape)
    return builder.add('linear', { input: flat, weight: reshapeTo(builder, ordered, weight.type.shape), bias })
  },
})

/**
 * Moves transposes towards the outputs, so that pairs meet and cancel.
 *
 *     %1 = transpose(%0) {order: [0, 2, 3, 1]}        %1 = relu(%0)
 *     %2 = relu(%1)                              →    %2 = transpose(%1) {order: [0, 2, 3, 1]}
 */
export const sinkTranspose = rulePass({
  name: 'sink-transpose',
  summary: 'Move transposes towards the results, and into the weights of linear layers',
  level: 'any',
  follows: [{ pass: 'simplify-transpose', because: 'what cancels already need not move' }],
  rules: [
    belowElementwise,
    belowConcat,
    belowPad,
    belowSlice,
    belowAxis,
    belowReduction,
    belowBatchNorm,
    belowCoding,
    belowExpand,
    intoLinear,
  ],
})
