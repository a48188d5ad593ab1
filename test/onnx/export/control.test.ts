// Loops and branches of a model as Loop and If of ONNX: imported again they compute the same, and the file says what it shall.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelGraph } from '../../../compiler/graph/index.ts'
import {
  add,
  branch,
  constant,
  greater,
  less,
  loop,
  max,
  model,
  mul,
  relu,
  scan,
  slice,
  sub,
  sum,
  type Tensor,
  tensor,
} from '../../../dsl/index.ts'
import { exportModel, exportOnnx } from '../../../dsl/onnx/export/exportOnnx.ts'
import type { OnnxNode } from '../../../dsl/onnx/model.ts'
import { traceModel } from '../../../dsl/trace.ts'
import { expectEqualGraphs } from '../../support/sensitivity.ts'
import { importBack } from './importBack.ts'

const x = { x: tensor('f32', [3]) }
const rows = { rows: tensor('f32', [70, 3]) }

const traced = <I extends Record<string, Tensor>>(inputs: I, forward: (given: I) => Record<string, Tensor>): ModelGraph =>
  traceModel(model({ name: 'turning', inputs, forward: forward as never }))

const models: Readonly<Record<string, () => ModelGraph>> = {
  'turns that are known': () =>
    traced(x, ({ x }) => {
      const made = loop({ count: 100, carried: [x] }, (turn, [v]) => ({ carried: [mul(add(v, x), 0.5)], kept: [sum(v), turn] }))
      return { v: made.carried[0], sums: made.kept[0], turns: made.kept[1] }
    }),
  'turns that data decides, and how many these were': () =>
    traced(x, ({ x }) => {
      const { carried, kept, turns } = loop({ carried: [x], limit: 9 }, (_, [v]) => {
        const next = add(mul(v, 2), 1)
        return { carried: [next], proceed: less(max(next), 20), kept: [v] }
      })
      return { v: carried[0], all: kept[0], turns }
    }),
  'a loop that may have no turn, in a branch of another': () =>
    traced(x, ({ x }) => {
      const [y] = branch(
        greater(sum(x), 0),
        () =>
          loop({ count: 70, condition: greater(max(x), 1), carried: [x] }, (_, [v]) => ({ carried: [sub(v, relu(x))] })).carried,
        () => [mul(x, constant('f32', [3], [1, 2, 3]))],
      )
      return { y, same: x }
    }),
  'results that the body was given, and one twice': () =>
    traced(x, ({ x }) => {
      const { carried, kept } = loop({ count: 65, carried: [x, x] }, (_, [a, b]) => ({ carried: [b, a], kept: [a, a] }))
      return { a: carried[0], b: carried[1], c: slice(kept[0], { axis: 0, start: 60 }), d: kept[1] }
    }),
  'a scan': () =>
    traced(rows, ({ rows }) => {
      const start = constant('f32', [3], [0, 1, 2])
      const { carried, kept } = scan([rows], { carried: [start], reverse: true }, ([row], [total]) => {
        const next = add(total, row)
        return { carried: [next], kept: [next] }
      })
      return { end: carried[0], all: kept[0] }
    }),
}

for (const [name, made] of Object.entries(models))
  test(`${name}: exported and imported again`, async () => {
    const model = made()
    for (const opset of [17, 21, 23])
      expectEqualGraphs(await importBack(exportOnnx(model, { opset })), model.entries[0]!.graph, 5)
  })

test('a body takes by name what is around it, and a loop that always goes on has no condition', () => {
  const { graph } = exportModel(models['turns that are known']!())
  const node = graph.nodes.find(({ op }) => op === 'Loop')!
  assert.is(node.inputs[1], '')
  const body = node.attributes.get('body')
  assert.is(body?.kind, 'graph')
  const { nodes, inputs } = (body as Extract<typeof body, { kind: 'graph' }>).value
  assert.is(inputs.length, 3)
  assert.ok(nodes.some((inner: OnnxNode) => inner.inputs.includes('x')))
  assert.ok(!graph.nodes.some(({ op }) => op === 'Concat'), 'every turn is kept')
})

test.run()
