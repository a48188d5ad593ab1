import type { Level } from '../../level.ts'
import { type Lines, loop } from '../../text.ts'
import { fencedLoop } from '../fence.ts'
import { split, type TileStep, tileLines } from '../tile.ts'
import { weightElements } from './winogradPack.ts'
import { inputStep, outputStep, type Panel, type Plan, rowPitch, sectionWidth } from './winogradPlan.ts'

/** For each point, rows of transformed tiles times its weights. */
export function products(plan: Plan, panel: Panel, groups: number, count: number, level: Level): Lines {
  const { points, lanes, plane, vectors, sections, rest } = plan
  const { inputs, outputs } = plane
  const unit = plan.unitGroups < plane.groups ? `unit * ${weightElements(plan, plan.unitGroups)} + ` : ''
  const column = inputs * lanes
  const step = inputStep(plan, groups, plan.chunk)
  const matrix = `const f32 *const rows = transformed + point * ${step}`
  const to = `f32 *const to = points + point * ${outputStep(plan, panel, groups, count)}`
  if (sections === 'panels')
    return loop('point', 0, points, 1, [
      `${matrix};`,
      `${to};`,
      `const f32 *const weights = x1 + ${unit}s * ${points * plan.panel.vectors * column} + point * ${panel.vectors * column};`,
      ...rowTiles(plan, panel, groups, count, sectionWidth(plan, panel, groups), level),
    ])
  const whole = vectors - (rest?.vectors ?? 0)
  const at = (of: Panel) => [
    `const f32 *const rows = matrix + g * ${inputs};`,
    `f32 *const to = sums + g * ${outputs} + v * ${lanes};`,
    `const f32 *const weights = x1 + ${unit}((point * ${groups} + g) * ${vectors} + v) * ${column};`,
    ...rowTiles(plan, of, groups, count, sectionWidth(plan, panel, groups), level),
  ]
  return loop('point', 0, points, 1, [
    `${matrix.replace('rows', 'matrix')};`,
    `${to.replace('to', 'sums')};`,
    ...loop('g', 0, groups, 1, [
      ...loop('v', 0, whole, panel.vectors, at(panel)),
      ...(rest ? loop('v', whole, vectors, rest.vectors, at(rest)) : []),
    ]),
  ])
}

/** A panel's weights times all rows, in tiles; meanwhile the weights that come next are brought into the cache. */
function rowTiles(plan: Plan, panel: Panel, groups: number, count: number, width: number, level: Level): Lines {
  const { inputs } = plan.plane
  const { whole, rest } = split(count, panel.rows)
  const tiles = Math.ceil(count / panel.rows)
  const lines = Math.ceil((inputs * panel.vectors * plan.lanes * 4) / 64 / tiles)
  const tile = (rows: number) => productTile(plan, panel, rows, groups, width, lines, level)
  return [
    ...(level.fenced ? [] : [`const char *next = (const char *)(weights + ${inputs * panel.vectors * plan.lanes});`]),
    ...loop('row', 0, whole, panel.rows, tile(panel.rows)),
    ...(rest > 0 ? loop('row', whole, count, rest, tile(rest)) : []),
  ]
}

function productTile(
  plan: Plan,
  { vectors }: Panel,
  rows: number,
  groups: number,
  width: number,
  lines: number,
  level: Level,
): Lines {
  const { inputs } = plan.plane
  const { lanes } = plan
  const pitch = rowPitch(plan, groups)
  const accumulators = rows * vectors
  const unroll = Math.max(1, Math.min(inputs, 4, Math.floor(level.pass / accumulators)))
  const most = Math.max(1, Math.floor((level.registers - 2 - vectors) / accumulators))
  const passes = Math.floor(inputs / unroll)
  const fetched = Math.ceil(lines / Math.max(1, passes))
  const step = (k: number): TileStep => ({
    broadcast: (row) => `a[${row * pitch + k}]`,
    stream: (vector) => `LOAD(w + ${(k * vectors + vector) * lanes})`,
  })
  const steps = (length: number) => Array.from({ length }, (_, k) => step(k))
  const prefetch = Array.from({ length: Math.min(fetched, 8) }, (_, i) => `__builtin_prefetch(next + ${i * 64}, 0, 2);`)
  const body = tileLines({
    rows,
    vectors,
    sets: Math.min(unroll, most),
    initial: () => 'SPLAT(0.0f)',
    inner: (write) => {
      if (level.fenced)
        return fencedLoop({
          depth: inputs,
          right: 'w',
          broadcast: (row) => `a[${row * pitch}]`,
          stream: (vector, at) => `LOAD(w + ${at + vector * lanes})`,
          leftStep: 1,
          pitch: vectors * lanes,
          write,
        })
      return [
        ...loop('i', 0, passes * unroll, unroll, [
          ...prefetch,
          `next += ${64 * prefetch.length};`,
          ...write(steps(unroll)),
          `a += ${unroll};`,
          `w += ${unroll * vectors * lanes};`,
        ]),
        ...(inputs % unroll > 0 ? write(steps(inputs % unroll)) : []),
      ]
    },
  })
  const stores = Array.from({ length: accumulators }, (_, i) => {
    const [row, vector] = [Math.floor(i / vectors), i % vectors]
    return `STORE(to + (row + ${row}) * ${width} + ${vector * lanes}, c${row}_${vector});`
  })
  return [`const f32 *a = rows + row * ${pitch}, *w = weights;`, ...body, ...stores]
}
