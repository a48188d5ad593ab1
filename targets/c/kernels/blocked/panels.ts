import type { StoredFloat } from '../../../../compiler/fuse/kernel.ts'
import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { inSixteenBits } from '../../stored.ts'
import { volume } from '../windowed.ts'
import { nearlyEqual } from './rowTiles.ts'
import { type BlockedConvolution, unitsOfBlock } from './sizes.ts'

/** Output blocks that tiles compute together, the units of input channels `from` … `to` that they read, and where their weights begin. */
export interface Panel {
  readonly block: number
  readonly vectors: number
  readonly from: number
  readonly to: number
  readonly weights: number
}

/** Units of input channels of a panel that lie in one block: `lanes` of them from `lane` on, in `count` blocks behind one another. */
export interface Segment {
  /** Blocks behind that of the panel's first channel. */
  readonly block: number
  readonly count: number
  readonly lane: number
  readonly lanes: number
}

/** Panels of one form, whose places differ by the same steps from one to the next. */
export interface PanelRun {
  readonly first: Panel
  readonly count: number
  /** From one panel to the next: output blocks, units of input channels, elements of weights. */
  readonly step: { readonly block: number; readonly from: number; readonly weights: number }
}

/** The units that any output channel of a block reads: those of all groups it has channels of. */
function unitsOf(
  { block, outputs, inputs, outputChannels, unit }: BlockedConvolution,
  index: number,
): readonly [from: number, to: number] {
  const last = Math.min(outputChannels, (index + 1) * block) - 1
  const [from, to] = [Math.floor((index * block) / outputs) * inputs, (Math.floor(last / outputs) + 1) * inputs]
  return [Math.floor(from / unit), Math.ceil(to / unit)]
}

/** Panels of at most `vectors` blocks, each of blocks that read the same channels. */
export function panelsOf(sizes: BlockedConvolution, vectors: number): readonly Panel[] {
  const panels: Panel[] = []
  let weights = 0
  for (let block = 0; block < sizes.outputBlocks; ) {
    const [from, to] = unitsOf(sizes, block)
    let end = block + 1
    while (end < sizes.outputBlocks && String(unitsOf(sizes, end)) === String([from, to])) end++
    const { size, larger, pieces } = nearlyEqual(end - block, vectors)
    for (let i = 0; i < pieces; i++) {
      const own = i < larger ? size + 1 : size
      panels.push({ block, vectors: own, from, to, weights })
      weights += own * sizes.block * (to - from) * volume(sizes.window)
      block += own
    }
  }
  return panels
}

/** Whether only half of a panel's last vector is computed. */
export const endsInHalf = ({ block, vectors }: Panel, { half, unit, outputBlocks }: BlockedConvolution): boolean =>
  half && unit === 1 && block + vectors === outputBlocks

const formOf = (panel: Panel, sizes: BlockedConvolution) => {
  const { vectors, from, to } = panel
  return `${vectors}${endsInHalf(panel, sizes) ? ' half' : ''} ${sizes.plain ? 0 : from % unitsOfBlock(sizes)} ${to - from}`
}

export function panelRuns(sizes: BlockedConvolution, panels: readonly Panel[]): readonly PanelRun[] {
  const forms = new Map<string, PanelRun[]>()
  for (const panel of panels) {
    const form = formOf(panel, sizes)
    const runs = forms.get(form) ?? []
    forms.set(form, runs)
    const run = runs.at(-1)
    const behind = run && {
      block: panel.block - run.first.block,
      from: panel.from - run.first.from,
      weights: panel.weights - run.first.weights,
    }
    const continues = run && (['block', 'from', 'weights'] as const).every((key) => behind![key] === run.step[key] * run.count)
    if (run?.count === 1) runs[runs.length - 1] = { ...run, count: 2, step: behind! }
    else if (run && continues) runs[runs.length - 1] = { ...run, count: run.count + 1 }
    else runs.push({ first: panel, count: 1, step: { block: 0, from: 0, weights: 0 } })
  }
  return [...forms.values()].flat()
}

