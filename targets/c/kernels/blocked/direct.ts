import { type Domain, regroup, resultDomain } from '../../access.ts'
import type { Level } from '../../level.ts'
import { sharedNest, sharedPlaces } from '../../team.ts'
import { block, declared, type Lines, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import type { AnchoredKernel } from '../template.ts'
import { type Expansion, expansionOf } from './expand.ts'
import type { Candidates } from './index.ts'
import { microKernel } from './microKernel.ts'
import { type Operands, operandsOf } from './operands.ts'
import { type PanelRun, packBias, packPanels, panelElements, panelRuns, panelsOf } from './panels.ts'
import { isPointwise, longTile, type Plan, plansOf, type Rows, rowsOf } from './plan.ts'
import { boundsOfRows, type RowTiles } from './rowTiles.ts'
import { type BlockedConvolution, blockedPosition, pairedSizes, unitsOfBlock } from './sizes.ts'
import { type Staging, stagingOf } from './stage.ts'

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
  return operandsOf(sizes, kernel, level).flatMap((operands) => {
    const long = longRow(kernel, operands.sizes)
    return plansOf(operands, long !== undefined, level)
      .slice(0, offered)
      .map(({ plan, nanoseconds }) => ({
        name: `direct${operands.name} ${plan.pixels}x${plan.vectors} ${plan.outer}`,
        nanoseconds,
        value: directMethod(sizes, operands, plan, long),
      }))
  })
}

/** `given` is the convolution of the kernel. */
function directMethod(given: BlockedConvolution, operands: Operands, plan: Plan, long: Domain | undefined): Method {
  const { sizes, pair, stored } = operands
  const rows = rowsOf(sizes, plan.pixels, long !== undefined)
  const staging = stagingOf(given, operands, plan, rows)
  const packed = pair === 2 ? pairedSizes(sizes) : sizes
  const expansion = operands.expanded ? expansionOf(operands, plan) : undefined
  const storage = staging ?? expansion
  return {
    pack: (_, index) => (index === 1 ? packPanels(packed, plan.vectors, stored) : index === 2 ? packBias(sizes) : undefined),
    ...(storage && { [storage.of === 'call' ? 'scratch' : 'ownScratch']: () => storage.bytes }),
    body: (kernel, level) =>
      nest({ kernel, operands: { ...operands, sizes: staging?.sizes ?? sizes }, plan, long, level, rows, staging, expansion }),
  }
}

/**
 * Bytes of weights up to which each thread of a team reads all of them, for its own pixels; of more each reads a share, for all pixels, which
 * are then in the caches of all (see `sharedPlaces`).
 */
const readByAll = 640 * 1024

interface Nest {
  readonly kernel: AnchoredKernel
  readonly operands: Operands
  readonly plan: Plan
  readonly long: Domain | undefined
  readonly level: Level
  readonly rows: Rows
  readonly staging: Staging | undefined
  readonly expansion: Expansion | undefined
}

function nest(given: Nest): Lines {
  const { operands, plan, level, rows, staging, expansion } = given
  const { sizes } = operands
  const whole = [staging, expansion].flatMap((one) => (one?.of === 'call' ? one.lines(level) : []))
  const panels = panelsOf(sizes, plan.vectors)
  const runs = panelRuns(sizes, panels)
  if (plan.outer === 'panels') {
    type Loops = Parameters<typeof sharedPlaces>[1]
    const divided = (turns: Loops, places: Loops, body: Lines) =>
      operands.bytes * panelElements(sizes, panels) <= readByAll
        ? sharedPlaces(level, turns, places, body)
        : sharedNest(level, [...turns, ...places], body)
    return [
      ...whole,
      ...(expansion?.of === 'panel' ? ['long held;'] : []),
      ...runs.flatMap((run) => [
        ...(expansion ? expansion.before : []),
        ...divided(
          [['panel', run.count]],
          [
            ['n', sizes.batch],
            ['row', rows.count],
          ],
          ofPanel(given, run, rowLines(given, run, true)),
        ),
      ]),
    ]
  }
  const chunks = Math.ceil(rows.count / plan.rows)
  const even = rows.count % plan.rows === 0
  return [
    ...whole,
    ...sharedNest(
      level,
      [
        ['n', sizes.batch],
        ['chunk', chunks],
      ],
      [
        `const long first = chunk * ${plan.rows}, end = ${even ? `first + ${plan.rows}` : `gp_least(${rows.count}, first + ${plan.rows})`};`,
        ...(staging?.of === 'chunk' ? staging.lines(level) : []),
        ...runs.flatMap((run) =>
          loop(
            'panel',
            0,
            run.count,
            1,
            ofPanel(given, run, block('for (long row = first; row < end; row++)', rowLines(given, run, false))),
          ),
        ),
      ],
    ),
  ]
}

