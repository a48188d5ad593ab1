import { type Domain, regroup, resultDomain } from '../../access.ts'
import type { Level } from '../../level.ts'
import { sharedNest } from '../../team.ts'
import { block, declared, type Lines, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import type { AnchoredKernel } from '../template.ts'
import type { Candidates } from './index.ts'
import { microKernel } from './microKernel.ts'
import { type PanelRun, packBias, packPanels, panelRuns, panelsOf } from './panels.ts'
import { isPointwise, longTile, type Plan, plansOf, type Rows, rowsOf } from './plan.ts'
import { boundsOfRows, type RowTiles } from './rowTiles.ts'
import { type BlockedConvolution, blockedPosition } from './sizes.ts'

/** How many divisions of the work a tuner may choose from. */
const offered = 8

/** The domain with all space as one dimension, if the steps allow that. */
function longRow(kernel: AnchoredKernel, sizes: BlockedConvolution): Domain | undefined {
  if (!isPointwise(sizes)) return undefined
  const last = kernel.domain.length - 1
  return regroup(resultDomain(kernel), [[0], [1], kernel.domain.map((_, axis) => axis).slice(2, last), [last]])
}

/** Direct convolution in blocks of channels, in all divisions that fit the level. */
export const directCandidates: Candidates = (sizes, kernel, level) => {
  const long = longRow(kernel, sizes)
  return plansOf(sizes, long !== undefined, level)
    .slice(0, offered)
    .map(({ plan, nanoseconds }) => ({
      name: `direct ${plan.pixels}x${plan.vectors} ${plan.outer}`,
      nanoseconds,
      value: directMethod(sizes, plan, long),
    }))
}

function directMethod(sizes: BlockedConvolution, plan: Plan, long: Domain | undefined): Method {
  return {
    pack: (_, index) => (index === 1 ? packPanels(sizes, plan.vectors) : index === 2 ? packBias(sizes) : undefined),
    body: (kernel, level) => nest({ kernel, sizes, plan, long, level, rows: rowsOf(sizes, plan.pixels, long !== undefined) }),
  }
}

interface Nest {
  readonly kernel: AnchoredKernel
  readonly sizes: BlockedConvolution
  readonly plan: Plan
  readonly long: Domain | undefined
  readonly level: Level
  readonly rows: Rows
}

function nest(given: Nest): Lines {
  const { sizes, plan, level, rows } = given
  const runs = panelRuns(sizes, panelsOf(sizes, plan.vectors))
  if (plan.outer === 'panels') {
    return runs.flatMap((run) =>
      sharedNest(
        level,
        [
          ['panel', run.count],
          ['n', sizes.batch],
          ['row', rows.count],
        ],
        ofPanel(sizes, run, rowLines(given, run, true)),
      ),
    )
  }
  const chunks = Math.ceil(rows.count / plan.rows)
  const even = rows.count % plan.rows === 0
  return sharedNest(
    level,
    [
      ['n', sizes.batch],
      ['chunk', chunks],
    ],
    [
      `const long first = chunk * ${plan.rows}, end = ${even ? `first + ${plan.rows}` : `gp_least(${rows.count}, first + ${plan.rows})`};`,
      ...runs.flatMap((run) =>
        loop(
          'panel',
          0,
          run.count,
          1,
          ofPanel(sizes, run, block('for (long row = first; row < end; row++)', rowLines(given, run, false))),
        ),
      ),
    ],
  )
}

/** What does not change within a panel: its first output block, its first input element, its weights. */
function ofPanel({ plain, block: lanes, strides }: BlockedConvolution, { first, step }: PanelRun, body: Lines): Lines {
  const input = plain
    ? sum([['panel', step.from * strides.lane]], first.from * strides.lane)
    : // Steps of a run are whole blocks, or its panels begin at one lane.
      sum([['panel', Math.floor(step.from / lanes) * strides.block]], Math.floor(first.from / lanes) * strides.block)
  return declared(
    [
      ['block', `const long block = ${sum([['panel', step.block]], first.block)};`],
      ['channel', `const long channel = ${input};`],
      ['weight', `const f32 *weight = x1 + (${sum([['panel', step.weights]], first.weights)});`],
    ],
    body,
  )
}

/** One row of results for a panel. */
function rowLines(given: Nest, run: PanelRun, fetches: boolean): Lines {
  const { sizes, rows, level } = given
  const { output, stride, strides } = sizes
  const panelLinesTotal = Math.ceil((run.first.vectors * sizes.block * depthOf(sizes, run) * 4) / 64)
  const tilesPerRow = rows.tiles.reduce((total, { count }) => total + count, 0) || 1
  const linesAhead =
    fetches && level.pass >= 16 && run.count > 1 ? Math.ceil(panelLinesTotal / (tilesPerRow * rows.count * sizes.batch)) : 0
  const begin = `const f32 *ahead = weight + ${run.first.vectors * sizes.block * depthOf(sizes, run)} + (n * ${rows.count} + row) * ${16 * linesAhead * tilesPerRow};`
  const image: [string, number][] = [
    ['n', strides.image],
    ['channel', 1],
  ]
  const start = (body: Lines) => declared([['ahead', begin]], body)
  const from = (x: string, body: Lines) =>
    declared([['image', `const long image = ${sum([...image, [x, stride[2] * strides.column]])};`]], body)
  if (rows.long) {
    const { size, larger } = rows.long
    const tile = (width: number) => [
      `const long x = ${larger === 0 || width > size ? `row * ${width}` : `row * ${size} + ${larger}`};`,
      ...from('x', tileLines(given, run, longTile(width), linesAhead, ['n', '', 'x'])),
    ]
    if (larger === 0) return start(tile(size))
    return start([...block(`if (row < ${larger})`, tile(size + 1)), ...block('else', tile(size))])
  }
  const inRow: [string, number][] = [
    ['z', stride[0] * strides.plane],
    ['y', stride[1] * strides.row],
  ]
  image.push(...inRow)
  const tiles = rows.tiles.flatMap((one) =>
    loop(
      'x',
      one.x,
      one.x + one.count * one.width,
      one.width,
      from('x', tileLines(given, run, one, linesAhead, ['z', 'y', 'x'])),
    ),
  )
  return start(
    declared(
      [
        ['z', `const long z = ${output[0] > 1 ? `row / ${output[1]}` : '0'};`],
        ['y', `const long y = ${output[0] > 1 ? `row % ${output[1]}` : 'row'};`],
        ...boundsOfRows(sizes),
      ],
      tiles,
    ),
  )
}

const depthOf = ({ window }: BlockedConvolution, { first: { from, to } }: PanelRun): number =>
  (to - from) * window[0] * window[1] * window[2]

function tileLines(
  given: Nest,
  run: PanelRun,
  tiles: RowTiles,
  linesAhead: number,
  [z, y, x]: readonly [string, string, string],
): Lines {
  const { kernel, sizes, long, level } = given
  const shifted = (variable: string, by: number) => (by === 0 ? variable : `${variable} + ${by}`)
  return microKernel(
    kernel,
    {
      sizes,
      panel: run.first,
      tiles,
      linesAhead,
      ...(sizes.bias ? { bias: 'x2' } : {}),
      domain: long ?? resultDomain(kernel),
      position: (pixel, vector) =>
        long
          ? ['n', shifted('block', vector), shifted(x, pixel), '0']
          : blockedPosition(sizes.axes, 'n', shifted('block', vector), [z, y, shifted(x, pixel)]),
    },
    level,
  )
}
