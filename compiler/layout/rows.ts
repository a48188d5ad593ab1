// How each op works on blocks of channels. What has no row here works on plain values alone, apart from elementwise ops.
import { attributesOf, type Builder, blockedShape, hasTrait, type Node, type OpName, type Shape } from '../graph/index.ts'
import { broadcasting } from './elementwise.ts'
import { convolutionSaving, lanesCost } from './price.ts'
import { channelsOf, type Demand, fromFront, type InBlocks, type LayoutRow } from './row.ts'

/** Few channels, as those of an image, are read as they lie: blocks of them would be mostly empty. */
const fewChannels = (channels: number, block: number): boolean => 2 * channels <= block

/** The weight and the bias stay as they are; what reads them packs them. */
const convolution =
  (op: 'blockedConv' | 'blockedConvInteger'): LayoutRow =>
  (node, options) => {
    const { block, blocks } = options
    if (!blocks(node)) return undefined
    const { groups } = attributesOf<'conv'>(node)
    const [input, ...others] = node.operands as [Node, ...Node[]]
    const stem = groups === 1 && fewChannels(channelsOf(input)!, block)
    return {
      demands: [stem ? 'either' : 'blocked', ...others.map((): Demand => 'plain')],
      saves: convolutionSaving(node, op === 'blockedConv' ? options : { ...options, channelsAtOnce: block }),
      build: (operands, builder) => builder.addFlat(op, operands, { ...node.attributes, block }),
    }
  }

/** For nodes that do the same to each element of their only operand, or to all along axes that are not the channels'. */
const oneOperand =
  (build: (node: Node, input: Node, builder: Builder, block: number) => Node | undefined): LayoutRow =>
  (node, { block, rates }) => ({
    demands: ['blocked', ...node.operands.slice(1).map((): Demand => 'plain')],
    saves: -lanesCost(node, block, rates),
    build: ([input], builder) => build(node, input!, builder, block)!,
  })

/** A row that only some nodes of the op have. */
const where =
  (holds: (node: Node, block: number) => boolean, row: LayoutRow): LayoutRow =>
  (node, options) =>
    holds(node, options.block) ? row(node, options) : undefined

const sameStart = (a: Shape, b: Shape): boolean => a.length >= 2 && b.length >= 2 && a[0] === b[0] && a[1] === b[1]
const keepsStart = (node: Node): boolean => sameStart(node.operands[0]!.type.shape, node.type.shape)

/** Batch, blocks, what the plain value has of each spatial dimension, and the same for the lanes. */
const perBlock = <T>(list: readonly T[], blocks: T, lanes: T): T[] => [list[0]!, blocks, ...list.slice(2), lanes]

interface Windows {
  readonly stride: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly dilation: readonly number[]
  readonly window: readonly number[]
}

/** Windows over the spatial axes from `from` up to `to`, of which one of one element more is laid over the lanes. */
function windowsOver(node: Node, from: number, to: number): Windows {
  const { stride, before, after, dilation, window } = node.attributes as unknown as Windows
  const cut = (list: readonly number[], neutral: number) => [...list.slice(from, to), neutral]
  return {
    stride: cut(stride, 1),
    before: cut(before, 0),
    after: cut(after, 0),
    dilation: cut(dilation, 1),
    window: cut(window, 1),
  }
}

/**
 * Pools slide over three axes at most, of which the lanes take one. Over three spatial axes there are two pools, the first over two of
 * them, the second over the third: extremes of extremes, and means of means of equally many or of the counted ones.
 */
const pool = oneOperand((node, input, builder) => {
  const spatial = node.type.shape.length - 2
  const rest = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name === 'countPadding'))
  const over = (value: Node, from: number, to: number) =>
    builder.addFlat(node.op, [value], { ...windowsOver(node, from, to), ...rest })
  const view = (value: Node, shape: Shape) => builder.add('reshape', { input: value }, { shape: [...shape] })
  if (spatial < 3) return over(input, 0, spatial)
  const [batch, blocks, depth, height, width, lanes] = input.type.shape
  const planes = over(view(input, [batch!, blocks! * depth!, height!, width!, lanes!]), 1, 3)
  const [, , h, w] = planes.type.shape
  const deep = over(view(planes, [batch!, blocks!, depth!, h! * w! * lanes!]), 0, 1)
  return view(deep, [batch!, blocks!, deep.type.shape[2]!, h!, w!, lanes!])
})

