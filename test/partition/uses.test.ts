// What inputs are to look-ups, and how much of them parts read.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, elementCount, inputName } from '../../compiler/graph/index.ts'
import { findUses, partialInputs, partitionGraph } from '../../compiler/partition/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { type Bagged, baggedRecommender, baggedRequest, batch, bytesOfRequest, room } from '../support/baggedRecommender.ts'
import { cards, recommender } from '../support/recommender.ts'
import { attempt, runParts } from '../support/runParts.ts'

const sizes = [5000, 4000, 3000, 2500]
const usesByName = (graph: ReturnType<typeof baggedRecommender>) => {
  const uses = findUses(graph)
  return Object.fromEntries(graph.inputs.map((input, i) => [inputName(input), uses[i]]))
}
const picks = (t: number, from: number, to: number) => ({ table: `table ${t}`, rows: sizes[t]!, from, to })

test('indices, their lengths and their factors, each table with inputs of its own (RT-14)', () => {
  const uses = usesByName(baggedRecommender({ sizes, together: false, by: 'lengths', weighted: true }))
  assert.equal(uses, {
    ...Object.fromEntries(sizes.map((_, t) => [`indices${t}`, { indices: [picks(t, 0, room)] }])),
    ...Object.fromEntries(sizes.map((_, t) => [`lengths${t}`, { lengthsOf: t }])),
    ...Object.fromEntries(sizes.map((_, t) => [`weights${t}`, { weightsOf: t }])),
    dense: {},
  })
})

test('tables that share inputs: parts of one input are about parts of another', () => {
  const uses = usesByName(baggedRecommender({ sizes, together: true, by: 'offsets', weighted: true }))
  assert.equal(uses, {
    indices: { indices: sizes.map((_, t) => picks(t, t * room, (t + 1) * room)) },
    offsets: {
      offsetsOf: 0,
      groups: sizes.map((_, t) => ({ from: 9 * t, to: 9 * (t + 1), ofFrom: t * room, ofTo: (t + 1) * room })),
    },
    weights: {
      weightsOf: 0,
      groups: sizes.map((_, t) => ({ from: t * room, to: (t + 1) * room, ofFrom: t * room, ofTo: (t + 1) * room })),
    },
    dense: {},
  })
})

test('bags of one length have indices alone', () => {
  const [ids] = findUses(recommender(sizes))
  assert.equal(ids, { indices: sizes.map((_, t) => picks(t, t * 32, (t + 1) * 32)) })
})

test('nothing is said of inputs that something else reads, that are returned, or that are computed with', () => {
  const b = createBuilder()
  const table = b.constant({ dtype: 'f32', shape: [50, 4] }, { label: 'table', read: () => new Uint8Array(800) })
  const input = (name: string) => b.input(name, { dtype: 'i32', shape: [6] })
  const [summed, returned, doubled, clamped, turned, widened] = ['a', 'b', 'c', 'd', 'e', 'f'].map(input) as [
    any,
    any,
    any,
    any,
    any,
    any,
  ]
  const look = (indices: any) => b.add('embedding', { indices, table })
  const number = (value: number) => b.scalar('i32', value)
  const graph = b.finish(
    'others',
    [summed, returned, doubled, clamped, turned, widened],
    [
      look(summed),
      b.add('reduceSum', { input: summed }, { axes: [0], keepDims: false }),
      look(returned),
      returned,
      look(b.add('mul', { left: doubled, right: number(2) })),
      look(b.add('minimum', { left: clamped, right: number(49) })),
      look(b.add('transpose', { input: b.add('reshape', { input: turned }, { shape: [2, 3] }) }, { order: [1, 0] })),
      look(b.add('cast', { input: widened }, { dtype: 'i64' })),
    ].map((value, i) => ({ name: `y${i}`, value })),
  )
  assert.equal(findUses(graph), [{}, {}, {}, {}, {}, { indices: [{ table: 'table', rows: 50, from: 0, to: 6 }] }])
})

