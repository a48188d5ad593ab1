// Imported from cells.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import {
  add,
  expectShape,
  linear,
  matmul,
  model,
  mul,
  reshape,
  sigmoid,
  slice,
  split,
  stack,
  type Tensor,
  tanh,
  tensor,
  weights,
} from 'glowplug'

const w = weights(new URL('./cells.safetensors', import.meta.url))

/** Slice, reshape, matrix product, sum, split, sigmoid and so on. */
function lstmBlock(x: Tensor<'f32'>, y: Tensor<'f32'>, index: number, from: number, start: number) {
  let z: Tensor<'f32'> = slice(y, [
    { axis: 1, start, stop: start + 1 },
    { axis: 3, stop: 1 },
  ])
  z = matmul(reshape(z, [1, 8]), w.get(`model/lstm_${index}/recurrent_kernel`, 'f32', [8, 32]))
  z = add(matmul(x, w.get(`model/lstm_${index}/kernel`, 'f32', [from, 32])), z)
  const [part, part2, part3, part4] = split(add(z, w.get(`model/lstm_${index}/bias`, 'f32', [32])), 4, { axis: 1 })
  const part5 = slice(y, [
    { axis: 1, start, stop: start + 1 },
    { axis: 3, start: 1 },
  ])
  const y2 = add(mul(sigmoid(part2), reshape(part5, [1, 8])), mul(sigmoid(part), tanh(part3)))
  const product = mul(sigmoid(part4), tanh(y2))
  return [product, stack([product, y2], { axis: -1 })] as const
}

export default model({
  name: 'cells',
  inputs: { frame: tensor('f32', [1, 16]), state: tensor('f32', [1, 2, 8, 2]) },
  forward({ frame, state: input }) {
    const [product, stacked] = lstmBlock(frame, input, 1, 16, 0)
    const [y, z] = lstmBlock(product, input, 2, 8, 1)
    return {
      gain: expectShape(sigmoid(linear(y, w.get('dense.weight', 'f32', [16, 8]))), [1, 16]),
      state_out: expectShape(stack([stacked, z], { axis: 1 }), [1, 2, 8, 2]),
    }
  },
})
