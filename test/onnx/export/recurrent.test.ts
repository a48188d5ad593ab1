// Recurrent layers are one node of ONNX, with the results that are wanted and nothing that is the default.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { gru, lstm, model, rnn, type Tensor, tensor } from '../../../dsl/index.ts'
import { exportModel, exportOnnx } from '../../../dsl/onnx/export/exportOnnx.ts'
import { traceModel } from '../../../dsl/trace.ts'
import { expectEqualGraphs } from '../../support/sensitivity.ts'
import { importBack } from './importBack.ts'

type Any = Tensor<any, any>

const layers: Readonly<
  Record<string, readonly [op: string, attributes: readonly string[], inputs: string, body: (v: Record<string, Any>) => object]>
> = {
  'an LSTM without states': [
    'LSTM',
    ['hidden_size'],
    'x w r',
    (v) => ({ y: lstm(v.x!, { input: v.w!, recurrent: v.r! }).output }),
  ],
  'an LSTM in both directions, with all there is': [
    'LSTM',
    ['activation_alpha', 'activation_beta', 'activations', 'clip', 'direction', 'hidden_size', 'input_forget'],
    'x w2 r2 b2 lengths h2 c2 p2',
    (v) => {
      const activations = ['hardSigmoid', { name: 'affine', alpha: 0.5 }, 'softsign', 'sigmoid', 'tanh', 'tanh'] as const
      const options = { direction: 'bidirectional', activations, clip: 1.5, coupled: true, lengths: [2, 3] } as const
      const { output, hidden, cell } = lstm(
        v.x!,
        { input: v.w2!, recurrent: v.r2!, bias: v.b2!, peephole: v.p2! },
        { ...options, initialHidden: v.h2!, initialCell: v.c2! },
      )
      return { output, hidden, cell }
    },
  ],
  'a GRU that resets behind the product': [
    'GRU',
    ['direction', 'hidden_size', 'linear_before_reset'],
    'x w3 r3 b3',
    (v) => ({
      h: gru(v.x!, { input: v.w3!, recurrent: v.r3!, bias: v.b3! }, { direction: 'reverse', linearBeforeReset: true }).hidden,
    }),
  ],
  'a simple layer': [
    'RNN',
    ['activations', 'hidden_size'],
    'x w1 r1   h1',
    (v) => ({ y: rnn(v.x!, { input: v.w1!, recurrent: v.r1! }, { activations: ['relu'], initialHidden: v.h1! }).output }),
  ],
}

const shapes: Readonly<Record<string, number[]>> = {
  x: [3, 2, 4],
  ...{ w: [1, 20, 4], r: [1, 20, 5] },
  ...{ w2: [2, 20, 4], r2: [2, 20, 5], b2: [2, 40], h2: [2, 2, 5], c2: [2, 2, 5], p2: [2, 15] },
  ...{ w3: [1, 15, 4], r3: [1, 15, 5], b3: [1, 30] },
  ...{ w1: [1, 5, 4], r1: [1, 5, 5], h1: [1, 2, 5] },
}

for (const [name, [op, attributes, inputs, body]] of Object.entries(layers))
  test(`${name} is one node, and comes back as one`, async () => {
    const names = inputs.split(' ').filter((each) => shapes[each])
    const given = traceModel(
      model({
        name: 'layer',
        inputs: Object.fromEntries(names.map((each) => [each, tensor('f32', shapes[each] as [number])])),
        forward: (v) => body(v as Record<string, Any>) as never,
      }),
    )
    const { nodes } = exportModel(given).graph
    const [layer, ...others] = nodes.filter((node) => node.op === op)
    assert.is(others.length, 0)
    assert.ok(!nodes.some((node) => ['Concat', 'Slice', 'MatMul'].includes(node.op)), nodes.map((node) => node.op).join(' '))
    assert.equal([...layer!.attributes.keys()].sort(), attributes)
    const found = layer!.inputs.map((each) => (shapes[each] || each === '' ? each : 'lengths'))
    assert.equal(found.join(' '), inputs)
    const back = await importBack(exportOnnx(given))
    assert.is(back.nodes.filter((node) => node.op === op.toLowerCase()).length, 1)
    expectEqualGraphs(back, given.entries[0]!.graph, 5)
  })

test.run()
