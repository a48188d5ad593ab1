import type { StoredFloat } from '../../../../compiler/fuse/kernel.ts'
import { type Level, lanesOf } from '../../level.ts'
import { floatText } from '../../scalar.ts'
import { loadLanes } from '../../steps.ts'
import { sharedLoop } from '../../team.ts'
import { block, declared, type Lines, loop } from '../../text.ts'
import type { AnchoredKernel } from '../template.ts'
import { type TileStep, tileLines } from '../tile.ts'
import { functionsOf } from './functions.ts'
import { directionElements, phaseElements, unitsOf } from './packing.ts'
import { attributesOf, type Setting } from './setting.ts'
import { storageOf } from './storage.ts'

/** One phase of a step. */
export interface Phase {
  readonly kernel: AnchoredKernel
  readonly setting: Setting
  readonly level: Level
  readonly gates: readonly number[]
  readonly phase: number
  /** Which step of the sequence is step number `step` of direction `d`. */
  readonly at: (step: string) => string
}

/** All tiles of a phase. */
export function phaseLines(given: Phase): Lines {
  const { setting, level, gates } = given
  const { hidden, directions } = setting
  const { width, whole, rest } = unitsOf(gates.length, hidden, level)
  const units = whole / width
  const wholes = [
    ...(directions === 1
      ? [`const long d = 0, j = unit * ${width};`]
      : [`const long d = unit / ${units}, j = unit % ${units} * ${width};`]),
    ...unitLines(given, width),
  ]
  return [
    ...(units > 0 ? sharedLoop(level, 'unit', 0, directions * units, 1, wholes) : []),
    ...(rest > 0 ? sharedLoop(level, 'd', 0, directions, 1, [`const long j = ${whole};`, ...unitLines(given, rest)]) : []),
  ]
}

/** Hidden elements `j` up to `j + width` of direction `d`: pointers, then tiles of rows. */
function unitLines(given: Phase, width: number): Lines {
  const { kernel, setting, level, gates, phase, at } = given
  const { batch, hidden, directions, states, lengths } = setting
  const size = directions * batch * hidden
  const { state } = storageOf(kernel, level)
  const vectors = Math.ceil(width / lanesOf(level)) * gates.length
  const most = Math.max(1, Math.floor((level.registers - 1) / vectors) - 1)
  const tiles = Math.ceil(batch / most)
  const [larger, smaller] = [Math.ceil(batch / tiles), Math.floor(batch / tiles)]
  const whole = larger === smaller ? batch : (batch - smaller * tiles) * larger
  const own = `d * ${batch * hidden}`
  const base = setting.phases.slice(0, phase).reduce((sum, { length }) => sum + phaseElements(length, setting, level), 0)
  const before = lengths
    ? `held + step % 2 * ${state} + ${own}`
    : `(step == 0 ? x2 : out + (${states} + ${at('step - 1')}) * ${size}) + ${own}`
  const extraWidth = setting.kind === 'lstm' ? 3 * hidden : hidden
  return declared(
    [
      ['t', `const long t = ${at('step')};`],
      [
        'weights',
        `const ${weightType(setting)} *weights = packed + d * ${directionElements(setting, level)} + ${base} + j * ${gates.length * setting.depth};`,
      ],
      ['before', `const f32 *before = ${before};`],
      ['y', `f32 *y = out + (${states} + t) * ${size} + ${own};`],
      ['after', `f32 *after = held + (step + 1) % 2 * ${state} + ${own};`],
      ['was', `const f32 *was = (step == 0 ? x2 : out) + ${size} + ${own};`],
      ['cell', `f32 *cell = out + ${size} + ${own};`],
      ['extra', `const f32 *extra = x4 + d * ${extraWidth} + j;`],
      ['update', `f32 *update = between + ${own};`],
      ['reset', `f32 *reset = between + ${state} + ${own};`],
    ],
    [
      ...loop('row', 0, whole, larger, tileOf(given, width, larger)),
      ...(whole < batch ? loop('row', whole, batch, smaller, tileOf(given, width, smaller)) : []),
    ],
  )
}

const weightType = ({ stored }: Setting): string => (stored ? 'u16' : 'f32')

