import type { StoredFloat } from '../../../../compiler/fuse/kernel.ts'
import { type Arithmetic, bf16Pairs, singles } from '../../arithmetic.ts'
import type { Level } from '../../level.ts'
import type { AnchoredKernel } from '../template.ts'
import { volume } from '../windowed.ts'
import { type BlockedConvolution, pairedSizes, stridesOf } from './sizes.ts'

/**
 * What tiles of a direct convolution multiply, and how it lies in storage. Elements of the input and of weights are counted alike: one is a
 * channel of f32, or a pair of channels of bf16.
 */
export interface Operands {
  /** What it adds to the name of a way. */
  readonly name: string
  readonly sizes: BlockedConvolution
  readonly arithmetic: Arithmetic
  /** How elements of packed weights are stored. */
  readonly stored: 'f32' | StoredFloat
  /** C type of pointers to packed weights. */
  readonly pointer: 'f32' | 'i32' | 'u16'
  /** Bytes of an element of packed weights. */
  readonly bytes: 2 | 4
  /** Channels that lie side by side in packed weights: steps come in as many. */
  readonly pair: 1 | 2
  /** How the input is brought into working storage, of which tiles then read it. Default: they read it as it is. */
  readonly staged?: 'rounded' | 'picked'
  /** Weights are brought into working storage as f32: panel by panel, or all of them where panels are not outermost. */
  readonly expanded: boolean
  /** C expression of vector `vector` of step `step` from `w` on, where steps have `width` elements. */
  readonly stream: (step: number, vector: number, width: number) => string
}

const asTheyAre = (sizes: BlockedConvolution): Operands => ({
  name: '',
  sizes,
  arithmetic: singles,
  stored: 'f32',
  pointer: 'f32',
  bytes: 4,
  pair: 1,
  expanded: false,
  stream: (step, vector, width) => `LOAD(w + ${step * width + vector * sizes.block})`,
})

/**
 * A window of one element that moves by more reads some pixels alone: brought together, they are read as the long row of a window that
 * moves by 1.
 */
const isPicked = ({ plain, window, stride, before, after }: BlockedConvolution): boolean =>
  !plain && volume(window) === 1 && volume(stride) > 1 && [...before, ...after].every((size) => size === 0)

/** The convolution over the pixels that it reads. */
function pickedSizes(sizes: BlockedConvolution): BlockedConvolution {
  const { output, channels, block, unit } = sizes
  return {
    ...sizes,
    input: output,
    stride: [1, 1, 1],
    strides: stridesOf(output, Math.ceil(channels / unit), block / unit, false),
  }
}

const picked = (sizes: BlockedConvolution): Operands => ({ ...asTheyAre(pickedSizes(sizes)), name: ' picked', staged: 'picked' })

/** Both operands rounded to bf16, in pairs of neighbouring channels. */
const rounded = (given: BlockedConvolution): Operands => ({
  name: ' bf16',
  sizes: pairedSizes(isPicked(given) ? pickedSizes(given) : given),
  arithmetic: bf16Pairs,
  stored: 'bf16',
  pointer: 'i32',
  bytes: 4,
  pair: 1,
  staged: 'rounded',
  expanded: false,
  stream: (step, vector, width) => `gp_load_i32(w + ${step * width + vector * given.block})`,
})

/** Weights in 16 bits, which become f32 as they are read. */
const widened = (sizes: BlockedConvolution, stored: StoredFloat): Operands => ({
  name: ' widened',
  sizes,
  arithmetic: singles,
  stored,
  pointer: 'u16',
  bytes: 2,
  pair: stored === 'bf16' ? 2 : 1,
  expanded: false,
  stream: (step, vector, width) => {
    if (stored === 'f16') return `gp_load_f16(w + ${step * width + vector * sizes.block})`
    const pair = (step - (step % 2)) * width + 2 * vector * sizes.block
    return `${step % 2 === 0 ? 'gp_first_bf16' : 'gp_second_bf16'}(w + ${pair})`
  },
})

/** Weights in 16 bits, which become f32 before tiles read them. */
const expanded = (sizes: BlockedConvolution, stored: StoredFloat): Operands => ({
  ...asTheyAre(sizes),
  name: ' expanded',
  stored,
  expanded: true,
})

/** Whether both operands of a convolution may be rounded, and there is an instruction that makes use of it. */
export const mayRound = (level: Level): boolean => level.precision === 'bf16' && level.bf16Pairs !== undefined

/**
 * Whether tiles can read weights in 16 bits. Channels must come in pairs for bf16, of which half a vector is a lane; compilers must take
 * passes of more than a step, as V8 does not; vectors of 64 bytes of f16 take so long to be widened that tiles lose 8 % (bf16: nothing).
 */
const widens = ({ inputs }: BlockedConvolution, as: StoredFloat, level: Level): boolean =>
  level.pass >= 16 && (as === 'bf16' ? inputs % 2 === 0 : level.loadHalves !== undefined && level.vectorBytes < 64)

/** The forms in which a kernel's operands can be multiplied; of weights stored in 16 bits those that read them so. */
export function operandsOf(sizes: BlockedConvolution, { inputs }: AnchoredKernel, level: Level): readonly Operands[] {
  const stored = inputs[1]!.stored
  return [
    ...(mayRound(level) && stored !== 'f16' ? [rounded(sizes)] : []),
    stored ? (widens(sizes, stored, level) ? widened(sizes, stored) : expanded(sizes, stored)) : asTheyAre(sizes),
    ...(isPicked(sizes) && !stored ? [picked(sizes)] : []),
  ]
}
