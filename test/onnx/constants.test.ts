import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { importOnnx } from '../../dsl/onnx/index.ts'
import { writeModel } from '../../dsl/onnx/proto/write.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor } from './build.ts'

/** A model that doubles or halves, as `rate` says, over `count` elements. */
const model = writeModel(
  onnxModel({
    inputs: { x: ['f32', [1, 4]], rate: ['i64', []], sizes: ['i64', ['n']] },
    constants: [onnxTensor('two', 'f32', [], [2]), onnxTensor('known', 'i64', [], [16000])],
    nodes: [
      onnxNode('Equal', 'rate, known', 'fast'),
      onnxNode('If', 'fast', 'scaled', {
        then_branch: onnxGraph({ nodes: [onnxNode('Mul', 'x, two', 'doubled')], outputs: ['doubled'] }),
        else_branch: onnxGraph({ nodes: [onnxNode('Div', 'x, two', 'halved')], outputs: ['halved'] }),
      }),
      onnxNode('Reshape', 'scaled, sizes', 'y'),
    ],
    outputs: ['y'],
  }),
)

test('inputs with a stated value become constants, and what depends on them is decided', async () => {
  const { source, report } = await importOnnx(model, { name: 'scale', constants: { rate: 16000, sizes: [2, 2] } })
  assert.match(source, 'mul(x, 2)')
  assert.not.match(source, 'where(')
  assert.equal(
    report.entries[0]!.inputs.map(({ name }) => name),
    ['x'],
  )
  assert.equal(report.entries[0]!.outputs[0]!.shape, [2, 2])
  assert.match((await importOnnx(model, { constants: { rate: 8000, sizes: [4] } })).source, 'div(x, 2)')
})

for (const [what, constants, message] of [
  ['a name that no input has', { speed: 1 }, /'speed' is no input of the graph; inputs are 'x', 'rate', 'sizes'/],
  ['too many values', { rate: [1, 2] }, /input 'rate' is i64\[\], got 2 values/],
  ['a value of another type', { rate: 0.5 }, /0.5 is not a value of i64/],
] as const) {
  test(`${what} for a constant is refused`, async () => {
    try {
      await importOnnx(model, { constants })
      assert.unreachable()
    } catch (error) {
      assert.match((error as Error).message, message)
    }
  })
}

test.run()
