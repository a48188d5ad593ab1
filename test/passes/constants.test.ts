import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { passes } from '../../compiler/passes/index.ts'
import { EvaluationFault, evaluate } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

passSuite(passes.eliminateDeadCode, ({ rewrites, leaves }) => {
  rewrites('OP-01 drops what no output needs and keeps inputs', (g) => {
    const [x] = [g.input('x', [2]), g.input('unused', [2])]
    const [dead, live] = [g.op('exp', { input: x }), g.op('abs', { input: x })]
    const graph = g.graph(live)
    const nodes = [...graph.nodes, dead].sort((a, b) => a.id - b.id)
    return { ...graph, nodes, locations: new Map(nodes.map((node) => [node, []])) }
  })
  leaves('leaves a graph without dead nodes', (g) => g.op('exp', { input: g.input('x', [2]) }))
})

passSuite(passes.foldConstants, ({ rewrites, leaves }) => {
  rewrites(
    'OP-03 folds what depends on constants alone',
    (g) =>
      g.op('add', {
        left: g.input('x', [3]),
        right: g.op('exp', { input: g.op('mul', { left: g.weight('w', [3]), right: g.number(2) }) }),
      }),
    { into: 'add(x, folded(@w))' },
  )
  rewrites(
    'OP-22 folds transposes of constants',
    (g) =>
      g.op('matmul', {
        left: g.input('x', [2, 4]),
        right: g.op('transpose', { input: g.weight('w', [3, 4]) }, { order: [1, 0] }),
      }),
    { into: 'matmul(x, folded(@w))' },
  )
  rewrites(
    'OP-40 folds slices of constants',
    (g) =>
      g.op('add', {
        left: g.input('x', [2]),
        right: g.op('slice', { input: g.weight('w', [30]) }, { start: [4], size: [2], step: [1] }),
      }),
    { into: 'add(x, folded(@w))' },
  )
  leaves('does not store what an expansion repeats', (g) =>
    g.op('add', { left: g.input('x', [4, 3]), right: g.op('expand', { input: g.weight('w', [3]) }, { shape: [4, 3] }) }),
  )
  leaves('does not store a product far larger than its operands', (g) =>
    g.op('mul', { left: g.weight('a', [200, 1]), right: g.weight('b', [1, 200]) }),
  )
  leaves('leaves inputs', (g) => g.op('exp', { input: g.input('x', [3]) }))
})

passSuite(passes.mergeEqualConstants, ({ rewrites, leaves }) => {
  rewrites(
    'OP-02 merges equal bytes and then equal nodes',
    (g) => {
      const x = g.input('x', [3])
      return g.op('sub', {
        left: g.op('mul', { left: x, right: g.weight('a', [3]) }),
        right: g.op('mul', { left: x, right: g.weight('b', [3]) }),
      })
    },
    { into: 'sub(mul(x, @a), mul(x, @a))' },
  )
  leaves('keeps equal bytes of different types apart', (g) => [g.weight('a', [2], () => 0), g.weight('b', [2], () => 0, 'i32')])
  leaves('keeps different bytes apart', (g) => [g.weight('a', [2], () => 0), g.weight('b', [2], () => -0)])
})

test('fold-constants leaves a faulty gather to run time', () => {
  const g = createTestGraph()
  const graph = g.graph(g.op('gather', { input: g.weight('w', [3]), indices: g.weight('i', [1], () => 7, 'i32') }))
  const result = passes.foldConstants.run(graph, { evaluate, assumeFinite: false, apply: () => true })
  assert.is(result, graph)
  assert.throws(
    () =>
      evaluate(
        graph.outputs[0]!.value,
        graph.nodes.slice(0, 2).map((node) => node.data!.read()),
      ),
    (e: Error) => e instanceof EvaluationFault,
  )
})

test.run()
