import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, elementsOf, type Graph, verifyGraph } from '../../compiler/graph/index.ts'
import { roundToBf16, roundWeights } from '../../compiler/lower/roundWeights.ts'
import { compileUntil, createCompilation } from '../../compiler/pipeline.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer)
const rounded = (...values: number[]) => [...new Float32Array(roundToBf16(bytesOf(values)).buffer)]

test('numbers become the nearest of bf16, ties the even one', () => {
  const unit = 2 ** -7
  assert.equal(rounded(1, 1 + 0.4 * unit, 1 + 0.6 * unit, -1 - 0.6 * unit), [1, 1, 1 + unit, -1 - unit])
  assert.equal(rounded(1 + 0.5 * unit, 1 + 1.5 * unit, -1 - 0.5 * unit), [1, 1 + 2 * unit, -1])
  assert.equal(rounded(Number.POSITIVE_INFINITY, -0, 2 ** -149), [Number.POSITIVE_INFINITY, -0, 0])
  assert.ok(rounded(Number.NaN).every(Number.isNaN))
  const quiet = new Uint8Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer)
  assert.ok([...new Float32Array(roundToBf16(quiet).buffer)].every(Number.isNaN), 'no NaN becomes infinite')
})

/** y = table[ids] · wᵀ + b, and the table is the weight of a second layer. */
function tied(weight: readonly number[]): Graph {
  const builder = createBuilder()
  const data = { label: 'table', read: () => bytesOf(weight) }
  const table = builder.constant({ dtype: 'f32', shape: [2, 2] }, data)
  const bias = builder.literal({ dtype: 'f32', shape: [2] }, bytesOf([0.1, 0.2]), 'bias')
  const ids = builder.input('ids', { dtype: 'i32', shape: [3] })
  const rows = builder.add('gather', { input: table, indices: ids }, { axis: 0 })
  const first = builder.add('linear', { input: rows, weight: table, bias })
  const second = builder.add('matmul', { left: first, right: table })
  const value = builder.add('add', { left: second, right: bias })
  return builder.finish('tied', [ids], [{ name: 'y', value }])
}
const labelsOf = (graph: Graph, op: string) =>
  graph.nodes.flatMap((node) => (node.op === op ? node.operands.flatMap(({ data }) => data?.label ?? []) : []))

test('weights of products are rounded, and neither biases nor tables', () => {
  const graph = tied([0.1, 1, 2, -3.3])
  const result = roundWeights(graph)
  verifyGraph(result, { payloads: true })
  assert.equal(labelsOf(result, 'linear'), ['bf16(table)', 'bias'])
  assert.equal(labelsOf(result, 'matmul'), ['bf16(table)'])
  assert.equal(labelsOf(result, 'gather'), ['table'])
  assert.equal(labelsOf(result, 'add'), ['bias'])
  const weight = result.nodes.find(({ op }) => op === 'linear')!.operands[1]!.data!
  const { get } = elementsOf('f32', weight.read())
  assert.equal([0, 1, 2, 3].map(get), rounded(0.1, 1, 2, -3.3))
  assert.is(roundWeights(result), result, 'a second time there is nothing to do')
  assert.is(roundWeights(graph).nodes.find(({ op }) => op === 'linear')!.operands[1]!.data, weight, 'entries share payloads')
})

test('weights that are numbers of bf16 stay what they are, and so do those that would become infinite', () => {
  for (const weights of [
    [1, 2, -0.5, Number.NEGATIVE_INFINITY],
    [0.1, 3.4e38, 1, 1],
  ]) {
    const graph = tied(weights)
    assert.is(roundWeights(graph), graph)
  }
})

test('only a target with the option gets rounded weights, of one compilation for several', () => {
  const compile = createCompilation(tied([0.1, 1, 2, -3.3]), { evaluate })
  const labels = (target: typeof interpreter) =>
    labelsOf(compile(target).lowered, 'matmul').filter((label) => /table/.test(label))
  const plain = labels(interpreter)
  assert.not.match(plain.join(), /bf16/)
  assert.match(labels({ ...interpreter, precision: 'bf16' }).join(), /bf16/)
  assert.equal(labels(interpreter), plain)
  const { log } = compileUntil(tied([0.1, 1, 2, -3.3]), { evaluate, target: { ...interpreter, precision: 'bf16' } }, 'lowered')
  assert.ok(log.some(({ pass, changed }) => pass === 'round-weights' && changed))
})

test.run()
