// The input of a direct convolution in working storage: rounded to bf16, in pairs of neighbouring channels, or the pixels of it that are read.
import type { Level } from '../../level.ts'
import { sharedNest, teamWait } from '../../team.ts'
import { block, type Lines, loop, sum } from '../../text.ts'
import { volume } from '../windowed.ts'
import type { Operands } from './operands.ts'
import { longTile, type Plan, type Rows } from './plan.ts'
import type { BlockedConvolution } from './sizes.ts'

/** Where the input of tiles lies: all of it, for all threads, or what a chunk of rows reads, for one of them. */
export interface Staging {
  readonly of: 'call' | 'chunk'
  readonly bytes: number
  /** The convolution as tiles read it; its strides are those of the copy. */
  readonly sizes: BlockedConvolution
  /** Elements of one step of `begin`: of the chunk's first row of the input, or pixel of a long row. */
  readonly step: number
  /** Declares `staged`, and `begin` for chunks, whose rows of results are those from `first` to before `end`. */
  readonly lines: (level: Level) => Lines
}

/** Pixels that a thread rounds at a time. */
const pixelsAtOnce = 112

/** What tiles of these operands of the convolution `given` read; undefined where that is the input as it is. */
export function stagingOf(given: BlockedConvolution, { sizes, staged }: Operands, plan: Plan, rows: Rows): Staging | undefined {
  if (!staged) return undefined
  const { plain, input, output } = sizes
  if (volume(given.stride) > volume(sizes.stride)) return ofPicked(given, sizes)
  if (plan.outer === 'panels' || plain || (!rows.long && input[0] * output[0] > 1)) return ofCall(sizes)
  return rows.long ? ofPixels(sizes, plan, rows) : ofRows(sizes, plan)
}

/** Pixels that are `stride` apart. */
function ofPicked({ stride, strides }: BlockedConvolution, sizes: BlockedConvolution): Staging {
  const { batch, output, channels, block: lanes, unit } = sizes
  const blocks = Math.ceil(channels / lanes)
  const from = sum([
    ['n', strides.image],
    ['b', strides.block],
    ['z', stride[0] * strides.plane],
    ['y', stride[1] * strides.row],
  ])
  const to = sum([
    ['n', sizes.strides.image],
    ['b', sizes.strides.block],
    ['z', sizes.strides.plane],
    ['y', sizes.strides.row],
  ])
  const step = stride[2] * strides.column
  const row =
    unit === 1
      ? [`gp_pick_run(staged + (${to}), x0 + (${from}), ${output[2]}, ${step});`]
      : blockedRun(sizes, blocks, `staged + (${to})`, `x0 + (${from})`, output[2], step)
  return {
    of: 'call',
    bytes: 4 * batch * sizes.strides.image,
    sizes,
    step: 0,
    lines: (level) => [
      unit === 1 ? 'f32 *const staged = (f32 *)scratch;' : 'i32 *const staged = (i32 *)scratch;',
      ...sharedNest(
        level,
        [
          ['n', batch],
          ['b', blocks],
          ['z', output[0]],
          ['y', output[1]],
        ],
        row,
      ),
      ...teamWait(level),
    ],
  }
}

/** All of the input, in the order in which it lies. */
function ofCall(sizes: BlockedConvolution): Staging {
  const { batch, strides, plain, input, channels } = sizes
  const pixels = volume(input)
  const pieces = Math.ceil(pixels / pixelsAtOnce)
  const count = Math.ceil(pixels / pieces)
  const blocks = plain ? Math.ceil(channels / 2) : Math.ceil(channels / sizes.block)
  const piece = [
    `const long at = piece * ${count}, count = ${pixels % count === 0 ? count : `gp_least(${count}, ${pixels} - at)`};`,
    ...(plain
      ? plainPiece(sizes, blocks)
      : blockedPiece(
          sizes,
          blocks,
          sum([
            ['n', strides.image],
            ['b', strides.block],
            ['at', strides.column],
          ]),
          'at',
        )),
  ]
  return {
    of: 'call',
    bytes: 4 * batch * strides.image,
    sizes,
    step: 0,
    lines: (level) => [
      'i32 *const staged = (i32 *)scratch;',
      ...sharedNest(
        level,
        [
          ['n', batch],
          ['b', blocks],
          ['piece', pieces],
        ],
        piece,
      ),
      ...teamWait(level),
    ],
  }
}

