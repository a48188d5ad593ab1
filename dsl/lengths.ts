// Values in lists of various lengths, one list behind the other: what feeds look-ups, and what comes out of feature stores.
import { reject } from '../compiler/graph/index.ts'
import { positions } from './bounded.ts'
import { readInteger, readIntegers, readNumber, readOptions } from './check.ts'
import { and, equal, less, where } from './comparison.ts'
import { constant } from './constant.ts'
import { add, cast, maximum, minimum, sub } from './elementwise.ts'
import { gatherElements, scatterNd } from './indexing.ts'
import { stack } from './join.ts'
import { argMax, cumSum } from './order.ts'
import { gather, slice } from './parts.ts'
import { max, sum } from './reduce.ts'
import { expand, reshape, unsqueeze } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>
type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'
type Float = 'f32' | 'f64' | 'f16' | 'bf16'

const shapeOf = (value: unknown, op: string, operand: string): readonly number[] => nodeOf(value, op, operand).type.shape

/** How long a list of one dimension is. */
function lengthOf(value: unknown, op: string, operand: string): number {
  const shape = shapeOf(value, op, operand)
  return shape.length === 1
    ? shape[0]!
    : reject('rank-mismatch', `${op}: ${operand} must have one dimension, got [${shape.join(', ')}]`)
}

/** Where lists begin and where the last ends, checked: `[lists + 1]`, i32. */
const offsetsOf = (op: string, lengths: unknown, limit: number): Any => call('bagOffsets', { lengths }, { limit }, op) as Any

const zeros = (dtype: string, shape: readonly number[]): Any => expand(constant(dtype as 'i32', [], [0]), [...shape]) as Any
const dtypeOf = (value: unknown, op: string, operand: string): string => nodeOf(value, op, operand).type.dtype
const column = (value: Any): Any => unsqueeze(value, { axes: [-1] }) as Any

/** The number of the list that each of so many places is in, from 0; as many as there are lists behind the last. i32. */
function listOf(offsets: Any, places: number): Any {
  const [ends] = offsets.shape as [number]
  const ones = expand(constant('i32', [], [1]), [ends]) as Any
  const marks = scatterNd(zeros('i32', [places + 1]), column(offsets) as never, ones as never, { reduction: 'add' }) as Any
  return sub(cumSum(slice(marks, { axis: 0, stop: places }) as Any, { axis: 0 }) as Any, 1) as Any
}

/**
 * Sums of lists of rows that lie one behind the other (Caffe2 and Glow LengthsSum).
 *
 * The lengths may add up to fewer than there are rows: those that are left are never looked at. A list without any row gives zeros.
 *
 * @param input `[rows, …]`, floats
 * @param lengths `[lists]`, integers: how many rows each list has
 */
export function lengthsSum<X extends Tensor<Float>>(input: X, lengths: Tensor<Index>): Tensor<X['dtype'], any> {
  const op = 'lengthsSum'
  const { shape, dtype } = nodeOf(input, op, 'input').type
  if (shape.length === 0) reject('rank-mismatch', `${op}: input needs a dimension of rows`)
  const [rows, ...rest] = shape as [number, ...number[]]
  const lists = lengthOf(lengths, op, 'lengths')
  const offsets = offsetsOf(op, lengths, rows)
  if (rows === 0) return zeros(dtype, [lists, ...rest]) as never
  const table = reshape(input, [rows, rest.reduce((product, extent) => product * extent, 1)]) as Any
  const sums = call('raggedEmbeddingBag', { indices: cast(positions(rows) as Any, 'i32'), table, offsets }, {}, op) as Any
  return reshape(sums, [lists, ...rest]) as never
}

/**
 * Where each of several lists begins, and how long it is (Caffe2 and Glow LengthsToRanges).
 *
 * @param lengths `[lists]`, integers; the result is `[lists, 2]`, i32
 */
