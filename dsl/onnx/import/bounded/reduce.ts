import { isFloat } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, range } from '../rules/shared.ts'
import { arithmeticOn } from './size.ts'
import { boundsOf, extreme, filledWith, replacing, withBounds } from './values.ts'

type Neutral = number | 'lowest' | 'highest' | 'mean'

/** Axes that a reduction combines. */
function axesIn(c: OpContext, named: 'axes' | 'axis', rank: number): number[] {
  if (named === 'axis') return [axisIn(c, c.int('axis', 0), rank)]
  const given = c.ints('axes') ?? (c.has(1) ? c.numbers(1) : undefined)
  if (given && given.length > 0) return given.map((axis) => axisIn(c, axis, rank))
  return given && c.int('noop_with_empty_axes', 0) !== 0 ? [] : range(rank)
}

/** What is behind is made what changes nothing; a mean is the sum divided by what there is. */
export const carryReduction =
  (neutral: Neutral, named: 'axes' | 'axis' = 'axes') =>
  (c: OpContext, plain: OpRule) => {
    const x = c.input(0)
    const bounds = boundsOf(x)
    if (!bounds) return c.unsupported('its axes depend on data')
    const axes = axesIn(c, named, bounds.length)
    const open = axes.filter((axis) => bounds[axis])
    const fill = neutral === 'mean' ? 0 : typeof neutral === 'number' ? neutral : extreme(x.dtype, neutral === 'highest')
    const filled = open.length > 0 ? filledWith(c, x, fill, open) : x
    const result = plain(replacing(c, { 0: filled })) as Value
    const keeps = c.int('keepdims', 1) !== 0
    const left = bounds.flatMap((bound, axis) => (axes.includes(axis) ? (keeps ? [undefined] : []) : [bound]))
    if (neutral !== 'mean' || open.length === 0) return withBounds(c, result, left)
    const { d } = c
    const { mul, scalar } = arithmeticOn(d)
    const [total, count] = [
      open.reduce((product, axis) => product * dimsOf(x)[axis]!, 1),
      open.map((axis) => bounds[axis]!).reduce<any>(mul, 1),
    ]
    if (!isFloat(x.dtype)) return c.unsupported('a mean of integers along an axis whose size data decides')
    const share = d.div(total, castTo(c, scalar(count), x.dtype)) as Value
    return withBounds(c, d.mul(result, share) as Value, left)
  }

/** What is behind has no share. */
export const carrySoftmax = (c: OpContext, plain: OpRule) => {
  const x = c.input(0)
  const bounds = boundsOf(x)!
  const axis = axisIn(c, c.int('axis', c.opset < 13 ? 1 : -1), bounds.length)
  const joined = c.opset < 13 ? range(bounds.length).filter((each) => each >= axis) : [axis]
  if (joined.length > 1 && bounds.some((bound, i) => bound && i >= axis))
    return c.unsupported('axes taken as one, of which data decides the size')
  const filled = bounds[axis] ? filledWith(c, x, Number.NEGATIVE_INFINITY, [axis]) : x
  return withBounds(c, plain(replacing(c, { 0: filled })) as Value, bounds)
}
