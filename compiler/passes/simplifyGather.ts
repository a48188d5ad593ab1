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

/**
 * A gather whose indices are known and regular is a slice.
 *
 *     %1 = constant @"1" [1]
 *     %2 = gather(%0, %1) {axis: 0}   →   %1 = slice(%0) {start: [1, 0], size: [1, 4], step: [1, 1]}
 *                                         %2 = reshape(%1) {shape: [4]}
 */
export const simplifyGather = rulePass({
  name: 'simplify-gather',
  summary: 'Turn gathers with regular constant indices into slices',
  level: 'any',
  rules: [regular],
})
