import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Holder,
  loadsOf,
  placeTables,
  type Table,
  type TablePlacement,
  type TableProblem,
  validatePlacement,
} from '../../compiler/partition/tables/index.ts'
import { draw } from '../support/draw.ts'
import { mulberry } from '../support/randomGraph.ts'

const gibi = 2 ** 30

const holder = (index: number, bytes: number, more: Partial<Holder> = {}): Holder => ({
  name: `card ${index}`,
  bytes,
  secondsPerByte: () => 1 / 47e9,
  secondsPerLookup: 1e-9,
  otherSeconds: 0,
  ...more,
})
const holders = (count: number, bytes: number): readonly Holder[] => Array.from({ length: count }, (_, i) => holder(i, bytes))
const table = (name: string, rows: number, rowBytes: number, lookups: number): Table => ({
  name,
  rows,
  rowBytes,
  elements: rowBytes / 4,
  lookups,
})

const placed = (problem: TableProblem): TablePlacement => {
  const placement = placeTables(problem)
  assert.ok('pieces' in placement, 'the tables have no place')
  assert.equal(validatePlacement(problem, placement), [])
  return placement
}
const peakOf = (problem: TableProblem, placement: TablePlacement) =>
  Math.max(...loadsOf(problem, placement).map(({ seconds }) => seconds))
const meanOf = (problem: TableProblem, placement: TablePlacement) =>
  loadsOf(problem, placement).reduce((sum, { seconds }) => sum + seconds, 0) / problem.holders.length

/** Sizes and frequencies as recommendation models have them: few tables with most of the rows, others with most of the lookups. */
function skewedTables(count: number, seed: number): readonly Table[] {
  const next = mulberry(seed)
  return Array.from({ length: count }, (_, i) =>
    table(
      `table ${i}`,
      Math.ceil(10 ** (2 + 5.5 * next() ** 2)),
      4 * [16, 32, 64, 128][Math.floor(next() * 4)]!,
      Math.ceil(1 + 200 * next() ** 6),
    ),
  )
}

test('1,000 tables of skewed sizes and frequencies: the fullest of six cards has at most 1.05 of the mean to do, none is over its bytes (PA-12, PA-21)', () => {
  for (const seed of [1, 2, 3]) {
    const tables = skewedTables(1000, seed)
    const bytes = tables.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0)
    for (const room of [bytes, (1.05 * bytes) / 6]) {
      const problem = { tables, holders: holders(6, Math.ceil(room)) }
      const placement = placed(problem)
      assert.ok(peakOf(problem, placement) <= 1.05 * meanOf(problem, placement), `seed ${seed}`)
    }
  }
})

test('a table larger than any card is cut, and so is one that is picked from more than all others (PA-20)', () => {
  const large = { tables: [table('large', 30_000_000, 256, 10), table('small', 1000, 256, 10)], holders: holders(4, 3 * gibi) }
  const pieces = placed(large).pieces.filter((piece) => piece.table === 'large')
  assert.ok(pieces.length >= 3)
  assert.ok(pieces.every(({ by }) => by === 'columns'))
  const narrow = { tables: [table('narrow', 200_000_000, 64, 10)], holders: holders(6, 3 * gibi) }
  assert.ok(placed(narrow).pieces.every(({ by }) => by === 'rows'))
  const hot = { tables: [table('hot', 100_000, 512, 1000), ...skewedTables(20, 5)], holders: holders(6, gibi) }
  const placement = placed(hot)
  assert.ok(placement.pieces.filter((piece) => piece.table === 'hot').length > 1)
  assert.ok(peakOf(hot, placement) <= 1.05 * meanOf(hot, placement))
})

test('big tables go where most bytes are free (PA-11)', () => {
  const tables = [300, 200, 150].map((mebi, i) => table(`big ${i}`, (mebi * 2 ** 20) / 256, 256, 0))
  const problem = { tables, holders: holders(2, gibi) }
  assert.equal(
    placed(problem).pieces.map(({ holder }) => holder),
    ['card 0', 'card 1', 'card 1'],
  )
})

test('what takes time on a card already, and what moves with a table, counts', () => {
  const tables = Array.from({ length: 30 }, (_, i) => table(`table ${i}`, 1000, 256, 50))
  const busy = { tables, holders: [holder(0, gibi, { otherSeconds: 1 }), holder(1, gibi)] }
  assert.ok(placed(busy).pieces.every((piece) => piece.holder === 'card 1'))
  const beside = { tables: [{ ...tables[0]!, besideBytes: gibi }, tables[1]!], holders: holders(2, gibi + 300_000) }
  const [first, second] = placed(beside).pieces
  assert.is.not(first!.holder, second!.holder)
})

test('unlike cards get work by their rates (FB-22)', () => {
  const slow: Holder = holder(1, gibi, { secondsPerByte: () => 3 / 47e9, secondsPerLookup: 3e-9 })
  const problem = { tables: skewedTables(300, 9).map((each) => ({ ...each, rows: 100 })), holders: [holder(0, gibi), slow] }
  const [fast, other] = loadsOf(problem, placed(problem))
  assert.ok(Math.abs(fast!.seconds / other!.seconds - 1) < 0.05)
  assert.ok(fast!.pieces > 2 * other!.pieces)
})

test('where nothing helps, it says how much is missing', () => {
  const result = placeTables({ tables: [table('large', 30_000_000, 256, 10)], holders: holders(2, gibi) })
  assert.equal(result, { tables: 1, needed: 7_680_000_000, available: 2 * gibi })
})

