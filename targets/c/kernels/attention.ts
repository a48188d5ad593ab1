import { elementCount, type Shape } from '../../../compiler/graph/type.ts'
import { type Domain, regroup } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, floatText, fromDouble, loadText } from '../scalar.ts'
import { loadLanes, storeElement } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import { productLines } from './gemm.ts'
import { panelOf } from './product.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** Sizes and options of a kernel. Query heads that share keys are rows next to each other. */
interface Setting {
  readonly batch: number
  readonly heads: number
  readonly length: number
  readonly size: number
  readonly groups: number
  readonly keys: number
  readonly out: number
  /** Rows of the query for each matrix of keys. */
  readonly rows: number
  readonly scale: number
  readonly softcap: number
  /** Keys that the first query sees behind the first one; undefined where each sees all. */
  readonly past: number | undefined
  readonly hidden: number
  readonly zero: boolean
  readonly mask: { readonly kind: 'bool' | 'added'; readonly shape: Shape } | undefined
}

function settingOf({ anchor }: AnchoredKernel): Setting {
  const [query, , value, mask] = anchor.operands
  const [batch, heads, length, size] = query!.shape as [number, number, number, number]
  const [, groups, keys, out] = value!.shape as [number, number, number, number]
  const { scale, softcap, causal, past, hidden, blind } = anchor.attributes as Readonly<Record<string, number | boolean | string>>
  return {
    batch,
    heads,
    length,
    size,
    groups,
    keys,
    out,
    rows: (heads / groups) * length,
    scale: scale as number,
    softcap: softcap as number,
    past: causal && (past as number) < keys - 1 ? (past as number) : undefined,
    hidden: hidden as number,
    zero: blind === 'zero' && mask !== undefined,
    mask: mask && {
      kind: mask.dtype === 'bool' ? 'bool' : 'added',
      shape: [...new Array<number>(4 - mask.shape.length).fill(1), ...mask.shape],
    },
  }
}

/** Bytes of scores that one block of rows may take. */
const blockBytes = 1 << 15

/** How the scores are cut: rows of a block, elements from one row to the next, and columns that are computed. */
interface Blocking {
  readonly rows: number
  readonly pitch: number
  /** Whether keys behind every query of a block are left out. */
  readonly skips: boolean
}

/** As many rows as fit, in whole tiles if that divides them. */
function blockingOf({ rows, keys, length, past }: Setting, level: Level): Blocking {
  const panel = panelOf(level)
  const pitch = Math.ceil(keys / panel) * panel
  // Short blocks leave out more of what stands behind their queries.
  const longest = past === undefined ? rows : Math.ceil(length / 8)
  const most = Math.max(Math.min(rows, level.tile.rows), Math.min(longest, Math.floor(blockBytes / 4 / pitch)))
  const divisors = Array.from({ length: most }, (_, i) => most - i).filter(
    (count) => (past === undefined ? rows : length) % count === 0 && 2 * count >= Math.min(most, level.tile.rows),
  )
  const chosen = divisors.find((count) => count % level.tile.rows === 0) ?? divisors[0] ?? Math.min(most, rows)
  return { rows: chosen, pitch, skips: past !== undefined && length % chosen === 0 && keys === pitch }
}

const aligned = (elements: number) => Math.ceil(elements / 16) * 16

/** Elements of the packed keys, the scores and the factors of a block's rows, one behind the other. */
function storageOf(setting: Setting, level: Level) {
  const { rows, pitch } = blockingOf(setting, level)
  const scores = aligned(pitch * setting.size)
  const factors = scores + aligned(pitch * rows)
  return { scores, factors, elements: factors + aligned(rows) }
}

function groupedDomain(kernel: AnchoredKernel): Domain | undefined {
  return regroup({ extents: kernel.domain, steps: kernel.steps }, [[0, 1, 2], [3]])
}

const isSingle = (kernel: AnchoredKernel) => kernel.anchor.type.dtype === 'f32'

/**
 * Attention without the scores of all queries: for each matrix of keys a block of rows at a time, scores, their softmax in place, and its
 * product with the values, of which only the sum is divided by the sum of the powers. Keys are turned into panels once for all their rows.
 */
