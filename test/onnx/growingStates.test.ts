// Caches that each run makes longer, as exporters of decoders write them: a session carries their last elements.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { plausiblePairs } from '../../dsl/onnx/import/states.ts'
import { compile } from '../../plugin/compile.ts'
import { openSessions } from '../../targets/runtime/index.ts'
import { onnxModel, onnxNode, type Sketch } from './build.ts'

const value = (name: string, shape: readonly (number | string | undefined)[]) => ({ name, dtype: 'f32' as const, shape })

test('what a run cannot have made of an input is not taken for its state', () => {
  for (const [before, after, found] of [
    [[1, 'past', 4], [1, 'past + 1', 4], true],
    [['n', 4], [undefined, undefined], true],
    [[2, 4], ['anything', 4], true],
    [[1, 3, 4], [1, 4, 4], true],
    [[1, 'samples'], [1, 1], false],
    [[1, 3, 41], [1, 1, 1], false],
    [[1, 3, 4], [1, 4, 5], false],
    [[1, 4], [1, 1, 4], false],
  ] as const)
    assert.is(plausiblePairs([value('input', before)], [value('output', after)]).length > 0, found, `[${before}] [${after}]`)
})

/** y = mask · (cache, x), and (cache, x) is the cache of the next run. */
const decoder: Sketch = {
  inputs: { past: ['f32', [1, 'length', 2]], x: ['f32', [1, 1, 2]], mask: ['f32', [1, 1, 'length + 1']] },
  nodes: [onnxNode('Concat', 'past, x', 'present', { axis: 1 }), onnxNode('MatMul', 'mask, present', 'y')],
  outputs: ['y', 'present'],
}

test('a session of a decoder whose cache grows sees as many steps as the cache holds', async () => {
  const { graph, notes } = await importGraph(onnxModel(decoder, 17), { name: 'decoder', states: 'auto', dims: { length: 3 } })
  assert.equal(graph.states, [{ name: 'past', input: 'past', output: 'past', type: { dtype: 'f32', shape: [1, 3, 2] } }])
  assert.ok(notes.some((note) => note.includes('the last 3 of 4 along axis 1 go on')))
  const net = openSessions<any, any>(await compile(graph, { target: 'wasm' }))
  const session = net.session()
  for (let step = 1; step <= 6; step++) {
    const seen = Math.min(step, 4)
    const mask = Float32Array.from({ length: 4 }, (_, i) => (i >= 4 - seen ? 1 : 0))
    const { y } = await session.run({ x: Float32Array.of(step, 10 * step), mask })
    const sum = Array.from({ length: seen }, (_, i) => step - i).reduce((total, term) => total + term, 0)
    assert.equal([...y.data], [sum, 10 * sum], `step ${step}`)
  }
  await net.close()
})

test('a state that grows in another way is refused with both types', async () => {
  const twice: Sketch = {
    inputs: { past: ['f32', [2, 3]] },
    nodes: [onnxNode('Concat', 'past, past', 'long', { axis: 1 }), onnxNode('Concat', 'long, long', 'present', { axis: 0 })],
    outputs: ['present'],
  }
  try {
    await importGraph(onnxModel(twice, 17), { states: { past: 'present' } })
  } catch (error: any) {
    assert.match(error.message, /input 'past' is f32\[2, 3\] and output 'present' is f32\[4, 6\].*grows along one axis/)
    return
  }
  assert.unreachable('it is no state')
})

test.run()
