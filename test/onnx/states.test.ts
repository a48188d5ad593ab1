// Imports that declare state: which inputs and outputs belong together, what is refused, and what is written.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { exportModel } from '../../dsl/onnx/export/exportOnnx.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { plausiblePairs, type States } from '../../dsl/onnx/import/states.ts'
import { importOnnx } from '../../dsl/onnx/index.ts'
import { writeSource } from '../../dsl/onnx/write/index.ts'
import { compile, extract } from '../../plugin/compile.ts'
import { openSessions } from '../../targets/runtime/index.ts'
import { fixtureFolder } from '../fixtures/cases.ts'
import { onnxModel, onnxNode, type Sketch } from './build.ts'

const value = (name: string, dtype: any = 'f32', shape: any = [1, 4]) => ({ name, dtype, shape })

test('inputs and outputs that are one value before and after a run are alike by name and type', () => {
  for (const [input, output, found] of [
    ['past_key_values.0.key', 'present.0.key', true],
    ['past_key_values.11.decoder.value', 'present.11.decoder.value', true],
    ['state', 'stateN', true],
    ['h', 'hn', true],
    ['h0', 'new_h0', true],
    ['conv_cache', 'conv_cache_out', true],
    ['in_cache0', 'out_cache0', true],
    ['prevState', 'nextState', true],
    ['input', 'output', true],
    ['x', 'y', false],
    ['past.0.key', 'present.0.value', false],
  ] as const)
    assert.is(plausiblePairs([value(input)], [value(output)]).length > 0, found, `${input} ${output}`)
  assert.equal(plausiblePairs([value('h')], [value('hn', 'i64')]), [])
  assert.equal(plausiblePairs([value('h')], [value('hn'), value('h_out')]), [], 'either could be it')
})

/** y = x + h, hn = x · h */
const sketch: Sketch = {
  inputs: { h: ['f32', [1, 4]], x: ['f32', [1, 4]] },
  nodes: [onnxNode('Add', 'x, h', 'y'), onnxNode('Mul', 'x, h', 'hn'), onnxNode('Cast', 'h', 'bits', { to: 6 })],
  outputs: ['y', 'hn', 'bits'],
}
const refusal = async (states: States): Promise<string> => {
  try {
    await importGraph(onnxModel(sketch, 17), { states })
  } catch (error: any) {
    return `${error.code}: ${error.message}`
  }
  throw new Error('the import went through')
}

test('a state is written as one, and is what the file says', async () => {
  const { graph, recordings, notes } = await importGraph(onnxModel(sketch, 17), { name: 'carry', states: 'auto' })
  assert.equal(graph.states, [{ name: 'h', input: 'h', output: 'h', type: { dtype: 'f32', shape: [1, 4] } }])
  assert.ok(notes.includes("state h: 'h' becomes 'hn'"))
  const source = writeSource(recordings, { weightsFile: './none.safetensors' })
  assert.match(source, /state: \{ h: state\('f32', \[1, 4\]\) \}/)
  assert.match(source, /inputs: \{ x: tensor\('f32', \[1, 4\]\) \}/)
  assert.match(source, /forward\(\{ x \}, \{ h \}\) \{/)
  const file = exportModel(graph)
  assert.equal(
    [file.graph.inputs.map(({ name }) => name), file.graph.outputs.map(({ name }) => name)],
    [
      ['x', 'h'],
      ['y', 'h_2', 'bits'],
    ],
  )
})

test('what is no state is refused, with what looks like one', async () => {
  assert.match(
    await refusal({ g: 'hn' }),
    /^onnx-option: states: the file has no input 'g'; these look like pairs: --state h=hn$/,
  )
  assert.match(await refusal({ h: 'g' }), /^onnx-option: states: the file has no output 'g'/)
  assert.match(await refusal({ h: 'hn', x: 'hn' }), /^onnx-option: states: output 'hn' was given for two inputs/)
  assert.match(await refusal({ h: 'bits' }), /^onnx-option: states: input 'h' is f32\[1, 4\] and output 'bits' is i32\[1, 4\]/)
})

for (const [stage, frame, memory, next, answer] of [
  [1, 'input_2', 'input_3', 'tf_op_layer_stack_2', 'activation_2'],
  [2, 'input_4', 'input_5', 'tf_op_layer_stack_5', 'conv1d_3'],
] as const)
  test(`dtln-denoise/stream${stage}.model.ts is what becomes of stage${stage}.onnx, and a session of it hears the recording as onnxruntime did`, async () => {
    const folder = fixtureFolder('dtln-denoise')
    const [name, graph] = [`stream${stage}`, `stage${stage}.onnx`]
    const imported = await importOnnx(new Uint8Array(readFileSync(join(folder, graph))), {
      ...{ name, file: graph, folder, states: { [memory]: next }, weightsFile: `./stage${stage}.safetensors` },
    })
    const file = join(folder, `${name}.model.ts`)
    assert.is(imported.source, readFileSync(file, 'utf8'))
    const { models } = await extract(file)
    assert.equal(models[0]!.model.states, imported.graph.states)
    const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'))
    const recorded = cases.find(({ id }: { id: string }) => id === `stage${stage}-stream`)
    const floats = (path: string) => new Float32Array(new Uint8Array(readFileSync(join(folder, path))).buffer)
    const [frames, expected] = [
      floats(recorded.inputs.find((input: { name: string }) => input.name === frame).file),
      floats(recorded.outputs.find((output: { name: string }) => output.name === answer).file),
    ]
    const [size, width] = [frames.length / 150, expected.length / 150]
    const net = openSessions<any, any>(await compile(models[0]!.model, { target: 'wasm' }))
    const session = net.session()
    let worst = 0
    for (let i = 0; i < 150; i++) {
      const given = { [frame]: frames.subarray(i * size, (i + 1) * size) }
      const { [answer]: heard } = await session.run(given)
      heard.data.forEach((sample: number, k: number) => {
        worst = Math.max(worst, Math.abs(sample - expected[i * width + k]!))
      })
    }
    await net.close()
    assert.ok(worst < 1e-4, `off by ${worst}`)
  })

test.run()
