// Rows IR-01 … IR-30 of graphs that no other file here is about.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  copyNode,
  countUses,
  createBuilder,
  dtypes,
  hashGraph,
  hasTrait,
  type Node,
  ops,
  parseGraph,
  printGraph,
  printGraphDot,
  rebuildGraph,
  verifyGraph,
} from '../../compiler/graph/index.ts'
import { createTestGraph } from '../support/expression.ts'

const clone = (graph: Parameters<typeof rebuildGraph>[0]) =>
  rebuildGraph(graph, (node, operands, builder) => copyNode(node, builder, operands))

function sample(axis = -1) {
  const g = createTestGraph()
  const x = g.input('x', [2, 3])
  const y = g.op('add', { left: x, right: g.weight('w', [3]) })
  return { g, x, y, graph: g.graph(g.op('softmax', { input: y }, { axis }), g.op('mul', { left: y, right: y })) }
}

test('IR-03 IR-06 inputs and outputs have types and names, and what no output needs is not in the graph', () => {
  const { g, graph } = sample()
  assert.equal(
    graph.inputs.map(({ type, attributes, data }) => [type, attributes, data]),
    [[{ dtype: 'f32', shape: [2, 3] }, { name: 'x' }, undefined]],
  )
  assert.is(g.graph().nodes.length, 1, 'the input is kept')
})

test('IR-10 every element type of the table that is not a row of several is there', () => {
  for (const name of ['f32', 'f16', 'bf16', 'f64', 'u8', 'i8', 'i16', 'i32', 'i64', 'bool'] as const)
    assert.ok((dtypes as readonly string[]).includes(name), name)
})

test('IR-12 empty tensors are legal, other than in the seed', () => {
  const g = createTestGraph()
  const graph = g.graph(g.op('concat', { inputs: [g.input('x', [0, 2]), g.input('y', [3, 2])] }, { axis: 0 }))
  verifyGraph(graph)
  assert.equal(graph.outputs[0]!.value.type.shape, [3, 2])
})

test('IR-13 uses are counted by node, outputs included', () => {
  const { x, y, graph } = sample()
  const uses = countUses(graph)
  assert.is(uses.get(x), 1)
  assert.is(uses.get(y), 2, 'softmax and mul, which reads it twice')
  for (const { value } of graph.outputs) assert.is(uses.get(value), 1)
})

test('IR-15 what is not pure is neither merged nor shared', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2] })
  assert.is(b.add('exp', { input: x }, {}), b.add('exp', { input: x }, {}), 'pure nodes are shared')
  assert.ok(
    Object.values(ops).every(({ traits }) =>
      (traits as readonly string[]).some((trait) => trait === 'pure' || trait === 'storage'),
    ),
  )
})

test('IR-16 elementwise is a trait of the op, and broadcasting ops have it', () => {
  const { graph } = sample()
  const marked = graph.nodes.filter((node) => hasTrait(node, 'elementwise')).map(({ op }) => op)
  assert.equal(marked, ['add', 'mul'])
})

test('IR-07 IR-18 equal builds give equal text, names and types', () => {
  assert.is(printGraph(sample().graph), printGraph(sample().graph))
})

test('IR-22 DOT text names ops, attributes, types and quantization, and escapes what is not ours', () => {
  const g = createTestGraph()
  const x = g.input('a "b"\n\\', [2, 3])
  const q = g.op('quantize', { input: x }, { dtype: 'u8', scale: [0.5], zeroPoint: [3] })
  const text = printGraphDot(g.graph(g.op('dequantize', { input: q }, { scale: [0.5], zeroPoint: [3] })))
  assert.match(text, /^digraph "test" \{/)
  assert.match(text, /"%0" \[label="input a \\"b\\" \\\\\\nf32\[2, 3\]", shape=note\]/)
  assert.match(text, /"%1" \[label="quantize\\n\{.*scale.*\}\\n.*u8.*0\.5.*3.*"\]/)
  assert.match(text, /"%0" -> "%1" \[label="f32\[2, 3\]"\]/)
  assert.match(text, /"%2" -> "output y0"/)
  assert.is(text.split('\n').filter((line) => line.includes('->')).length, 3)
})

test('IR-24 the table of definitions is all there is to an op: each has summary, operands, attributes and a type rule', () => {
  for (const [name, definition] of Object.entries(ops)) {
    assert.is(definition.name, name)
    assert.ok(definition.summary.length > 5 && typeof definition.infer === 'function', name)
  }
})

test('IR-27 clones have equal hashes, and every change gives another', () => {
  const { graph } = sample()
  const copy = clone(graph)
  assert.is.not(copy.nodes[1], graph.nodes[1])
  assert.is(hashGraph(copy), hashGraph(graph))
  assert.is(hashGraph(copy, { payloads: true }), hashGraph(graph, { payloads: true }))
  const changed = [
    sample(0).graph,
    { ...graph, name: 'other' },
    { ...graph, outputs: graph.outputs.toReversed() },
    parseGraph(printGraph(graph).replace('mul(', 'sub(')),
  ]
  assert.is(new Set([graph, ...changed].map((each) => hashGraph(each))).size, 5)
  const g = createTestGraph()
  const weighted = (element: (i: number) => number): Node =>
    g.op('add', { left: g.input('x', [20]), right: g.weight('w', [20], element) })
  const [one, two] = [g.graph(weighted(() => 1)), g.graph(weighted(() => 2))]
  assert.is(hashGraph(one), hashGraph(two), 'payloads that are not inline count when asked for')
  assert.is.not(hashGraph(one, { payloads: true }), hashGraph(two, { payloads: true }))
})

test.run()
