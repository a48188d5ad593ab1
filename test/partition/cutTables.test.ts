import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, type Node, verifyGraph } from '../../compiler/graph/index.ts'
import { cutTables } from '../../compiler/partition/cutTables.ts'
import { findTables } from '../../compiler/partition/findTables.ts'
import type { Piece } from '../../compiler/partition/tables/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { mulberry } from '../support/randomGraph.ts'

const [rows, width, batch, bag] = [3001, 48, 6, 5]
const floats = (count: number, seed: number): Uint8Array => {
  const random = mulberry(seed)
  return new Uint8Array(Float32Array.from({ length: count }, () => random() * 2 - 1).buffer)
}
const numbers = (bytes: Uint8Array) => [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)]

/** Two tables: tanh of sums over bags, and rows that are given back and read by others. */
function model(dtype: 'i64' | 'u32' = 'i64'): Graph {
  const b = createBuilder()
  const table = (label: string, seed: number): Node =>
    b.constant({ dtype: 'f32', shape: [rows, width] }, { label, read: () => floats(rows * width, seed) })
  const ids = b.input('ids', { dtype, shape: [batch, bag] })
  const own = b.input('own', { dtype, shape: [batch] })
  const sums = b.add(
    'reduceSum',
    { input: b.add('embedding', { indices: ids, table: table('bags', 1) }) },
    { axes: [1], keepDims: false },
  )
  const scaled = b.add('tanh', { input: b.add('mul', { left: sums, right: b.scalar('f32', 0.5) }) })
  const single = b.add('embedding', { indices: own, table: table('rows', 2) })
  const joined = b.add('concat', { inputs: [scaled, single] }, { axis: 1 })
  return b.finish(
    'bags',
    [ids, own],
    [
      { name: 'joined', value: joined },
      { name: 'single', value: single },
    ],
  )
}

const name = ({ table }: { readonly table: Node }) => table.data!.label
const inputs = (dtype: 'i64' | 'u32', change: (ids: number[]) => void = () => {}) => {
  const random = mulberry(7)
  const draw = (count: number) => Array.from({ length: count }, () => Math.floor(random() * rows))
  const [ids, own] = [draw(batch * bag), draw(batch)]
  ids[0] = 0
  ids[1] = rows - 1
  if (dtype === 'i64') ids.splice(2, 3, -1, -2, -rows)
  change(ids)
  const bytes = (list: readonly number[]) =>
    new Uint8Array(dtype === 'i64' ? BigInt64Array.from(list.map(BigInt)).buffer : Uint32Array.from(list).buffer)
  return { ids: bytes(ids), own: bytes(own) }
}

const byColumns = (table: string): readonly Piece[] =>
  [0, 16, 40].map((from, i) => ({ table, holder: `card ${i}`, by: 'columns', from, to: [16, 40, width][i]! }))
const byRows = (table: string, parts: number): readonly Piece[] =>
  Array.from({ length: parts }, (_, part) => ({ table, holder: `card ${part}`, by: 'rows', part, parts }))
const whole = (table: string): readonly Piece[] => [{ table, holder: 'card 5', by: 'whole' }]

test('tables cut by columns give the same bits, each part a table with what follows it (PA-20)', () => {
  const graph = model()
  const cut = cutTables(graph, findTables(graph), [...byColumns('bags'), ...whole('rows')], name)
  verifyGraph(cut.graph)
  assert.equal(runGraph(cut.graph, inputs('i64')), runGraph(graph, inputs('i64')))
  const { tables } = findTables(cut.graph)
  assert.equal(
    tables.map(({ table }) => [table.data!.label, cut.holders.get(table.data!)]),
    [
      ['bags columns 0 … 15', 'card 0'],
      ['bags columns 16 … 39', 'card 1'],
      ['bags columns 40 … 47', 'card 2'],
      ['rows', 'card 5'],
    ],
  )
  assert.equal(
    [...tables[0]!.cluster].map(({ op }) => op),
    ['embedding', 'reduceSum', 'mul', 'tanh'],
  )
})

test('tables cut by rows give sums that are added (PA-20)', () => {
  for (const dtype of ['i64', 'u32'] as const)
    for (const parts of [2, 3, 7]) {
      const graph = model(dtype)
      const cut = cutTables(graph, findTables(graph), [...byRows('bags', parts), ...byRows('rows', 2)], name)
      verifyGraph(cut.graph)
      const [expected, actual] = [runGraph(graph, inputs(dtype)), runGraph(cut.graph, inputs(dtype))]
      // Rows that are in one part alone are what they were.
      assert.equal(numbers(actual.single!), numbers(expected.single!))
      numbers(expected.joined!).forEach((value, i) => {
        assert.ok(Math.abs(numbers(actual.joined!)[i]! - value) <= 1e-6, `${dtype} in ${parts}: element ${i}`)
      })
      const { tables, preparation } = findTables(cut.graph)
      assert.is(tables.length, parts + 2)
      assert.ok(preparation.size > 0)
      assert.equal(
        [...tables[0]!.cluster].map(({ op }) => op),
        ['embedding', 'reduceSum'],
      )
    }
})

test('an index outside of a table is a fault in whichever part it would be', () => {
  const graph = model()
  const found = findTables(graph)
  for (const pieces of [byColumns('bags'), byRows('bags', 2), byRows('bags', 3)]) {
    const cut = cutTables(graph, found, [...pieces, ...whole('rows')], name)
    for (const wrong of [rows, rows + 1, rows + 2, -rows - 1, -rows - 2, 2 ** 40])
      assert.throws(
        () =>
          runGraph(
            cut.graph,
            inputs('i64', (ids) => ids.splice(3, 1, wrong)),
          ),
        /outside|range|index/i,
        `${wrong}`,
      )
  }
})

test('tables of rows in a format are cut by rows alone, and looked up in each part (PA-20)', () => {
  const b = createBuilder()
  const bytes = 64 + 8
  const packed = () => {
    const random = mulberry(5)
    return Uint8Array.from({ length: rows * bytes }, (_, i) => {
      const at = i % bytes
      // A scale of 0.5 and an offset of −1 behind the integers.
      return at < 64 ? Math.floor(random() * 256) : [0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf][at - 64]!
    })
  }
  const table = b.constant({ dtype: 'u8', shape: [rows, bytes] }, { label: 'packed', read: packed })
  const ids = b.input('ids', { dtype: 'i64', shape: [batch * bag] })
  const lengths = b.input('lengths', { dtype: 'i32', shape: [batch] })
  const offsets = b.add('bagOffsets', { lengths }, { limit: batch * bag })
  const sums = b.add('raggedEmbeddingBag', { indices: ids, table, offsets }, { rows: 'u8f32' })
  const graph = b.finish('packed', [ids, lengths], [{ name: 'sums', value: sums }])
  const given = {
    ids: inputs('i64').ids,
    lengths: new Uint8Array(Int32Array.from({ length: batch }, (_, i) => (i === 1 ? 0 : bag)).buffer),
  }
  const expected = numbers(runGraph(graph, given).sums!)
  const cut = cutTables(graph, findTables(graph), byRows('packed', 3), name)
  verifyGraph(cut.graph)
  // Multiples of a half that f32 holds: every order of addition gives the same.
  assert.equal(numbers(runGraph(cut.graph, given).sums!), expected)
  assert.ok(expected.some((value) => value !== 0))
  assert.is(findTables(cut.graph).tables.length, 3)
})

test.run()
