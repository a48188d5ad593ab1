import type { DType } from '../../../../compiler/graph/dtype.ts'
import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { resultDomain } from '../../access.ts'
import type { Level } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { sharedPlaces } from '../../team.ts'
import { block, declared, type Lines, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf } from '../template.ts'
import { volume, type Windowed } from '../windowed.ts'
import type { Candidates } from './index.ts'
import { floatsOf, packBias } from './panels.ts'
import { boundsOfRows, firstColumn, overWindowRows, type RowTiles, rowTiles, windowBounds } from './rowTiles.ts'
import { type BlockedConvolution, blockedPosition, type Strides } from './sizes.ts'

/**
 * Window ops in which a lane of a result is computed from lanes of one block of the input, vectors along the channels: depthwise
 * convolutions, pools, and convolutions in groups of fewer channels than a block has.
 */
export interface Lanewise {
  readonly sizes: Windowed & {
    readonly axes: number
    readonly still?: number
    readonly block: number
    readonly outputBlocks: number
    readonly strides: Strides
  }
  /** Integers are lanes of i32. Default: f32. */
  readonly dtype?: DType
  /** Lanes of the input that a lane of the result takes elements from: the whole group's. 1: its own. */
  readonly lanes: number
  /** C expression of the weights `[block][window rows][lane][column][vector]`, where there are any. */
  readonly weight?: string
  /** Statements before a row of a block. */
  readonly prepare?: Lines
  /** C expression of what accumulators begin with, in terms of `block`. */
  readonly initial: string
  /** One more element under the window; `weight` is empty where there are none. */
  readonly combine: (accumulator: string, value: string, weight: string) => string
  /** Statements on a finished accumulator; `columns` elements of a row of the window were not padding. */
  readonly finish?: (accumulator: string, columns: number) => Lines
}

/** Columns of a window that are written out; of wider ones each result is made in a loop. */
const writtenOut = 9

/** Pixels of a tile: registers beside a row of weights and what is read, but no more than what hides latency. */
function pixelsOf({ sizes, weight }: Lanewise, level: Level): number {
  if (sizes.window[2] > writtenOut) return 1
  const free = level.registers - (weight ? sizes.window[2] : 0) - 2
  return Math.max(1, Math.min(free, level.pass < 16 ? 4 : 14))
}

export function lanewiseLines(kernel: AnchoredKernel, given: Lanewise, level: Level): Lines {
  const { sizes } = given
  const { output, window, stride, strides } = sizes
  const tiles = window[2] > writtenOut ? [] : rowTiles(sizes, pixelsOf(given, level))
  const image = sum([
    ['n', strides.image],
    ['block', strides.block],
    ['z', stride[0] * strides.plane],
    ['y', stride[1] * strides.row],
    ['x', stride[2] * strides.column],
  ])
  const from = (body: Lines) => declared([['image', `const long image = ${image};`]], body)
  const perBlock = volume(window) * given.lanes * sizes.block
  return sharedPlaces(
    level,
    [['block', sizes.outputBlocks]],
    [
      ['n', sizes.batch],
      ['line', output[0] * output[1]],
    ],
    declared(
      [
        ['z', `const long z = ${output[0] > 1 ? `line / ${output[1]}` : '0'};`],
        ['y', `const long y = ${output[0] > 1 ? `line % ${output[1]}` : 'line'};`],
        ...boundsOfRows(sizes),
        ...(given.weight ? [['weight', `const f32 *weight = ${given.weight} + block * ${perBlock};`] as const] : []),
      ],
      [
        ...(given.prepare ?? []),
        ...(window[2] > writtenOut
          ? loop('x', 0, output[2], 1, from(widePixel(kernel, given, level)))
          : tiles.flatMap((one) =>
              loop('x', one.x, one.x + one.count * one.width, one.width, from(tile(kernel, given, one, level))),
            )),
      ],
    ),
  )
}

