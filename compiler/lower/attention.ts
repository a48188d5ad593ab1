import type { Node } from '../graph/index.ts'
import { inFloat32, type LoweringRule, type Scope } from './scope.ts'

/** Where queries may look, for each of them and each key. */
function causalMask(g: Scope, length: number, keys: number, past: number): Node {
  const positions = (shape: readonly number[], count: number, first: number) =>
    g.constant(
      { dtype: 'i32', shape },
      Array.from({ length: count }, (_, i) => first + i),
      'positions',
    )
  return g.lessOrEqual(positions([keys], keys, 0), positions([length, 1], length, past))
}

/** Query heads that share a key are rows of one product. */
const attention = inFloat32<'attention'>(
  ({ query, key, value, mask }, { scale, causal, past, softcap, hidden, blind }, g, type) => {
    const [batch, heads, length, width] = query.type.shape as [number, number, number, number]
    const [, groups, keys] = key.type.shape as [number, number, number]
    const grouped = (input: Node, last: number) =>
      heads === groups ? input : g.reshape(input, [batch, groups, (heads / groups) * length, last])
    const apart = (input: Node, last: number) => (heads === groups ? input : g.reshape(input, [batch, heads, length, last]))
    const matmul = (left: Node, right: Node) => g.node('matmul', { left, right }, {})
    const scaled = scale === 1 ? query : g.mul(query, scale)
    const product = apart(matmul(grouped(scaled, width), g.node('transpose', { input: key }, { order: [0, 1, 3, 2] })), keys)
    const scores = softcap === 0 ? product : g.mul(g.tanh(g.div(product, softcap)), softcap)

    const below = causal && past < keys - 1 ? causalMask(g, length, keys, past) : undefined
    const dark = Number.NEGATIVE_INFINITY
    let masked = scores
    let open: Node | undefined
    if (mask?.type.dtype === 'bool') {
      const both = below ? g.node('and', { left: mask, right: below }, {}) : mask
      // A query that sees hidden keys alone looks at all of them alike, where their score is a number.
      if (hidden === dark) open = both
      const seen = g.where(open ?? mask, scores, hidden)
      masked = below && !open ? g.where(below, seen, dark) : seen
    } else if (mask) {
      const bias = below ? g.where(below, mask, dark) : mask
      open = g.not(g.equal(bias, dark))
      masked = g.add(scores, bias)
    } else if (below) masked = g.where(below, scores, dark)
    const shares = g.node('softmax', { input: masked }, { axis: 3 })
    const weights = blind === 'zero' && open ? g.where(open, shares, 0) : shares
    return apart(matmul(grouped(weights, keys), value), type.shape[3]!)
  },
)

export const attentionRules: { readonly attention: LoweringRule<'attention'> } = { attention }
