import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type ModelProblem } from '../../compiler/graph/index.ts'

test('equal pure nodes are one object', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
  assert.is(b.add('add', { left: x, right: b.scalar('f32', 1) }), b.add('add', { left: x, right: b.scalar('f32', 1) }))
  assert.is.not(b.scalar('f32', 0), b.scalar('f32', -0))
})

test('a wrong operand is a problem that names both sides', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
  const y = b.input('y', { dtype: 'f32', shape: [2, 4] })
  assert.throws(
    () => b.add('add', { left: x, right: y }),
    (e: ModelProblem) => e.code === 'shape-mismatch' && e.message === 'add: shapes [2, 3] and [2, 4] do not broadcast',
  )
})

test('limits of an integer clamp are integers, or none', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'i32', shape: [2] })
  assert.ok(b.add('clamp', { input: x }, { minimum: 1 }))
  assert.throws(() => b.add('clamp', { input: x }, { maximum: 0.5 }), /clamp: maximum 0.5 is not a value of i32/)
})

test.run()
