import { resultDomain } from '../../access.ts'
import type { Candidate } from '../../choice.ts'
import type { Level } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { onePart, sharedLoop, sharedNest, teamWait } from '../../team.ts'
import { block, type Lines, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf } from '../template.ts'
import { split } from '../tile.ts'
import { type BlockedConvolution, blockedPosition } from './sizes.ts'
import type { TileSize } from './winogradMatrices.ts'
import { biasPacking, weightPacking } from './winogradPack.ts'
import {
  inputStep,
  isDilated,
  outputStep,
  type Panel,
  type Plan,
  planeOf,
  planOf,
  rowPitch,
  sectionWidth,
} from './winogradPlan.ts'
import { products } from './winogradProducts.ts'

/**
 * Ways to compute a `blockedConv` with a window of 3×3 in fewer multiplications: none where the algorithm does not apply, or results must
 * be those of the definition (`Level.exact`). Tiles of the image are transformed, multiplied with transformed weights point by point,
 * which for each point is a matrix product over the channels, and brought back.
 *
 * Sums over the channels are taken at each point, before those over the window: all of them change order, and round differently than
 * direct sums; what that comes to stands beside the helpers (`prelude/winograd.ts`), and `test/c/winograd.test.ts` checks it and a bound from
 * the formula. An infinite element of the image makes NaN of all outputs of its tiles.
 */
export function winogradCandidates(
  convolution: BlockedConvolution,
  kernel: AnchoredKernel,
  level: Level,
): readonly Candidate<Method>[] {
  const plane = planeOf(convolution, kernel, level)
  if (!plane) return []
  return ([4, 2] as const).map((size: TileSize) => {
    const plan = planOf(plane, size, level)
    return { name: `winograd${size}`, nanoseconds: plan.nanoseconds, value: methodOf(plan) }
  })
}

const methodOf = (plan: Plan): Method => ({
  body: (kernel, level) => bodyOf(kernel, plan, level),
  scratch: () => (plan.shares === 'sections' ? 4 * inputElements(plan) : 0),
  ownScratch: () => 4 * (patchElements(plan) + outputElements(plan) + (plan.shares === 'jobs' ? inputElements(plan) : 0)),
  pack: (_, index) => (index === 1 ? weightPacking(plan) : index === 2 && plan.plane.bias ? biasPacking(plan) : undefined),
})

const inputElements = (plan: Plan): number => plan.points * inputStep(plan, plan.unitGroups, plan.chunk)
const outputElements = (plan: Plan): number => plan.points * outputStep(plan, plan.panel, plan.unitGroups, plan.chunk)
/** A tile at the border of the image, or of results. */
const patchElements = ({ points, lanes }: Plan): number => points * lanes

function bodyOf(kernel: AnchoredKernel, plan: Plan, level: Level): Lines {
  const { plane, tiles, chunk, unitGroups } = plan
  const [units, chunks] = [split(plane.groups, unitGroups), split(tiles, chunk)]
  const patch = patchElements(plan)
  const jobs = plan.shares === 'jobs'
  const over = (groups: number, count: number): Lines => {
    const [firstUnit, unitCount] = groups === unitGroups ? [0, units.whole / unitGroups] : [units.whole / unitGroups, 1]
    const [firstChunk, chunkCount] = count === chunk ? [0, chunks.whole / chunk] : [chunks.whole / chunk, 1]
    const body = [
      ...(unitGroups < plane.groups ? [`const long unit = u${firstUnit > 0 ? ` + ${firstUnit}` : ''};`] : []),
      `const long first = ${firstChunk > 0 ? `(k + ${firstChunk})` : 'k'} * ${chunk};`,
      ...job(kernel, plan, groups, count, level),
    ]
    return jobs
      ? sharedNest(
          level,
          [
            ['u', unitCount],
            ['k', chunkCount],
          ],
          body,
        )
      : loop('u', 0, unitCount, 1, loop('k', 0, chunkCount, 1, body))
  }
  const rest = { unit: units.rest, chunk: chunks.rest }
  return [
    `f32 *const patch = (f32 *)own, *const points = patch + ${patch};`,
    `f32 *const transformed = ${jobs ? `points + ${outputElements(plan)}` : '(f32 *)scratch'};`,
    ...over(unitGroups, chunk),
    ...(rest.chunk > 0 ? over(unitGroups, rest.chunk) : []),
    ...(rest.unit > 0 ? over(rest.unit, chunk) : []),
    ...(rest.unit > 0 && rest.chunk > 0 ? over(rest.unit, rest.chunk) : []),
  ]
}

