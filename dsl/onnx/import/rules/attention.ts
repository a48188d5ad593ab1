import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { dimsOf, dtypeAttribute, range, reshaped, transposed } from './shared.ts'

/** A tensor `[batch, length, heads · size]` with its heads apart, as `[batch, heads, length, size]`; one with four dimensions as it is. */
function headsApart(c: OpContext, value: Value, heads: number): Value {
  const shape = dimsOf(value)
  if (shape.length === 4) return value
  const [batch, length, width] = shape as readonly [number, number, number]
  if (shape.length !== 3 || heads < 1 || width % heads !== 0)
    return c.unsupported(`[${shape.join(', ')}] does not divide into ${heads} heads`)
  return transposed(c, reshaped(c, value, [batch, length, heads, width / heads]), [0, 2, 1, 3])
}

/** Keys or values with those of an earlier call in front, heads apart. */
export function withPast(c: OpContext, value: Value, past: Value | undefined, heads: number): Value {
  const apart = headsApart(c, value, heads)
  return past && dimsOf(past)[2] !== 0 ? (c.d.concat([past, apart], { axis: 2 }) as Value) : apart
}

/** The most positions that are written in the model. */
const maximumPositions = 1 << 20

/** 0, 1, 2, … for so many positions of a batch, a sequence or a mask. */
export function counted(c: OpContext, count: number): number[] {
  if (count > maximumPositions) return c.unsupported(`${count} positions are above the limit of ${maximumPositions}`)
  return range(count)
}

/** True where key j may be seen by a query: below a number for each sample `[batch]`, as a mask `[batch, 1, 1, keys]`. */
export function keysBelow(c: OpContext, counts: Value, keys: number): Value {
  const [batch] = dimsOf(counts)
  const positions = c.literal(counts.dtype, [keys], counted(c, keys))
  return c.d.less(positions, reshaped(c, counts, [batch!, 1, 1, 1])) as Value
}

/** Both masks: added where they are numbers, the conjunction of conditions, or numbers where a condition holds. */
export function joinMasks(c: OpContext, a: Value | undefined, b: Value | undefined): Value | undefined {
  if (!a || !b) return a ?? b
  if (a.dtype === 'bool' && b.dtype === 'bool') return c.d.and(a, b) as Value
  if (a.dtype === 'bool') return c.d.where(a, b, Number.NEGATIVE_INFINITY) as Value
  return b.dtype === 'bool' ? (c.d.where(b, a, Number.NEGATIVE_INFINITY) as Value) : (c.d.add(a, b) as Value)
}

/** True where key j of `keys` lies in the window around query i, whose own position is i + past. */
export function windowMask(
  c: OpContext,
  length: number,
  keys: number,
  past: number,
  left: number,
  right: number,
): Value | undefined {
  if (left < 0 && right < 0) return undefined
  const open = counted(c, length * keys).map((n) => {
    const [query, key] = [past + Math.floor(n / keys), n % keys]
    return Number((left < 0 || key >= query - left) && (right < 0 || key <= query + right))
  })
  return open.every((entry) => entry === 1) ? undefined : c.literal('bool', [length, keys], open)
}