/** Rows of one plane that a chunk of rows of results sees. */
function ofRows(sizes: BlockedConvolution, plan: Plan): Staging {
  const { input, stride, dilation, window, before, strides } = sizes
  const span = (window[1] - 1) * dilation[1] + 1
  const most = Math.min(input[1], (plan.rows - 1) * stride[1] + span)
  const first = `first * ${stride[1]}${before[1] > 0 ? ` - ${before[1]}` : ''}`
  const stop = `(end - 1) * ${stride[1]} + ${span - before[1]}`
  return ofChunk(sizes, strides.row, most, [
    `const long begin = ${before[1] > 0 ? `gp_most(0, ${first})` : first};`,
    `const long count = (gp_least(${input[1]}, ${stop}) - begin) * ${input[2]}, at = begin * ${input[2]};`,
  ])
}

/** Pixels of a long row. */
function ofPixels(sizes: BlockedConvolution, plan: Plan, rows: Rows): Staging {
  const { size, larger } = rows.long!
  const most = plan.rows * longTile(larger > 0 ? size + 1 : size).width
  const at = (row: string) => (larger > 0 ? `${row} * ${size} + gp_least(${row}, ${larger})` : `${row} * ${size}`)
  return ofChunk(sizes, sizes.strides.column, most, [
    `const long begin = ${at('first')}, count = ${at('end')} - begin, at = begin;`,
  ])
}

function ofChunk(given: BlockedConvolution, step: number, most: number, bounds: Lines): Staging {
  const { channels, block: lanes } = given
  const blocks = Math.ceil(channels / lanes)
  const strides = { ...given.strides, block: most * step, plane: 0, image: 0 }
  const sizes = { ...given, strides }
  return {
    of: 'chunk',
    bytes: 4 * blocks * most * step,
    sizes,
    step,
    lines: () => [
      'i32 *const staged = (i32 *)own;',
      ...bounds,
      ...loop('b', 0, blocks, 1, blockedPiece(given, blocks, sum([['b', strides.block]]), 'at')),
    ],
  }
}

/** `count` pixels of block `b` from pixel `at` on. */
function blockedPiece(sizes: BlockedConvolution, blocks: number, to: string, at: string): Lines {
  const { block: lanes, strides } = sizes
  const from = sum([
    ['n', 2 * strides.image],
    ['b', 2 * strides.block],
    [at, lanes],
  ])
  return blockedRun(sizes, blocks, `staged + (${to})`, `x0 + (${from})`, 'count', lanes)
}

/** Pixels of block `b`, `step` elements apart. What lies behind the last channel is no number of the model's: there, 0 is. */
function blockedRun(
  { channels, block: lanes }: BlockedConvolution,
  blocks: number,
  to: string,
  from: string,
  count: string | number,
  step: number,
): Lines {
  const whole = [`gp_bf16_run(${to}, ${from}, ${count}, ${step});`]
  if (channels % 2 === 0) return whole
  const last = [`gp_bf16_run_of(${to}, ${from}, ${count}, ${step}, ${channels % lanes});`]
  return blocks === 1 ? last : [...block(`if (b < ${blocks - 1})`, whole), ...block('else', last)]
}

/** `count` pixels of a pair of planes. */
function plainPiece({ input, channels, strides }: BlockedConvolution, planes: number): Lines {
  const pixels = volume(input)
  const to = sum([
    ['n', strides.image],
    ['b', strides.lane],
    ['at', 1],
  ])
  const of = (channel: number) =>
    `x0 + (${sum(
      [
        ['n', channels * pixels],
        ['b', 2 * pixels],
        ['at', 1],
      ],
      channel * pixels,
    )})`
  const both = [`gp_bf16_both(staged + (${to}), ${of(0)}, ${of(1)}, count);`]
  const single = [`gp_bf16_single(staged + (${to}), ${of(0)}, count);`]
  if (channels % 2 === 0 || planes === 1) return channels % 2 === 0 ? both : single
  return [...block(`if (b < ${planes - 1})`, both), ...block('else', single)]
}
