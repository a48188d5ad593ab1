import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Graph, Node } from '../../compiler/graph/index.ts'
import { assignLayouts } from '../../compiler/layout/index.ts'
import { relayoutCost } from '../../compiler/layout/price.ts'
import type { BlockOptions, InBlocks } from '../../compiler/layout/row.ts'
import { rowOf } from '../../compiler/layout/rows.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { x86v4 } from '../../targets/c/level.ts'
import { answersAt } from '../../targets/c/target.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph } from '../support/expression.ts'
import { targetWith } from '../support/program.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'

/** What an assignment costs, counted value by value: what nodes take more than they might, and every relayout that somebody needs. */
function costOf(
  graph: Graph,
  rows: ReadonlyMap<Node, InBlocks>,
  chosen: ReadonlySet<Node>,
  { block, rates }: BlockOptions,
): number {
  let cost = 0
  for (const [node, { saves }] of rows) cost += chosen.has(node) ? Math.max(0, -saves) : Math.max(0, saves)
  const returned = new Set(graph.outputs.map(({ value }) => value))
  for (const value of graph.nodes) {
    if (value.data) continue
    const asked = new Set(
      graph.nodes.flatMap((reader) =>
        reader.operands.flatMap((operand, i) =>
          operand === value ? [chosen.has(reader) ? rows.get(reader)!.demands[i]! : 'plain'] : [],
        ),
      ),
    )
    if (returned.has(value)) asked.add('plain')
    if (chosen.has(value) && asked.has('plain')) cost += relayoutCost(value.type, { block, rates, into: false })
    if (!chosen.has(value) && asked.has('blocked')) cost += relayoutCost(value.type, { block, rates, into: true })
  }
  return cost
}

test('IR-19 no assignment costs less than the one that is found, by trying all of them', () => {
  // Machines on which moving costs nothing, much, and about as much as computing.
  const speeds = [1e9, 3e11, 1e13].map((bytesPerSecond) => ({
    ...interpreter.rates,
    bytesPerSecond,
    cachedBytesPerSecond: bytesPerSecond,
    callNanoseconds: 1,
  }))
  let mixed = 0
  const drawn = arbitraryGraph({
    ops: ['conv', 'conv', 'conv', 'add', 'add', 'exp', 'maxPool', 'concat', 'reduceSum', 'cumSum', 'slice'],
    dtypes: ['f32'],
    extents: [1, 2, 4, 5, 8],
    maximumNodes: 14,
    maximumElements: 2000,
  })
  fc.assert(
    fc.property(drawn, fc.constantFrom(2, 4, 8), fc.constantFrom(...speeds), (given, block, rates) => {
      const graph = lowerGraph(given, new Set())
      const options: BlockOptions = { block, rates, blocks: () => true }
      const rows = new Map(
        graph.nodes.flatMap((node) => {
          const row = rowOf(node, options)
          return row ? [[node, row] as const] : []
        }),
      )
      fc.pre(rows.size > 0 && rows.size <= 9)
      const nodes = [...rows.keys()]
      let least = Number.POSITIVE_INFINITY
      for (let bits = 0; bits < 1 << nodes.length; bits++) {
        const chosen = new Set(nodes.filter((_, i) => (bits >> i) & 1))
        least = Math.min(least, costOf(graph, rows, chosen, options))
      }
      const found = new Set(assignLayouts(graph, options).keys())
      // Prices are rounded to sixteenths of nanoseconds.
      const slack = graph.nodes.length / 4
      assert.ok(costOf(graph, rows, found, options) <= least + slack, `${costOf(graph, rows, found, options)} for ${least}`)
      mixed += Number(found.size > 0 && found.size < rows.size)
    }),
    draw(4, 150),
  )
  assert.ok(mixed > 5, `${mixed} graphs of both layouts`)
})

test('IR-19 a target without blocks, or that wants no convolution in them, gets the graph as it is', () => {
  const g = createTestGraph()
  const conv = g.op(
    'conv',
    { input: g.input('x', [1, 64, 28, 28]), weight: g.weight('w', [64, 64, 3, 3]) },
    { stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1], groups: 1 },
  )
  const graph = g.graph(conv)
  const compile = (answers: object) => {
    const { layout, lowered } = compileGraph(graph, { target: targetWith(answers), evaluate })
    return layout === lowered
  }
  const { rates } = answersAt(x86v4)
  assert.ok(compile({ rates }))
  assert.ok(compile({ rates, channelBlock: 16, blocks: () => false }))
  assert.not(compile({ rates, channelBlock: 16 }))
})

test('the layouts of ten thousand layers are found in time that grows with their number', () => {
  const g = createTestGraph()
  const weight = g.weight('w', [32, 32, 1, 1])
  let x = g.input('x', [1, 32, 14, 14])
  for (let i = 0; i < 5000; i++) {
    const conv = g.op(
      'conv',
      { input: x, weight },
      { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1 },
    )
    x = g.op('maximum', { left: conv, right: i % 3 === 0 ? x : g.number(0) })
  }
  const graph = g.graph(x)
  const { rates } = answersAt(x86v4)
  assert.is(assignLayouts(graph, { block: 16, rates, blocks: () => true }).size, 10_000)
})

test.run()
