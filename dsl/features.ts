// What recommendation models do to their features before and behind look-ups.
import { elementCount, reject } from '../compiler/graph/index.ts'
import { clamp } from './activation.ts'
import {
  maximumOperands,
  readAxes,
  readAxis,
  readBoolean,
  readInteger,
  readIntegers,
  readList,
  readNumber,
  readOptions,
} from './check.ts'
import { equal, less, lessOrEqual, where } from './comparison.ts'
import { constant } from './constant.ts'
import { add, cast, div, isNaN as isNaNOf, log, maximum, not, pow, sub } from './elementwise.ts'
import { scatterNd } from './indexing.ts'
import { concat, stack } from './join.ts'
import { gather, slice } from './parts.ts'
import { matmul } from './product.ts'
import { sum } from './reduce.ts'
import { reshape, transpose, unsqueeze } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { nodeOf, shapeOf } from './tracer.ts'

type Any = Tensor<any, any>
type Float = 'f32' | 'f64' | 'f16' | 'bf16'
type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'

/**
 * Box-Cox transformation of the columns of a matrix.
 *
 * v = max(x + lambda2, epsilon), then log(v) where lambda1 is 0 and (v^lambda1 − 1) / lambda1 elsewhere (Caffe2 BatchBoxCox; Glow adds 1e-6 to that
 * divisor).
 *
 * @param input `[batch, width]`, floats
 * @param lambda1 `[width]`, the element type of input
 * @param lambda2 `[width]`, the element type of input
 * @param options `epsilon`, the least that is transformed, default 1e-6
 */
export function batchBoxCox<X extends Tensor<Float>>(
  input: X,
  lambda1: Tensor<Float>,
  lambda2: Tensor<Float>,
  options?: { readonly epsilon?: number },
): Tensor<X['dtype'], X['shape']> {
  const op = 'batchBoxCox'
  const epsilon = readNumber(op, 'epsilon', readOptions(op, options, ['epsilon']).epsilon, 1e-6)
  const [x, first, second] = [input as Any, lambda1 as Any, lambda2 as Any]
  const v = maximum(add(x, second) as Any, epsilon) as Any
  const isLog = equal(first, 0) as Any
  // Where the logarithm is taken, the other side divides by something else than 0.
  const power = where(isLog, 1, first) as Any
  return where(isLog, log(v), div(sub(pow(v, power) as Any, 1) as Any, power) as Any) as never
}

/**
 * Which interval between boundaries each element is in: the number of boundaries that are below it.
 *
 * Element x is in bucket i where boundaries[i − 1] < x ≤ boundaries[i]; with `right`, where boundaries[i − 1] ≤ x < boundaries[i] (PyTorch bucketize; Glow
 * Bucketize counts as with `right`). NaN is behind all boundaries.
 *
 * @param input any shape, any number type
 * @param boundaries `[boundaries]`, ascending, the element type of input, or a list of numbers
 * @param options `right`: whether an element that equals a boundary is behind it, default false
 */
export function bucketize<X extends Tensor>(
  input: X,
  boundaries: Tensor | readonly number[],
  options?: { readonly right?: boolean },
): Tensor<'i32', X['shape']> {
  const op = 'bucketize'
  const right = readBoolean(op, 'right', readOptions(op, options, ['right']).right, false)
  const { dtype } = nodeOf(input, op, 'input').type
  const list = Array.isArray(boundaries)
    ? (constant(dtype, [readList(op, 'boundaries', boundaries, 2 ** 16).length], boundaries as never) as Any)
    : (boundaries as Any)
  if (nodeOf(list, op, 'boundaries').type.shape.length !== 1) reject('rank-mismatch', `${op}: boundaries must be a list`)
  const x = unsqueeze(input, { axes: [-1] }) as Any
  // What is not below, or not at and below: neither holds for NaN.
  const behind = not((right ? less(x, list) : lessOrEqual(x, list)) as Any) as Any
  return sum(cast(behind, 'i32') as Any, { axes: -1 }) as never
}