/** Statements that declare where a row of the window begins, `column` columns from the tile's, and its weights. */
function rowStart({ sizes, lanes, weight, dtype = 'f32' }: Lanewise, column: number): Lines {
  const { window, dilation, before, strides } = sizes
  const [kz, ky] = [window[0] > 1 ? 1 : 0, window[1] > 1 ? 1 : 0]
  const origin = sum(
    [
      ['image', 1],
      ['kz', kz * dilation[0] * strides.plane],
      ['ky', ky * dilation[1] * strides.row],
    ],
    column * strides.column - before[0] * strides.plane - before[1] * strides.row,
  )
  const row = window[2] * lanes * sizes.block
  return [
    `const ${dtype} *row = x0 + (${origin});`,
    ...(weight
      ? [
          `const f32 *w = weight + (${sum([
            ['kz', kz * window[1] * row],
            ['ky', ky * row],
          ])});`,
        ]
      : []),
  ]
}

/** The vector in which each lane is lane number `lane` of its group. */
function spread(vector: string, lane: number, lanes: number, size: number): string {
  if (lanes === 1) return vector
  const order = Array.from({ length: size }, (_, i) => i - (i % lanes) + lane)
  return `SHUFFLE(${vector}, ${vector}, ${order.join(', ')})`
}

function tile(kernel: AnchoredKernel, given: Lanewise, tiles: RowTiles, level: Level): Lines {
  const { sizes, lanes, weight, initial, combine } = given
  const { stride, dilation, before, strides, window, block: size } = sizes
  const names = Array.from({ length: tiles.width }, (_, pixel) => `c${pixel}`)
  const first = tiles.taps.length > 0 ? firstColumn(sizes, tiles) : 0
  const columns = new Map<number, string[]>()
  for (const { kx, from, to } of tiles.taps) {
    for (let pixel = from; pixel < to; pixel++) {
      const column = pixel * stride[2] + kx * dilation[2] - before[2] - first
      const adds = columns.get(column) ?? []
      columns.set(column, adds)
      adds.push(combine(names[pixel]!, 'v', weight ? `w${kx}` : ''))
    }
  }
  const ordered = [...columns].sort(([a], [b]) => a - b)
  const body = Array.from({ length: lanes }, (_, lane) => {
    const weights = tiles.taps.map(({ kx }) => `w${kx} = LOAD(w + ${(lane * window[2] + kx) * size})`)
    const lines = [
      ...(weight ? [`const vf ${weights.join(', ')};`] : []),
      ...ordered.map(
        ([column, adds]) =>
          `{ const ${vectorOf(given)} v = ${spreadLoad(loadText(given, `row + ${column * strides.column}`), lane, lanes, size)}; ${adds.join(' ')} }`,
      ),
    ]
    return lanes > 1 ? block('', lines) : lines
  }).flat()
  return [
    `${vectorOf(given)} ${names.map((name) => `${name} = ${initial}`).join(', ')};`,
    ...(tiles.taps.length > 0 ? overWindowRows(sizes, [...rowStart(given, first), ...body]) : []),
    ...names.flatMap((name, pixel) => {
      const seen = tiles.taps.filter(({ from, to }) => from <= pixel && pixel < to).length
      return finished(kernel, given, name, pixel === 0 ? 'x' : `x + ${pixel}`, seen, level)
    }),
  ]
}

const loadText = ({ dtype = 'f32' }: Lanewise, at: string) => (dtype === 'f32' ? `LOAD(${at})` : `gp_load_${dtype}(${at})`)
const vectorOf = ({ dtype = 'f32' }: Lanewise) => (dtype === 'f32' ? 'vf' : 'vi')

/** A shuffle names its vector twice. */
const spreadLoad = (load: string, lane: number, lanes: number, size: number): string =>
  lanes === 1 ? load : `({ const vf u = ${load}; ${spread('u', lane, lanes, size)}; })`

