// Sizes that neither the file nor the user states, where the usual ones do not fit.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { onnxModel, onnxNode, onnxTensor, type Sketch } from './build.ts'

const count = (length: number) => Array.from({ length }, (_, i) => i % 7)
const shapesOf = async (sketch: Sketch, dims: Readonly<Record<string, number>> = {}) => {
  const { graph, notes } = await importGraph(onnxModel(sketch), { dims })
  return { shapes: graph.entries[0]!.graph.inputs.map(({ type }) => type.shape), notes }
}

test('a layer of fixed size behind an open dimension decides it', async () => {
  const { shapes, notes } = await shapesOf({
    inputs: { audio: ['f32', ['batch', 'samples']] },
    constants: [onnxTensor('w', 'f32', [1024, 2], count(2048))],
    nodes: [onnxNode('MatMul', 'audio, w', 'y')],
    outputs: ['y'],
  })
  assert.equal(shapes, [[1, 1024]])
  assert.match(notes.join('\n'), /samples has no size in the file, it is 1024 here, since a usual one does not fit/)
})

test('a mask is as long as what a cache holds and what comes', async () => {
  const attention: Sketch = {
    inputs: {
      x: ['f32', ['batch', 'sequence', 4]],
      past: ['f32', ['batch', 'past', 4]],
      mask: ['f32', ['batch', 1, 'total']],
    },
    nodes: [
      onnxNode('Concat', 'past, x', 'present', { axis: 1 }),
      onnxNode('Transpose', 'present', 'keys', { perm: [0, 2, 1] }),
      onnxNode('MatMul', 'x, keys', 'scores'),
      onnxNode('Add', 'scores, mask', 'masked'),
      onnxNode('MatMul', 'masked, present', 'y'),
    ],
    outputs: ['y', 'present'],
  }
  const { shapes } = await shapesOf(attention, { past: 255, sequence: 1 })
  assert.equal(shapes, [
    [1, 1, 4],
    [1, 255, 4],
    [1, 1, 256],
  ])
  assert.equal((await shapesOf(attention)).shapes[2], [1, 1, 256])
})

test('several dimensions are found, one after the other', async () => {
  const { shapes } = await shapesOf({
    inputs: { x: ['f32', [1, 'samples']], state: ['f32', [2, undefined, 8]], image: ['f32', [1, 1, 'height', 'width']] },
    constants: [
      onnxTensor('w', 'f32', [512, 8], count(4096)),
      onnxTensor('s', 'i64', [2], [1, 16]),
      onnxTensor('f', 'f32', [784, 2], count(1568)),
      onnxTensor('p', 'i64', [2], [1, 784]),
    ],
    nodes: [
      onnxNode('MatMul', 'x, w', 'a'),
      onnxNode('Reshape', 'state, s', 'b'),
      onnxNode('Concat', 'a, b', 'y', { axis: 1 }),
      onnxNode('Reshape', 'image, p', 'c'),
      onnxNode('MatMul', 'c, f', 'z'),
    ],
    outputs: ['y', 'z'],
  })
  assert.equal(shapes, [
    [1, 512],
    [2, 1, 8],
    [1, 1, 28, 28],
  ])
})

test('what no size can mend is told of the usual sizes, after a bounded search', async () => {
  const fails = async (nodes: Sketch['nodes'], constants: Sketch['constants']) => {
    try {
      await importGraph(onnxModel({ inputs: { x: ['f32', ['length', 3]] }, constants: constants!, nodes, outputs: ['y'] }))
    } catch (error: any) {
      return error.message as string
    }
    throw new Error('nothing failed')
  }
  const weights = [onnxTensor('w', 'f32', [4, 2], count(8))]
  const message = await fails([onnxNode('MatMul', 'x, w', 'y')], weights)
  assert.match(message, /inner dimensions 3 and 4 differ/)
  assert.match(message, /sizes that nobody stated were guessed, as 128 for length; state them: --dim length=…$/)
  assert.match(await fails([onnxNode('Conjure', 'x', 'y')], weights), /no counterpart/)
})

test.run()
