// Loop, Scan and If of ONNX as loops and branches of the model: what they compute, and that the source says the same.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, elementsOf, scalarBytes } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { writeSource } from '../../dsl/onnx/write/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { modelText } from '../support/sameGraph.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor, type Sketch } from './build.ts'
import { readSource } from './written/record.ts'

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const bytesOf = (dtype: DType, value: number) => scalarBytes(dtype, value)

/** Imports, checks that the source gives the graph, and runs it. */
async function computed(sketch: Sketch, inputs: Record<string, Uint8Array>, { opset = 21, limits = {} } = {}) {
  const imported = await importGraph(onnxModel(sketch, opset), { name: 'looping', limits })
  const source = writeSource(imported.recordings, { weightsFile: './looping.safetensors' })
  const { graph } = imported.graph.entries[0]!
  assert.fixture(
    await readSource(source, 'looping', new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 123, 125])),
    modelText(imported.graph),
  )
  const results = runGraph(graph, inputs)
  const read = (name: string) => {
    const { dtype } = graph.outputs.find((output) => output.name === name)!.value.type
    const elements = elementsOf(dtype, results[name]!)
    return Array.from({ length: elements.length }, (_, i) => elements.get(i))
  }
  return { read, source, ops: graph.nodes.map(({ op }) => op) }
}

const constants = [onnxTensor('two', 'f32', [], [2]), onnxTensor('big', 'f32', [], [50])]
/** v ← v · 2 + x of the graph around it, until v > 50. */
const body = onnxGraph({
  inputs: { i: ['i64', []], go: ['bool', []], v: ['f32', [2]] },
  nodes: [
    onnxNode('Mul', 'v, two', 'd'),
    onnxNode('Add', 'd, x', 'n'),
    onnxNode('ReduceMax', 'n', 'most', { keepdims: 0 }),
    onnxNode('Less', 'most, big', 'again'),
    onnxNode('Identity', 'n', 'k'),
  ],
  outputs: ['again', 'n', 'k'],
})

test('a Loop whose end depends on data is one loop of the model, over what is around it', async () => {
  const sketch: Sketch = {
    inputs: { x: ['f32', [2]], m: ['i64', []] },
    constants,
    nodes: [onnxNode('Loop', 'm, , x', 'last, all', { body })],
    outputs: ['last', 'all'],
  }
  const { read, ops } = await computed(sketch, { x: floats(1, 3), m: bytesOf('i64', 9) }, { limits: { all: 6 } })
  assert.ok(ops.includes('loop'))
  // 3, 9, 21, 45, 93
  assert.equal(read('last'), [31, 93])
  assert.equal(read('all'), [3, 9, 7, 21, 15, 45, 31, 93, 0, 0, 0, 0])
  assert.equal(read('all.count0'), [4])
})

test('without a limit for what it keeps, the message says how to give one', async () => {
  const sketch: Sketch = {
    inputs: { x: ['f32', [2]], m: ['i64', []] },
    constants,
    nodes: [onnxNode('Loop', 'm, , x', 'last, all', { body })],
    outputs: ['last', 'all'],
  }
  try {
    await importGraph(onnxModel(sketch), { name: 'looping' })
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /size that depends on data; --limit all=64/)
  }
})

test('a Scan of many steps is a loop, one of few is written out', async () => {
  const step = onnxGraph({
    inputs: { s: ['f32', [2]], r: ['f32', [2]] },
    nodes: [onnxNode('Add', 's, r', 'n'), onnxNode('Mul', 'n, two', 'k')],
    outputs: ['n', 'k'],
  })
  for (const length of [3, 100]) {
    const sketch: Sketch = {
      inputs: { start: ['f32', [2]], rows: ['f32', [length, 2]] },
      constants,
      nodes: [onnxNode('Scan', 'start, rows', 'end, all', { body: step, num_scan_inputs: 1, scan_input_directions: [1] })],
      outputs: ['end', 'all'],
    }
    const rows = Array.from({ length: 2 * length }, (_, i) => i)
    const { read, ops } = await computed(sketch, { start: floats(0, 0), rows: floats(...rows) })
    assert.is(ops.includes('loop'), length > 64)
    assert.equal(read('end'), [length * (length - 1), length * length])
    assert.equal(read('all').slice(0, 2), [4 * (length - 1), 2 * (2 * length - 1)])
  }
})

test('an If in a Loop, with sides worth it, computes one of them', async () => {
  const chain = (first: string, last: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      onnxNode(i === 0 ? first : 'Abs', i === 0 ? 'v' : `${last}${i - 1}`, i === count - 1 ? last : `${last}${i}`),
    )
  const inner = onnxGraph({
    inputs: { i: ['i64', []], go: ['bool', []], v: ['f32', [2]] },
    nodes: [
      onnxNode('Equal', 'i, turn', 'first'),
      onnxNode('If', 'first', 'n', {
        then_branch: onnxGraph({ nodes: chain('Neg', 'a', 9), outputs: ['a'] }),
        else_branch: onnxGraph({ nodes: [...chain('Identity', 'b', 9), onnxNode('Add', 'b, x', 'c')], outputs: ['c'] }),
      }),
    ],
    outputs: ['go', 'n'],
  })
  const sketch: Sketch = {
    inputs: { x: ['f32', [2]], m: ['i64', []] },
    constants: [onnxTensor('turn', 'i64', [], [0])],
    nodes: [onnxNode('Loop', 'm, , x', 'last', { body: inner })],
    outputs: ['last'],
  }
  const { read, source } = await computed(sketch, { x: floats(-1, 3), m: bytesOf('i64', 3) })
  // |−x|, then twice v + x
  assert.equal(read('last'), [-1, 9])
  assert.match(source, /branch\(/)
})

test.run()
