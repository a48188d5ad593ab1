import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { applyActivation } from './activation.ts'
import { difference, requantizeOptions, scaleProduct, zeroPointOption } from './quantized.ts'
import { dimsOf, reshaped } from './shared.ts'
import {
  autoPadOf,
  byAxes,
  channelsLast,
  convolutionOptions,
  paddingOf,
  padsOf,
  perAxis,
  spatialExtents,
  uniform,
  windowOf,
} from './window.ts'

/** Extents of the kernel of weight `[out, in / groups, …kernel]`; attribute `kernel_shape` may repeat them. */
function kernelOf(c: OpContext, weight: Value, axes: number): readonly number[] {
  const shape = dimsOf(weight)
  if (shape.length !== axes + 2) return c.unsupported(`its weight has ${shape.length} dimensions, its input ${axes + 2}`)
  const kernel = shape.slice(2)
  const given = c.ints('kernel_shape')
  if (given && given.length > 0 && given.join() !== kernel.join())
    return c.unsupported(`kernel_shape [${given.join(', ')}] is not that of the weight, [${kernel.join(', ')}]`)
  return kernel
}

const convolve = (c: OpContext): Value => {
  const [x, weight] = [c.input(0), c.input(1)]
  const extents = spatialExtents(c, x)
  const window = windowOf(c, extents, kernelOf(c, weight, extents.length))
  return byAxes(c, 'conv', extents.length)(x, weight, c.optional(2), convolutionOptions(c, window))
}

/** com.microsoft FusedConv: a convolution, a tensor that is added, an activation. */
const fusedConv: OpRule = (c) => {
  const y = convolve(c)
  const added = c.optional(3)
  return applyActivation(c, added ? (c.d.add(y, added) as Value) : y, c.floats('activation_params') ?? [])
}

/** Padding and what is added behind, as ONNX ConvTranspose 22 derives them where the shape of the result is given. */
function transposedPads(c: OpContext, extents: readonly number[], kernel: readonly number[]) {
  const axes = extents.length
  const stride = perAxis(c, 'strides', axes, 1)
  const dilation = perAxis(c, 'dilations', axes, 1)
  const extra = perAxis(c, 'output_padding', axes, 0)
  const auto = autoPadOf(c)
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER'
  const given = c.ints('output_shape')
  // Some exporters count batch and channels.
  const asked =
    given && given.length > 0 ? given.slice(-axes) : same ? extents.map((extent, i) => extent * stride[i]!) : undefined
  if (asked && asked.length !== axes) return c.unsupported(`output_shape has ${asked.length} entries for ${axes} spatial axes`)
  if (!asked)
    return {
      stride,
      dilation,
      extra,
      ...(auto === 'VALID' ? { before: kernel.map(() => 0), after: kernel.map(() => 0) } : padsOf(c, axes)),
    }
  const total = extents.map(
    (extent, i) => stride[i]! * (extent - 1) + extra[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - asked[i]!,
  )
  const taken = total.map((t) => Math.max(0, t))
  const half = taken.map((t) => Math.floor(t / 2))
  const rest = taken.map((t, i) => t - half[i]!)
  const [before, after] = auto === 'SAME_UPPER' ? [half, rest] : [rest, half]
  return { stride, dilation, before, after, extra: extra.map((e, i) => e + Math.max(0, -total[i]!)) }
}

const convTranspose: OpRule = (c) => {
  const [x, weight] = [c.input(0), c.input(1)]
  const extents = spatialExtents(c, x)
  const { stride, dilation, before, after, extra } = transposedPads(c, extents, kernelOf(c, weight, extents.length))
  const groups = c.int('group', 1)
  const unless = (list: readonly number[], value: number) => (list.every((entry) => entry === value) ? undefined : uniform(list))
  return byAxes(c, 'convTranspose', extents.length)(x, weight, c.optional(2), {
    stride: unless(stride, 1),
    padding: paddingOf({ before, after, same: false }),
    dilation: unless(dilation, 1),
    outputPadding: unless(extra, 0),
    groups: groups === 1 ? undefined : groups,
  })
}

/**
 * Convolution of integers less their zero points, those of the input and the weight at the given inputs. Zero points that depend on data
 * are subtracted before: padding adds nothing either way.
 */
function integerConvolution(
  c: OpContext,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  inputZero: number,
  weightZero: number,
): Value {
  const extents = spatialExtents(c, x)
  const window = windowOf(c, extents, kernelOf(c, weight, extents.length))
  const variable = (i: number) => c.has(i) && !c.isConstant(i)
  const [left, right] = [
    variable(inputZero) ? difference(c, x, c.input(inputZero)) : x,
    variable(weightZero) ? difference(c, weight, perOutput(c, c.input(weightZero), dimsOf(weight).length)) : weight,
  ]
  return c.d.convInteger(left as never, right as never, bias, {
    ...convolutionOptions(c, window),
    ...(!variable(inputZero) && zeroPointOption(c, inputZero, 'inputZeroPoint')),
    ...(!variable(weightZero) && zeroPointOption(c, weightZero, 'weightZeroPoint')),
  } as never) as Value
}

/** One for each output channel, so that it meets the first dimension of the weight. */
const perOutput = (c: OpContext, zero: Value, rank: number): Value =>
  dimsOf(zero).length === 1 ? reshaped(c, zero, [dimsOf(zero)[0]!, ...new Array<number>(rank - 1).fill(1)]) : zero

const convInteger: OpRule = (c) => integerConvolution(c, c.input(0), c.input(1), undefined, 2, 3)

/** Inputs: x, scale, zero point, w, scale, zero point, scale and zero point of the result, bias in i32?. */
const qlinearConv: OpRule = (c) => {
  const sums = integerConvolution(c, c.input(0), c.input(3), c.optional(8), 2, 5)
  return c.d.requantize(sums as never, requantizeOptions(c, scaleProduct(c, 1, 4), 6, 1)) as Value
}

export const convolution: OpRules = {
  Conv: convolve,
  ConvTranspose: convTranspose,
  ConvInteger: convInteger,
  QLinearConv: qlinearConv,
}

/** com.microsoft QLinearConv is ONNX's, with channels last where it says so. */
export const contribConvolution: OpRules = { FusedConv: fusedConv, QLinearConv: channelsLast(qlinearConv) }
