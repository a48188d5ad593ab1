import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, elementsOf, isFloat, printGraph } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { onnxModel, onnxNode, onnxTensor, type Written } from './build.ts'
import { replay } from './replay.ts'

/** Element type, shape, elements; what JSON cannot hold is text. */
type Listed = readonly [DType, readonly number[], readonly (number | string)[]]

interface Case {
  readonly name: string
  readonly opset: number
  readonly nodes: readonly (readonly [op: string, inputs: string, outputs: string, attributes: Record<string, unknown>])[]
  readonly inputs: Readonly<Record<string, Listed>>
  readonly constants: Readonly<Record<string, Listed>>
  /** What onnxruntime 1.30 computes, on one thread of a CPU without graph optimisations. */
  readonly outputs: Readonly<Record<string, Listed>>
}

const folder = join(process.env.GLOWPLUG_ROOT!, 'test/onnx')
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.cases.jsonl'))
  .sort()
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
  .map((line): Case => JSON.parse(line))

const tensorOf = (name: string, [dtype, shape, values]: Listed) => onnxTensor(name, dtype, shape, values.map(Number))
const attributeOf = (value: unknown): Written =>
  typeof value === 'object' && value !== null && 'tensor' in value ? tensorOf('', value.tensor as Listed) : (value as Written)

for (const { name, opset, nodes, inputs, constants, outputs } of cases) {
  test(name, async () => {
    const model = onnxModel(
      {
        inputs: Object.fromEntries(Object.entries(inputs).map(([key, [dtype, shape]]) => [key, [dtype, shape]])),
        constants: Object.entries(constants).map(([key, value]) => tensorOf(key, value)),
        nodes: nodes.map(([op, ins, outs, attributes]) =>
          onnxNode(
            op,
            ins,
            outs,
            Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)])),
          ),
        ),
        outputs: Object.keys(outputs),
      },
      opset,
    )
    const imported = await importGraph(model)
    const { graph } = imported.graph.entries[0]!
    const given = imported.inputs.map(({ onnx, name }) => [name, tensorOf(onnx, inputs[onnx]!).read()])
    const results = runGraph(graph, Object.fromEntries(given))
    for (const { onnx, name } of imported.outputs) {
      const [dtype, shape, values] = outputs[onnx]!
      const { type } = graph.outputs.find((output) => output.name === name)!.value
      assert.equal([type.dtype, [...type.shape]], [dtype, shape], onnx)
      const found = elementsOf(dtype, results[name]!)
      for (const [i, value] of values.map(Number).entries()) {
        const near = isFloat(dtype) ? 1e-6 + 1e-4 * Math.abs(value) : 0
        const same = Object.is(found.get(i), value) || found.get(i) === value || Math.abs(found.get(i) - value) <= near
        assert.ok(same, `${onnx}[${i}] is ${found.get(i)}, not ${value}`)
      }
    }
    assert.is(printGraph(replay(imported.recordings[0]!, imported.weights)), printGraph(graph))
  })
}

test.run()
