import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, ModelProblem } from '../../compiler/graph/index.ts'
import { add, constant, embedding, model, mul, relu, type Tensor, tensor } from '../../dsl/index.ts'
import { buildModel, traceModel } from '../../dsl/trace.ts'
import { onlyGraph } from '../support/graphs.ts'

const image = tensor('f32', [2, 3])
const build = (spec: unknown) => buildModel(spec)
const traceOne = (model: unknown) => onlyGraph(traceModel(model))
const found = (spec: unknown) => build(spec).problems.map(({ problem, path }) => `${problem.code} ${path.join('.')}`)

test('a model becomes a graph: inputs in order, outputs by name, equal nodes shared', () => {
  const graph = traceOne(
    model({
      name: 'small',
      inputs: { left: image, right: image },
      forward: ({ left, right }) => ({ once: relu(add(left, right)), twice: mul(relu(add(left, right)), 2), same: left }),
    }),
  )
  assert.equal(graph.inputs.map(inputName), ['left', 'right'])
  assert.equal(
    graph.outputs.map(({ name }) => name),
    ['once', 'twice', 'same'],
  )
  assert.is(graph.outputs[1]!.value.operands[0], graph.outputs[0]!.value)
  assert.is(graph.outputs[2]!.value, graph.inputs[0])
  assert.equal(
    graph.nodes.map(({ op }) => op),
    ['input', 'input', 'add', 'relu', 'constant', 'mul'],
  )
})

test('a model may be traced while another is, and each twice', () => {
  const inner = model({ name: 'inner', inputs: { image }, forward: ({ image }) => ({ y: relu(image) }) })
  const outer = model({
    name: 'outer',
    inputs: { image },
    forward({ image }) {
      traceModel(inner)
      return { y: relu(image) }
    },
  })
  assert.is(traceOne(outer).nodes.length, 2)
  assert.is(traceOne(outer).nodes.length, 2)
})

test('all mistakes of the object are found at once, each with its place', () => {
  assert.equal(found({ name: '7up', inputs: { 'an image': image, fine: image, plain: [1, 2] }, forward: 'x', extra: 1 }), [
    'bad-model extra',
    'bad-name name',
    'bad-model forward',
    'bad-name inputs.an image',
    'bad-model inputs.plain',
  ])
  assert.equal(found(undefined), ['bad-model '])
  assert.equal(found({ name: 'x', inputs: [image], forward: () => ({}) }), ['bad-model inputs'])
})

test('names are identifiers of at most 64 letters that mean nothing to JavaScript', () => {
  const forward = ({ image }: { image: Tensor }) => ({ y: relu(image) })
  for (const name of [
    '',
    'a b',
    'a-b',
    '1a',
    'é',
    'a'.repeat(65),
    '__proto__',
    'constructor',
    'toString',
    'a\n',
    'a";import("x")',
    7,
  ]) {
    assert.equal(found({ name, inputs: { image }, forward }), ['bad-name name'], String(name))
  }
  for (const name of ['a', '_', 'A9_', 'a'.repeat(64)]) assert.equal(found({ name, inputs: { image }, forward }), [], name)
})

test('what forward returns is checked', () => {
  const returning = (value: unknown) => found({ name: 'x', inputs: { image }, forward: () => value })
  assert.equal(returning({}), ['bad-model forward'])
  assert.equal(returning(undefined), ['bad-model forward'])
  assert.equal(returning(Promise.resolve({})), ['bad-model forward'])
  assert.equal(returning({ y: 7, z: 'x' }), ['bad-model forward', 'bad-model forward'])
  assert.equal(returning({ y: image }), ['bad-operand forward'])
  assert.equal(
    found({
      name: 'x',
      inputs: { image },
      forward: ({ image }: { image: Tensor }) => ({ 'an output': relu(image), __proto: relu(image) }),
    }),
    ['bad-name forward'],
  )
})

test('an unused input is told and does not prevent a graph', () => {
  const spec = { name: 'x', inputs: { image, mask: image }, forward: ({ image }: { image: Tensor }) => ({ y: relu(image) }) }
  const { model: built, problems } = build(spec)
  assert.equal(
    problems.map(({ problem, path }) => [problem.code, problem.message, path]),
    [['input-unused', "input 'mask' of model 'x' does not influence any output", ['inputs', 'mask']]],
  )
  assert.equal(onlyGraph(built!).inputs.map(inputName), ['image', 'mask'])
  assert.is(traceOne(model(spec)).inputs.length, 2)
})

