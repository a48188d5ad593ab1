// Recurrent layers: sequences of a batch do not see each other, but a step sees all before it, or behind it where it goes backwards.
import { definitionOf, type RecurrentCell, recurrentCells } from '../graph/index.ts'
import { sameExtent, shifted } from './extent.ts'
import type { Axis, Rule } from './state.ts'
import { opText, placeOf } from './words.ts'

/** Where each operand has the dimension of the batch; all other dimensions but the length of the input have one size. */
const batchAxis: Readonly<Record<string, number>> = { input: 1, hidden: 1, cell: 1, lengths: 0 }

/**
 * Steps in the padding are no steps where `lengths` says so. The axis of steps begins with the states, in which they take no part, and has
 * zeros behind its end.
 */
export const layer: Rule = ({ nodes, operands, states, mixes }) => {
  const op = opText(nodes[0]!)
  const names = Object.keys(definitionOf(op).operands)
  const count = recurrentCells[op as RecurrentCell].states
  const length = states[0]!.axes[0]
  let batch: Axis | undefined
  for (const [i, state] of states.entries()) {
    const own = batchAxis[names[i]!]
    for (const [at, axis] of state.axes.entries()) {
      if (!axis || (i === 0 && at === 0)) continue
      if (at === own && (!batch || sameExtent(batch.extent, axis.extent))) batch ??= axis
      else
        mixes(
          `${op}: ${placeOf(operands[i]!, at)} is '${axis.extent.dim}', and its padding would get into the sums of each step`,
          'let only the batch and the number of steps have several sizes, and these alike in all operands',
        )
    }
  }
  if (length) {
    const given = states[names.indexOf('lengths')]?.size
    const { dim, times, over, plus } = length.extent
    if (!given || given.dim !== dim || times !== 1 || over !== 1 || given.plus > plus)
      mixes(
        `${op}: the steps are ${placeOf(operands[0]!, 0)}, which is '${dim}', and states would go on through its padding`,
        `say how many steps there are: lengths: ${times === 1 && over === 1 && plus === 0 ? `validLength(${dim})` : `as many as follow from validLength(${dim})`}`,
      )
  }
  const steps = length && { extent: shifted(length.extent, count), fill: { value: 0, everywhere: true } }
  return { axes: [steps, undefined, batch && { extent: batch.extent }, undefined] }
}
