import type { Node } from '../../../../compiler/graph/node.ts'
import { denseStrides } from '../../../../compiler/graph/type.ts'
import { type Domain, regroup, resultDomain } from '../../access.ts'
import { type Candidate, choose, remembered, workNanoseconds } from '../../choice.ts'
import { roundedEnding, stepsBefore, storeRounded, vectorsAtOnce } from '../../ending.ts'
import { type Level, lanesOf, mostRows } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { sharedNest } from '../../team.ts'
import { block, type Lines, loop } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf, type Template } from '../template.ts'
import { split, type TileStep, tileLines } from '../tile.ts'
import { isPadded, volume } from '../windowed.ts'
import {
  type BlockedIntegers,
  blockedIntegersOf,
  fitsUnits,
  isDepthwise,
  type UnitForm,
  type UnitLayout,
  unitFormOf,
  unitLayoutOf,
  walkedWindow,
} from './integerForm.ts'
import { depthwise } from './integerLanes.ts'
import { stageUnits } from './integerStage.ts'
import { type Panels, packBias, packUnits, panelsOf, unitsOfBlock } from './integerWeights.ts'
import { integerWinograd } from './integerWinograd.ts'
import { blockedPosition } from './sizes.ts'

/** Register tile: columns next to each other × output blocks. */
interface TileSize {
  readonly columns: number
  readonly vectors: number
}

interface Plan {
  readonly convolution: BlockedIntegers
  readonly form: UnitForm
  readonly layout: UnitLayout
  readonly panels: Panels
  readonly tile: TileSize
  /** All pixels of an image as one row, where the steps allow it. */
  readonly flat: Domain | undefined
}

/** All of a plan but its tile. */
type Frame = Omit<Plan, 'panels' | 'tile'>

function frameOf(kernel: AnchoredKernel, convolution: BlockedIntegers, level: Level): Frame {
  const form = unitFormOf(convolution, level)
  return { convolution, form, layout: unitLayoutOf(convolution, form), flat: flatSpace(kernel, convolution) }
}

/** Tiles of columns × output blocks; each unit is read once for all blocks of a tile. */
function directWays(kernel: AnchoredKernel, convolution: BlockedIntegers, level: Level): readonly Candidate<Method>[] {
  const frame = frameOf(kernel, convolution, level)
  const columns = frame.flat ? frame.flat.extents[2]! : convolution.output[2]
  const { batch, output } = convolution
  const places = volume(walkedWindow(convolution, frame.layout))
  const rows = frame.flat ? batch : batch * output[0] * output[1]
  return bestTiles(convolution, frame.layout, columns, level).map(({ panels, tile, cost }) => ({
    name: `direct ${tile.columns}x${tile.vectors}`,
    nanoseconds: workNanoseconds(cost * rows * places * frame.layout.units * lanesOf(level), level),
    value: direct({ ...frame, panels, tile }),
  }))
}

/** Windows of one element without strides and padding read pixels in the order of results. */
function flatSpace(kernel: AnchoredKernel, convolution: BlockedIntegers): Domain | undefined {
  const { window, stride } = convolution
  if ([...window, ...stride].some((size) => size !== 1) || isPadded(convolution)) return undefined
  const axes = kernel.domain.map((_, axis) => axis)
  return regroup(resultDomain(kernel), [[0], [1], axes.slice(2, -1), [axes.length - 1]])
}

/**
 * For each number of output blocks the tile whose steps over all columns and blocks take least, and how many multiply-adds of a vector they
 * take the time of, for each place of a row of results. A step of a tile takes as long as its multiply-adds, or as its loads where those are more, or as
 * one takes to be done where there are few.
 */
function bestTiles(convolution: BlockedIntegers, layout: UnitLayout, columns: number, level: Level) {
  const steps = (width: number, vectors: number) => Math.max(width * vectors, width + vectors, 4) + 0.5
  return Array.from({ length: Math.min(4, convolution.outputBlocks) }, (_, i) => {
    const vectors = i + 1
    const panels = panelsOf(convolution, layout, vectors)
    const blocks = split(convolution.outputBlocks, vectors)
    let best: { readonly panels: Panels; readonly tile: TileSize; readonly cost: number } | undefined
    for (let width = 1; width <= Math.min(columns, mostRows(vectors, level)); width++) {
      const { whole, rest } = split(columns, width)
      const row = (count: number) => (whole / width) * steps(width, count) + (rest > 0 ? steps(rest, count) : 0)
      const tail = blocks.rest > 0 ? row(blocks.rest) : 0
      const cost = panels.reach * ((blocks.whole / vectors) * row(vectors) + tail)
      if (!best || cost < best.cost) best = { panels, tile: { columns: width, vectors }, cost }
    }
    return best
  }).flatMap((best) => best ?? [])
}