test('a mistake inside forward is a problem; what the model itself throws passes', () => {
  const inside = (forward: (inputs: { image: Tensor }) => unknown) => ({ name: 'x', inputs: { image }, forward })
  assert.equal(found(inside(({ image }) => ({ y: add(image, 'x' as never) }))), ['bad-operand forward'])
  assert.throws(
    () =>
      build(
        inside(() => {
          throw new RangeError('mine')
        }),
      ),
    /mine/,
  )
  assert.throws(
    () => traceModel(model(inside(({ image }) => ({ y: add(image, tensor('f32', [9])) })) as never)),
    (error: ModelProblem) => error.code === 'bad-operand',
  )
  assert.throws(
    () => traceModel({}),
    (error: ModelProblem) => error instanceof ModelProblem && error.code === 'bad-model',
  )
})

test('entries become graphs of one model, in order; what is in common is the data of constants', () => {
  const table = constant('f32', [3, 1], [1, 2, 3])
  const row = ({ i }: { i: Tensor<'i32'> }) => ({ row: embedding(i, table) })
  const { name, entries } = traceModel(
    model({
      name: 'two',
      entries: {
        one: { inputs: { i: tensor('i32', [1]) }, forward: row },
        both: { inputs: { i: tensor('i32', [2]) }, forward: row },
      },
    }),
  )
  assert.is(name, 'two')
  assert.equal(
    entries.map((entry) => [entry.name, entry.graph.name, entry.graph.outputs[0]!.value.type.shape]),
    [
      ['one', 'two', [1, 1]],
      ['both', 'two', [2, 1]],
    ],
  )
  const [one, both] = entries.map(({ graph }) => graph.nodes.find(({ data }) => data)!.data!.read())
  assert.is(one, both)
})

test('mistakes of all entries are found at once, each with its place', () => {
  const inputs = { image }
  const forward = ({ image }: { image: Tensor }) => ({ y: relu(image) })
  assert.equal(
    found({
      name: 'x',
      inputs,
      entries: {
        good: { inputs, forward },
        'a b': { inputs, forward },
        toString: { inputs: { image: 3 } },
        none: null,
        more: { inputs, forward, name: 'y' },
      },
    }),
    [
      'bad-model inputs',
      'bad-name entries.a b',
      'bad-name entries.toString',
      'bad-model entries.none',
      'bad-model entries.more.name',
      'bad-model entries.toString.forward',
      'bad-model entries.toString.inputs.image',
    ],
  )
  assert.equal(found({ name: 'x', entries: {} }), ['bad-model entries'])
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i}`, { inputs, forward }]))
  assert.equal(found({ name: 'x', entries: many(256) }), [])
  assert.equal(found({ name: 'x', entries: many(257) }), ['bad-model entries'])
  assert.equal(found({ name: 'x', entries: undefined }), ['bad-model entries'])
  assert.equal(found({ name: 'x', entries: [forward] }), ['bad-model entries'])
  assert.equal(
    found({
      name: 'x',
      entries: {
        wrong: { inputs, forward: ({ image }: { image: Tensor }) => ({ y: add(image, 'x' as never) }) },
        empty: { inputs, forward: () => ({}) },
        unused: { inputs: { image, mask: image }, forward },
      },
    }),
    ['bad-operand entries.wrong.forward', 'bad-model entries.empty.forward', 'input-unused entries.unused.inputs.mask'],
  )
})

test('a tensor of one entry does not reach another', () => {
  let kept: Tensor | undefined
  const { problems } = build({
    name: 'x',
    entries: {
      first: {
        inputs: { image },
        forward({ image }: { image: Tensor }) {
          kept = relu(image)
          return { y: kept }
        },
      },
      second: { inputs: { image }, forward: ({ image }: { image: Tensor }) => ({ y: add(image, kept as never) }) },
    },
  })
  assert.equal(
    problems.map(({ problem, path }) => [problem.message, path]),
    [['add: right belongs to another forward()', ['entries', 'second', 'forward']]],
  )
})

test('tensors cannot be changed, and say what they are', () => {
  traceModel(
    model({
      name: 'x',
      inputs: { image },
      forward({ image }) {
        assert.equal([image.dtype, image.shape], ['f32', [2, 3]])
        assert.throws(() => ((image as { dtype: string }).dtype = 'i8'))
        assert.throws(() => (image.shape as number[]).push(1))
        return { y: relu(image) }
      },
    }),
  )
})

test.run()
