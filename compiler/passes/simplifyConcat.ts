import { type Node, sameShape } from '../graph/index.ts'
import { asOp, fromFront, type Matched } from './match.ts'
import type { Pass } from './pass.ts'
import { applyRules, rule } from './rule.ts'

const axisOf = ({ node, attributes }: Matched<'concat'>): number => fromFront(attributes.axis, node.type.shape.length)

const single = rule({
  name: 'concat-of-one',
  note: 'concat(x) → x',
  root: 'concat',
  match: (node) => node.operands.length === 1 && {},
  apply: (_, __, node) => node.operands[0]!,
})

const withoutEmpty = rule({
  name: 'concat-without-empty',
  note: 'concat(x, empty) → concat(x)',
  root: 'concat',
  match: (node) => {
    const concat = asOp(node, 'concat')!
    const inputs = concat.operands.inputs.filter((part) => part.type.shape[axisOf(concat)] !== 0)
    return inputs.length > 0 && inputs.length < node.operands.length && { inputs }
  },
  apply: ({ inputs }, builder, node) => builder.add('concat', { inputs }, asOp(node, 'concat')!.attributes),
})

const flatten = rule({
  name: 'concat-of-concat',
  note: 'concat(concat(a, b), c) → concat(a, b, c)',
  root: 'concat',
  match: (node) => {
    const axis = axisOf(asOp(node, 'concat')!)
    const nested = (part: Node) => {
      const inner = asOp(part, 'concat')
      return inner && axisOf(inner) === axis ? inner : undefined
    }
    const through = node.operands.filter(nested)
    return (
      through.length > 0 && { through, inputs: node.operands.flatMap((part) => nested(part)?.operands.inputs ?? [part]), axis }
    )
  },
  apply: ({ inputs, axis }, builder) => builder.add('concat', { inputs }, { axis }),
})

/** Whether b begins on `axis` where a ends, with all else equal. */
function continues(a: Matched<'slice'> | undefined, b: Matched<'slice'> | undefined, axis: number): boolean {
  if (!a || !b || a.operands.input !== b.operands.input) return false
  const [p, q] = [a.attributes, b.attributes]
  return (
    [p, q].every(({ step }) => step.every((s) => s === 1)) &&
    p.start.every((start, i) =>
      i === axis ? start + p.size[i]! === q.start[i] : start === q.start[i] && p.size[i] === q.size[i],
    )
  )
}

/** OP-43, and OP-20 where the slices make up the whole. */
const ofSlices = rule({
  name: 'concat-of-slices',
  note: 'concat(slice(x, 0 … 2), slice(x, 2 … 5)) → slice(x, 0 … 5)',
  root: 'concat',
  match: (node) => {
    const axis = axisOf(asOp(node, 'concat')!)
    const inputs: { readonly first: Node; readonly size: number; last: Node }[] = []
    for (const part of node.operands) {
      const previous = inputs.at(-1)
      const extent = part.type.shape[axis]!
      if (previous && continues(asOp(previous.last, 'slice'), asOp(part, 'slice'), axis))
        inputs[inputs.length - 1] = { ...previous, size: previous.size + extent, last: part }
      else inputs.push({ first: part, size: extent, last: part })
    }
    return inputs.length < node.operands.length && { through: node.operands.filter((part) => part.op === 'slice'), inputs, axis }
  },
  apply: ({ inputs, axis }, builder) => {
    const parts = inputs.map(({ first, last, size }) => {
      const slice = asOp(first, 'slice')
      if (!slice || first === last) return first
      const { start, step } = slice.attributes
      const sizes = slice.attributes.size.map((extent, i) => (i === axis ? size : extent))
      const { input } = slice.operands
      return sameShape(sizes, input.type.shape) ? input : builder.add('slice', { input }, { start, step, size: sizes })
    })
    return parts.length === 1 ? parts[0]! : builder.add('concat', { inputs: parts }, { axis })
  },
})

/**
 * Concatenations flatten, skip empty parts, and take back what slices cut apart.
 *
 *     %1 = slice(%0) {start: [0], size: [2], step: [1]}
 *     %2 = slice(%0) {start: [2], size: [3], step: [1]}
 *     %3 = concat(%1, %2) {axis: 0}                       →   %0
 */
export const simplifyConcat: Pass = {
  name: 'simplify-concat',
  summary: 'Flatten concatenations and rejoin slices',
  level: 'any',
  run: (graph, context) => applyRules(graph, context, [single, withoutEmpty, flatten, ofSlices]),
}
