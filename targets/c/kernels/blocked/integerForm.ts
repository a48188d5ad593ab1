import type { DType } from '../../../../compiler/graph/dtype.ts'
import { type Arithmetic, pairs } from '../../arithmetic.ts'
import type { Level } from '../../level.ts'
import { fitsPairs } from '../pairs.ts'
import { quadFormOf } from '../quads.ts'
import type { AnchoredKernel } from '../template.ts'
import { isPadded, paddedExtents, type Triple } from '../windowed.ts'
import { type BlockedConvolution, blockedConvolutionOf } from './sizes.ts'

/** A blocked convolution of integers; bias and sums are i32. */
export interface BlockedIntegers extends BlockedConvolution {
  readonly inputType: DType
  readonly weightType: DType
  readonly inputZeroPoint: number
  /** One entry, or one for each output channel. */
  readonly weightZeroPoint: readonly number[]
}

export function blockedIntegersOf(kernel: AnchoredKernel, level: Level): BlockedIntegers {
  const [input, weight] = kernel.anchor.operands
  const { inputZeroPoint, weightZeroPoint } = kernel.anchor.attributes as { inputZeroPoint: number; weightZeroPoint: number[] }
  return {
    ...blockedConvolutionOf(kernel, level),
    inputType: input!.dtype,
    weightType: weight!.dtype,
    inputZeroPoint,
    weightZeroPoint,
  }
}

/** Zero point of the weights of an output channel. */
export const weightZeroOf = ({ weightZeroPoint }: Pick<BlockedIntegers, 'weightZeroPoint'>, output: number): number =>
  weightZeroPoint[weightZeroPoint.length === 1 ? 0 : output]!

type ZeroPoints = Pick<BlockedIntegers, 'inputType' | 'weightType' | 'inputZeroPoint' | 'weightZeroPoint'>

/** Whether differences from the zero points have 16 bits: what all the kernels here can do. */
export const fitsUnits = ({ inputType, inputZeroPoint, weightType, weightZeroPoint }: ZeroPoints): boolean =>
  fitsPairs(inputType, [inputZeroPoint]) && fitsPairs(weightType, weightZeroPoint)

/** How channels become units of four bytes, of which one instruction multiplies a vector and adds it up. */
export interface UnitForm {
  readonly arithmetic: Arithmetic
  /** Channels of a unit: four bytes as they are, or two differences of 16 bits from the zero point. */
  readonly channels: 4 | 2
  /** The byte of which padding consists. */
  readonly padding: number
  /** Sums begin with −zero · Σ (weight − its zero point). */
  readonly zero: number
}

/** Quads where the level has them and weights are bytes with a sign, less their zero point; pairs otherwise. */
export function unitFormOf(convolution: ZeroPoints, level: Level): UnitForm {
  const { inputType, inputZeroPoint, weightType, weightZeroPoint } = convolution
  const quad = quadFormOf(
    { dtype: inputType, zeroPoint: inputZeroPoint },
    { dtype: weightType, zeroPoints: weightZeroPoint },
    level,
  )
  return quad
    ? { arithmetic: quad.arithmetic, channels: 4, padding: inputZeroPoint & 0xff, zero: quad.zero }
    : { arithmetic: pairs, channels: 2, padding: 0, zero: 0 }
}

/**
 * Where units are read: `[batch][blocks][depth][height][width][units]`. Blocks of the input keep their channels together; of a plain input
 * each unit of channels is a plane of its own.
 */
export interface UnitLayout {
  /** Units are brought into working storage, rather than read from the input as it is. */
  readonly staged: boolean
  readonly blocks: number
  /** Channels of a block, and the units that hold them. */
  readonly channels: number
  readonly units: number
  /** Depth, height and width, with padding. */
  readonly extents: Triple
  /** Units from one row, plane, block and image to the next. */
  readonly row: number
  readonly plane: number
  readonly block: number
  readonly image: number
  /**
   * Few channels of a plain input lie side by side, so that a row of a window is one run of bytes and `units` are those of such a run: there are fewer
   * than with a unit for each pixel, but they begin at any byte. Strides count bytes then, and windows have no columns of their own.
   */
  readonly joined: boolean
}

/** Bytes behind joined rows that units reach into. */
export const joinedSlack = 3

/** Whether runs over the columns of a window have fewer units than its pixels; some levels read elements in words that lie anywhere. */
const joins = ({ plain, groups, channels, window, dilation }: BlockedIntegers, form: UnitForm): boolean =>
  plain &&
  form.channels === 4 &&
  groups === 1 &&
  channels <= 3 &&
  dilation[2] === 1 &&
  Math.ceil((window[2] * channels) / 4) < window[2]

/** The window as tiles walk it: rows are one step where they are joined. */
export const walkedWindow = ({ window }: BlockedIntegers, { joined }: UnitLayout): Triple =>
  joined ? [window[0], window[1], 1] : window

export function unitLayoutOf(convolution: BlockedIntegers, form: UnitForm): UnitLayout {
  const bytes = joins(convolution, form)
  if (bytes) {
    const { channels, window } = convolution
    const extents = paddedExtents(convolution)
    const row = extents[2] * channels
    const image = extents[0] * extents[1] * row
    const units = Math.ceil((window[2] * channels) / 4)
    return { staged: true, blocks: 1, channels, units, extents, row, plane: extents[1] * row, block: image, image, joined: true }
  }
  const channels = convolution.plain ? form.channels : convolution.block
  const units = channels / form.channels
  const blocks = Math.ceil(convolution.channels / channels)
  const extents = paddedExtents(convolution)
  const row = extents[2] * units
  const plane = extents[1] * row
  const block = extents[0] * plane
  const staged = convolution.plain || form.channels === 2 || isPadded(convolution)
  return { staged, blocks, channels, units, extents, row, plane, block, image: blocks * block, joined: false }
}

/** Whether each channel is convolved by itself. */
export const isDepthwise = ({ inputs, outputs, plain }: BlockedConvolution): boolean => inputs === 1 && outputs === 1 && !plain
