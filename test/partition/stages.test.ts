import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { byteSize, createBuilder, type Graph, hasTrait, type Node } from '../../compiler/graph/index.ts'
import { cutGraph } from '../../compiler/partition/cut.ts'
import { crossingBytes, moveNodes } from '../../compiler/partition/moveNodes.ts'
import { computingNodes } from '../../compiler/partition/plan.ts'
import type { Card } from '../../compiler/partition/platform.ts'
import { loadOf, secondsOf } from '../../compiler/partition/roofline.ts'
import { chooseStages, type Staging } from '../../compiler/partition/stages.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'

const card = (name: string, bytes: number, more: Partial<Card> = {}): Card => ({
  name,
  type: 'card',
  cores: 1,
  operationsPerSecond: { int8: 4e9, f16: 2e9, f32: 1e9 },
  memory: [{ name: 'DRAM', bytes, bytesPerSecond: 1e9 }],
  utilisation: { arithmetic: 1, lookups: 1 },
  launchSeconds: 1e-7,
  watts: { idle: 0, busy: 0 },
  refuses: [],
  link: { bytesPerSecond: 1e9, latencySeconds: 1e-7 },
  ...more,
})

const computedIn = (graph: Graph) => graph.nodes.filter((node) => !hasTrait(node, 'storage'))

/** Layers with square weights; those named in `wide` are wider in between. */
function layers(count: number, width: number): Graph {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [4, width] })
  let y: Node = x
  for (let i = 0; i < count; i++)
    y = b.add('linear', {
      input: y,
      weight: b.constant({ dtype: 'f32', shape: [width, width] }, { label: `w${i}`, read: () => new Uint8Array() }),
    })
  return b.finish('layers', [x], [{ name: 'y', value: y }])
}

test('a model larger than a card becomes stages of equal length (PA-06, PA-07)', () => {
  const graph = layers(12, 256)
  const room = 5 * 256 * 256 * 4
  const staging = chooseStages(
    graph,
    ['a', 'b', 'c', 'd'].map((name) => card(name, room)),
  )
  assert.equal(
    staging!.stages.map(({ from, to }) => to - from),
    [3, 3, 3, 3],
  )
  assert.ok(staging!.stages.every(({ bytes }) => bytes <= room))
  assert.is(chooseStages(graph, [card('a', room), card('b', room)]), undefined)
  // Stages are parts of the graph.
  const nodes = computedIn(graph)
  const stageOf = (node: Node) =>
    `stage${staging!.stages.findIndex(({ from, to }) => nodes.indexOf(node) >= from && nodes.indexOf(node) < to)}`
  assert.equal(
    cutGraph(graph, stageOf, 'stage0').parts.map(({ name }) => name),
    ['stage0', 'stage1', 'stage2', 'stage3'],
  )
})

test('a card that is twice as fast gets twice the layers (FB-22)', () => {
  const fast = {
    type: 'fast',
    operationsPerSecond: { int8: 8e9, f16: 4e9, f32: 2e9 },
    memory: [{ name: 'DRAM', bytes: 1e9, bytesPerSecond: 2e9 }] as Card['memory'],
  }
  const staging = chooseStages(layers(12, 256), [card('a', 1e9), card('b', 1e9, fast)])
  assert.equal(
    staging!.stages.map(({ from, to }) => to - from),
    [4, 8],
  )
})

