import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import { dtypes } from '../dtype.ts'
import { reject } from '../problem.ts'
import { printType, type Shape, sameShape, type TensorType } from '../type.ts'
import {
  axis,
  indices as indexTypes,
  moved,
  one,
  positive,
  requireSameDType,
  resolveAxis,
  sameAs,
  size,
  values,
} from './shared.ts'

/** How an update meets the element that it goes to; `none` replaces it. */
export const scatterReductions = ['none', 'add', 'mul', 'max', 'min'] as const
const reduction = z.enum(scatterReductions).default('none')

/**
 * What indices stood for before a lowering made one flat index of them: extents of the dimensions that it joined. The lowering has
 * checked each; what lay outside comes as an index outside of the flat dimension. Only the message of a failure depends on it.
 */
export const joinedExtents = z.array(size).optional()

/** What a request is told whose index lies outside; `extents` are the dimensions that indices choose from. */
export const outsideMessage = (input: TensorType, extents: Shape, joined: readonly number[] | undefined): string => {
  if (joined && joined.length > 1)
    return `an index is outside a tensor of [${joined.join(', ')}]; indices may be -n to n - 1 in a dimension of n`
  if (joined) return `an index is outside a dimension of ${joined[0]}; it may be ${-joined[0]!} to ${joined[0]! - 1}`
  const range =
    extents.length === 1 ? `it may be ${-extents[0]!} to ${extents[0]! - 1}` : 'indices may be -n to n - 1 in a dimension of n'
  return `an index is outside ${printType(input)}; ${range}`
}

function requireReduction(updates: TensorType, kind: (typeof scatterReductions)[number], op: string): void {
  if (kind !== 'none' && updates.dtype === 'bool')
    reject('dtype-mismatch', `${op}: reduction '${kind}' needs numbers, got ${printType(updates)}`)
}

/** result[…, i, …] = input[…, indices[…, i, …], …] (ONNX GatherElements 13). */
export const gatherElements = composite({
  name: 'gatherElements',
  summary: 'Elements picked along an axis, each by an index of its own',
  operands: {
    input: one('at least one dimension', values),
    indices: one('as many dimensions, no longer outside the axis', indexTypes),
  },
  attributes: z.strictObject({ axis: axis.default(0) }),
  traits: ['pure', 'checked'],
  infer: ({ input, indices }, attributes) => {
    requireWithin(input, indices, attributes.axis, 'gatherElements')
    return moved(input, indices.shape)
  },
})

function requireWithin(input: TensorType, indices: TensorType, given: number, op: string): number {
  if (input.shape.length === 0) reject('rank-mismatch', `${op}: input needs at least one dimension`)
  const along = resolveAxis(given, input.shape.length, op)
  if (indices.shape.length !== input.shape.length || indices.shape.some((extent, i) => i !== along && extent > input.shape[i]!))
    reject(
      'shape-mismatch',
      `${op}: indices ${printType(indices)} must have the dimensions of ${printType(input)}, longer ones on axis ${along} alone`,
    )
  return along
}

/**
 * The last dimension of indices names a place in as many dimensions of input, behind `batchDims` leading dimensions that both share;
 * the result has the other dimensions of indices, then what is left of input (ONNX GatherND 13).
 */
export const gatherNd = composite({
  name: 'gatherNd',
  summary: 'Parts of a tensor picked by index vectors',
  operands: { input: one('at least one dimension', values), indices: one('[…, depth]', indexTypes) },
  attributes: z.strictObject({ batchDims: size.default(0) }),
  traits: ['pure', 'checked'],
  infer: ({ input, indices }, { batchDims }) => {
    const depth = requireVectors(input, indices, batchDims, 'gatherNd')
    return moved(input, [...indices.shape.slice(0, -1), ...input.shape.slice(batchDims + depth)])
  },
})

