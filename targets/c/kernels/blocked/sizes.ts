import { assertInvariant } from '../../../../compiler/graph/problem.ts'
import { type Level, lanesOf } from '../../level.ts'
import type { AnchoredKernel } from '../template.ts'
import { type Triple, triple, type Windowed } from '../windowed.ts'

/** Elements of the input from one to the next along each dimension: of channels within a block, columns, rows, planes, blocks, images. */
export interface Strides {
  readonly lane: number
  readonly column: number
  readonly row: number
  readonly plane: number
  readonly block: number
  readonly image: number
}

/**
 * A convolution whose result, and nearly always its input, is blocked: `[batch, ceil(channels / block), …spatial, block]`, where a
 * block is a vector of the level. Operands are input, weight `[outputs, inputs / groups, …window]` and perhaps bias `[outputs]`.
 */
export interface BlockedConvolution extends Windowed {
  /** Spatial dimensions that the types really have, 1 to 3, but for the last ones that are still. */
  readonly axes: number
  /** Last spatial dimensions of one element, over which no window moves: vectors run along the dimension before them. */
  readonly still: number
  /** Channels of a block: lanes of the level. */
  readonly block: number
  /** The input is `[batch, channels, …spatial]`. */
  readonly plain: boolean
  /** Channels of an element of the input as tiles read it: `strides` count such elements. */
  readonly unit: 1 | 2
  readonly groups: number
  /** Input channels of a group. */
  readonly inputs: number
  /** Output channels of a group, and of all. */
  readonly outputs: number
  readonly outputChannels: number
  readonly outputBlocks: number
  readonly bias: boolean
  /** The last block has no channel in its upper half, and the level multiplies halves of vectors in half the time. */
  readonly half: boolean
  readonly strides: Strides
}

type Attributes = Readonly<Record<'stride' | 'dilation' | 'before' | 'after', readonly number[]>> & {
  readonly groups: number
  readonly block: number
}

export function blockedConvolutionOf({ anchor }: AnchoredKernel, level: Level): BlockedConvolution {
  const attributes = anchor.attributes as unknown as Attributes
  const [given, weight, bias] = anchor.operands
  const { groups, block } = attributes
  assertInvariant(block === lanesOf(level), `blocks of ${block} channels where vectors have ${lanesOf(level)} lanes`)
  const dimensions = weight!.shape.length - 2
  const plain = given!.shape.length === dimensions + 2
  const still = stillAxes(given!.shape.slice(2, 2 + dimensions), weight!.shape.slice(2), attributes)
  const axes = dimensions - still
  const along = (list: readonly number[], fill: number) => triple(list.slice(0, axes), fill)
  const input = along(given!.shape.slice(2), 1)
  const inputs = weight!.shape[1]!
  const outputChannels = weight!.shape[0]!
  return {
    axes,
    still,
    block,
    plain,
    unit: 1,
    batch: given!.shape[0]!,
    channels: inputs * groups,
    groups,
    inputs,
    outputs: outputChannels / groups,
    outputChannels,
    outputBlocks: Math.ceil(outputChannels / block),
    bias: bias !== undefined,
    half: level.multiplyAdd.half !== undefined && (outputChannels - 1) % block < block / 2,
    input,
    output: along(anchor.type.shape.slice(2), 1),
    window: along(weight!.shape.slice(2), 1),
    stride: along(attributes.stride, 1),
    dilation: along(attributes.dilation, 1),
    before: along(attributes.before, 0),
    after: along(attributes.after, 0),
    strides: stridesOf(input, inputs * groups, block, plain),
  }
}

/** How many of the last dimensions have one element, in the window too, and no padding: images that are one column, as sequences often are written. */
function stillAxes(input: readonly number[], window: readonly number[], { before, after }: Attributes): number {
  const isStill = (axis: number) => input[axis] === 1 && window[axis] === 1 && before[axis] === 0 && after[axis] === 0
  let count = 0
  while (count < input.length - 1 && isStill(input.length - 1 - count)) count++
  return count
}

/** Elements of a block of the input. */
export const unitsOfBlock = ({ block, unit }: Pick<BlockedConvolution, 'block' | 'unit'>): number => block / unit

/** The same convolution over pairs of neighbouring channels. */
export function pairedSizes(sizes: BlockedConvolution): BlockedConvolution {
  const { input, channels, block, plain } = sizes
  return { ...sizes, unit: 2, strides: stridesOf(input, Math.ceil(channels / 2), block / 2, plain) }
}

export function stridesOf([depth, height, width]: Triple, channels: number, block: number, plain: boolean): Strides {
  const column = plain ? 1 : block
  const volume = depth * height * width
  return {
    lane: plain ? volume : 1,
    column,
    row: width * column,
    plane: height * width * column,
    block: volume * block,
    image: (plain ? channels : Math.ceil(channels / block) * block) * volume,
  }
}

/** A position in the result for the dimensions that its type really has; vectors run along the last one. */
export const blockedPosition = (
  { axes, still = 0 }: { readonly axes: number; readonly still?: number },
  batch: string,
  block: string,
  spatial: readonly [string, string, string],
): readonly string[] => [batch, block, ...spatial.slice(3 - axes), ...Array.from({ length: still }, () => '0'), '0']
