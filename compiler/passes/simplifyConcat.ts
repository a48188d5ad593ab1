import { isDeepStrictEqual } from 'node:util'
import { dtypeFacts, elementCount, hasTrait, type Node, type Shape, sameShape } from '../graph/index.ts'
import { asOp, fromFront, isConstant, type Matched, reshapeTo } from './match.ts'
import { rule, rulePass } from './rule.ts'

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

/** Whether a value, broadcast to a rank, is the same for each index of an axis. */
const isSameAlong = ({ type }: Node, rank: number, axis: number): boolean => {
  const own = axis - (rank - type.shape.length)
  return own < 0 || type.shape[own] === 1
}

/** The one function that all parts apply, to what each applies it to. Operands beside the first are the same for all. */
function commonFunction(parts: readonly Node[], axis: number): { readonly first: Node; readonly inputs: Node[] } | undefined {
  const [first] = parts as [Node]
  const inputs = parts.map((part) => part.operands[0]!)
  const alike = (part: Node, i: number) =>
    part.op === first.op &&
    isDeepStrictEqual(part.attributes, first.attributes) &&
    sameShape(inputs[i]!.type.shape, part.type.shape) &&
    part.operands.length === first.operands.length &&
    part.operands.slice(1).every((operand, at) => {
      const other = first.operands[at + 1]!
      return operand === other && isSameAlong(other, part.type.shape.length, axis)
    })
  return hasTrait(first, 'elementwise') && parts.length > 1 && parts.every(alike) ? { first, inputs } : undefined
}

/** OP-07, OP-14. Pieces of one tensor that are brought back together are computed as one. */
const ofMapped = rule({
  name: 'concat-of-function-of-slices',
  note: 'concat(tanh(slice(x, 0 … 2)), tanh(slice(x, 2 … 5))) → tanh(concat(slice(x, 0 … 2), slice(x, 2 … 5)))',
  root: 'concat',
  match: (node, context) => {
    const axis = axisOf(asOp(node, 'concat')!)
    const common = commonFunction(node.operands, axis)
    if (!common || node.operands.some(context.isShared)) return undefined
    const slices = common.inputs.map((input) => asOp(input, 'slice'))
    return slices.every((slice, i) => i === 0 || continues(slices[i - 1], slice, axis)) && { through: node.operands, ...common }
  },
  apply: ({ first, inputs }, builder, node) => {
    const joined = builder.add('concat', { inputs }, asOp(node, 'concat')!.attributes)
    return builder.addFlat(first.op, [joined, ...first.operands.slice(1)], first.attributes)
  },
})

/** OP-05. Where a conversion does not make elements smaller, moving them first moves fewer bytes. */
const ofCasts = rule({
  name: 'concat-of-casts',
  note: 'concat(cast(x), cast(y)) → cast(concat(x, y)), where the cast does not narrow',
  root: 'concat',
  match: (node, context) => {
    const casts = node.operands.map((part) => asOp(part, 'cast'))
    const from = casts[0]?.operands.input.type.dtype
    if (!from || casts.length < 2 || dtypeFacts[from].bytes > dtypeFacts[node.type.dtype].bytes) return undefined
    const fits = casts.every((cast) => cast?.operands.input.type.dtype === from && !context.isShared(cast.node))
    return fits && !dtypeFacts[from].storageOnly && { through: node.operands, inputs: casts.map((cast) => cast!.operands.input) }
  },
  apply: ({ inputs }, builder, node) => {
    const joined = builder.add('concat', { inputs }, asOp(node, 'concat')!.attributes)
    return builder.add('cast', { input: joined }, asOp(node.operands[0], 'cast')!.attributes)
  },
})

/** The axis of `inner` with as many elements in front of it as `axis` has in `outer`, when what lies behind them is the same. */
function axisBefore(outer: Shape, axis: number, inner: Shape): number | undefined {
  const before = elementCount(outer.slice(0, axis))
  const behind = elementCount(outer.slice(axis + 1))
  const found = inner.findIndex(
    (_, i) => elementCount(inner.slice(0, i)) === before && elementCount(inner.slice(i + 1)) === behind,
  )
  return found < 0 ? undefined : found
}

/** OP-20. */
const ofReshapes = rule({
  name: 'concat-of-reshapes',
  note: 'concat(reshape(x), reshape(y)) → reshape(concat(x, y)), where the axis keeps its place',
  root: 'concat',
  match: (node, context) => {
    const axis = axisOf(asOp(node, 'concat')!)
    const parts = node.operands.map((part) => asOp(part, 'reshape'))
    const [first] = parts
    if (!first || parts.length < 2 || elementCount(node.type.shape) === 0) return undefined
    const shape = first.operands.input.type.shape
    const at = axisBefore(first.node.type.shape, axis, shape)
    if (at === undefined) return undefined
    const fits = parts.every((part) => {
      const inner = part?.operands.input
      return (
        part &&
        inner &&
        !isConstant(inner) &&
        !context.isShared(part.node) &&
        inner.type.shape.length === shape.length &&
        inner.type.shape.every((extent, i) => i === at || extent === shape[i])
      )
    })
    return fits && { through: node.operands, inputs: parts.map((part) => part!.operands.input), axis: at }
  },
  apply: ({ inputs, axis }, builder, node) => reshapeTo(builder, builder.add('concat', { inputs }, { axis }), node.type.shape),
})

/**
 * Concatenations flatten, skip empty parts, and take back what slices cut apart.
 *
 *     %1 = slice(%0) {start: [0], size: [2], step: [1]}
 *     %2 = slice(%0) {start: [2], size: [3], step: [1]}
 *     %3 = concat(%1, %2) {axis: 0}                       →   %0
 */
export const simplifyConcat = rulePass({
  name: 'simplify-concat',
  summary: 'Flatten concatenations and rejoin slices',
  level: 'any',
  rules: [single, withoutEmpty, flatten, ofSlices, ofMapped, ofCasts, ofReshapes],
})
