// Embedding tables in few bytes, and look-ups in several tables at once.
import { reject } from '../compiler/graph/index.ts'
import { rowFormatNames, rowFormats } from '../compiler/graph/ops/rowFormat.ts'
import { clamp } from './activation.ts'
import type { RowFormat } from './bags.ts'
import { bitCast } from './blocks.ts'
import { maximumOperands, readChoice, readIntegers, readList, readOptions } from './check.ts'
import { less, where } from './comparison.ts'
import { add, cast, div, floor, mul, sub } from './elementwise.ts'
import { concat } from './join.ts'
import { slice } from './parts.ts'
import { max, min } from './reduce.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>
type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'

function matrixShape(op: string, operand: string, value: unknown): readonly [number, number] {
  const { shape } = nodeOf(value, op, operand).type
  return shape.length === 2
    ? (shape as [number, number])
    : reject('rank-mismatch', `${op}: ${operand} must have two dimensions, got [${shape.join(', ')}]`)
}

/** Scale, offset and integers as rows of bytes. */
function joined(op: string, format: RowFormat, integers: Any, scale: Any, offset: Any): Any {
  const { parameter, first } = rowFormats[format]
  const [rows] = matrixShape(op, 'integers', integers)
  const header = [scale, offset].map((value) => bitCast(reshape(cast(value, parameter), [rows, 1]) as Any, 'u8') as Any)
  const parts: readonly Any[] = first ? [...header, integers] : [integers, ...header]
  return concat(parts, { axis: 1 }) as Any
}

/** Integers of a row, `bits` each, in as few bytes as they take, the first in the low bits. */
function packed(integers: Any, rows: number, width: number, bits: 2 | 4 | 8): Any {
  const each = 8 / bits
  if (each === 1) return cast(integers, 'u8') as Any
  const apart = reshape(integers, [rows, width / each, each]) as Any
  const parts = Array.from({ length: each }, (_, i) => {
    const part = reshape(slice(apart, { axis: 2, start: i, stop: i + 1 }) as Any, [rows, width / each]) as Any
    return i === 0 ? part : (mul(part, 2 ** (bits * i)) as Any)
  })
  return cast(
    parts.reduce((total, part) => add(total, part) as Any),
    'u8',
  ) as Any
}

/**
 * Numbers as rows of small integers with a scale and an offset of their own: what the option `rows` of look-ups reads. Of a table of the weights the bundle
 * holds the result alone.
 *
 * For each row, offset is its least number and scale its range over the largest integer, or 1 where the range is below 1e-10; integers are (x − offset) / scale
 * rounded, halves up (Glow's and Caffe2's fused row-wise tables). Formats with `f16` round scale and offset first.
 *
 * @param table `[rows, width]`, f32; integers of `width` fill whole bytes
 * @param format such as `'u8f32'`
 */
export function quantizeRows(table: Tensor<'f32'>, format: RowFormat): Tensor<'u8', any> {
  const op = 'quantizeRows'
  const chosen = readChoice(op, 'format', format, rowFormatNames, 'u8f32')
  const [rows, width] = matrixShape(op, 'table', table)
  const { bits, parameter } = rowFormats[chosen]
  if ((width * bits) % 8 !== 0 || width === 0)
    reject('shape-mismatch', `${op}: ${width} integers of ${bits} bits do not fill whole bytes; pad the table with zeros`)
  const most = 2 ** bits - 1
  const [low, high] = [min(table, { axes: 1, keepDims: true }), max(table, { axes: 1, keepDims: true })] as [Any, Any]
  const range = sub(high, low) as Any
  const asStored = (value: Any): Any => (parameter === 'f32' ? value : (cast(cast(value, parameter) as Any, 'f32') as Any))
  const scale = asStored(where(less(range, 1e-10) as Any, 1, div(range, most) as Any) as Any)
  const offset = asStored(low)
  // None is below the offset, but by rounding it: halves away from 0 are halves up.
  const rounded = clamp(floor(add(div(sub(table as Any, offset) as Any, scale) as Any, 0.5) as Any) as Any, {
    minimum: 0,
    maximum: most,
  }) as Any
  const integers = packed(rounded, rows, width, bits)
  const flat = (value: Any): Any => reshape(value, [rows]) as Any
  return joined(op, chosen, integers, flat(scale), flat(offset)) as never
}

