import { isFloat, reject } from '../compiler/graph/index.ts'
import { clamp } from './activation.ts'
import { isPlainObject, maximumOperands, readBoolean, readInteger, readList, readNumber, readOptions } from './check.ts'
import { less, where } from './comparison.ts'
import { constant } from './constant.ts'
import { add, cast, div, exp, mul, sub } from './elementwise.ts'
import { concat } from './join.ts'
import { argMax, topK } from './order.ts'
import { gather, slice } from './parts.ts'
import { max } from './reduce.ts'
import { reshape } from './reshape.ts'
import { nonMaxSuppression } from './selection.ts'
import type { Tensor } from './tensor.ts'
import { describe, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>
const typeOf = (value: unknown, op: string, operand: string) => nodeOf(value, op, operand).type

/** Four numbers above 0. */
function readFactors(op: string, name: string, value: unknown): readonly number[] {
  const list = value === undefined ? [1, 1, 1, 1] : readList(op, name, value, 4)
  if (list.length !== 4) reject('bad-attribute', `${op}: ${name} needs 4 entries, got ${list.length}`)
  return Array.from(list, (entry, i) => {
    const factor = readNumber(op, `${name}[${i}]`, entry, 1)
    return factor > 0 && factor < Number.POSITIVE_INFINITY
      ? factor
      : reject('bad-attribute', `${op}: ${name}[${i}] must be above 0 and finite, got ${factor}`)
  })
}

export interface DecodeOptions {
  /** What deltas are divided by: of x, y, width and height. Default [1, 1, 1, 1]. */
  readonly weights?: readonly [number, number, number, number]
  /** The most that the delta of a width or height may be before its exponential is taken. Default log(1000 / 16). */
  readonly largest?: number
  /** Whether a box of left 2 and right 4 is three wide, as in Caffe2's legacy form, and not two. Default false. */
  readonly inclusive?: boolean
}
/**
 * Boxes moved and stretched by what a detector says of them.
 *
 * The centre moves by delta · size / weight, the size grows by e^(delta / weight) (Glow and Caffe2 BBoxTransform, torchvision's BoxCoder).
 * @param boxes `[boxes, 4]`: left, top, right and bottom, float
 * @param deltas `[boxes, 4 · classes]`: of x, y, width and height for each class, the same element type
 * @param options `weights`, default [1, 1, 1, 1]; `largest`, default log(1000 / 16); `inclusive`, default false
 */
export function decodeBoxes<B extends Tensor, D extends Tensor>(
  boxes: Guard<FloatProblem<'decodeBoxes', B>, B>,
  deltas: D,
  options?: DecodeOptions,
): D {
  const op = 'decodeBoxes'
  const given = readOptions(op, options, ['weights', 'largest', 'inclusive'])
  const [own, moves] = [typeOf(boxes, op, 'boxes'), typeOf(deltas, op, 'deltas')]
  const [count, width] = moves.shape as [number, number]
  if (!isFloat(own.dtype) || own.dtype !== moves.dtype)
    reject('dtype-mismatch', `${op}: boxes is ${own.dtype}, deltas is ${moves.dtype}; both must be of one float type`)
  if (own.shape.length !== 2 || own.shape[1] !== 4)
    reject('shape-mismatch', `${op}: boxes must be [boxes, 4], got [${own.shape.join(', ')}]`)
  if (moves.shape.length !== 2 || count !== own.shape[0] || width % 4 !== 0)
    reject('shape-mismatch', `${op}: deltas must be [${own.shape[0]}, 4 · classes], got [${moves.shape.join(', ')}]`)
  const weights = readFactors(op, 'weights', given.weights)
  const largest = readNumber(op, 'largest', given.largest, Math.log(1000 / 16))
  const extra = readBoolean(op, 'inclusive', given.inclusive, false) ? 1 : 0
  const corner = (i: number) => slice(boxes as Any, { axis: 1, start: i, stop: i + 1 }) as Any
  const perClass = reshape(deltas as Any, [count, width / 4, 4]) as Any
  const delta = (i: number) => {
    const part = reshape(slice(perClass, { axis: 2, start: i, stop: i + 1 }) as Any, [count, width / 4]) as Any
    return weights[i] === 1 ? part : (div(part, weights[i]!) as Any)
  }
  const ends = ([0, 1] as const).map((axis) => {
    const size = add(sub(corner(axis + 2), corner(axis)) as Any, extra) as Any
    const centre = add(corner(axis), mul(size, 0.5) as Any) as Any
    const middle = add(mul(delta(axis), size) as Any, centre) as Any
    const half = mul(exp(clamp(delta(axis + 2), { maximum: largest })) as Any, mul(size, 0.5) as Any) as Any
    return [sub(middle, half) as Any, sub(add(middle, half) as Any, extra) as Any] as const
  })
  const columns = [ends[0]![0], ends[1]![0], ends[0]![1], ends[1]![1]].map((part) => reshape(part, [count, width / 4, 1]) as Any)
  return reshape(concat(columns, { axis: 2 }) as Any, [count, width]) as never
}

/**
 * The best boxes of several levels of a network, with the best first (Glow and Caffe2 CollectRpnProposals).
 * @param boxes a list of `[boxes, columns]`, one for each level, equal in element type and columns
 * @param scores a list of `[boxes]` or `[boxes, 1]`, one for each level, floats
 * @param limit of boxes, at most as many as there are
 */
export function collectProposals(
  boxes: readonly Tensor[],
  scores: readonly Tensor[],
  limit: number,
): { readonly boxes: Tensor<any, [any, any]>; readonly scores: Tensor<any, [any]> } {
  const op = 'collectProposals'
  const lists = [boxes, scores].map((list, i) =>
    Array.from(readList(op, i === 0 ? 'boxes' : 'scores', list, maximumOperands, 'bad-operand')),
  )
  const [levels, ratings] = lists as [unknown[], unknown[]]
  if (levels.length === 0 || levels.length !== ratings.length)
    reject('bad-operand', `${op}: boxes and scores need one entry for each level, got ${levels.length} and ${ratings.length}`)
  const flat = ratings.map((rating, i) => {
    const [rows, ...more] = typeOf(rating, op, `scores[${i}]`).shape
    const own = typeOf(levels[i], op, `boxes[${i}]`).shape
    if (own.length !== 2 || rows !== own[0] || more.some((extent) => extent !== 1))
      reject('shape-mismatch', `${op}: scores[${i}] must be [${own[0]}] for boxes of [${own.join(', ')}]`)
    return reshape(rating as Any, [rows!]) as Any
  })
  const all = concat(levels as Any[], { axis: 0 }) as Any
  const best = topK(concat(flat, { axis: 0 }) as Any, readInteger(op, 'limit', limit, 0), { axis: 0 })
  return { boxes: gather(all, best.indices as Any) as never, scores: best.values as never }
}

export interface DetectionOptions {
  /** The most boxes in the result. */
  readonly limit: number
  /** What encodings are divided by: of y, x, height and width, such as [10, 10, 5, 5]. Default [1, 1, 1, 1]. */
  readonly scales?: readonly [number, number, number, number]
  /** A box is left out where it overlaps a better one more than this. Default 0.5. */
  readonly iouThreshold?: number
  /** Boxes take part whose scores are above it. Default: all. */
  readonly scoreThreshold?: number
  /** How many classes at the front are no objects. Default 1. */
  readonly background?: number
}
/**
 * Boxes of a detector with anchors: decoded, each with its best class, those that overlap better ones left out.
 *
 * TFLite_Detection_PostProcess in its fast form. Results are as many as `limit`: `boxes` `[1, limit, 4]` as top, left, bottom and right,
 * `classes` and `scores` `[1, limit]`, zeros behind the `count` `[]` of them that there are.
 * @param encodings `[1, boxes, 4]`: of y, x, height and width, f32
 * @param scores `[1, boxes, background + classes]`, f32
 * @param anchors `[boxes, 4]`: centre y and x, height and width, f32
 * @param options `limit`; `scales`, default [1, 1, 1, 1]; `iouThreshold`, default 0.5; `scoreThreshold`, default none; `background`, default 1
 */
export function detectBoxes(
  encodings: Tensor<'f32'>,
  scores: Tensor<'f32'>,
  anchors: Tensor<'f32'>,
  options: DetectionOptions,
): {
  readonly boxes: Tensor<'f32', [1, any, 4]>
  readonly classes: Tensor<'i64', [1, any]>
  readonly scores: Tensor<'f32', [1, any]>
  readonly count: Tensor<'i64', []>
} {
  const op = 'detectBoxes'
  if (!isPlainObject(options)) reject('bad-attribute', `${op}: options must be an object with limit, got ${describe(options)}`)
  const given = readOptions(op, options, ['limit', 'scales', 'iouThreshold', 'scoreThreshold', 'background'])
  const types = Object.entries({ encodings, scores, anchors }).map(([name, value]) => [name, typeOf(value, op, name)] as const)
  for (const [name, { dtype }] of types)
    if (dtype !== 'f32') reject('dtype-mismatch', `${op}: ${name} is ${dtype}; accepted: f32`)
  const [code, score, anchor] = types.map(([, { shape }]) => shape) as [readonly number[], readonly number[], readonly number[]]
  const count = anchor[0] ?? 0
  const background = readInteger(op, 'background', given.background ?? 1, 0)
  if (anchor.length !== 2 || anchor[1] !== 4 || code.join() !== `1,${count},4`)
    reject(
      'shape-mismatch',
      `${op}: encodings must be [1, boxes, 4] and anchors [boxes, 4], got [${code.join(', ')}] and [${anchor.join(', ')}]`,
    )
  if (score.length !== 3 || score[0] !== 1 || score[1] !== count || !(score[2]! > background))
    reject('shape-mismatch', `${op}: scores must be [1, ${count}, ${background} + classes], got [${score.join(', ')}]`)
  const limit = Math.min(readInteger(op, 'limit', given.limit, 1), count)
  const scales = readFactors(op, 'scales', given.scales)
  const column = (value: Any, i: number) => slice(value, { axis: 1, start: i, stop: i + 1 }) as Any
  const part = (i: number) => div(column(reshape(encodings as Any, [count, 4]) as Any, i), scales[i]!) as Any
  const own = (i: number) => column(anchors as Any, i)
  const ends = [0, 1].map((axis) => {
    const centre = add(mul(part(axis), own(axis + 2)) as Any, own(axis)) as Any
    const half = mul(mul(exp(part(axis + 2)) as Any, own(axis + 2)) as Any, 0.5) as Any
    return [sub(centre, half) as Any, add(centre, half) as Any] as const
  })
  const corners = concat([ends[0]![0], ends[1]![0], ends[0]![1], ends[1]![1]], { axis: 1 }) as Any
  const objects = reshape(slice(scores as Any, { axis: 2, start: background }) as Any, [count, score[2]! - background]) as Any
  const best = max(objects, { axes: 1 }) as Any
  const kept = nonMaxSuppression(reshape(corners, [1, count, 4]) as Any, reshape(best, [1, 1, count]) as Any, {
    limit,
    iouThreshold: readNumber(op, 'iouThreshold', given.iouThreshold, 0.5),
    ...(given.scoreThreshold !== undefined && { scoreThreshold: readNumber(op, 'scoreThreshold', given.scoreThreshold, 0) }),
  })
  const picks = reshape(slice(kept.indices as Any, { axis: 1, start: 2, stop: 3 }) as Any, [limit]) as Any
  const there = less(
    constant(
      'i64',
      [limit],
      Array.from({ length: limit }, (_, i) => i),
    ),
    cast(kept.count as Any, 'i64') as Any,
  ) as Any
  const picked = (value: Any, shape: readonly number[]): Any =>
    reshape(where(reshape(there, [limit, ...shape.slice(2).map(() => 1)]) as Any, gather(value, picks) as Any, 0) as Any, [
      ...shape,
    ]) as Any
  return {
    boxes: picked(corners, [1, limit, 4]) as never,
    classes: picked(argMax(objects, { axis: 1 }) as Any, [1, limit]) as never,
    scores: picked(best, [1, limit]) as never,
    count: kept.count as never,
  }
}
