import { refuse, type SplitRule } from '../rule.ts'

const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

/** Ops that look along one axis, which must stay whole; the other dimensions are the operand's. */
const others =
  (along: number, name: string) =>
  (axis: number): { readonly refused: string } | undefined =>
    axis === along ? refuse(`${name} looks along dimension ${along}`) : undefined

type Argument = SplitRule<'argMax'>

const argument: Argument = ({ operands: { input }, attributes: { axis: given, keepDims } }, axis, range) => {
  const along = fromFront(given, input.shape.length)
  const from = keepDims || axis < along ? axis : axis + 1
  return others(along, 'the op')(keepDims ? axis : from) ?? { needs: { input: { axis: from, range } } }
}

const running: SplitRule<'cumSum'> = ({ operands: { input }, attributes }, axis, range) =>
  others(fromFront(attributes.axis, input.shape.length), 'the op')(axis) ?? { needs: { input: { axis, range } } }

export const indexingRules: {
  readonly [K in
    | 'gather'
    | 'scatterNd'
    | 'lookup'
    | 'argMax'
    | 'argMin'
    | 'topKIndices'
    | 'cumSum'
    | 'cumProd'
    | 'truePositions'
    | 'suppressedBoxes']: SplitRule<K>
} = {
  gather: ({ operands: { input, indices }, attributes }, axis, range) => {
    const along = fromFront(attributes.axis, input.shape.length)
    const rank = indices.shape.length
    if (axis < along) return { needs: { input: { axis, range }, indices: 'all' } }
    if (axis < along + rank) return { needs: { input: 'all', indices: { axis: axis - along, range } } }
    return { needs: { input: { axis: axis - rank + 1, range }, indices: 'all' } }
  },
  scatterNd: ({ operands: { indices } }, axis, range) => {
    const depth = indices.shape.at(-1)!
    if (axis < depth) return refuse(`the indices say where along dimension ${axis} an update goes`)
    const updates = { axis: indices.shape.length - 1 + axis - depth, range }
    return { needs: { input: { axis, range }, indices: 'all', updates } }
  },
  lookup: (_, axis, range) => ({ needs: { input: { axis, range }, table: 'all' } }),
  argMax: argument,
  argMin: argument as SplitRule<'argMin'>,
  topKIndices: ({ operands: { input }, attributes }, axis, range) =>
    others(fromFront(attributes.axis, input.shape.length), 'topKIndices')(axis) ?? { needs: { input: { axis, range } } },
  truePositions: () => refuse('each position is found behind those before it'),
  suppressedBoxes: ({ operands: { scoreThreshold } }, axis, range) => {
    if (axis === 2) return refuse('each box is kept because of those before it')
    const boxes = axis === 0 ? { axis, range } : ('all' as const)
    return {
      needs: { boxes, scores: { axis, range }, iouThreshold: 'all', ...(scoreThreshold && { scoreThreshold: 'all' as const }) },
    }
  },
  cumSum: running,
  cumProd: running as SplitRule<'cumProd'>,
}