function requireVectors(input: TensorType, indices: TensorType, batchDims: number, op: string): number {
  if (indices.shape.length === 0) reject('rank-mismatch', `${op}: indices must be […, depth], got ${printType(indices)}`)
  const depth = indices.shape.at(-1)!
  if (depth === 0 || depth > input.shape.length - batchDims)
    reject(
      'shape-mismatch',
      `${op}: index vectors of ${depth} entries do not fit ${printType(input)}${batchDims > 0 ? ` behind ${batchDims} batch dimensions` : ''}`,
    )
  if (batchDims >= indices.shape.length || !sameShape(indices.shape.slice(0, batchDims), input.shape.slice(0, batchDims)))
    reject('shape-mismatch', `${op}: the first ${batchDims} dimensions of ${printType(input)} and ${printType(indices)} differ`)
  return depth
}

/** A copy of input in which element […, indices[…, i, …], …] is combined with updates[…, i, …], in row-major order (ONNX ScatterElements 18). */
export const scatterElements = composite({
  name: 'scatterElements',
  summary: 'A tensor with elements replaced or combined along an axis, each at an index of its own',
  operands: {
    input: one('at least one dimension', values),
    indices: one('as many dimensions, no longer outside the axis', indexTypes),
    updates: one('the shape of indices', values),
  },
  attributes: z.strictObject({ axis: axis.default(0), reduction }),
  traits: ['pure', 'checked'],
  infer: ({ input, indices, updates }, attributes) => {
    requireSameDType(input, updates, 'scatterElements', ['input', 'updates'])
    requireReduction(updates, attributes.reduction, 'scatterElements')
    requireWithin(input, indices, attributes.axis, 'scatterElements')
    if (!sameShape(indices.shape, updates.shape))
      reject(
        'shape-mismatch',
        `scatterElements: updates must have the shape of indices ${printType(indices)}, got ${printType(updates)}`,
      )
    return sameAs(input)
  },
})

/** A copy of input in which the parts that index vectors name are combined with updates, in row-major order (ONNX ScatterND 18). */
export const scatterNd = primitive({
  name: 'scatterNd',
  summary: 'A tensor with parts replaced or combined, each at an index vector',
  operands: {
    input: one('at least one dimension', values),
    indices: one('[…, depth]', indexTypes),
    updates: one('indices without its last dimension, then what is left of input', values),
  },
  attributes: z.strictObject({ reduction, joined: joinedExtents }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ input, indices, updates }, attributes) => {
    requireSameDType(input, updates, 'scatterNd', ['input', 'updates'])
    requireReduction(updates, attributes.reduction, 'scatterNd')
    const depth = requireVectors(input, indices, 0, 'scatterNd')
    const expected = [...indices.shape.slice(0, -1), ...input.shape.slice(depth)]
    if (!sameShape(updates.shape, expected))
      reject(
        'shape-mismatch',
        `scatterNd: updates must be [${expected.join(', ')}] for ${printType(input)} and indices ${printType(indices)}, got ${printType(updates)}`,
      )
    return sameAs(input)
  },
  memory: { inPlace: [0] },
  fault: ({ input, indices }, { joined }) => outsideMessage(input, input.shape.slice(0, indices.shape.at(-1)), joined),
})

/** Negative indices count from the end; those outside give nothing but zeros (ONNX OneHot 11 with values 0 and 1). */
export const oneHot = composite({
  name: 'oneHot',
  summary: 'A new axis that is one at the index and zero elsewhere',
  operands: { indices: one('any shape', indexTypes) },
  attributes: z.strictObject({ depth: positive, axis: axis.default(-1), dtype: z.enum(dtypes).default('f32') }),
  traits: ['pure'],
  infer: ({ indices }, { depth, axis, dtype }): TensorType => {
    const along = resolveAxis(axis, indices.shape.length + 1, 'oneHot')
    return { dtype, shape: [...indices.shape.slice(0, along), depth, ...indices.shape.slice(along)] }
  },
})
