// keeps: nothing
import { add, groupNorm, layerNorm, model, rmsNorm, tensor } from 'glowplug'
import { parameter } from './parameters.ts'

/** Statistics in two passes, as reductions with work before and behind them. */
export default model({
  name: 'normalisation',
  inputs: { x: tensor('f32', [2, 4, 6]) },
  forward({ x }) {
    const layer = layerNorm(x, parameter([6]), parameter([6], 1))
    return { layer, root: rmsNorm(add(layer, x), parameter([6], 2)), groups: groupNorm(x, undefined, undefined, { groups: 2 }) }
  },
})