test('bags of which only some are known to begin where others end say nothing of how many indices are used', () => {
  const b = createBuilder()
  const table = b.constant({ dtype: 'f32', shape: [50, 4] }, { label: 'table', read: () => new Uint8Array(800) })
  const indices = b.input('indices', { dtype: 'i32', shape: [6] })
  const begins = b.input('begins', { dtype: 'i32', shape: [3] })
  const last = b.add(
    'concat',
    { inputs: [begins, b.literal({ dtype: 'i32', shape: [1] }, new Uint8Array([6, 0, 0, 0]), 'end')] },
    { axis: 0 },
  )
  const offsets = b.add('bagOffsets', { lengths: last }, { limit: 6, given: 'offsets' })
  const value = b.add('raggedEmbeddingBag', { indices, table, offsets })
  const graph = b.finish('begins', [indices, begins], [{ name: 'y', value }])
  assert.equal(findUses(graph), [{ indices: [{ table: 'table', rows: 50, from: 0, to: 6 }] }, {}])
  const { parts } = partitionGraph(graph, cards(1, 2 ** 30))
  assert.equal(partialInputs(parts), [[undefined, undefined]])
})

const settings: readonly Bagged[] = ([true, false] as const).flatMap((together) =>
  (['lengths', 'offsets'] as const).map((by) => ({ sizes, together, by, weighted: true, mean: false })),
)
for (const setting of settings)
  test(`what no part says that it reads may be anything: ${setting.by}, ${setting.together ? 'one input' : 'inputs apart'} (RT-22, RT-23, FB-05)`, () => {
    const graph = baggedRecommender(setting)
    for (const [name, platform] of Object.entries({ spread: cards(3, 2 ** 30), cut: cards(6, 300_000) })) {
      const { parts, places } = partitionGraph(graph, platform, { method: 'tables' })
      const reads = partialInputs(parts)
      const used = reads.flat().flatMap((ranges) => (ranges ?? []).filter((range) => range.used))
      // Each table's indices, and as many factors, on each card that has some of it.
      assert.ok(used.length >= 2 * sizes.length, `${name}: ${used.length} ranges`)
      for (const [i, { name: part }] of parts.parts.entries())
        if (places.get(part) !== 'host' && part.startsWith('tables'))
          assert.ok(
            reads[i]!.some((ranges) => ranges),
            part,
          )
      const request = baggedRequest(setting, 5)
      const given = bytesOfRequest(request)
      const expected = runGraph(graph, given)
      const arrays = graph.inputs.map((input) => request[inputName(input)] as Int32Array)
      /** What is not read is not there. */
      const actual = runParts(parts, given, (bytes, part, at) => {
        const ranges = reads[part]![at]
        if (!ranges) return bytes
        const size = bytes.length / elementCount(parts.parts[part]!.graph.inputs[at]!.type.shape)
        const kept = new Uint8Array(bytes.length).fill(0x7f)
        for (const { from, to, used: count } of ranges) {
          const numbers = count && arrays[count.input]!.subarray(count.from, count.to)
          const end = !count ? to : from + (count.by === 'lengths' ? numbers!.reduce((a, c) => a + c, 0) : numbers!.at(-1)!)
          kept.set(bytes.subarray(from * size, end * size), from * size)
        }
        return kept
      })
      const [a, e] = [actual.clicks!, expected.clicks!].map(
        (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, batch),
      ) as [Float32Array, Float32Array]
      a.forEach((value, i) => {
        assert.ok(Math.abs(value - e[i]!) <= 1e-5, `${name} ${i}: ${value}, expected ${e[i]}`)
      })
    }
  })

test('indices outside of i32 are refused after they were shortened as before (RT-27)', () => {
  const setting: Bagged = { sizes, together: true, by: 'lengths' }
  const graph = baggedRecommender(setting)
  const { parts, plan } = partitionGraph(graph, cards(3, 2 ** 30), { method: 'tables' })
  const host = parts.parts.find(({ name }) => name === 'narrowing')!
  assert.ok(host.graph.outputs.every(({ value }) => value.type.dtype === 'i32'))
  assert.ok(plan.transfers.filter(({ to }) => to.startsWith('tables')).every(({ value }) => value !== 'indices'))
  for (const bad of [2n ** 32n + 3n, -(2n ** 32n) + 3n, 2n ** 31n, -(2n ** 63n)]) {
    const request = baggedRequest(setting, 7)
    ;(request.lengths as Int32Array)[0] = 1
    ;(request.indices as BigInt64Array)[0] = bad
    const given = bytesOfRequest(request)
    assert.match(String(attempt(() => runGraph(graph, given))), /^gather: index/)
    assert.match(String(attempt(() => runParts(parts, given))), /^gather: index/)
  }
})

test.run()
