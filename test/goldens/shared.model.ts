// keeps: nothing
import { conv2d, model, relu, resize, sigmoid, type Tensor, tensor } from 'glowplug'
import { parameter } from './parameters.ts'

/** One set of weights at two scales; equal constants written twice are stored once; the output is a value that others use too. */
export default model({
  name: 'shared',
  inputs: { image: tensor('f32', [1, 2, 4, 4]) },
  forward({ image }) {
    const layer = (x: Tensor<'f32'>) => relu(conv2d(x, parameter([2, 2, 3, 3]), parameter([2], 1), { padding: 1 }))
    const fine = layer(image)
    const coarse = layer(resize(fine, [2, 2], { mode: 'linear' }))
    return { fine, coarse: resize(sigmoid(coarse), [4, 4]), same: layer(image) }
  },
})
