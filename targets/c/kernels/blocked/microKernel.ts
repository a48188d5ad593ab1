import type { Domain } from '../../access.ts'
import { singles } from '../../arithmetic.ts'
import type { Level } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { block, type Lines, loop, sum } from '../../text.ts'
import { type AnchoredKernel, pointersOf } from '../template.ts'
import { volume } from '../windowed.ts'
import { fencedRow } from './fencedRow.ts'
import type { Operands } from './operands.ts'
import { endsInHalf, type Panel, segmentsOf } from './panels.ts'
import { firstColumn, overWindowRows, type RowTiles, type Tap } from './rowTiles.ts'
import { unitsOfBlock } from './sizes.ts'

/** What one tile of a direct convolution is made of, beside the variables named at `microKernel`. */
export interface MicroKernel {
  readonly operands: Operands
  /** C expression of a pointer to the elements of the input. */
  readonly input: string
  readonly panel: Panel
  readonly tiles: RowTiles
  /** Position of a pixel of the tile and a vector of the panel in the domain: C expressions. */
  readonly domain: Domain
  readonly position: (pixel: number, vector: number) => readonly string[]
  /** C expression of a padded bias. */
  readonly bias?: string
  /** Cache lines that the tile fetches ahead, from `ahead` on. */
  readonly linesAhead: number
}

/** Elements of the input in a line of the cache. */
const elementsOfLine = 16

/** Multiply-adds of one step that compilers of native code still take well when several steps are written out. */
const stepsWrittenOut = 4

/** Steps of the innermost loop that are written out: as many as the level takes, at least one or a pair. */
function unrolled(accumulators: number, lanes: number, pair: number, level: Level): number {
  const most = level.pass < 16 ? Math.max(pair, Math.floor(level.pass / accumulators)) : stepsWrittenOut
  return Math.min(most, lanes)
}

/**
 * One tile: pixels next to each other × vectors of output channels, in accumulators `c{pixel}_{vector}`. For each block of input channels,
 * each row of the window, each column and each element: the weights of the panel are read in the order in which they lie, an element of
 * each pixel is broadcast. Variables around it: `image` (element of the input where the tile's window begins, padding not counted), `weight`
 * (the panel's), `kz0`, `kz1`, `ky0`, `ky1` (rows of the window that are not padding), `ahead`.
 */
export function microKernel(kernel: AnchoredKernel, given: MicroKernel, level: Level): Lines {
  const { operands, panel, tiles, domain, position, bias } = given
  const { sizes, arithmetic, pointer } = operands
  const { window, dilation, before, strides } = sizes
  const { vectors } = panel
  const width = vectors * sizes.block
  const names = grid(tiles.width, vectors).map(([pixel, vector]) => [pixel, vector, `c${pixel}_${vector}`] as const)
  const initial = (vector: number) =>
    bias ? `LOAD(${bias} + ${sum([['block', sizes.block]], vector * sizes.block)})` : arithmetic.zero
  const column = tiles.taps.length > 0 ? firstColumn(sizes, tiles) : 0
  const taps = window[0] * window[1] * window[2]
  const segments = segmentsOf(panel, sizes)
  const fetches = ahead(given, segments, level)
  const ofSegment = segments.flatMap(({ block: first, count, lane, lanes }, index) => {
    const origin = sum(
      [
        ['image', 1],
        ['inner', strides.block],
        ['kz', window[0] > 1 ? dilation[0] * strides.plane : 0],
        ['ky', window[1] > 1 ? dilation[1] * strides.row : 0],
      ],
      first * strides.block + lane * strides.lane - before[0] * strides.plane - before[1] * strides.row + column * strides.column,
    )
    const rowOfWeights = window[2] * lanes * width
    const body = [
      `const ${arithmetic.element} *row = ${given.input} + (${origin});`,
      `const ${pointer} *w = at + (${sum([
        ['kz', window[0] > 1 ? window[1] * rowOfWeights : 0],
        ['ky', window[1] > 1 ? rowOfWeights : 0],
      ])});`,
      ...fetches.perRow,
      ...rowOfTaps(given, lanes, column, fetches.perTap, fetches.perPass, level),
    ]
    const step = taps * lanes * width
    return loop('inner', 0, count, 1, [
      ...overWindowRows(sizes, body),
      ...(index === segments.length - 1 && count === 1 ? [] : [`at += ${step};`]),
    ])
  })
  const stores = names.flatMap(([pixel, vector, name]) =>
    storeAfter(domain, position(pixel, vector), sizes.block, name, pointersOf(kernel), level),
  )
  return [
    `vf ${names.map(([, vector, name]) => `${name} = ${initial(vector)}`).join(', ')};`,
    ...(tiles.taps.length > 0 ? [`const ${pointer} *at = weight;`, ...ofSegment] : []),
    ...stores,
  ]
}

const grid = (rows: number, columns: number) =>
  Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns] as const)

