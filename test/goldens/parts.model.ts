// keeps: nothing
import { concat, constant, gather, model, relu, slice, split, tensor, transpose } from 'glowplug'

/** Slices and concatenations cancel, regular gathers are slices, pairs of transposes vanish. */
export default model({
  name: 'parts',
  inputs: { x: tensor('f32', [6, 4]), y: tensor('f32', [2, 4]) },
  forward({ x, y }) {
    const [head, tail] = split(x, [2, 4], { axis: 0 })
    const again = concat([head, tail, y], { axis: 0 })
    const last = slice(again, { axis: 0, start: 6, stop: 8 })
    const picked = gather(x, constant('i32', [3], [0, 2, 4]))
    const turned = transpose(relu(transpose(picked, [1, 0])), [1, 0])
    return { again, last, turned, joined: concat([relu(head), relu(y)], { axis: 1 }) }
  },
})
