import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Graph, inputName, printGraph } from '../../../compiler/graph/index.ts'
import { exportOnnx } from '../../../dsl/onnx/export/exportOnnx.ts'
import { extract } from '../../../plugin/compile.ts'
import { runGraph } from '../../../targets/interpreter/index.ts'
import { modelPath, recordedModels } from '../../fixtures/cases.ts'
import { randomInputs } from '../../support/randomGraph.ts'
import { importBack } from './importBack.ts'

/** Runs graphs over the inputs that suit the first one; what prints alike is run once. */
function createRunner(first: Graph): (graph: Graph) => Record<string, Uint8Array> {
  const inputs = randomInputs(first, 1)
  const known = new Map<string, Record<string, Uint8Array>>()
  return (graph) => {
    // The type of a reshaped tensor says its shape; a −1 among the attributes is the same.
    const text = printGraph(graph).replaceAll(/(= reshape\(%\d+\)) \{[^}]*\}/g, '$1')
    const outputs = known.get(text) ?? runGraph(graph, inputs)
    known.set(text, outputs)
    return outputs
  }
}

for (const [fixture, file] of recordedModels) {
  const { models } = await extract(modelPath(fixture, file))
  const { model } = models[0]!
  for (const { name, graph } of model.entries) {
    test(`${file}, entry ${name}, computes the same after export and import`, async () => {
      const run = createRunner(graph)
      const expected = run(graph)
      for (const opset of [17, 21, 23]) {
        const back = await importBack(exportOnnx(model, { entry: name, opset }))
        assert.equal(back.inputs.map(inputName), graph.inputs.map(inputName))
        const outputs = run(back)
        assert.equal(Object.keys(outputs), Object.keys(expected))
        // Simpler operators are what the compiler makes of an op, so that even roundings are the same.
        for (const [output, bytes] of Object.entries(expected))
          assert.ok(Buffer.compare(outputs[output]!, bytes) === 0, `opset ${opset}: ${output} differs`)
      }
    })
  }
}

test.run()
