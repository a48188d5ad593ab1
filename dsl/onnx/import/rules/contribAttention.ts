import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { counted, joinMasks, keysBelow, withPast } from './attention.ts'
import { groupQueryAttention } from './groupQuery.ts'
import { castTo, dimsOf, refuse, reshaped, scaleOf, settings } from './shared.ts'

/** What a masked score is lowered by. */
const filterOf = (c: OpContext): number => c.float('mask_filter_value', -10000)

/**
 * A mask of com.microsoft as numbers to be added: `[batch, keys]`, `[batch, length, keys]` or `[batch, 1, rows, keys]` with 0 for masked,
 * `[batch]` with the number of keys, or `[2 · batch]` with where they end and begin.
 */
function maskOf(c: OpContext, i: number, dtype: Value['dtype'], length: number, keys: number): Value | undefined {
  const mask = c.optional(i)
  if (!mask) return undefined
  const shape = dimsOf(mask)
  const added = (open: Value) => c.d.where(open, c.literal(dtype, [], [0]), c.literal(dtype, [], [filterOf(c)])) as Value
  const seen = (value: Value) => (value.dtype === 'bool' ? value : (c.d.notEqual(value, 0) as Value))
  if (shape.length === 1 && c.typeOf(0).shape[0] === shape[0]) return added(keysBelow(c, mask, keys))
  if (shape.length === 1 && c.typeOf(0).shape[0]! * 2 === shape[0]) {
    const [ends, starts] = c.d.split(mask, 2, { axis: 0 }) as unknown as [Value, Value]
    return added(c.d.and(keysBelow(c, ends, keys), c.d.not(keysBelow(c, starts, keys)) as Value) as Value)
  }
  if (shape.length === 2) return added(seen(reshaped(c, mask, [shape[0]!, 1, 1, shape[1]!])))
  if (shape.length === 3) return added(seen(reshaped(c, mask, [shape[0]!, 1, shape[1]!, shape[2]!])))
  if (shape.length === 4 && shape[1] === 1 && shape[3]! >= keys) {
    // A square of the longest length; the queries are its last rows up to the keys.
    const rows = { axis: 2, start: keys - length, stop: keys }
    return added(seen(c.d.slice(mask, [rows, { axis: 3, stop: keys }]) as Value))
  }
  return c.unsupported(`a mask of [${shape.join(', ')}] is not supported`)
}

/** Queries, keys and values are one product of the input; past and present keys and values lie in one tensor. */
const attention: OpRule = (c) => {
  const [x, weight, bias] = [c.input(0), c.input(1), c.optional(2)]
  const product = c.d.matmul(x, weight) as Value
  return packedAttention(c, bias ? (c.d.add(product, bias) as Value) : product, { mask: 3, past: 4, added: 5 })
}