/**
 * Integers, scales and offsets that are tensors of their own as rows that hold them: what the option `rows` of look-ups reads. Of weights the bundle holds the
 * result alone (Glow's and Caffe2's row-wise quantised tables, whose numbers are scale · q + offset).
 *
 * @param integers `[rows, bytes]`, u8
 * @param scale `[rows]`, f32
 * @param offset `[rows]`, f32
 * @param format such as `'u8f32'`, the default
 */
export function fuseRows(
  integers: Tensor<'u8'>,
  scale: Tensor<'f32'>,
  offset: Tensor<'f32'>,
  format?: RowFormat,
): Tensor<'u8', any> {
  const op = 'fuseRows'
  const chosen = readChoice(op, 'format', format, rowFormatNames, 'u8f32')
  return joined(op, chosen, integers as Any, scale as Any, offset as Any) as never
}

/** One of several tables that are looked up together. */
export interface SplitTable {
  /** `[rows, width]`, floats; or `[rows, bytes]`, u8, with `rows`. */
  readonly table: Tensor
  /** How rows of bytes stand for numbers. */
  readonly rows?: RowFormat
}

export interface SplitEmbeddingBagsOptions {
  /** What a bag gives of its rows. Default 'sum'. */
  readonly mode?: 'sum' | 'mean'
  /** `[indices]`, what each row is multiplied by; with mode 'sum' alone. */
  readonly perSampleWeights?: Tensor
}

/**
 * Bags of several tables at once, side by side (FBGEMM and Glow IntNBitSplitEmbeddingBags and IntNBitSplitEmbeddingWeightedBags, and torchrec's table-batched
 * embeddings).
 *
 * @param tables of one element type, or in formats, whose numbers are f32
 * @param indices `[indices]`, integers: of all bags of the first table, then of the second
 * @param offsets `[tables · batch + 1]`, integers: where each bag begins, and where the last one ends; the result is `[batch, sum of widths]`
 * @param options `mode`, 'sum' or 'mean', default 'sum'; `perSampleWeights`
 */
export function splitEmbeddingBags(
  tables: readonly SplitTable[],
  indices: Tensor<Index>,
  offsets: Tensor<Index>,
  options?: SplitEmbeddingBagsOptions,
): Tensor<any, any> {
  const op = 'splitEmbeddingBags'
  const given = readOptions(op, options, ['mode', 'perSampleWeights'])
  const list = readList(op, 'tables', tables, maximumOperands, 'bad-operand') as readonly SplitTable[]
  const { shape } = nodeOf(offsets, op, 'offsets').type
  const batch = (shape[0]! - 1) / list.length
  if (list.length === 0 || shape.length !== 1 || !Number.isInteger(batch) || batch < 0)
    reject(
      'shape-mismatch',
      `${op}: offsets [${shape.join(', ')}] are not one for each bag of ${list.length} tables and one behind the last`,
    )
  // Each table sees all indices, and the bags that are its own: those before begin it, so that its first offset is not 0.
  const count = nodeOf(indices, op, 'indices').type.shape[0]!
  const whole = call('bagOffsets', { lengths: offsets }, { limit: count, given: 'offsets' }, op) as Any
  const bags = list.map((entry, i) => {
    const { table, rows } = readOptions(op, entry, ['table', 'rows'])
    const own = slice(whole, { axis: 0, start: i * batch, stop: (i + 1) * batch + 1 }) as Any
    const format = rows === undefined ? {} : { rows: readChoice(op, 'rows', rows, rowFormatNames, 'u8f32') }
    const attributes = { mean: given.mode === 'mean', ...format }
    return call('raggedEmbeddingBag', { indices, table, offsets: own, scale: given.perSampleWeights }, attributes, op) as Any
  })
  return bags.length === 1 ? bags[0]! : (concat(bags, { axis: 1 }) as Any)
}

