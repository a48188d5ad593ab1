// keeps: nothing
import { batchNorm, clamp, conv2d, model, pad, relu, tensor } from 'glowplug'
import { parameter, positive } from './parameters.ts'

/** Padding, batch normalisation and activations disappear into two convolutions. */
export default model({
  name: 'convolution',
  inputs: { image: tensor('f32', [1, 3, 8, 8]) },
  forward({ image }) {
    const padded = pad(image, { before: [0, 0, 1, 1], after: [0, 0, 1, 1] })
    const first = conv2d(padded, parameter([4, 3, 3, 3]), undefined, { stride: 2 })
    const active = relu(batchNorm(first, parameter([4], 1), parameter([4], 2), parameter([4], 3), positive([4], 4)))
    const second = conv2d(active, parameter([2, 4, 1, 1], 5), parameter([2], 6))
    return { features: clamp(second, { minimum: 0, maximum: 6 }) }
  },
})
