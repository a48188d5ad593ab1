import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, ModelProblem, type OpName } from '../../../compiler/graph/index.ts'
import { exportModel, exportOnnx } from '../../../dsl/onnx/export/exportOnnx.ts'
import { draw } from '../../support/draw.ts'
import { arbitraryGraph } from '../../support/randomGraph.ts'
import { expectEqualGraphs } from '../../support/sensitivity.ts'
import { importBack, modelOf } from './importBack.ts'

/** Exported and imported again, or undefined where the version cannot say the graph. */
async function throughOnnx(graph: Graph, opset: number): Promise<Graph | undefined> {
  let bytes: Uint8Array
  try {
    bytes = exportOnnx(modelOf(graph), { opset })
  } catch (error) {
    assert.instance(error, ModelProblem)
    assert.is((error as ModelProblem).code, 'onnx-unsupported')
    return undefined
  }
  return importBack(bytes)
}

for (const [i, opset] of [17, 20, 21, 23].entries()) {
  test(`random graphs compute the same after export as opset ${opset} and import`, async () => {
    const { seed, numRuns } = draw(310 + i, 60)
    let said = 0
    for (const graph of fc.sample(arbitraryGraph({ maximumNodes: 12 }), { seed, numRuns })) {
      const back = await throughOnnx(graph, opset)
      if (!back) continue
      said++
      expectEqualGraphs(back, graph, seed)
    }
    assert.ok(said > numRuns / 2, `${said} of ${numRuns} could be said`)
  })
}

test('random graphs of integer products compute the same, brought to another scale as one operator or apart', async () => {
  const { seed, numRuns } = draw(350, 80)
  const names = [
    'convInteger',
    'matmulInteger',
    'requantize',
    'quantize',
    'dequantize',
    'lookup',
  ] as const satisfies readonly OpName[]
  const operators = new Set<string>()
  for (const graph of fc.sample(arbitraryGraph({ maximumNodes: 10, ops: names, dtypes: ['f32', 'u8', 'i8', 'i32'] }), {
    seed,
    numRuns,
  })) {
    for (const { op } of exportModel(modelOf(graph)).graph.nodes) operators.add(op)
    expectEqualGraphs((await throughOnnx(graph, 21))!, graph, seed)
  }
  for (const op of ['QLinearConv', 'ConvInteger', 'MatMulInteger', 'QuantizeLinear', 'DequantizeLinear'])
    assert.ok(operators.has(op), `${op} among ${[...operators]}`)
})

test('what no operator says is told with op, place and remedy, all at once', () => {
  const g = createBuilder()
  const at = (line: number) => ({ kind: 'source', span: { file: 'face.model.ts', line, column: 3 }, calls: [] }) as const
  const x = g.input('x', { dtype: 'i64', shape: [1, 1, 4] })
  const pooled = g.add('maxPool', { input: x }, { window: [2], stride: [2], before: [0], after: [0], dilation: [1] }, at(7))
  const masked = g.add('bitwiseAnd', { left: pooled, right: pooled }, {}, at(9))
  const model = modelOf(g.finish('face', [x], [{ name: 'y', value: masked }]))
  assert.throws(
    () => exportOnnx(model, { opset: 17 }),
    (error: Error) =>
      error.message ===
      [
        'the model cannot be written as ONNX:',
        '- maxPool at face.model.ts:7:3: MaxPool of ONNX opset 17 does not take i64; use another element type',
        '- bitwiseAnd at face.model.ts:9:3: ONNX opset 17 has no operator BitwiseAnd; use opset 18',
      ].join('\n'),
  )
})

test('an element type that a version lacks is told, and written from the version that has it', async () => {
  const g = createBuilder()
  const x = g.input('x', { dtype: 'f8e4m3', shape: [2] })
  const model = modelOf(g.finish('small', [x], [{ name: 'y', value: x }]))
  assert.throws(() => exportOnnx(model, { opset: 18 }), /'y': ONNX opset 18 has no element type f8e4m3; use opset 19 or later/)
  const { graph } = exportModel(model, { opset: 19 })
  assert.equal(graph.inputs, [{ name: 'x', dtype: 'f8e4m3', shape: [2] }])
  assert.equal(
    graph.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs]),
    [['Identity', ['x'], ['y']]],
  )
})

test('names of inputs, outputs and weights are kept, and made unique where they meet', () => {
  const g = createBuilder()
  const weight = (label: string, value: number) =>
    g.constant({ dtype: 'f32', shape: [1] }, { label, read: () => new Uint8Array(Float32Array.of(value).buffer) })
  const state = g.input('state', { dtype: 'f32', shape: [1] })
  const next = g.add('add', { left: state, right: weight('layer.bias', 2) })
  const scaled = g.add('mul', { left: next, right: weight('layer.bias', 3) })
  const shifted = g.add('sub', { left: scaled, right: weight('scores', 3) })
  const outputs = [
    { name: 'state', value: next },
    { name: 'scores', value: shifted },
    { name: 'copy', value: shifted },
    { name: 'same', value: state },
  ]
  const { graph } = exportModel(modelOf(g.finish('names', [state], outputs)))
  assert.equal(
    graph.nodes.map(({ op, inputs, outputs: made }) => [op, ...inputs, ...made]),
    [
      ['Add', 'state', 'layer.bias', 'state_2'],
      ['Mul', 'state_2', 'layer.bias_2', 'mul'],
      ['Sub', 'mul', 'scores_2', 'scores'],
      ['Identity', 'scores', 'copy'],
      ['Identity', 'state', 'same'],
    ],
  )
  assert.equal([...graph.initializers.keys()], ['layer.bias', 'layer.bias_2', 'scores_2'])
  assert.equal(
    graph.outputs.map(({ name }) => name),
    ['state_2', 'scores', 'copy', 'same'],
  )
})

test('operators of a version are used from it on, simpler ones before', () => {
  const g = createBuilder()
  const x = g.input('x', { dtype: 'f32', shape: [2, 4] })
  const activated = g.add('gelu', { input: x })
  const normal = g.add('rmsNorm', { input: activated })
  const model = modelOf(g.finish('versions', [x], [{ name: 'y', value: normal }]))
  const used = (opset: number) => exportModel(model, { opset }).graph.nodes.map(({ op }) => op)
  assert.equal(used(23), ['Gelu', 'RMSNormalization'])
  assert.equal(used(20)[0], 'Gelu')
  assert.not.ok(used(20).includes('RMSNormalization'))
  assert.not.ok(used(19).includes('Gelu'))
  assert.ok(used(19).includes('Erf'))
})

test('an entry is chosen by name, a version within bounds', () => {
  const g = createBuilder()
  const x = g.input('x', { dtype: 'f32', shape: [1] })
  const graph = g.finish('two', [x], [{ name: 'y', value: g.add('relu', { input: x }) }])
  const two = {
    name: 'two',
    entries: [
      { name: 'prefill', graph },
      { name: 'step', graph },
    ],
  }
  assert.throws(() => exportOnnx(two), /the entries 'prefill', 'step', an ONNX file holds one/)
  assert.throws(() => exportOnnx(two, { entry: 'other' }), /no entry 'other'; it has 'prefill', 'step'/)
  assert.ok(exportOnnx(two, { entry: 'step' }).length > 0)
  for (const opset of [16, 24, 20.5]) assert.throws(() => exportOnnx(modelOf(graph), { opset }), /it may be 17 to 23/)
})

test.run()
