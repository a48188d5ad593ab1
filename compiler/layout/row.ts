import type { Rates } from '../cost/index.ts'
import type { Builder, Node } from '../graph/index.ts'

/** What is known of the target: how many channels a block has, what work costs, and which convolutions are wanted in blocks. */
export interface BlockOptions {
  /** Channels of a block. */
  readonly block: number
  /** Channels that convolutions of floats in blocks compute at once at least. Default: `block`. */
  readonly channelsAtOnce?: number
  readonly rates: Rates
  /** Whether a convolution is to be considered for blocks. */
  blocks(convolution: Node): boolean
}

/**
 * What an op that works on blocks asks of an operand:
 * - `blocked`: stand in blocks, as the result does;
 * - `plain`: stand as it does without blocks;
 * - `either`: whichever it stands in.
 * Without blocks an op asks for plain operands.
 */
export type Demand = 'blocked' | 'plain' | 'either'

/** How a node works on blocks of channels. */
export interface InBlocks {
  /** For each operand. */
  readonly demands: readonly Demand[]
  /** Nanoseconds that the node itself takes less in blocks; below 0 where it takes more. */
  readonly saves: number
  /** Builds it over operands that stand as it asks. Its result is that of the node in blocks. */
  readonly build: (operands: readonly Node[], builder: Builder) => Node
}

/** One row: how a node works on blocks, or undefined where it does not. Its result has at least two dimensions, and elements. */
export type LayoutRow = (node: Node, options: BlockOptions) => InBlocks | undefined

export const channelsOf = (node: Node): number | undefined => node.type.shape[1]

/** Axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
