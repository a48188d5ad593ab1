import type { Node } from '../../../../compiler/graph/node.ts'
import { type Domain, regroup, resultDomain } from '../../access.ts'
import { type Level, lanesOf } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { sharedNest } from '../../team.ts'
import { block, type Lines, loop } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf, type Template } from '../template.ts'
import { split, type TileStep, tileLines } from '../tile.ts'
import { isPadded } from '../windowed.ts'
import {
  type BlockedIntegers,
  blockedIntegersOf,
  fitsUnits,
  isDepthwise,
  type UnitForm,
  type UnitLayout,
  unitFormOf,
  unitLayoutOf,
} from './integerForm.ts'
import { depthwise } from './integerLanes.ts'
import { stageUnits } from './integerStage.ts'
import { type Panels, packBias, packUnits, panelsOf, unitsOfBlock } from './integerWeights.ts'
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

function planOf(kernel: AnchoredKernel, level: Level): Plan {
  const convolution = blockedIntegersOf(kernel, level)
  const form = unitFormOf(convolution, level)
  const layout = unitLayoutOf(convolution, form)
  const flat = flatSpace(kernel, convolution)
  const columns = flat ? flat.extents[2]! : convolution.output[2]
  const { panels, tile } = bestTile(convolution, layout, columns, level)
  return { convolution, form, layout, panels, tile, flat }
}

/** Windows of one element without strides and padding read pixels in the order of results. */
function flatSpace(kernel: AnchoredKernel, convolution: BlockedIntegers): Domain | undefined {
  const { window, stride } = convolution
  if ([...window, ...stride].some((size) => size !== 1) || isPadded(convolution)) return undefined
  const axes = kernel.domain.map((_, axis) => axis)
  return regroup(resultDomain(kernel), [[0], [1], axes.slice(2, -1), [axes.length - 1]])
}

/**
 * The tile whose steps over all columns and blocks take least. A step of a tile takes as long as its multiply-adds, or as its loads where
 * those are more, or as one takes to be done where there are few.
 */
function bestTile(convolution: BlockedIntegers, layout: UnitLayout, columns: number, level: Level) {
  const steps = (width: number, vectors: number) => Math.max(width * vectors, width + vectors, 4) + 0.5
  let best: { readonly panels: Panels; readonly tile: TileSize; readonly cost: number } | undefined
  for (let vectors = 1; vectors <= Math.min(4, convolution.outputBlocks); vectors++) {
    const panels = panelsOf(convolution, layout, vectors)
    const blocks = split(convolution.outputBlocks, vectors)
    for (let width = 1; width <= Math.min(columns, Math.floor((level.registers - 1) / vectors) - 1); width++) {
      const { whole, rest } = split(columns, width)
      const row = (count: number) => (whole / width) * steps(width, count) + (rest > 0 ? steps(rest, count) : 0)
      const tail = blocks.rest > 0 ? row(blocks.rest) : 0
      const cost = panels.reach * ((blocks.whole / vectors) * row(vectors) + tail)
      if (!best || cost < best.cost) best = { panels, tile: { columns: width, vectors }, cost }
    }
  }
  return best!
}

/** Tiles of columns × output blocks; each unit is read once for all blocks of a tile. */
const direct: Method = {
  scratch(kernel, level) {
    const { convolution, form, layout } = planOf(kernel, level)
    return stageUnits(convolution, form, layout, level).bytes
  },
  pack(kernel, index, level) {
    const { convolution, form, layout, panels } = planOf(kernel, level)
    if (index === 1) return packUnits(convolution, form, layout, panels)
    return index === 2 && convolution.bias ? packBias(convolution) : undefined
  },
  body(kernel, level) {
    const plan = planOf(kernel, level)
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
      `const i32 *units = (const i32 *)${layout.staged ? 'scratch' : 'x0'}, *weights = (const i32 *)x1;`,
      ...(form.zero === 0 ? [] : [`const i32 *corrections = weights + ${corrections};`]),
      ...ofPanels(0, full, tile.vectors),
      ...(tail > 0 ? ofPanels(full, panels.count, tail) : []),
    ]
  },
}

/** The first block of the input that a panel reads: a product where they are evenly apart, else a table. */
function firstBlocks({ first }: Panels): { readonly table: Lines; readonly at: string } {
  const step = first[1] ?? 0
  if (first.every((value, panel) => value === panel * step)) return { table: [], at: step === 0 ? '0' : `panel * ${step}` }
  return { table: [`static const i32 firsts[${first.length}] = {${first.join(', ')}};`], at: 'firsts[panel]' }
}

