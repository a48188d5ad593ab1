import { reject } from '../compiler/graph/index.ts'
import { rowFormatNames } from '../compiler/graph/ops/rowFormat.ts'
import { readBoolean, readChoice, readNumber, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { cast } from './elementwise.ts'
import { concat } from './join.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { Sub } from './types/arithmetic.ts'

/**
 * How rows of bytes stand for numbers: what stands in a row in its order. `u8f32`: integers of 8 bits, then scale and offset as f32, each number being
 * scale · q + offset; `u4f16`: integers of 4 bits, two to a byte, the first in its low half, then scale and offset as f16. Glow and Caffe2 write the
 * first five, FBGEMM the last three.
 */
export type RowFormat = 'u8f32' | 'u8f16' | 'u4f32' | 'u4f16' | 'u2f16' | 'f16u8' | 'f16u4' | 'f16u2'

type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'
type Any = Tensor<any, any>

export interface BagOptions {
  /** Indices of a bag, about: what tables are placed on cards by. Changes no result. Default: as if all indices were in bags. */
  readonly averageLength?: number
  /** How rows of bytes stand for numbers. The result, and weights, are f32 then. Default: the table holds numbers. */
  readonly rows?: RowFormat
}

type Summed<W extends Tensor> = W['dtype'] extends 'u8' ? 'f32' : W['dtype']
type Columns<W extends Tensor> = [W['dtype']] extends ['u8'] ? any : W['shape']
type Bags<L, W> = L extends readonly [infer B] ? (W extends readonly [any, infer C] ? [B, C] : [B, any]) : any

/** The number of indices of an op that looks up, whose bags do not say it themselves. */
function indexCount(op: string, indices: unknown): number {
  const { shape } = nodeOf(indices, op, 'indices').type
  if (shape.length !== 1) reject('rank-mismatch', `${op}: indices must be [indices], got [${shape.join(', ')}]`)
  return shape[0]!
}

/** Attributes that all look-ups share. */
function readBags(op: string, given: Readonly<Record<string, unknown>>) {
  const rows = given.rows === undefined ? {} : { rows: readChoice(op, 'rows', given.rows, rowFormatNames, 'u8f32') }
  if (given.averageLength === undefined) return rows
  const averageLength = readNumber(op, 'averageLength', given.averageLength, 0)
  if (!(averageLength > 0 && averageLength < Number.POSITIVE_INFINITY))
    reject('bad-attribute', `${op}: averageLength must be a number above 0, got ${averageLength}`)
  return { ...rows, averageLength }
}

/**
 * For each bag of indices the sum of the rows of a table that they pick, bags lying one after the other (Caffe2 and Glow SparseLengthsSum,
 * with weights SparseLengthsWeightedSum).
 *
 * The lengths may add up to less than there are indices: those that are left are never looked at, and the request need not fill them. Rows are added in the order
 * of the indices; a bag without any gives zeros. A negative index counts from the end; an index outside, a negative length and lengths that
 * add up to more than there are indices are errors of the request that brings them.
 *
 * @param table `[rows, width]`, floats; `[rows, bytes]`, u8, with the option `rows`
 * @param indices `[indices]`, integers: those of the first bag, then those of the second
 * @param lengths `[bags]`, integers: how many indices each bag has
 * @param weights `[indices]`, the element type of the result: what each row is multiplied by
 * @param options `averageLength`: indices of a bag, about, by which tables are placed on cards; `rows`: format of rows of bytes, such as `'u8f32'`
 */
export function sparseLengthsSum<W extends Tensor, L extends Tensor<Index>>(
  table: W,
  indices: Tensor<Index>,
  lengths: L,
  weights?: Tensor,
  options?: BagOptions,
): Tensor<Summed<W>, Bags<L['shape'], Columns<W>>> {
  const op = 'sparseLengthsSum'
  const attributes = readBags(op, readOptions(op, options, ['averageLength', 'rows']))
  const offsets = call('bagOffsets', { lengths }, { limit: indexCount(op, indices) }, op)
  return call('raggedEmbeddingBag', { indices, table, offsets, scale: weights }, attributes, op)
}

export interface EmbeddingBagOptions extends BagOptions {
  /** What a bag gives of its rows. Default 'sum'. */
  readonly mode?: 'sum' | 'mean'
  /** `[indices]`, what each row is multiplied by; with mode 'sum' alone. */
  readonly perSampleWeights?: Tensor
  /** Whether the last of offsets is where the last bag ends. Default false: it ends with the indices. */
  readonly includeLastOffset?: boolean
}

type Begun<O, L> = [L] extends [true] ? (O extends readonly [infer N] ? [Sub<N, 1>] : any) : O
/**
 * For each bag of indices the sum or the mean of the rows of a table that they pick, bags lying one after the other (PyTorch EmbeddingBag).
 *
 * With `includeLastOffset` the last bag may end before the indices do: those that are left are never looked at, and the request need not fill them. Rows are added in
 * the order of the indices; a bag without any gives zeros. A negative index counts from the end; an index outside, and offsets that do not
 * begin at 0, that fall or that lie behind the indices are errors of the request that brings them.
 *
 * @param table `[rows, width]`, floats; `[rows, bytes]`, u8, with the option `rows`
 * @param indices `[indices]`, integers: those of the first bag, then those of the second
 * @param offsets `[bags]`, integers: where each bag begins; `[bags + 1]` with `includeLastOffset`
 * @param options `mode`, 'sum' or 'mean', default 'sum'; `perSampleWeights`; `includeLastOffset`, default false; `averageLength`: indices of
 *   a bag, about, by which tables are placed on cards; `rows`: format of rows of bytes, such as `'u8f32'`
 */
export function embeddingBag<W extends Tensor, O extends Tensor<Index>, const L extends boolean = false>(
  table: W,
  indices: Tensor<Index>,
  offsets: O,
  options?: EmbeddingBagOptions & { readonly includeLastOffset?: L },
): Tensor<Summed<W>, Bags<Begun<O['shape'], L>, Columns<W>>> {
  const op = 'embeddingBag'
  const given = readOptions(op, options, ['mode', 'perSampleWeights', 'includeLastOffset', 'averageLength', 'rows'])
  const mean = readChoice(op, 'mode', given.mode, ['sum', 'mean'], 'sum') === 'mean'
  if (mean && given.perSampleWeights !== undefined)
    reject('bad-attribute', `${op}: perSampleWeights go with mode 'sum' alone; divide the weights by the lengths of their bags`)
  const attributes = { mean, ...readBags(op, given) }
  const count = indexCount(op, indices)
  const includesLast = readBoolean(op, 'includeLastOffset', given.includeLastOffset, false)
  const lengths = includesLast ? offsets : withLast(op, offsets, count)
  const whole = call('bagOffsets', { lengths }, { limit: count, given: 'offsets' }, op)
  return call('raggedEmbeddingBag', { indices, table, offsets: whole, scale: given.perSampleWeights }, attributes, op)
}

/** Offsets, and behind them where the indices end. */
function withLast(op: string, offsets: Any, count: number): Any {
  const { dtype, shape } = nodeOf(offsets, op, 'offsets').type
  if (shape.length !== 1) reject('rank-mismatch', `${op}: offsets must be [bags], got [${shape.join(', ')}]`)
  const wide = dtype === 'i64' || dtype === 'u32' ? 'i64' : 'i32'
  const begins = dtype === wide ? offsets : cast(offsets, wide)
  return concat([begins, constant(wide, [1], [count])], { axis: 0 }) as Any
}
