import { denseStrides, elementCount, elementsOf, type TensorType } from '../../../compiler/graph/index.ts'
import type { Packing } from '../../../compiler/instructions/instruction.ts'
import { resultDomain } from '../access.ts'
import { type Level, lanesOf, mostRows, type RegisterTile } from '../level.ts'
import { storeAfter } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { block, type Lines, loop } from '../text.ts'
import { sharedRight } from './product.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/*
 * Weights lie as `[columns / panel][words][panel]`: a word of 32 bits holds as many neighbours of one row of the weight, from its low end up, in two's
 * complement of what they are above the middle of their range, so that two shifts take one out. Scales, and what stands for 0 less that middle, lie as
 * `[columns / panel][blocks][panel]`.
 */
interface Setting {
  readonly bits: number
  /** Integers in a word. */
  readonly perWord: number
  readonly depth: number
  readonly columns: number
  readonly blockSize: number
  readonly blocks: number
  readonly words: number
  /** What stored integers are less than those that the model means. */
  readonly middle: number
  /** What is left to subtract: nothing, a number for all, integers or numbers for each block. */
  readonly zero: { readonly kind: 'none' | 'bytes' | 'numbers' } | { readonly kind: 'one'; readonly value: number }
}

const panelVectors = 2
const panelOf = (level: Level): number => panelVectors * lanesOf(level)
const panelsOf = (columns: number, level: Level): number => Math.ceil(columns / panelOf(level))

function settingOf({ anchor: { operands, attributes } }: Pick<AnchoredKernel, 'anchor'>): Setting {
  const [input, weight, , zeroPoint] = operands
  const { bits, blockSize, signed, zero } = attributes as { bits: number; blockSize: number; signed: boolean; zero: number }
  const [depth, perWord] = [input!.shape.at(-1)!, 32 / bits]
  const middle = signed ? 0 : 2 ** (bits - 1)
  const own = zero === middle ? ({ kind: 'none' } as const) : ({ kind: 'one', value: zero - middle } as const)
  return {
    ...{ bits, perWord, depth, blockSize, middle, columns: weight!.shape[0]! },
    ...{ blocks: Math.ceil(depth / blockSize), words: Math.ceil(depth / perWord) },
    zero: zeroPoint ? { kind: isByte(zeroPoint) ? 'bytes' : 'numbers' } : own,
  }
}

const isByte = ({ dtype }: TensorType): boolean => dtype === 'u8' || dtype === 'i8'

