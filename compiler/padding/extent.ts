// Arithmetic on extents: how much of an axis a request fills, as a function of the size n that it gives a dimension.
import type { Extent } from '../graph/index.ts'

export type Sizes = ReadonlyMap<string, number>

const divisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : divisor(b, a % b))

/** The one form of each function: ⌊(t·g·n + p) / (o·g)⌋ = ⌊(t·n + ⌊p/g⌋) / o⌋. */
function reduced({ dim, times, plus, over }: Extent): Extent {
  const common = divisor(times, over)
  return { dim, times: times / common, plus: Math.floor(plus / common), over: over / common }
}

export const wholeOf = (dim: string): Extent => ({ dim, times: 1, plus: 0, over: 1 })
export const shifted = (extent: Extent, by: number): Extent => reduced({ ...extent, plus: extent.plus + by * extent.over })
/** ⌊(extent + by) / over⌋ */
export const divided = (extent: Extent, over: number, by = 0): Extent =>
  reduced({ ...shifted(extent, by), over: extent.over * over, plus: extent.plus + by * extent.over })
/** Undefined where the product is no such function. */
export const multiplied = (extent: Extent, by: number): Extent | undefined =>
  extent.over === 1 ? { ...extent, times: extent.times * by, plus: extent.plus * by } : undefined

export const sameExtent = (a: Extent | undefined, b: Extent | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && JSON.stringify(reduced(a)) === JSON.stringify(reduced(b)))

export const extentAt = ({ dim, times, plus, over }: Extent, sizes: Sizes): number =>
  Math.floor((sizes.get(dim)! * times + plus) / over)

/** `seq`, `2 · seq + 1`, `⌊(seq + 3) / 2⌋` */
export function printExtent({ dim, times, plus, over }: Extent): string {
  const product = times === 1 ? dim : `${times} · ${dim}`
  const sum = plus === 0 ? product : `${product} ${plus < 0 ? '−' : '+'} ${Math.abs(plus)}`
  if (over === 1) return sum
  return plus === 0 && times === 1 ? `⌊${sum} / ${over}⌋` : `⌊(${sum}) / ${over}⌋`
}

/**
 * The linear function of one dimension that has these values at these sizes; 'constant' where they are all equal, undefined where there is
 * no such function.
 */
export function fitExtent(values: readonly number[], at: readonly Sizes[]): Extent | 'constant' | undefined {
  if (values.every((value) => value === values[0])) return 'constant'
  for (const dim of at[0]!.keys()) {
    const other = at.findIndex((sizes) => sizes.get(dim) !== at[0]!.get(dim))
    if (other < 0) continue
    const times = (values[other]! - values[0]!) / (at[other]!.get(dim)! - at[0]!.get(dim)!)
    const extent = { dim, times, plus: values[0]! - times * at[0]!.get(dim)!, over: 1 }
    const fits = Number.isInteger(times) && times > 0 && at.every((sizes, i) => extentAt(extent, sizes) === values[i])
    if (fits) return extent
  }
  return undefined
}
