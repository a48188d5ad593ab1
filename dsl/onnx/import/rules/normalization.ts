import { elementCount, sameShape } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, inputAs, range, reshaped } from './shared.ts'

const epsilonOf = (c: OpContext, fallback = 1e-5): { epsilon?: number } => {
  const epsilon = c.float('epsilon', fallback)
  return epsilon === 1e-5 ? {} : { epsilon }
}

/** Training takes the statistics of the batch, and moves the recorded ones towards them. */
function batchStatistics(c: OpContext): readonly (Value | undefined)[] {
  const x = c.input(0)
  const axes = range(dimsOf(x).length).filter((axis) => axis !== 1)
  const [mean, variance] = [c.d.mean(x, { axes }) as Value, c.d.variance(x, { axes }) as Value]
  const parameter = (i: number) => inputAs(c, i, x.dtype)
  const momentum = c.float('momentum', 0.9)
  const moved = (output: number, input: number, value: Value): Value | undefined => {
    if (!c.wantsOutput(output)) return undefined
    const recorded = c.input(input)
    return c.d.add(
      c.d.mul(recorded, momentum) as Value,
      c.d.mul(castTo(c, value, recorded.dtype), 1 - momentum) as Value,
    ) as Value
  }
  return [
    c.d.batchNorm(x, parameter(1), parameter(2), mean, variance, epsilonOf(c)) as Value,
    moved(1, 3, mean),
    moved(2, 4, variance),
  ]
}

/** Inference takes the recorded statistics; outputs behind the first belong to training (ONNX BatchNormalization 7 to 15). */
const batchNormalization: OpRule = (c) => {
  if (c.int('training_mode', 0) !== 0) return batchStatistics(c)
  if (c.int('spatial', 1) === 0) return c.unsupported('spatial=0 is not supported')
  const x = c.input(0)
  const parameter = (i: number) => inputAs(c, i, x.dtype)
  return c.d.batchNorm(x, parameter(1), parameter(2), parameter(3), parameter(4), epsilonOf(c))
}

/** A parameter in the shape of the last dimensions; undefined where it broadcasts in another way. */
function trailing(c: OpContext, value: Value, shape: readonly number[]): Value | undefined {
  if (sameShape(dimsOf(value), shape)) return value
  const alike =
    elementCount(dimsOf(value)) === elementCount(shape) &&
    dimsOf(value).every((extent, i, all) => all.length <= shape.length || i >= all.length - shape.length || extent === 1)
  return alike &&
    dimsOf(value)
      .filter((e) => e !== 1)
      .join() === shape.filter((e) => e !== 1).join()
    ? reshaped(c, value, shape)
    : undefined
}

/** Layer normalisation over the last dimensions from `axis` on. */
export function layerNormOf(
  c: OpContext,
  x: Value,
  axis: number,
  scale: Value | undefined,
  shift: Value | undefined,
  epsilon: { epsilon?: number },
): Value {
  const shape = dimsOf(x).slice(axis)
  const options = { ...(shape.length !== 1 && { dims: shape.length }), ...epsilon }
  const [factor, summand] = [
    scale && trailing(c, castTo(c, scale, x.dtype), shape),
    shift && trailing(c, castTo(c, shift, x.dtype), shape),
  ]
  if ((!scale || factor) && (!shift || (factor && summand))) return c.d.layerNorm(x, factor, summand, options)
  const plain = c.d.layerNorm(x, undefined, undefined, options)
  const multiplied = scale ? c.d.mul(plain, castTo(c, scale, x.dtype)) : plain
  return shift ? c.d.add(multiplied, castTo(c, shift, x.dtype)) : multiplied
}

export function rmsNormOf(c: OpContext, x: Value, axis: number, scale: Value | undefined, epsilon: { epsilon?: number }): Value {
  const shape = dimsOf(x).slice(axis)
  const options = { ...(shape.length !== 1 && { dims: shape.length }), ...epsilon }
  const factor = scale && trailing(c, castTo(c, scale, x.dtype), shape)
  if (!scale || factor) return c.d.rmsNorm(x, factor, options)
  return c.d.mul(c.d.rmsNorm(x, undefined, options), castTo(c, scale, x.dtype))
}

/** Statistics that LayerNormalization gives beside its result, in f32 as a rule: the mean, and 1 / √(variance + epsilon). */
function statistics(c: OpContext, input: Value, axis: number): readonly (Value | undefined)[] {
  if (!c.wantsOutput(1) && !c.wantsOutput(2)) return []
  const x = c.int('stash_type', 1) === 1 ? castTo(c, input, 'f32') : input
  const axes = range(dimsOf(x).length).slice(axis)
  const options = { axes, keepDims: true }
  const epsilon = c.float('epsilon', 1e-5)
  const mean = c.wantsOutput(1) ? (c.d.mean(x, options) as Value) : undefined
  const inverse = c.wantsOutput(2) ? c.d.rsqrt(c.d.add(c.d.variance(x, options) as Value, epsilon) as Value) : undefined
  return [mean, inverse]
}

export const layerNormalization: OpRule = (c) => {
  const x = c.input(0)
  const axis = axisIn(c, c.int('axis', -1), dimsOf(x).length)
  return [layerNormOf(c, x, axis, c.optional(1), c.optional(2), epsilonOf(c)), ...statistics(c, x, axis)]
}

export const rmsNormalization: OpRule = (c) => {
  const x = c.input(0)
  const axis = axisIn(c, c.int('axis', -1), dimsOf(x).length)
  return rmsNormOf(c, x, axis, c.optional(1), epsilonOf(c))
}

/** Before opset 21 scale and bias belong to groups, then to channels. */
const groupNormalization: OpRule = (c) => {
  const x = c.input(0)
  const groups = c.int('num_groups')
  const channels = dimsOf(x)[1] ?? c.unsupported('the input has no channels')
  const options = { groups, ...epsilonOf(c) }
  const parameter = (i: number): Value => {
    const value = castTo(c, c.input(i), x.dtype)
    if (dimsOf(value)[0] === channels) return value
    const repeated = c.d.expand(c.d.reshape(value, [groups, 1]) as Value, [groups, channels / groups])
    return c.d.reshape(repeated as Value, [channels]) as Value
  }
  return c.d.groupNorm(x, parameter(1), parameter(2), options)
}

export const normalizations: OpRules = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  // Written by exporters into the standard domain before opset 23 had it.
  SimplifiedLayerNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: (c) => c.d.instanceNorm(c.input(0), c.input(1), c.input(2), epsilonOf(c)),
}