export const attention: Template = {
  kind: 'template',
  tiled: true,
  fuses: (kernel) => !isSingle(kernel) || groupedDomain(kernel) !== undefined,
  scratch: (kernel) => (isSingle(kernel) ? 0 : 8 * settingOf(kernel).keys),
  ownScratch(kernel, level) {
    const setting = settingOf(kernel)
    return isSingle(kernel) ? 4 * storageOf(setting, level).elements : 0
  },
  // Where the scores of a query fill no more than one vector, less is saved than a block costs: 0.8 to 0.95 of the parts' speed.
  lowers: ({ type, operands }, level) => type.dtype === 'f32' && operands[1]!.type.shape[2]! <= lanesOf(level),
  body: (kernel, level) =>
    isSingle(kernel) ? vectorBody(kernel, settingOf(kernel), level) : scalarBody(kernel, settingOf(kernel)),
}

function vectorBody(kernel: AnchoredKernel, setting: Setting, level: Level): Lines {
  const { batch, groups, rows, keys, size, out } = setting
  const blocking = blockingOf(setting, level)
  const storage = storageOf(setting, level)
  const { pitch } = blocking
  const domain = groupedDomain(kernel)!
  const panel = panelOf(level)
  const lanes = lanesOf(level)
  const isMasked = skipsHidden(setting, level)
  const end = blocking.skips || isMasked ? { columns: 'end', depth: 'end' } : undefined
  const body = (count: number): Lines => [
    ...(blocking.skips
      ? [
          `const long seen = start % ${setting.length} + ${count + setting.past!}, end = seen < ${keys} ? (seen + ${panel - 1}) / ${panel} * ${panel} : ${keys};`,
        ]
      : []),
    ...block(
      '',
      productLines(
        {
          rows: count,
          columns: end ? pitch : Math.ceil(keys / lanes) * lanes,
          depth: size,
          leftPitch: size,
          left: `(query + start * ${size})`,
          right: 'packed',
          rightLayout: { kind: 'panels', width: panel },
          ...(end && { end: { columns: 'end' } }),
          order: 'columns-outer',
          domain: { extents: [count, pitch], steps: [{ kind: 'anchor', dtype: 'f32' }] },
          position: (row, column) => [row, column],
          pointers: { inputs: [], results: [{ pointer: 'scores', step: 0, dtype: 'f32' }] },
        },
        level,
      ),
    ),
    ...loop('r', 0, count, 1, softmaxLines(setting, pitch, end?.columns, level)),
    ...block(
      '',
      productLines(
        {
          rows: count,
          columns: out,
          depth: keys,
          leftPitch: pitch,
          left: 'scores',
          right: 'value',
          rightLayout: { kind: 'rows', pitch: out },
          factor: 'factors',
          ...(end && { end: { depth: 'end' } }),
          order: 'columns-outer',
          domain,
          position: (row, column) => [`first + ${row}`, column],
          pointers: pointersOf(kernel),
        },
        level,
      ),
    ),
  ]
  const rest = rows % blocking.rows
  const blocks = (from: number, to: number, count: number) =>
    loop('start', from, to, count, [`const long first = matrix * ${rows} + start;`, ...body(count)])
  return [
    `f32 *const packed = (f32 *)own, *const scores = packed + ${storage.scores}, *const factors = packed + ${storage.factors};`,
    ...sharedLoop(level, 'matrix', 0, batch * groups, 1, [
      `const f32 *const query = x0 + matrix * ${rows * size}, *const key = x1 + matrix * ${keys * size}, *const value = x2 + matrix * ${keys * out};`,
      ...(isMasked ? shownLines(setting, level) : []),
      ...packLines(setting, level, isMasked ? 'end' : undefined),
      ...blocks(0, rows - rest, blocking.rows),
      ...(rest > 0 ? blocks(rows - rest, rows, rest) : []),
    ]),
  ]
}

