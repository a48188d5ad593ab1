import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, ops } from '../../compiler/graph/index.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph } from '../support/expression.ts'
import { isWritable, modelSource, normalise, Unwritable } from '../support/modelSource.ts'
import { arbitraryGraph, graphWithOp, isComputed } from '../support/randomGraph.ts'
import { graphText } from '../support/sameGraph.ts'
import { drawGraph } from './drawn.ts'

const computed = Object.keys(ops).filter(isComputed)

async function extracted(source: string): Promise<string> {
  const file = `${process.env.GLOWPLUG_ROOT}/test/fuzz/written.model.ts`
  const { models, diagnostics } = await extractModule(file, { root: process.env.GLOWPLUG_ROOT!, source })
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  return errors.length > 0
    ? errors.map(({ code, message }) => `${code}: ${message}`).join('\n')
    : graphText(models[0]!.model.entries[0]!.graph)
}

const dtypes = ['f32', 'f32', 'f64', 'f16', 'bf16', 'i32', 'i64', 'u8', 'i8', 'bool'] as const

async function assertRead(graphs: readonly Graph[]): Promise<void> {
  for (const graph of graphs) {
    const source = modelSource(graph)
    assert.fixture(await extracted(source), graphText(normalise(graph)), source)
  }
}

/** Ops that no model can name. */
const compilerMade = ['storageCast', 'blockedConv', 'blockedConvInteger', 'embeddingBag', 'recurrence']
/** Ops of whose value functions return the parts. */
const apart = ['lstm', 'gru', 'rnn', 'bagOffsets', 'raggedEmbeddingBag', 'truePositions', 'suppressedBoxes']
const unwritable: ReadonlySet<string> = new Set([...compilerMade, ...apart])

for (const op of computed) {
  if (unwritable.has(op)) continue
  test(`${op}: the source of a graph extracts to the graph`, async () => {
    const graphs: Graph[] = []
    for (let seed = 0; seed < 400 && graphs.length < 5; seed++) {
      const graph = graphWithOp(op, seed, { dtypes })
      if (graph?.nodes.every(isWritable)) graphs.push(graph)
    }
    assert.is(graphs.length, 5)
    await assertRead(graphs)
  })
}

test('random graphs: the source extracts to the graph', async () => {
  const { seed, numRuns } = draw(70, 40)
  const sources = new Map<string, string>()
  for (const [i, drawn] of fc.sample(arbitraryGraph({ maximumNodes: 14 }), { seed, numRuns }).entries()) {
    if (!drawn.nodes.every(isWritable)) continue
    await assertRead([drawn])
    sources.set(`random${i}`, modelSource(drawn))
  }
  assert.ok(sources.size > numRuns / 2)
})

test('look-ups in bags: the source extracts to the graph', async () => {
  const written = { sparseLengthsSum: 0, embeddingBag: 0 }
  for (let seed = 0; seed < 60; seed++) {
    const { graph } = drawGraph(seed, 'lookups')
    if (!graph.nodes.every((node) => node.op === 'bagOffsets' || isWritable(node))) continue
    // Offsets that several tables take parts of belong to no function.
    if (graph.nodes.some(({ op, operands }) => op !== 'raggedEmbeddingBag' && operands.some((one) => one.op === 'bagOffsets')))
      continue
    await assertRead([graph])
    for (const name of ['sparseLengthsSum', 'embeddingBag'] as const) if (modelSource(graph).includes(`${name}(`)) written[name]++
  }
  assert.ok(written.sparseLengthsSum >= 5 && written.embeddingBag >= 10, JSON.stringify(written))
})

test('elements that need a word of their own: not a number, infinite, negative zero, beyond 2^53', async () => {
  const g = createTestGraph()
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2 ** -149, 1e38]
  const large = g.weight('large', [2], (i) => (i === 0 ? 2 ** 62 : -(2 ** 62)), 'i64')
  const x = g.input('x', [6])
  const y = g.op('where', {
    condition: g.weight('c', [1], () => 1, 'bool'),
    whenTrue: g.op('add', { left: x, right: g.weight('odd', [6], (i) => odd[i]!) }),
    whenFalse: g.number(-0),
  })
  await assertRead([g.graph(y, g.op('mul', { left: large, right: g.input('i', [1], 'i64') }))])
})

test('quantised inputs, outputs that are inputs', async () => {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'u8', shape: [2, 2], quantization: { scale: [0.5, 0.25], zeroPoint: [1, 2], axis: 1 } })
  const graph = builder.finish(
    'named',
    [x],
    [
      { name: 'y0', value: builder.add('relu', { input: x }) },
      { name: 'same', value: x },
    ],
  )
  await assertRead([graph])
})

test('what the vocabulary has no words for is told', () => {
  const g = createTestGraph()
  const cast = g.op('storageCast', { input: g.input('x', [2], 'u8') }, { scale: [1], zeroPoint: [0] })
  assert.throws(
    () => modelSource(g.graph(cast)),
    (error: unknown) => error instanceof Unwritable,
  )
})

test.run()
