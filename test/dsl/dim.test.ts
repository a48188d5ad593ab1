import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, ModelProblem, printGraph } from '../../compiler/graph/index.ts'
import { dim, model, relu, reshape, type Tensor, tensor, validLength, validMask, where } from '../../dsl/index.ts'
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
    said(() => dim('seq', [32, 64, 32])),
    "dim: 'seq' has the size 32 twice",
  )
  assert.is(
    said(() => dim('seq', [32, 64], { least: 33 })),
    "dim: least is 33, above the smallest size of 'seq', 32",
  )
  assert.match(
    said(() => dim('seq', [32, 64]) * 2),
    /dim: 'seq' has the sizes 32, 64; it is one of them inside forward\(\)/,
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

const source = `import { dim, model, relu, reshape, tensor, validLength, validMask, where } from 'glowplug'
const seq = dim('seq', [64, 32])
const rest = dim('rest', [2, 3])
export default model({
  name: 'm',
  inputs: { x: tensor('f32', [1, seq, rest]) },
  forward({ x }) {
    let y = relu(x)
    for (let i = 0; i < seq / 16; i++) y = where(reshape(validMask(seq), [seq, 1]), y, i)
    return { y: seq > 1 ? reshape(y, [seq, \`\${rest}\`.length * rest]) : y, size: validLength(seq) }
  },
})`

test('a dimension of several sizes is each of them in turn, traced and read alike', async () => {
  const [seq, rest] = [dim('seq', [64, 32]), dim('rest', [2, 3])]
  const traced = traceModel(
    model({
      name: 'm',
      inputs: { x: tensor('f32', [1, seq, rest]) },
      forward({ x }) {
        let y: Tensor<'f32'> = relu(x)
        for (let i = 0; i < 2; i++) y = where(reshape(validMask(seq), [seq, 1]), y, i)
        return { y: reshape(y, [seq, rest]), size: validLength(seq) }
      },
    }),
  )
  const read = await extractProject({ 'm.model.ts': source.replace('seq / 16', '2') })
  assert.equal(read.diagnostics, [])
  const { entries, buckets } = read.models[0]!.model
  assert.equal(
    entries.map(({ name, graph }) => [name, ...graph.inputs.map(inputName)]),
    ['seq32.rest2', 'seq32.rest3', 'seq64.rest2', 'seq64.rest3'].map((name) => [`main.${name}`, 'x', 'seq.size']),
  )
  for (const [i, { graph }] of entries.entries()) assert.is(printGraph(graph), printGraph(traced.entries[i]!.graph))
  assert.equal(buckets, traced.buckets)
  assert.equal(buckets![0]!.dims, [
    { name: 'seq', sizes: [32, 64], least: 1 },
    { name: 'rest', sizes: [2, 3], least: 1 },
  ])
  assert.equal(buckets![0]!.outputs[0]!.shape, [
    { dim: 'seq', times: 1, plus: 0, over: 1 },
    { dim: 'rest', times: 1, plus: 0, over: 1 },
  ])
})

test('a loop that turns as often as the size says makes another model at each, and is told at its place', async () => {
  const { diagnostics } = await extractProject({ 'm.model.ts': source })
  assert.equal(
    diagnostics.map(({ code, span }) => [code, span?.line]),
    [['size-dependent', 9]],
  )
})

test('a mistake that another size brings out is told once, with the size', async () => {
  const { diagnostics } = await extractProject({
    'm.model.ts': `import { dim, model, relu, reshape, tensor } from 'glowplug'
const seq = dim('seq', [32, 64])
export default model({
  name: 'm',
  inputs: { x: tensor('f32', [seq]) },
  forward: ({ x }) => ({ y: relu(reshape(x, [seq / 2, 2])) }),
})`,
  })
  assert.equal(
    diagnostics.map(({ code, span, notes }) => [code, span?.line, ...notes.map(({ message }) => message)]),
    [['bad-attribute', 6, 'at seq = 63: requests may have any size up to the largest']],
  )
})

test('too many combinations, and two dimensions of one name, are told at the inputs', async () => {
  const { diagnostics } = await extractProject({
    'm.model.ts': `import { dim, model, relu, tensor } from 'glowplug'
const sizes = [1, 2, 3, 4, 5]
export const many = model({
  name: 'many',
  inputs: { x: tensor('f32', [dim('a', sizes), dim('b', sizes)]) },
  forward: ({ x }) => ({ y: relu(x) }),
})
export const two = model({
  name: 'two',
  inputs: { x: tensor('f32', [dim('a', [1, 2]), dim('a', [1, 3])]) },
  forward: ({ x }) => ({ y: relu(x) }),
})`,
  })
  assert.equal(
    diagnostics.map(({ message, span }) => [message, span?.line]),
    [
      ['model(): the sizes of a and b have 25 combinations, each of which is compiled; the limit is 16', 5],
      ["model(): inputs have two dimensions 'a' of different sizes", 10],
    ],
  )
})

test('a size outside forward is told where it is used', async () => {
  const { diagnostics } = await extractProject({
    'm.model.ts': `import { dim, model, relu, reshape, tensor } from 'glowplug'
const seq = dim('seq', [32, 64])
const half = seq / 2
export default model({
  name: 'm',
  inputs: { x: tensor('f32', [seq]) },
  forward: ({ x }) => ({ y: relu(reshape(x, [half, 2])) }),
})`,
  })
  assert.equal(
    diagnostics.map(({ code, span }) => [code, span?.line]),
    [['outside-forward', 3]],
  )
})

test.run()
