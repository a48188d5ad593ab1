// Imported from several.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import {
  add,
  constant,
  conv2d,
  div,
  erf,
  expectShape,
  flatten,
  linear,
  maxPool2d,
  model,
  mul,
  relu,
  type Tensor,
  tensor,
  weights,
} from 'glowplug'

const w = weights(new URL('./several.safetensors', import.meta.url))

const convolutions = [
  { index: 10, from: 16 },
  { index: 12, from: 32 },
  { index: 14, from: 32 },
]

/** Convolution, ReLU. */
function convolution(x: Tensor<'f32'>, index: number, from: number, to: number) {
  const convolved = conv2d(
    x,
    w.get(`features.${index}.weight`, 'f32', [to, from, 3, 3]),
    w.get(`features.${index}.bias`, 'f32', [to]),
    { padding: 1 },
  )
  return relu(convolved)
}

export default model({
  name: 'several',
  entries: {
    main: {
      inputs: { x: tensor('f32', [2, 3]), y: tensor('f32', [3]) },
      forward({ x, y }) {
        const same = add(x, 0.1)
        return {
          x,
          sum: mul(add(same, y), constant('f32', [3], [0.5, -1, Infinity])),
          gelu: mul(erf(div(x, Math.SQRT2)), 1e-7),
          table: constant('f32', [3], [0.5, -1, Infinity]),
          same,
        }
      },
    },
    other: {
      inputs: { x: tensor('f32', [1, 3, 32, 32]) },
      forward({ x }) {
        let y: Tensor<'f32'> = convolution(x, 0, 3, 8)
        y = maxPool2d(convolution(y, 2, 8, 8), 2)
        y = convolution(y, 5, 8, 16)
        y = maxPool2d(convolution(y, 7, 16, 16), 2)
        for (const { index, from } of convolutions) y = convolution(y, index, from, 32)
        y = flatten(maxPool2d(y, 2))
        y = linear(y, w.get('classifier.0.weight', 'f32', [64, 512]), w.get('classifier.0.bias', 'f32', [64]))
        return {
          scores: expectShape(
            linear(relu(y), w.get('classifier.3.weight', 'f32', [10, 64]), w.get('classifier.3.bias', 'f32', [10])),
            [1, 10],
          ),
        }
      },
    },
  },
})
