// Imported from unet.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import { concat, conv2d, expectShape, maxPool2d, model, relu, resize, sigmoid, type Tensor, tensor, weights } from 'glowplug'

const w = weights(new URL('./unet.safetensors', import.meta.url))

/** Convolution. */
function convolution(x: Tensor<'f32'>, name: string, from: number, to: number, kernel: number) {
  return conv2d(x, w.get(`${name}.weight`, 'f32', [to, from, kernel, kernel]), w.get(`${name}.bias`, 'f32', [to]), {
    padding: (kernel - 1) / 2,
  })
}

/** Convolution, ReLU, convolution, ReLU. */
function block(x: Tensor<'f32'>, name: string, from: number, channels: number) {
  const activated = relu(convolution(x, `${name}.0`, from, channels, 3))
  return relu(convolution(activated, `${name}.1`, channels, channels, 3))
}

export default model({
  name: 'unet',
  inputs: { image: tensor('f32', [1, 1, 64, 64]) },
  forward({ image }) {
    const activated = block(image, 'down.0', 1, 8)
    const y = block(maxPool2d(activated, 2), 'down.1', 8, 16)
    let x: Tensor<'f32'> = block(maxPool2d(y, 2), 'down.2', 16, 32)
    const resized = resize(block(maxPool2d(x, 2), 'down.3', 32, 64), [16, 16], { mode: 'linear' })
    x = resize(block(concat([x, resized], { axis: 1 }), 'up.0', 96, 32), [32, 32], { mode: 'linear' })
    x = resize(block(concat([y, x], { axis: 1 }), 'up.1', 48, 16), [64, 64], { mode: 'linear' })
    x = block(concat([activated, x], { axis: 1 }), 'up.2', 24, 8)
    return { mask: expectShape(sigmoid(convolution(x, 'head', 8, 1, 1)), [1, 1, 64, 64]) }
  },
})
