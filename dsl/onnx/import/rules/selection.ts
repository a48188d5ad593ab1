import { elementCount } from '../../../../compiler/graph/index.ts'
import { withBounds } from '../bounded/values.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, reshaped } from './shared.ts'

/** How many there may be of what data picks, where whoever imports says it. */
const limitIn = (c: OpContext): { readonly limit?: number } => {
  const limit = c.limit(c.node.outputs.find((name) => name !== '') ?? '')
  return limit === undefined ? {} : { limit }
}

const openAt = (c: OpContext, value: Value, axis: number, count: Value): Value =>
  withBounds(
    c,
    value,
    dimsOf(value).map((high, i) => (i === axis ? { value: count, low: 0, high } : undefined)),
  )

/** Positions of the elements that are not 0, one column for each. A single element is looked at as one of a list (ONNX NonZero 13). */
const nonZero: OpRule = (c) => {
  const { shape } = c.typeOf(0)
  const values = c.isConstant(0) ? c.numbers(0) : undefined
  if (!values) {
    const { indices, count } = c.d.nonZero(shape.length === 0 ? (c.d.reshape(c.input(0), [1]) as Value) : c.input(0), limitIn(c))
    return openAt(c, indices as Value, 1, count as Value)
  }
  const found = values.flatMap((value, i) => (value !== 0 ? [i] : []))
  const rows = shape.map((extent, axis) => {
    const inner = elementCount(shape.slice(axis + 1))
    return found.map((i) => Math.floor(i / inner) % extent)
  })
  return c.constant('i64', [shape.length, found.length], rows.flat())
}

/** Parts of an axis picked by a condition (ONNX Compress 11). */
const compress: OpRule = (c) => {
  const given = c.node.attributes.has('axis')
  const x = c.input(0)
  const axis = given ? axisIn(c, c.int('axis'), dimsOf(x).length) : undefined
  if (!c.isConstant(1)) {
    const { values, count } = c.d.compress(x, c.input(1), { ...limitIn(c), ...(axis !== undefined && { axis }) })
    return openAt(c, values as Value, axis ?? 0, count as Value)
  }
  const condition = c.numbers(1) ?? c.unsupported('it has no condition')
  const whole = axis === undefined ? reshaped(c, x, [elementCount(c.typeOf(0).shape)]) : x
  const kept = condition.flatMap((value, i) => (value !== 0 && i < dimsOf(whole)[axis ?? 0]! ? [i] : []))
  return c.d.gather(whole, c.literal('i64', [kept.length], kept), { axis: axis ?? 0 })
}

/** What occurs, each once (ONNX Unique 11). */
const unique: OpRule = (c) => {
  const x = c.input(0)
  const axis = c.node.attributes.has('axis') ? axisIn(c, c.int('axis'), dimsOf(x).length) : undefined
  const sorted = c.int('sorted', 1) !== 0
  const options = { ...(axis !== undefined && { axis }), ...(!sorted && { sorted }) }
  const { values, indices, inverse, counts, count } = c.d.unique(x, options)
  const open = (value: unknown, along: number) => openAt(c, value as Value, along, count as Value)
  return [open(values, axis ?? 0), open(indices, 0), inverse as Value, open(counts, 0)]
}

/** ONNX NonMaxSuppression 11. Without a number of boxes none is kept. */
const nonMaxSuppression: OpRule = (c) => {
  const one = (i: number): Value | number | undefined => {
    if (!c.has(i)) return undefined
    const values = c.isConstant(i) ? c.numbers(i) : undefined
    return values ? values[0] : (c.d.reshape(c.input(i), []) as Value)
  }
  const boxes = dimsOf(c.input(0))[1]!
  const most = c.has(2) ? one(2)! : 0
  const limit = typeof most === 'number' ? Math.max(0, Math.min(most, boxes)) : boxes
  const [iouThreshold, scoreThreshold] = [one(3), one(4)]
  const { indices, count } = c.d.nonMaxSuppression(castTo(c, c.input(0), 'f32') as never, castTo(c, c.input(1), 'f32') as never, {
    ...(limit < boxes && { limit }),
    ...(iouThreshold !== undefined && iouThreshold !== 0 && { iouThreshold: iouThreshold as never }),
    ...(scoreThreshold !== undefined && { scoreThreshold: scoreThreshold as never }),
    ...(c.int('center_point_box', 0) !== 0 && { format: 'center' as const }),
    ...(typeof most !== 'number' && { most: most as never }),
  })
  const whole = openAt(c, indices as Value, 0, count as Value)
  const { limit: rows } = limitIn(c)
  if (rows === undefined || rows >= dimsOf(whole)[0]!) return whole
  // What is beyond the limit is a fault, which picking by a condition tells.
  const kept = c.d.compress(indices as Value, c.d.countMask(count as never, dimsOf(whole)[0]!), { axis: 0, limit: rows })
  return openAt(c, kept.values as Value, 0, kept.count as Value)
}

export const selections: OpRules = {
  NonZero: nonZero,
  Compress: compress,
  Unique: unique,
  NonMaxSuppression: nonMaxSuppression,
}