export function lengthsToRanges(lengths: Tensor<Index>): Tensor<'i32', any> {
  const op = 'lengthsToRanges'
  lengthOf(lengths, op, 'lengths')
  const own = cast(lengths, 'i32') as Any
  return stack([cumSum(own, { axis: 0, exclusive: true }) as Any, own], { axis: 1 }) as never
}

/** Values of which the first are filled, and how many. */
export interface Filled<T> {
  /** As many as there may be at most; zeros behind the count. */
  readonly values: T
  /** How many there are, shaped `[]`, i32: `bounded(values, count)` as an output gives callers as many. */
  readonly count: Tensor<'i32', []>
}

const countOf = (offsets: Any): Any => reshape(slice(offsets, { axis: 0, start: -1 }) as Any, []) as Any

/** At each of `limit` places: where its list begins, and whether it is in one. */
function places(offsets: Any, limit: number) {
  const list = listOf(offsets, limit)
  const [ends] = offsets.shape as [number]
  const own = minimum(list, Math.max(0, ends - 2)) as Any
  const place = cast(positions(limit) as Any, 'i32') as Any
  return { own, place, begin: gather(offsets, own as never) as Any, isFilled: less(place, countOf(offsets)) as Any }
}

/**
 * For each of several lists the numbers 0, 1, … up to, not including, its length (Caffe2 and Glow LengthsRangeFill).
 *
 * @param lengths `[lists]`, integers
 * @param limit how many numbers there may be together; more are an error of the request that brings them
 */
export function lengthsRangeFill(lengths: Tensor<Index>, limit: number): Filled<Tensor<'i32', any>> {
  const op = 'lengthsRangeFill'
  lengthOf(lengths, op, 'lengths')
  const most = readInteger(op, 'limit', limit, 0)
  const offsets = offsetsOf(op, lengths, most)
  const { place, begin, isFilled } = places(offsets, most)
  return { values: where(isFilled, sub(place, begin) as Any, 0) as never, count: countOf(offsets) as never }
}

/**
 * Ranges of a list, one behind the other (Caffe2 and Glow GatherRanges). A range outside of the list is an error of the request that brings it.
 *
 * @param input `[elements]`, any element type
 * @param ranges `[lists, ranges, 2]`, integers: where each range begins, and how long it is
 * @param limit how many elements there may be together; more are an error of the request that brings them
 */
export function gatherRanges<X extends Tensor>(
  input: X,
  ranges: Tensor<'i32' | 'i64'>,
  limit: number,
): Filled<Tensor<X['dtype'], any>> & { readonly lengths: Tensor<'i32', any> } {
  const op = 'gatherRanges'
  lengthOf(input, op, 'input')
  const shape = shapeOf(ranges, op, 'ranges')
  if (shape.length !== 3 || shape[2] !== 2)
    reject('rank-mismatch', `${op}: ranges must be [lists, ranges, 2], got [${shape.join(', ')}]`)
  const [lists, each] = shape as [number, number]
  const most = readInteger(op, 'limit', limit, 0)
  const part = (at: number): Any =>
    cast(reshape(slice(ranges, { axis: 2, start: at, stop: at + 1 }) as Any, [lists * each]) as Any, 'i32') as Any
  const [starts, counts] = [part(0), part(1)]
  const offsets = offsetsOf(op, counts, most)
  const lengths = sum(reshape(counts, [lists, each]) as Any, { axes: 1 }) as Any
  const { own, place, begin, isFilled } = places(offsets, most)
  if (lists * each === 0)
    return {
      values: zeros(dtypeOf(input, op, 'input'), [most]) as never,
      count: countOf(offsets) as never,
      lengths: lengths as never,
    }
  const at = add(gather(starts, own as never) as Any, sub(place, begin) as Any) as Any
  const picked = gather(input, where(isFilled, at, 0) as never) as Any
  const nothing = constant(dtypeOf(input, op, 'input') as 'i32', [], [0]) as Any
  return { values: where(isFilled, picked, nothing) as never, count: countOf(offsets) as never, lengths: lengths as never }
}