/**
 * Columns of a matrix compared with lists of values, each with its own: 1 where an element is the value, 0 elsewhere (Caffe2 BatchOneHot).
 *
 * @param input `[batch, width]`, any element type
 * @param lengths how many values each of the columns has
 * @param values `[sum of lengths]`, those of the first column, then those of the second; the element type of input
 */
export function batchOneHot<X extends Tensor>(input: X, lengths: readonly number[], values: Tensor): Tensor<X['dtype'], any> {
  const op = 'batchOneHot'
  const { shape, dtype } = nodeOf(input, op, 'input').type
  if (shape.length !== 2) reject('rank-mismatch', `${op}: input must be [batch, width], got [${shape.join(', ')}]`)
  const counts = readIntegers(op, 'lengths', lengths, 0, shape[1]!)
  const columns = counts.flatMap((count, column) => new Array<number>(count).fill(column))
  const wide = gather(input, constant('i32', [columns.length], columns) as never, { axis: 1 }) as Any
  return cast(equal(wide, values as Any) as Any, dtype) as never
}

/**
 * Updates added to parts of a tensor along an axis, one after the other (PyTorch index_add).
 *
 * @param input any shape of at least one dimension, any number type
 * @param indices `[count]`, which part each update is added to; negative ones count from the end
 * @param updates shaped like input, but `count` along the axis
 * @param options `axis`, default 0
 */
export function indexAdd<X extends Tensor>(
  input: X,
  indices: Tensor<Index>,
  updates: Tensor,
  options?: { readonly axis?: number },
): Tensor<X['dtype'], X['shape']> {
  const op = 'indexAdd'
  const rank = shapeOf(input, op).length
  const axis = readAxis(op, readOptions(op, options, ['axis']).axis ?? 0, rank)
  const order = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)]
  const turned = (value: Any): Any => (axis === 0 ? value : (transpose(value, order) as Any))
  const added = scatterNd(turned(input as Any), unsqueeze(indices, { axes: [-1] }) as never, turned(updates as Any) as never, {
    reduction: 'add',
  }) as Any
  return (
    axis === 0
      ? added
      : transpose(
          added,
          order.map((_, i) => order.indexOf(i)),
        )
  ) as never
}

/**
 * Dot products of all pairs of vectors: how features of a recommendation model interact (Glow BatchedPairwiseDotProduct, DLRM).
 *
 * Pairs are in the order (1, 0), (2, 0), (2, 1), (3, 0), …
 *
 * @param inputs two or more, each `[batch, width]`, floats
 */
export function pairwiseDotProducts<T extends readonly Tensor<Float>[]>(
  inputs: readonly [...T],
): Tensor<T[number]['dtype'], any> {
  const op = 'pairwiseDotProducts'
  const count = readList(op, 'inputs', inputs, maximumOperands, 'bad-operand').length
  if (count < 2) reject('bad-operand', `${op}: inputs needs at least two tensors`)
  const vectors = stack(inputs as readonly Any[], { axis: 1 }) as Any
  const products = matmul(vectors, transpose(vectors, [0, 2, 1]) as never) as Any
  const [batch] = shapeOf(vectors, op)
  const pairs = Array.from({ length: count }, (_, i) => Array.from({ length: i }, (_, j) => i * count + j)).flat()
  const flat = reshape(products, [batch!, count * count]) as Any
  return gather(flat, constant('i32', [pairs.length], pairs) as never, { axis: 1 }) as never
}

/**
 * log(x / (1 − x)) of each element.
 *
 * @param input any shape, floats
 * @param options `epsilon`: elements are limited to epsilon … 1 − epsilon first, default not at all (Glow and Caffe2 Logit: 1e-6)
 */
