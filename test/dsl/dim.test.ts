import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem, printGraph } from '../../compiler/graph/index.ts'
import { dim, model, relu, reshape, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { extractProject } from '../extract/project.ts'

test('a dimension of one size is that number', () => {
  const seq = dim('seq', [128])
  assert.equal(seq, 128)
  assert.is(seq * 2, 256)
})

test('mistakes are told', () => {
  const said = (make: () => unknown): string => {
    try {
      make()
    } catch (problem) {
      assert.instance(problem, ModelProblem)
      return (problem as Error).message
    }
    throw new Error('nothing was said')
  }
  assert.is(
    said(() => dim('seq', [32, 64, 128])),
    "dim: 'seq' has 3 sizes, an entry has one; make an entry for each size, as in entries: { seq32: …, seq64: … }",
  )
  assert.is(
    said(() => dim('seq', [])),
    "dim: 'seq' needs a size, as in dim('seq', [128])",
  )
  assert.match(
    said(() => dim('seq', [0])),
    /dim: sizes\[0\] must be a whole number of at least 1, got 0/,
  )
  assert.match(
    said(() => dim('a b', [1])),
    /dim: name must consist of letters, digits and _, got "a b"/,
  )
  assert.match(
    said(() => dim(undefined as never, [1])),
    /got undefined/,
  )
  assert.match(
    said(() => dim('seq', 3 as never)),
    /dim: sizes must be an array, got 3/,
  )
})

test('what is traced and what is read from the source are the same', async () => {
  const seq = dim('seq', [6])
  const traced = traceModel(
    model({
      name: 'm',
      inputs: { x: tensor('f32', [1, seq]) },
      forward: ({ x }) => ({ y: relu(reshape(x, [seq / 2, 2])) }),
    }),
  )
  const { models, diagnostics } = await extractProject({
    'm.model.ts': `import { dim, model, relu, reshape, tensor } from 'glowplug'
const seq = dim('seq', [6])
export default model({
  name: 'm',
  inputs: { x: tensor('f32', [1, seq]) },
  forward: ({ x }) => ({ y: relu(reshape(x, [seq / 2, 2])) }),
})`,
  })
  assert.equal(diagnostics, [])
  assert.is(printGraph(models[0]!.model.entries[0]!.graph), printGraph(traced.entries[0]!.graph))
  assert.equal(traced.entries[0]!.graph.outputs[0]!.value.type.shape, [3, 2])
})

test('several sizes in a model file are a mistake with a place', async () => {
  const { diagnostics } = await extractProject({
    'm.model.ts': `import { dim, model, relu, tensor } from 'glowplug'
export default model({
  name: 'm',
  inputs: { x: tensor('f32', [1, dim('seq', [32, 64])]) },
  forward: ({ x }) => ({ y: relu(x) }),
})`,
  })
  assert.equal(
    diagnostics.map(({ code, span }) => [code, span?.line]),
    [['bad-attribute', 4]],
  )
})

test.run()
