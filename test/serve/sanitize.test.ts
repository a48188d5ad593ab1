// RT-14, RT-27: what would pick rows that no table has is found before it runs.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GlowplugError } from '../../targets/runtime/error.ts'
import type { InputUse } from '../../targets/runtime/serve/placement.ts'
import { createSanitizer, sanitize } from '../../targets/runtime/serve/sanitize.ts'
import type { TensorArray } from '../../targets/runtime/tensor.ts'

const table = (rows: number, from: number, to: number, name = 'users') => ({ table: name, rows, from, to })

/** What is found in named arrays with their uses: code and message, or undefined. */
function find(
  inputs: Readonly<Record<string, readonly [TensorArray, InputUse]>>,
  check = sanitize,
): readonly [string, string] | undefined {
  const list = Object.entries(inputs)
  try {
    check(
      list.map(([, [, use]]) => use),
      list.map(([name, [array]]) => ({ name, dtype: 'i32', shape: [array.length] })),
      list.map(([, [array]]) => array),
    )
    return undefined
  } catch (error) {
    if (!(error instanceof GlowplugError)) throw error
    return [error.code, error.message]
  }
}

test('RT-14 indices of every width lie within the rows, negative ones counted from the end, as the op takes them', () => {
  for (const make of [
    (values: number[]) => Int8Array.from(values),
    (values: number[]) => Int16Array.from(values),
    (values: number[]) => Int32Array.from(values),
    (values: number[]) => BigInt64Array.from(values, BigInt),
  ]) {
    const use = { indices: [table(10, 0, 4)] }
    assert.is(find({ ids: [make([0, 9, -10, -1]), use] }), undefined)
    assert.equal(find({ ids: [make([0, 9, 10, 99]), use] }), [
      'input-index',
      "input 'ids'[2] is 10, which picks no row of table 'users': it may be -10 to 9",
    ])
    assert.match(find({ ids: [make([0, 1, 2, -11]), use] })![1], "'ids'[3] is -11")
  }
})

test('RT-27 wide indices are compared whole, not by their lower half', () => {
  const use = { indices: [table(10, 0, 1)] }
  for (const value of [2n ** 32n, 2n ** 32n + 5n, -(2n ** 32n), 2n ** 62n, -(2n ** 63n), 2n ** 31n])
    assert.match(find({ ids: [BigInt64Array.of(value), use] })![1], `'ids'[0] is ${value},`)
  const large = { indices: [table(2 ** 33, 0, 2)] }
  assert.is(find({ ids: [BigInt64Array.of(2n ** 33n - 1n, -(2n ** 33n)), large] }), undefined)
  assert.is(find({ ids: [BigInt64Array.of(0n, 2n ** 33n), large] })![0], 'input-index')
})

test('RT-14 each stretch of an input has a table of its own, and shorter requests proportionally shorter ones', () => {
  const use = { indices: [table(10, 0, 4, 'a'), table(3, 4, 8, 'b')] }
  assert.is(find({ ids: [Int32Array.of(9, 9, 9, 9, 2, 2, 2, 2), use] }), undefined)
  assert.match(find({ ids: [Int32Array.of(9, 9, 9, 9, 2, 3, 2, 2), use] })![1], "'ids'[5] is 3, which picks no row of table 'b'")
  assert.match(find({ ids: [Int32Array.of(9, 2, 2, 3), use] })![1], "'ids'[3] is 3, which picks no row of table 'b'")
})

test('RT-14 lengths are not negative and have no more indices than there are; what is in no bag is not looked at', () => {
  const found = (lengths: readonly number[], ids = [1, 2, 3, 99]) =>
    find({ ids: [Int32Array.from(ids), { indices: [table(10, 0, 4)] }], lengths: [Int32Array.from(lengths), { lengthsOf: 0 }] })
  assert.is(found([1, 0, 2]), undefined)
  assert.is(found([0, 0, 0], [99, 99, 99, 99]), undefined)
  assert.equal(found([1, 2, 1])![0], 'input-index')
  assert.equal(found([1, -1, 3]), [
    'input-lengths',
    "input 'lengths'[1] is the length -1, expected a number of at least 0 of the 4 indices in 'ids'",
  ])
  assert.equal(found([1, 2, 2]), [
    'input-lengths',
    "input 'lengths'[2] is the length 2, with which bags have 5 indices; 'ids' has 4",
  ])
  // A sum that wraps around in 32 bits.
  assert.is(found([2 ** 31 - 1, 2 ** 31 - 1, 2])![0], 'input-lengths')
})

test('RT-14 offsets begin at 0, never fall and end with the indices; all zeros are no look-ups', () => {
  const found = (offsets: readonly number[]) =>
    find({
      ids: [Int32Array.of(1, 2, 3, 99), { indices: [table(10, 0, 4)] }],
      offsets: [Int32Array.from(offsets), { offsetsOf: 0 }],
    })
  assert.is(found([0, 1, 1, 3]), undefined)
  assert.is(found([0, 0, 0, 0]), undefined)
  assert.is(found([0, 1, 4])![0], 'input-index')
  assert.match(found([1, 2, 3])!.join(), /input-offsets,input 'offsets'\[0\] is the offset 1, expected 0/)
  assert.match(found([0, 3, 2])!.join(), /input-offsets,input 'offsets'\[2\] is the offset 2, expected at least 3/)
  assert.match(found([0, 3, 5])!.join(), /input-offsets,input 'offsets'\[2\] is the offset 5/)
  assert.match(found([0, -1, 2])!.join(), /input-offsets/)
})

test('RT-14 there are as many weights as indices', () => {
  const found = (weights: number) =>
    find({ ids: [Int32Array.of(1, 2), { indices: [table(10, 0, 2)] }], w: [new Float32Array(weights), { weightsOf: 0 }] })
  assert.is(found(2), undefined)
  assert.equal(found(3), ['input-lengths', "input 'w' has 3 weights for the 2 indices in 'ids'"])
})

test('RT-14 a share of the requests is checked, the same ones each time, and none without need', () => {
  const bad = { ids: [Int32Array.of(99), { indices: [table(10, 0, 1)] }] as const }
  const seen = (share: number) => {
    const check = createSanitizer(share)
    return Array.from({ length: 100 }, () => (check && find(bad, check) ? 1 : 0) as number)
  }
  assert.is(createSanitizer(0), undefined)
  for (const share of [0.01, 0.25, 0.29, 0.5, 1]) {
    assert.is(
      seen(share).reduce((sum, hit) => sum + hit, 0),
      Math.round(100 * share),
    )
    assert.equal(seen(share), seen(share))
  }
  assert.equal(seen(0.25).slice(0, 8), [0, 0, 0, 1, 0, 0, 0, 1])
})

test.run()