/** The vector of step `k` that begins at a column of the tile. */
function loadWeights(stored: StoredFloat | undefined, k: number, pitch: number, column: number): string {
  if (!stored) return `LOAD(b + ${k * pitch + column})`
  if (stored === 'f16') return `gp_load_f16(b + ${k * pitch + column})`
  return `gp_${k % 2 === 0 ? 'first' : 'second'}_bf16(b + ${(k - (k % 2)) * pitch + 2 * column})`
}

/** One register tile: products with the hidden state for all gates of the phase, then what the gates make of them. */
function tileOf(given: Phase, width: number, rows: number): Lines {
  const { setting, level, gates, phase } = given
  const { hidden, directions, gates: all, kind } = setting
  const lanes = lanesOf(level)
  const each = Math.ceil(width / lanes)
  const vectors = each * gates.length
  const pitch = vectors * lanes
  const usedOf = (part: number) => Math.min(lanes, width - part * lanes)
  const { linearBeforeReset } = attributesOf(given.kernel)
  /** What the input brought to a gate, or of a gate that acts on the product with the hidden state, what this has besides. */
  const initial = (row: number, vector: number): string => {
    const [gate, part] = [gates[Math.floor(vector / each)]!, vector % each]
    if (kind === 'gru' && gate === 2 && linearBeforeReset)
      return setting.extra ? loadLanes('extra', String(part * lanes), usedOf(part), level) : 'SPLAT(0.0f)'
    return loadLanes(`brought`, String(row * directions * all * hidden + gate * hidden + part * lanes), usedOf(part), level)
  }
  const step = (k: number): TileStep => ({
    broadcast: (row) => `a[${row * hidden + k}]`,
    stream: (vector) => loadWeights(setting.stored, k, pitch, vector * lanes),
  })
  const accumulators = rows * vectors
  // Enough sums at a time to hide how long each addition takes.
  const sets = Math.max(
    1,
    Math.min(hidden, Math.floor(16 / accumulators), Math.floor((level.registers - vectors - 1) / accumulators)),
  )
  const most = Math.max(sets, Math.min(hidden, Math.floor(level.pass / accumulators)))
  // Two steps of the depth are halves of one vector.
  const unroll = setting.stored === 'bf16' ? Math.min(hidden, Math.max(2, most - (most % 2))) : most
  const steps = (count: number) => Array.from({ length: count }, (_, k) => step(k))
  const from = phase === 0 ? 'before' : 'reset'
  return [
    `const f32 *a = ${from} + row * ${hidden};`,
    `const ${weightType(setting)} *b = weights;`,
    `const f32 *brought = x0 + ((t * ${setting.batch} + row) * ${directions} + d) * ${all * hidden} + j;`,
    ...tileLines({
      rows,
      vectors,
      sets,
      initial,
      inner: (write) => [
        ...loop('k', 0, hidden - (hidden % unroll), unroll, [
          ...write(steps(unroll)),
          `a += ${unroll};`,
          `b += ${unroll * pitch};`,
        ]),
        ...(hidden % unroll > 0 ? write(steps(hidden % unroll)) : []),
      ],
    }),
    ...gatesBehind(given, width, rows, vectors, each),
  ]
}

/** The gates of each row; of several rows in a loop, so that functions are written once. */
function gatesBehind(given: Phase, width: number, rows: number, vectors: number, each: number): Lines {
  const lanes = lanesOf(given.level)
  const parts = (row: string, sum: (index: number, part: number) => string) =>
    Array.from({ length: each }, (_, part) =>
      block(
        '',
        cellLines(given, row, part, Math.min(lanes, width - part * lanes), (gate) => sum(given.gates.indexOf(gate), part)),
      ),
    ).flat()
  if (rows === 1) return parts('row', (index, part) => `c0_${index * each + part}`)
  const cells = Array.from({ length: rows * vectors }, (_, i) => [Math.floor(i / vectors), i % vectors] as const)
  return [
    `f32 sums[${cells.length * lanes}] __attribute__((aligned(64)));`,
    ...cells.map(([row, vector], i) => `STORE(sums + ${i * lanes}, c${row}_${vector});`),
    ...block(
      `for (long line = 0; line < ${rows}; line++)`,
      parts('(row + line)', (index, part) => `LOAD(sums + line * ${vectors * lanes} + ${(index * each + part) * lanes})`),
    ),
  ]
}