/** The shortest longest stage, by trying every set of ends. */
function exact(graph: Graph, cards: readonly Card[]): number {
  const nodes = computedIn(graph)
  const position = new Map(nodes.map((node, i) => [node, i]))
  const returned = new Set(graph.outputs.map(({ value }) => value))
  const readAfter = (value: Node, place: number) =>
    returned.has(value) || nodes.some((node, i) => i >= place && node.operands.includes(value))
  const crossing = (place: number) =>
    nodes.slice(0, place).reduce((sum, node) => sum + (readAfter(node, place) ? byteSize(node.type) : 0), 0)
  const time = (from: number, to: number, of: Card) => {
    const bytes = crossing(from)
    const computing = nodes.slice(from, to).reduce((sum, node) => sum + secondsOf(loadOf(node, of), of), 0)
    return (bytes === 0 ? 0 : of.link.latencySeconds + bytes / of.link.bytesPerSecond) + of.launchSeconds + computing
  }
  assert.is(position.size, nodes.length)
  let best = Number.POSITIVE_INFINITY
  const visit = (from: number, index: number, longest: number): void => {
    for (let to = from + 1; to <= nodes.length; to++) {
      const now = Math.max(longest, time(from, to, cards[index]!))
      if (to === nodes.length) best = Math.min(best, now)
      else if (index + 1 < cards.length) visit(to, index + 1, now)
    }
  }
  visit(0, 0, 0)
  return best
}

test('stages are the best there are (against all, on small graphs)', () => {
  fc.assert(
    fc.property(arbitraryGraph({ maximumNodes: 9 }), fc.integer({ min: 1, max: 3 }), (graph, count) => {
      if (computedIn(graph).length === 0) return
      const cards = Array.from({ length: count }, (_, i) =>
        card(
          `card ${i}`,
          1e9,
          i === 1 ? { type: 'other', launchSeconds: 5e-8, operationsPerSecond: { int8: 9e9, f16: 5e9, f32: 3e9 } } : {},
        ),
      )
      const { seconds, stages } = chooseStages(graph, cards) as Staging
      assert.ok(Math.abs(seconds - exact(graph, cards)) <= 1e-12 * seconds)
      assert.is(Math.max(...stages.map((stage) => stage.seconds)), seconds)
      assert.equal(
        stages.map(({ from }) => from),
        [0, ...stages.map(({ to }) => to).slice(0, -1)],
      )
    }),
    draw(99, 150),
  )
})

test('nodes move to where less crosses, and no stage takes longer than the longest did (PA-06, PA-07)', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [8, 64] })
  // Made in turns, so that whatever place is cut at, parts of both branches lie behind it.
  const wide = [1, 2, 3].map(() => x) as Node[]
  for (let i = 0; i < 3; i++)
    wide.forEach((value, branch) => {
      wide[branch] = b.add(['exp', 'tanh', 'relu'][branch]! as 'exp', { input: value })
    })
  const sums = wide.map((input) => b.add('reduceSum', { input }, { axes: [0, 1], keepDims: false }))
  const graph = b.finish(
    'branches',
    [x],
    [
      {
        name: 'y',
        value: b.addFlat(
          'concat',
          sums.map((input) => b.add('reshape', { input }, { shape: [1] })),
          { axis: 0 },
        ),
      },
    ],
  )
  const nodes = computingNodes(graph)
  for (let cut = 0; cut <= nodes.length; cut++) {
    const before = new Map(nodes.map((node, i) => [node, i < cut ? 0 : 1]))
    const seconds = (stages: ReadonlyMap<Node, number>, stage: number) =>
      nodes.filter((node) => stages.get(node) === stage).length
    const most = Math.max(seconds(before, 0), seconds(before, 1))
    const after = moveNodes(graph, before, { secondsIn: () => 1, most })
    assert.ok(crossingBytes(graph, after) <= crossingBytes(graph, before))
    for (const stage of [0, 1]) assert.ok(seconds(after, stage) <= most)
    for (const node of nodes)
      for (const operand of node.operands)
        assert.ok((after.get(operand) ?? 0) <= after.get(node)!, 'a stage waits for a later one')
  }
  // With room for one more node each: the sums of large values are made where those are, and the small ones cross.
  const at = new Map(nodes.map((node, i) => [node, i < 9 ? 0 : 1]))
  const moved = moveNodes(graph, at, { secondsIn: () => 1, most: 12 })
  assert.is(crossingBytes(graph, at), 4 * 8 * 64 * 4)
  assert.is(crossingBytes(graph, moved), 8 * 64 * 4 + 3 * 4)
})

test.run()
