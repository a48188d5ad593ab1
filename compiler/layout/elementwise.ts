import { type Builder, elementCount, type Node } from '../graph/index.ts'
import { followingSaving, lanesCost, relayoutCost } from './price.ts'
import { toBlocks } from './relayout.ts'
import type { BlockOptions, Demand, LayoutRow } from './row.ts'

/** How an operand that broadcasts meets a result in blocks. */
interface Meeting {
  readonly demand: Demand
  /** Nanoseconds that it takes, beside what is done for all readers of the operand. */
  readonly cost: number
  readonly adapt: (operand: Node, builder: Builder) => Node
}

const asItIs = (operand: Node): Node => operand

/**
 * Operands that have one element for all channels get a last dimension of one. Those that have the channels stand in blocks; where they have
 * fewer dimensions than the result, so that none of theirs is known for the channels', they are brought there for this reader alone.
 */
function meet({ type, data }: Node, result: Node, { block, rates }: BlockOptions): Meeting {
  const rank = result.type.shape.length
  const isFull = type.shape.length === rank
  const shape = [...new Array<number>(rank - type.shape.length).fill(1), ...type.shape]
  if (shape[1] === 1 && (!isFull || result.type.shape[1] !== 1)) {
    const single = elementCount(shape) === 1
    const over = (input: Node, builder: Builder) => builder.add('reshape', { input }, { shape: [...type.shape, 1] })
    return { demand: 'plain', cost: 0, adapt: single ? asItIs : over }
  }
  if (isFull) return { demand: 'blocked', cost: 0, adapt: asItIs }
  return {
    demand: 'plain',
    cost: data ? 0 : relayoutCost({ dtype: type.dtype, shape }, { block, rates, into: true }),
    adapt: (input, builder) => toBlocks(builder, input, block, shape),
  }
}

/** A row for ops whose operands broadcast to the result: `build` gets them as they meet it. */
export const broadcasting =
  (build: (node: Node, operands: readonly Node[], builder: Builder, block: number) => Node): LayoutRow =>
  (node, options) => {
    const { block, rates } = options
    const meetings = node.operands.map((operand) => meet(operand, node, options))
    const adapting = meetings.reduce((sum, { cost }) => sum + cost, 0)
    return {
      demands: meetings.map(({ demand }) => demand),
      saves: followingSaving(node, block) - adapting - lanesCost(node, block, rates),
      build: (operands, builder) =>
        build(
          node,
          operands.map((operand, i) => meetings[i]!.adapt(operand, builder)),
          builder,
          block,
        ),
    }
  }
