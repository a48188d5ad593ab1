import { sameShape } from '../graph/index.ts'
import { asOp, fromFront, type Matched } from './match.ts'
import { rule, rulePass } from './rule.ts'

const isForward = ({ attributes }: Matched<'slice'>): boolean => attributes.step.every((step) => step === 1)

const whole = rule({
  name: 'slice-of-everything',
  note: 'slice(x, all of x) → x',
  root: 'slice',
  match: (node) => {
    const slice = asOp(node, 'slice')!
    return (
      sameShape(slice.operands.input.type.shape, node.type.shape) &&
      slice.attributes.step.every((step, i) => step > 0 || node.type.shape[i]! <= 1) &&
      {}
    )
  },
  apply: (_, __, node) => node.operands[0]!,
})

const compose = rule({
  name: 'slice-of-slice',
  note: 'slice(slice(x)) → slice(x)',
  root: 'slice',
  match: (node) => {
    const inner = asOp(node.operands[0], 'slice')
    if (!inner) return undefined
    const [a, b] = [inner.attributes, asOp(node, 'slice')!.attributes]
    const attributes = {
      start: b.start.map((start, i) => a.start[i]! + start * a.step[i]!),
      size: b.size,
      step: b.step.map((step, i) => step * a.step[i]!),
    }
    // An empty slice may start anywhere, also where the composed one must not.
    return !b.size.includes(0) && { through: [inner.node], input: inner.operands.input, attributes }
  },
  apply: ({ input, attributes }, builder) => builder.add('slice', { input }, attributes),
})

/** OP-42: a slice that lies within one part of a concatenation reads that part. */
const ofConcat = rule({
  name: 'slice-of-concat',
  note: 'slice(concat(a, b), within b) → slice(b)',
  root: 'slice',
  match: (node) => {
    const slice = asOp(node, 'slice')!
    const concat = asOp(node.operands[0], 'concat')
    if (!concat || !isForward(slice) || node.type.shape.includes(0)) return undefined
    const axis = fromFront(concat.attributes.axis, node.type.shape.length)
    let start = slice.attributes.start[axis]!
    for (const part of concat.operands.inputs) {
      const extent = part.type.shape[axis]!
      if (start < extent) {
        const fits = start + slice.attributes.size[axis]! <= extent
        return fits && { through: [concat.node], part, start: slice.attributes.start.map((s, i) => (i === axis ? start : s)) }
      }
      start -= extent
    }
    return undefined
  },
  apply: ({ part, start }, builder, node) => builder.add('slice', { input: part }, { ...asOp(node, 'slice')!.attributes, start }),
})

/** A slice that lies within the padded tensor does not need the padding. */
const ofPad = rule({
  name: 'slice-of-pad',
  note: 'slice(pad(x), within x) → slice(x)',
  root: 'slice',
  match: (node) => {
    const slice = asOp(node, 'slice')!
    const pad = asOp(node.operands[0], 'pad')
    if (!pad || !isForward(slice) || node.type.shape.includes(0)) return undefined
    const start = slice.attributes.start.map((s, i) => s - pad.attributes.before[i]!)
    const within = pad.operands.input.type.shape.every(
      (extent, i) => start[i]! >= 0 && start[i]! + slice.attributes.size[i]! <= extent,
    )
    return within && { through: [pad.node], input: pad.operands.input, start }
  },
  apply: ({ input, start }, builder, node) => builder.add('slice', { input }, { ...asOp(node, 'slice')!.attributes, start }),
})

/**
 * Slices merge, read through concatenations and padding, and vanish where they take everything.
 *
 *     %2 = concat(%0, %1) {axis: 0}
 *     %3 = slice(%2) {start: [2], size: [3], step: [1]}   →   %1
 */
export const simplifySlice = rulePass({
  name: 'simplify-slice',
  summary: 'Merge slices, read through concat and pad, drop those that take everything',
  level: 'any',
  rules: [whole, compose, ofConcat, ofPad],
})
