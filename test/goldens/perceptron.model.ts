// keeps: nothing
import { add, div, gelu, matmul, model, sub, tensor } from 'glowplug'
import { parameter } from './parameters.ts'

/** Products and sums become linear layers; the normalisation of the input moves into the first. */
export default model({
  name: 'perceptron',
  inputs: { x: tensor('f32', [2, 6]) },
  forward({ x }) {
    const scaled = div(x, 128)
    const hidden = gelu(add(matmul(scaled, parameter([6, 4])), parameter([4], 1)), { approximate: 'tanh' })
    return { y: sub(matmul(hidden, parameter([4, 3], 2)), 0) }
  },
})
