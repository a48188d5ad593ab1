import { elementCount, reject } from '../compiler/graph/index.ts'
import { positions } from './bounded.ts'
import { maximumOperands, readAxis, readBoolean, readInteger, readOptions } from './check.ts'
import { greaterOrEqual, less, notEqual, where } from './comparison.ts'
import { constant, full } from './constant.ts'
import { add, cast, div, maximum, minimum, mod, mul, sub } from './elementwise.ts'
import { scatterElements } from './indexing.ts'
import { concat } from './join.ts'
import { cumSum, topK } from './order.ts'
import { gather, slice } from './parts.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { Replace } from './types/shape.ts'

type Any = Tensor<any, any>
type Rows<S> = any[] extends S ? any : S extends readonly unknown[] ? S['length'] : any
type Picked<X extends Tensor, A, L> = [A] extends [number]
  ? Replace<X['shape'], A, number extends L ? any : L>
  : [number extends L ? any : L]

const shapeOf = (value: unknown, op: string, operand = 'input'): readonly number[] => nodeOf(value, op, operand).type.shape
const flat = (value: Any): Any => reshape(value, [elementCount(value.shape)]) as Any
const number = (value: number): Any => constant('i64', [], [value]) as Any

const positionsOf = (count: number): Any => positions(count) as Any

/** Positions of what is true and their number, shaped []. */
function truePositions(op: string, condition: Any, limit: number): { readonly positions: Any; readonly count: Any } {
  const packed = call('truePositions', { condition }, { limit }, op)
  return {
    positions: slice(packed, { axis: 0, stop: limit }) as Any,
    count: reshape(slice(packed, { axis: 0, start: limit }) as Any, []) as Any,
  }
}

/** Room for all, unless the author says less. */
const readLimit = (op: string, given: unknown, all: number): number =>
  given === undefined ? all : Math.min(all, readInteger(op, 'limit', given, 0))

const isTrue = (op: string, value: unknown, operand: string): Any =>
  nodeOf(value, op, operand).type.dtype === 'bool' ? (value as Any) : (notEqual(value as Any, 0) as Any)

export interface LimitOptions<L extends number> {
  /** The most there may be. A request that has more is an error. Default: all. */
  readonly limit?: L
}

/**
 * Positions of the elements that are not zero, one column for each in row-major order, and how many there are (ONNX NonZero 13).
 *
 * Behind the count columns are zeros. NaN is not zero. With `limit`, more elements than that are an error of the request that brings them.
 * @param input at least one dimension, any element type
 * @param options `limit`: the most there may be, default as many as input has elements
 */
export function nonZero<X extends Tensor, const L extends number>(
  input: X,
  options?: LimitOptions<L>,
): { readonly indices: Tensor<'i64', [Rows<X['shape']>, number extends L ? any : L]>; readonly count: Tensor<'i64', []> } {
  const op = 'nonZero'
  const shape = shapeOf(input, op)
  const limit = readLimit(op, readOptions(op, options, ['limit']).limit, elementCount(shape))
  if (shape.length === 0) reject('rank-mismatch', `${op}: a single element has no position; reshape it to [1]`)
  const { positions, count } = truePositions(op, isTrue(op, input, 'input'), limit)
  const rows = shape.map((extent, axis) => {
    const inner = elementCount(shape.slice(axis + 1))
    const along = inner > 1 ? (div(positions, inner) as Any) : positions
    return reshape(axis > 0 && extent > 0 ? (mod(along, extent) as Any) : along, [1, limit]) as Any
  })
  return { indices: (rows.length === 1 ? rows[0]! : concat(rows, { axis: 0 })) as never, count: count as never }
}

/**
 * The parts of a tensor along an axis for which a condition holds, and how many there are (ONNX Compress 11).
 *
 * Behind the count stands the first part again. With `limit`, more parts than that are an error of the request that brings them.
 * @param input at least one dimension, any element type
 * @param condition `[entries]`, bool or numbers; at most as many as the axis has, what is missing is false
 * @param options `axis`, default none: input is taken as one row of all its elements; `limit`: the most there may be, default as many as condition has
 */
export function compress<X extends Tensor, const L extends number, const A extends number | undefined = undefined>(
  input: X,
  condition: Tensor,
  options?: LimitOptions<L> & { readonly axis?: A },
): { readonly values: Tensor<X['dtype'], Picked<X, A, L>>; readonly count: Tensor<'i64', []> } {
  const op = 'compress'
  const given = readOptions(op, options, ['axis', 'limit'])
  const shape = shapeOf(input, op)
  const [entries, ...more] = shapeOf(condition, op, 'condition')
  if (entries === undefined || more.length > 0)
    reject('rank-mismatch', `${op}: condition must be [entries], got ${1 + more.length} dimensions`)
  const axis = given.axis === undefined ? undefined : readAxis(op, given.axis, shape.length)
  const source = axis === undefined ? flat(input as Any) : (input as Any)
  const extent = source.shape[axis ?? 0]
  if (entries! > extent)
    reject(
      'shape-mismatch',
      `${op}: condition has ${entries} entries for the ${extent} of ${axis === undefined ? 'input' : `axis ${axis}`}`,
    )
  const limit = readLimit(op, given.limit, entries!)
  const { positions, count } = truePositions(op, isTrue(op, condition, 'condition'), limit)
  return { values: gather(source, positions, { axis: axis ?? 0 }) as never, count: count as never }
}