/** `count` tiles from `first` on for the `groups` groups of `unit`. */
function job(kernel: AnchoredKernel, plan: Plan, groups: number, count: number, level: Level): Lines {
  const { shares, sections, vectors, panel, rest } = plan
  const alone = shares === 'jobs'
  const input = inputLines(plan, groups)
  const blocks = Math.ceil((groups * plan.plane.inputs) / plan.lanes)
  // Tiles inside read rows of the image one after another; where a line of the cache has several blocks, blocks inside fill it at once.
  const nest: readonly (readonly [string, number])[] =
    plan.lanes < 16
      ? [
          ['t', count],
          ['b', blocks],
        ]
      : [
          ['b', blocks],
          ['t', count],
        ]
  const inputs = sharedNest(alone ? { ...level, teams: false } : level, nest, input)
  const whole = (vectors - (rest?.vectors ?? 0)) / panel.vectors
  const section = (of: Panel) => [
    ...products(plan, of, groups, count, level),
    ...loop('t', 0, count, 1, outputLines(kernel, plan, of, groups, count, level)),
  ]
  const outputs =
    sections === 'unit'
      ? section(panel)
      : [
          ...(alone ? loop('s', 0, whole, 1, section(panel)) : sharedLoop(level, 's', 0, whole, 1, section(panel))),
          ...(rest ? maybeOne(alone, level, loop('s', whole, whole + 1, 1, section(rest))) : []),
        ]
  if (alone) return [...inputs, ...outputs]
  return [...inputs, ...teamWait(level), ...(sections === 'unit' ? onePart(level, outputs) : outputs), ...teamWait(level)]
}

const maybeOne = (alone: boolean, level: Level, lines: Lines): Lines => (alone ? lines : onePart(level, lines))

/** Which place in which image the tile `first + t` has. */
function placeLines({ plane: { batch, depth }, tilesDown, tilesAcross }: Plan): Lines {
  const single = batch * depth === 1
  return [
    'const long tile = first + t;',
    ...(single ? [] : [`const long image = tile / ${tilesDown * tilesAcross};`]),
    `const long down = tile / ${tilesAcross}${single ? '' : ` % ${tilesDown}`}, across = tile % ${tilesAcross};`,
  ]
}

/** Batch entry and depth of `image`. */
function imageAxes({ plane: { batch, depth } }: Plan): { readonly n: string; readonly z: string } {
  if (depth === 1) return { n: batch === 1 ? '0' : 'image', z: '0' }
  return batch === 1 ? { n: '0', z: 'image' } : { n: `(image / ${depth})`, z: `(image % ${depth})` }
}

/** The first result along an axis of the tile number `tile` of so many: tiles of a phase are `size` of its results apart. */
function firstResult(tile: string, tiles: number, phases: number, size: number): string {
  if (phases === 1) return `${tile} * ${size}`
  const each = tiles / phases
  return `${tile} / ${each} + ${tile} % ${each} * ${size * phases}`
}

/** C expression of how many of `most` elements, `step` apart from `at` on, lie before `extent`; none where it is below 1. */
function countBefore(at: string, extent: number, most: number, step: number): string {
  const rest = step === 1 ? `${extent} - ${at}` : `(${extent + step - 1} - ${at}) / ${step}`
  return `${at} + ${(most - 1) * step + 1} <= ${extent} ? ${most} : ${rest}`
}

