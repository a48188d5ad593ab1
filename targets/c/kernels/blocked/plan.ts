import { cacheNanoseconds, memoryNanoseconds } from '../../choice.ts'
import { type Level, mostRows } from '../../level.ts'
import { isPadded, volume } from '../windowed.ts'
import type { Operands } from './operands.ts'
import { endsInHalf, type Panel, panelElements, panelsOf } from './panels.ts'
import { nearlyEqual, type RowTiles, rowTiles } from './rowTiles.ts'
import type { BlockedConvolution } from './sizes.ts'

/**
 * How a direct convolution is divided: tiles of at most `pixels` × `vectors`, and what is outermost: panels of weights, each of which
 * passes over all pixels while it stays in the second-level cache, or chunks of `rows` rows of pixels, over which all panels pass.
 */
export interface Plan {
  readonly pixels: number
  readonly vectors: number
  readonly outer: 'panels' | 'chunks'
  /** Rows of a chunk. */
  readonly rows: number
}

/** Convolutions in which a pixel of the result is computed from the pixel in its place alone: space is one long row. */
export const isPointwise = (sizes: BlockedConvolution): boolean =>
  [...sizes.window, ...sizes.stride].every((size) => size === 1) && !isPadded(sizes)

/** Rows of tiles: those of the result, or tiles of the one long row. */
export interface Rows {
  readonly count: number
  /** How one row is made; of the long row, each of `larger` is one pixel longer than the others behind them. */
  readonly tiles: readonly RowTiles[]
  readonly long?: { readonly size: number; readonly larger: number }
}

export function rowsOf(sizes: BlockedConvolution, pixels: number, flat: boolean): Rows {
  if (!flat) return { count: sizes.output[0] * sizes.output[1], tiles: rowTiles(sizes, pixels) }
  const { size, larger, pieces } = nearlyEqual(volume(sizes.output), pixels)
  return { count: pieces, tiles: [], long: { size, larger } }
}

/** A tile of a long row. */
export const longTile = (width: number): RowTiles => ({
  x: 0,
  width,
  count: 1,
  taps: [{ kx: 0, from: 0, to: width }],
  whole: true,
})

/** Bytes that the second-level cache holds beside what passes through it; half of what recent server cores have at least. */
const residentBytes = 512 * 1024
/** Bytes of input that a chunk of rows reads. */
const chunkBytes = 128 * 1024

/**
 * Vector operations of one step of a tile in the time of one multiply-add of vectors: all of those, broadcasts, which mostly go beside
 * them, and streamed vectors, dearer where the panel comes from the second-level cache. Tiles of few accumulators wait for results; where
 * two multiply-adds begin in a cycle, those that load an element for each wait for loads.
 */
function stepCost(pixels: number, vectors: number, resident: boolean, level: Level): number {
  // Three operations begin in the time of one multiply-add, which are two; beside it are the fence, and the pointer that moves.
  if (level.fenced) return 1.1 * Math.max(pixels * vectors, (2 * pixels * vectors + pixels + vectors + 2) / 3, 6)
  const loads = level.vectorBytes < 64 ? 1.45 * (pixels + vectors) : 0
  return Math.max(pixels * vectors, loads, 7) + 0.1 * pixels + (resident ? 0.2 : 0.5) * vectors
}

/** Elements of the window along an axis that do not lie in padding, on average over the results: rows in padding are left out. */
function seenAlong({ window, output, input, stride, dilation, before }: BlockedConvolution, axis: 0 | 1): number {
  let seen = 0
  for (let at = 0; at < output[axis]; at++)
    for (let k = 0; k < window[axis]; k++) {
      const row = at * stride[axis] + k * dilation[axis] - before[axis]
      if (row >= 0 && row < input[axis]) seen++
    }
  return seen / Math.max(1, output[axis])
}

interface Estimate {
  readonly operations: number
  readonly inputBytes: number
  /** How often the input is read where each panel reads its channels: as often as there are panels, but for groups. */
  readonly inputReads: number
  readonly weightBytes: number
  readonly panels: number
}

