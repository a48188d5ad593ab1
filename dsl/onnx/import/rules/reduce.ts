import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axesOf, dimsOf, filled, range } from './shared.ts'

interface Options {
  readonly axes?: readonly number[]
  readonly keepDims?: boolean
}

/**
 * A reduction. Axes stand in an attribute up to opset 17 (ReduceSum: 12) and in input 1 later; none of them means all, or with
 * `noop_with_empty_axes` none: then `each` is what is left to do to every element.
 */
const reduction =
  (
    apply: (d: OpContext['d'], x: Value, options: Options | undefined) => Value,
    each: (d: OpContext['d'], x: Value) => Value = (_, x) => x,
    empty?: (dtype: Value['dtype']) => number,
  ): OpRule =>
  (c) => {
    const x = c.input(0)
    const shape = dimsOf(x)
    const given = axesOf(c, 1, shape.length)
    const none = given === undefined || given.length === 0
    if (none && c.int('noop_with_empty_axes', 0) !== 0) return each(c.d, x)
    const axes = none ? range(shape.length) : [...new Set(given)].sort((a, b) => a - b)
    const keepDims = c.int('keepdims', 1) !== 0
    if (empty && axes.some((axis) => shape[axis] === 0)) {
      const rest = shape.flatMap((extent, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [extent]))
      return filled(c, x.dtype, rest, empty(x.dtype))
    }
    const options = { ...(axes.length < shape.length && { axes }), ...(keepDims && { keepDims }) }
    return apply(c.d, x, options)
  }

/** The smallest and the largest element of a type: what a maximum and a minimum of nothing are. */
function lowest(dtype: Value['dtype']): number {
  if (dtype === 'bool' || dtype.startsWith('u')) return 0
  return dtype.startsWith('i') ? -(2 ** (Number(dtype.slice(1)) - 1)) : Number.NEGATIVE_INFINITY
}
function highest(dtype: Value['dtype']): number {
  if (dtype === 'bool') return 1
  const bits = Number(dtype.slice(1))
  if (dtype.startsWith('u')) return 2 ** bits - 1
  return dtype.startsWith('i') ? 2 ** (bits - 1) - 1 : Number.POSITIVE_INFINITY
}

/** Booleans are compared as bytes (ONNX ReduceMax 20). */
const throughBytes =
  (apply: (d: OpContext['d'], x: Value, options: Options | undefined) => Value) =>
  (d: OpContext['d'], x: Value, options: Options | undefined): Value =>
    x.dtype === 'bool' ? d.cast(apply(d, d.cast(x, 'u8'), options), 'bool') : apply(d, x, options)

/** Roots and logarithms of whole numbers are taken in f32 and truncated, as ONNX's reference does. */
const throughFloats =
  (apply: (d: OpContext['d'], x: Value, options: Options | undefined) => Value) =>
  (d: OpContext['d'], x: Value, options: Options | undefined): Value => {
    const whole = /^[iu]/.test(x.dtype)
    return whole ? d.cast(apply(d, d.cast(x, 'f32'), options), x.dtype) : apply(d, x, options)
  }

const softmaxLike =
  (apply: (d: OpContext['d'], x: Value, axis: number) => Value): OpRule =>
  (c) => {
    const x = c.input(0)
    const shape = dimsOf(x)
    const rank = shape.length
    const given = c.int('axis', c.opset < 13 ? 1 : -1)
    const axis = given < 0 ? given + rank : given
    if (axis < 0 || axis > rank || (axis === rank && c.opset >= 13))
      return c.unsupported(`axis ${given} is outside a tensor of rank ${rank}`)
    if (c.opset >= 13 || axis === rank - 1) return apply(c.d, x, axis)
    // Up to opset 12 all dimensions from the axis on count as one.
    if (shape.slice(axis + 1).every((extent) => extent === 1) && axis < rank) return apply(c.d, x, axis)
    const count = (list: readonly number[]) => list.reduce((a, b) => a * b, 1)
    const flat = c.d.reshape(x, [count(shape.slice(0, axis)), count(shape.slice(axis))])
    return c.d.reshape(apply(c.d, flat as Value, 1), [...shape])
  }

const along = (x: Value, axis: number) => (axis === dimsOf(x).length - 1 ? undefined : { axis })

/** Mean 0 and variance 1 over axes; the deviation gets 1e-9 added (ONNX MeanVarianceNormalization 13). */
const meanVariance: OpRule = (c) => {
  const { d } = c
  const x = c.input(0)
  const axes = c.ints('axes') ?? [0, 2, 3]
  const centred = d.sub(x, d.mean(x, { axes, keepDims: true }) as Value)
  const deviation = d.standardDeviation(x, { axes, keepDims: true })
  return d.div(centred as Value, d.add(deviation as Value, 1e-9) as Value)
}

/** A vector of norm 0 stays as it is (ONNX LpNormalization 22). */
const lpNormalization: OpRule = (c) => {
  const { d } = c
  const x = c.input(0)
  const axis = c.int('axis', -1)
  const p = c.int('p', 2)
  const options = { axes: [axis < 0 ? axis + dimsOf(x).length : axis], keepDims: true }
  if (p !== 1 && p !== 2) return c.unsupported(`p is ${p}, it must be 1 or 2`)
  const norm = (p === 1 ? d.l1Norm(x, options) : d.l2Norm(x, options)) as Value
  return d.div(x, d.where(d.equal(norm, 0) as Value, 1, norm) as Value)
}

export const reductions: OpRules = {
  ReduceSum: reduction((d, x, options) => d.sum(x, options)),
  ReduceProd: reduction((d, x, options) => d.prod(x, options)),
  ReduceMax: reduction(
    throughBytes((d, x, options) => d.max(x, options)),
    undefined,
    lowest,
  ),
  ReduceMin: reduction(
    throughBytes((d, x, options) => d.min(x, options)),
    undefined,
    highest,
  ),
  ReduceMean: reduction((d, x, options) => d.mean(x, options)),
  ReduceL1: reduction(
    (d, x, options) => d.l1Norm(x, options),
    (d, x) => d.abs(x),
    () => 0,
  ),
  ReduceL2: reduction(
    throughFloats((d, x, options) => d.l2Norm(x, options)),
    (d, x) => d.abs(x),
    () => 0,
  ),
  ReduceSumSquare: reduction(
    (d, x, options) => d.sumOfSquares(x, options),
    (d, x) => d.mul(x, x),
    () => 0,
  ),
  ReduceLogSum: reduction(
    throughFloats((d, x, options) => d.log(d.sum(x, options) as Value)),
    (d, x) => d.log(x),
    () => Number.NEGATIVE_INFINITY,
  ),
  ReduceLogSumExp: reduction(
    throughFloats((d, x, options) => d.logSumExp(x, options)),
    undefined,
    () => Number.NEGATIVE_INFINITY,
  ),
  Softmax: softmaxLike((d, x, axis) => d.softmax(x, along(x, axis))),
  LogSoftmax: softmaxLike((d, x, axis) => d.logSoftmax(x, along(x, axis))),
  Hardmax: softmaxLike((d, x, axis) => d.hardmax(x, along(x, axis))),
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNormalization,
}
