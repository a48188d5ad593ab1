import type { StoredFloat } from '../../../compiler/fuse/kernel.ts'
import type { Domain } from '../access.ts'
import { type Arithmetic, singles } from '../arithmetic.ts'
import { type Level, lanesOf, type RegisterTile } from '../level.ts'
import { loadLanes, type Pointers, storeAfter } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { block, type Lines, loop } from '../text.ts'
import { fencedLoop } from './fence.ts'
import { split, type TileStep, tileLines } from './tile.ts'

/**
 * rows × columns = rows × depth · depth × columns. The left operand is read element by element from rows that start `leftPitch` apart,
 * the right one in vectors; bias and steps are applied to the tile while it is in registers.
 */
export interface Product {
  /** Default: f32. */
  readonly arithmetic?: Arithmetic
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly leftPitch: number
  /** From one element of a row to the next. Default: 1. */
  readonly leftStep?: number
  /** C expression of the left operand's first element. */
  readonly left: string
  /** C expression of the right operand. */
  readonly right: string
  /**
   * Row-major with a pitch; panels `[columns / panel][depth][panel]`, of elements stored in 16 bits perhaps, bf16 as
   * `[columns / panel][depth / 2][panel][2]`; or `block`s of at most `width` columns that `fill` brings into
   * working storage, row-major: `count` of them from the variable `start` on.
   */
  readonly rightLayout:
    | { readonly kind: 'rows'; readonly pitch: number }
    | { readonly kind: 'panels'; readonly width: number; readonly stored?: StoredFloat }
    | { readonly kind: 'block'; readonly width: number; readonly fill: (count: number) => Lines }
  /** Initial value of the accumulators of a row (C expression of its index), or of a run of columns. */
  readonly bias?: { readonly along: 'rows' | 'columns'; readonly pointer: string }
  /** What each row of the product is multiplied by: C expression of an array over the rows. */
  readonly factor?: string
  /** C expressions of how many columns and how much of the depth matter, where that is known while running: whole tiles, whole passes. */
  readonly end?: { readonly columns?: string; readonly depth?: string }
  /** What is nested outside: the left operand's rows in blocks of columns that fit the cache, or columns over all rows. */
  readonly order: 'columns-outer' | 'blocks'
  /** Default: the level's. Panels are as wide as it. */
  readonly tile?: RegisterTile
  /** Whether panels are fetched before they are read: where they are read for the first time since long. */
  readonly ahead?: boolean
  /** Which loop threads divide, at levels with teams: `order` must be 'columns-outer'; of blocks that are filled it is that over them. Default: neither. */
  readonly shared?: 'rows' | 'columns'
  readonly domain: Domain
  /** Position in the domain of a row and column. */
  readonly position: (row: string, column: string) => readonly string[]
  readonly pointers: Pointers
}

/** As few tiles of rows as possible, of two sizes that differ by one: a last tile of one or two rows would stream all weights for them. */
function overRows(rows: number, most: number, body: (count: number) => Lines, looped: typeof loop = loop): Lines {
  const tiles = Math.ceil(rows / most)
  if (tiles === 0) return []
  const [larger, smaller] = [Math.ceil(rows / tiles), Math.floor(rows / tiles)]
  const whole = larger === smaller ? rows : (rows - smaller * tiles) * larger
  return [
    ...looped('row', 0, whole, larger, body(larger)),
    ...(whole < rows ? looped('row', whole, rows, smaller, body(smaller)) : []),
  ]
}

/** For each block of columns: fill it, then all rows over it. */
function filledBlocks(product: Product, size: number, fill: (count: number) => Lines, level: Level): Lines {
  const tile = product.tile ?? level.tile
  const width = tile.vectors * lanesOf(level)
  const ofColumns = (count: number) => {
    const { whole, rest } = split(count, width)
    const tiles = (rows: number, columns: number) => [
      'const long column = start + inside;',
      ...tileAt(product, rows, columns, level, count),
    ]
    return [
      ...fill(count),
      ...overRows(product.rows, tile.rows, (rows) => [
        ...loop('inside', 0, whole, width, tiles(rows, width)),
        ...(rest > 0 ? loop('inside', whole, count, rest, tiles(rows, rest)) : []),
      ]),
    ]
  }
  const { whole, rest } = split(product.columns, size)
  const over: typeof loop = product.shared ? (...given) => sharedLoop(level, ...given) : loop
  return [
    ...over('start', 0, whole, size, ofColumns(size)),
    ...(rest > 0 ? over('start', whole, product.columns, rest, ofColumns(rest)) : []),
  ]
}

