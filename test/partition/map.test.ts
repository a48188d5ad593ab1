// Placements that users give, copies of placements, and cards that refuse different ops.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, type Node } from '../../compiler/graph/index.ts'
import {
  type MappedPart,
  type Partition,
  PartitionError,
  type PlacementMap,
  PlanError,
  type Platform,
  partitionGraph,
  partitionModel,
  printPlan,
  readMap,
  readPlan,
} from '../../compiler/partition/index.ts'
import { matches } from '../../compiler/partition/map.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { cards, floats, idsBelow, recommender, six } from '../support/recommender.ts'
import { runParts } from '../support/runParts.ts'

/** Layers of 16 by 16, each with tanh behind it; the weights are w0, w1, …, the places layers.model.ts:1, 2, …. */
function layers(count: number, rows = 2): Graph {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [rows, 16] })
  let y: Node = x
  for (let i = 0; i < count; i++) {
    const weight = b.constant({ dtype: 'f32', shape: [16, 16] }, weightsOf(i))
    const location = { kind: 'source', span: { file: 'layers.model.ts', line: i + 1, column: 3 }, calls: [] } as const
    y = b.add('tanh', { input: b.add('linear', { input: y, weight }, {}, location) }, {}, location)
  }
  return b.finish('layers', [x], [{ name: 'y', value: y }])
}
const known = new Map<number, { label: string; read: () => Uint8Array }>()
const weightsOf = (i: number) => {
  known.set(i, known.get(i) ?? { label: `w${i}`, read: () => floats(256, i) })
  return known.get(i)!
}
const onOf = ({ plan }: Partition) => Object.fromEntries(plan.parts.map(({ name, on }) => [name, on]))
const problemsOf = (run: () => unknown): readonly string[] => {
  try {
    run()
  } catch (error) {
    if (error instanceof PartitionError) return error.problems.map(({ code, message }) => `${code}: ${message}`)
    throw error
  }
  return []
}

test('a map puts nodes where it says, by weights, ops, outputs, inputs and places (PA-01, PA-02)', () => {
  const graph = layers(4)
  const inputs = { x: floats(32, 9) }
  const maps: readonly (readonly [map: PlacementMap, on: Record<string, unknown>])[] = [
    [{ parts: { all: { on: 'all' } } }, { all: [0, 1, 2, 3, 4, 5] }],
    [
      { parts: { first: { on: [2], nodes: ['w0', 'w1'] }, last: { on: 'host', nodes: ['w2', 'w3'] } }, unmapped: 'follow' },
      { first: [2], last: 'host' },
    ],
    [
      {
        parts: {
          first: { on: [0], nodes: ['layers.model.ts:1', 'layers.model.ts:2'] },
          last: { on: [1, 3], nodes: ['layers*:3', '*:4'] },
        },
      },
      { first: [0], last: [1, 3] },
    ],
    [
      { parts: { head: { on: [5], nodes: ['x'] }, tail: { on: [4], nodes: ['y'] }, rest: { on: [0] } } },
      { head: [5], rest: [0], tail: [4] },
    ],
  ]
  for (const [map, on] of maps) {
    const partition = partitionGraph(graph, six, { map })
    assert.is(partition.plan.method, 'map')
    assert.equal(onOf(partition), on)
    assert.equal(runParts(partition.parts, inputs), runGraph(graph, inputs))
  }
})

test('cores of a card make what is modelled slower, threads stand in the plan (PA-02, FB-03)', () => {
  const part = (more: Partial<MappedPart>) =>
    partitionGraph(layers(4, 512), six, { map: { parts: { all: { on: [0], ...more } } } }).plan.parts[0]!
  assert.is(part({ cores: 12 }).seconds, part({}).seconds)
  assert.ok(part({ cores: 1 }).seconds > part({}).seconds)
  assert.equal([part({ cores: 3, threads: 2 }).cores, part({ threads: 2 }).threads], [3, 2])
})