/** One row of the window over so many channels: `row` is where the first pixel's first column lies, `w` the weights. */
function rowOfTaps(
  { operands, panel, tiles }: MicroKernel,
  lanes: number,
  column: number,
  perTap: Lines,
  perPass: Lines,
  level: Level,
): Lines {
  if (level.fenced) return fencedRow(operands, panel, tiles, lanes, column)
  const { sizes, arithmetic } = operands
  const { stride, dilation, before, strides, window } = sizes
  const width = panel.vectors * sizes.block
  const half = endsInHalf(panel, sizes) ? panel.vectors - 1 : undefined
  const elementsInPlace = half === undefined ? 1 : 3
  const unroll = unrolled(tiles.width * panel.vectors, lanes, operands.pair, level)
  const offset = (pixel: number, kx: number) => (pixel * stride[2] + kx * dilation[2] - before[2] - column) * strides.column
  const whole = lanes - (lanes % unroll)
  // What the next tile reads lies behind this one in every block. The blocks are far apart, and the processor does not see the pattern: the
  // lines fetched here are worth up to 15 % where the input comes from behind the second-level cache.
  const units = unitsOfBlock(sizes)
  const fetchesNext = level.pass >= 16 && volume(window) === 1 && stride[2] === 1 && !sizes.plain && whole === units
  const tap = ({ kx, from, to }: Tap, pointer: string): Lines => {
    const base = offset(from, kx)
    const steps = (count: number) =>
      Array.from({ length: count }, (_, k) => {
        const streams = Array.from({ length: panel.vectors }, (_, v) => `b${v} = ${operands.stream(k, v, width)}`)
        const rows = Array.from({ length: to - from }, (_, i) => {
          const pixel = from + i
          const element = `a[${offset(pixel, kx) - base + k * strides.lane}]`
          // A broadcast for a single product is best a part of it: 70 % of the peak with gcc where it is not. So are those for halves: 90 %.
          if (arithmetic === singles && panel.vectors <= elementsInPlace) {
            const adds = Array.from({ length: panel.vectors }, (_, v) => {
              return `MAC_ELEMENT${v === half ? '_HALF' : ''}(c${pixel}_${v}, ${element}, b${v});`
            })
            return adds.join(' ')
          }
          const adds = Array.from({ length: panel.vectors }, (_, v) =>
            v === half ? `MAC_HALF(c${pixel}_${v}, s, b${v});` : arithmetic.multiplyAdd(`c${pixel}_${v}`, 's', `b${v}`),
          )
          return `{ const ${arithmetic.vector} s = ${arithmetic.splat(element)}; ${adds.join(' ')} }`
        })
        return block('', [`const ${arithmetic.vector} ${streams.join(', ')};`, ...rows])
      }).flat()
    const nextTile = (): Lines => {
      if (!fetchesNext) return []
      const pixels = Math.ceil((tiles.width * unroll) / lanes)
      // Several pixels of a block lie in one line.
      const lines = Math.ceil((pixels * units) / elementsOfLine)
      const fetched = Array.from(
        { length: lines },
        (_, i) =>
          `__builtin_prefetch(row + (${sum([['lane', (units * pixels) / unroll]], tiles.width * units + i * elementsOfLine)}), 0, 3);`,
      )
      return [fetched.join(' ')]
    }
    const pass = (count: number): Lines => [
      ...perPass,
      ...(count === unroll ? nextTile() : []),
      ...steps(count),
      `a += ${count * strides.lane};`,
      `w += ${count * width};`,
    ]
    return [
      `const ${arithmetic.element} *a = ${pointer};`,
      // Compilers would carry elements of overlapping windows over in registers (gcc: 64 instead of 94 % of the peak in a first layer of few
      // channels), or count on a pointer for each of the loops behind this one (clang: 72 instead of 97 % with 16 registers).
      'FRESH(a);',
      'FRESH(w);',
      ...perTap,
      ...loop('lane', 0, whole, unroll, pass(unroll)),
      ...(lanes > whole ? pass(lanes - whole) : []),
    ]
  }
  if (tiles.whole && tiles.taps.length > 1)
    return loop('kx', 0, tiles.taps.length, 1, tap(tiles.taps[0]!, `row + kx * ${dilation[2] * strides.column}`))
  let skipped = 0
  return tiles.taps.flatMap((one) => {
    const missing = one.kx - skipped
    skipped = one.kx + 1
    return [
      ...(missing > 0 ? [`w += ${missing * lanes * width};`] : []),
      ...block('', tap(one, sum([['row', 1]], offset(one.from, one.kx)))),
    ]
  })
}

interface Fetches {
  readonly perRow: Lines
  readonly perTap: Lines
  readonly perPass: Lines
}

/** Where the lines that a tile fetches ahead are spread: as far inside as one at a time is not too many. */
function ahead(
  { operands, panel, tiles, linesAhead }: MicroKernel,
  segments: ReturnType<typeof segmentsOf>,
  level: Level,
): Fetches {
  const none: Fetches = { perRow: [], perTap: [], perPass: [] }
  const { sizes } = operands
  const units = unitsOfBlock(sizes)
  const line = 64 / operands.bytes
  const rows = segments.reduce((total, { count }) => total + count, 0) * sizes.window[0] * sizes.window[1]
  if (linesAhead === 0 || rows === 0 || tiles.taps.length === 0) return none
  const rowTaps = rows * tiles.taps.length
  const unroll = unrolled(tiles.width * panel.vectors, units, operands.pair, level)
  const passes = rowTaps * Math.ceil(units / unroll)
  const lines = (count: number): Lines => {
    const each = Array.from({ length: count }, (_, i) => `__builtin_prefetch(ahead${i > 0 ? ` + ${i * line}` : ''}, 0, 2);`)
    return [each.join(' '), `ahead += ${count * line};`]
  }
  if (linesAhead > passes / 2) return { ...none, perPass: lines(Math.ceil(linesAhead / passes)) }
  if (linesAhead > rowTaps / 2) return { ...none, perTap: lines(Math.ceil(linesAhead / rowTaps)) }
  return { ...none, perRow: lines(Math.ceil(linesAhead / rows)) }
}