export function productLines(product: Product, level: Level): Lines {
  const { rightLayout, rows, shared, tile = level.tile } = product
  if (rightLayout.kind === 'block') return filledBlocks(product, rightLayout.width, rightLayout.fill, level)
  const width = tile.vectors * lanesOf(level)
  const columns = split(product.columns, width)
  const divided: typeof loop = (...given) => sharedLoop(level, ...given)
  const overTiles = (count: number, looped = loop) =>
    overRows(rows, tile.rows, (tall) => tileAt(product, tall, count, level), looped)
  if (product.end?.columns)
    return block(`for (long column = 0; column < ${product.end.columns}; column += ${width})`, overTiles(width))
  const tail =
    columns.rest > 0
      ? loop('column', columns.whole, product.columns, columns.rest, overTiles(columns.rest, shared ? divided : loop))
      : []
  if (product.order === 'columns-outer') {
    const panels = (looped: typeof loop, tiles: Lines) => looped('column', 0, columns.whole, width, tiles)
    return [
      ...(shared === 'columns' ? panels(divided, overTiles(width)) : panels(loop, overTiles(width, shared ? divided : loop))),
      ...tail,
    ]
  }
  const size = blockColumns(product.depth, level)
  const inBlock = (count: number) =>
    block(`for (long column = start; column < end; column += ${width})`, tileAt(product, count, width, level))
  const blocks = loop('start', 0, columns.whole, size, [
    columns.whole % size === 0 || columns.whole <= size
      ? `const long end = start + ${Math.min(size, columns.whole)};`
      : `const long end = start + ${size} < ${columns.whole} ? start + ${size} : ${columns.whole};`,
    ...overRows(rows, tile.rows, inBlock),
  ])
  return [...blocks, ...tail]
}

/** Columns, whole tiles of them, of which so many rows stay in the first-level cache. */
export function blockColumns(depth: number, level: Level): number {
  const width = level.tile.vectors * lanesOf(level)
  return Math.max(1, Math.floor(level.blockBytes / 4 / Math.max(1, depth) / width)) * width
}

/** Elementwise work behind a tile that is written out for each vector in registers; more runs in a loop over the tile. */
const stepsInRegisters = 3

/** The vector of a panel in 16 bits that belongs to step `k` behind the pointer: of bf16, halves of the lanes of a pair of steps. */
function loadStored(stored: StoredFloat, pointer: string, k: number, pitch: number, column: number): string {
  if (stored === 'f16') return `gp_load_f16(${pointer} + ${k * pitch + column})`
  return `gp_${k % 2 === 0 ? 'first' : 'second'}_bf16(${pointer} + ${2 * ((k - (k % 2)) * (pitch / 2) + column)})`
}