export interface UniqueOptions {
  /** What is compared are the parts along it. Default none: single elements. */
  readonly axis?: number
  /** Whether what is found is sorted, or stands in the order of first appearance. Default true. */
  readonly sorted?: boolean
}

/** Parts along an axis are sorted element after element, up to so many. */
const widestParts = 1024

/**
 * What occurs in a tensor, each once (ONNX Unique 11).
 *
 * Of n elements, or parts along an axis, `count` are different: so much of `values` along its axis, of `indices` and of `counts` is filled; behind them stand the
 * first value, zeros and zeros. NaN differs from NaN and is above all numbers.
 *
 * Results: `values`, each once; `indices`, where each occurs first; `inverse`, for each of the n which of the values it is; `counts`, how
 * often each occurs; `count`.
 * @param input at least one dimension, any element type
 * @param options `axis`, default none: single elements; `sorted`, default true, or in the order of first appearance
 */
export function unique<X extends Tensor>(
  input: X,
  options?: UniqueOptions,
): {
  readonly values: Tensor<X['dtype']>
  readonly indices: Tensor<'i64', [any]>
  readonly inverse: Tensor<'i64', [any]>
  readonly counts: Tensor<'i64', [any]>
  readonly count: Tensor<'i64', []>
} {
  const op = 'unique'
  const given = readOptions(op, options, ['axis', 'sorted'])
  const shape = shapeOf(input, op)
  const axis = given.axis === undefined ? undefined : readAxis(op, given.axis, shape.length)
  const sorted = readBoolean(op, 'sorted', given.sorted, true)
  const source = axis === undefined ? flat(input as Any) : (input as Any)
  const along = axis ?? 0
  const extent = source.shape[along]
  const width = elementCount(source.shape as readonly number[]) / Math.max(1, extent)
  if (width > widestParts || width > maximumOperands)
    reject('too-large', `${op}: parts of ${width} elements along axis ${along} are above the limit of ${widestParts}`)
  if (extent === 0) {
    const none = full('i64', [0], 0) as Any
    return { values: source, indices: none, inverse: none, counts: none, count: number(0) } as never
  }
  const keys = keysOf(source, along, extent, width)
  let order = positionsOf(extent)
  // The last element of parts is sorted by first: sorting keeps the order of what is equal.
  for (const key of [...keys].reverse())
    order = gather(order, topK(gather(key, order) as Any, extent, { axis: 0, largest: false }).indices as Any) as Any
  const starts = startsOf(
    keys.map((key) => gather(key, order) as Any),
    extent,
  )
  const one = cast(starts, 'i64') as Any
  const group = sub(cumSum(one, { axis: 0 }) as Any, 1) as Any
  const count = reshape(add(slice(group, { axis: 0, start: extent - 1 }) as Any, 1) as Any, []) as Any
  const { positions } = truePositions(op, starts, extent)
  const isFilled = less(positionsOf(extent), count) as Any
  const first = where(isFilled, gather(order, positions) as Any, 0) as Any
  const ends = where(
    less(add(positionsOf(extent), 1) as Any, count) as Any,
    concat([slice(positions, { axis: 0, start: 1 }) as Any, full('i64', [1], extent) as Any], { axis: 0 }) as Any,
    extent,
  ) as Any
  const often = where(isFilled, sub(ends, positions) as Any, 0) as Any
  const zeros = full('i64', [extent], 0) as Any
  const inverse = scatterElements(zeros, order, group) as Any
  const result = (places: Any, counts: Any, each: Any) => ({
    values: gather(source, places, { axis: along }),
    indices: places,
    inverse: each,
    counts,
    count,
  })
  if (sorted) return result(first, often, inverse) as never
  // Values in the order in which they first appear: their ranks among the positions of all firsts.
  const appears = scatterElements(full('bool', [extent], 0) as Any, order, starts) as Any
  const { positions: places } = truePositions(op, appears, extent)
  const rank = sub(cumSum(cast(appears, 'i64') as Any, { axis: 0 }) as Any, 1) as Any
  const groupAt = gather(inverse, places) as Any
  return result(
    where(isFilled, places, 0) as Any,
    where(isFilled, gather(often, groupAt) as Any, 0) as Any,
    gather(rank, gather(first, inverse) as Any) as Any,
  ) as never
}

/** Elements of the parts along an axis, one row for each place in a part: numbers that compare as the elements do. */
function keysOf(source: Any, axis: number, extent: number, width: number): Any[] {
  const order = [...source.shape.keys()].filter((each: number) => each !== axis)
  const rows = reshape(transpose(source, [...order, axis]) as Any, [width, extent]) as Any
  const numbers = rows.dtype === 'bool' ? (cast(rows, 'u8') as Any) : rows
  return Array.from(
    { length: width },
    (_, i) => reshape(slice(numbers, { axis: 0, start: i, stop: i + 1 }) as Any, [extent]) as Any,
  )
}

