import type { OpContext, OpRule, Value } from '../context.ts'
import type { Entry } from '../environment.ts'
import { range } from '../rules/shared.ts'
import { carrierFor, takesSizes } from './carriers.ts'
import { fitted } from './fit.ts'
import { extentsOf } from './movement.ts'
import { arithmeticOn, highOf, isOpen, type Size, sameSize } from './size.ts'
import { sizeResult } from './sizes.ts'
import { isBounded, isSized, type SizeList, withBounds } from './values.ts'

export { type Bounds, boundsOf, isBounded, type SizeList } from './values.ts'

type Results = ReturnType<OpRule> | SizeList

/**
 * What a node makes of values whose sizes data decides; undefined where it has none of them, and its rule does. What cannot be followed stops the
 * import of the node: what stands behind the part that is filled never counts.
 */
export function boundedResults(c: OpContext, entries: readonly (Entry | undefined)[], rule: OpRule): Results | undefined {
  const { op, domain } = c.node
  const open = entries.some(isBounded)
  if (open || entries.some(isSized)) {
    const sizes = sizeResult(c)
    if (sizes) return sizes
  }
  const carrier = carrierFor(domain, op)
  if (open) {
    if (carrier) return carrier(c, rule)
    const name = domain === '' ? op : `${domain}.${op}`
    return c.unsupported(
      `${name} over a value whose size data decides is not supported`,
      'cut the graph before it and do it behind the model, in TypeScript',
    )
  }
  const first = op === 'ConstantOfShape' || op === 'Range' ? 0 : 1
  const isSizeOpen = takesSizes(domain, op) && range(c.inputCount).some((i) => i >= first && c.has(i) && !c.isConstant(i))
  return isSizeOpen && carrier ? carrier(c, rule) : undefined
}

/** One of two values, as a condition says: as large as the one that it is. */
export function chosen(c: Pick<OpContext, 'd' | 'unsupported'>, condition: Value, yes: Value, no: Value): Value {
  const { d } = c
  const [a, b] = [extentsOf(yes), extentsOf(no)]
  if (yes.dtype !== no.dtype || a.length !== b.length) return c.unsupported('its branches give other types')
  const { scalar } = arithmeticOn(d)
  const highs = a.map((size, axis) => Math.max(highOf(size), highOf(b[axis]!)))
  const sizes = a.map((size, axis): Size => {
    const other = b[axis]!
    if (sameSize(size, other)) return size
    return { value: d.where(condition, scalar(size), scalar(other)) as Value, low: 0, high: highs[axis]! }
  })
  const picked = d.where(condition, fitted(c, yes, highs), fitted(c, no, highs)) as Value
  return withBounds(
    c,
    picked,
    sizes.map((size) => (isOpen(size) ? size : undefined)),
  )
}