/** The least peak of all placements of whole tables, by trying all. */
function exactPeak({ tables, holders: all }: TableProblem): number {
  let best = Number.POSITIVE_INFINITY
  const assigned: number[] = []
  const visit = () => {
    if (assigned.length === tables.length) {
      const pieces = tables.map(({ name }, i) => ({ table: name, holder: all[assigned[i]!]!.name, by: 'whole' as const }))
      const loads = loadsOf({ tables, holders: all }, { pieces })
      if (loads.every(({ bytes }, i) => bytes <= all[i]!.bytes))
        best = Math.min(best, Math.max(...loads.map(({ seconds }) => seconds)))
      return
    }
    for (let i = 0; i < all.length; i++) {
      assigned.push(i)
      visit()
      assigned.pop()
    }
  }
  visit()
  return best
}

test('small problems are within 5 % of the best placement of whole tables', () => {
  const tables = fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 100 })), {
    minLength: 1,
    maxLength: 7,
  })
  fc.assert(
    fc.property(tables, fc.integer({ min: 2, max: 3 }), fc.double({ min: 1, max: 3, noNaN: true }), (drawn, count, slack) => {
      const list = drawn.map(([rows, lookups], i) => table(`table ${i}`, rows, 256, lookups))
      const bytes = list.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0)
      const problem = { tables: list, holders: holders(count, Math.ceil((bytes / count) * slack)) }
      const exact = exactPeak(problem)
      if (exact === Number.POSITIVE_INFINITY) return
      assert.ok(peakOf(problem, placed(problem)) <= 1.05 * exact + 1e-15)
    }),
    draw(77, 150),
  )
})

/** A piece as a table of its own. */
function asTable(piece: TablePlacement['pieces'][number], tables: readonly Table[], index: number): Table {
  const whole = tables.find(({ name }) => name === piece.table)!
  const own = { ...whole, name: `piece ${index}` }
  if (piece.by === 'whole') return own
  if (piece.by === 'columns') {
    const elements = piece.to - piece.from
    return { ...own, elements, rowBytes: (whole.rowBytes * elements) / whole.elements }
  }
  const rows = Math.ceil((whole.rows - piece.part) / piece.parts)
  return { ...own, rows, lookups: whole.lookups / piece.parts }
}

test('tables that are cut, by rows or columns, are within 5 % of the best placement of their parts (PA-20)', () => {
  let cut = 0
  for (let seed = 1; seed <= 60; seed++) {
    const next = mulberry(seed)
    const width = seed % 2 === 0 ? 256 : 32
    const tables = [
      table('giant', 3000 + Math.floor(3000 * next()), width, 50 + Math.floor(200 * next())),
      ...Array.from({ length: 3 }, (_, i) =>
        table(`small ${i}`, 100 + Math.floor(400 * next()), width, 1 + Math.floor(60 * next())),
      ),
    ]
    const bytes = tables.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0)
    const problem = { tables, holders: holders(3, Math.ceil((bytes / 3) * (1.15 + next()))) }
    const { pieces } = placed(problem)
    if (pieces.length === tables.length || pieces.length > 8) continue
    cut++
    const parts = { tables: pieces.map((piece, i) => asTable(piece, tables, i)), holders: problem.holders }
    assert.ok(peakOf(problem, { pieces }) <= 1.05 * exactPeak(parts) + 1e-15, `seed ${seed}`)
  }
  assert.ok(cut >= 20, `${cut} were cut`)
})

test('the validator sees what is wrong', () => {
  const problem = { tables: [table('a', 10, 256, 1), table('b', 10, 256, 1)], holders: holders(2, 3000) }
  const whole = { by: 'whole' as const }
  const b = { table: 'b', holder: 'card 1', ...whole }
  const wrong = (...pieces: TablePlacement['pieces']) => validatePlacement(problem, { pieces: [...pieces] })
  assert.equal(wrong({ table: 'a', holder: 'card 0', ...whole }, b), [])
  assert.equal(wrong(b), ["table 'a' is nowhere"])
  assert.equal(wrong({ table: 'a', holder: 'card 9', ...whole }, b), ["table 'a' is on 'card 9', which is no holder"])
  assert.equal(wrong({ table: 'a', holder: 'card 0', ...whole }, b, { table: 'c', holder: 'card 0', ...whole }), [
    "there is no table 'c'",
  ])
  assert.equal(wrong({ table: 'a', holder: 'card 1', ...whole }, b), ["'card 1' has 3000 bytes, 5120 are placed there"])
  assert.equal(wrong({ table: 'a', holder: 'card 0', ...whole }, { table: 'a', holder: 'card 0', ...whole }, b).length, 2)
  const rows = (part: number, parts: number) => ({ table: 'a', holder: 'card 0', by: 'rows' as const, part, parts })
  assert.equal(wrong(rows(0, 2), rows(1, 2), b), [])
  assert.equal(wrong(rows(0, 2), rows(0, 2), b), ["table 'a' is not in 2 parts by rows, each once"])
  const columns = (from: number, to: number) => ({ table: 'a', holder: 'card 0', by: 'columns' as const, from, to })
  assert.equal(wrong(columns(0, 30), columns(30, 64), b), [])
  assert.equal(wrong(columns(0, 30), columns(31, 64), b), ["table 'a' has columns 30 to 31 twice or nowhere"])
  assert.equal(wrong(columns(0, 30), b), ["table 'a' has columns up to 30 of 64"])
})

test.run()
