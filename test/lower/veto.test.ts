import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CompositeName, Node } from '../../compiler/graph/index.ts'
import { createCompilation } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { simd128, x86v4 } from '../../targets/c/level.ts'
import { answersAt } from '../../targets/c/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'

/** A target that keeps softmax along an axis of at least so many elements. */
const keeping = (length: number): Target => ({
  name: 'test',
  level: 'any',
  ...answersAt(simd128),
  keeps: new Set<CompositeName>(['softmax', 'relu']),
  lowers: ({ op, type }: Node) => op === 'softmax' && type.shape.at(-1)! < length,
  unsupported: () => undefined,
  emit: () => Promise.reject(new Error('emits nothing')),
})

function sample() {
  const g = createTestGraph()
  const softmax = (name: string, length: number) => g.op('softmax', { input: g.input(name, [4, length]) })
  return g.graph(softmax('x', 8), softmax('y', 32))
}

const kept = (graph: { readonly nodes: readonly Node[] }) =>
  graph.nodes.filter(({ op }) => op === 'softmax').map(({ type }) => type.shape[1])

test('LO-02 a target keeps an op at some shapes and has it lowered at others', () => {
  const compile = createCompilation(sample(), { evaluate })
  assert.equal(kept(compile(keeping(16)).lowered), [32])
  assert.equal(kept(compile(keeping(64)).lowered), [])
  assert.equal(kept(compile(keeping(1)).lowered), [8, 32])
})

test('LO-02 targets that answer alike share what was lowered', () => {
  const compile = createCompilation(sample(), { evaluate })
  const first = compile(keeping(16)).lowered
  assert.is(compile(keeping(20)).lowered, first)
  assert.is.not(compile(keeping(64)).lowered, first)
  assert.is(compile(keeping(10)).lowered, first)
})

test('attention whose scores fill one vector is made of its parts', () => {
  const g = createTestGraph()
  const ofKeys = (keys: number) =>
    g.op('attention', {
      query: g.input(`q${keys}`, [1, 2, 4, 8]),
      key: g.input(`k${keys}`, [1, 2, keys, 8]),
      value: g.input(`v${keys}`, [1, 2, keys, 8]),
    })
  const [few, many] = [ofKeys(8), ofKeys(64)]
  assert.equal(
    [simd128, x86v4].map((level) => [few, many].map((node) => answersAt(level).lowers!(node))),
    [
      [false, false],
      [true, false],
    ],
  )
})

test.run()