/** Whether keys that a mask hides from all queries of a matrix are left out, from the last one that is seen on: those of a cache that is not full. */
const skipsHidden = ({ mask, hidden, keys, past }: Setting, level: Level): boolean =>
  past === undefined &&
  mask?.kind === 'bool' &&
  hidden === Number.NEGATIVE_INFINITY &&
  mask.shape[1] === 1 &&
  mask.shape[3] === keys &&
  keys % panelOf(level) === 0 &&
  keys >= 2 * panelOf(level)

/**
 * `end`: the keys up to the last one that any query sees, in whole panels. What is hidden counts 0 times, and 0 times what is no finite number is
 * none: where there is such a value behind, all keys are seen.
 */
function shownLines({ mask, keys, groups, out }: Setting, level: Level): Lines {
  const [panel, lanes] = [panelOf(level), lanesOf(level)]
  const [batches, , places] = mask!.shape as [number, number, number, number]
  const from = sum([
    [`(matrix / ${groups})`, batches === 1 ? 0 : places * keys],
    ['place', places === 1 ? 0 : keys],
  ])
  const parts = Array.from({ length: panel / lanes }, (_, i) => i)
  return [
    'long end = 1;',
    // The last query sees the most in most masks.
    ...block(`for (long place = ${places - 1}; place >= 0; place--)`, [
      `const bool8 *const seen = x3 + ${from};`,
      `long last = ${keys};`,
      'while (last > end && !seen[last - 1]) last--;',
      'end = last;',
    ]),
    `end = (end + ${panel - 1}) / ${panel} * ${panel};`,
    `vf ${parts.map((i) => `zero${i} = SPLAT(0.0f)`).join(', ')};`,
    ...block(`for (long i = end * ${out}; i < ${keys * out}; i += ${panel})`, [
      ...parts.map((i) => `zero${i} += LOAD(value + i + ${i * lanes}) * SPLAT(0.0f);`),
    ]),
    `if (gp_lanes_sum(${parts.map((i) => `zero${i}`).join(' + ')}) != 0.0f) end = ${keys};`,
  ]
}

/**
 * Keys `[keys, size]` as `[keys / panel][size][panel]`. Blocks of as many keys as a vector has lanes are turned in registers: squares of
 * them, or whole keys where these are short.
 */
function packLines({ keys, size }: Setting, level: Level, end: string | undefined): Lines {
  const [panel, lanes] = [panelOf(level), lanesOf(level)]
  const short = size < lanes && size >= 2 && Number.isInteger(Math.log2(size))
  const [whole, deep] = [keys - (keys % lanes), short ? size : size - (size % lanes)]
  const at = `((j / ${panel} * ${size} + d) * ${panel} + j % ${panel})`
  const from = (i: number) => (short ? `key + j * ${size} + ${i * lanes}` : `key + (j + ${i}) * ${size} + d`)
  const turned = turnLines(short ? size : lanes, lanes, from, (i, value) => `STORE(to + ${i * panel}, ${value});`)
  const lines = [`f32 *const to = packed + ${at};`, ...turned]
  const one = [`packed[${at}] = j < ${keys} ? key[j * ${size} + d] : 0.0f;`]
  const padded = Math.ceil(keys / panel) * panel
  if (end)
    return [
      ...(deep > 0 ? block(`for (long j = 0; j < ${end}; j += ${lanes})`, loop('d', 0, deep, short ? size : lanes, lines)) : []),
      ...(deep < size ? block(`for (long j = 0; j < ${end}; j++)`, loop('d', deep, size, 1, one)) : []),
    ]
  return [
    ...(deep > 0 ? loop('j', 0, whole, lanes, loop('d', 0, deep, short ? size : lanes, lines)) : []),
    ...(deep > 0 && deep < size ? loop('j', 0, whole, 1, loop('d', deep, size, 1, one)) : []),
    ...loop('j', deep > 0 ? whole : 0, padded, 1, loop('d', 0, size, 1, one)),
  ]
}

/**
 * `count` vectors, of which the first bits of an element's address become the last: interleaving both halves turns the address by one bit,
 * so that as many steps as a lane's number has bits turn a matrix of rows of `count` elements, one for each lane.
 */
