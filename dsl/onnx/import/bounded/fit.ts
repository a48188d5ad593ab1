import type { OpContext, Value } from '../context.ts'
import { dimsOf } from '../rules/shared.ts'
import { extentsOf, openOf } from './movement.ts'
import { sameSize } from './size.ts'
import { withBounds } from './values.ts'

/** A value with so many places along each axis: zeros stand behind it, or what is beyond is cut off. Bounds are not kept. */
export const fitted = ({ d }: Pick<OpContext, 'd'>, value: Value, highs: readonly number[]): Value =>
  highs.reduce<Value>((result, high, axis) => {
    const shape = dimsOf(result)
    const own = shape[axis]!
    if (own === high) return result
    if (own > high) return d.slice(result, { axis, start: 0, stop: high }) as Value
    const rest = d.full(
      result.dtype,
      shape.map((size, i) => (i === axis ? high - size : size)),
      0,
    )
    return d.concat([result, rest as Value], { axis }) as Value
  }, value)

/** Values side by side along an axis in front; undefined where data decides their sizes, and these are not one. */
export function stackedRows(c: Pick<OpContext, 'd'>, rows: readonly Value[]): Value | undefined {
  const [first, ...others] = rows.map(extentsOf)
  if (others.some((sizes) => sizes.some((size, axis) => !sameSize(size, first![axis]!)))) return undefined
  const made = c.d.stack(rows as never) as Value
  return withBounds(c, made, openOf([rows.length, ...first!]))
}
