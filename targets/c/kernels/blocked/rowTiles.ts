import { block, type Lines } from '../../text.ts'
import type { Windowed } from '../windowed.ts'

/** A column of the window, and the pixels of a tile, from `from` to before `to`, under which it does not lie in padding. */
export interface Tap {
  readonly kx: number
  readonly from: number
  readonly to: number
}

/** Equal tiles next to each other along a row of results. */
export interface RowTiles {
  /** The first result of the first tile. */
  readonly x: number
  readonly width: number
  readonly count: number
  /** Columns of the window that some pixel sees, in order. */
  readonly taps: readonly Tap[]
  /** Every pixel sees all columns. */
  readonly whole: boolean
}

/** Sizes of so few pieces of at most `most` that cover a length, as equal as they can be, larger ones first. */
export function nearlyEqual(
  length: number,
  most: number,
): { readonly size: number; readonly larger: number; readonly pieces: number } {
  const pieces = Math.ceil(length / most)
  return { size: Math.floor(length / pieces), larger: length % pieces, pieces }
}

/**
 * A row of results as tiles of at most `most` pixels. What lies in padding is left out of tiles at the borders, so that no padded copy is
 * needed, and less is computed.
 */
export function rowTiles(sizes: Windowed, most: number): readonly RowTiles[] {
  const { size, larger, pieces } = nearlyEqual(sizes.output[2], most)
  const found: RowTiles[] = []
  let x = 0
  for (let i = 0; i < pieces; i++) {
    const width = i < larger ? size + 1 : size
    const taps = tapsAt(sizes, x, width)
    const last = found.at(-1)
    if (last && last.width === width && sameTaps(last.taps, taps)) found[found.length - 1] = { ...last, count: last.count + 1 }
    else {
      const whole = taps.length === sizes.window[2] && taps.every(({ from, to }) => from === 0 && to === width)
      found.push({ x, width, count: 1, taps, whole })
    }
    x += width
  }
  return found
}

function tapsAt(sizes: Windowed, x: number, width: number): Tap[] {
  const [stride, dilation, before, extent] = [sizes.stride[2], sizes.dilation[2], sizes.before[2], sizes.input[2]]
  return Array.from({ length: sizes.window[2] }, (_, kx) => {
    const column = (pixel: number) => (x + pixel) * stride + kx * dilation - before
    const inside = Array.from({ length: width }, (_, pixel) => pixel).filter(
      (pixel) => column(pixel) >= 0 && column(pixel) < extent,
    )
    return { kx, from: inside[0] ?? 0, to: (inside.at(-1) ?? -1) + 1 }
  }).filter(({ from, to }) => to > from)
}

const sameTaps = (a: readonly Tap[], b: readonly Tap[]): boolean =>
  a.length === b.length && a.every(({ kx, from, to }, i) => kx === b[i]!.kx && from === b[i]!.from && to === b[i]!.to)

/** The first column of the input that a tile reads, counted from stride times the tile's first result. */
export const firstColumn = (sizes: Windowed, { taps }: RowTiles): number =>
  Math.min(...taps.map(({ kx, from }) => from * sizes.stride[2] + kx * sizes.dilation[2])) - sizes.before[2]

/** Whether windows have several elements along an axis, or none where a result sees nothing but padding: then there is a loop over them. */
export const isLooped = ({ window, before, output, stride, input }: Windowed, axis: 0 | 1): boolean =>
  window[axis] > 1 || before[axis] > 0 || (output[axis] - 1) * stride[axis] >= input[axis]

/** C expressions between which elements of the window along an axis do not lie in padding, at the position `at` of the result. */
export function windowBounds(sizes: Windowed, axis: 0 | 1 | 2, at: string): { readonly first: string; readonly end: string } {
  const [stride, dilation, before, extent] = [sizes.stride[axis], sizes.dilation[axis], sizes.before[axis], sizes.input[axis]]
  const window = sizes.window[axis]
  const reach = (sizes.output[axis] - 1) * stride + (window - 1) * dilation - before
  const round = dilation > 1 ? ` + ${dilation - 1}) / ${dilation}` : ')'
  const start = `(${before} - ${at} * ${stride}${round}`
  const stop = `(${extent + before} - ${at} * ${stride}${round}`
  return {
    first: before > 0 ? `gp_most(0, ${start})` : '0',
    end: reach >= extent ? `gp_least(${window}, ${stop})` : String(window),
  }
}

/** Statements for each row of the window that does not lie in padding: under `kz` and `ky`, from `kz0` and `ky0` to before `kz1` and `ky1`. */
export function overWindowRows(sizes: Windowed, body: Lines): Lines {
  const over = (axis: 0 | 1, name: string, inner: Lines) =>
    isLooped(sizes, axis) ? block(`for (long ${name} = ${name}0; ${name} < ${name}1; ${name}++)`, inner) : inner
  return over(0, 'kz', over(1, 'ky', body))
}

/** Declarations of the bounds of those loops at the position `z`, `y` of the result. */
export const boundsOfRows = (sizes: Windowed): readonly (readonly [name: string, line: string])[] =>
  ([0, 1] as const).flatMap((axis) => {
    if (!isLooped(sizes, axis)) return []
    const { first, end } = windowBounds(sizes, axis, axis === 0 ? 'z' : 'y')
    const name = axis === 0 ? 'kz' : 'ky'
    return [[`${name}0`, `const long ${name}0 = ${first};`] as const, [`${name}1`, `const long ${name}1 = ${end};`] as const]
  })