function turnLines(
  count: number,
  lanes: number,
  from: (i: number) => string,
  store: (i: number, value: string) => string,
): Lines {
  const indices = Array.from({ length: count }, (_, i) => i)
  let names = indices.map((i) => `r${i}`)
  const lines = [`const vf ${indices.map((i) => `r${i} = LOAD(${from(i)})`).join(', ')};`]
  for (let step = 0; step < Math.log2(lanes); step++) {
    const next = indices.map((i) => `t${step}_${i}`)
    const halves = indices.slice(0, count / 2).flatMap((i) => {
      const [a, b] = [names[i], names[i + count / 2]]
      return [`${next[2 * i]} = ZIP_LOW(${a}, ${b})`, `${next[2 * i + 1]} = ZIP_HIGH(${a}, ${b})`]
    })
    lines.push(`const vf ${halves.join(', ')};`)
    names = next
  }
  return [...lines, ...names.map((name, i) => store(i, name))]
}

/** Row `r` of the scores becomes the powers of their distances from the largest, and its factor one by their sum. */
function softmaxLines(setting: Setting, pitch: number, end: string | undefined, level: Level): Lines {
  const { keys, length, heads, groups, mask, scale, softcap, past, hidden, zero } = setting
  const lanes = lanesOf(level)
  const whole = keys - (keys % lanes)
  const needsPosition = past !== undefined || (mask !== undefined && (mask.shape[1] !== 1 || mask.shape[2] !== 1))
  const numbers = `(vi){${Array.from({ length: lanes }, (_, i) => i).join(', ')}}`
  const strides = mask && [mask.shape[1]! * mask.shape[2]! * mask.shape[3]!, mask.shape[2]! * mask.shape[3]!, mask.shape[3]!]
  const maskAt =
    mask &&
    sum(
      [
        [`matrix / ${groups}`.replace(/^matrix \/ 1$/, 'matrix'), mask.shape[0] === 1 ? 0 : strides![0]!],
        [`(matrix % ${groups} * ${heads / groups} + (start + r) / ${length})`, mask.shape[1] === 1 ? 0 : strides![1]!],
        ['place', mask.shape[2] === 1 ? 0 : strides![2]!],
      ].map(([text, stride]) => [(text as string).includes('/') ? `(${text})` : (text as string), stride as number] as const),
    )
  /** A vector of the mask at column j: lanes of -1 where a query may look, or what is added. */
  const maskLanes = (count: number): string => {
    if (mask!.kind === 'added') return mask!.shape[3] === 1 ? 'SPLAT(seen[0])' : loadLanes('seen', 'j', count, level)
    if (mask!.shape[3] === 1) return 'SPLAT_I(-(i32)(seen[0] != 0))'
    return count === lanes ? '(gp_load_u8((const u8 *)seen + j) != 0)' : `(gp_load_some_u8((const u8 *)seen + j, ${count}) != 0)`
  }
  const adjust = (count: number): Lines => [
    `vf v = LOAD(s + j)${scale === 1 || softcap > 0 ? '' : ` * SPLAT(${floatText(Math.fround(scale))})`};`,
    ...(softcap > 0
      ? [`v = gp_tanh_v(v * SPLAT(${floatText(Math.fround(scale / softcap))})) * SPLAT(${floatText(Math.fround(softcap))});`]
      : []),
    ...(mask?.kind === 'bool' ? [`v = gp_select_v(${maskLanes(count)}, v, SPLAT(${floatText(Math.fround(hidden))}));`] : []),
    ...(mask?.kind === 'added' ? [`v += ${maskLanes(count)};`] : []),
    ...(past === undefined
      ? []
      : [`v = gp_select_v(${numbers} <= SPLAT_I((i32)(place + ${past} - j)), v, SPLAT(-__builtin_inff()));`]),
    ...(count < lanes ? [`v = gp_select_v(${numbers} < SPLAT_I(${count}), v, SPLAT(-__builtin_inff()));`] : []),
    'STORE(s + j, v);',
    'high = gp_max_v(high, v);',
  ]
  const power = ['const vf e = gp_exp_v(LOAD(s + j) - top);', 'total += e;', 'STORE(s + j, e);']
  const overVectors = (body: Lines, tail: Lines = body) =>
    end
      ? block(`for (long j = 0; j < ${end}; j += ${lanes})`, body)
      : [...loop('j', 0, whole, lanes, body), ...(whole < keys ? loop('j', whole, keys, lanes, tail) : [])]
  const type = mask?.kind === 'bool' ? 'bool8' : 'f32'
  return [
    `f32 *const s = scores + r * ${pitch};`,
    ...(needsPosition ? [`const long place = (start + r) % ${length};`, '(void)place;'] : []),
    ...(mask ? [`const ${type} *const seen = x3 + ${maskAt};`] : []),
    'vf high = SPLAT(-__builtin_inff()), total = SPLAT(0.0f);',
    ...overVectors(adjust(lanes), adjust(keys - whole)),
    'f32 largest = gp_lanes_max(high);',
    ...(zero ? ['const int blind = largest == -__builtin_inff();', 'if (blind) largest = 0.0f;'] : []),
    'const vf top = SPLAT(largest);',
    ...overVectors(power),
    `factors[r] = ${zero ? 'blind ? 0.0f : ' : ''}1.0f / gp_lanes_sum(total);`,
  ]
}

