import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, inputName, type Node } from '../../compiler/graph/index.ts'
import { findTables } from '../../compiler/partition/findTables.ts'

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const
const i64 = (...shape: number[]) => ({ dtype: 'i64', shape }) as const

function recommender() {
  const b = createBuilder()
  const weights = (label: string, ...shape: number[]): Node => b.constant(f32(...shape), { label, read: () => new Uint8Array() })
  const ids = b.input('ids', i64(2, 64, 8))
  const user = b.input('user', i64(1))
  const dense = b.input('dense', f32(64, 16))
  const bag = (table: number) => {
    const own = b.add(
      'reshape',
      { input: b.add('slice', { input: ids }, { start: [table, 0, 0], size: [1, 64, 8], step: [1, 1, 1] }) },
      { shape: [64, 8] },
    )
    const rows = b.add('embedding', { indices: own, table: weights(`table ${table}`, 50_000, 32) })
    return b.add('tanh', { input: b.add('reduceSum', { input: rows }, { axes: [1], keepDims: false }) })
  }
  const bags = [bag(0), bag(1)]
  const row = b.add('embedding', { indices: user, table: weights('users', 80_000, 32) })
  const repeated = b.add('expand', { input: row }, { shape: [64, 32] })
  const seen = b.add('linear', { input: dense, weight: weights('bottom', 32, 16) })
  const joined = b.add('concat', { inputs: [seen, ...bags, repeated] }, { axis: 1 })
  const clicks = b.add('linear', { input: joined, weight: weights('top', 1, 128) })
  return { graph: b.finish('recommender', [ids, user, dense], [{ name: 'clicks', value: clicks }]), bags, row, repeated }
}

const opsOf = (nodes: Iterable<Node>) => [...nodes].map(({ op }) => op)

test('tables, what follows them up to where least leaves, and what prepares indices (PA-10, PA-13)', () => {
  const { graph, bags, row } = recommender()
  const { tables, preparation } = findTables(graph)
  assert.equal(
    tables.map(({ table }) => table.data!.label),
    ['table 0', 'table 1', 'users'],
  )
  assert.equal(
    tables.map(({ cluster }) => opsOf(cluster)),
    [['embedding', 'reduceSum', 'tanh'], ['embedding', 'reduceSum', 'tanh'], ['embedding']],
  )
  assert.equal(
    tables.map(({ frontier }) => frontier),
    [[bags[0]], [bags[1]], [row]],
  )
  assert.equal(
    tables.map(({ picked }) => picked),
    [512, 512, 1],
  )
  assert.equal(opsOf(preparation).sort(), ['reshape', 'reshape', 'slice', 'slice'])
})

test('a row of a user crosses before it is repeated (FB-08)', () => {
  const { graph, repeated } = recommender()
  assert.ok(!findTables(graph).tables.some(({ cluster }) => cluster.has(repeated)))
})

test('small tables, columns of tables and tables that are computed are none', () => {
  const b = createBuilder()
  const indices = b.input('indices', i64(4))
  const small = b.constant(f32(100, 32), { label: 'small', read: () => new Uint8Array() })
  const large = b.constant(f32(5000, 5000), { label: 'large', read: () => new Uint8Array() })
  const x = b.input('x', f32(5000, 32))
  const values = [
    b.add('embedding', { indices, table: small }),
    b.add('gather', { input: large, indices }, { axis: 1 }),
    b.add('gather', { input: b.add('exp', { input: x }), indices }, { axis: 0 }),
  ]
  const graph: Graph = b.finish(
    'none',
    [indices, x],
    values.map((value, i) => ({ name: `y${i}`, value })),
  )
  assert.equal(graph.inputs.map(inputName), ['indices', 'x'])
  assert.equal(findTables(graph).tables, [])
})

test.run()
