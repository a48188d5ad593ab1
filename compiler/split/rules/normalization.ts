import { type Refusal, refuse, type SplitRule } from '../rule.ts'

const along = (given: number, rank: number, axis: number): Refusal | undefined =>
  axis === (given < 0 ? given + rank : given) ? refuse(`dimension ${axis} is normalised`) : undefined

const trailing = (dims: number, rank: number, axis: number): Refusal | undefined =>
  axis >= rank - dims ? refuse(`dimension ${axis} is normalised`) : undefined

type Softmax = SplitRule<'softmax'>

const softmax: Softmax = ({ attributes, type }, axis, range) =>
  along(attributes.axis, type.shape.length, axis) ?? { needs: { input: { axis, range } } }

/** Composites that targets keep: what is normalised together stays together. */
export const keptNormalizationRules: {
  readonly [K in 'softmax' | 'logSoftmax' | 'layerNorm' | 'rmsNorm']: SplitRule<K>
} = {
  softmax,
  logSoftmax: softmax as SplitRule<'logSoftmax'>,
  layerNorm: ({ operands: { scale, shift }, attributes: { dims }, type }, axis, range) =>
    trailing(dims, type.shape.length, axis) ?? {
      needs: { input: { axis, range }, ...(scale && { scale: 'all' }), ...(shift && { shift: 'all' }) },
    },
  rmsNorm: ({ operands: { scale }, attributes: { dims }, type }, axis, range) =>
    trailing(dims, type.shape.length, axis) ?? { needs: { input: { axis, range }, ...(scale && { scale: 'all' }) } },
}
