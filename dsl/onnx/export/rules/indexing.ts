import { elementCount } from '../../../../compiler/graph/index.ts'
import type { ExportContext, ExportRule, ExportRules, Ref } from '../context.ts'

/** ONNX takes indices as i64, some operators as i32 too. */
const indexed = (indices: Ref, c: ExportContext, narrow = true): Ref =>
  narrow && indices.type.dtype === 'i32' ? indices : c.convert(indices, 'i64')

const gather: ExportRule<'gather'> = ({ input, indices }, { axis }, c) =>
  c.emit('Gather', [input, indexed(indices, c)], c.type, { axis })

/** Opset 18 has the extremes among the ways to combine. */
const combining = (reduction: string, c: ExportContext): { readonly reduction?: string } => {
  if (reduction === 'none') return {}
  if (c.opset < 18 && (reduction === 'max' || reduction === 'min'))
    return c.inexpressible(`ONNX opset ${c.opset} does not scatter with reduction '${reduction}'`, 'use opset 18')
  return { reduction }
}

const topKIndices: ExportRule<'topKIndices'> = ({ input }, { k, axis, largest }, c) => {
  const given = c.offers('TopK', input.type.dtype) ? input : c.convert(input, 'f32')
  const { shape } = c.type
  const [, indices] = c.emitAll('TopK', [given, c.constant('i64', [1], [k])], [{ dtype: given.type.dtype, shape }, c.type], {
    axis,
    largest: Number(largest),
    sorted: 1,
  })
  return indices
}

/** ONNX asks for a dimension of indices. */
const oneHot: ExportRule<'oneHot'> = ({ indices }, { depth, axis, dtype }, c) => {
  const numbers = indexed(indices, c, false)
  const write = (given: Ref, shape: readonly number[]): Ref =>
    c.emit('OneHot', [given, c.constant('i64', [], [depth]), c.constant(dtype, [2], [0, 1])], { dtype, shape }, { axis }, 2)
  if (numbers.type.shape.length > 0) return write(numbers, c.type.shape)
  const one = c.emit('Reshape', [numbers, c.constant('i64', [1], [1])], { ...numbers.type, shape: [1] })
  const row = write(one, axis === 0 ? [depth, 1] : [1, depth])
  return c.emit('Reshape', [row, c.constant('i64', [1], [depth])], c.type)
}

/** ONNX cannot refuse values: what is no length, or no offset, is refused where it is an index outside, or not at all. */
const bagOffsets: ExportRule<'bagOffsets'> = ({ lengths }, { given }, c) => {
  const numbers = c.convert(lengths, 'i32')
  if (given === 'offsets') return numbers
  const sums = c.emit('CumSum', [numbers, c.constant('i32', [], [0])], numbers.type)
  return c.emit('Concat', [c.constant('i32', [1], [0]), sums], c.type, { axis: 0 })
}

/** Elements of a running product: each is a node of the file. */
const longestProduct = 1024

/** ONNX has it since version 26: before, one product after the other. */
const cumProd: ExportRule<'cumProd'> = ({ input }, { axis, exclusive, reverse }, c) => {
  const { dtype, shape } = input.type
  const at = axis < 0 ? axis + shape.length : axis
  const extent = shape[at]!
  if (extent > longestProduct)
    return c.inexpressible(`a running product of ${extent} elements is too long`, 'compute it behind the model')
  if (elementCount(shape) === 0) return c.emit('Identity', [input], c.type)
  const type = { dtype, shape: shape.map((size, i) => (i === at ? 1 : size)) }
  const slice = (start: number) => {
    const bounds = [start, start + 1, at].map((value) => c.constant('i64', [1], [value]))
    return c.emit('Slice', [input, ...bounds], type)
  }
  const ones = () => c.emit('Expand', [c.scalar(input, 1), c.constant('i64', [shape.length], type.shape)], type)
  const totals: Ref[] = []
  for (let j = 0; j < extent; j++) {
    const before = totals.at(-1)
    const place = j - (exclusive ? 1 : 0)
    const next = place < 0 ? ones() : slice(reverse ? extent - 1 - place : place)
    totals.push(before ? c.emit('Mul', [before, next], type) : next)
  }
  if (reverse) totals.reverse()
  return extent === 1 ? totals[0]! : c.emit('Concat', totals, c.type, { axis: at })
}

export const indexingRules = {
  gather,
  embedding: ({ indices, table }, _, c) => c.emit('Gather', [table, indexed(indices, c)], c.type, { axis: 0 }),
  embeddingBag: () => undefined,
  raggedEmbeddingBag: () => undefined,
  bagOffsets,
  gatherElements: ({ input, indices }, { axis }, c) => c.emit('GatherElements', [input, indexed(indices, c)], c.type, { axis }),
  gatherNd: ({ input, indices }, { batchDims }, c) =>
    c.emit('GatherND', [input, indexed(indices, c, false)], c.type, { batch_dims: batchDims }),
  scatterElements: ({ input, indices, updates }, { axis, reduction }, c) =>
    c.emit('ScatterElements', [input, indexed(indices, c), updates], c.type, { axis, ...combining(reduction, c) }),
  scatterNd: ({ input, indices, updates }, { reduction }, c) =>
    c.emit('ScatterND', [input, indexed(indices, c, false), updates], c.type, combining(reduction, c)),
  oneHot,
  argMax: ({ input }, { axis, keepDims, last }, c) =>
    c.emit('ArgMax', [input], c.type, { axis, keepdims: Number(keepDims), select_last_index: Number(last) }),
  argMin: ({ input }, { axis, keepDims, last }, c) =>
    c.emit('ArgMin', [input], c.type, { axis, keepdims: Number(keepDims), select_last_index: Number(last) }),
  topKIndices,
  cumSum: ({ input }, { axis, exclusive, reverse }, c) =>
    c.emit('CumSum', [input, c.constant('i32', [], [axis])], c.type, { exclusive: Number(exclusive), reverse: Number(reverse) }),
  cumProd,
} satisfies Partial<ExportRules>