test('a map that names what is not there, or leaves nodes without a part, says so (PA-02)', () => {
  const graph = layers(3)
  const told = (parts: PlacementMap['parts'], more: Partial<PlacementMap> = {}) =>
    problemsOf(() => partitionGraph(graph, six, { map: { parts, ...more } }))
  assert.equal(told({}), ['map-unfit: the map has no parts', ...told({}).slice(1)])
  assert.match(
    told({ a: { on: [0], nodes: ['op:linaer'] }, b: { on: [1] } })[0]!,
    /^map-unfit: 'op:linaer' of part 'a' means no node; did you mean 'op:linear'\?$/,
  )
  assert.equal(told({ a: { on: [0, 6] } }), ["map-unfit: part 'a' is on card 6; 'six cards' has 6"])
  assert.equal(told({ a: { on: [0] }, b: { on: [1] } }), [
    "map-unfit: parts a and b both lack 'nodes'; only one can have what no other names",
  ])
  assert.match(
    told({ a: { on: [0], nodes: ['w0'] }, b: { on: [1], nodes: ['op:linear'] }, c: { on: [2] } })[0]!,
    /is in part 'a' by 'w0' and in 'b' by 'op:linear'$/,
  )
  assert.match(
    told({ a: { on: [0], nodes: ['w*'] } })[0]!,
    /^map-unfit: 3 nodes are in no part, the first of layers\.model\.ts:1; add a part without 'nodes'/,
  )
  assert.equal(told({ a: { on: [0], cores: 13 } }), ["map-unfit: part 'a' has 13 cores of 'card 0', which has 12"])
  assert.match(told({ a: { on: [0], nodes: ['w0', 'w2'] }, b: { on: [1] } })[0]!, /^parts-wait: /)
})

test('patterns match as globs do, in bounded time', () => {
  for (const [pattern, name, expected] of [
    ['*', '', true],
    ['a*', 'abc', true],
    ['a*c', 'abc', true],
    ['a*c', 'abcd', false],
    ['*b*', 'abc', true],
    ['a.c', 'abc', false],
    ['*ab*ab', 'abab', true],
    ['', 'a', false],
    ['a**b', 'ab', true],
  ] as const)
    assert.is(matches(pattern, name), expected, `${pattern} ${name}`)
  assert.is(matches(`${'a*'.repeat(200)}b`, 'a'.repeat(20_000)), false)
})

test('the files of maps and plans are checked, and say what is wrong', () => {
  const refused = (run: () => unknown): string => {
    try {
      run()
    } catch (error) {
      assert.instance(error, PlanError)
      return (error as Error).message
    }
    return ''
  }
  assert.equal(readMap('{"parts":{"a":{"on":"all"}}}', 'm.json'), { parts: { a: { on: 'all' } } })
  assert.match(
    refused(() => readMap('[', 'm.json')),
    /^m\.json is no map:\n {2}expected JSON: /,
  )
  assert.match(
    refused(() => readMap('{"parts":{"a":{"on":"sky"}}}', 'm.json')),
    /parts\.a\.on: expected 'host', 'all', or a list of cards by number/,
  )
  assert.match(
    refused(() => readMap('{"parts":{"a b":{"on":"all"}}}', 'm.json')),
    /parts\.a b: /,
  )
  assert.match(
    refused(() => readMap('{"parts":{"a":{"on":"all","card":1}}}', 'm.json')),
    /parts\.a: unrecognized key: "card"/i,
  )
  assert.match(
    refused(() => readPlan('{}', 'p.json')),
    /^p\.json is no plan:\n {2}format: /,
  )
})

test('any plan reads back to itself: tables, copies, stages, cards that refuse, maps (PA-19, IR-29)', () => {
  const settings: readonly (readonly [graph: Graph, platform: Platform, options: Parameters<typeof partitionGraph>[2]])[] = [
    [recommender([9000, 8000, 3000, 2000]), six, {}],
    [recommender([60_000, 2000, 2000], 64), cards(4, 6_000_000), { join: false }],
    [layers(3), six, { contexts: 4 }],
    [layers(6), cards(4, 3500), {}],
    [layers(4), cards(2, 1e9, { refuses: ['tanh'] }), {}],
    [layers(4), { ...six, sharing: { arithmetic: 0.9, memory: 0.6 } }, {}],
    [layers(4), six, { map: { parts: { a: { on: [0, 1], nodes: ['w0'], cores: 3, threads: 2 }, b: { on: 'host' } } } }],
  ]
  for (const [graph, platform, options] of settings) {
    const model = { name: graph.name, entries: [{ name: 'main', graph }] }
    const first = partitionModel(model, platform, options)
    const text = printPlan(first.plan)
    const again = partitionModel(model, platform, { plan: readPlan(text, 'plan.json') })
    assert.is(printPlan(again.plan), text)
    assert.equal(
      again.entries[0]!.parts.parts.map(({ name, sources }) => [name, sources]),
      first.entries[0]!.parts.parts.map(({ name, sources }) => [name, sources]),
    )
    const inputs =
      graph.name === 'layers'
        ? { x: floats(32, 3) }
        : idsBelow(
            graph.nodes.flatMap(({ data, type }) => (data?.label.startsWith('table') ? [type.shape[0]!] : [])),
            3,
          )
    assert.equal(runParts(again.entries[0]!.parts, inputs), runParts(first.entries[0]!.parts, inputs))
  }
})

