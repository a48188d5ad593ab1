import { z } from 'zod'
import { primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { elementCount, printType, type TensorType } from '../type.ts'
import { axis, numbers, one, resolveAxis, sameAs, size } from './shared.ts'

const argument = <const Name extends string>(name: Name, summary: string) =>
  primitive({
    name,
    summary,
    operands: { input: one('at least one dimension', numbers) },
    /** `last` chooses the last of equal elements instead of the first. */
    attributes: z.strictObject({ axis, keepDims: z.boolean(), last: z.boolean().default(false) }),
    traits: ['pure', 'anchor'],
    infer: ({ input }, { axis, keepDims }): TensorType => {
      const along = resolveAxis(axis, input.shape.length, name)
      const shape = input.shape.flatMap((extent, i) => (i === along ? (keepDims ? [1] : []) : [extent]))
      if (input.shape[along] === 0 && elementCount(shape) > 0)
        reject('shape-mismatch', `${name}: ${printType(input)} has no element to choose along axis ${along}`)
      return { dtype: 'i64', shape }
    },
  })

export const argMax = argument('argMax', 'Position of the largest element along an axis; NaN counts as the largest')
export const argMin = argument('argMin', 'Position of the smallest element along an axis; NaN counts as the smallest')

/** Elements are ordered by value, NaN above all others, and equal ones by position: the result does not depend on how it is found. */
export const topKIndices = primitive({
  name: 'topKIndices',
  summary: 'Positions of the k largest or smallest elements along an axis, best first',
  operands: { input: one('at least one dimension', numbers) },
  attributes: z.strictObject({ k: size, axis: axis.default(-1), largest: z.boolean().default(true) }),
  traits: ['pure', 'anchor'],
  infer: ({ input }, { k, axis }): TensorType => {
    const along = resolveAxis(axis, input.shape.length, 'topKIndices')
    if (k > input.shape[along]!)
      reject(
        'shape-mismatch',
        `topKIndices: ${k} elements are more than the ${input.shape[along]} along axis ${along} of ${printType(input)}`,
      )
    return { dtype: 'i64', shape: input.shape.map((extent, i) => (i === along ? k : extent)) }
  },
})

const running = <const Name extends string>(name: Name, summary: string) =>
  primitive({
    name,
    summary,
    operands: { input: one('at least one dimension', numbers) },
    attributes: z.strictObject({
      axis: axis.default(-1),
      exclusive: z.boolean().default(false),
      reverse: z.boolean().default(false),
    }),
    traits: ['pure', 'anchor'],
    infer: ({ input }, { axis }) => {
      resolveAxis(axis, input.shape.length, name)
      return sameAs(input)
    },
  })

/** Floats are combined in f64 and rounded once for each element; integers wrap. */
export const cumSum = running('cumSum', 'Running sum along an axis')
export const cumProd = running('cumProd', 'Running product along an axis')
