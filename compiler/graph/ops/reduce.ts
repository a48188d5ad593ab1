import { z } from 'zod'
import { composite, type OpDefinition, primitive } from '../definition.ts'
import type { DType } from '../dtype.ts'
import { reject } from '../problem.ts'
import { elementCount, printType, type TensorType } from '../type.ts'
import { floats, integer, numbers, one, resolveAxes, withShape } from './shared.ts'

const attributes = z.strictObject({ axes: z.array(integer), keepDims: z.boolean() })

function inferReduce(input: TensorType, axes: readonly number[], keepDims: boolean, op: string, allowEmpty: boolean): TensorType {
  const reduced = new Set(resolveAxes(axes, input.shape.length, op))
  if (
    !allowEmpty &&
    [...reduced].some((a) => input.shape[a] === 0) &&
    elementCount(input.shape.filter((_, i) => !reduced.has(i))) > 0
  ) {
    reject('shape-mismatch', `${op}: ${printType(input)} has no element to choose along an empty axis`)
  }
  return withShape(
    input,
    input.shape.flatMap((extent, i) => (reduced.has(i) ? (keepDims ? [1] : []) : [extent])),
  )
}

const spec = <const Name extends string>(name: Name, summary: string, accepted: readonly DType[], allowEmpty: boolean) => ({
  name,
  summary,
  operands: { input: one('any shape', accepted) },
  attributes,
  infer: ({ input }: { input: TensorType }, a: z.output<typeof attributes>) =>
    inferReduce(input, a.axes, a.keepDims, name, allowEmpty),
})

const reduction = <const Name extends string>(name: Name, summary: string, accepted: readonly DType[], allowEmpty: boolean) =>
  primitive({ ...spec(name, summary, accepted, allowEmpty), traits: ['pure', 'anchor', 'reduction'] })
const derived = <const Name extends string>(name: Name, summary: string, accepted: readonly DType[] = floats) =>
  composite({ ...spec(name, summary, accepted, false), traits: ['pure'] })

export const reduceSum = reduction('reduceSum', 'Sum over axes', numbers, true)
export const reduceProd = reduction('reduceProd', 'Product over axes', numbers, true)
export const reduceMax = reduction('reduceMax', 'Largest element over axes; NaN if any is', numbers, false)
export const reduceMin = reduction('reduceMin', 'Smallest element over axes; NaN if any is', numbers, false)

/** Of integers, truncated towards zero; the sum is taken in i64, or u64 for u64. */
export const reduceMean = derived('reduceMean', 'Mean over axes', numbers)
export const reduceL1 = derived('reduceL1', 'Sum of absolute values over axes', numbers)
export const reduceL2 = derived('reduceL2', 'Root of the sum of squares over axes')
export const reduceSumSquare = derived('reduceSumSquare', 'Sum of squares over axes', numbers)
export const reduceLogSumExp = derived(
  'reduceLogSumExp',
  'Logarithm of the sum of exponentials over axes, computed without overflow',
)

export const variance = composite({
  name: 'variance',
  summary: 'Mean squared distance from the mean over axes, computed in two passes',
  operands: { input: one('any shape', floats) },
  attributes: z.strictObject({ ...attributes.shape, correction: z.int().min(0).default(0) }),
  traits: ['pure'],
  infer: ({ input }, a) => inferReduce(input, a.axes, a.keepDims, 'variance', false),
}) satisfies OpDefinition<'variance', any, any>
