// Look-ups whose bags have various lengths: padding behind the last bag is empty bags, padding behind the last index is in no bag.
import { attributesOf } from '../graph/index.ts'
import { shifted } from './extent.ts'
import { type Axis, isPadded, type Rule } from './state.ts'
import { placeOf, whereText } from './words.ts'

/** Bags that a request does not have must have no indices. */
export const bagOffsets: Rule = ({ nodes, operands, states, mixes }) => {
  const [axis] = states[0]!.axes
  if (!axis) return { axes: [undefined] }
  if (attributesOf<'bagOffsets'>(nodes[0]!).given === 'offsets')
    mixes(
      `embeddingBag: ${placeOf(operands[0]!, 0)} is '${axis.extent.dim}', and offsets in its padding would not be where the last bag ends`,
      'use sparseLengthsSum(), whose lengths are 0 in the padding',
    )
  else if (axis.fill?.value !== 0)
    mixes(
      `sparseLengthsSum: what stands in the padding of ${placeOf(operands[0]!, 0)}, which is '${axis.extent.dim}', may be no length, and the run would fail`,
      `let bags that are not there be empty: ${whereText(axis, 0, '0')}`,
    )
  return { axes: [{ extent: shifted(axis.extent, 1) }] }
}

export const raggedEmbeddingBag: Rule = ({ nodes, operands, states: [, table, offsets], mixes }) => {
  if (isPadded(table))
    mixes(
      `${nodes[0]!.op}: a dimension of the table ${placeOf(operands[1]!, 0)} has several sizes, and which rows are picked is known only when it runs`,
      'use a table of one size',
    )
  const [axis] = offsets!.axes
  const bags: Axis | undefined = axis && { extent: shifted(axis.extent, -1), fill: { value: 0, everywhere: true } }
  return { axes: [bags, table!.axes[1]] }
}
