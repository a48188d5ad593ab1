import { asOp, isConstant, type Matched } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** The taps of one spatial axis that see the input at some position, and the padding that gives the same positions to them alone. */
interface Taps {
  readonly first: number
  readonly count: number
  readonly before: number
  readonly after: number
}

/** Undefined where dropping taps would need negative padding, or none sees anything. */
function seenTaps({ node, operands, attributes }: Matched<'conv'>, i: number): Taps | undefined {
  const [extent, taps, positions] = [operands.input, operands.weight, node].map(({ type }) => type.shape[2 + i]!) as [
    number,
    number,
    number,
  ]
  const [stride, dilation, padding] = [attributes.stride[i]!, attributes.dilation[i]!, attributes.before[i]!]
  const isSeen = (tap: number): boolean => {
    const first = tap * dilation - padding
    const nearest = first < 0 ? Math.ceil(-first / stride) : 0
    return nearest < positions && first + nearest * stride < extent
  }
  const seen = Array.from({ length: taps }, (_, tap) => tap).filter(isSeen)
  if (seen.length === 0) return undefined
  const [first, last] = [seen[0]!, seen.at(-1)!]
  const count = last - first + 1
  const before = padding - first * dilation
  const reach = dilation * (count - 1) + 1
  const after = Math.max(0, (positions - 1) * stride + reach - extent - before)
  // Without padding to take off, what the stride leaves over may grow into another position.
  const kept = Math.floor((extent + before + after - reach) / stride) + 1
  return before < 0 || kept !== positions ? undefined : { first, count, before, after }
}

/** OP-11. What a tap reads of the padding alone adds nothing. */
const unseenTaps = rule({
  name: 'conv-without-unseen-taps',
  note: 'conv(x, w) → conv(x, slice(w)) without the taps that see padding alone',
  root: 'conv',
  match: (node) => {
    const conv = asOp(node, 'conv')!
    if (!isConstant(conv.operands.weight) || node.type.shape.includes(0)) return undefined
    const kernel = conv.operands.weight.type.shape.slice(2)
    const taps = kernel.map((_, i) => seenTaps(conv, i))
    return (
      taps.every((axis) => axis !== undefined) && taps.some((axis, i) => axis!.count < kernel[i]!) && { taps: taps as Taps[] }
    )
  },
  apply: ({ taps }, builder, node) => {
    const { operands, attributes } = asOp(node, 'conv')!
    const { shape } = operands.weight.type
    const part = {
      start: [0, 0, ...taps.map(({ first }) => first)],
      size: [...shape.slice(0, 2), ...taps.map(({ count }) => count)],
    }
    const weight = builder.add('slice', { input: operands.weight }, { ...part, step: shape.map(() => 1) })
    const padding = { before: taps.map(({ before }) => before), after: taps.map(({ after }) => after) }
    return builder.add('conv', { ...operands, weight }, { ...attributes, ...padding })
  },
})

/**
 * Drops taps of a filter that is larger than its input.
 *
 *     %2 = conv(%0, %1) {…, before: [1, 1], after: [1, 1]}   // %0 : f32[1, 8, 1, 1], %1 : f32[4, 8, 3, 3] constant
 *   →
 *     %2 = slice(%1) {start: [0, 0, 1, 1], size: [4, 8, 1, 1], step: [1, 1, 1, 1]}
 *     %3 = conv(%0, %2) {…, before: [0, 0], after: [0, 0]}
 */
export const simplifyConv = rulePass({
  name: 'simplify-conv',
  summary: 'Drop filter taps that see padding alone',
  level: 'any',
  follows: [{ pass: 'simplify-pad', because: 'it moves padding into convolutions' }],
  rules: [unseenTaps],
})
