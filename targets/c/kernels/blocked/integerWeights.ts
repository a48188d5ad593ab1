// Weights and biases of blocked convolutions of integers as their kernels read them.
import { elementsOf } from '../../../../compiler/graph/scalar.ts'
import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { volume } from '../windowed.ts'
import { type BlockedIntegers, type UnitForm, type UnitLayout, walkedWindow, weightZeroOf } from './integerForm.ts'

/** Output blocks that are computed together, and the blocks of the input that they read. */
export interface Panels {
  /** Output blocks of a panel; the last panel may have fewer. */
  readonly vectors: number
  readonly count: number
  /** Blocks of the input that each panel reads, from its first on. */
  readonly reach: number
  readonly first: readonly number[]
}

/** Of a group of channels the blocks that hold some of it; zeros stand where outputs and channels have different groups. */
export function panelsOf(
  { groups, inputs, outputs, outputChannels, outputBlocks, block }: BlockedIntegers,
  { blocks, channels }: UnitLayout,
  vectors: number,
): Panels {
  const count = Math.ceil(outputBlocks / vectors)
  if (groups === 1) return { vectors, count, reach: blocks, first: Array.from({ length: count }, () => 0) }
  const ranges = Array.from({ length: count }, (_, panel) => {
    const start = panel * vectors * block
    const end = Math.min(outputChannels, start + vectors * block) - 1
    const [from, to] = [Math.floor(start / outputs) * inputs, (Math.floor(end / outputs) + 1) * inputs]
    return { from: Math.floor(from / channels), to: Math.ceil(to / channels) }
  })
  const reach = Math.max(...ranges.map(({ from, to }) => to - from))
  return { vectors, count, reach, first: ranges.map(({ from }) => Math.min(from, blocks - reach)) }
}

/** Units of the weights of one output block. */
export const unitsOfBlock = (convolution: BlockedIntegers, layout: UnitLayout, { reach }: Panels): number =>
  reach * volume(walkedWindow(convolution, layout)) * layout.units * convolution.block

const correctionBytes = ({ outputBlocks, block }: BlockedIntegers) => 4 * outputBlocks * block
const identityOf = ({ groups, inputs, outputs, window, weightType, weightZeroPoint, block }: BlockedIntegers): string =>
  `${[groups, outputs, inputs, ...window].join('x')} in blocks of ${block} from ${weightType} less ${weightZeroPoint.join(' ')}`

/** `[panels][reach][window][units][blocks of the panel][lanes]`, and behind them what sums of each lane begin with. */
export function packUnits(convolution: BlockedIntegers, form: UnitForm, layout: UnitLayout, panels: Panels): Packing {
  const { inputs, outputs, outputChannels, outputBlocks, block, window, weightType } = convolution
  const [taps, places] = [volume(window), volume(walkedWindow(convolution, layout))]
  const size = unitsOfBlock(convolution, layout, panels)
  const bytes = 4 * outputBlocks * size + correctionBytes(convolution)
  return {
    key: `${layout.joined ? 'joined ' : ''}units of ${form.channels}, ${panels.vectors} blocks, ${layout.channels} channels, by ${form.zero}: ${identityOf(convolution)}`,
    bytes,
    pack(dense) {
      const { get } = elementsOf(weightType, dense)
      const to = new Uint32Array(bytes / 4)
      const corrections = new Int32Array(to.buffer, 4 * outputBlocks * size)
      const [width, mask] = form.channels === 4 ? [8, 0xff] : [16, 0xffff]
      for (let output = 0; output < outputChannels; output++) {
        const vector = Math.floor(output / block)
        const panel = Math.floor(vector / panels.vectors)
        const vectors = Math.min(panels.vectors, outputBlocks - panel * panels.vectors)
        const step = vectors * block
        const base = panel * panels.vectors * size + (vector - panel * panels.vectors) * block + (output % block)
        const firstChannel = panels.first[panel]! * layout.channels - Math.floor(output / outputs) * inputs
        const zero = weightZeroOf(convolution, output)
        let total = 0
        for (let channel = 0; channel < inputs; channel++) {
          const within = channel - firstChannel
          const [b, rest] = [Math.floor(within / layout.channels), within % layout.channels]
          for (let tap = 0; tap < taps; tap++) {
            const value = get((output * inputs + channel) * taps + tap) - zero
            total += value
            // Joined, a column of the window is so many bytes further in the run.
            const [place, along] = layout.joined ? [Math.floor(tap / window[2]), (tap % window[2]) * inputs + rest] : [tap, rest]
            const [unit, part] = [Math.floor(along / form.channels), along % form.channels]
            to[base + ((b * places + place) * layout.units + unit) * step]! |= (value & mask) << (width * part)
          }
        }
        // Wraps where sums do.
        corrections[output] = Math.imul(-form.zero, total)
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** `[blocks][window][lanes]`, each weight less its zero point in the low half of an i32, the high one 0; then the beginnings of sums. */
export function packLanes(convolution: BlockedIntegers): Packing {
  const { outputChannels, outputBlocks, block, window, weightType, inputZeroPoint } = convolution
  const taps = volume(window)
  const bytes = 4 * outputBlocks * taps * block + correctionBytes(convolution)
  return {
    key: `lanes of single channels by ${inputZeroPoint}: ${identityOf(convolution)}`,
    bytes,
    pack(dense) {
      const { get } = elementsOf(weightType, dense)
      const to = new Int32Array(bytes / 4)
      for (let output = 0; output < outputChannels; output++) {
        const zero = weightZeroOf(convolution, output)
        const [vector, lane] = [Math.floor(output / block), output % block]
        let total = 0
        for (let tap = 0; tap < taps; tap++) {
          const value = get(output * taps + tap) - zero
          total += value
          to[(vector * taps + tap) * block + lane] = value & 0xffff
        }
        to[outputBlocks * taps * block + output] = Math.imul(-inputZeroPoint, total)
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** A bias filled up to whole blocks. */
export const packBias = ({ outputChannels, outputBlocks, block }: BlockedIntegers): Packing => ({
  key: `bias of ${outputChannels} in blocks of ${block}`,
  bytes: 4 * outputBlocks * block,
  pack(dense) {
    const to = new Uint8Array(4 * outputBlocks * block)
    to.set(dense)
    return to
  },
})