/**
 * Lists of positions and values as rows of a matrix (Caffe2 and Glow BatchSparseToDense). Of a position that a list has twice the last value counts;
 * one outside is an error of the request that brings it.
 *
 * @param lengths `[batch]`, integers: how many entries each list has
 * @param indices `[entries]`, integers: positions in a row
 * @param values `[entries]`, any element type
 * @param options `size` of a row; `value` of all other positions, default 0
 */
export function batchSparseToDense<V extends Tensor>(
  lengths: Tensor<Index>,
  indices: Tensor<Index>,
  values: V,
  options: { readonly size: number; readonly value?: number },
): Tensor<V['dtype'], any> {
  const op = 'batchSparseToDense'
  const given = readOptions(op, options, ['size', 'value'])
  const size = readInteger(op, 'size', given.size, 1)
  const batch = lengthOf(lengths, op, 'lengths')
  const entries = lengthOf(indices, op, 'indices')
  const offsets = offsetsOf(op, lengths, entries)
  const row = listOf(offsets, entries)
  // What is in no list goes to a row that is cut off, whatever its position is.
  const at = where(less(row, batch) as Any, cast(indices, 'i32') as Any, 0) as Any
  const fill = constant(dtypeOf(values, op, 'values') as 'i32', [], [readNumber(op, 'value', given.value, 0)])
  const dense = expand(fill, [batch + 1, size]) as Any
  const written = scatterNd(dense, stack([row, at], { axis: 1 }) as never, values as never) as Any
  return slice(written, { axis: 0, stop: batch }) as never
}

/**
 * Values added up at their positions (Caffe2 SparseToDense). A position outside is an error of the request that brings it.
 *
 * @param indices `[entries]`, integers
 * @param values `[entries, …]`, any number type
 * @param options `size`: how many positions there are
 */
export function sparseToDense<V extends Tensor>(
  indices: Tensor<Index>,
  values: V,
  options: { readonly size: number },
): Tensor<V['dtype'], any> {
  const op = 'sparseToDense'
  const size = readInteger(op, 'size', readOptions(op, options, ['size']).size, 0)
  lengthOf(indices, op, 'indices')
  const { shape, dtype } = nodeOf(values, op, 'values').type
  const dense = zeros(dtype, [size, ...shape.slice(1)])
  return scatterNd(dense, column(indices as Any) as never, values as never, { reduction: 'add' }) as never
}

/**
 * Lists of identifiers and values as rows with a place for each identifier of a mask (Caffe2 and Glow SparseToDenseMask). Identifiers that the mask lacks
 * are left out; of one that a list has twice the last value counts.
 *
 * @param indices `[entries]`, integers: identifiers
 * @param values `[entries, …]`, any element type
 * @param value `[…]`, what stands at identifiers that a list lacks
 * @param lengths `[batch]`, integers: how many entries each list has; default one list of all, whose result has no dimension of lists
 * @param options `mask`: the identifiers, in the order of their places
 */
export function sparseToDenseMask<V extends Tensor>(
  indices: Tensor<'i32' | 'i64'>,
  values: V,
  value: Tensor,
  lengths: Tensor<Index> | undefined,
  options: { readonly mask: readonly number[] },
): Tensor<V['dtype'], any> {
  const op = 'sparseToDenseMask'
  const mask = readIntegers(op, 'mask', readOptions(op, options, ['mask']).mask, Number.MIN_SAFE_INTEGER)
  const entries = lengthOf(indices, op, 'indices')
  const rest = shapeOf(values, op, 'values').slice(1)
  const batch = lengths === undefined ? 1 : lengthOf(lengths, op, 'lengths')
  const row = lengths === undefined ? zeros('i32', [entries]) : listOf(offsetsOf(op, lengths, entries), entries)
  const dense = expand(value as Any, [batch + 1, mask.length, ...rest]) as Any
  const result = (written: Any): never => {
    const own = slice(written, { axis: 0, stop: batch }) as Any
    return (lengths === undefined ? reshape(own, [mask.length, ...rest]) : own) as never
  }
  if (mask.length === 0 || entries === 0) return result(dense)
  const hits = cast(
    equal(column(indices as Any), constant(dtypeOf(indices, op, 'indices') as 'i64', [mask.length], mask) as Any) as Any,
    'i32',
  ) as Any
  const place = cast(argMax(hits, { axis: 1 }) as Any, 'i32') as Any
  const isKnown = equal(max(hits, { axes: 1 }) as Any, 1) as Any
  // What has no place goes to a row that is cut off.
  const own = where(isKnown, row, batch) as Any
  return result(scatterNd(dense, stack([own, place], { axis: 1 }) as never, values as never) as Any)
}