/** One tile at the variables `row` and `column`: `rows` rows and `columns` columns, the last vector perhaps not full. */
function tileAt(product: Product, rows: number, columns: number, level: Level, blockPitch = 0): Lines {
  const arithmetic = product.arithmetic ?? singles
  const lanes = lanesOf(level)
  const vectors = Math.ceil(columns / lanes)
  const countOf = (vector: number) => Math.min(lanes, columns - vector * lanes)
  const { bias, depth, rightLayout } = product
  const format = rightLayout.kind === 'panels' ? rightLayout.stored : undefined
  const sums = arithmetic.sums ?? arithmetic.vector
  const sumType = sums === 'vf' ? 'f32' : 'i32'
  const leftStep = product.leftStep ?? 1
  const pitch = rightLayout.kind === 'rows' ? rightLayout.pitch : rightLayout.kind === 'panels' ? rightLayout.width : blockPitch
  // Panels are filled up, and behind a block is room for a vector.
  const filled = rightLayout.kind !== 'rows'
  const stream = (k: number, vector: number) =>
    format
      ? loadStored(format, 'b', k, pitch, vector * lanes)
      : loadLanes('b', String(k * pitch + vector * lanes), filled ? lanes : countOf(vector), level, arithmetic.element)
  const step = (k: number): TileStep => ({
    broadcast: (row) => `a[${row * product.leftPitch + k * leftStep}]`,
    stream: (vector) => stream(k, vector),
  })
  const accumulators = rows * vectors
  const fitting = (size: number) => Math.min(Math.max(1, depth), Math.max(1, Math.floor(size / accumulators)))
  // An end that is known while running is a multiple of the panel.
  const most = product.tile ? product.tile.rows * product.tile.vectors * product.tile.unroll : level.pass
  const fit = product.end?.depth ? 2 ** Math.floor(Math.log2(fitting(most))) : fitting(most)
  // Two steps of the depth are halves of one vector.
  const unroll = format === 'bf16' ? Math.min(depth, Math.max(2, fit - (fit % 2))) : fit
  const steps = (count: number) => Array.from({ length: count }, (_, k) => step(k))
  // Each tile of rows fetches its share of the next panel: worth 1 % of a processor that fetches well by itself, 10 % of another. Where few
  // tiles wait for memory it costs a third: they read one stream, which processors run ahead of.
  const ahead =
    !level.fenced && rightLayout.kind === 'panels' && product.ahead && product.rows >= 4 * (product.tile ?? level.tile).rows
  const stepBytes = pitch * (format ? 2 : 4)
  const share = Math.ceil((unroll * stepBytes * rows) / Math.max(1, product.rows))
  const fetches = ahead
    ? [
        ...Array.from(
          { length: Math.ceil(share / 64) },
          (_, i) => `__builtin_prefetch(next${i > 0 ? ` + ${64 * i}` : ''}, 0, 2);`,
        ),
        `next += ${share};`,
      ]
    : []
  const body = tileLines({
    rows,
    vectors,
    arithmetic,
    sets: Math.min(unroll, fitting(level.tile.rows * level.tile.vectors)),
    initial: (row, vector) => {
      if (!bias) return arithmetic.zero
      return bias.along === 'rows'
        ? `${sumType === 'f32' ? 'SPLAT' : 'SPLAT_I'}(${bias.pointer}[row + ${row}])`
        : loadLanes(bias.pointer, `column + ${vector * lanes}`, countOf(vector), level, sumType)
    },
    inner: (write) => {
      if (level.fenced && !product.end?.depth)
        return fencedLoop({
          depth,
          broadcast: (row) => `a[${row * product.leftPitch}]`,
          stream: (vector, at) => stream(at / pitch, vector),
          leftStep,
          pitch,
          write,
        })
      const pass = [...fetches, ...write(steps(unroll)), `a += ${unroll * leftStep};`, `b += ${unroll * pitch};`]
      if (product.end?.depth) return block(`for (long k = 0; k < ${product.end.depth}; k += ${unroll})`, pass)
      return [
        ...loop('k', 0, depth - (depth % unroll), unroll, pass),
        ...(depth % unroll > 0 ? write(steps(depth % unroll)) : []),
      ]
    },
  })
  // Pairs of steps fill up an odd depth.
  const panelDepth = format === 'bf16' ? depth + (depth % 2) : depth
  const start = { rows: 'column', panels: `column * ${panelDepth}`, block: 'inside' }[rightLayout.kind]
  const stored = (row: string, vector: number, value: string) =>
    storeAfter(
      product.domain,
      product.position(`row + ${row}`, `column + ${vector * lanes}`),
      countOf(vector),
      value,
      product.pointers,
      level,
    )
  const cells = Array.from({ length: rows * vectors }, (_, i) => [Math.floor(i / vectors), i % vectors] as const)
  const stores =
    rows > 1 && product.domain.steps.filter((step) => step.kind === 'apply').length > stepsInRegisters
      ? [
          `${sumType} held[${cells.length * lanes}] __attribute__((aligned(64)));`,
          ...cells.map(([row, vector], i) => `*(${sums} *)(held + ${i * lanes}) = c${row}_${vector};`),
          ...block(
            `for (long r = 0; r < ${rows}; r++)`,
            Array.from({ length: vectors }, (_, vector) =>
              block('', [
                `const ${sums} c = *(const ${sums} *)(held + r * ${vectors * lanes} + ${vector * lanes});`,
                ...stored('r', vector, 'c'),
              ]),
            ).flat(),
          ),
        ]
      : cells.flatMap(([row, vector]) => stored(String(row), vector, `c${row}_${vector}`))
  const scaled = product.factor
    ? Array.from({ length: rows }, (_, row) => {
        const list = Array.from({ length: vectors }, (_, vector) => `c${row}_${vector} *= by;`)
        return `{ const vf by = SPLAT(${product.factor}[row + ${row}]); ${list.join(' ')} }`
      })
    : []
  const operands =
    depth > 0
      ? [
          ...(format
            ? [
                `const ${arithmetic.element} *a = ${product.left} + row * ${product.leftPitch};`,
                `const u16 *b = ${product.right} + ${start};`,
              ]
            : [
                `const ${arithmetic.element} *a = ${product.left} + row * ${product.leftPitch}, *b = ${product.right} + ${start};`,
              ]),
          ...(ahead
            ? [
                `const char *next = (const char *)(b + ${panelDepth * pitch}) + row * ${Math.ceil((depth * stepBytes) / product.rows)};`,
              ]
            : []),
        ]
      : []
  return [...operands, ...body, ...scaled, ...stores]
}
