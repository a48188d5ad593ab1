import { constant, linear, model, relu, tensor } from 'glowplug'

/** Weights that are anything but regular, between −0.5 and 0.5. */
function layer(inputs: number, outputs: number, seed: number) {
  const values = (count: number, phase: number) =>
    Array.from({ length: count }, (_, i) => Math.fround((((i * 7919 + phase * 104729) % 1009) / 1009 - 0.5) * 0.9))
  return {
    weight: constant('f32', [outputs, inputs], values(outputs * inputs, seed)),
    bias: constant('f32', [outputs], values(outputs, seed + 1)),
  }
}

/** 16 numbers to 8, over 32. */
export default model({
  name: 'mlp',
  inputs: { x: tensor('f32', [1, 16]) },
  forward({ x }) {
    const [first, second] = [layer(16, 32, 1), layer(32, 8, 3)]
    return { y: linear(relu(linear(x, first.weight, first.bias)), second.weight, second.bias) }
  },
})
