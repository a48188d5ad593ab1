import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { constant, cumProd, decisionTrees, inverse, matmul, reverseSequence } from '../../dsl/index.ts'
import { assertNear, at, build, noise, run } from './run.ts'

test('a running product is that of the elements before, as they lie or from the end', () => {
  const x = build([2, 4], (i, j) => 1 + i + j)
  const { plain, exclusive, reverse } = run({ x }, ({ x }) => ({
    plain: cumProd(x!),
    exclusive: cumProd(x!, { exclusive: true }),
    reverse: cumProd(x!, { axis: 0, reverse: true }),
  }))
  assert.equal(plain!.values, [1, 2, 6, 24, 2, 6, 24, 120])
  assert.equal(exclusive!.values, [1, 1, 2, 6, 1, 2, 6, 24])
  assert.equal(reverse!.values, [2, 6, 12, 20, 2, 3, 4, 5])
})

test('running products of integers wrap', () => {
  const { y, z } = run(
    { 'x:i8': { shape: [3], values: [100, 3, -1] }, 'w:u64': { shape: [2], values: [2 ** 40, 2 ** 30] } },
    ({ x, w }) => ({
      y: cumProd(x!),
      z: cumProd(w!),
    }),
  )
  assert.equal(y!.values, [100, 44, -44])
  assert.equal(z!.values, [2 ** 40, 0])
})

test('each sequence is turned round up to its end', () => {
  const x = build([3, 4, 2], (b, t, i) => 100 * b + 10 * t + i)
  const lengths = [4, 1, 3]
  const { y, z } = run({ x, 'n:i32': { shape: [3], values: lengths } }, ({ x, n }) => ({
    y: reverseSequence(x!, n!),
    z: reverseSequence(x!, constant('i64', [4], [3, 0, 2, 1]), { axis: 0, batchAxis: 1 }),
  }))
  assertNear(
    y!,
    build([3, 4, 2], (b, t, i) => at(x)(b, t < lengths[b]! ? lengths[b]! - 1 - t : t, i)),
    'rows',
  )
  const columns = [3, 0, 2, 1]
  assertNear(
    z!,
    build([3, 4, 2], (b, t, i) => at(x)(b < columns[t]! ? columns[t]! - 1 - b : b, t, i)),
    'columns',
  )
})

test('inverses multiply with their matrices to the unit matrix, rows being exchanged where a pivot is 0', () => {
  const some = noise([2, 5, 5], 3)
  const { unit } = run({ x: some }, ({ x }) => ({ unit: matmul(x!, inverse(x!)) }))
  assertNear(
    unit!,
    build([2, 5, 5], (_, i, j) => Number(i === j)),
    'unit',
    1e-8,
  )
  const { y } = run({ x: { shape: [2, 2], values: [0, 2, 4, 0] } }, ({ x }) => ({ y: inverse(x!) }))
  assertNear(y!, { shape: [2, 2], values: [0, 0.25, 0.5, 0] }, 'exchanged')
  assert.throws(
    () => run({ x: noise([2, 3], 1) }, ({ x }) => ({ y: inverse(x!) })),
    /inverse: input must be \[…, n, n\], got \[2, 3\]/,
  )
})

// One tree asks for column 0, then for column 1 where that is at most 2; the other says 100 or 200.
const tables = () => ({
  feature: constant('i32', [8], [0, 1, 0, 0, 0, 1, 0, 0]),
  threshold: constant('f64', [8], [2, -1, 0, 0, 0, 5, 0, 0]),
  yes: constant('i32', [8], [1, 3, 2, 3, 4, 6, 6, 7]),
  no: constant('i32', [8], [2, 4, 2, 3, 4, 7, 6, 7]),
  roots: constant('i32', [2], [0, 5]),
  values: constant('f64', [8, 1], [0, 0, 1, 2, 3, 0, 100, 200]),
})

test('trees go down to their leaves, and NaN goes where it is sent', () => {
  const x = { shape: [4, 2], values: [2, -1, 2, 0, 3, 6, NaN, NaN] }
  const { sum, mean, sent } = run({ x }, ({ x }) => ({
    sum: decisionTrees(x!, tables(), { depth: 2 }),
    mean: decisionTrees(x!, tables(), { depth: 2, combine: 'mean' }),
    sent: decisionTrees(
      x!,
      { ...tables(), missing: constant('bool', [8], [1, 0, 0, 0, 0, 1, 0, 0]) },
      { depth: 2, combine: 'max' },
    ),
  }))
  assert.equal(sum!.values, [102, 103, 201, 201])
  assert.equal(mean!.values, [51, 51.5, 100.5, 100.5])
  assert.equal(sent!.values, [100, 100, 200, 100])
})

test.run()