/** What does not change within a panel: its first output block, its first input element, its weights. */
function ofPanel({ operands, expansion }: Nest, run: PanelRun, body: Lines): Lines {
  const { sizes, pointer } = operands
  const { first, step } = run
  const { plain, strides } = sizes
  const lanes = unitsOfBlock(sizes)
  const input = plain
    ? sum([['panel', step.from * strides.lane]], first.from * strides.lane)
    : // Steps of a run are whole blocks, or its panels begin at one lane.
      sum([['panel', Math.floor(step.from / lanes) * strides.block]], Math.floor(first.from / lanes) * strides.block)
  const weights = sum([['panel', step.weights]], first.weights)
  const from = pointer === 'i32' ? '(const i32 *)x1' : 'x1'
  return declared(
    [
      ['block', `const long block = ${sum([['panel', step.block]], first.block)};`],
      ['channel', `const long channel = ${input};`],
      ['weight', `const ${pointer} *weight = ${expansion ? expansion.weight(weights) : `${from} + (${weights})`};`],
    ],
    expansion ? [...expansion.panel(weights, run.first.vectors * sizes.block * depthOf(sizes, run)), ...body] : body,
  )
}

/** One row of results for a panel. */
function rowLines(given: Nest, run: PanelRun, fetches: boolean): Lines {
  const { operands, rows, level, staging } = given
  const { sizes, bytes, pointer } = operands
  const { output, stride, strides } = sizes
  const panelLinesTotal = Math.ceil((run.first.vectors * sizes.block * depthOf(sizes, run) * bytes) / 64)
  const tilesPerRow = rows.tiles.reduce((total, { count }) => total + count, 0) || 1
  const linesAhead =
    fetches && level.pass >= 16 && run.count > 1 && !operands.expanded
      ? Math.ceil(panelLinesTotal / (tilesPerRow * rows.count * sizes.batch))
      : 0
  const begin = `const ${pointer} *ahead = weight + ${run.first.vectors * sizes.block * depthOf(sizes, run)} + (n * ${rows.count} + row) * ${(64 / bytes) * linesAhead * tilesPerRow};`
  const image: [string, number][] = [
    ['n', strides.image],
    ['channel', 1],
    ...(staging?.of === 'chunk' ? [['begin', -staging.step] as [string, number]] : []),
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
  const { kernel, operands, long, level, staging } = given
  const { sizes } = operands
  const shifted = (variable: string, by: number) => (by === 0 ? variable : `${variable} + ${by}`)
  return microKernel(
    kernel,
    {
      operands,
      input: staging ? 'staged' : 'x0',
      panel: run.first,
      tiles,
      linesAhead,
      ...(sizes.bias ? { bias: 'x2' } : {}),
      domain: long ?? resultDomain(kernel),
      position: (pixel, vector) =>
        long
          ? ['n', shifted('block', vector), shifted(x, pixel), '0']
          : blockedPosition(sizes, 'n', shifted('block', vector), [z, y, shifted(x, pixel)]),
    },
    level,
  )
}