/**
 * Rows spread over the places that are marked, zeros at the others (Caffe2 and Glow FillExamplesWithIndicator).
 *
 * @param input `[rows, …]`, any element type: one row for each mark, in their order
 * @param indicator `[places]`, bool
 */
export function fillExamplesWithIndicator<X extends Tensor>(input: X, indicator: Tensor<'bool'>): Tensor<X['dtype'], any> {
  const op = 'fillExamplesWithIndicator'
  const { shape, dtype } = nodeOf(input, op, 'input').type
  const count = lengthOf(indicator, op, 'indicator')
  if (shape.length === 0) reject('rank-mismatch', `${op}: input needs a dimension of rows`)
  if (shape[0] === 0) return zeros(dtype, [count, ...shape.slice(1)]) as never
  const place = sub(cumSum(cast(indicator, 'i32') as Any, { axis: 0 }) as Any, 1) as Any
  const rows = gather(input, maximum(where(indicator as Any, place, 0) as Any, 0) as never) as Any
  const mask = reshape(indicator, [count, ...shape.slice(1).map(() => 1)]) as Any
  return where(mask, rows, constant(dtype as 'i32', [], [0]) as Any) as never
}

/** Values by their label. Rows are filled from the left; `count` says how far. */
export interface Labelled<T> {
  readonly values: T
  /** `[labels, entries]`, i32: the number of the list that each value is of. */
  readonly examples: Tensor<'i32', any>
  /** `[entries]`, i32: the place that each entry has among those of its label. */
  readonly offsets: Tensor<'i32', any>
  /** `[labels]`, i32. */
  readonly count: Tensor<'i32', any>
}

/**
 * Entries of lists sorted by their label (Caffe2 and Glow SparseLabelSplit). A label outside is an error of the request that brings it.
 *
 * @param lengths `[batch]`, integers: how many entries each list has
 * @param indices `[entries]`, integers: labels
 * @param values `[entries]`, any element type
 * @param options `labels`: how many there are
 */
export function sparseLabelSplit<V extends Tensor>(
  lengths: Tensor<Index>,
  indices: Tensor<Index>,
  values: V,
  options: { readonly labels: number },
): Labelled<Tensor<V['dtype'], any>> {
  const op = 'sparseLabelSplit'
  const labels = readInteger(op, 'labels', readOptions(op, options, ['labels']).labels, 1)
  const entries = lengthOf(indices, op, 'indices')
  const row = listOf(offsetsOf(op, lengths, entries), entries)
  const isInList = less(row, lengthOf(lengths, op, 'lengths')) as Any
  const label = where(isInList, cast(indices, 'i32') as Any, 0) as Any
  const names = cast(positions(labels) as Any, 'i32') as Any
  const hits = cast(and(equal(column(label), names) as Any, column(isInList)) as Any, 'i32') as Any
  const before = cumSum(hits, { axis: 0, exclusive: true }) as Any
  const offsets = reshape(gatherElements(before, column(label) as never, { axis: 1 }) as Any, [entries]) as Any
  const at = stack([label, offsets], { axis: 1 }) as Any
  const spread = (dtype: string, updates: Any): Any =>
    scatterNd(zeros(dtype, [labels, entries]), at as never, updates as never) as Any
  return {
    values: spread(dtypeOf(values, op, 'values'), values as Any) as never,
    examples: spread('i32', row) as never,
    offsets: offsets as never,
    count: sum(hits, { axes: 0 }) as never,
  }
}