/** In double, for element types without vectors. */
function scalarBody(kernel: AnchoredKernel, setting: Setting): Lines {
  const { batch, heads, length, size, groups, keys, out, scale, softcap, past, hidden, zero, mask } = setting
  const { dtype } = kernel.anchor.type
  const at = (operand: number, index: string) => `(f64)${loadText(dtype, `x${operand}[${index}]`)}`
  const maskAt =
    mask &&
    sum(
      ['i0', 'i1', 'i2', 'j'].map(
        (name, axis) => [name, mask.shape[axis] === 1 ? 0 : elementCount(mask.shape.slice(axis + 1))] as const,
      ),
    )
  const score = [
    'f64 s = 0.0;',
    ...loop('d', 0, size, 1, [`s += ${at(0, `query + d`)} * ${at(1, `(matrix + j) * ${size} + d`)};`]),
    `s *= ${floatText(scale, true)};`,
    ...(softcap > 0 ? [`s = gp_tanh_f64(s / ${floatText(softcap, true)}) * ${floatText(softcap, true)};`] : []),
    ...(mask?.kind === 'bool' ? [`if (!x3[${maskAt}]) s = ${floatText(hidden, true)};`] : []),
    ...(mask?.kind === 'added' ? [`s += ${at(3, maskAt!)};`] : []),
    ...(past === undefined ? [] : [`if (j > i2 + ${past}) s = -__builtin_inf();`]),
    'kept[j] = s;',
    'high = s > high || s != s ? s : high;',
  ]
  const body = [
    `const long query = ((i0 * ${heads} + i1) * ${length} + i2) * ${size}, matrix = (i0 * ${groups} + i1 / ${heads / groups}) * ${keys};`,
    'f64 high = -__builtin_inf(), total = 0.0;',
    ...loop('j', 0, keys, 1, score),
    ...(zero ? ['const int blind = high == -__builtin_inf();', 'if (blind) high = 0.0;'] : []),
    ...loop('j', 0, keys, 1, ['kept[j] = gp_exp_f64(kept[j] - high);', 'total += kept[j];']),
    ...loop('i3', 0, out, 1, [
      'f64 y = 0.0;',
      ...loop('j', 0, keys, 1, [`y += kept[j] * ${at(2, `(matrix + j) * ${out} + i3`)};`]),
      `const ${computeType(dtype)} element = ${fromDouble(dtype, zero ? '(blind ? 0.0 : y / total)' : '(y / total)')};`,
      ...storeElement({ extents: kernel.domain, steps: kernel.steps }, ['i0', 'i1', 'i2', 'i3'], 'element', pointersOf(kernel)),
    ]),
  ]
  const nested = [batch, heads, length].reduceRight<Lines>((lines, extent, axis) => loop(`i${axis}`, 0, extent, 1, lines), body)
  return ['f64 *const kept = (f64 *)scratch;', ...nested]
}