test('a placement that needs part of the cards is repeated on the others: copy i of card d is card d + i · n (PA-18)', () => {
  const graph = layers(6)
  const parts = (count: number, bytes: number, more: Parameters<typeof partitionGraph>[2] = {}) =>
    Object.values(onOf(partitionGraph(graph, cards(count, bytes), { method: 'stages', ...more })))
  // Three layers fit on a card.
  assert.equal(parts(6, 3500), [
    [0, 2, 4],
    [1, 3, 5],
  ])
  assert.equal(parts(5, 3500), [
    [0, 2],
    [1, 3],
  ])
  assert.equal(parts(3, 3500), [[0], [1], [2]])
  assert.equal(parts(2, 3500), [[0], [1]])
  assert.ok(parts(6, 3500, { saturate: false }).every((on) => on.length === 1))
  // Cards that are too small for a copy are left out.
  const unlike = cards(6, 3500)
  const small = {
    ...unlike,
    cards: unlike.cards.map((card, i) => (i < 4 ? card : { ...card, memory: [{ ...card.memory[0]!, bytes: 100 }] as const })),
  }
  assert.equal(Object.values(onOf(partitionGraph(graph, small, { method: 'stages' }))), [
    [0, 2],
    [1, 3],
  ])
})

test('every card is asked what it refuses: ops that some refuse go to the others (PA-08, FB-22)', () => {
  const graph = layers(4)
  const inputs = { x: floats(32, 4) }
  const two = cards(3, 1e9)
  const refusing = (...lists: readonly (readonly string[])[]): Platform => ({
    ...two,
    cards: two.cards.map((card, i) => ({ ...card, refuses: lists[i] ?? [] })),
  })
  const placed = (platform: Platform) => {
    const partition = partitionGraph(graph, platform)
    assert.is(partition.plan.method, 'unlike')
    assert.equal(runParts(partition.parts, inputs), runGraph(graph, inputs))
    return partition.plan.parts.map(({ on }) => on)
  }
  assert.equal(placed(refusing([], ['tanh'])), [
    [0, 1, 2],
    [0, 2],
  ])
  assert.equal(placed(refusing(['linear'], ['tanh'], ['linear', 'tanh'])), [[1], [0], [1], [0], [1], [0], [1], [0]])
  assert.equal(placed(refusing(['tanh'], ['tanh'], ['tanh'])), Array.from({ length: 4 }, () => [[0, 1, 2], 'host']).flat())
})

test('entries of a model are placed alike, and together have to fit (PA-04)', () => {
  const model = {
    name: 'layers',
    entries: [
      { name: 'long', graph: layers(6, 8) },
      { name: 'short', graph: layers(4, 1) },
    ],
  }
  const { entries, largest, plan } = partitionModel(model, cards(3, 4500), { method: 'stages' })
  assert.is(largest, 0)
  const stagesOf = (entry: number) =>
    entries[entry]!.parts.parts.flatMap(({ name, graph }) =>
      graph.nodes.flatMap(({ data }) => (data ? [[data.label, name]] : [])),
    )
  assert.is(stagesOf(0).length, 6)
  assert.ok(new Set(stagesOf(0).map(([, stage]) => stage)).size > 1)
  assert.equal(stagesOf(1), stagesOf(0).slice(0, 4))
  const inputs = { x: floats(16, 5) }
  assert.equal(runParts(entries[1]!.parts, inputs), runGraph(model.entries[1]!.graph, inputs))
  assert.equal(
    plan.entries.map(({ name }) => name),
    ['long', 'short'],
  )
  // Other weights for each entry: each fits, both do not.
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 16] })
  const weight = b.constant({ dtype: 'f32', shape: [16, 16] }, { label: 'other', read: () => floats(256, 77) })
  const other = b.finish('layers', [x], [{ name: 'y', value: b.add('linear', { input: x, weight }) }])
  const apart = {
    name: 'apart',
    entries: [
      { name: 'one', graph: layers(1) },
      { name: 'two', graph: other },
    ],
  }
  assert.equal(
    problemsOf(() => partitionModel(apart, cards(2, 2200), { method: 'copies' })),
    [
      "card-full: 'card 0' holds 2200 bytes, 2304 are placed there for all entries",
      "card-full: 'card 1' holds 2200 bytes, 2304 are placed there for all entries",
    ],
  )
  assert.equal(
    problemsOf(() => partitionModel(apart, cards(2, 2304), { method: 'copies' })),
    [],
  )
})

test.run()