function estimate({ sizes, bytes }: Operands, panels: readonly Panel[], rows: Rows, level: Level): Estimate {
  const height = seenAlong(sizes, 0) * seenAlong(sizes, 1)
  const channels = sizes.groups * sizes.inputs
  let operations = 0
  const shapes = rows.long
    ? [
        { count: rows.long.larger, width: rows.long.size + 1, seen: rows.long.size + 1, taps: 1 },
        { count: rows.count - rows.long.larger, width: rows.long.size, seen: rows.long.size, taps: 1 },
      ]
    : rows.tiles.map(({ count, width, taps }) => ({
        count: count * rows.count,
        width,
        seen: taps.reduce((total, { from, to }) => total + to - from, 0),
        taps: taps.length,
      }))
  for (const panel of panels) {
    const { from, to } = panel
    const vectors = panel.vectors - (endsInHalf(panel, sizes) ? 0.5 : 0)
    const depth = (to - from) * height
    const resident = bytes * vectors * sizes.block * depth * sizes.window[2] < 16384
    for (const { count, width, seen, taps } of shapes) {
      if (count === 0) continue
      const perTap = taps > 0 ? stepCost(seen / taps, vectors, resident, level) * taps : 0
      operations += count * (depth * perTap + 2 * width * vectors + 15)
    }
  }
  return {
    operations: operations * sizes.batch,
    inputBytes: 4 * sizes.strides.image * sizes.batch,
    inputReads: panels.reduce((sum, { from, to }) => sum + ((to - from) * sizes.unit) / channels, 0),
    weightBytes: bytes * panelElements(sizes, panels),
    panels: panels.length,
  }
}

/** To round the input: it is read, and written in half as many bytes. */
const stagingNanoseconds = ({ strides, batch }: BlockedConvolution): number => cacheNanoseconds(4 * strides.image * batch * 3)

/** What is read again from behind the second-level cache, where it does not stay there. */
const again = (bytes: number, times: number, beside: number): number =>
  bytes + beside <= residentBytes ? cacheNanoseconds(bytes * times) : memoryNanoseconds(bytes * times)

/** Tiles that fit the registers, each with both orders, and what they take; the cheapest first. */
export function plansOf(
  operands: Operands,
  flat: boolean,
  level: Level,
): readonly { readonly plan: Plan; readonly nanoseconds: number }[] {
  const { sizes } = operands
  const found = new Map<string, { readonly plan: Plan; readonly nanoseconds: number }>()
  const width = flat ? volume(sizes.output) : sizes.output[2]
  const most = Math.min(sizes.outputBlocks, 8)
  const rate = level.multiplyAddsPerNanosecond / sizes.block
  const rowsBy = new Map<number, Rows>()
  for (let vectors = 1; vectors <= most; vectors++) {
    const panels = panelsOf(sizes, vectors)
    const widest = Math.max(...panels.map((panel) => panel.vectors))
    if (widest < vectors) continue
    const fitting = mostRows(vectors, level)
    for (let pixels = Math.min(fitting, width); pixels >= 1; pixels--) {
      const rows = rowsBy.get(pixels) ?? rowsOf(sizes, pixels, flat)
      rowsBy.set(pixels, rows)
      const { operations, inputBytes, inputReads, weightBytes } = estimate(operands, panels, rows, level)
      const prepared = operands.staged ? stagingNanoseconds(sizes) : operands.expanded ? cacheNanoseconds(1.5 * weightBytes) : 0
      const compute = operations / rate + prepared
      const rowBytes = inputBytes / sizes.batch / rows.count
      const chunk = Math.max(1, Math.min(Math.floor(chunkBytes / rowBytes), Math.ceil(rows.count / 8)))
      const chunks = Math.ceil(rows.count / chunk) * sizes.batch
      const panelBytes = weightBytes / panels.length
      const orders = [
        {
          outer: 'panels' as const,
          nanoseconds: again(inputBytes, inputReads, panelBytes),
          steps: panels.length * rows.count,
        },
        { outer: 'chunks' as const, nanoseconds: again(weightBytes, chunks, chunk * rowBytes), steps: chunks },
      ]
      for (const { outer, nanoseconds, steps } of orders) {
        const key = `${rows.long ? rows.long.size : rows.tiles.map((tiles) => tiles.width)} ${vectors} ${outer}`
        const share = level.teams ? (2 * Math.ceil(steps / 2)) / steps : 1
        const total = (compute + nanoseconds / 4) * share
        if (!found.has(key)) found.set(key, { plan: { pixels, vectors, outer, rows: chunk }, nanoseconds: total })
      }
    }
  }
  return [...found.values()].sort((a, b) => a.nanoseconds - b.nanoseconds)
}
