import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { volume } from '../windowed.ts'
import { nearlyEqual } from './rowTiles.ts'
import type { BlockedConvolution } from './sizes.ts'

/** Output blocks that tiles compute together, the input channels `from` … `to` that they read, and where their weights begin. */
export interface Panel {
  readonly block: number
  readonly vectors: number
  readonly from: number
  readonly to: number
  readonly weights: number
}

/** Input channels of a panel that lie in one block: `lanes` of them from `lane` on, in `count` blocks behind one another. */
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
  /** From one panel to the next: output blocks, input channels, elements of weights. */
  readonly step: { readonly block: number; readonly from: number; readonly weights: number }
}

/** The input channels that any output channel of a block reads: those of all groups it has channels of. */
function channelsOf(
  { block, outputs, inputs, outputChannels }: BlockedConvolution,
  index: number,
): readonly [from: number, to: number] {
  const last = Math.min(outputChannels, (index + 1) * block) - 1
  return [Math.floor((index * block) / outputs) * inputs, (Math.floor(last / outputs) + 1) * inputs]
}

/** Panels of at most `vectors` blocks, each of blocks that read the same channels. */
export function panelsOf(sizes: BlockedConvolution, vectors: number): readonly Panel[] {
  const panels: Panel[] = []
  let weights = 0
  for (let block = 0; block < sizes.outputBlocks; ) {
    const [from, to] = channelsOf(sizes, block)
    let end = block + 1
    while (end < sizes.outputBlocks && String(channelsOf(sizes, end)) === String([from, to])) end++
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

const formOf = ({ vectors, from, to }: Panel, { block, plain }: BlockedConvolution) =>
  `${vectors} ${plain ? 0 : from % block} ${to - from}`

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

/** The channels of a panel in the order in which its weights stand. */
export function segmentsOf({ from, to }: Panel, { block, plain }: BlockedConvolution): readonly Segment[] {
  const segments: Segment[] = []
  const lane = plain ? 0 : from % block
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

/** Elements of all packed weights. */
export const panelElements = (sizes: BlockedConvolution, panels: readonly Panel[]): number =>
  panels.reduce((sum, { vectors, from, to }) => sum + vectors * sizes.block * (to - from) * volume(sizes.window), 0)

/** Weights as `[panel][block of inputs][window][lane][panel's outputs]`: the order in which tiles read them; 0 where a group has no part. */
export function packPanels(sizes: BlockedConvolution, vectors: number): Packing {
  const panels = panelsOf(sizes, vectors)
  const { block, groups, inputs, outputs, outputChannels, window, plain } = sizes
  const bytes = 4 * panelElements(sizes, panels)
  return {
    key: `blocked panels ${[block, vectors, groups, inputs, outputs, ...window].join(' ')}${plain ? ' plain' : ''}`,
    bytes,
    pack(dense) {
      const from = floatsOf(dense)
      const to = new Float32Array(bytes / 4)
      const taps = volume(window)
      let at = 0
      for (const panel of panels) {
        const first = panel.block * block
        const width = panel.vectors * block
        let channel = panel.from
        for (const { count, lanes } of segmentsOf(panel, sizes)) {
          for (let i = 0; i < count; i++, channel += lanes) {
            for (let tap = 0; tap < taps; tap++) {
              for (let lane = 0; lane < lanes; lane++, at += width) {
                const group = Math.floor((channel + lane) / inputs)
                const begin = Math.max(first, group * outputs)
                const end = Math.min(first + width, (group + 1) * outputs, outputChannels)
                const inside = (channel + lane - group * inputs) * taps + tap
                for (let o = begin; o < end; o++) to[at + o - first] = from[o * inputs * taps + inside]!
              }
            }
          }
        }
      }
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
