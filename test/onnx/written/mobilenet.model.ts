// Imported from mobilenet.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import { add, clamp, conv2d, expectShape, flatten, linear, mean, model, type Tensor, tensor, weights } from 'glowplug'

const w = weights(new URL('./mobilenet.safetensors', import.meta.url))

interface ConvolutionOptions {
  readonly kernel?: number
  readonly stride?: number
  readonly groups?: number
}

/** Convolution, clamp. */
function convolution(
  x: Tensor<'f32'>,
  index: number,
  from: number,
  to: number,
  { kernel = 3, stride = 1, groups = 1 }: ConvolutionOptions = {},
) {
  const convolved = conv2d(
    x,
    w.get(`onnx::Conv_${index}`, 'f32', [to, from, kernel, kernel]),
    w.get(`onnx::Conv_${index + 1}`, 'f32', [to]),
    { stride, padding: (kernel - 1) / 2, groups },
  )
  return clamp(convolved, { minimum: 0, maximum: 6 })
}

/** Convolution. */
function block(x: Tensor<'f32'>, index: number, channels: number, to: number, stride: number) {
  const clamped = convolution(x, index, channels / 6, channels, { kernel: 1 })
  const y = convolution(clamped, index + 3, 1, channels, { stride, groups: channels })
  return conv2d(y, w.get(`onnx::Conv_${index + 6}`, 'f32', [to, channels, 1, 1]), w.get(`onnx::Conv_${index + 7}`, 'f32', [to]))
}

export default model({
  name: 'mobilenet',
  inputs: { input: tensor('f32', [1, 3, 64, 64]) },
  forward({ input }) {
    let x: Tensor<'f32'> = convolution(input, 497, 3, 16, { stride: 2 })
    x = block(x, 500, 96, 24, 2)
    x = add(x, block(x, 509, 144, 24, 1))
    x = block(x, 518, 144, 32, 2)
    x = add(x, block(x, 527, 192, 32, 1))
    x = add(x, block(x, 536, 192, 32, 1))
    x = block(x, 545, 192, 64, 2)
    x = add(x, block(x, 554, 384, 64, 1))
    x = add(x, block(x, 563, 384, 64, 1))
    x = flatten(mean(convolution(x, 572, 64, 128, { kernel: 1 }), { axes: [2, 3], keepDims: true }))
    return {
      logits: expectShape(
        linear(x, w.get('classifier.1.weight', 'f32', [10, 128]), w.get('classifier.1.bias', 'f32', [10])),
        [1, 10],
      ),
    }
  },
})
