import { resultDomain } from '../access.ts'
import { type Arithmetic, singles } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { loadLanes, storeAfter } from '../steps.ts'
import { block, type Lines, loop } from '../text.ts'
import { type Convolution, convolutionOf, type Method } from './method.ts'
import { columnOffset, copyPlane, type Layout, layoutOf } from './planar.ts'
import { type AnchoredKernel, pointersOf } from './template.ts'
import { split, type TileStep, tileLines } from './tile.ts'
import { positionOf, volume } from './windowed.ts'

/** Weights of a group up to this many bytes stay in the cache while a row of pixels passes; larger ones are taken in turn. */
const residentBytes = 32768

/** Rows of results that leave fewer lanes idle than are at work. */
export const fillsVectors = ({ output }: Convolution, level: Level): boolean =>
  2 * output[2] > Math.ceil(output[2] / lanesOf(level)) * lanesOf(level)

/**
 * Tiles of channels × vectors of pixels next to each other: weights are broadcast as they lie, results leave as they are stored. For
 * wide vectors, whose lanes are dear to turn around. Padded and strided inputs are copied into working storage first, columns sorted by
 * phase, so that what lies under an element of the window is an unaligned vector.
 */
export const spreadConvolution: Method = {
  scratch: (kernel, level) => layoutOf(convolutionOf(kernel), level, convolutionOf(kernel).channels).bytes,
  body(kernel, level) {
    const convolution = convolutionOf(kernel)
    const { channels, input } = convolution
    const layout = layoutOf(convolution, level, channels)
    const image = `x0 + n * ${channels * volume(input)}`
    return spreadLines(
      kernel,
      {
        arithmetic: singles,
        convolution,
        layout,
        weight: 'x1',
        image: layout.copied
          ? [
              'f32 *image = (f32 *)scratch;',
              ...loop('channel', 0, channels, 1, [
                copyPlane(
                  convolution,
                  layout,
                  `image + channel * ${layout.volumePitch}`,
                  `${image} + channel * ${volume(input)}`,
                  '0.0f',
                ),
              ]),
            ]
          : [`const f32 *image = ${image};`],
      },
      level,
    )
  },
}

/** A convolution whose operands are elements of an arithmetic. */
export interface Spread {
  readonly arithmetic: Arithmetic
  readonly convolution: Convolution
  readonly layout: Layout
  /** Pointer to the weights: `[groups][outputs][inputs][window]`. */
  readonly weight: string
  /** Statements that declare `image`, the input of batch `n` as the layout says. */
  readonly image: Lines
}

export function spreadLines(kernel: AnchoredKernel, spread: Spread, level: Level): Lines {
  const { arithmetic, convolution, layout, weight, image } = spread
  const { element } = arithmetic
  const { batch, groups, inputs, outputs, output, stride, window, bias } = convolution
  const depth = inputs * volume(window)
  const rows = split(outputs, level.tile.rows)
  const over = (body: (count: number) => Lines) => [
    ...loop('o', 0, rows.whole, level.tile.rows, body(level.tile.rows)),
    ...(rows.rest > 0 ? loop('o', rows.whole, outputs, rows.rest, body(rows.rest)) : []),
  ]
  const pixels = (body: Lines) => loop('z', 0, output[0], 1, loop('y', 0, output[1], 1, body))
  const tiles = (count: number) => rowTiles(kernel, spread, count, level)
  const start = `const ${element} *start = group + z * ${stride[0] * layout.planePitch} + y * ${stride[1] * layout.rowPitch};`
  const sweep =
    4 * outputs * depth <= residentBytes ? pixels([start, ...over(tiles)]) : over((count) => pixels([start, ...tiles(count)]))
  return loop('n', 0, batch, 1, [
    ...image,
    ...loop('g', 0, groups, 1, [
      `const ${element} *group = image + g * ${inputs * layout.volumePitch}, *weight = ${weight} + g * ${outputs * depth};`,
      ...(bias ? [`const ${element} *bias = x2 + g * ${outputs};`] : []),
      ...sweep,
    ]),
  ])
}

/** One row of pixels for the channels `o` … `o + count`. */
function rowTiles(kernel: AnchoredKernel, spread: Spread, count: number, level: Level): Lines {
  const { output } = spread.convolution
  const lanes = lanesOf(level)
  const width = level.tile.vectors * lanes
  const columns = split(output[2], width)
  return [
    ...loop('x', 0, columns.whole, width, tile(kernel, spread, count, width, level)),
    ...(columns.rest > 0
      ? loop('x', columns.whole, output[2], columns.rest, tile(kernel, spread, count, columns.rest, level))
      : []),
  ]
}

function tile(kernel: AnchoredKernel, spread: Spread, rows: number, columns: number, level: Level): Lines {
  const { convolution, layout, arithmetic } = spread
  const { inputs, outputs, window, dilation, bias } = convolution
  const { element } = arithmetic
  const lanes = lanesOf(level)
  const vectors = Math.ceil(columns / lanes)
  const countOf = (vector: number) => Math.min(lanes, columns - vector * lanes)
  const depth = inputs * volume(window)
  const step = (kx: number, offset: string): TileStep => ({
    broadcast: (row) => `w[${row * depth + kx}]`,
    // Lanes beyond the row read what follows in the copy, and are not stored; an input that is read where it is ends exactly.
    stream: (vector) =>
      loadLanes(
        'q',
        vector > 0 ? `${offset} + ${vector * lanes}` : offset,
        layout.copied ? lanes : countOf(vector),
        level,
        element,
      ),
  })
  const accumulators = rows * vectors
  const offsets = Array.from({ length: window[2] }, (_, kx) => columnOffset(convolution, layout, kx))
  // Compilers of native code take long rows well.
  const writtenOut = lanes > 4 || accumulators * window[2] <= level.pass
  const taps = (write: (list: readonly TileStep[]) => Lines): Lines =>
    writtenOut
      ? [...write(offsets.map((offset, kx) => step(kx, String(offset)))), `w += ${window[2]};`]
      : [
          `static const i32 offsets[${offsets.length}] = {${offsets.join(', ')}};`,
          ...loop('tap', 0, window[2], 1, ['const long at = offsets[tap];', ...write([step(0, 'at')]), 'w++;']),
        ]
  const body = tileLines({
    rows,
    vectors,
    arithmetic,
    sets: writtenOut ? Math.max(1, Math.min(window[2], Math.floor((level.tile.rows * level.tile.vectors) / accumulators))) : 1,
    initial: (row) => (bias ? arithmetic.splat(`bias[o + ${row}]`) : arithmetic.zero),
    inner: (write) =>
      loop('i', 0, inputs, 1, [
        ...loop(
          'kz',
          0,
          window[0],
          1,
          loop('ky', 0, window[1], 1, [
            `const ${element} *q = p + kz * ${dilation[0] * layout.planePitch} + ky * ${dilation[1] * layout.rowPitch};`,
            ...taps(write),
          ]),
        ),
        `p += ${layout.volumePitch};`,
      ]),
  })
  const domain = resultDomain(kernel)
  const stores = Array.from({ length: accumulators }, (_, i) => {
    const [row, vector] = [Math.floor(i / vectors), i % vectors]
    const channel = `g * ${outputs} + o + ${row}`
    const position = positionOf(kernel.domain.length, 'n', channel, ['z', 'y', vector > 0 ? `x + ${vector * lanes}` : 'x'])
    return storeAfter(domain, position, countOf(vector), `c${row}_${vector}`, pointersOf(kernel), level)
  })
  return block('', [`const ${element} *p = start + x, *w = weight + o * ${depth};`, ...body, ...stores.flat()])
}
