import type { SplitRule } from '../rule.ts'

/** Bags by themselves, or columns of the table. */
export const embeddingBag: SplitRule<'embeddingBag'> = ({ operands: { scale }, type }, axis, range) => {
  const isColumns = axis === type.shape.length - 1
  const bags = isColumns ? 'all' : { axis, range }
  return { needs: { indices: bags, table: isColumns ? { axis: 1, range } : 'all', ...(scale && { scale: bags }) } }
}
