import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, sameShape } from '../type.ts'
import { floats, indices as indexTypes, one, optional, requireRank, requireSameDType, withShape } from './shared.ts'

/**
 * For each bag of indices the sum of the rows that they pick, in the order of the indices (PyTorch EmbeddingBag with bags of one size). A
 * negative index counts from the end; one outside is an error at run time.
 *
 * - `mean`: the sum divided by the number of indices in a bag, of which there must be one at least.
 */
export const embeddingBag = composite({
  name: 'embeddingBag',
  summary: 'Sums or means of the rows of a table that bags of indices pick',
  operands: {
    indices: one('[…, lookups]', indexTypes),
    table: one('[rows, width]', floats),
    scale: optional('what each row is multiplied by, shaped as indices', floats),
  },
  attributes: z.strictObject({ mean: z.boolean().default(false) }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ indices, table, scale }, { mean }) => {
    requireRank(table, 2, 'embeddingBag', 'table', '[rows, width]')
    const shown = `indices ${printType(indices)}`
    if (indices.shape.length === 0) reject('rank-mismatch', `embeddingBag: ${shown} need a dimension of lookups`)
    if (mean && indices.shape.at(-1) === 0) reject('shape-mismatch', `embeddingBag: ${shown} leave nothing to take the mean of`)
    if (scale) {
      requireSameDType(table, scale, 'embeddingBag', ['table', 'scale'])
      if (!sameShape(scale.shape, indices.shape))
        reject('shape-mismatch', `embeddingBag: scale ${printType(scale)} and ${shown} differ in shape`)
    }
    return withShape(table, [...indices.shape.slice(0, -1), table.shape[1]!])
  },
  fault: ({ table }) => {
    const [rows] = table.shape
    return `an index is outside ${printType(table)} along axis 0; it may be ${-rows!} to ${rows! - 1}`
  },
})
