// What blocks cost and save, in nanoseconds. Estimates that weigh one layout against another, not promises.
import { costOf, type Rates, workOf } from '../cost/index.ts'
import { attributesOf, blockedShape, byteSize, elementCount, type Node, type Shape, type TensorType } from '../graph/index.ts'
import type { BlockOptions } from './row.ts'

/** A transposition in tiles of vectors runs at half the speed of a copy: measured on Zen 4. */
const relayoutFactor = 2
/**
 * What the arithmetic of a convolution takes longer where pixels, not channels, lie side by side: broken vectors at the ends of rows, pixels
 * that are picked from rows, a channel's few weights for whole vectors. Measured on Zen 4 with vectors of 16: 1.2 to 1.5 for windows of one
 * element, 1.1 to 1.6 for others, with strides 4 and 1.8, for a channel alone 3 to 8, and with strides 14; low, so that blocks are not
 * chosen where they only might pay.
 */
function plainFactor(node: Node): number {
  const { groups, stride } = attributesOf<'conv'>(node)
  const [, inputs, ...window] = node.operands[1]!.type.shape as [number, number, ...number[]]
  const strided = stride.some((step) => step > 1)
  if (groups > 1 && inputs === 1) return strided ? 8 : 3
  if (elementCount(window) === 1) return strided ? 3 : 1.2
  return strided ? 1.8 : 1.5
}

export const inBlocks = (type: TensorType, block: number): TensorType => ({
  dtype: type.dtype,
  shape: blockedShape(type.shape, block),
})

/** How many times the elements of a tensor its blocks hold: 1 where the last one is full. */
export const fillOf = (shape: Shape, block: number): number => elementCount(blockedShape(shape, block)) / elementCount(shape)

/** Whether blocks and plain elements lie in the same order in memory, so that one is a view of the other. */
export function isSameOrder({ shape }: TensorType, block: number): boolean {
  return elementCount(shape.slice(2)) === 1 && shape[1]! % block === 0
}

/** Of a value once for all its readers, `into` blocks or out of them. */
export function relayoutCost(type: TensorType, { block, rates, into }: { block: number; rates: Rates; into: boolean }): number {
  if (isSameOrder(type, block)) return 0
  const spatial = elementCount(type.shape.slice(2))
  // The first channels of one image are a part of its blocks.
  if (!into && spatial === 1 && type.shape[0] === 1) return 0
  const bytes = byteSize(inBlocks(type, block))
  const copy = costOf({ operations: 0, bytesRead: bytes, bytesWritten: bytes }, rates)
  return spatial === 1 ? copy : copy * relayoutFactor
}

/** What an op that does the same to every element takes more, because lanes without a channel are computed too. */
export function lanesCost(node: Node, block: number, rates: Rates): number {
  const work = workOf(node)
  const fill = fillOf(node.type.shape, block)
  const filled = {
    operations: work.operations * fill,
    bytesRead: work.bytesRead * fill,
    bytesWritten: work.bytesWritten * fill,
  }
  return costOf(filled, rates) - costOf(work, rates)
}

/**
 * Between equals, what follows a convolution does so in blocks, where it becomes a part of its kernel; behind a relayout it would keep that
 * from being a mere movement.
 */
export const followingSaving = (node: Node, block: number): number => (isSameOrder(node.type, block) ? 0 : 1)

/** What a convolution takes less in blocks. Where weights are most of what is read, as for images of one pixel, nothing. */
export function convolutionSaving(node: Node, { block, rates, channelsAtOnce = block }: BlockOptions): number {
  const { shape } = node.type
  const work = workOf(node)
  const plain = costOf({ ...work, operations: work.operations * plainFactor(node) }, rates)
  const operations = work.operations * fillOf(shape, channelsAtOnce)
  const bytesWritten = work.bytesWritten * fillOf(shape, block)
  return plain - costOf({ operations, bytesRead: work.bytesRead, bytesWritten }, rates)
}