/** One vector of hidden elements of a row, from the sums of the phase's gates to the next state. */
function cellLines(given: Phase, row: string, part: number, used: number, sum: (gate: number) => string): Lines {
  const { kernel, setting, level, phase } = given
  const { kind, hidden, batch, directions, gates, lengths } = setting
  const attributes = attributesOf(kernel)
  const lanes = lanesOf(level)
  const functions = functionsOf(attributes, 'vector')
  const { clip, coupled, linearBeforeReset } = attributes
  const limit = floatText(Math.fround(clip))
  const limited = (x: string) => (clip > 0 ? `gp_min_v(gp_max_v(${x}, SPLAT(-${limit})), SPLAT(${limit}))` : x)
  /** A variable, and what a function makes of a sum. */
  const open = (name: string, i: number, x: string): Lines => [
    `const vf ${name}_sum = ${limited(x)}, ${name} = ${functions[i]!(`${name}_sum`)};`,
  ]
  const place = `${row} * ${hidden} + j${part > 0 ? ` + ${part * lanes}` : ''}`
  const load = (pointer: string) => loadLanes(pointer, place, used, level)
  const store = (pointer: string, value: string) =>
    used === lanes
      ? `STORE(${pointer} + ${place}, ${value});`
      : level.some
        ? `STORE_SOME(${pointer} + ${place}, ${value}, ${used});`
        : Array.from({ length: used }, (_, lane) => `${pointer}[${place} + ${lane}] = ${value}[${lane}];`).join(' ')
  const brought = (gate: number) =>
    loadLanes(
      `(x0 + ((t * ${batch} + ${row}) * ${directions} + d) * ${gates * hidden} + j)`,
      String(gate * hidden + part * lanes),
      used,
      level,
    )
  const peep = (k: number, sums: string, seen: string) =>
    setting.extra ? `${sums} + ${loadLanes('extra', String(k * hidden + part * lanes), used, level)} * ${seen}` : sums

  if (kind === 'gru' && setting.phases.length > 1 && phase === 0)
    return [
      ...open('z', 0, sum(0)),
      ...open('r', 0, sum(1)),
      `const vf left = r * ${load('before')};`,
      store('update', 'z'),
      store('reset', 'left'),
    ]
  const made =
    kind === 'rnn'
      ? open('h', 0, sum(0))
      : kind === 'gru'
        ? [
            ...(linearBeforeReset
              ? [...open('z', 0, sum(0)), ...open('r', 0, sum(1)), ...open('n', 1, `${brought(2)} + r * ${sum(2)}`)]
              : [`const vf z = ${load('update')};`, ...open('n', 1, sum(2))]),
            `const vf h = (SPLAT(1.0f) - z) * n + z * ${load('before')};`,
          ]
        : [
            `const vf old = ${load('was')};`,
            ...open('i', 0, peep(0, sum(0), 'old')),
            ...(coupled ? ['const vf f = SPLAT(1.0f) - i;'] : open('f', 0, peep(2, sum(2), 'old'))),
            ...open('g', 1, sum(3)),
            'const vf kept = f * old + i * g;',
            ...open('o', 0, peep(1, sum(1), 'kept')),
            `const vf h = o * ${functions[2]!('kept')};`,
          ]
  const stored = [store('y', 'h'), ...(lengths ? [store('after', 'h')] : []), ...(kind === 'lstm' ? [store('cell', 'kept')] : [])]
  if (!lengths) return [...made, ...stored]
  // Behind its end a sequence has zeros, and its state stays.
  return [
    ...block(`if (t < x3[${row}])`, [...made, ...stored]),
    ...block('else', [
      `const vf none = SPLAT(0.0f), h = ${load('before')};`,
      store('y', 'none'),
      store('after', 'h'),
      ...(kind === 'lstm' ? [`const vf kept = ${load('was')};`, store('cell', 'kept')] : []),
    ]),
  ]
}
