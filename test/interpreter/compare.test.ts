import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { accumulationBound, assertClose, boundOf, bytesOf } from '../support/compare.ts'

const type = { dtype: 'f32' as const, shape: [2, 2] }
const { NaN: nan, POSITIVE_INFINITY: inf } = Number

test('values within bounds pass, one beyond fails with position, values and the largest error', () => {
  assertClose([1, 2, 3, 4], [1, 2.0001, 3, 4], type, { atol: 2e-4 })
  assertClose([1, 2, 3, 4], [1, 2.0001, 3, 4], type, { rtol: 1e-4 })
  assert.throws(
    () => assertClose([1, 2, 3, 9], [1, 2.5, 3, 4], type, { atol: 0.1 }, 'y'),
    (problem: Error) =>
      /^y f32\[2, 2\]: 2 of 4 elements/.test(problem.message) &&
      /first: \[0, 1\] is 2, expected 2.5/.test(problem.message) &&
      /worst: \[1, 1\] is 9, expected 4, off by 5/.test(problem.message),
  )
})

test('NaN and infinities only match themselves; zeros match whatever their sign', () => {
  assertClose([nan, inf, -inf, 0], [nan, inf, -inf, -0], type)
  const generous = { atol: 1e300, rtol: 1e300 }
  for (const [actual, expected] of [
    [nan, 1],
    [1, nan],
    [inf, 1],
    [1, inf],
    [inf, -inf],
    [inf, nan],
  ]) {
    assert.throws(() => assertClose([actual!, 0, 0, 0], [expected!, 0, 0, 0], type, generous), /1 of 4 elements/)
  }
})

test('sizes are compared, 64-bit integers exactly', () => {
  assert.throws(() => assertClose([1, 2, 3], [1, 2, 3, 4], type), /actual has 3 elements instead of 4/)
  const wide = { dtype: 'i64' as const, shape: [1] }
  const bytes = (value: bigint) => new Uint8Array(BigInt64Array.of(value).buffer)
  assert.throws(() => assertClose(bytes(2n ** 60n), bytes(2n ** 60n + 1n), wide), /off by 1/)
  assertClose(bytesOf({ dtype: 'i8', shape: [2] }, [300, -1]), [127, -1], { dtype: 'i8', shape: [2] })
})

test('ops without a stated bound are exact', () => {
  assert.equal(boundOf('add', 'f32'), {})
  assert.equal(boundOf('add', 'i32'), {})
  assert.ok(boundOf('exp', 'f32').rtol! > 0)
  assert.ok(accumulationBound(100, 1).atol! < 1e-4)
})

test.run()
