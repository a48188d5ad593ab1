// keeps: nothing
import { adaptiveAvgPool2d, avgPool2d, flatten, globalAvgPool, maxPool2d, model, tensor } from 'glowplug'

/** Windows, cells that tile, cells that do not, and the whole. */
export default model({
  name: 'pooling',
  inputs: { image: tensor('f32', [1, 2, 10, 8]) },
  forward({ image }) {
    const halves = maxPool2d(image, 2)
    return {
      windows: avgPool2d(halves, 3, { stride: 1, padding: 1, countPadding: false }),
      tiles: adaptiveAvgPool2d(image, [5, 4]),
      cells: adaptiveAvgPool2d(image, [3, 3]),
      means: flatten(globalAvgPool(halves)),
    }
  },
})