/** Where a panel's units and weights begin. */
function panelLines({ convolution, layout, panels }: Plan): Lines {
  const { at } = firstBlocks(panels)
  return [
    `const i32 *image = units + n * ${layout.image}${at === '0' ? '' : ` + ${at} * ${layout.block}`};`,
    `const i32 *w = weights + panel * ${panels.vectors * unitsOfBlock(convolution, layout, panels)};`,
  ]
}

/** Steps of an inner loop that are written out: as many multiply-adds as the level says, of native vectors of 64 bytes four times that. */
const passOf = (level: Level) => (level.vectorBytes === 64 ? 4 * level.pass : level.pass)

/** Elementwise work behind a tile that is written out for each vector in registers; more runs in a loop over the tile. */
const stepsInRegisters = 3

/** One tile at the variables `panel`, `x` and, but for flat images, `y` and `z`. */
function tileOf(kernel: AnchoredKernel, plan: Plan, columns: number, vectors: number, level: Level): Lines {
  const { convolution, form, layout, panels, flat } = plan
  const { window, stride, dilation, block: lanes, axes, bias } = convolution
  const { units } = layout
  const column = stride[2] * units
  const perUnit = columns * vectors
  const fits = (count: number) => count * perUnit <= passOf(level)
  /** Steps from a place: `at` in units of the input, in the order of the weights. */
  const stepAt = (at: number, index: number): TileStep => ({
    broadcast: (row) => `a[${at + row * column}]`,
    stream: (vector) => `gp_load_i32(b + ${(index * vectors + vector) * lanes})`,
  })
  const run = (count: number, distance: number) => Array.from({ length: count }, (_, i) => stepAt(i * distance, i))
  const wholeRow = fits(window[2] * units)
  const unroll = Math.max(...[1, 2, 4, 8, 16].filter((count) => units % count === 0 && (count === 1 || fits(count))))
  const inner = (write: (steps: readonly TileStep[]) => Lines): Lines => {
    const advance = (count: number) => `b += ${count * vectors * lanes};`
    const row = wholeRow
      ? [
          ...Array.from({ length: window[2] }, (_, kx) => [
            'OPAQUE(a);',
            ...write(Array.from({ length: units }, (_, unit) => stepAt(kx * dilation[2] * units + unit, kx * units + unit))),
          ]).flat(),
          advance(window[2] * units),
        ]
      : loop('kx', 0, window[2], 1, [
          'OPAQUE(a);',
          ...(unroll === units
            ? [...write(run(units, 1)), advance(units)]
            : loop('unit', 0, units, unroll, [...write(run(unroll, 1)), `a += ${unroll};`, advance(unroll)])),
          `a += ${dilation[2] * units - (unroll === units ? 0 : units)};`,
        ])
    return loop('from', 0, panels.reach, 1, [
      `const i32 *volume = corner + from * ${layout.block};`,
      ...loop(
        'kz',
        0,
        window[0],
        1,
        loop('ky', 0, window[1], 1, [
          `const i32 *a = volume + kz * ${dilation[0] * layout.plane} + ky * ${dilation[1] * layout.row};`,
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
  const stored = (row: string, vector: number, value: string) => {
    const at = `x + ${row}`
    const position = flat ? ['n', blocks[vector]!, at, '0'] : blockedPosition(axes, 'n', blocks[vector]!, ['z', 'y', at])
    return storeAfter(domain, position, lanes, value, pointers, level)
  }
  const cells = Array.from({ length: columns * vectors }, (_, i) => [Math.floor(i / vectors), i % vectors] as const)
  const isLong = columns > 1 && domain.steps.filter((step) => step.kind === 'apply').length > stepsInRegisters
  const stores = isLong
    ? [
        `i32 held[${cells.length * lanes}] __attribute__((aligned(64)));`,
        ...cells.map(([row, vector]) => `*(vi *)(held + ${(vector * columns + row) * lanes}) = c${row}_${vector};`),
        ...blocks.flatMap((_, vector) =>
          loop('p', 0, columns, 1, [
            `const vi c = *(const vi *)(held + ${vector * columns * lanes} + p * ${lanes});`,
            ...stored('p', vector, 'c'),
          ]),
        ),
      ]
    : cells.flatMap(([row, vector]) => stored(String(row), vector, `c${row}_${vector}`))
  const corner = flat ? `x * ${units}` : `z * ${stride[0] * layout.plane} + y * ${stride[1] * layout.row} + x * ${column}`
  return block('', [`const i32 *corner = image + ${corner}, *b = w;`, ...seeds, ...body, ...stores])
}

const methodOf = (kernel: AnchoredKernel, level: Level): Method =>
  isDepthwise(blockedIntegersOf(kernel, level)) ? depthwise : direct

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
  lowers: (node, level) => !isSupported(node, level),
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
}