/** One result of a wide window: bounds of its columns are found while running. */
function widePixel(kernel: AnchoredKernel, given: Lanewise, level: Level): Lines {
  const { sizes, lanes, weight, initial, combine } = given
  const { dilation, before, strides, window, block: size } = sizes
  const { first, end } = windowBounds(sizes, 2, 'x')
  const body = Array.from({ length: lanes }, (_, lane) =>
    combine(
      'c0',
      spreadLoad(
        loadText(given, `row + (kx * ${dilation[2] * strides.column} - ${before[2] * strides.column})`),
        lane,
        lanes,
        size,
      ),
      weight ? `LOAD(w + (kx * ${size} + ${lane * window[2] * size}))` : '',
    ),
  )
  return [
    `const long kx0 = ${first}, kx1 = ${end};`,
    `${vectorOf(given)} c0 = ${initial};`,
    ...overWindowRows(sizes, [...rowStart(given, 0), ...block('for (long kx = kx0; kx < kx1; kx++)', body)]),
    ...finished(kernel, given, 'c0', 'x', -1, level),
  ]
}

function finished(kernel: AnchoredKernel, given: Lanewise, name: string, x: string, columns: number, level: Level): Lines {
  const { sizes, finish } = given
  const position = blockedPosition(sizes, 'n', 'block', ['z', 'y', x])
  return [
    ...(finish?.(name, columns) ?? []),
    ...storeAfter(resultDomain(kernel), position, sizes.block, name, pointersOf(kernel), level),
  ]
}

/** Groups that lie within a block, and have as many outputs as inputs. */
const fits = ({ plain, inputs, outputs, block: size }: BlockedConvolution): boolean =>
  !plain && inputs === outputs && size % inputs === 0

/** Depthwise convolutions, and those in small groups. */
export const lanewiseCandidates: Candidates = (sizes, _, level) =>
  fits(sizes) ? [{ name: 'lanewise', nanoseconds: estimate(sizes, level), value: lanewiseConvolution(sizes) }] : []

function estimate(sizes: BlockedConvolution, level: Level): number {
  const { inputs, outputBlocks, batch, output, window, stride, block: size } = sizes
  const results = batch * outputBlocks * volume(output)
  const rows = window[0] * window[1]
  // Multiply-adds, and what is read and turned around for them: a column for each stride of results.
  const perResult = inputs * rows * (window[2] + stride[2] * (inputs > 1 ? 0.4 : 0.3)) + 3
  return (results * perResult * size) / level.multiplyAddsPerNanosecond
}

function lanewiseConvolution(sizes: BlockedConvolution): Method {
  const { block: size, channels } = sizes
  const lanes = Array.from({ length: size }, (_, lane) => lane)
  // Lanes without a channel hold whatever the input has there.
  const masked = channels % size > 0 && {
    prepare: [`const vi live = SPLAT_I((i32)(${channels} - block * ${size})) > (vi){${lanes.join(', ')}};`],
    finish: (name: string) => [`${name} = (vf)((vi)${name} & live);`],
  }
  return {
    pack: (_, index) => (index === 1 ? packLanes(sizes) : index === 2 ? packBias(sizes) : undefined),
    body: (kernel, level) =>
      lanewiseLines(
        kernel,
        {
          sizes,
          lanes: sizes.inputs,
          weight: 'x1',
          initial: sizes.bias ? `LOAD(x2 + block * ${size})` : 'SPLAT(0.0f)',
          combine: (accumulator, value, weight) => `MAC(${accumulator}, ${value}, ${weight});`,
          ...masked,
        },
        level,
      ),
  }
}

/** `[block][window rows][lane of the group][column][lane]`, 0 in lanes without a channel. */
function packLanes({ block: size, outputBlocks, outputChannels, inputs, window }: BlockedConvolution): Packing {
  const taps = volume(window)
  const elements = outputBlocks * size * inputs * taps
  return {
    key: `blocked lanes ${[size, outputChannels, inputs, ...window].join(' ')}`,
    bytes: 4 * elements,
    pack(dense) {
      const from = floatsOf(dense)
      const to = new Float32Array(elements)
      for (let o = 0; o < outputChannels; o++) {
        const start = Math.floor(o / size) * size * inputs * taps + (o % size)
        for (let i = 0; i < inputs; i++) {
          for (let tap = 0; tap < taps; tap++) {
            const row = Math.floor(tap / window[2])
            const at = start + ((row * inputs + i) * window[2] + (tap % window[2])) * size
            to[at] = from[(o * inputs + i) * taps + tap]!
          }
        }
      }
      return new Uint8Array(to.buffer)
    },
  }
}
