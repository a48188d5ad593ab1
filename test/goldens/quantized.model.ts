// keeps: nothing
import {
  add,
  avgPool2d,
  concat,
  constant,
  conv2d,
  dequantize,
  flatten,
  linear,
  maxPool2d,
  model,
  quantize,
  relu,
  sigmoid,
  softmax,
  type Tensor,
  tensor,
} from 'glowplug'

/** Stored weights, different for each seed: −100 … 100. */
function stored<D extends 'i8' | 'i32'>(dtype: D, shape: number[], seed: number): Tensor<D> {
  const length = shape.reduce((product, extent) => product * extent, 1)
  return constant(
    dtype,
    shape,
    Array.from({ length }, (_, i) => ((i * 37 + seed * 11) % 201) - 100),
  )
}

/** A convolution with a scale for each channel, as exporters write it: everything decoded, the bias in steps of the sums. */
function block(x: Tensor<'f32'>, scale: number, channels: [number, number], seed: number): Tensor<'f32'> {
  const scales = Array.from({ length: channels[0] }, (_, i) => 0.002 * (i + 1))
  const weight = dequantize(stored('i8', [...channels, 3, 3], seed), { scale: scales, axis: 0 })
  const bias = dequantize(stored('i32', [channels[0]], seed), {
    scale: scales.map((s) => Math.fround(s) * Math.fround(scale)),
    axis: 0,
  })
  return relu(conv2d(x, weight, bias, { padding: 1 }))
}

/** Integers from end to end: convolution, table, sum of two, pools, product, softmax. */
export default model({
  name: 'quantized',
  inputs: { image: tensor('u8', [1, 2, 6, 6], { scale: 0.01, zeroPoint: 128 }) },
  forward({ image }) {
    const first = dequantize(quantize(block(dequantize(image), 0.01, [4, 2], 1), { dtype: 'u8', scale: 0.03 }))
    const gate = dequantize(quantize(sigmoid(first), { dtype: 'u8', scale: 1 / 256 }))
    const second = dequantize(quantize(block(dequantize(image), 0.01, [4, 2], 2), { dtype: 'u8', scale: 0.025 }))
    const sum = dequantize(quantize(add(second, gate), { dtype: 'u8', scale: 0.035 }))
    const joined = dequantize(quantize(concat([sum, first], { axis: 1 }), { dtype: 'u8', scale: 0.035 }))
    const pooled = dequantize(
      quantize(avgPool2d(maxPool2d(joined, 2), 2, { stride: 1 }), { dtype: 'i8', scale: 0.03, zeroPoint: -100 }),
    )
    const weight = dequantize(stored('i8', [5, 32], 3), { scale: 0.004 })
    const scores = dequantize(quantize(linear(flatten(pooled), weight), { dtype: 'u8', scale: 0.1, zeroPoint: 100 }))
    return { scores, shares: quantize(softmax(scores), { dtype: 'u8', scale: 1 / 256 }) }
  },
})