export function logit<X extends Tensor<Float>>(
  input: X,
  options?: { readonly epsilon?: number },
): Tensor<X['dtype'], X['shape']> {
  const { epsilon: given } = readOptions('logit', options, ['epsilon'])
  const epsilon = given === undefined ? undefined : readNumber('logit', 'epsilon', given, 0)
  const x = (epsilon === undefined ? input : clamp(input, { minimum: epsilon, maximum: 1 - epsilon })) as Any
  return log(div(x, sub(1, x) as Any) as Any) as never
}

/**
 * Elements that are not a number replaced by one that is.
 *
 * @param input any shape, floats
 * @param value what stands in their place, default 0
 */
export function replaceNaN<X extends Tensor<Float>>(input: X, value?: number): Tensor<X['dtype'], X['shape']> {
  return where(
    isNaNOf(input) as Any,
    value === undefined ? 0 : readNumber('replaceNaN', 'value', value, 0),
    input as Any,
  ) as never
}

/**
 * Elements in reverse order along axes.
 *
 * @param input any shape, any element type
 * @param options `axes`, one or several
 */
export function flip<X extends Tensor>(
  input: X,
  options: { readonly axes: number | readonly number[] },
): Tensor<X['dtype'], X['shape']> {
  const op = 'flip'
  const axes = readAxes(op, readOptions(op, options, ['axes']).axes, shapeOf(input, op).length)
  return axes.reduce<Any>((value, axis) => slice(value, { axis, start: -1, step: -1 }) as Any, input as Any) as never
}

/**
 * A tensor with another in place of a part of it, perhaps several times one behind the other (Glow InsertTensor).
 *
 * @param input any shape, any element type
 * @param part the element type of input, of as many dimensions
 * @param options `start`, where the part begins along each dimension; `count`, how often it stands there, default 1; `axis` along which
 *   it is repeated, default 0
 */
export function insertTensor<X extends Tensor>(
  input: X,
  part: Tensor,
  options: { readonly start: readonly number[]; readonly count?: number; readonly axis?: number },
): Tensor<X['dtype'], X['shape']> {
  const op = 'insertTensor'
  const given = readOptions(op, options, ['start', 'count', 'axis'])
  const shape = shapeOf(input, op)
  const start = readIntegers(op, 'start', given.start, 0, shape.length)
  const axis = given.axis === undefined ? 0 : readAxis(op, given.axis, shape.length)
  const count = given.count === undefined ? 1 : readInteger(op, 'count', given.count, 1)
  if (count > maximumOperands) reject('too-large', `${op}: count ${count} is above the limit of ${maximumOperands}`)
  const inner = count === 1 ? (part as Any) : (concat(new Array<Any>(count).fill(part as Any), { axis }) as Any)
  const own = nodeOf(inner, op, 'part').type.shape
  if (own.length !== shape.length || own.some((extent, i) => start[i]! + extent > shape[i]!))
    reject('shape-mismatch', `${op}: [${own.join(', ')}] from [${start.join(', ')}] on does not fit [${shape.join(', ')}]`)
  // From the last dimension outwards: what stands before and behind the part.
  const around = (value: Any, at: number): Any => {
    if (at < 0) return value
    const cut = (from: number, to: number): Any =>
      Array.from({ length: at + 1 }, (_, d) => d).reduce<Any>(
        (rest, d) =>
          slice(rest, {
            axis: d,
            ...(d === at ? { start: from, stop: to } : { start: start[d]!, stop: start[d]! + own[d]! }),
          }) as Any,
        input as Any,
      )
    const end = start[at]! + own[at]!
    const parts = [...(start[at]! > 0 ? [cut(0, start[at]!)] : []), value, ...(end < shape[at]! ? [cut(end, shape[at]!)] : [])]
    return around(parts.length === 1 ? value : (concat(parts, { axis: at }) as Any), at - 1)
  }
  return (elementCount(own) === 0 ? input : around(inner, shape.length - 1)) as never
}
