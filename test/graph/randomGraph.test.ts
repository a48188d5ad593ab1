import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ops, verifyGraph } from '../../compiler/graph/index.ts'
import { arbitraryGraph, graphWithOp, isComputed } from '../support/randomGraph.ts'

const computed = Object.values(ops).filter(({ name }) => isComputed(name))

test('random graphs cover every op, several inputs and outputs, constants, shared values and empty tensors', () => {
  const graphs = fc.sample(arbitraryGraph(), { seed: 1, numRuns: 1000 })
  const nodes = graphs.flatMap((graph) => graph.nodes)
  const missing = computed.filter((op) => !nodes.some((node) => node.op === op.name)).map((op) => op.name)
  assert.equal(missing, [])
  assert.ok(graphs.some((graph) => graph.inputs.length > 2 && graph.outputs.length > 2))
  assert.ok(
    graphs.some((graph) => graph.nodes.some((node) => graph.nodes.filter((user) => user.operands.includes(node)).length > 1)),
  )
  assert.ok(nodes.some((node) => node.type.shape.includes(0)))
  assert.ok(nodes.filter((node) => node.op === 'constant').length > 100)
  const depth = graphs.reduce((sum, graph) => sum + graph.nodes.length, 0) / graphs.length
  assert.ok(depth > 8, `only ${depth} nodes on average`)
})

test('each op can be asked for', () => {
  for (const { name } of computed) {
    const graphs = Array.from({ length: 20 }, (_, seed) => graphWithOp(name as never, seed)).filter(
      (graph) => graph !== undefined,
    )
    assert.ok(graphs.length >= 5, `${name}: ${graphs.length} of 20`)
    for (const graph of graphs) verifyGraph(graph)
  }
})

test.run()
