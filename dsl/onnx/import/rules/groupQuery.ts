import type { OpContext, OpRule, Value } from '../context.ts'
import { counted, joinMasks, keysUpTo, paddedMask, windowMask, withPast } from './attention.ts'
import { replacedFrom } from './generative.ts'
import { castTo, dimsOf, refuse, reshaped, scaleOf, settings } from './shared.ts'

/** Where new keys and values stand among those of the cache. */
interface Placement {
  /** Keys with the new ones. */
  readonly total: number
  /** Behind so many in each sample, where it is the same for all and known. */
  readonly before?: number
  /** Else behind these: i64 `[batch]`. */
  readonly first?: Value
}

/**
 * A cache that the file makes longer has as many entries as its dimension says, where `seqlens_k` agrees with that; one that is a buffer, or of samples
 * of unlike lengths, is filled as far as `seqlens_k` says, and new entries stand behind that. `total_sequence_length` says which length the buffer must have.
 */
function placementOf(c: OpContext, before: number, batch: number, length: number): Placement {
  const last = c.known(5) ? c.numbers(5) : undefined
  if (before === 0 || last?.every((entry) => entry === before + length - 1)) return { total: before + length, before }
  const total = c.known(6) ? c.numbers(6)![0]! : undefined
  if (total === undefined)
    return c.unsupported(
      'its total_sequence_length depends on data, it says how long the cache becomes',
      '--dim total_sequence_length=256, or --constant where it is an input, says the most; or export with Attention of ONNX 24',
    )
  const room = Math.max(before, total)
  // All of it is new: what the cache holds does not count.
  if (total === length)
    return {
      total: room,
      first: c.literal(
        'i64',
        [batch],
        counted(c, batch).map(() => 0),
      ),
    }
  const ends = reshaped(c, castTo(c, c.input(5), 'i64'), [batch])
  return { total: room, first: c.d.add(ends, 1 - length) as Value }
}

/** One more key of a score of its own, which takes part in the softmax and gives nothing: `sink` has a score for each head. */
function withSink(c: OpContext, keys: Value, values: Value, mask: Value, sink: Value | undefined, heads: number) {
  const zeros = (value: Value) => c.d.full(value.dtype, dimsOf(value).with(2, 1), 0) as Value
  const longer = (value: Value) => c.d.concat([value, zeros(value)], { axis: 2 }) as Value
  const { dtype } = keys
  const numbers = mask.dtype === 'bool' ? (c.d.where(mask, c.literal(dtype, [], [0]), Number.NEGATIVE_INFINITY) as Value) : mask
  const shape = dimsOf(numbers)
  const full = [shape.length === 4 ? shape[0]! : 1, heads, ...shape.slice(-2)]
  const scores = sink ? castTo(c, reshaped(c, sink, [1, heads, 1, 1]), dtype) : c.literal(dtype, [], [0])
  const column = c.d.expand(scores, full.with(3, 1)) as Value
  const added = c.d.concat([c.d.expand(numbers, full) as Value, column], { axis: 3 }) as Value
  return { keys: longer(keys), values: longer(values), mask: added }
}

/** com.microsoft GroupQueryAttention: query, key?, value?, past_key?, past_value?, seqlens_k, total_sequence_length, cos?, sin?, position_ids?, bias?, sink?. */
export const groupQueryAttention: OpRule = (c) => {
  refuse(c, 'qk_output', 'kv_cache_bit_width', 'sliding_window_cache')
  for (const [i, name] of ['k_scale', 'v_scale', 'q_norm_weight', 'k_norm_weight'].entries())
    if (c.has(12 + i)) c.unsupported(`input ${name} is not supported`)
  const [heads, keyHeads] = [c.int('num_heads'), c.int('kv_num_heads')]
  const [pastKey, pastValue] = [c.optional(3), c.optional(4)]
  const packed = c.input(0)
  const [batch, length, width] = dimsOf(packed) as readonly [number, number, number]
  const size = c.has(1) ? width / heads : width / (heads + 2 * keyHeads)
  if (!Number.isInteger(size) || heads % keyHeads !== 0)
    c.unsupported(`a width of ${width} does not divide into ${heads} heads of queries and ${keyHeads} of keys`)
  const [query, key, value] = c.has(1)
    ? [packed, c.input(1), c.input(2)]
    : (c.d.split(packed, [heads * size, keyHeads * size, keyHeads * size], { axis: 2 }) as unknown as [Value, Value, Value])
  const past = pastKey ? dimsOf(pastKey)[2]! : 0
  const { total, before, first } = placementOf(c, past, batch, length)
  const steps = (from: number) => counted(c, batch * length).map((i) => from + (i % length))
  const positions = () =>
    c.optional(9) ??
    (first
      ? (c.d.add(reshaped(c, first, [batch, 1]), c.literal('i64', [1, length], counted(c, length))) as Value)
      : c.literal('i64', [batch, length], steps(before!)))
  const turn = (part: Value, count: number) => {
    if (c.int('do_rotary', 0) === 0) return part
    const dims = dimsOf(c.input(7))[1]! * 2
    return c.d.rotaryEmbedding(
      part,
      c.input(7),
      c.input(8),
      settings({
        positions: positions(),
        heads: count,
        dims: dims === size ? undefined : dims,
        interleaved: c.int('rotary_interleaved', 0) !== 0 ? true : undefined,
      }),
    ) as Value
  }
  const joined = (part: Value, cache: Value | undefined): Value => {
    if (!first) return withPast(c, part, cache, keyHeads)
    const none = dimsOf(cache!).map(() => 0)
    const room = total === past ? cache! : (c.d.pad(cache!, { before: none, after: none.with(2, total - past) }) as Value)
    return replacedFrom(c, room, withPast(c, part, undefined, keyHeads), first, 2)
  }
  const [keys, values] = [joined(turn(key, keyHeads), pastKey), joined(value, pastValue)]
  const [local, causal] = [c.int('local_window_size', -1), c.int('causal', 1) !== 0]
  if (!causal && (first || local > 0)) c.unsupported('causal of 0 beside a cache that is a buffer, or a window, is not supported')
  const smooth = c.int('smooth_softmax', 0) > 0 || c.has(11)
  const softcap = c.float('softcap', 0) || undefined
  if (smooth && softcap) c.unsupported('softcap beside smooth_softmax or head_sink is not supported')
  const ends = first && (c.d.add(first, length) as Value)
  const window = ends
    ? joinMasks(
        c,
        keysUpTo(c, ends, length, total, 0),
        local > 0 ? (c.d.not(keysUpTo(c, ends, length, total, -local)) as Value) : undefined,
      )
    : windowMask(c, length, total, before!, local > 0 ? local - 1 : -1, smooth && causal ? 0 : -1)
  const mask = joinMasks(c, window, paddedMask(c, c.optional(10), total))
  const own = { keys, values, mask }
  const open = () => mask ?? c.literal('bool', [1, 1], [1])
  const wide = () => (dimsOf(open()).at(-1) === total ? open() : (c.d.expand(open(), [length, total]) as Value))
  const seen = smooth ? withSink(c, keys, values, wide(), c.optional(11), heads) : own
  const given = settings({
    heads,
    mask: seen.mask,
    causal: causal && !first && !smooth ? true : undefined,
    past: causal && !first && !smooth && before! > 0 ? before : undefined,
    scale: scaleOf(c),
    softcap,
  })
  return [c.d.attention(turn(query, heads), seen.keys, seen.values, given) as Value, keys, values]
}
