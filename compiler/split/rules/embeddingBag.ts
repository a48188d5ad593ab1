import { refuse, type SplitRule } from '../rule.ts'

const whole = 'its rows hold their scale and offset'

/** Bags by themselves, or columns of the table. */
export const embeddingBag: SplitRule<'embeddingBag'> = ({ operands: { scale }, attributes, type }, axis, range) => {
  const isColumns = axis === type.shape.length - 1
  if (isColumns && attributes.rows) return refuse(whole)
  const bags = isColumns ? 'all' : { axis, range }
  return { needs: { indices: bags, table: isColumns ? { axis: 1, range } : 'all', ...(scale && { scale: bags }) } }
}

/** Bags by their offsets, each with where the next one begins, or columns of the table. Which indices a bag has is known when it runs. */
export const raggedEmbeddingBag: SplitRule<'raggedEmbeddingBag'> = ({ operands: { scale }, attributes }, axis, range) => {
  const isColumns = axis === 1
  if (isColumns && attributes.rows) return refuse(whole)
  const begins = { axis: 0, range: { start: range.start, end: range.end + 1 } }
  return {
    needs: {
      indices: 'all',
      table: isColumns ? { axis, range } : 'all',
      offsets: isColumns ? 'all' : begins,
      ...(scale && { scale: 'all' }),
    },
  }
}

export const bagOffsets: SplitRule<'bagOffsets'> = () => refuse('each offset is the sum of all lengths before it')