/**
 * Bags of single numbers, several tables of them for each of several tasks (FBGEMM and Glow BatchedUnaryEmbeddingsBags).
 *
 * @param weights `[tasks, rows]` or `[tasks, rows, 1]`, floats: the tables of a task one behind the other
 * @param tableOffsets where each table begins among the rows, and where the last one ends
 * @param offsets `[tables · batch + 1]`, integers: where each bag begins, table by table, and where the last one ends
 * @param indices `[indices]`, integers: rows within a table; the result is `[tasks, batch, tables]`
 */
export function unaryEmbeddingBags<W extends Tensor<'f32' | 'f64' | 'f16' | 'bf16'>>(
  weights: W,
  tableOffsets: readonly number[],
  offsets: Tensor<Index>,
  indices: Tensor<Index>,
): Tensor<W['dtype'], any> {
  const op = 'unaryEmbeddingBags'
  const { shape } = nodeOf(weights, op, 'weights').type
  const begins = readIntegers(op, 'tableOffsets', tableOffsets, 0)
  const tables = begins.length - 1
  const [tasks, rows] = shape as [number, number]
  if (shape.length < 2 || shape.length > 3 || (shape[2] ?? 1) !== 1)
    reject('rank-mismatch', `${op}: weights must be [tasks, rows] or [tasks, rows, 1], got [${shape.join(', ')}]`)
  const ends = nodeOf(offsets, op, 'offsets').type.shape
  const batch = (ends[0]! - 1) / tables
  if (tables < 1 || ends.length !== 1 || !Number.isInteger(batch) || batch < 0)
    reject(
      'shape-mismatch',
      `${op}: offsets [${ends.join(', ')}] are not one for each bag of ${tables} tables and one behind the last`,
    )
  const table = transpose(reshape(weights, [tasks, rows]) as Any, [1, 0]) as Any
  const parts = Array.from({ length: tables }, (_, i) => ({
    table: slice(table, { axis: 0, start: begins[i]!, stop: begins[i + 1]! }) as Any,
  }))
  const bags = splitEmbeddingBags(parts, indices, offsets) as Any
  return transpose(reshape(bags, [batch, tables, tasks]) as Any, [2, 0, 1]) as never
}

/**
 * Pooled embeddings of several tables, side by side, in another order (FBGEMM and Glow PermutePooledEmbeddings).
 *
 * @param input `[batch, sum of widths]`, any element type
 * @param widths of each table's embeddings
 * @param order entry i says which table's stand at place i
 */
export function permutePooledEmbeddings<X extends Tensor>(
  input: X,
  widths: readonly number[],
  order: readonly number[],
): Tensor<X['dtype'], any> {
  const op = 'permutePooledEmbeddings'
  const [, columns] = matrixShape(op, 'input', input)
  const own = readIntegers(op, 'widths', widths, 0)
  const places = readIntegers(op, 'order', order, 0)
  const begins = own.map((_, i) => own.slice(0, i).reduce((total, width) => total + width, 0))
  if (own.reduce((total, width) => total + width, 0) !== columns)
    reject('shape-mismatch', `${op}: widths [${own.join(', ')}] do not add up to the ${columns} columns of input`)
  if (places.length === 0 || places.some((place) => place >= own.length))
    reject('bad-attribute', `${op}: order [${places.join(', ')}] must name tables 0 to ${own.length - 1}`)
  return concat(
    places.map((place) => slice(input, { axis: 1, start: begins[place]!, stop: begins[place]! + own[place]! }) as Any),
    { axis: 1 },
  ) as never
}
