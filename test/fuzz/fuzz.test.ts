import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, type Node, ops, printGraph } from '../../compiler/graph/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph } from '../support/expression.ts'
import { isWritable } from '../support/modelSource.ts'
import { graphText } from '../support/sameGraph.ts'
import { createCase, createChecks } from './checks.ts'
import { drawGraph, kinds, unwritten } from './drawn.ts'
import { decodeGraph, encodeGraph } from './encoded.ts'
import { describe, fuzz, kindOf } from './fuzz.ts'
import { shrink, sizeOf } from './shrink.ts'
import { isWorker, serve } from './worker.ts'

const worker = fileURLToPath(import.meta.url)

/** The first of the activations with such a node. */
function firstSeed(has: (node: Node) => boolean): number {
  let seed = 0
  while (!drawGraph(seed, 'activations').graph.nodes.some(has)) seed++
  return seed
}

function tests(): void {
  for (const kind of kinds) {
    test(`TO-19 ${kind}: every check holds on a few drawn graphs`, () => {
      const { seed, numRuns } = draw(500, 3)
      for (let i = 0; i < numRuns; i++) {
        const { graph } = drawGraph(seed + i, kind)
        assert.ok(unwritten.has(kind) || graph.nodes.every(isWritable))
        const given = createCase(graph, seed + i)
        for (const { name, run } of createChecks()) {
          try {
            run({ ...given, applications: [] })
          } catch (error) {
            assert.unreachable(`seed ${seed + i}, ${name}: ${(error as Error).message}`)
          }
        }
      }
    })
  }

  test('every op of the registry is drawn', () => {
    const missing = new Set(Object.keys(ops))
    for (let seed = 0; seed < 400 && missing.size > 0; seed++)
      for (const kind of kinds) for (const { op } of drawGraph(seed, kind).graph.nodes) missing.delete(op)
    assert.equal([...missing], [])
  })

  test('equal seeds draw equal graphs, and other seeds others', () => {
    const texts = Array.from({ length: 20 }, (_, seed) => printGraph(drawGraph(seed).graph))
    assert.equal(
      texts,
      Array.from({ length: 20 }, (_, seed) => printGraph(drawGraph(seed).graph)),
    )
    assert.ok(new Set(texts).size > 18)
  })

  test('graphs survive the way between processes', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { graph } = drawGraph(seed)
      assert.is(graphText(decodeGraph(structuredClone(encodeGraph(graph)))), graphText(graph))
    }
  })

  test('a wrong pass is found, made small, and written as a model with the rewrite that is to blame', async () => {
    const report = await fuzz({
      seed: 100,
      count: 40,
      recipe: 'joins',
      targets: [],
      only: 'pass swap-parts',
      broken: 'swap-parts',
      worker,
    })
    assert.is(report.findings.length, 1)
    const [finding] = report.findings
    assert.ok(finding!.drawn > 2 && finding!.nodes <= 2, `${finding!.drawn} nodes to ${finding!.nodes} ops`)
    assert.is(finding!.application?.pass, 'swap-parts')
    assert.match(finding!.source, /= concat\(\[.*\], \{ axis: 0 \}\)/)
    const text = describe(finding!, 'fuzz.model.ts')
    assert.match(text, `npm run fuzz -- --seed ${finding!.failure.seed} --count 1 --only 'pass swap-parts'`)
    assert.match(text, /rewrite \d+ is wrong: swap-parts/)
  })

  test('within the pipeline too, where other passes make much of what it left', async () => {
    const report = await fuzz({
      seed: 100,
      count: 24,
      recipe: 'joins',
      targets: [],
      only: 'program',
      broken: 'swap-parts',
      worker,
    })
    assert.is(report.findings.length, 1)
    assert.ok(report.findings[0]!.nodes <= 3)
    assert.is(report.findings[0]!.application?.pass, 'swap-parts')
  })

  for (const [name, op, message] of [
    ['hang', 'tanh', /^hangs/],
    ['crash', 'sigmoid', /^ends the process with SIGABRT/],
  ] as const) {
    test(`a pass that ends in a ${name} is found by the watchdog, and the graphs after it are tried`, async () => {
      const report = await fuzz({
        seed: firstSeed((node) => node.op === op),
        count: 3,
        recipe: 'activations',
        targets: [],
        only: `pass ${name}`,
        broken: name,
        worker,
        patience: 2,
        maximumTries: 6,
      })
      assert.is(report.findings.length, 1)
      assert.match(report.findings[0]!.failure.message, message)
      assert.match(report.findings[0]!.source, `${op}(`)
      assert.is(report.graphs, 3)
    })
  }

  test('failures are of one kind whatever their numbers are', () => {
    assert.is(kindOf('output y0[3] is 1, expected 2 (moved: 2, 2, 2)'), kindOf('output y[0] is NaN, expected 0 (moved: 0)'))
    assert.is(kindOf('stage memory failed: buffer %3 overlaps %17'), kindOf('stage memory failed: buffer %4 overlaps %1'))
    assert.is.not(kindOf('stage memory failed: a'), kindOf('stage kernels failed: a'))
  })

  test('shrinking leaves what the failure needs, and nothing else', async () => {
    const needs = async (graph: Graph, holds: (graph: Graph) => boolean): Promise<Graph> => {
      assert.ok(holds(graph))
      const fails = async (graphs: readonly Graph[]) => graphs.map(holds)
      const { graph: small } = await shrink(graph, { fails, width: 3, maximumTries: 4000, seconds: 60 })
      assert.ok(holds(small) && sizeOf(small) <= sizeOf(graph))
      return small
    }
    const { graph } = drawGraph(3, 'convolutions')
    const ops = (small: Graph) => small.nodes.map(({ op }) => op)
    const conv = await needs(graph, ({ nodes }) => nodes.some(({ op }) => op === 'conv'))
    assert.equal(
      ops(conv).filter((op) => op !== 'input' && op !== 'constant'),
      ['conv'],
    )
    assert.ok(conv.nodes.every(({ type }) => type.shape.every((extent) => extent === 1)))

    const g = createTestGraph()
    const x = g.input('x', [4, 6], 'f16')
    const y = g.op('mul', { left: g.op('exp', { input: x }), right: g.weight('w', [6], (i) => i * 0.37 - 1, 'f16') })
    const negative = await needs(g.graph(y, g.op('abs', { input: y })), ({ nodes }) =>
      nodes.some(
        ({ op, operands }) => op === 'mul' && operands.some((operand) => operand.data && operand.type.shape.at(-1)! >= 2),
      ),
    )
    assert.equal(ops(negative), ['input', 'constant', 'mul'])
    assert.ok(negative.nodes.every(({ type }) => type.dtype === 'f32'))
    assert.equal(new Set(negative.nodes.flatMap(({ data }) => [...(data?.read() ?? [])])), new Set([0]))

    const builder = createBuilder()
    const q = builder.input('q', { dtype: 'u8', shape: [3], quantization: { scale: [0.5], zeroPoint: [1] } })
    const plain = builder.finish('fuzz', [q], [{ name: 'y0', value: builder.add('relu', { input: q }) }])
    const without = await needs(plain, ({ nodes }) => nodes.some(({ op }) => op === 'relu'))
    assert.equal(without.inputs[0]!.type, { dtype: 'f32', shape: [] })
  })
}

if (isWorker()) serve()
else {
  tests()
  test.run()
}
