// keeps: nothing
import { add, cast, expand, greater, model, mul, negate, sub, tensor, where } from 'glowplug'
import { parameter } from './parameters.ts'

/** Identities vanish, constants meet, expansion is left to the kernel, one expression is computed once. */
export default model({
  name: 'broadcasting',
  inputs: { x: tensor('f32', [4, 3]), row: tensor('f32', [3]), column: tensor('f32', [4, 1]) },
  forward({ x, row, column }) {
    const scaled = mul(mul(2, add(x, 0)), 3)
    const sum = add(scaled, expand(row, [4, 3]))
    const difference = sub(add(scaled, row), negate(column))
    const chosen = where(greater(x, cast(cast(column, 'f64'), 'f32')), sum, difference)
    return { chosen, shifted: sub(sub(x, parameter([3])), parameter([3], 1)) }
  },
})
