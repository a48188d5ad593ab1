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
function lstmBlock(x: Tensor<'f32'>, state: Tensor<'f32'>, index: number, from: number, start: number) {
  let y: Tensor<'f32'> = slice(state, [
    { axis: 1, start, stop: start + 1 },
    { axis: 3, stop: 1 },
  ])
  y = matmul(reshape(y, [1, 8]), w.get(`model/lstm_${index}/recurrent_kernel`, 'f32', [8, 32]))
  y = add(matmul(x, w.get(`model/lstm_${index}/kernel`, 'f32', [from, 32])), y)
  const [part, z, part2, part3] = split(add(y, w.get(`model/lstm_${index}/bias`, 'f32', [32])), 4, { axis: 1 })
  const part4 = slice(state, [
    { axis: 1, start, stop: start + 1 },
    { axis: 3, start: 1 },
  ])
  const y2 = add(mul(sigmoid(z), reshape(part4, [1, 8])), mul(sigmoid(part), tanh(part2)))
  const product = mul(sigmoid(part3), tanh(y2))
  return [product, stack([product, y2], { axis: -1 })] as const
}

export default model({
  name: 'cells',
  inputs: { frame: tensor('f32', [1, 16]), state: tensor('f32', [1, 2, 8, 2]) },
  forward({ frame, state }) {
    const [product, stacked] = lstmBlock(frame, state, 1, 16, 0)
    const [y, z] = lstmBlock(product, state, 2, 8, 1)
    return {
      gain: expectShape(sigmoid(linear(y, w.get('dense.weight', 'f32', [16, 8]))), [1, 16]),
      state_out: expectShape(stack([stacked, z], { axis: 1 }), [1, 2, 8, 2]),
    }
  },
})