function packWeight({ bits, perWord, depth, columns, words, middle }: Setting, level: Level): Packing {
  const panel = panelOf(level)
  const size = panelsOf(columns, level) * words * panel
  return {
    key: `words of ${bits} bits ${columns}x${depth} by ${panel}, middle ${middle}`,
    bytes: 4 * size,
    pack(dense) {
      const rowBytes = Math.ceil((depth * bits) / 8)
      const to = new Uint32Array(size)
      // The top bit of an integer without a sign, turned over, makes it what it is above the middle.
      const flip =
        middle === 0 ? 0 : Array.from({ length: perWord }, (_, i) => middle * 2 ** (bits * i)).reduce((a, b) => a + b, 0)
      for (let column = 0; column < columns; column++) {
        const base = Math.floor(column / panel) * words * panel + (column % panel)
        for (let word = 0; word < words; word++) {
          let value = 0
          for (let i = 0; i < 4; i++) {
            const at = 4 * word + i
            if (at < rowBytes) value |= dense[column * rowBytes + at]! << (8 * i)
          }
          to[base + word * panel] = (value ^ flip) >>> 0
        }
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** Entries of blocks in the order of the panels, less `middle`: as bytes, or as f32. */
function packEntries(type: TensorType, { blocks, columns }: Setting, middle: number, level: Level): Packing {
  const panel = panelOf(level)
  const bytes = isByte(type)
  const size = panelsOf(columns, level) * blocks * panel
  return {
    key: `${blocks} blocks of ${columns} by ${panel} as ${bytes ? 'bytes' : 'numbers'}, less ${middle}`,
    bytes: bytes ? size : 4 * size,
    pack(dense) {
      const from = elementsOf(type.dtype, dense)
      const to = bytes ? new Int8Array(size) : new Float32Array(size)
      for (let column = 0; column < columns; column++) {
        const base = Math.floor(column / panel) * blocks * panel + (column % panel)
        for (let k = 0; k < blocks; k++) to[base + k * panel] = from.get(column * blocks + k) - middle
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** Integer `i` of a vector of words, as numbers. */
function integerText({ bits, perWord }: Setting, words: string, i: number): string {
  const up = i === perWord - 1 ? words : `(vi)((vu)${words} << ${32 - bits - bits * i})`
  return `__builtin_convertvector(${up} >> ${32 - bits}, vf)`
}

/** What is left to subtract in the blocks from `at` on: a vector of numbers. */
const zeroText = ({ zero }: Setting, at: string): string =>
  zero.kind === 'one'
    ? `SPLAT(${zero.value}.0f)`
    : zero.kind === 'bytes'
      ? `__builtin_convertvector(gp_load_i8((const i8 *)x3 + ${at}), vf)`
      : `LOAD(x3 + ${at})`

/** All of the depth by `inner`, which takes as many integers of one word; `scaled` stands behind each run of them that shares a scale, of block `part`. */
function overBlocks(setting: Setting, inner: (count: number) => Lines, scaled: (before: Lines) => Lines): Lines {
  const { depth, blockSize, perWord } = setting
  const whole = Math.floor(depth / blockSize)
  const run = (count: number): Lines => {
    const full = count - (count % perWord)
    return scaled([
      ...loop('word', 0, full / perWord, 1, [`const long k = first + word * ${perWord};`, ...inner(perWord)]),
      ...(full < count ? block('', [`const long k = first + ${full};`, ...inner(count - full)]) : []),
    ])
  }
  const blocks = (from: number, to: number, count: number) =>
    count > 0 ? loop('part', from, to, 1, [`const long first = part * ${blockSize};`, ...run(count)]) : []
  return [...blocks(0, whole, blockSize), ...blocks(whole, whole + 1, depth % blockSize)]
}

/** Rows that are multiplied while integers are in registers: sums of a block and of all, for each. */
const directRows = ({ registers }: Level): number => Math.floor((registers - panelVectors - 2) / (2 * panelVectors))

/** Sums of the left operand over each block, where something is left to subtract. */
const leftSums = (setting: Setting, rows: number): Lines =>
  setting.zero.kind === 'none'
    ? []
    : [
        'f32 *const sums = (f32 *)own;',
        ...loop('row', 0, rows, 1, [
          ...loop('part', 0, setting.blocks, 1, [
            `const long end = (part + 1) * ${setting.blockSize} < ${setting.depth} ? (part + 1) * ${setting.blockSize} : ${setting.depth};`,
            'f32 total = 0.0f;',
            `for (long k = part * ${setting.blockSize}; k < end; k++) total += x0[row * ${setting.depth} + k];`,
            `sums[row * ${setting.blocks} + part] = total;`,
          ]),
        ]),
      ]

/** Few rows: weights are read once, and multiplied as integers; scales stand behind the sums of a block. */
function directLines(kernel: AnchoredKernel, setting: Setting, rows: number, level: Level): Lines {
  const { depth, columns, words, blocks, perWord, zero } = setting
  const lanes = lanesOf(level)
  const width = panelOf(level)
  const lead = kernel.domain.slice(0, -1)
  const strides = denseStrides(lead)
  const domain = resultDomain(kernel)
  // Two panels at once where they find registers, since each sum waits for the one before.
  const most = rows * panelVectors * 4 + panelVectors * 2 + 2 <= level.registers ? 2 : 1
  const group = (count: number): Lines => {
    const vectors = Array.from({ length: Math.ceil(count / lanes) }, (_, v) => v)
    const panelAt = (v: number, of: number) =>
      `(panel + ${Math.floor(v / panelVectors)}) * ${of * width} + ${(v % panelVectors) * lanes}`
    const each = (line: (row: number, v: number) => string) =>
      Array.from({ length: rows }, (_, row) => vectors.map((v) => line(row, v))).flat()
    const inner = (integers: number): Lines => [
      ...vectors.map(
        (v) => `const vi w${v} = (vi)LOAD((const f32 *)(const void *)x1 + ${panelAt(v, words)} + k / ${perWord} * ${width});`,
      ),
      ...Array.from({ length: integers }, (_, i) =>
        block('', [
          ...vectors.map((v) => `const vf b${v} = ${integerText(setting, `w${v}`, i)};`),
          ...Array.from({ length: rows }, (_, row) =>
            block('', [
              `const vf s = SPLAT(x0[${row * depth} + k${i > 0 ? ` + ${i}` : ''}]);`,
              ...vectors.map((v) => `MAC(p${row}_${v}, s, b${v});`),
            ]),
          ).flat(),
        ]),
      ).flat(),
    ]
    const scaled = (before: Lines): Lines => [
      ...each((row, v) => `vf p${row}_${v} = SPLAT(0.0f);`),
      ...before,
      ...vectors.flatMap((v) => {
        const at = `${panelAt(v, blocks)} + part * ${width}`
        const rest = (row: number) =>
          zero.kind === 'none' ? `p${row}_${v}` : `(p${row}_${v} - zero * SPLAT(sums[${row * blocks} + part]))`
        return block('', [
          `const vf scale = LOAD(x2 + ${at});`,
          ...(zero.kind === 'none' ? [] : [`const vf zero = ${zeroText(setting, at)};`]),
          ...Array.from({ length: rows }, (_, row) => `t${row}_${v} += scale * ${rest(row)};`),
        ])
      }),
    ]
    return [
      ...each((row, v) => `vf t${row}_${v} = SPLAT(0.0f);`),
      ...overBlocks(setting, inner, scaled),
      `const long column = panel * ${width};`,
      ...Array.from({ length: rows }, (_, row) => {
        const position = strides.map((stride, axis) => String(Math.floor(row / stride) % lead[axis]!))
        return vectors.flatMap((v) =>
          storeAfter(
            domain,
            [...position, `column + ${v * lanes}`],
            Math.min(lanes, count - v * lanes),
            `t${row}_${v}`,
            pointersOf(kernel),
            level,
          ),
        )
      }).flat(),
    ]
  }
  const step = most * width
  const whole = columns - (columns % step)
  const last = columns - whole
  return [
    ...leftSums(setting, rows),
    ...sharedLoop(level, 'panel', 0, (whole / step) * most, most, group(step)),
    ...(last > 0 ? sharedLoop(level, 'panel', whole / width, whole / width + 1, 1, group(last)) : []),
  ]
}

/** Many rows: a panel of weights is decoded once, and then read by all. */
function decodedLines(kernel: AnchoredKernel, setting: Setting, level: Level): Lines {
  const { words, blocks, perWord, zero } = setting
  const lanes = lanesOf(level)
  const width = panelOf(level)
  const fill = (count: number): Lines => {
    const vectors = Array.from({ length: Math.ceil(count / lanes) }, (_, v) => v)
    // Behind the last row of a narrow panel is room for a vector: the others are overwritten by the next row.
    const inner = (integers: number): Lines => [
      ...vectors.map(
        (v) =>
          `const vi w${v} = (vi)LOAD((const f32 *)(const void *)x1 + start * ${words} + k / ${perWord} * ${width} + ${v * lanes});`,
      ),
      ...Array.from({ length: integers }, (_, i) =>
        vectors.map((v) => {
          const integer = integerText(setting, `w${v}`, i)
          const number = zero.kind === 'none' ? integer : `(${integer} - zero${v})`
          return `STORE(decoded + (k + ${i}) * ${count} + ${v * lanes}, ${number} * scale${v});`
        }),
      ).flat(),
    ]
    const scaled = (before: Lines): Lines => [
      ...vectors.flatMap((v) => {
        const at = `start * ${blocks} + part * ${width} + ${v * lanes}`
        return [
          `const vf scale${v} = LOAD(x2 + ${at});`,
          ...(zero.kind === 'none' ? [] : [`const vf zero${v} = ${zeroText(setting, at)};`]),
        ]
      }),
      ...before,
    ]
    return overBlocks(setting, inner, scaled)
  }
  return [
    'f32 *const decoded = (f32 *)own;',
    ...sharedRight(kernel, level, {
      right: 'decoded',
      rightLayout: { kind: 'block', width, fill },
      tile: tileOf(level),
      ahead: false,
      divided: true,
    }),
  ]
}

/** A tile as wide as a panel: one that the level names, or as tall as there are registers. */
const tileOf = (level: Level): RegisterTile =>
  level.tiles.find(({ vectors }) => vectors === panelVectors) ?? {
    rows: mostRows(panelVectors, level),
    vectors: panelVectors,
    unroll: 1,
  }

const rowsOf = ({ domain }: Pick<AnchoredKernel, 'domain'>): number => elementCount(domain.slice(0, -1))

/**
 * Products with weights of few bits that stay packed in memory. Sums are f32, of a block first where rows are few: 15 times as many steps of
 * rounding as their number are the most that stands between them and exact ones.
 */
export const blockLinear: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  // Weights that come with a request are not in panels, and words that straddle blocks would have two scales.
  lowers: ({ type, operands, attributes }) =>
    type.dtype !== 'f32' ||
    operands.slice(1).some((operand) => !('data' in operand) || operand.data === undefined) ||
    (attributes.blockSize as number) % (32 / (attributes.bits as number)) !== 0,
  pack(kernel, index, level) {
    const setting = settingOf(kernel)
    const type = kernel.anchor.operands[index]
    // Behind the operands are inputs of the steps.
    if (!type) return undefined
    if (index === 1) return packWeight(setting, level)
    return index === 2 || index === 3 ? packEntries(type, setting, index === 3 ? setting.middle : 0, level) : undefined
  },
  ownScratch(kernel, level) {
    const setting = settingOf(kernel)
    const rows = rowsOf(kernel)
    if (rows <= directRows(level)) return setting.zero.kind === 'none' ? 0 : 4 * rows * setting.blocks
    return 4 * (setting.depth * panelOf(level) + lanesOf(level))
  },
  body(kernel, level) {
    const setting = settingOf(kernel)
    const rows = rowsOf(kernel)
    return rows <= directRows(level) ? directLines(kernel, setting, rows, level) : decodedLines(kernel, setting, level)
  },
}
