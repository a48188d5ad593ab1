import { refuse, type SplitRule } from '../rule.ts'

type Reduction = 'reduceSum' | 'reduceProd' | 'reduceMax' | 'reduceMin'

/** Dimensions that are combined stay whole. */
const reduction: SplitRule<'reduceSum'> = ({ operands: { input }, attributes: { axes, keepDims } }, axis, range) => {
  const rank = input.shape.length
  const reduced = new Set(axes.map((entry) => (entry < 0 ? entry + rank : entry)))
  const kept = input.shape.flatMap((_, i) => (keepDims || !reduced.has(i) ? [i] : []))
  const from = kept[axis]!
  return reduced.has(from) ? refuse(`dimension ${from} is combined`) : { needs: { input: { axis: from, range } } }
}

export const reduceRules: { readonly [K in Reduction]: SplitRule<K> } = {
  reduceSum: reduction,
  reduceProd: reduction as SplitRule<'reduceProd'>,
  reduceMax: reduction as SplitRule<'reduceMax'>,
  reduceMin: reduction as SplitRule<'reduceMin'>,
}
