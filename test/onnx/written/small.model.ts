// Imported from small.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import { add, constant, div, erf, model, mul, tensor } from 'glowplug'

export default model({
  name: 'small',
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
})