const direct = (plan: Plan): Method => ({
  scratch: (_, level) => stageUnits(plan.convolution, plan.form, plan.layout, level).bytes,
  pack(_, index) {
    const { convolution, form, layout, panels } = plan
    if (index === 1) return packUnits(convolution, form, layout, panels)
    return index === 2 && convolution.bias ? packBias(convolution) : undefined
  },
  body(kernel, level) {
    const { convolution, form, layout, panels, tile, flat } = plan
    const { batch, output, outputBlocks } = convolution
    const { whole, rest } = split(flat ? flat.extents[2]! : output[2], tile.columns)
    const corrections = outputBlocks * unitsOfBlock(convolution, layout, panels)
    const whole_ = flat ? whole / tile.columns : 0
    const ofPanels = (from: number, to: number, vectors: number): Lines => {
      const each = (columns: number) => tileOf(kernel, plan, columns, vectors, level)
      const at = [`const long panel = ${from} + part;`, ...panelLines(plan)]
      const outer = [
        ['n', batch],
        ['part', to - from],
      ] as const
      if (flat)
        return [
          ...sharedNest(
            level,
            [...outer, ['step', whole_]],
            [...at, `const long x = step * ${tile.columns};`, ...each(tile.columns)],
          ),
          ...(rest > 0 ? sharedNest(level, outer, [...at, `const long x = ${whole};`, ...each(rest)]) : []),
        ]
      return sharedNest(
        level,
        [...outer, ['z', output[0]], ['y', output[1]]],
        [
          ...at,
          ...loop('x', 0, whole, tile.columns, each(tile.columns)),
          ...(rest > 0 ? loop('x', whole, whole + rest, rest, each(rest)) : []),
        ],
      )
    }
    const tail = outputBlocks % tile.vectors
    const full = panels.count - (tail > 0 ? 1 : 0)
    const { table } = firstBlocks(panels)
    return [
      ...table,
      ...stageUnits(convolution, form, layout, level).lines,
      `const ${unitType(layout)} *units = (const ${unitType(layout)} *)${layout.staged ? 'scratch' : 'x0'};`,
      'const i32 *weights = (const i32 *)x1;',
      ...(form.zero === 0 ? [] : [`const i32 *corrections = weights + ${corrections};`]),
      ...ofPanels(0, full, tile.vectors),
      ...(tail > 0 ? ofPanels(full, panels.count, tail) : []),
    ]
  },
})

/** The first block of the input that a panel reads: a product where they are evenly apart, else a table. */
function firstBlocks({ first }: Panels): { readonly table: Lines; readonly at: string } {
  const step = first[1] ?? 0
  if (first.every((value, panel) => value === panel * step)) return { table: [], at: step === 0 ? '0' : `panel * ${step}` }
  return { table: [`static const i32 firsts[${first.length}] = {${first.join(', ')}};`], at: 'firsts[panel]' }
}

/** Units are words, but for those that begin at any byte. */
const unitType = ({ joined }: UnitLayout) => (joined ? 'u8' : 'i32')

/** Where a panel's units and weights begin. */
function panelLines({ convolution, layout, panels }: Plan): Lines {
  const { at } = firstBlocks(panels)
  return [
    `const ${unitType(layout)} *image = units + n * ${layout.image}${at === '0' ? '' : ` + ${at} * ${layout.block}`};`,
    `const i32 *w = weights + panel * ${panels.vectors * unitsOfBlock(convolution, layout, panels)};`,
  ]
}

/** Steps of an inner loop that are written out: as many multiply-adds as the level says, of native vectors of 64 bytes four times that. */
const passOf = (level: Level) => (level.vectorBytes === 64 ? 4 * level.pass : level.pass)

/** Elementwise work behind a tile that is written out for each vector in registers; more runs in a loop over the tile. */
const stepsInRegisters = 3

/** Tiles that share a panel, up to which each fetches its part of the next one: more of them read a panel often enough without. */
const fewTiles = 8

/**
 * Weights of the next panel, that come into the cache while those of this one are multiplied: where the tile begins in them, and what a pass of its
 * inner loop fetches.
 */
