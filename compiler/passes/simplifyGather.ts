import type { Node } from '../graph/index.ts'
import { asOp, constantElements, fromFront, reshapeTo } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** OP-34, for regular steps of either sign and for indices counted from the end. Indices outside the axis stay an error at run time. */
const regular = rule({
  name: 'gather-into-slice',
  note: 'gather(x, [2, 4, 6]) → slice(x)',
  root: 'gather',
  match: (node) => {
    const { operands, attributes } = asOp(node, 'gather')!
    const { shape } = operands.input.type
    const axis = fromFront(attributes.axis, shape.length)
    const extent = shape[axis]!
    const given = constantElements(operands.indices)
    if (!given || given.length === 0 || !given.every((index) => index >= -extent && index < extent)) return undefined
    const indices = given.map((index) => fromFront(index, extent))
    const first = indices[0]!
    const step = indices.length > 1 ? indices[1]! - first : 1
    return step !== 0 && indices.every((index, i) => index === first + i * step) && { axis, first, step, count: indices.length }
  },
  apply: ({ axis, first, step, count }, builder, node) => {
    const input = node.operands[0]!
    const at = (list: readonly number[], value: number) => list.map((entry, i) => (i === axis ? value : entry))
    const { shape } = input.type
    const size = at(shape, count)
    const slice = builder.add(
      'slice',
      { input },
      {
        start: at(
          shape.map(() => 0),
          first,
        ),
        size,
        step: at(
          shape.map(() => 1),
          step,
        ),
      },
    )
    return reshapeTo(builder, slice, node.type.shape)
  },
})

/** Integers in blocks along the last dimension are picked before they are decoded. */
const ofBlocks = rule({
  name: 'gather-before-decoding',
  note: 'gather(dequantizeBlocks(x, scale), i) → dequantizeBlocks(gather(x, i), gather(scale, i))',
  root: ['gather', 'embedding'],
  match: (node) => {
    const [gather, embedding] = [asOp(node, 'gather'), asOp(node, 'embedding')]
    const table = gather?.operands.input ?? embedding?.operands.table
    const indices = gather?.operands.indices ?? embedding?.operands.indices
    const decoded = asOp(table, 'dequantizeBlocks')
    if (!decoded || !indices || gather?.attributes.joined) return undefined
    const rank = decoded.node.type.shape.length
    const axis = gather ? fromFront(gather.attributes.axis, rank) : 0
    return axis < rank - 1 && { decoded, indices, axis, through: [decoded.node] }
  },
  apply: ({ decoded: { operands, attributes }, indices, axis }, builder) => {
    const pick = (input: Node) => builder.add('gather', { input, indices }, { axis })
    const { packed, scale, zeroPoint } = operands
    return builder.add(
      'dequantizeBlocks',
      { packed: pick(packed), scale: pick(scale), zeroPoint: zeroPoint && pick(zeroPoint) },
      attributes,
    )
  },
})

/**
 * A gather whose indices are known and regular is a slice, and one of integers in blocks decodes what it picks.
 *
 *     %1 = constant @"1" [1]
 *     %2 = gather(%0, %1) {axis: 0}   →   %1 = slice(%0) {start: [1, 0], size: [1, 4], step: [1, 1]}
 *                                         %2 = reshape(%1) {shape: [4]}
 */
export const simplifyGather = rulePass({
  name: 'simplify-gather',
  summary: 'Turn gathers with regular constant indices into slices',
  level: 'any',
  rules: [regular, ofBlocks],
})
