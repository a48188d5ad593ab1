import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, type ModelGraph, type ModelProblem, printGraph, verifyStates } from '../../compiler/graph/index.ts'
import { add, constant, dim, model, mul, relu, state, type Tensor, tensor, weights } from '../../dsl/index.ts'
import { specOf } from '../../dsl/model.ts'
import { buildModel, traceModel } from '../../dsl/trace.ts'

type Any = Tensor<any, any>
const x = tensor('f32', [1, 4])
const h = state('f32', [1, 4])

/** Problems of a spec: their codes and where in it they are. */
const found = (spec: unknown): string[] =>
  buildModel(spec).problems.map(({ problem, path }) => [problem.code, path.join('.')].join(' '))

const codeOf = (body: () => unknown): string | undefined => {
  try {
    body()
  } catch (error) {
    return (error as ModelProblem).code
  }
  return undefined
}

const namesOf = ({ entries, states = [] }: ModelGraph) =>
  entries.map(({ name, graph }) => [
    name,
    graph.inputs.map(inputName),
    graph.outputs.map((output) => output.name),
    states.map((each) => each.name),
  ])

test('a state is an input and an output of the graph', () => {
  const graph = traceModel(
    model({
      name: 'm',
      state: { h },
      inputs: { x },
      forward({ x }, { h }) {
        const next = add(x, h)
        return { h: next, y: relu(next) }
      },
    }),
  )
  assert.fixture(
    printGraph(graph.entries[0]!.graph),
    `graph "m"(%0, %1)
  %0 = input {name: "x"} : f32[1, 4]
  %1 = input {name: "h"} : f32[1, 4]
  %2 = add(%0, %1) : f32[1, 4]
  %3 = relu(%2) : f32[1, 4]
  return "h" = %2, "y" = %3
`,
  )
  assert.equal(graph.states, [{ name: 'h', input: 'h', output: 'h', type: { dtype: 'f32', shape: [1, 4] } }])
  verifyStates(graph)
})

test('entries share the states, and each reads and renews what it wants', () => {
  const graph = traceModel(
    model({
      name: 'm',
      state: { h, k: state('f32', [1, 4]) },
      entries: {
        fill: { inputs: { x }, forward: ({ x }) => ({ h: x, k: x }) },
        step: { inputs: { x }, forward: ({ x }, { h, k }) => ({ y: add(h, k), k: mul(k, x) }) },
        look: { inputs: { x }, forward: ({ x }, { h, k }) => ({ y: mul(x, h), h, k }) },
        plain: { inputs: { x }, forward: ({ x }) => ({ y: relu(x) }) },
      },
    }),
  )
  assert.equal(namesOf(graph), [
    ['fill', ['x'], ['h', 'k'], ['h', 'k']],
    ['step', ['x', 'h', 'k'], ['y', 'k'], ['h', 'k']],
    // What is returned as it was found stays.
    ['look', ['x', 'h'], ['y'], ['h', 'k']],
    ['plain', ['x'], ['y'], ['h', 'k']],
  ])
})

test('a first value is a constant or a tensor of weights in the type of the state', () => {
  const initial = constant('i32', [2], [7, -1])
  const graph = traceModel(
    model({
      name: 'm',
      state: { n: state('i32', [2], { initial }) },
      inputs: { x: tensor('i32', [2]) },
      forward: ({ x }, { n }) => ({ y: add(n, x), n: add(n, x) }),
    }),
  )
  assert.equal([...new Int32Array(graph.states![0]!.initial!.read().slice().buffer)], [7, -1])
  assert.is(
    codeOf(() => state('f32', [2], { initial: initial as never })),
    'shape-mismatch',
  )
  assert.is(
    codeOf(() => state('i32', [3], { initial: initial as never })),
    'shape-mismatch',
  )
  assert.is(
    codeOf(() => state('i32', [2], { initial: [7, -1] as never })),
    'bad-operand',
  )
  assert.is(
    codeOf(() => state('i32', [2], { initial: x as never })),
    'bad-operand',
  )
  assert.is(
    codeOf(() => state('i32', [2], { first: initial } as never)),
    'bad-attribute',
  )
  assert.is(
    codeOf(() => state('f31' as never, [2])),
    'bad-attribute',
  )
  const w = weights('/nowhere/there.safetensors')
  assert.is(
    codeOf(() => state('i32', [2], { initial: w.get('a', 'i32', [2]) })),
    'weights-unreadable',
  )
})

