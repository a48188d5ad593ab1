import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, elementsOf, isFloat, printGraph } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { trimmed } from '../../targets/runtime/bounded.ts'
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
  /** The most that a size may be which data decides. */
  readonly limits?: Readonly<Record<string, number>>
  /** What onnxruntime 1.30 computes, on one thread of a CPU without graph optimisations, or the data of the backend node tests. */
  readonly outputs: Readonly<Record<string, Listed>>
}

const folder = join(process.env.GLOWPLUG_ROOT!, 'test/onnx')
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.cases.jsonl'))
  .sort()
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
  .map((line): Case => JSON.parse(line))

const tensorOf = (name: string, [dtype, shape, values]: Listed) => onnxTensor(name, dtype, shape, values.map(Number))
function attributeOf(value: unknown): Written {
  if (typeof value !== 'object' || value === null) return value as Written
  if ('tensor' in value) return tensorOf('', value.tensor as Listed)
  return 'float' in value ? { float: Number(value.float) } : (value as Written)
}

for (const { name, opset, nodes, inputs, constants, limits = {}, outputs } of cases) {
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
    const imported = await importGraph(model, { limits })
    const { graph } = imported.graph.entries[0]!
    const given = imported.inputs.map(({ onnx, name }) => [name, tensorOf(onnx, inputs[onnx]!).read()])
    const results = runGraph(graph, Object.fromEntries(given))
    const whole = graph.outputs.map(({ name, value: { type } }) => {
      const elements = elementsOf(type.dtype, results[name]!)
      const data = Float64Array.from({ length: elements.length }, (_, i) => elements.get(i))
      return [name, { data, shape: type.shape }] as const
    })
    const filled = trimmed(Object.fromEntries(whole))
    for (const { onnx, name } of imported.outputs) {
      const [dtype, shape, values] = outputs[onnx]!
      const { type } = graph.outputs.find((output) => output.name === name)!.value
      assert.equal([type.dtype, [...filled[name]!.shape]], [dtype, shape], onnx)
      const found = { get: (i: number) => Number(filled[name]!.data[i]) }
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
