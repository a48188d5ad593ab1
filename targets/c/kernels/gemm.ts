import type { Domain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { loadLanes, type Pointers, storeAfter } from '../steps.ts'
import { block, type Lines, loop } from '../text.ts'
import { split, type TileStep, tileLines } from './tile.ts'

/**
 * rows × columns = rows × depth · depth × columns in f32. The left operand is read element by element from rows that start
 * `leftPitch` apart, the right one in vectors; bias and steps are applied to the tile while it is in registers.
 */
export interface Product {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly leftPitch: number
  /** C expression of the left operand's first element. */
  readonly left: string
  /** C expression of the right operand: row-major with a pitch, or panels `[columns / panel][depth][panel]`. */
  readonly right: string
  readonly rightLayout: { readonly kind: 'rows'; readonly pitch: number } | { readonly kind: 'panels'; readonly width: number }
  /** Initial value of the accumulators of a row (C expression of its index), or of a run of columns. */
  readonly bias?: { readonly along: 'rows' | 'columns'; readonly pointer: string }
  /** What is nested outside: the left operand's rows in blocks of columns that fit the cache, or columns over all rows. */
  readonly order: 'columns-outer' | 'blocks'
  readonly domain: Domain
  /** Position in the domain of a row and column. */
  readonly position: (row: string, column: string) => readonly string[]
  readonly pointers: Pointers
}

export function productLines(product: Product, level: Level): Lines {
  const lanes = lanesOf(level)
  const width = level.tile.vectors * lanes
  const columns = split(product.columns, width)
  const rows = split(product.rows, level.tile.rows)
  const rowLoops = (body: (count: number) => Lines) => [
    ...loop('row', 0, rows.whole, level.tile.rows, body(level.tile.rows)),
    ...(rows.rest > 0 ? loop('row', rows.whole, product.rows, rows.rest, body(rows.rest)) : []),
  ]
  const tail =
    columns.rest > 0
      ? loop(
          'column',
          columns.whole,
          product.columns,
          columns.rest,
          rowLoops((count) => tile(product, count, columns.rest, level)),
        )
      : []
  if (product.order === 'columns-outer') {
    return [
      ...loop(
        'column',
        0,
        columns.whole,
        width,
        rowLoops((count) => tile(product, count, width, level)),
      ),
      ...tail,
    ]
  }
  const size = Math.max(1, Math.floor(level.blockBytes / 4 / Math.max(1, product.depth) / width)) * width
  const inBlock = (count: number) =>
    block(`for (long column = start; column < end; column += ${width})`, tile(product, count, width, level))
  const blocks = loop('start', 0, columns.whole, size, [
    columns.whole % size === 0 || columns.whole <= size
      ? `const long end = start + ${Math.min(size, columns.whole)};`
      : `const long end = start + ${size} < ${columns.whole} ? start + ${size} : ${columns.whole};`,
    ...rowLoops(inBlock),
  ])
  return [...blocks, ...tail]
}

/** One tile at the variables `row` and `column`: `rows` rows and `columns` columns, the last vector perhaps not full. */
function tile(product: Product, rows: number, columns: number, level: Level): Lines {
  const lanes = lanesOf(level)
  const vectors = Math.ceil(columns / lanes)
  const countOf = (vector: number) => Math.min(lanes, columns - vector * lanes)
  const { bias, depth, rightLayout } = product
  const panels = rightLayout.kind === 'panels'
  const pitch = panels ? rightLayout.width : rightLayout.pitch
  const step = (k: number): TileStep => ({
    broadcast: (row) => `a[${row * product.leftPitch + k}]`,
    stream: (vector) => loadLanes('b', String(k * pitch + vector * lanes), panels ? lanes : countOf(vector), level),
  })
  const accumulators = rows * vectors
  const fitting = (size: number) => Math.min(Math.max(1, depth), Math.max(1, Math.floor(size / accumulators)))
  const unroll = fitting(level.pass)
  const steps = (count: number) => Array.from({ length: count }, (_, k) => step(k))
  const body = tileLines({
    rows,
    vectors,
    sets: Math.min(unroll, fitting(level.tile.rows * level.tile.vectors)),
    initial: (row, vector) => {
      if (!bias) return 'SPLAT(0.0f)'
      return bias.along === 'rows'
        ? `SPLAT(${bias.pointer}[row + ${row}])`
        : loadLanes(bias.pointer, `column + ${vector * lanes}`, countOf(vector), level)
    },
    inner: (write) => [
      ...loop('k', 0, depth - (depth % unroll), unroll, [...write(steps(unroll)), `a += ${unroll};`, `b += ${unroll * pitch};`]),
      ...(depth % unroll > 0 ? write(steps(depth % unroll)) : []),
    ],
  })
  const start = panels ? `column * ${depth}` : 'column'
  const stores = Array.from({ length: rows * vectors }, (_, i) => {
    const [row, vector] = [Math.floor(i / vectors), i % vectors]
    return storeAfter(
      product.domain,
      product.position(`row + ${row}`, `column + ${vector * lanes}`),
      countOf(vector),
      `c${row}_${vector}`,
      product.pointers,
      level,
    )
  })
  const operands =
    depth > 0 ? [`const f32 *a = ${product.left} + row * ${product.leftPitch}, *b = ${product.right} + ${start};`] : []
  return [...operands, ...body, ...stores.flat()]
}