test('a state has one shape for all sizes of the dimensions of inputs', () => {
  const seq = dim('seq', [4, 8])
  assert.is(
    codeOf(() => state('f32', [1, seq])),
    'bad-attribute',
  )
  const graph = traceModel(
    model({
      name: 'm',
      state: { last: state('f32', [4]) },
      inputs: { x: tensor('f32', [seq, 4]) },
      forward: ({ x }, { last }) => ({ y: add(x, last), last: mul(last, 2) }),
    }),
  )
  assert.equal(namesOf(graph), [
    ['main.seq4', ['x', 'last'], ['y', 'last'], ['last']],
    ['main.seq8', ['x', 'last'], ['y', 'last'], ['last']],
  ])
  const [bucketed] = graph.buckets!
  assert.equal(
    [bucketed!.inputs.map(({ name }) => name), bucketed!.outputs.map(({ name }) => name)],
    [['x'], ['y']],
    'callers see no states',
  )
  const mixed = {
    name: 'm',
    state: { last: state('f32', [4]) },
    inputs: { x: tensor('f32', [seq]) },
    forward: ({ x }: { x: Any }, { last }: { last: Any }) => ({
      y: x,
      last: (add as any)(last, last.shape[0] === x.shape[0] ? x : last),
    }),
  }
  assert.ok(found(mixed).length > 0, 'what padding makes of a state is followed')
})

test('mistakes in states are told at their place', () => {
  const forward = ({ x }: { x: Any }, { h }: { h: Any }) => ({ y: add(x, h), h: x })
  const spec = { name: 'm', inputs: { x }, state: { h }, forward }
  assert.equal(found(spec), [])
  assert.equal(found({ ...spec, state: 3 }), ['bad-model state'])
  assert.equal(found({ ...spec, state: { h: x } }), ['bad-model state.h'])
  assert.equal(found({ ...spec, state: { h, 'a b': h } }), ['bad-name state.a b'])
  assert.equal(found({ ...spec, inputs: { x, h: x } }), ['bad-model inputs.h'])
  assert.equal(found({ ...spec, inputs: { x, g: h } }), ['bad-model inputs.g'])
  assert.equal(found({ ...spec, state: { h, k: h } }), ['state-unused state.k'])
  assert.equal(found({ ...spec, forward: ({ x }: { x: Any }) => ({ y: x, h: x }) }), ['state-unused state.h'])
  assert.equal(found({ ...spec, forward: (_: unknown, { h }: { h: Any }) => ({ h }) }), ['bad-model forward'])
  assert.equal(found({ ...spec, forward: ({ x }: { x: Any }, { h }: { h: Any }) => ({ y: add(x, h), h: 3 }) }), [
    'bad-model forward',
  ])
  assert.equal(
    found({ ...spec, forward: ({ x }: { x: Any }) => ({ y: add(x, h as Any) }) }),
    ['bad-operand forward'],
    'the description is no value',
  )
  const wide = constant('f32', [1, 5], [1, 2, 3, 4, 5])
  assert.equal(found({ ...spec, forward: ({ x }: { x: Any }, { h }: { h: Any }) => ({ y: add(x, h), h: wide }) }), [
    'state-mismatch forward',
  ])
  const entries = { a: { inputs: { x }, forward, state: { h } } }
  assert.equal(found({ name: 'm', entries }), ['bad-model entries.a.state'])
})

test('a model without states gives forward one argument', () => {
  let count = 0
  const spec = specOf(
    model({
      name: 'm',
      inputs: { x },
      forward(...given: any[]) {
        count = given.length
        return { y: relu(given[0].x as Any) }
      },
    }),
  )
  buildModel(spec)
  assert.is(count, 1)
})

test.run()