/** Attention over one product `[batch, length, width]`; says which inputs are the mask, the past, and what is added to scores. */
export function packedAttention(
  c: OpContext,
  all: Value,
  at: { readonly mask: number; readonly past: number; readonly added?: number },
): readonly (Value | undefined)[] {
  refuse(c, 'do_rotary', 'past_present_share_buffer')
  const [past, added] = [c.optional(at.past), at.added === undefined ? undefined : c.optional(at.added)]
  const heads = c.int('num_heads')
  const width = dimsOf(all)[2]!
  const sizes = c.ints('qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3]
  const [query, key, value] = c.d.split(all, [...sizes], { axis: 2 }) as unknown as [Value, Value, Value]
  const [pastKey, pastValue] = past
    ? (c.d.split(past, 2, { axis: 0 }).map((half) => reshaped(c, half as Value, dimsOf(past).slice(1))) as [Value, Value])
    : []
  const cached = past !== undefined || c.wantsOutput(1)
  const keys = cached ? withPast(c, key, pastKey, heads) : key
  const values = cached ? withPast(c, value, pastValue, heads) : value
  const before = past ? dimsOf(past)[3]! : 0
  const length = dimsOf(all)[1]!
  const causal = c.int('unidirectional', 0) !== 0
  const y = c.d.attention(
    query,
    keys,
    values,
    settings({
      heads,
      mask: joinMasks(c, maskOf(c, at.mask, all.dtype, length, before + length), added),
      causal: causal ? true : undefined,
      past: causal && before > 0 ? before : undefined,
      scale: scaleOf(c),
    }),
  ) as Value
  return [y, c.wantsOutput(1) ? (c.d.stack([keys, values], { axis: 0 }) as Value) : undefined]
}

/** Query, key and value as they come, packed into one or two tensors or apart; the bias is added where they have no heads yet. */
function multiHeadOperands(c: OpContext, heads: number): [Value, Value, Value] {
  const bias = c.optional(3)
  const unpack = (packed: Value): Value[] => {
    const [batch, length, , count, size] = dimsOf(packed) as readonly [number, number, number, number, number]
    return c.d.split(packed, count, { axis: 3 }).map((part) => reshaped(c, part as Value, [batch, length, heads * size]))
  }
  const query = c.input(0)
  const parts =
    dimsOf(query).length === 5
      ? unpack(query)
      : c.has(1) && dimsOf(c.input(1)).length === 5
        ? [query, ...unpack(c.input(1))]
        : [query, c.input(1), c.input(2)]
  if (!bias) return parts as [Value, Value, Value]
  const widths = parts.map((part) => (dimsOf(part).length === 3 ? dimsOf(part)[2]! : heads * dimsOf(part)[3]!))
  const biases = c.d.split(bias, widths, { axis: 0 }) as unknown as Value[]
  return parts.map((part, i) => (dimsOf(part).length === 3 ? c.d.add(part, biases[i]!) : part)) as [Value, Value, Value]
}

const multiHeadAttention: OpRule = (c) => {
  const heads = c.int('num_heads')
  const [query, key, value] = multiHeadOperands(c, heads)
  const [pastKey, pastValue] = [c.optional(6), c.optional(7)]
  const cached = pastKey !== undefined || c.wantsOutput(1) || c.wantsOutput(2)
  const keys = cached ? withPast(c, key, pastKey, heads) : key
  const values = cached ? withPast(c, value, pastValue, heads) : value
  const before = pastKey ? dimsOf(pastKey)[2]! : 0
  const total = dimsOf(keys)[dimsOf(keys).length === 3 ? 1 : 2]!
  const causal = c.int('unidirectional', 0) !== 0
  const given = settings({
    heads,
    mask: joinMasks(c, maskOf(c, 4, query.dtype, dimsOf(query)[1]!, total), c.optional(5)),
    causal: causal ? true : undefined,
    past: causal && before > 0 ? before : undefined,
    scale: scaleOf(c),
  })
  return [
    c.d.attention(query, keys, values, given),
    c.wantsOutput(1) ? keys : undefined,
    c.wantsOutput(2) ? values : undefined,
    c.wantsOutput(3) ? c.d.attentionScores(query, keys, { ...given, stage: 'product' }) : undefined,
  ] as (Value | undefined)[]
}

/** As ONNX RotaryEmbedding, with the operands in another order; one position is where the first element stands. */
const rotaryEmbedding: OpRule = (c) => {
  refuse(c, 'is_packed_batching')
  if (c.float('scale', 1) !== 1) c.unsupported('attribute scale is not supported')
  const [x, given] = [c.input(0), c.input(1)]
  const flat = dimsOf(x).length === 3
  const [batch, length] = [dimsOf(x)[0]!, dimsOf(x)[flat ? 1 : 2]!]
  const positions =
    dimsOf(given).length === 1
      ? (c.d.add(
          given,
          c.literal(
            given.dtype,
            [batch, length],
            counted(c, batch * length).map((i) => i % length),
          ),
        ) as Value)
      : given
  const width = dimsOf(c.input(2))[1]! * 2
  const [dims, heads] = [c.int('rotary_embedding_dim', 0), c.int('num_heads', 0)]
  const options = settings({
    positions,
    heads: flat ? heads || dimsOf(x)[2]! / width : undefined,
    dims: dims > 0 ? dims : undefined,
    interleaved: c.int('interleaved', 0) !== 0 ? true : undefined,
  })
  return c.d.rotaryEmbedding(x, c.input(2), c.input(3), options) as Value
}

/** Embeddings of words, positions and segments, added and normalised. */
const embedLayerNormalization: OpRule = (c) => {
  const ids = c.input(0)
  const [, length] = dimsOf(ids)
  const words = c.d.embedding(ids, c.input(2)) as Value
  const table = c.input(3)
  const places = c.optional(8)
  const positions = places
    ? (c.d.embedding(places, table) as Value)
    : dimsOf(table)[0] === length
      ? table
      : (c.d.slice(table, { axis: 0, stop: length! }) as Value)
  const placed = c.d.add(words, positions) as Value
  const [segments, names] = [c.optional(1), c.optional(4)]
  const sum = segments && names ? (c.d.add(placed, c.d.embedding(segments, names) as Value) as Value) : placed
  const epsilon = c.float('epsilon', 1e-12)
  const y = c.d.layerNorm(sum, c.input(5), c.input(6), { epsilon }) as Value
  const counts = () => {
    const mask = c.optional(7)
    return mask
      ? castTo(c, c.d.sum(mask, { axes: 1 }) as Value, 'i32')
      : c.constant(
          'i32',
          [dimsOf(ids)[0]!],
          counted(c, dimsOf(ids)[0]!).map(() => 0),
        )
  }
  return [y, c.wantsOutput(1) ? counts() : undefined, c.wantsOutput(2) ? sum : undefined]
}

export const contribAttentions: OpRules = {
  Attention: attention,
  MultiHeadAttention: multiHeadAttention,
  GroupQueryAttention: groupQueryAttention,
  RotaryEmbedding: rotaryEmbedding,
  EmbedLayerNormalization: embedLayerNormalization,
}
