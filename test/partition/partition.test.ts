import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, hasTrait, type Node } from '../../compiler/graph/index.ts'
import {
  cutGraph,
  type Partition,
  PartitionError,
  type PartitionedGraph,
  type Platform,
  partitionGraph,
  validatePlaces,
} from '../../compiler/partition/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, randomInputs } from '../support/randomGraph.ts'
import { cards, floats, idsBelow, recommender, six } from '../support/recommender.ts'
import { attempt, runParts } from '../support/runParts.ts'

const near = (a: Uint8Array, b: Uint8Array, tolerance: number) => {
  const [x, y] = [a, b].map((bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)) as [
    Float32Array,
    Float32Array,
  ]
  x.forEach((value, i) => {
    assert.ok(Math.abs(value - y[i]!) <= tolerance, `element ${i}: ${value}, expected ${y[i]}`)
  })
}
const problemsOf = (run: () => unknown): readonly string[] => {
  try {
    run()
  } catch (error) {
    if (error instanceof PartitionError) return error.problems.map(({ code }) => code)
    throw error
  }
  return []
}
const onOf = ({ plan }: Partition) => Object.fromEntries(plan.parts.map(({ name, on }) => [name, on]))

test('tables are spread over the cards, the rest is on each, and one value of each card crosses (PA-10, PA-14, PA-15, FB-01)', () => {
  const sizes = [9000, 8000, 7000, 6000, 5000, 4000, 3000, 2000, 6000, 5000, 4000, 3000]
  const graph = recommender(sizes)
  const partition = partitionGraph(graph, six)
  const { plan } = partition
  assert.is(plan.method, 'tables')
  assert.equal(Object.keys(onOf(partition)).sort(), [
    'dense',
    'narrowing',
    'tables0',
    'tables1',
    'tables2',
    'tables3',
    'tables4',
    'tables5',
  ])
  assert.equal(onOf(partition).dense, [0, 1, 2, 3, 4, 5])
  for (let i = 0; i < 6; i++) {
    assert.equal(onOf(partition)[`tables${i}`], [i])
    assert.is(plan.transfers.filter(({ from }) => from === `tables${i}`).length, 1)
    // Of the indices it gets its own alone, in 32 bits (FB-05, FB-07).
    assert.equal(
      plan.transfers.filter(({ to }) => to === `tables${i}`).map(({ from, bytes }) => [from, bytes]),
      [['narrowing', 2 * 32 * 4]],
    )
    assert.is(plan.parts.find(({ name }) => name === `tables${i}`)!.tables!.length, 2)
  }
  assert.is(plan.transfers.filter(({ to }) => to === 'dense').length, 7)
  assert.equal(runParts(partition.parts, idsBelow(sizes, 3)), runGraph(graph, idsBelow(sizes, 3)))
  assert.equal(JSON.parse(JSON.stringify(plan)), plan)
  assert.ok(plan.requestSeconds > 0 && plan.requestsPerSecond > 0)
})

test('a table larger than a card is cut, and the parts compute the same (PA-20)', () => {
  const sizes = [60_000, 2000, 2000]
  const inputs = idsBelow(sizes, 5)
  for (const width of [16, 64]) {
    const graph = recommender(sizes, width)
    const partition = partitionGraph(graph, cards(4, (60_000 * width * 4) / 2.5))
    const parts = partition.plan.parts.flatMap(({ tables = [] }) => tables).filter(({ table }) => table === 'table 0')
    assert.ok(parts.length >= 3)
    assert.ok(parts.every(({ part }) => part!.startsWith(width === 64 ? 'columns' : 'rows')))
    near(runParts(partition.parts, inputs).clicks!, runGraph(graph, inputs).clicks!, 1e-6)
  }
})