function ahead(plan: Plan, passes: number): { readonly at: Lines; readonly fetches: Lines } {
  const { convolution, layout, panels, tile, flat } = plan
  const { output } = convolution
  const across = Math.ceil((flat ? flat.extents[2]! : output[2]) / tile.columns)
  const tiles = flat ? across : output[0] * output[1] * across
  if (tiles > fewTiles || panels.count === 1) return { at: [], fetches: [] }
  const elements = panels.vectors * unitsOfBlock(convolution, layout, panels)
  const lines = Math.ceil((4 * elements) / 64 / tiles / passes)
  const index = flat ? `x / ${tile.columns}` : `(z * ${output[1]} + y) * ${across} + x / ${tile.columns}`
  return {
    at: [`const char *next = (const char *)(w + ${elements}) + (${index}) * ${64 * lines * passes};`],
    fetches: [
      ...Array.from({ length: lines }, (_, i) => `__builtin_prefetch(next + ${64 * i}, 0, 2);`),
      `next += ${64 * lines};`,
    ],
  }
}

/** One tile at the variables `panel`, `x` and, but for flat images, `y` and `z`. */
function tileOf(kernel: AnchoredKernel, plan: Plan, columns: number, vectors: number, level: Level): Lines {
  const { convolution, form, layout, panels, flat } = plan
  const { stride, dilation, block: lanes, bias } = convolution
  const window = walkedWindow(convolution, layout)
  const { units, joined } = layout
  const unitStep = joined ? 4 : 1
  const column = stride[2] * (joined ? layout.channels : units)
  const perUnit = columns * vectors
  const fits = (count: number) => count * perUnit <= passOf(level)
  /** Steps from a place: `at` in units of the input, in the order of the weights. */
  const stepAt = (at: number, index: number): TileStep => ({
    broadcast: (row) => (joined ? `gp_word(a + ${4 * at + row * column})` : `a[${at + row * column}]`),
    stream: (vector) => `gp_load_i32(b + ${(index * vectors + vector) * lanes})`,
  })
  const run = (count: number, distance: number) => Array.from({ length: count }, (_, i) => stepAt(i * distance, i))
  const wholeRow = fits(window[2] * units)
  const unroll = Math.max(...[1, 2, 4, 8, 16].filter((count) => units % count === 0 && (count === 1 || fits(count))))
  const passes = panels.reach * window[0] * window[1] * (wholeRow ? 1 : window[2] * (units / unroll))
  const { at: nextAt, fetches } = ahead(plan, passes)
  const inner = (write: (steps: readonly TileStep[]) => Lines): Lines => {
    const advance = (count: number) => [...fetches, `b += ${count * vectors * lanes};`]
    const row = wholeRow
      ? [
          ...Array.from({ length: window[2] }, (_, kx) => [
            'OPAQUE(a);',
            ...write(Array.from({ length: units }, (_, unit) => stepAt(kx * dilation[2] * units + unit, kx * units + unit))),
          ]).flat(),
          ...advance(window[2] * units),
        ]
      : loop('kx', 0, window[2], 1, [
          'OPAQUE(a);',
          ...(unroll === units
            ? [...write(run(units, 1)), ...advance(units)]
            : loop('unit', 0, units, unroll, [
                'OPAQUE(a);',
                ...write(run(unroll, 1)),
                `a += ${unitStep * unroll};`,
                ...advance(unroll),
              ])),
          `a += ${unitStep * (dilation[2] * units - (unroll === units ? 0 : units))};`,
        ])
    return loop('from', 0, panels.reach, 1, [
      `const ${unitType(layout)} *volume = corner + from * ${layout.block};`,
      ...loop(
        'kz',
        0,
        window[0],
        1,
        loop('ky', 0, window[1], 1, [
          `const ${unitType(layout)} *a = volume + kz * ${dilation[0] * layout.plane} + ky * ${dilation[1] * layout.row};`,
          ...row,
        ]),
      ),
    ])
  }
  const blocks = Array.from({ length: vectors }, (_, vector) => `panel * ${panels.vectors} + ${vector}`)
  const beginnings = [...(form.zero === 0 ? [] : ['corrections']), ...(bias ? ['x2'] : [])]
  const seeds =
    beginnings.length > 0
      ? [
          `const vi ${blocks
            .map(
              (at, vector) => `s${vector} = ${beginnings.map((from) => `gp_load_i32(${from} + (${at}) * ${lanes})`).join(' + ')}`,
            )
            .join(', ')};`,
        ]
      : []
  const body = tileLines({
    rows: columns,
    vectors,
    arithmetic: form.arithmetic,
    initial: (_, vector) => (beginnings.length > 0 ? `s${vector}` : form.arithmetic.zero),
    inner,
  })
  const domain = flat ?? resultDomain(kernel)
  const pointers = pointersOf(kernel)
  const positionOf = (row: string, vector: number) => {
    const at = `x + ${row}`
    return flat ? ['n', blocks[vector]!, at, '0'] : blockedPosition(convolution, 'n', blocks[vector]!, ['z', 'y', at])
  }
  const columnStride = (domain.resultStrides ?? denseStrides(domain.extents)).at(flat ? -2 : -2 - convolution.still)
  const found = roundedEnding(domain, pointers)
  const ending = columnStride === lanes ? found : undefined
  /** Some columns, next to each other, whose sums are `values`. */
  const stored = (rows: readonly string[], vector: number, values: readonly string[]): Lines => {
    const positions = rows.map((row) => positionOf(row, vector))
    return ending
      ? storeRounded(domain, positions, values, pointers, ending, level)
      : positions.flatMap((position, i) => storeAfter(domain, position, lanes, values[i]!, pointers, level))
  }
  const together = ending ? vectorsAtOnce : 1
  const { whole, rest } = split(columns, together)
  const range = (count: number) => Array.from({ length: count }, (_, i) => i)
  const isLong = columns > together && stepsBefore(domain.steps, ending) > stepsInRegisters
  const held = (first: string, count: number, vector: number) => {
    const rows = range(count).map((i) => (i === 0 ? first : `${first} + ${i}`))
    return [
      ...rows.map((row, i) => `const vi c${i} = *(const vi *)(held + ${vector * columns * lanes} + (${row}) * ${lanes});`),
      ...stored(
        rows,
        vector,
        range(count).map((i) => `c${i}`),
      ),
    ]
  }
  const stores = isLong
    ? [
        `i32 held[${columns * vectors * lanes}] __attribute__((aligned(64)));`,
        ...range(vectors).flatMap((vector) =>
          range(columns).map((row) => `*(vi *)(held + ${(vector * columns + row) * lanes}) = c${row}_${vector};`),
        ),
        ...range(vectors).flatMap((vector) => [
          ...loop('p', 0, whole, together, held('p', together, vector)),
          ...(rest > 0 ? block('', held(String(whole), rest, vector)) : []),
        ]),
      ]
    : range(vectors).flatMap((vector) =>
        range(Math.ceil(columns / together)).flatMap((group) => {
          const rows = range(Math.min(together, columns - group * together)).map((i) => group * together + i)
          return stored(
            rows.map(String),
            vector,
            rows.map((row) => `c${row}_${vector}`),
          )
        }),
      )
  const corner = flat ? `x * ${units}` : `z * ${stride[0] * layout.plane} + y * ${stride[1] * layout.row} + x * ${column}`
  return block('', [
    `const ${unitType(layout)} *corner = image + ${corner};`,
    'const i32 *b = w;',
    ...nextAt,
    ...seeds,
    ...body,
    ...stores,
  ])
}

