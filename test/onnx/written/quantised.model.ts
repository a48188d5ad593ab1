// Imported from quantised.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import { conv2d, dequantize, expectShape, model, quantize, relu, type Tensor, tensor, weights } from 'glowplug'

const w = weights(new URL('./quantised.safetensors', import.meta.url))

const convolutions = [
  { index: 0, from: 3, to: 8, scale: 0.0123, scale2: 9.609375e-5, scale3: 0.05 },
  { index: 1, from: 8, to: 16, scale: 0.0234, scale2: 1.828125e-4, scale3: 0.1 },
  { index: 2, from: 16, to: 16, scale: 0.0345, scale2: 2.6953125e-4, scale3: 0.15000000000000002 },
  { index: 3, from: 16, to: 32, scale: 0.0456, scale2: 3.5625e-4, scale3: 0.2 },
  { index: 4, from: 32, to: 32, scale: 0.0567, scale2: 4.4296875e-4, scale3: 0.25 },
]

/** Convolution, ReLU, quantize, dequantize. */
function convolution(x: Tensor<'f32'>, index: number, from: number, to: number, scale: number, scale2: number, scale3: number) {
  const convolved = conv2d(
    x,
    dequantize(w.get(`conv${index}_quantized`, 'i8', [to, from, 3, 3]), { scale }),
    dequantize(w.get(`conv${index}_bias`, 'i32', [to]), { scale: scale2 }),
    { stride: 2, padding: 'same' },
  )
  const quantized = quantize(relu(convolved), { dtype: 'u8', scale: scale3, zeroPoint: 3 })
  return dequantize(quantized, { scale: scale3, zeroPoint: 3 })
}

export default model({
  name: 'quantised',
  inputs: { image: tensor('u8', [1, 3, 32, 32], { scale: 0.0078125, zeroPoint: 128 }) },
  forward({ image }) {
    let x: Tensor<'f32'> = dequantize(image, { scale: 0.0078125, zeroPoint: 128 })
    for (const { index, from, to, scale, scale2, scale3 } of convolutions) {
      x = convolution(x, index, from, to, scale, scale2, scale3)
    }
    return { features: expectShape(x, [1, 32, 1, 1]) }
  },
})