test('a model that fits is whole on each card (PA-18), one that does not goes through stages, and with refused ops partly to the host', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 64] })
  let y: Node = x
  for (let i = 0; i < 6; i++)
    y = b.add('tanh', {
      input: b.add('linear', {
        input: y,
        weight: b.constant({ dtype: 'f32', shape: [64, 64] }, { label: `w${i}`, read: () => floats(4096, i) }),
      }),
    })
  const graph = b.finish('layers', [x], [{ name: 'y', value: y }])
  const inputs = { x: floats(128, 1) }
  const expected = runGraph(graph, inputs)
  const check = (platform: Platform, method: string, parts: Record<string, unknown>) => {
    const partition = partitionGraph(graph, platform)
    assert.is(partition.plan.method, method)
    assert.equal(onOf(partition), parts)
    assert.equal(runParts(partition.parts, inputs), expected)
  }
  check(six, 'copies', { whole: [0, 1, 2, 3, 4, 5] })
  check({ ...six, cards: [] }, 'copies', { whole: 'host' })
  check(cards(3, 40_000), 'stages', { stage0: [0], stage1: [1], stage2: [2] })
  const able = partitionGraph(graph, cards(2, 1e9, { refuses: ['tanh'] }))
  assert.is(able.plan.method, 'unlike')
  assert.equal(
    able.plan.parts.map(({ on }) => on),
    Array.from({ length: 6 }, () => [[0, 1], 'host']).flat(),
  )
  assert.equal(runParts(able.parts, inputs), expected)
  assert.equal(
    problemsOf(() => partitionGraph(graph, cards(2, 20_000))),
    ['card-full', 'card-full', 'card-full'],
  )
})

test('each check of a placement has its own code (PA-09)', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [4] })
  const first = b.add('exp', { input: x })
  const second = b.add('tanh', { input: first })
  const graph = b.finish('two', [x], [{ name: 'y', value: second }])
  const cut = cutGraph(graph, (node) => (node === first ? 'a' : 'b'), 'a')
  const codes = (
    parts: PartitionedGraph,
    places: readonly (readonly [string, readonly number[] | 'host'])[],
    platform: Platform = six,
  ) => validatePlaces(graph, parts, new Map(places), platform, { contexts: 1, repeated: new Set() }).map(({ code }) => code)
  const fine = [
    ['a', [0]],
    ['b', [1, 2]],
  ] as const
  assert.equal(codes(cut, fine), [])
  assert.equal(codes(cut, [fine[0]]), ['no-such-card'])
  assert.equal(codes(cut, [fine[0], ['b', [6]]]), ['no-such-card'])
  assert.equal(codes(cut, [fine[0], ['b', []]]), ['no-such-card'])
  assert.equal(codes({ ...cut, parts: [...cut.parts].reverse() }, fine), ['parts-wait'])
  assert.equal(codes({ ...cut, parts: cut.parts.slice(0, 1) }, fine), ['node-missing'])
  const twice = { ...cut.parts[0]!, name: 'c' }
  assert.equal(codes({ ...cut, parts: [...cut.parts, twice] }, [...fine, ['c', 'host']]), ['node-twice'])
  assert.equal(codes(cut, fine, cards(3, 40)), [])
  assert.equal(codes(cut, fine, cards(3, 31)), ['card-full', 'card-full', 'card-full'])
  assert.equal(codes(cut, fine, cards(3, 1000, { refuses: ['tanh'] })), ['op-refused', 'op-refused'])
  const wide = { ...cut, parts: [cut.parts[0]!, { ...cut.parts[1]!, graph: { ...cut.parts[1]!.graph, inputs: [first, x] } }] }
  assert.equal(codes(wide, fine, cards(3, 1000, { maximumInputs: 1 })), ['too-many-inputs', 'too-many-inputs'])
})

test('partitioned = unpartitioned, for random graphs and random platforms', () => {
  const shape = fc.record({
    count: fc.integer({ min: 0, max: 6 }),
    bytes: fc.constantFrom(1e9, 2000, 500, 200),
    refused: fc.array(fc.nat(1000), { maxLength: 2 }),
    maximumInputs: fc.constantFrom(undefined, 3),
    contexts: fc.integer({ min: 1, max: 3 }),
    join: fc.boolean(),
  })
  let placed = 0
  fc.assert(
    fc.property(
      arbitraryGraph({ maximumNodes: 14 }),
      shape,
      fc.nat(1e6),
      (graph, { count, bytes, refused, maximumInputs, contexts, join }, seed) => {
        const ops = graph.nodes.filter((node) => !hasTrait(node, 'storage')).map(({ op }) => op)
        const refuses = ops.length > 0 ? refused.map((index) => ops[index % ops.length]!) : []
        const platform = cards(count, bytes, { refuses, ...(maximumInputs && { maximumInputs }) })
        let partition: Partition
        try {
          partition = partitionGraph(graph, platform, { contexts, join })
        } catch (error) {
          assert.instance(error, PartitionError)
          return
        }
        placed++
        const inputs = randomInputs(graph, seed)
        assert.equal(
          attempt(() => runParts(partition.parts, inputs)),
          attempt(() => runGraph(graph, inputs)),
        )
      },
    ),
    draw(815, 150),
  )
  assert.ok(placed > 50, `${placed} placed`)
})

test.run()
