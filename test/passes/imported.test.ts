// What recognition makes of imported models: ONNX has no op for most of what these layers are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Graph } from '../../compiler/graph/index.ts'
import { optimise, runPasses } from '../../compiler/pipeline.ts'
import { importOnnx } from '../../dsl/onnx/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'

function optimised(graph: Graph): Graph {
  const budget = { applications: Number.POSITIVE_INFINITY }
  return runPasses(graph, optimise, {
    phase: 'optimise',
    evaluate,
    verify: false,
    assumeFinite: false,
    budget,
    after: () => false,
  }).graph
}

const counted = ['attention', 'softmax', 'rmsNorm', 'layerNorm', 'silu', 'gelu', 'sigmoid', 'rotaryEmbedding'] as const

async function compositesIn(file: string): Promise<Record<string, number>> {
  const bytes = readFileSync(join(process.env.GLOWPLUG_ROOT!, 'fixtures', file))
  const { graph } = await importOnnx(bytes, {
    name: 'model',
    file,
    folder: join(process.env.GLOWPLUG_ROOT!, 'fixtures', 'stories260k'),
  })
  const entry = 'nodes' in graph ? (graph as unknown as Graph) : graph.entries[0]!.graph
  const ops = optimised(entry).nodes.map(({ op }) => op)
  return Object.fromEntries(
    counted.map((op) => [op, ops.filter((each) => each === op).length]).filter(([, count]) => count !== 0),
  )
}

test('five layers of a Llama: norms, activations and attention', async () => {
  assert.equal(await compositesIn('stories260k/prefill.onnx'), { attention: 5, rmsNorm: 11, silu: 5, rotaryEmbedding: 10 })
  assert.equal(await compositesIn('stories260k/step.onnx'), { attention: 5, rmsNorm: 11, silu: 5, rotaryEmbedding: 10 })
})

test.run()
