// Imported from open.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import { dim, linear, max, model, tensor, weights, where } from 'glowplug'

const w = weights(new URL('./open.safetensors', import.meta.url))
const sequenceLength = dim('sequence_length', [24])

export default model({
  name: 'open',
  inputs: { features: tensor('f32', [1, sequenceLength, 8]), mask: tensor('bool', [1, sequenceLength, 1]) },
  forward({ features, mask }) {
    const proj = linear(features, w.get('proj.weight', 'f32', [4, 8]), w.get('proj.bias', 'f32', [4]))
    return { pooled: max(where(mask, proj, -Infinity), { axes: [1] }) }
  },
})
