import type { Node } from '../graph/index.ts'
import { asOp, type Matched } from './match.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

const nothing = rule({
  name: 'pad-by-nothing',
  note: 'pad(x, 0, 0) → x',
  root: 'pad',
  match: (node) => {
    const { before, after } = asOp(node, 'pad')!.attributes
    return [...before, ...after].every((n) => n === 0) && {}
  },
  apply: (_, __, node) => node.operands[0]!,
})

const compose = rule({
  name: 'pad-of-pad',
  note: 'pad(pad(x, v), v) → pad(x, v)',
  root: 'pad',
  match: (node) => {
    const outer = asOp(node, 'pad')!
    const inner = asOp(node.operands[0], 'pad')
    if (!inner || !Object.is(inner.attributes.value, outer.attributes.value)) return undefined
    const sum = (key: 'before' | 'after') => outer.attributes[key].map((n, i) => n + inner.attributes[key][i]!)
    return { through: [inner.node], input: inner.operands.input, before: sum('before'), after: sum('after') }
  },
  apply: ({ input, before, after }, builder, node) =>
    builder.add('pad', { input }, { before, after, value: asOp(node, 'pad')!.attributes.value }),
})

interface Window {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** The pad under a window, when it writes `value` around the spatial dimensions alone and nothing else reads the padded tensor. */
function padUnder(node: Node, value: number, context: MatchContext): Matched<'pad'> | undefined {
  const pad = asOp(node.operands[0], 'pad')
  if (!pad || pad.attributes.value !== value || context.isShared(pad.node)) return undefined
  const outside = [...pad.attributes.before.slice(0, 2), ...pad.attributes.after.slice(0, 2)]
  return outside.every((n) => n === 0) ? pad : undefined
}

const widened = ({ before, after }: Window, pad: Matched<'pad'>) => ({
  before: before.map((n, i) => n + pad.attributes.before[2 + i]!),
  after: after.map((n, i) => n + pad.attributes.after[2 + i]!),
})

/** OP-10. A convolution pads with zeros itself. */
const intoConv = rule({
  name: 'pad-into-conv',
  note: 'conv(pad(x, 0)) → conv(x) with more padding',
  root: 'conv',
  match: (node, context) => {
    const pad = padUnder(node, 0, context)
    return pad && { through: [pad.node], pad }
  },
  apply: ({ pad }, builder, node) => {
    const { operands, attributes } = asOp(node, 'conv')!
    return builder.add('conv', { ...operands, input: pad.operands.input }, { ...attributes, ...widened(attributes, pad) })
  },
})

/** A pool's own padding stays below the reach of its window. */
const fitsPool = (
  { window, dilation }: { readonly window: readonly number[]; readonly dilation: readonly number[] },
  { before, after }: Window,
): boolean => window.every((k, i) => Math.max(before[i]!, after[i]!) < dilation[i]! * (k - 1) + 1)

/** Legal when the mean counts padding, or has none of its own that it does not count. */
const intoAvgPool = rule({
  name: 'pad-into-avg-pool',
  note: 'avgPool(pad(x, 0)) → avgPool(x) that counts padding',
  root: 'avgPool',
  match: (node, context) => {
    const { attributes } = asOp(node, 'avgPool')!
    const pad = padUnder(node, 0, context)
    const uncounted = !attributes.countPadding && [...attributes.before, ...attributes.after].some((n) => n > 0)
    return pad && !uncounted && fitsPool(attributes, widened(attributes, pad)) && { through: [pad.node], pad }
  },
  apply: ({ pad }, builder, node) => {
    const { attributes } = asOp(node, 'avgPool')!
    return builder.add(
      'avgPool',
      { input: pad.operands.input },
      { ...attributes, ...widened(attributes, pad), countPadding: true },
    )
  },
})

const intoMaxPool = rule({
  name: 'pad-into-max-pool',
  note: 'maxPool(pad(x, −∞)) → maxPool(x) with more padding',
  root: 'maxPool',
  match: (node, context) => {
    const { attributes } = asOp(node, 'maxPool')!
    const pad = padUnder(node, Number.NEGATIVE_INFINITY, context)
    // An integer tensor cannot hold −∞: the pad wrote its smallest value, which is what a pool ignores as well.
    return pad && fitsPool(attributes, widened(attributes, pad)) && { through: [pad.node], pad }
  },
  apply: ({ pad }, builder, node) => {
    const { attributes } = asOp(node, 'maxPool')!
    return builder.add('maxPool', { input: pad.operands.input }, { ...attributes, ...widened(attributes, pad) })
  },
})

/**
 * Padding merges, moves into convolutions and pools, and vanishes where it adds nothing.
 *
 *     %2 = pad(%0) {before: [0, 0, 1, 1], after: [0, 0, 1, 1], value: 0}
 *     %3 = conv(%2, %1) {…, before: [0, 0], after: [0, 0]}   →   %2 = conv(%0, %1) {…, before: [1, 1], after: [1, 1]}
 */
export const simplifyPad = rulePass({
  name: 'simplify-pad',
  summary: 'Merge padding and move it into convolutions and pools',
  level: 'any',
  rules: [nothing, compose, intoConv, intoAvgPool, intoMaxPool],
})
