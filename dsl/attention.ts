import { reject } from '../compiler/graph/index.ts'
import { softmax } from './activation.ts'
import { maximumValues, readBoolean, readChoice, readDType, readInteger, readNumber, readOptions } from './check.ts'
import { and, lessOrEqual, notEqual, where } from './comparison.ts'
import { constant } from './constant.ts'
import { add, cast, div, mul, tanh } from './elementwise.ts'
import { gather } from './parts.ts'
import { matmul } from './product.ts'
import { reshape, transpose, unsqueeze } from './reshape.ts'
import type { DType, Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>

export interface AttentionOptions {
  /** Heads of the query; needed where it is `[batch, length, heads · size]`. */
  readonly heads?: number
  /** Heads of key and value, which divide those of the query; each serves as many of them. Default: as many as the query has. */
  readonly keyHeads?: number
  /** Broadcasts to `[batch, heads, length, keys]`: bool, true where a query may look, or of the query's type and added to the scores. */
  readonly mask?: Tensor | undefined
  /** Whether query i looks at no key behind i + past. Default false. */
  readonly causal?: boolean
  /** Keys in front of the first query, from an earlier call. Default 0. */
  readonly past?: number
  /** What query · key is multiplied by. Default 1 / √(size of a head). */
  readonly scale?: number
  /** Scores are limited to ±softcap, by softcap · tanh(score / softcap). Default not. */
  readonly softcap?: number
  /** Element type in which softmax is computed. Default that of the query. */
  readonly precision?: DType
  /** Score of a key that a bool mask hides. Default −∞. */
  readonly hidden?: number
  /** What a query gets that a mask lets look nowhere: 'zero' (default), or 'nan' as softmax gives. */
  readonly blind?: 'zero' | 'nan'
}
export interface AttentionScoresOptions extends AttentionOptions {
  /** How far the scores are taken: 'product' of query and key, 'capped', 'masked', or 'weights' (default), after softmax. */
  readonly stage?: 'product' | 'capped' | 'masked' | 'weights'
}

const optionNames = ['heads', 'keyHeads', 'mask', 'causal', 'past', 'scale', 'softcap', 'precision', 'hidden', 'blind']

/** Query, key or value with its heads apart: `[batch, heads, length, size]`. */
function readHeads(op: string, name: string, value: unknown, heads: number | undefined): Any {
  const { shape } = nodeOf(value, op, name).type
  if (shape.length === 4) {
    if (heads !== undefined && shape[1] !== heads)
      reject('shape-mismatch', `${op}: ${name} [${shape.join(', ')}] has ${shape[1]} heads, expected ${heads}`)
    return value as Any
  }
  if (shape.length !== 3) {
    const layouts = '[batch, heads, length, size] or [batch, length, heads · size]'
    return reject('rank-mismatch', `${op}: ${name} must be ${layouts}, got [${shape.join(', ')}]`)
  }
  if (heads === undefined)
    return reject('bad-attribute', `${op}: heads says how ${name} [${shape.join(', ')}] is divided; it is missing`)
  const [batch, length, width] = shape as readonly [number, number, number]
  if (width % heads !== 0)
    reject('shape-mismatch', `${op}: the ${width} elements of ${name} [${shape.join(', ')}] do not divide into ${heads} heads`)
  const size = width / heads
  if (heads === 1 || length === 1) return reshape(value as Any, [batch, heads, length, size]) as Any
  return transpose(reshape(value as Any, [batch, length, heads, size]) as Any, [0, 2, 1, 3]) as Any
}

/** The reverse of `readHeads` for a tensor of three dimensions. */
function joinHeads(value: Any): Any {
  const [batch, heads, length, size] = value.shape as readonly [number, number, number, number]
  const moved = heads === 1 || length === 1 ? value : (transpose(value, [0, 2, 1, 3]) as Any)
  return reshape(moved, [batch, length, heads * size]) as Any
}

/** `[batch, heads, length, size]` as `[batch, groups, heads / groups · length, size]`: heads that share a key lie next to each other. */
function group(value: Any, groups: number): Any {
  const [batch, heads, length, size] = value.shape as readonly [number, number, number, number]
  return heads === groups ? value : (reshape(value, [batch, groups, (heads / groups) * length, size]) as Any)
}

interface Setting {
  readonly query: Any
  readonly key: Any
  readonly given: Readonly<Record<string, unknown>>
  readonly heads: number
  readonly groups: number
}

function readSetting(op: string, query: unknown, key: unknown, options: unknown, names: readonly string[]): Setting {
  const given = readOptions(op, options, names)
  const count = (name: string) => (given[name] === undefined ? undefined : readInteger(op, name, given[name], 1))
  const apart = readHeads(op, 'query', query, count('heads'))
  const heads = (apart.shape as readonly number[])[1]!
  const keyRank = nodeOf(key, op, 'key').type.shape.length
  const keys = readHeads(op, 'key', key, count('keyHeads') ?? (keyRank === 3 ? heads : undefined))
  const [batch, groups, , size] = keys.shape as readonly [number, number, number, number]
  const shown = `query [${apart.shape.join(', ')}] and key [${keys.shape.join(', ')}], as [batch, heads, length, size],`
  if (apart.shape[0] !== batch || apart.shape[3] !== size)
    reject('shape-mismatch', `${op}: ${shown} differ in batch or size of a head`)
  if (groups === 0 || heads % groups !== 0)
    reject('shape-mismatch', `${op}: ${shown} differ in heads, and ${groups} do not divide ${heads}`)
  return { query: apart, key: keys, given, heads, groups }
}

/** Where queries may look, as a bool tensor; undefined for everywhere. */
function readCausal(op: string, { query, key, given }: Setting): Any | undefined {
  const causal = readBoolean(op, 'causal', given.causal, false)
  const past = given.past === undefined ? 0 : readInteger(op, 'past', given.past, 0)
  const [length, keys] = [query.shape[2] as number, key.shape[2] as number]
  if (!causal || past >= keys - 1) return undefined
  if (Math.max(length, keys) > maximumValues)
    reject('too-large', `${op}: a causal mask of ${length} × ${keys} is above the limit of ${maximumValues} positions`)
  const positions = (count: number, first: number) => Array.from({ length: count }, (_, i) => first + i)
  const last = constant('i32', [length, 1], positions(length, past))
  return lessOrEqual(constant('i32', [keys], positions(keys, 0)), last) as Any
}

/** The options that are numbers and choices. */
function readSetup(op: string, { query, given }: Setting) {
  const size = query.shape[3] as number
  const softcap = readNumber(op, 'softcap', given.softcap, 0)
  if (!(softcap >= 0)) reject('bad-attribute', `${op}: softcap must not be negative, got ${softcap}`)
  return {
    softcap,
    scale: readNumber(op, 'scale', given.scale, 1 / Math.sqrt(size)),
    hidden: readNumber(op, 'hidden', given.hidden, Number.NEGATIVE_INFINITY),
    precision: given.precision === undefined ? query.dtype : readDType(op, given.precision),
    blind: readChoice(op, 'blind', given.blind, ['zero', 'nan'] as const, 'zero'),
  }
}

function scores(op: string, setting: Setting, stage: 'product' | 'capped' | 'masked' | 'weights'): Any {
  const { query, key, given, heads, groups } = setting
  const { dtype } = query
  const [batch, , length] = query.shape as readonly [number, number, number]
  const keys = key.shape[2] as number
  const { scale, softcap, precision, hidden, blind } = readSetup(op, setting)
  const causal = readCausal(op, setting)

  const product = matmul(group(scale === 1 ? query : mul(query, scale), groups), transpose(key, [0, 1, 3, 2]) as Any) as Any
  const apart = heads === groups ? product : (reshape(product, [batch, heads, length, keys]) as Any)
  if (stage === 'product') return apart
  const capped = softcap === 0 ? apart : mul(tanh(div(apart, softcap)), softcap)
  if (stage === 'capped') return capped
  const { masked, open } = applyMask(op, capped, given.mask, causal, [batch, heads, length, keys], hidden)
  if (stage === 'masked') return masked
  const weights = softmax(precision === dtype ? masked : cast(masked, precision)) as Any
  const rounded = precision === dtype ? weights : (cast(weights, dtype) as Any)
  // A query that may look nowhere has no weights: softmax would divide zero by zero.
  return open && blind === 'zero' ? (where(open, rounded, 0) as Any) : rounded
}

/** A mask that fits scores of this type and shape. */
function readMask(op: string, mask: unknown, dtype: DType, shape: readonly number[]): Any {
  const { type } = nodeOf(mask, op, 'mask')
  const fits =
    type.shape.length <= 4 && type.shape.every((extent, i) => extent === 1 || extent === shape[i + 4 - type.shape.length])
  if (!fits) reject('shape-mismatch', `${op}: mask [${type.shape.join(', ')}] does not broadcast to [${shape.join(', ')}]`)
  if (type.dtype !== 'bool' && type.dtype !== dtype)
    reject('dtype-mismatch', `${op}: mask must be bool or ${dtype} as the query, got ${type.dtype}; convert it with cast()`)
  return mask as Any
}

/** Scores where a query may look and −∞ elsewhere; `open` says where, if there may be a query that looks nowhere. */
function applyMask(
  op: string,
  value: Any,
  mask: unknown,
  causal: Any | undefined,
  shape: readonly number[],
  hidden: number,
): { masked: Any; open?: Any } {
  const { dtype } = value
  if (mask === undefined) return { masked: causal ? (where(causal, value, Number.NEGATIVE_INFINITY) as Any) : value }
  const given = readMask(op, mask, dtype, shape)
  if (given.dtype === 'bool') {
    const open = causal ? (and(given, causal) as Any) : given
    if (hidden === Number.NEGATIVE_INFINITY) return { masked: where(open, value, hidden) as Any, open }
    const seen = where(given, value, hidden) as Any
    return { masked: causal ? (where(causal, seen, Number.NEGATIVE_INFINITY) as Any) : seen }
  }
  const bias = causal ? (where(causal, given, Number.NEGATIVE_INFINITY) as Any) : given
  return { masked: add(value, bias) as Any, open: notEqual(bias, Number.NEGATIVE_INFINITY) as Any }
}

/** As one op. */
function attended(op: string, setting: Setting, value: Any): Any {
  const { query, key, given } = setting
  const { scale, softcap, hidden, blind } = readSetup(op, setting)
  const causal = readBoolean(op, 'causal', given.causal, false)
  const past = given.past === undefined ? 0 : readInteger(op, 'past', given.past, 0)
  const [batch, heads, length] = query.shape as readonly [number, number, number]
  const shape = [batch, heads, length, key.shape[2] as number]
  const mask = given.mask === undefined ? undefined : readMask(op, given.mask, query.dtype, shape)
  return call(op, { query, key, value, mask }, { scale, causal, past, softcap, hidden, blind })
}

/** In steps, whose softmax may be of another type. */
function averaged(op: string, setting: Setting, value: Any): Any {
  const product = matmul(group(scores(op, setting, 'weights'), setting.groups), value) as Any
  const [batch, , length] = setting.query.shape as readonly [number, number, number]
  const apart = [batch, setting.heads, length, value.shape[3] as number]
  return setting.heads === setting.groups ? product : (reshape(product, apart) as Any)
}

type AttentionShape<Q, V> = Q extends readonly [infer N, infer L, any]
  ? [N, L, any]
  : Q extends readonly [infer N, infer H, infer L, any]
    ? V extends readonly [any, any, any, infer D]
      ? [N, H, L, D]
      : [N, H, L, any]
    : any
/**
 * Attention: values averaged by how well their keys agree with a query.
 *
 * softmax(scale · query · keyᵀ + mask) · value in each head (ONNX Attention 23). A query that may look nowhere gets zeros. A cache is
 * `concat([past, key], { axis: 2 })`, and `past` says how much of it came before.
 * @param query `[batch, heads, length, size]`, or `[batch, length, heads · size]`, float
 * @param key `[batch, keyHeads, keys, size]`, or `[batch, keys, keyHeads · size]`, the same element type
 * @param value `[batch, keyHeads, keys, size of a result]`, or `[batch, keys, keyHeads · size of a result]`, the same element type
 * @param options heads, keyHeads, mask, causal, past, scale, softcap, precision, hidden, blind
 */
export function attention<Q extends Tensor, K extends Tensor, V extends Tensor>(
  query: Guard<FloatProblem<'attention', Q>, Q>,
  key: K,
  value: V,
  options?: AttentionOptions,
): Tensor<Q['dtype'], AttentionShape<Q['shape'], V['shape']>> {
  const op = 'attention'
  const setting = readSetting(op, query, key, options, optionNames)
  const values = readHeads(op, 'value', value, setting.groups)
  const keys = setting.key.shape as readonly number[]
  if (values.shape[0] !== keys[0] || values.shape[2] !== keys[2]) {
    const shown = `key [${keys.join(', ')}] and value [${values.shape.join(', ')}], as [batch, heads, length, size],`
    reject('shape-mismatch', `${op}: ${shown} differ in batch or length`)
  }
  const { precision } = readSetup(op, setting)
  const apart = precision === setting.query.dtype ? attended(op, setting, values) : averaged(op, setting, values)
  return (nodeOf(query, op, 'query').type.shape.length === 3 ? joinHeads(apart) : apart) as never
}

type ScoresShape<Q, K> = Q extends readonly [infer N, infer H, infer L, any]
  ? K extends readonly [any, any, infer S, any]
    ? [N, H, L, S]
    : [N, H, L, any]
  : [any, any, any, any]
/**
 * How well each query agrees with each key: what attention multiplies the values by, or an earlier stage of it.
 * @param query `[batch, heads, length, size]`, or `[batch, length, heads · size]`, float
 * @param key `[batch, keyHeads, keys, size]`, or `[batch, keys, keyHeads · size]`, the same element type
 * @param options those of attention, and `stage`: 'product', 'capped', 'masked' or 'weights', the default
 */
export function attentionScores<Q extends Tensor, K extends Tensor>(
  query: Guard<FloatProblem<'attentionScores', Q>, Q>,
  key: K,
  options?: AttentionScoresOptions,
): Tensor<Q['dtype'], ScoresShape<Q['shape'], K['shape']>> {
  const op = 'attentionScores'
  const setting = readSetting(op, query, key, options, [...optionNames, 'stage'])
  const stages = ['product', 'capped', 'masked', 'weights'] as const
  return scores(op, setting, readChoice(op, 'stage', setting.given.stage, stages, 'weights')) as never
}

export interface RotaryOptions {
  /** `[batch, length]` integers: which row of the tables belongs to each position. Default: the tables are `[batch, length, …]`. */
  readonly positions?: Tensor | undefined
  /** Heads; needed where input is `[batch, length, heads · size]`. */
  readonly heads?: number
  /** How many elements at the beginning of each head turn. Default: all. */
  readonly dims?: number
  /** Whether elements 2i and 2i + 1 turn together; otherwise i and i + dims / 2 do. Default false. */
  readonly interleaved?: boolean
}
/**
 * Rotary position embedding: pairs of elements of each head turned by an angle that grows with the position.
 *
 * A pair (a, b) becomes (a · cos − b · sin, a · sin + b · cos) (ONNX RotaryEmbedding 23).
 * @param input `[batch, heads, length, size]`, or `[batch, length, heads · size]`, float
 * @param cos cosines of the angles: `[batch, length, dims / 2]`, or `[rows, dims / 2]` with positions, the same element type; with an input of
 *   four dimensions also `[batch, heads, length, dims / 2]`, where each of the first three may be 1
 * @param sin sines of the angles, shaped as cos
 * @param options positions, heads, dims, interleaved
 */
export function rotaryEmbedding<X extends Tensor>(
  input: Guard<FloatProblem<'rotaryEmbedding', X>, X>,
  cos: Tensor,
  sin: Tensor,
  options?: RotaryOptions,
): X {
  const op = 'rotaryEmbedding'
  const given = readOptions(op, options, ['positions', 'heads', 'dims', 'interleaved'])
  const heads = given.heads === undefined ? undefined : readInteger(op, 'heads', given.heads, 1)
  const { shape } = nodeOf(input, op, 'input').type
  // With three dimensions the heads stay behind the length: the tables broadcast over them, and nothing has to move.
  const flat = shape.length === 3
  const apart = flat ? splitHeads(op, input as Any, heads) : readHeads(op, 'input', input, heads)
  const [batch, length] = flat ? shape : [shape[0]!, shape[2]!]
  const size = apart.shape[3] as number
  const dims = given.dims === undefined ? size : readInteger(op, 'dims', given.dims, 2)
  if (dims > size || dims % 2 !== 0)
    reject('bad-attribute', `${op}: dims must be even and at most the ${size} elements of a head, got ${dims}`)
  const interleaved = readBoolean(op, 'interleaved', given.interleaved, false)
  const table = (value: unknown, name: string): Any => {
    nodeOf(value, op, name)
    const rows = given.positions === undefined ? (value as Any) : (gather(value as Any, given.positions as Any) as Any)
    const found = rows.shape as readonly number[]
    const each = [...(apart.shape as readonly number[]).slice(0, 3), dims / 2]
    // A dimension of heads may be given.
    if (!flat && found.length === 4 && found.every((extent, i) => extent === each[i] || (i < 3 && extent === 1))) return rows
    const wanted = [batch!, length!, dims / 2]
    if (found.length !== 3 || found.some((extent, i) => extent !== wanted[i] && (i > 0 || extent !== 1)))
      reject('shape-mismatch', `${op}: ${name} must give [${wanted.join(', ')}], got [${found.join(', ')}]`)
    return unsqueeze(rows, { axes: flat ? 2 : 1 }) as Any
  }
  const result = call(op, { input: apart, cos: table(cos, 'cos'), sin: table(sin, 'sin') }, { interleaved }) as Any
  return (flat ? reshape(result, [...shape]) : result) as never
}

function splitHeads(op: string, input: Any, heads: number | undefined): Any {
  const [batch, length, width] = input.shape as readonly [number, number, number]
  if (heads === undefined || width % heads !== 0) {
    const found = heads === undefined ? 'it is missing' : `got ${heads}`
    return reject(
      'bad-attribute',
      `${op}: heads must divide the last dimension of input [${batch}, ${length}, ${width}]; ${found}`,
    )
  }
  return reshape(input, [batch, length, heads, width / heads]) as Any
}
