import type { Anchor } from '../../../compiler/fuse/kernel.ts'
import { denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import { resultDomain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { literalText } from '../scalar.ts'
import { loadLanes, type Position, storeAfter } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** What a kernel looks up. In C, `at` is the place of an index, `first` and `last` those of the first and behind the last that are looked up. */
interface Setting {
  readonly rows: number
  readonly width: number
  readonly bags: number
  /** Of each bag; of bags of various lengths, of all together. */
  readonly lookups: number
  /** The pointer to what rows are multiplied by. */
  readonly scale: string | undefined
  readonly mean: boolean
  /** Whether bags begin where offsets say. */
  readonly ragged: boolean
}

function settingOf({ op, operands, attributes }: Anchor): Setting {
  const [indices, table] = operands
  const { shape } = indices!
  const [rows, width] = table!.shape as [number, number]
  const ragged = op === 'raggedEmbeddingBag'
  const factors = ragged ? 3 : 2
  return {
    ...{ rows, width, ragged, mean: attributes.mean === true },
    ...{ bags: ragged ? operands[2]!.shape[0]! - 1 : elementCount(shape.slice(0, -1)), lookups: shape.at(-1)! },
    scale: operands.length > factors ? `x${factors}` : undefined,
  }
}

/**
 * Bytes of rows that are on their way from memory at any time: 24 rows of 256 bytes, and as many bytes of others. Twice and four times as
 * many were no faster, half as many took 1.1 to 1.4 times as long.
 */
const bytesAhead = 24 * 256
const lineBytes = 64
/** Lines of a row that are fetched ahead; what is behind them the machine sees coming. */
const linesAhead = 16

/** Where the row begins that an index picks. */
const rowText = ({ rows, width }: Setting, index: string): string =>
  `x1 + (long)(${index} < 0 ? ${index} + ${rows} : ${index}) * ${width}`

/**
 * Into the second-level cache: misses of the first are too few at a time, so that fetching into it is no faster than fetching nothing (6.5
 * GB/s of rows in pages of 4 KB and 8 in large ones, against 10 and 15, on Zen 4).
 */
const nearness = 2

/** Fetches the row that is looked up `distance` look-ups later, also those of the next bags. */
function fetchAhead(setting: Setting): Lines {
  const { width, bags, lookups, ragged } = setting
  const bytes = 4 * width
  const distance = Math.max(1, Math.round(bytesAhead / bytes))
  const most = ragged ? lookups : bags * lookups
  if (distance >= most) return []
  const last = ragged ? 'last - 1' : `${most - 1}`
  const starts = Array.from({ length: Math.min(linesAhead, Math.ceil(bytes / lineBytes)) }, (_, i) => (i * lineBytes) / 4)
  // Rows that do not fill their lines begin within one and end within one more.
  const offsets = bytes % lineBytes === 0 ? starts : [...starts, width - 1]
  return [
    `const long soon = at + ${distance} < ${last} ? at + ${distance} : ${last};`,
    'const i64 later = (i64)x0[soon];',
    `const f32 *const next = ${rowText(setting, 'later')};`,
    ...offsets.map((offset) => `__builtin_prefetch(next${offset > 0 ? ` + ${offset}` : ''}, 0, ${nearness});`),
  ]
}

/** Columns from `from` on, in as many accumulators as there are vectors, over all look-ups of a bag. */
function columns(kernel: AnchoredKernel, setting: Setting, position: Position, level: Level, from: number, to: number): Lines {
  const { lookups, scale, mean, ragged } = setting
  const lanes = lanesOf(level)
  const domain = resultDomain(kernel)
  const strides = denseStrides(kernel.anchor.operands[0]!.shape).slice(0, -1)
  const vectors = Array.from({ length: Math.ceil((to - from) / lanes) }, (_, i) => {
    const column = from + i * lanes
    return { name: `s${i}`, column, used: Math.min(lanes, to - column) }
  })
  const row = [
    ...(from === 0 ? fetchAhead(setting) : []),
    'const i64 index = (i64)x0[at];',
    `const f32 *const row = ${rowText(setting, 'index')};`,
    ...(scale ? [`const vf scale = SPLAT(${scale}[at]);`] : []),
    ...vectors.map(
      ({ name, column, used }) => `${name} += ${scale ? 'scale * ' : ''}${loadLanes('row', `${column}`, used, level)};`,
    ),
  ]
  const place = sum([...strides.map((stride, axis) => [position[axis]!, stride] as const), ['i', 1]])
  const count = ragged ? '(f32)(end - begin)' : literalText('f32', lookups)
  const value = (name: string) => (mean ? `${name} / SPLAT(${count})` : name)
  return block('', [
    ...vectors.map(({ name }) => `vf ${name} = SPLAT(0.0f);`),
    ...(ragged
      ? block('for (long at = begin; at < end; at++)', row)
      : loop('i', 0, lookups, 1, [`const long at = ${place};`, ...row])),
    ...vectors.flatMap(({ name, column, used }) =>
      block('', [
        `const vf v = ${mean && ragged ? `end > begin ? ${value(name)} : ${name}` : value(name)};`,
        ...storeAfter(domain, [...position, `${column}`], used, 'v', pointersOf(kernel), level),
      ]),
    ),
  ])
}

/** Of bags of various lengths: what part of the indices is in bags. The kernel that makes offsets has checked them; nothing is read outside in any case. */
const usedText = (indices: number, bags: number): Lines => [
  'const long first = x2[0] > 0 ? x2[0] : 0;',
  `const long last = x2[${bags}] < ${indices} ? x2[${bags}] : ${indices};`,
]

/** The indices of bag `bag`, in what is in bags. */
const bagText = (bag: string): Lines => [
  `const long begin = x2[${bag}] > first ? x2[${bag}] : first;`,
  `const long end = x2[${bag} + 1] < last ? x2[${bag} + 1] : last;`,
]

/**
 * Rows of a table, summed while they are read: none is copied. Each element is summed in f32 in the order of its bag's indices, whatever the
 * level and however many threads there are. All indices of bags are checked before anything is written, by each thread of a team.
 */
const bagTemplate: Template = {
  kind: 'template',
  storesRows: true,
  follows: () => true,
  // Other elements are converted as they are picked, and summed behind that.
  lowers: ({ type }) => type.dtype !== 'f32',
  body(kernel, level) {
    const setting = settingOf(kernel.anchor)
    const { rows, width, bags, lookups, ragged } = setting
    // No branch in the loop, so that compilers take several indices at once.
    const wrong = [`wrong |= (u64)(i64)x0[i] + ${rows} >= ${2 * rows};`]
    const check = [
      ...(ragged ? usedText(lookups, bags) : []),
      'int wrong = 0;',
      ...(ragged ? block('for (long i = first; i < last; i++)', wrong) : loop('i', 0, bags * lookups, 1, wrong)),
      'if (wrong) return 1;',
    ]
    if (kernel.domain.includes(0)) return [...check, 'return 0;']
    const lead = kernel.domain.slice(0, -1)
    const loops = lead.map((extent, axis) => [`i${axis}`, extent] as const)
    const position = loops.map(([variable]) => variable)
    // Some registers stay free for the row, its scale and steps behind the sums.
    const chunk = 2 ** Math.floor(Math.log2(level.registers - 4)) * lanesOf(level)
    const parts = Array.from({ length: Math.ceil(width / chunk) }, (_, i) =>
      columns(kernel, setting, position, level, i * chunk, Math.min(width, (i + 1) * chunk)),
    )
    return [...check, ...sharedNest(level, loops, [...(ragged ? bagText('i0') : []), ...parts.flat()]), 'return 0;']
  },
}

export const embeddingBag = bagTemplate
export const raggedEmbeddingBag = bagTemplate
