import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Graph, inputName, ModelProblem, ops } from '../../../compiler/graph/index.ts'
import { exportOnnx } from '../../../dsl/onnx/export/exportOnnx.ts'
import { draw } from '../../support/draw.ts'
import { graphWithOp, isComputed } from '../../support/randomGraph.ts'
import { expectEqualGraphs } from '../../support/sensitivity.ts'
import { importBack, modelOf } from './importBack.ts'

const names = Object.keys(ops).filter(isComputed)

/** What the version cannot say is told as such. */
function exported(graph: Graph, opset: number): Uint8Array | undefined {
  try {
    return exportOnnx(modelOf(graph), { opset })
  } catch (error) {
    assert.instance(error, ModelProblem)
    assert.is((error as ModelProblem).code, 'onnx-unsupported')
    assert.match((error as ModelProblem).message, /^the model cannot be written as ONNX:\n- /)
    return undefined
  }
}

for (const name of names) {
  test(`${name} computes the same after export and import`, async () => {
    const { seed, numRuns } = draw(7, 9)
    let made = 0
    let said = 0
    for (let i = 0; made < numRuns && i < 40 * numRuns; i++) {
      const graph = graphWithOp(name, seed * 1000 + i)
      if (!graph) continue
      const opset = [17, 21, 23][made % 3]!
      made++
      const bytes = exported(graph, opset)
      if (!bytes) continue
      said++
      const back = await importBack(bytes)
      assert.equal(back.inputs.map(inputName), graph.inputs.map(inputName))
      expectEqualGraphs(back, graph, seed + i)
    }
    assert.ok(made > 0, 'no graph has the op')
    assert.ok(said > 0, 'no version says the op')
  })
}

test.run()
