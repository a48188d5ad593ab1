import type { Anchor } from '../../../compiler/fuse/kernel.ts'
import { type DType, dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { type RowFacts, type RowFormat, rowFormats } from '../../../compiler/graph/ops/rowFormat.ts'
import { denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import { isPlain, resultDomain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { isNarrow, literalText, loadText, roundedText, storageType } from '../scalar.ts'
import { loadLanes, type Position, storeAfter, storeElement } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** What a kernel looks up. In C, `at` is the place of an index, `first` and `last` those of the first and behind the last that are looked up. */
interface Setting {
  readonly rows: number
  /** Elements of a row of the table, as they are stored. */
  readonly pitch: number
  /** Numbers in a row. */
  readonly width: number
  readonly dtype: DType
  /** How rows of bytes stand for numbers. */
  readonly format: RowFacts | undefined
  readonly bags: number
  /** Of each bag; of bags of various lengths, of all together. */
  readonly lookups: number
  /** What rows are multiplied by, of the place of the index: a number. */
  readonly scale: string | undefined
  readonly mean: boolean
  /** Whether bags begin where offsets say. */
  readonly ragged: boolean
}

function settingOf({ op, operands, attributes, type }: Anchor): Setting {
  const [indices, table] = operands
  const { shape } = indices!
  const [rows, pitch] = table!.shape as [number, number]
  const ragged = op === 'raggedEmbeddingBag'
  const factors = ragged ? 3 : 2
  const format = attributes.rows as RowFormat | undefined
  return {
    ...{ rows, pitch, width: type.shape.at(-1)!, ragged, mean: attributes.mean === true, dtype: table!.dtype },
    ...{ bags: ragged ? operands[2]!.shape[0]! - 1 : elementCount(shape.slice(0, -1)), lookups: shape.at(-1)! },
    format: format && rowFormats[format],
    scale: operands.length > factors ? loadText(operands[factors]!.dtype, `x${factors}[at]`) : undefined,
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
const rowText = ({ rows, pitch }: Setting, index: string): string =>
  `x1 + (long)(${index} < 0 ? ${index} + ${rows} : ${index}) * ${pitch}`

/**
 * Into the second-level cache: misses of the first are too few at a time, so that fetching into it is no faster than fetching nothing (6.5
 * GB/s of rows in pages of 4 KB and 8 in large ones, against 10 and 15, on Zen 4).
 */
const nearness = 2

/** Fetches the row that is looked up `distance` look-ups later, also those of the next bags. */
function fetchAhead(setting: Setting): Lines {
  const { pitch, dtype, bags, lookups, ragged } = setting
  const size = dtypeFacts[dtype].bytes
  const bytes = size * pitch
  const distance = Math.max(1, Math.round(bytesAhead / bytes))
  const most = ragged ? lookups : bags * lookups
  if (distance >= most) return []
  const last = ragged ? 'last - 1' : `${most - 1}`
  const starts = Array.from({ length: Math.min(linesAhead, Math.ceil(bytes / lineBytes)) }, (_, i) => (i * lineBytes) / size)
  // Rows that do not fill their lines begin within one and end within one more.
  const offsets = bytes % lineBytes === 0 ? starts : [...starts, pitch - 1]
  return [
    `const long soon = at + ${distance} < ${last} ? at + ${distance} : ${last};`,
    'const i64 later = (i64)x0[soon];',
    `const ${storageType[dtype]} *const next = ${rowText(setting, 'later')};`,
    ...offsets.map((offset) => `__builtin_prefetch(next${offset > 0 ? ` + ${offset}` : ''}, 0, ${nearness});`),
  ]
}

/** `row`, and what belongs to all of its numbers. */
function rowLines(setting: Setting): Lines {
  const { dtype, format, pitch, scale } = setting
  const factor = scale ? [`const vf scale = SPLAT(${scale});`] : []
  const lines = [
    'const i64 index = (i64)x0[at];',
    `const ${storageType[dtype]} *const row = ${rowText(setting, 'index')};`,
    ...factor,
  ]
  if (!format) return lines
  const { parameter, header, first } = format
  const names = ['step', 'offset'] as const
  return [
    ...lines,
    `${storageType[parameter]} parameters[2];`,
    `__builtin_memcpy(parameters, row${first ? '' : ` + ${pitch - header}`}, ${header});`,
    ...names.map((name, i) => `const vf ${name} = SPLAT(${loadText(parameter, `parameters[${i}]`)});`),
  ]
}

/** Stored elements that are read at once, `lanes` of them or fewer, and the sums of the numbers that they hold, in the order of their bits. */
interface Load {
  /** From the row's first on. */
  readonly unit: number
  readonly used: number
  readonly sums: readonly string[]
}

/** Numbers of a row; of tables that come with a request they may be infinite. */
function numbersText(dtype: DType, unit: number, used: number, level: Level): string {
  if (dtype !== 'f16' || level.loadHalves) return loadLanes('row', `${unit}`, used, level, dtype)
  return used < lanesOf(level) ? `gp_load_some_any_f16(row + ${unit}, ${used})` : `gp_load_any_f16(row + ${unit})`
}

/** Adds what is read to the sums. */
function addLines({ dtype, format, scale }: Setting, { unit, used, sums }: Load, level: Level): Lines {
  const factor = scale ? 'scale * ' : ''
  if (!format) {
    return [`${sums[0]} += ${factor}${numbersText(dtype, unit, used, level)};`]
  }
  const from = unit + (format.first ? format.header : 0)
  const integer = (i: number) => {
    const moved = i === 0 ? 'bytes' : `(bytes >> ${i * format.bits})`
    return format.bits === 8 || (i + 1) * format.bits === 8 ? moved : `(${moved} & ${2 ** format.bits - 1})`
  }
  return block('', [
    `const vi bytes = ${loadLanes('row', `${from}`, used, level, 'u8')};`,
    ...sums.map((sum, i) => `${sum} += ${factor}(step * __builtin_convertvector(${integer(i)}, vf) + offset);`),
  ])
}

/** Sums of numbers that share bytes, as vectors of neighbours. */
function inOrder(sums: readonly string[]): readonly string[] {
  if (sums.length === 1) return sums
  const half = sums.length / 2
  // Numbers whose bits are half a byte apart first, so that neighbours meet last.
  const [even, odd] = [0, 1].map((from) => inOrder(sums.filter((_, i) => i % 2 === from))) as [
    readonly string[],
    readonly string[],
  ]
  return Array.from({ length: half }, (_, i) => [`ZIP_LOW(${even[i]}, ${odd[i]})`, `ZIP_HIGH(${even[i]}, ${odd[i]})`]).flat()
}

/** The loop over a bag's indices; the bag's place among others is `position`. */
function overBag(kernel: AnchoredKernel, { lookups, ragged }: Setting, position: Position, body: Lines): Lines {
  if (ragged) return block('for (long at = begin; at < end; at++)', body)
  const strides = denseStrides(kernel.anchor.operands[0]!.shape).slice(0, -1)
  const place = sum([...strides.map((stride, axis) => [position[axis]!, stride] as const), ['i', 1]])
  return loop('i', 0, lookups, 1, [`const long at = ${place};`, ...body])
}

/** What a sum is divided by for a mean: a value of `type`. */
const countText = ({ ragged, lookups }: Setting, type: 'f32' | 'f64'): string =>
  ragged ? `(${type})(end - begin)` : literalText(type, lookups)

/** Numbers of the stored elements from `from` on, in as many accumulators as there are vectors, over all look-ups of a bag. */
function columns(kernel: AnchoredKernel, setting: Setting, position: Position, level: Level, from: number, to: number): Lines {
  const { mean, ragged, format, dtype } = setting
  const lanes = lanesOf(level)
  const each = format ? 8 / format.bits : 1
  const domain = resultDomain(kernel)
  const loads = Array.from({ length: Math.ceil((to - from) / lanes) }, (_, i): Load => {
    const unit = from + i * lanes
    const sums = Array.from({ length: each }, (_, k) => (each === 1 ? `s${i}` : `s${i}_${k}`))
    return { unit, used: Math.min(lanes, to - unit), sums }
  })
  const row = [
    ...(from === 0 ? fetchAhead(setting) : []),
    ...rowLines(setting),
    ...loads.flatMap((load) => addLines(setting, load, level)),
  ]
  const value = (name: string) => (mean ? `${name} / SPLAT(${countText(setting, 'f32')})` : name)
  // Steps behind sums of 16 bits see them as they are stored.
  const rounded =
    isNarrow(dtype) && !isPlain(kernel)
      ? [`for (long lane = 0; lane < ${lanes}; lane++) v[lane] = ${roundedText(dtype, 'v[lane]')};`]
      : []
  return block('', [
    ...loads.flatMap(({ sums }) => sums.map((name) => `vf ${name} = SPLAT(0.0f);`)),
    ...overBag(kernel, setting, position, row),
    ...loads.flatMap(({ unit, used, sums }) =>
      inOrder(sums).flatMap((name, k) => {
        const count = Math.min(lanes, used * each - k * lanes)
        if (count <= 0) return []
        return block('', [
          `const vf made = ${name};`,
          `${rounded.length > 0 ? '' : 'const '}vf v = ${mean && ragged ? `end > begin ? ${value('made')} : made` : value('made')};`,
          ...rounded,
          ...storeAfter(domain, [...position, `${unit * each + k * lanes}`], count, 'v', pointersOf(kernel), level),
        ])
      }),
    ),
  ])
}

/** Sums of f64 in elements of an array, which compilers keep in registers where they are few. */
function doubles(kernel: AnchoredKernel, setting: Setting, position: Position, from: number, to: number): Lines {
  const { mean, ragged, scale } = setting
  const each = (body: Lines) => loop('c', 0, to - from, 1, body)
  const row = [
    'const i64 index = (i64)x0[at];',
    `const f64 *const row = ${rowText(setting, 'index')} + ${from};`,
    ...each([`sums[c] += ${scale ? `${scale} * ` : ''}row[c];`]),
  ]
  const count = mean
    ? [`const f64 count = ${ragged ? `end > begin ? ${countText(setting, 'f64')} : 1.0` : countText(setting, 'f64')};`]
    : []
  return block('', [
    `f64 sums[${to - from}] = {0};`,
    ...overBag(kernel, setting, position, row),
    ...count,
    ...each([
      `const f64 element = sums[c]${mean ? ' / count' : ''};`,
      ...storeElement(resultDomain(kernel), [...position, from === 0 ? 'c' : `(c + ${from})`], 'element', pointersOf(kernel)),
    ]),
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
 * Rows of a table, summed while they are read: none is copied. Each element is summed in f32, or f64 where the table is, in the order of its bag's indices, whatever the
 * level and however many threads there are. All indices of bags are checked before anything is written, by each thread of a team.
 */
const bagTemplate: Template = {
  kind: 'template',
  storesRows: true,
  follows: () => true,
  body(kernel, level) {
    const setting = settingOf(kernel.anchor)
    const { rows, pitch, bags, lookups, ragged, format, dtype } = setting
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
    const vectors = 2 ** Math.floor(Math.log2(level.registers - 4))
    const stored = pitch - (format?.header ?? 0)
    const chunk = dtype === 'f64' ? 32 : (format ? (vectors * format.bits) / 8 : vectors) * lanesOf(level)
    const parts = Array.from({ length: Math.ceil(stored / chunk) }, (_, i) => {
      const to = Math.min(stored, (i + 1) * chunk)
      return dtype === 'f64'
        ? doubles(kernel, setting, position, i * chunk, to)
        : columns(kernel, setting, position, level, i * chunk, to)
    })
    return [...check, ...sharedNest(level, loops, [...(ragged ? bagText('i0') : []), ...parts.flat()]), 'return 0;']
  },
}

export const embeddingBag = bagTemplate
export const raggedEmbeddingBag = bagTemplate