/** All ways to compute the kernel. */
function candidatesOf(kernel: AnchoredKernel, level: Level): readonly Candidate<Method>[] {
  const convolution = blockedIntegersOf(kernel, level)
  if (isDepthwise(convolution)) return [{ name: 'lanes', nanoseconds: 0, value: depthwise }]
  return [...directWays(kernel, convolution, level), ...integerWinograd(convolution, kernel, level)]
}

const methodOf = remembered((kernel, level) => choose(kernel, level, candidatesOf(kernel as AnchoredKernel, level)))

/** Weights and bias known at build, and integers whose differences from their zero points have 16 bits. */
function isSupported({ operands, attributes }: Pick<Node, 'operands' | 'attributes'>, level: Level): boolean {
  const [input, weight, bias] = operands
  const { inputZeroPoint, weightZeroPoint } = attributes as { inputZeroPoint: number; weightZeroPoint: number[] }
  return (
    attributes.block === lanesOf(level) &&
    weight!.data !== undefined &&
    (bias === undefined || bias.data !== undefined) &&
    fitsUnits({ inputType: input!.type.dtype, weightType: weight!.type.dtype, inputZeroPoint, weightZeroPoint })
  )
}

export const blockedConvInteger: Template = {
  kind: 'template',
  storesRows: true,
  ways: candidatesOf,
  lowers: (node, level) => !isSupported(node, level),
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  ownScratch: (kernel, level) => methodOf(kernel, level).ownScratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
}
