import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, range, reshaped } from './shared.ts'

/** A part of a cache replaced from an index on, one index for each sample (ONNX TensorScatter 24). */
const tensorScatter: OpRule = (c) => {
  const [past, update] = [c.input(0), c.input(1)]
  const axis = axisIn(c, c.int('axis', -2), dimsOf(past).length)
  const mode = c.text('mode', 'linear')
  if (mode !== 'linear' && mode !== 'circular') return c.unsupported(`mode '${mode}' is unknown`)
  if (axis === 0) return c.unsupported('its axis is that of the samples')
  const [extent, length] = [dimsOf(past)[axis]!, dimsOf(update)[axis]!]
  if (c.has(2)) return replacedFrom(c, past, update, c.input(2), axis, mode === 'circular')
  if (length === extent) return update
  return c.d.concat([update, c.d.slice(past, { axis, start: length }) as Value], { axis })
}

/** `past` with `update` in it, from index `first` of an axis on, which has a number for each sample; beyond the end from the front, if it is circular. */
export function replacedFrom(c: OpContext, past: Value, update: Value, first: Value, axis: number, circular = false): Value {
  const shape = dimsOf(past)
  const [extent, length] = [shape[axis]!, dimsOf(update)[axis]!]
  // An index vector for each row: its place in the dimensions before the axis, then that along it.
  const lead = shape.slice(0, axis)
  const along = [...lead, length]
  const rows = along.reduce((product, size) => product * size, 1)
  const begin = reshaped(c, castTo(c, first, 'i64'), [shape[0]!, ...along.slice(1).map(() => 1)])
  const steps = c.literal('i64', [...lead.map(() => 1), length], range(length))
  const sums = c.d.add(begin, steps) as Value
  const places = circular ? (c.d.mod(sums, extent) as Value) : sums
  const entry = (value: Value): Value => c.d.reshape(c.d.expand(value, along) as Value, [rows, 1]) as Value
  const position = (at: number): Value =>
    entry(
      c.literal(
        'i64',
        along.map((_, i) => (i === at ? lead[at]! : 1)),
        range(lead[at]!),
      ),
    )
  const indices = c.d.concat([...range(axis).map(position), entry(places)], { axis: 1 }) as Value
  return c.d.scatterNd(past, indices, reshaped(c, update, [rows, ...shape.slice(axis + 1)])) as Value
}

/** A convolution of each channel over what came before, which is handed on (ONNX CausalConvWithState 27). */
const causalConvolution: OpRule = (c) => {
  const [x, weight] = [c.input(0), c.input(1)]
  const [batch, channels, length] = dimsOf(x) as [number, number, number]
  const kept = dimsOf(weight)[2]! - 1
  const activation = c.text('activation', 'none')
  if (!['none', '', 'silu', 'swish'].includes(activation)) return c.unsupported(`activation '${activation}' is unknown`)
  const past = kept === 0 ? undefined : (c.optional(3) ?? (c.d.full(x.dtype, [batch, channels, kept], 0) as Value))
  const whole = past ? (c.d.concat([past, x], { axis: 2 }) as Value) : x
  const y = c.d.conv1d(whole, weight, c.optional(2), channels === 1 ? {} : { groups: channels }) as Value
  const activated = activation === 'silu' || activation === 'swish' ? c.d.silu(y) : y
  return [activated, c.wantsOutput(1) ? (c.d.slice(whole, { axis: 2, start: length, stop: length + kept }) as Value) : undefined]
}

export const swish = (c: OpContext, x: Value): Value => {
  const alpha = c.float('alpha', 1)
  return (alpha === 1 ? c.d.silu(x) : c.d.mul(x, c.d.sigmoid(c.d.mul(x, alpha) as Value) as Value)) as Value
}

export const generative: OpRules = {
  TensorScatter: tensorScatter,
  CausalConvWithState: causalConvolution,
  SwiGLU: (c) => c.d.mul(swish(c, c.input(0)), c.input(1)),
}