const attention: OpRule = (c) => {
  const query = c.input(0)
  const flat = dimsOf(query).length === 3
  const heads = flat ? c.int('q_num_heads') : dimsOf(query)[1]!
  const keyHeads = dimsOf(c.input(1)).length === 3 ? c.int('kv_num_heads') : dimsOf(c.input(1))[1]!
  const [pastKey, pastValue] = [c.optional(4), c.optional(5)]
  const past = pastKey ? dimsOf(pastKey)[2]! : 0
  // Keys stay as they are written unless their heads must come apart for a cache.
  const cached = pastKey !== undefined || c.wantsOutput(1) || c.wantsOutput(2)
  const key = cached ? withPast(c, c.input(1), pastKey, keyHeads) : c.input(1)
  const value = cached ? withPast(c, c.input(2), pastValue, keyHeads) : c.input(2)
  const length = dimsOf(query)[flat ? 1 : 2]!
  const keys = dimsOf(key)[dimsOf(key).length === 3 ? 1 : 2]!
  const causal = c.int('is_causal', 0) !== 0
  const filled = c.optional(6)
  const softcap = c.float('softcap', 0)
  const precision = c.int('softmax_precision', 0) === 0 ? undefined : dtypeAttribute(c, 'softmax_precision')
  const [left, right] = [c.int('left_window_size', -1), c.int('right_window_size', -1)]
  const masks = [
    paddedMask(c, c.optional(3), keys),
    filled ? undefined : windowMask(c, length, keys, past, left, right),
    filled && keysBelow(c, filled, keys),
    filled && causal ? keysUpTo(c, filled, length, keys, 0) : undefined,
    filled && right >= 0 ? keysUpTo(c, filled, length, keys, right) : undefined,
    filled && left >= 0 ? (c.d.not(keysUpTo(c, filled, length, keys, -left - 1)) as Value) : undefined,
  ]
  const options = {
    heads: flat ? heads : undefined,
    keyHeads: (flat || dimsOf(key).length === 3) && keyHeads !== heads ? keyHeads : undefined,
    mask: masks.reduce<Value | undefined>((all, mask) => joinMasks(c, all, mask), undefined),
    causal: causal && !filled ? true : undefined,
    past: causal && !filled && past > 0 ? past : undefined,
    scale: c.node.attributes.has('scale') ? c.float('scale') : undefined,
    softcap: softcap > 0 ? softcap : undefined,
    precision: precision === query.dtype ? undefined : precision,
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, entry]) => entry !== undefined))
  const stages = ['product', 'capped', 'masked', undefined] as const
  const mode = c.int('qk_matmul_output_mode', 0)
  if (!(mode in stages)) return c.unsupported(`qk_matmul_output_mode ${mode} is unknown`)
  const stage = stages[mode]
  return [
    c.d.attention(query, key, value, given),
    c.wantsOutput(1) ? key : undefined,
    c.wantsOutput(2) ? value : undefined,
    c.wantsOutput(3) ? c.d.attentionScores(query, key, { ...given, ...(stage && { stage }) }) : undefined,
  ] as (Value | undefined)[]
}

/** A mask that is shorter than the keys says nothing good of those behind it. */
export function paddedMask(c: OpContext, mask: Value | undefined, keys: number): Value | undefined {
  const own = mask && dimsOf(mask).at(-1)
  if (!mask || own === undefined || own === 1 || own >= keys) return mask
  const none = dimsOf(mask).map(() => 0)
  const value = mask.dtype === 'bool' ? 0 : Number.NEGATIVE_INFINITY
  return c.d.pad(mask, { before: none, after: none.with(-1, keys - own), value }) as Value
}

/** True where key j is at most so far behind query i of `length`, which end at a number for each sample. */
export function keysUpTo(c: OpContext, counts: Value, length: number, keys: number, distance: number): Value {
  const [batch] = dimsOf(counts)
  const last = c.d.add(
    reshaped(c, counts, [batch!, 1, 1, 1]),
    c.literal(
      counts.dtype,
      [length, 1],
      counted(c, length).map((i) => i - length + distance),
    ),
  )
  return c.d.lessOrEqual(c.literal(counts.dtype, [keys], counted(c, keys)), last as Value) as Value
}

const rotaryEmbedding: OpRule = (c) => {
  const x = c.input(0)
  const dims = c.int('rotary_embedding_dim', 0)
  const options = {
    positions: c.optional(3),
    heads: dimsOf(x).length === 3 ? c.int('num_heads') : undefined,
    dims: dims > 0 ? dims : undefined,
    interleaved: c.int('interleaved', 0) !== 0 ? true : undefined,
  }
  return c.d.rotaryEmbedding(x, c.input(1), c.input(2), options as never) as Value
}

export const attentions: OpRules = { Attention: attention, RotaryEmbedding: rotaryEmbedding }