/** Whether each part differs from the one before it; the first one does. */
function startsOf(sorted: readonly Any[], extent: number): Any {
  const first = full('bool', [1], 1) as Any
  // Parts without elements are all the same.
  if (sorted.length === 0) return concat([first, full('bool', [extent - 1], 0) as Any], { axis: 0 }) as Any
  if (extent === 1) return first
  const differs = sorted.map(
    (row) => notEqual(slice(row, { axis: 0, start: 1 }) as Any, slice(row, { axis: 0, stop: extent - 1 }) as Any) as Any,
  )
  const any =
    differs.length === 1
      ? differs[0]!
      : (greaterOrEqual(
          differs.map((each) => cast(each, 'i32') as Any).reduce((sum, each) => add(sum, each) as Any),
          1,
        ) as Any)
  return concat([first, any], { axis: 0 }) as Any
}

export interface SuppressionOptions {
  /** The most boxes of a class that are kept. Default: all. */
  readonly limit?: number
  /** A box is left out where it overlaps a better one more than this: a number, or a tensor of one. Default 0. */
  readonly iouThreshold?: number | Tensor<'f32'>
  /** Boxes take part whose scores are above it: a number, or a tensor of one. Default: all. */
  readonly scoreThreshold?: number | Tensor<'f32'>
  /** `corners`: `[y, x, y, x]` of two opposite corners; `center`: `[x, y, width, height]`. Default 'corners'. */
  readonly format?: 'corners' | 'center'
  /** Kept boxes of a class are cut to this number when the model runs, at most `limit` of them. */
  readonly most?: Tensor<'i32' | 'i64'>
}

/**
 * The boxes that overlap no better box of their class too much, best first (ONNX NonMaxSuppression 11).
 *
 * Rows of `indices` are `[batch, class, box]`, in the order of batches, then of classes, then of scores, equal ones in the order of boxes; behind the
 * count stand indices of some box. Overlap is intersection over union; boxes without an area overlap nothing, and those whose score is −∞ or NaN take no part.
 * @param boxes `[batch, boxes, 4]`, f32
 * @param scores `[batch, classes, boxes]`, f32
 * @param options `limit` of boxes of a class, default all; `iouThreshold`, default 0; `scoreThreshold`, default none; `format`, 'corners' or 'center', default
 *   'corners'; `most`: a limit that is known when the model runs
 */
export function nonMaxSuppression<S extends Tensor<'f32'>>(
  boxes: Tensor<'f32'>,
  scores: S,
  options?: SuppressionOptions,
): { readonly indices: Tensor<'i64', [any, 3]>; readonly count: Tensor<'i64', []> } {
  const op = 'nonMaxSuppression'
  const given = readOptions(op, options, ['limit', 'iouThreshold', 'scoreThreshold', 'format', 'most'])
  if (given.format !== undefined && given.format !== 'corners' && given.format !== 'center')
    reject('bad-attribute', `${op}: format must be 'corners' or 'center'`)
  const shape = shapeOf(scores, op, 'scores')
  if (shape.length !== 3) reject('rank-mismatch', `${op}: scores must be [batch, classes, boxes], got ${shape.length} dimensions`)
  const [batch, classes, count] = shape as [number, number, number]
  const limit = readLimit(op, given.limit, count)
  const threshold = (value: unknown): Any | undefined =>
    value === undefined || typeof value !== 'number' ? (value as Any | undefined) : (constant('f32', [], [value]) as Any)
  const operands = {
    boxes,
    scores,
    iouThreshold: threshold(given.iouThreshold ?? 0),
    scoreThreshold: threshold(given.scoreThreshold),
  }
  const packed = call('suppressedBoxes', operands, { most: limit, center: given.format === 'center' }, op)
  const rows = batch * classes
  const found = slice(packed, { axis: 2, start: limit }) as Any
  const most = given.most === undefined ? undefined : (reshape(cast(given.most as Any, 'i64') as Any, []) as Any)
  const kept = most ? (maximum(minimum(found, most) as Any, 0) as Any) : found
  const isKept = less(positionsOf(limit), kept) as Any
  const total = rows * limit
  const { positions, count: all } = truePositions(op, isKept, total)
  const places = gather(flat(slice(packed, { axis: 2, stop: limit }) as Any), positions) as Any
  const row = limit > 0 ? (div(positions, limit) as Any) : positions
  const columns = [
    classes > 1 ? (div(row, classes) as Any) : row,
    classes > 1 ? (mod(row, classes) as Any) : (mul(row, 0) as Any),
    places,
  ]
  const indices = concat(
    columns.map((column) => reshape(column, [total, 1]) as Any),
    { axis: 1 },
  )
  return { indices: indices as never, count: all as never }
}