/** The units of a panel in the order in which its weights stand. */
export function segmentsOf({ from, to }: Panel, sizes: BlockedConvolution): readonly Segment[] {
  const segments: Segment[] = []
  const block = unitsOfBlock(sizes)
  const lane = sizes.plain ? 0 : from % block
  let at = 0
  if (lane > 0) {
    const lanes = Math.min(to - from, block - lane)
    segments.push({ block: 0, count: 1, lane, lanes })
    at += lanes
  }
  const full = Math.floor((to - from - at) / block)
  const blockAt = () => Math.floor((lane + at) / block)
  if (full > 0) segments.push({ block: blockAt(), count: full, lane: 0, lanes: block })
  at += full * block
  if (at < to - from) segments.push({ block: blockAt(), count: 1, lane: 0, lanes: to - from - at })
  return segments
}

/** A tensor of f32 by elements. */
export const floatsOf = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    : new Float32Array(bytes.slice().buffer)

/** To the nearest, ties to even. */
function roundedToBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const to = new Uint16Array(words.length)
  for (let i = 0; i < to.length; i++) {
    const word = words[i]!
    const isNaN = (word & 0x7fffffff) > 0x7f800000
    to[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return to
}

/** Elements of all packed weights, each of one or two input channels. */
export const panelElements = (sizes: BlockedConvolution, panels: readonly Panel[]): number =>
  panels.reduce((sum, { vectors, from, to }) => sum + vectors * sizes.block * (to - from) * volume(sizes.window), 0)

/** Calls with the place of each weight of a convolution in the dense tensor, and the place in packed panels, counted in channels. */
function overPanels(sizes: BlockedConvolution, panels: readonly Panel[], put: (to: number, from: number) => void): void {
  const { block, unit, inputs, outputs, outputChannels, window } = sizes
  const taps = volume(window)
  let at = 0
  for (const panel of panels) {
    const first = panel.block * block
    const width = panel.vectors * block
    let channel = panel.from * unit
    for (const { count, lanes } of segmentsOf(panel, sizes)) {
      for (let i = 0; i < count; i++, channel += lanes * unit) {
        for (let tap = 0; tap < taps; tap++) {
          for (let lane = 0; lane < lanes * unit; lane++) {
            const group = Math.floor((channel + lane) / inputs)
            const begin = Math.max(first, group * outputs)
            const end = Math.min(first + width, (group + 1) * outputs, outputChannels)
            const inside = (channel + lane - group * inputs) * taps + tap
            const row = at + Math.floor(lane / unit) * width * unit + (lane % unit)
            for (let o = begin; o < end; o++) put(row + (o - first) * unit, o * inputs * taps + inside)
          }
          at += lanes * unit * width
        }
      }
    }
  }
}

/**
 * Weights as `[panel][block of inputs][window][unit][panel's outputs][channel of the unit]`: the order in which tiles read them; 0 where a
 * group has no part. As f32, or in 16 bits: rounded to bf16, or as they are where the kernel stores them so.
 */
export function packPanels(sizes: BlockedConvolution, vectors: number, as: 'f32' | StoredFloat = 'f32'): Packing {
  const panels = panelsOf(sizes, vectors)
  const { block, unit, groups, inputs, outputs, window, plain } = sizes
  const elements = unit * panelElements(sizes, panels)
  const kind = `${as === 'f32' ? '' : ` ${as}`}${unit === 2 ? ' pairs' : ''}`
  return {
    key: `blocked panels${kind} ${[block, vectors, groups, inputs, outputs, ...window].join(' ')}${plain ? ' plain' : ''}`,
    bytes: (as === 'f32' ? 4 : 2) * elements,
    pack(dense) {
      const from = floatsOf(dense)
      const to = as === 'f32' ? new Float32Array(elements) : new Uint16Array(elements)
      const values = as === 'f32' ? from : as === 'bf16' ? roundedToBf16(from) : inSixteenBits(dense, as)
      overPanels(sizes, panels, (place, given) => {
        to[place] = values[given]!
      })
      return new Uint8Array(to.buffer)
    },
  }
}

/** A bias with zeros up to the end of the last block. */
export function packBias({ outputBlocks, block }: BlockedConvolution): Packing {
  const bytes = 4 * outputBlocks * block
  return {
    key: `blocked bias ${bytes}`,
    bytes,
    pack(dense) {
      const filled = new Uint8Array(bytes)
      filled.set(dense)
      return filled
    },
  }
}