/** Axes that are not the channels'; those may move only where they keep their place. */
const reduction: LayoutRow = where(
  (node) => {
    const { axes, keepDims } = attributesOf<'reduceSum'>(node)
    const rank = node.operands[0]!.type.shape.length
    const reduced = axes.map((axis) => fromFront(axis, rank))
    return rank >= 2 && !reduced.includes(1) && (keepDims || !reduced.includes(0))
  },
  oneOperand((node, input, builder) => {
    const { axes, keepDims } = attributesOf<'reduceSum'>(node)
    const rank = node.operands[0]!.type.shape.length
    return builder.addFlat(node.op, [input], { axes: axes.map((axis) => fromFront(axis, rank)), keepDims })
  }),
)

const along = (node: Node): number => fromFront(node.attributes.axis as number, node.operands[0]!.type.shape.length)

/** Parts that are put behind each other begin at a block, if it is channels that they have. */
const concat: LayoutRow = where(
  (node, block) => along(node) !== 1 || node.operands.slice(0, -1).every((part) => channelsOf(part)! % block === 0),
  (node, { block, rates }) => ({
    demands: node.operands.map((): Demand => 'blocked'),
    saves: -lanesCost(node, block, rates),
    build: (inputs, builder) => builder.add('concat', { inputs }, { axis: along(node) }),
  }),
)

const slice: LayoutRow = where(
  (node, block) => {
    const { start, size, step } = attributesOf<'slice'>(node)
    const whole = size[1] === channelsOf(node.operands[0]!) && step[1] === 1
    return whole || (step[1] === 1 && start[1]! % block === 0)
  },
  oneOperand((node, input, builder, block) => {
    const { start, step } = attributesOf<'slice'>(node)
    const size = blockedShape(node.type.shape, block)
    return builder.add('slice', { input }, { start: perBlock(start, start[1]! / block, 0), size: [...size], step: [...step, 1] })
  }),
)

const pad: LayoutRow = where(
  (node) => attributesOf<'pad'>(node).before[1] === 0 && attributesOf<'pad'>(node).after[1] === 0,
  oneOperand((node, input, builder) => {
    const { before, after, value } = attributesOf<'pad'>(node)
    return builder.add('pad', { input }, { before: [...before, 0], after: [...after, 0], value })
  }),
)

const transpose: LayoutRow = where(
  (node) => {
    const { order } = attributesOf<'transpose'>(node)
    return fromFront(order[0]!, order.length) === 0 && fromFront(order[1]!, order.length) === 1
  },
  oneOperand((node, input, builder) => {
    const order = attributesOf<'transpose'>(node).order.map((axis, _, { length }) => fromFront(axis, length))
    return builder.add('transpose', { input }, { order: [...order, order.length] })
  }),
)

/** Spatial dimensions among themselves. */
const reshape: LayoutRow = where(
  keepsStart,
  oneOperand((node, input, builder, block) =>
    builder.add('reshape', { input }, { shape: [...blockedShape(node.type.shape, block)] }),
  ),
)

const gather: LayoutRow = where(
  (node) => along(node) > 1 && attributesOf<'gather'>(node).joined === undefined,
  (node, { block, rates }): InBlocks => ({
    demands: ['blocked', 'plain'],
    saves: -lanesCost(node, block, rates),
    build: ([input, indices], builder) => builder.add('gather', { input: input!, indices: indices! }, { axis: along(node) }),
  }),
)

const lookup: LayoutRow = (node, { block, rates }) => ({
  demands: ['blocked', 'plain'],
  saves: -lanesCost(node, block, rates),
  build: ([input, table], builder) => builder.add('lookup', { input: input!, table: table! }, {}),
})

const expand: LayoutRow = broadcasting((node, [input], builder, block) =>
  builder.add('expand', { input: input! }, { shape: [...blockedShape(node.type.shape, block)] }),
)

const elementwise: LayoutRow = broadcasting((node, operands, builder) => builder.addFlat(node.op, operands, node.attributes))

const rows: Partial<Record<OpName, LayoutRow>> = {
  conv: convolution('blockedConv'),
  convInteger: convolution('blockedConvInteger'),
  maxPool: pool,
  avgPool: pool,
  reduceSum: reduction,
  reduceProd: reduction,
  reduceMax: reduction,
  reduceMin: reduction,
  concat,
  slice,
  pad,
  transpose,
  reshape,
  expand,
  gather,
  lookup,
}

/** How a node works on blocks; undefined for one that does not, and for values that cannot stand in blocks. */
export const rowOf: LayoutRow = (node, options) => {
  const { shape, quantization } = node.type
  if (quantization || shape.length < 2 || shape.length > 7 || shape.includes(0)) return undefined
  const row = hasTrait(node, 'elementwise') ? elementwise : rows[node.op as OpName]
  return row?.(node, options)
}
