// Imported from resnet.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import {
  add,
  batchNorm,
  conv2d,
  expectShape,
  flatten,
  globalAvgPool,
  linear,
  maxPool2d,
  model,
  relu,
  type Tensor,
  tensor,
  weights,
} from 'glowplug'

const w = weights(new URL('./resnet.safetensors', import.meta.url))

interface NormalisedOptions {
  readonly kernel?: number
  readonly stride?: number
}

/** Convolution, batch normalisation. */
function normalised(
  x: Tensor<'f32'>,
  convolution: string,
  norm: string,
  from: number,
  to: number,
  { kernel = 3, stride = 2 }: NormalisedOptions = {},
) {
  const convolved = conv2d(x, w.get(`${convolution}.weight`, 'f32', [to, from, kernel, kernel]), undefined, {
    stride,
    padding: (kernel - 1) / 2,
  })
  return batchNorm(
    convolved,
    w.get(`${norm}.weight`, 'f32', [to]),
    w.get(`${norm}.bias`, 'f32', [to]),
    w.get(`${norm}.running_mean`, 'f32', [to]),
    w.get(`${norm}.running_var`, 'f32', [to]),
  )
}

/** Normalised, ReLU, normalised. */
function block(x: Tensor<'f32'>, name: string, from: number, channels: number, stride: number) {
  const activated = relu(normalised(x, `${name}.conv1`, `${name}.bn1`, from, channels, { stride }))
  return normalised(activated, `${name}.conv2`, `${name}.bn2`, channels, channels, { stride: 1 })
}

/** Block, normalised, sum, ReLU, block, sum and so on. */
function layer(x: Tensor<'f32'>, index: number, channels: number) {
  let y: Tensor<'f32'> = normalised(x, `layer${index}.0.downsample.0`, `layer${index}.0.downsample.1`, channels / 2, channels, {
    kernel: 1,
  })
  y = relu(add(block(x, `layer${index}.0`, channels / 2, channels, 2), y))
  y = relu(add(block(y, `layer${index}.1`, channels, channels, 1), y))
  return relu(add(block(y, `layer${index}.2`, channels, channels, 1), y))
}

export default model({
  name: 'resnet',
  inputs: { image: tensor('f32', [1, 3, 64, 64]) },
  forward({ image }) {
    let x: Tensor<'f32'> = maxPool2d(relu(normalised(image, 'conv1', 'bn1', 3, 16, { kernel: 7 })), 3, { stride: 2, padding: 1 })
    x = relu(add(block(x, 'layer1.0', 16, 16, 1), x))
    x = relu(add(block(x, 'layer1.1', 16, 16, 1), x))
    x = layer(x, 2, 32)
    x = relu(add(block(x, 'layer2.3', 32, 32, 1), x))
    x = flatten(globalAvgPool(layer(x, 3, 64)))
    return { logits: expectShape(linear(x, w.get('fc.weight', 'f32', [10, 64]), w.get('fc.bias', 'f32', [10])), [1, 10]) }
  },
})