/** Row `t` of the matrix of each point: all blocks of channels of a tile, transformed. What lies outside of the image is read as 0. */
function inputLines(plan: Plan, groups: number): Lines {
  const { plane, size, lanes } = plan
  const { depth, height, width, top, left, inputs, dilation } = plane
  const side = size + 2
  const row = width * lanes
  const channel = depth * height * row
  const { n, z } = imageAxes(plan)
  const allBlocks = Math.ceil((plane.groups * inputs) / lanes)
  const firstBlock = (plan.unitGroups * inputs) / lanes
  const transform = (from: string, pitch: number) =>
    `gp_winograd_in${size}(${from}, ${pitch}, to + b * ${lanes}, ${inputStep(plan, groups, plan.chunk)});`
  const hidden = (at: string, step: number) =>
    step === 1 ? `${at} < 0 ? -${at} : 0` : `${at} < 0 ? (${step - 1} - ${at}) / ${step} : 0`
  const gathered = [
    `const long top = ${hidden('y', dilation.down)}, left = ${hidden('x', dilation.across)};`,
    `const long rows = (${countBefore('y', height, side, dilation.down)}) - top, columns = (${countBefore('x', width, side, dilation.across)}) - left;`,
    `gp_winograd_clip(patch, ${side}, from, ${row * dilation.down}, ${lanes * dilation.across}, top, left, rows, columns);`,
    transform('patch', side * lanes),
  ]
  const inside = `if (y >= 0 && y + ${side} <= ${height} && x >= 0 && x + ${side} <= ${width})`
  return [
    ...placeLines(plan),
    `const long y = ${firstResult('down', plan.tilesDown, dilation.down, size)} - ${top}, x = ${firstResult('across', plan.tilesAcross, dilation.across, size)} - ${left};`,
    `f32 *const to = transformed + t * ${rowPitch(plan, groups)};`,
    `const f32 *const from = x0 + ${sum([
      [n, allBlocks * channel],
      [z, height * row],
      [plan.unitGroups < plane.groups ? 'unit' : '0', firstBlock * channel],
      ['y', row],
      ['x', lanes],
      ['b', channel],
    ])};`,
    ...(isDilated(plane) ? block('', gathered) : [...block(inside, [transform('from', row)]), ...block('else', gathered)]),
  ]
}

/** The outputs of the tile `first + t` for a section, with bias and steps. */
function outputLines(kernel: AnchoredKernel, plan: Plan, panel: Panel, groups: number, count: number, level: Level): Lines {
  const { plane, size, lanes, sections } = plan
  const { outHeight, outWidth, outputs, dilation } = plane
  const width = sectionWidth(plan, panel, groups)
  const blocks = sections === 'panels' ? panel.vectors : Math.ceil((groups * outputs) / lanes)
  const unitBlocks = Math.ceil((plan.unitGroups * outputs) / lanes)
  const first = [
    ...(plan.unitGroups < plane.groups ? [`unit * ${unitBlocks}`] : []),
    ...(sections === 'panels' ? [`s * ${plan.panel.vectors}`] : []),
    'b',
  ].join(' + ')
  const { n, z } = imageAxes(plan)
  const domain = resultDomain(kernel)
  const position = blockedPosition({ axes: domain.extents.length - 3 }, n, 'channel', [z, 'oy', 'ox'])
  const store = storeAfter(domain, position, lanes, 'c', pointersOf(kernel), level)
  const full = (extent: number, step: number) => extent % (size * step) === 0
  const inside = (at: string, extent: number, step: number) => (full(extent, step) ? size : countBefore(at, extent, size, step))
  const along = (at: string, index: string, step: number) => `${at} + ${index}${step > 1 ? ` * ${step}` : ''}`
  return [
    ...placeLines(plan),
    `const long y = ${firstResult('down', plan.tilesDown, dilation.down, size)}, x = ${firstResult('across', plan.tilesAcross, dilation.across, size)};`,
    `const long rows = ${inside('y', outHeight, dilation.down)};`,
    `const long columns = ${inside('x', outWidth, dilation.across)};`,
    ...loop('b', 0, blocks, 1, [
      `const long channel = ${first};`,
      `gp_winograd_out${size}(points + t * ${width} + b * ${lanes}, ${outputStep(plan, panel, groups, count)}, ${
        plane.bias ? `LOAD(x2 + channel * ${lanes})` : 'SPLAT(0.0f)'
      }, patch);`,
      ...block(
        'for (long r = 0; r < rows; r++)',
        block('for (long q = 0; q < columns; q++)', [
          `const long oy = ${along('y', 'r', dilation.down)}, ox = ${along('x', 'q', dilation.across)};`,
          `const vf c = LOAD(patch + (r * ${size} + q) * ${lanes});`,
          ...store,
        ]),
      ),
    ]),
  ]
}
