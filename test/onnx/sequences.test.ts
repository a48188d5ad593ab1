import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementsOf, ModelProblem } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor, type Sketch } from './build.ts'

/** Imports a sketch over `x` f32 [4, 2], which holds 0 … 7, and gives its outputs. */
async function results(sketch: Omit<Sketch, 'inputs'>): Promise<Record<string, number[]>> {
  const imported = await importGraph(onnxModel({ ...sketch, inputs: { x: ['f32', [4, 2]] } }))
  const { graph } = imported.graph.entries[0]!
  const ran = runGraph(graph, { x: new Uint8Array(new Float32Array([0, 1, 2, 3, 4, 5, 6, 7]).buffer) })
  return Object.fromEntries(
    imported.outputs.map(({ onnx, name }) => {
      const { dtype } = graph.outputs.find((output) => output.name === name)!.value.type
      const elements = elementsOf(dtype, ran[name]!)
      return [onnx, Array.from({ length: elements.length }, (_, i) => elements.get(i))]
    }),
  )
}
const index = (name: string, value: number) => onnxTensor(name, 'i64', [], [value])

test('a tensor that is cut into a sequence is joined again, along another axis', async () => {
  const nodes = [
    onnxNode('SplitToSequence', 'x, two', 's', { axis: 0 }),
    onnxNode('SequenceLength', 's', 'count'),
    onnxNode('ConcatFromSequence', 's', 'wide', { axis: 1 }),
    onnxNode('SequenceAt', 's, last', 'part'),
    onnxNode('SplitToSequence', 'x', 'rows', { axis: 0, keepdims: 0 }),
    onnxNode('ConcatFromSequence', 'rows', 'turned', { axis: -1, new_axis: 1 }),
  ]
  const found = await results({
    constants: [index('two', 2), index('last', -1)],
    nodes,
    outputs: ['wide', 'count', 'part', 'turned'],
  })
  assert.equal(found, {
    wide: [0, 1, 4, 5, 2, 3, 6, 7],
    count: [2],
    part: [4, 5, 6, 7],
    turned: [0, 2, 4, 6, 1, 3, 5, 7],
  })
})

test('tensors are put into a sequence and taken out of it at positions', async () => {
  const nodes = [
    onnxNode('SequenceEmpty', '', 'none'),
    onnxNode('SequenceInsert', 'none, x', 'one'),
    onnxNode('Neg', 'x', 'minus'),
    onnxNode('SequenceInsert', 'one, minus, zero', 'two'),
    onnxNode('Identity', 'two', 'same'),
    onnxNode('SequenceErase', 'same', 'first'),
    onnxNode('SequenceAt', 'first, zero', 'y'),
  ]
  const { y } = await results({ constants: [index('zero', 0)], nodes, outputs: ['y'] })
  assert.equal(y!.map(Math.abs), [0, 1, 2, 3, 4, 5, 6, 7])
  assert.is(y![1], -1)
})

test('a body is run for each item, and sees what is around it', async () => {
  const body = onnxGraph({ inputs: { a: ['f32', [4, 2]] }, nodes: [onnxNode('Add', 'a, outer', 'b')], outputs: ['b'] })
  const nodes = [
    onnxNode('Neg', 'x', 'outer'),
    onnxNode('Mul', 'x, x', 'square'),
    onnxNode('SequenceConstruct', 'x, square', 's'),
    onnxNode('SequenceMap', 's', 't', { body }),
    onnxNode('SequenceAt', 't, one', 'y'),
  ]
  const { y } = await results({ constants: [index('one', 1)], nodes, outputs: ['y'] })
  assert.equal(y, [0, 0, 2, 6, 12, 20, 30, 42])
})

test('optional values are there or not, which is known while importing', async () => {
  const nodes = [
    onnxNode('Optional', 'x', 'some'),
    onnxNode('OptionalHasElement', 'some', 'has'),
    onnxNode('Optional', '', 'nothing'),
    onnxNode('OptionalHasElement', 'nothing', 'lacks'),
    onnxNode('OptionalGetElement', 'some', 'inner'),
    onnxNode('Neg', 'inner', 'y'),
  ]
  const { has, lacks, y } = await results({ nodes, outputs: ['has', 'lacks', 'y'] })
  assert.equal([has, lacks, y![7]], [[1], [0], -7])
})

for (const [what, nodes, message] of [
  [
    'a position outside',
    [onnxNode('SequenceConstruct', 'x', 's'), onnxNode('SequenceAt', 's, two', 'y')],
    /position 2 is outside a sequence of 1/,
  ],
  [
    'a sequence where a tensor is needed',
    [onnxNode('SequenceConstruct', 'x', 's'), onnxNode('Neg', 's', 'y')],
    /it takes a sequence of tensors/,
  ],
  ['a tensor where a sequence is needed', [onnxNode('SequenceAt', 'x, two', 'y')], /input 0 is no sequence/],
  ['an element of nothing', [onnxNode('Optional', '', 'o'), onnxNode('OptionalGetElement', 'o', 'y')], /has no element/],
  ['a sequence as an output', [onnxNode('SequenceConstruct', 'x', 'y')], /graph output 'y': it is a sequence of tensors/],
] as const)
  test(`${what} is an error of the import`, async () => {
    try {
      await results({ constants: [index('two', 2)], nodes, outputs: ['y'] })
      assert.unreachable()
    } catch (error) {
      assert.instance(error, ModelProblem)
      assert.match((error as Error).message, message)
    }
  })

test.run()
