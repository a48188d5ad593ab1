import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, type Shape, sameShape, type TensorType } from '../type.ts'
import { type RowFormat, rowFormatNames, rowFormats, widthOfRow } from './rowFormat.ts'
import { floats, indices as indexTypes, one, optional, requireRank, requireSameDType, size } from './shared.ts'

const rowOperand = one('[rows, width], or [rows, bytes] of rows in a format', [...floats, 'u8'])
const rows = z.enum(rowFormatNames).optional()

/** Type of what bags of a table give, shaped `[…lead, width]`; rows in a format are sums of f32. */
function bagsOf(
  op: string,
  table: TensorType,
  scale: TensorType | undefined,
  format: RowFormat | undefined,
  lead: Shape,
): TensorType {
  requireRank(table, 2, op, 'table', format ? '[rows, bytes]' : '[rows, width]')
  const bytes = table.shape[1]!
  if (!format) {
    if (table.dtype === 'u8')
      reject('dtype-mismatch', `${op}: rows of bytes need a format, say with rows which: ${rowFormatNames.join(', ')}`)
    if (scale) requireSameDType(table, scale, op, ['table', 'scale'])
    return { dtype: table.dtype, shape: [...lead, bytes] }
  }
  if (table.dtype !== 'u8') reject('dtype-mismatch', `${op}: rows of the format '${format}' are bytes, got ${printType(table)}`)
  if (scale && scale.dtype !== 'f32')
    reject('dtype-mismatch', `${op}: rows of the format '${format}' are f32, scale is ${scale.dtype}; convert it with cast()`)
  const { header } = rowFormats[format]
  if (bytes < header)
    reject(
      'shape-mismatch',
      `${op}: rows of the format '${format}' have ${header} bytes of scale and offset, got ${printType(table)}`,
    )
  return { dtype: 'f32', shape: [...lead, widthOfRow(format, bytes)] }
}

const outside = ({ table }: { readonly table: { readonly shape: readonly number[] } & Parameters<typeof printType>[0] }) => {
  const [rows] = table.shape
  return `an index is outside ${printType(table)} along axis 0; it may be ${-rows!} to ${rows! - 1}`
}

/**
 * For each bag of indices the sum of the rows that they pick, in the order of the indices (PyTorch EmbeddingBag with bags of one size). A
 * negative index counts from the end; one outside is an error at run time.
 *
 * - `mean`: the sum divided by the number of indices in a bag, of which there must be one at least.
 * - `rows`: how rows of bytes stand for numbers (`rowFormat.ts`); without it they are the numbers of the table.
 */
export const embeddingBag = composite({
  name: 'embeddingBag',
  summary: 'Sums or means of the rows of a table that bags of indices pick',
  operands: {
    indices: one('[…, lookups]', indexTypes),
    table: rowOperand,
    scale: optional('what each row is multiplied by, shaped as indices', floats),
  },
  attributes: z.strictObject({ mean: z.boolean().default(false), rows }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ indices, table, scale }, { mean, rows }) => {
    const result = bagsOf('embeddingBag', table, scale, rows, indices.shape.slice(0, -1))
    const shown = `indices ${printType(indices)}`
    if (indices.shape.length === 0) reject('rank-mismatch', `embeddingBag: ${shown} need a dimension of lookups`)
    if (mean && indices.shape.at(-1) === 0) reject('shape-mismatch', `embeddingBag: ${shown} leave nothing to take the mean of`)
    if (scale && !sameShape(scale.shape, indices.shape))
      reject('shape-mismatch', `embeddingBag: scale ${printType(scale)} and ${shown} differ in shape`)
    return result
  },
  fault: outside,
})

/**
 * Where bags begin among indices that lie one bag after the other, and, last, where the last one ends: 0, then the running sum of their lengths
 * (Caffe2 SparseLengthsSum), or what is given already (PyTorch EmbeddingBag with `include_last_offset`). It is here that both are checked:
 * none of the lengths is negative and their sum is at most `limit`; offsets begin at 0, never fall, and end at `limit` at most.
 *
 * - `given`: what the operand holds.
 * - `limit`: how many indices there are.
 */
export const bagOffsets = primitive({
  name: 'bagOffsets',
  summary: 'Where bags begin and end in a list, from how long they are',
  operands: { lengths: one('[bags], or [bags + 1] offsets', indexTypes) },
  attributes: z.strictObject({ limit: size, given: z.enum(['lengths', 'offsets']).default('lengths') }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ lengths }, { given }) => {
    requireRank(lengths, 1, 'bagOffsets', given, given === 'lengths' ? '[bags]' : '[bags + 1]')
    const [count] = lengths.shape as [number]
    if (given === 'offsets' && count === 0)
      reject('shape-mismatch', 'bagOffsets: offsets need one entry for each bag and one behind the last')
    return { dtype: 'i32', shape: [given === 'lengths' ? count + 1 : count] }
  },
  fault: (_, { limit, given }) =>
    given === 'lengths'
      ? `the lengths of bags must not be negative, and be ${limit} together at most`
      : `the offsets of bags must begin at 0, never fall, and end at ${limit} at most`,
})

/**
 * For each bag of indices the sum of the rows that they pick, in the order of the indices; zeros for a bag without any (Caffe2
 * SparseLengthsSum, SparseLengthsWeightedSum and SparseLengthsMean; PyTorch EmbeddingBag). Bag `b` has the indices from `offsets[b]` up to,
 * not including, `offsets[b + 1]`, offsets being what `bagOffsets` gives; indices outside of all bags are never looked at. A negative index
 * counts from the end; one outside is an error at run time.
 *
 * - `mean`: the sum divided by the number of indices in the bag.
 * - `averageLength`: how many indices a bag has, about: what its cost is judged by. Changes no result; without it all indices are in bags.
 * - `rows`: as for embeddingBag.
 */
export const raggedEmbeddingBag = composite({
  name: 'raggedEmbeddingBag',
  summary: 'Sums or means of the rows of a table that bags of various lengths pick',
  operands: {
    indices: one('[indices]', indexTypes),
    table: rowOperand,
    offsets: one('[bags + 1], where bags begin, and where the last one ends', ['i32']),
    scale: optional('[indices], what each row is multiplied by', floats),
  },
  attributes: z.strictObject({ mean: z.boolean().default(false), averageLength: z.number().positive().optional(), rows }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ indices, table, offsets, scale }, { rows }) => {
    const op = 'raggedEmbeddingBag'
    requireRank(indices, 1, op, 'indices', '[indices]')
    requireRank(offsets, 1, op, 'offsets', '[bags + 1]')
    requireRank(table, 2, op, 'table', '[rows, width]')
    if (table.shape[0] === 0) reject('shape-mismatch', `${op}: table ${printType(table)} has no rows`)
    if (offsets.shape[0] === 0) reject('shape-mismatch', `${op}: offsets need one entry for each bag and one behind the last`)
    if (scale && !sameShape(scale.shape, indices.shape))
      reject('shape-mismatch', `${op}: scale ${printType(scale)} and indices ${printType(indices)} differ in shape`)
    return bagsOf(op, table, scale, rows, [offsets.shape[0]! - 1])
  },
  fault: outside,
})
