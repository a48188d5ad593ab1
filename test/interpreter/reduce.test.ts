import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assertClose } from '../support/compare.ts'
import { draw } from '../support/draw.ts'
import { apply, tensor, wideTensor } from './apply.ts'
import { positions, reader } from './naive.ts'

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
const over = (axes: readonly number[], keepDims = false) => ({ axes, keepDims })

test('reductions over chosen axes', () => {
  const x = tensor('i32', [2, 3], [1, 2, 3, 4, 5, 6])
  assert.equal(apply('reduceSum', [x], over([0])).values, [5, 7, 9])
  assert.equal(apply('reduceProd', [x], over([-1])).values, [6, 120])
  assert.equal(apply('reduceMax', [x], over([0, 1])).values, [6])
  assert.equal(apply('reduceMin', [x], over([1], true)).type.shape, [2, 1])
  assert.equal(apply('reduceSum', [x], over([])).values, [1, 2, 3, 4, 5, 6])
  assert.equal(apply('reduceSum', [tensor('f32', [], [5])], over([])).values, [5])
})

test('empty ranges give the neutral element; an empty result needs none', () => {
  const x = tensor('f32', [2, 0], [])
  assert.equal(apply('reduceSum', [x], over([1])).values, [0, 0])
  assert.equal(apply('reduceProd', [x], over([1])).values, [1, 1])
  assert.equal(apply('reduceSum', [x], over([0])).values, [])
  assert.equal(apply('reduceMax', [x], over([0])).values, [])
  assert.equal(apply('reduceSum', [wideTensor('i64', [0], [])], over([0])).values, [0n])
  assert.throws(() => apply('reduceMax', [x], over([1])), /no element to choose/)
})

test('NaN wins maxima and minima, wherever it stands', () => {
  const x = tensor('f32', [3, 2], [nan, 1, 1, nan, -inf, inf])
  assert.equal(apply('reduceMax', [x], over([1])).values, [nan, nan, inf])
  assert.equal(apply('reduceMin', [x], over([1])).values, [nan, nan, -inf])
})

test('sums are rounded once, integers wrap, 64-bit integers are exact', () => {
  // In f32 the sum would stay at 2^24 after the first addition.
  assert.equal(apply('reduceSum', [tensor('f32', [5], [2 ** 24, 1, 1, 1, 1])], over([0])).values, [2 ** 24 + 4])
  assert.equal(apply('reduceSum', [tensor('f16', [3], [60000, 60000, -60000])], over([0])).values, [60000])
  assert.equal(apply('reduceSum', [tensor('i8', [3], [100, 100, 100])], over([0])).values, [44])
  assert.equal(apply('reduceProd', [tensor('i32', [3], [65537, 65537, 65537])], over([0])).values, [196609])
  assert.equal(apply('reduceProd', [tensor('u8', [2], [16, 17])], over([0])).values, [16])
  assert.equal(apply('reduceSum', [wideTensor('i64', [3], [2n ** 53n, 1n, 1n])], over([0])).values, [2n ** 53n + 2n])
  assert.equal(apply('reduceMax', [wideTensor('u64', [3], [2n ** 63n, 2n ** 64n - 1n, 0n])], over([0])).values, [2n ** 64n - 1n])
  assert.equal(apply('reduceMin', [wideTensor('i64', [2], [-(2n ** 63n), 0n])], over([0])).values, [-(2n ** 63n)])
})

test('reductions agree with a loop over coordinates', () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  const property = fc.property(
    shapes,
    fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    fc.boolean(),
    (shape, chosen, keepDims) => {
      const axes = shape.flatMap((_, axis) => (chosen[axis] ? [axis] : []))
      const values = Array.from({ length: product(shape) }, (_, i) => Math.fround(Math.cos(i * 3.7)))
      const at = reader(shape, values)
      const kept = shape.map((extent, axis) => (chosen[axis] ? 1 : extent))
      const groups = positions(kept).map((base) =>
        positions(shape.map((extent, axis) => (chosen[axis] ? extent : 1))).map(
          (offset) => at(base.map((b, axis) => b + offset[axis]!))!,
        ),
      )
      const check = (op: string, expected: (list: number[]) => number) => {
        const result = apply(op, [tensor('f32', shape, values)], over(axes, keepDims))
        assertClose(result.bytes, groups.map(expected), result.type, { rtol: 1e-6, atol: 1e-7 }, op)
      }
      check('reduceSum', (list) => list.reduce((a, b) => a + b, 0))
      check('reduceProd', (list) => list.reduce((a, b) => a * b, 1))
      check('reduceMax', (list) => Math.max(...list))
      check('reduceMin', (list) => Math.min(...list))
    },
  )
  fc.assert(property, draw(2, 100))
})

test('matmul broadcasts leading dimensions', () => {
  const property = fc.property(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('both', 'left', 'right', 'short')), { maxLength: 3 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 0, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    (batch, rows, inner, columns) => {
      // `left` and `right` say which side has the extent while the other has 1; `short` at the front leaves it out on the right.
      const leftBatch = batch.map(([extent, side]) => (side === 'right' ? 1 : extent))
      const dropped = batch.findIndex(([, side]) => side !== 'short')
      const rightBatch = batch
        .slice(dropped < 0 ? batch.length : dropped)
        .map(([extent, side]) => (side === 'left' || side === 'short' ? 1 : extent))
      const fill = (shape: number[], seed: number) =>
        Array.from({ length: product(shape) }, (_, i) => Math.fround(Math.sin(i * 1.3 + seed)))
      const [leftShape, rightShape] = [
        [...leftBatch, rows, inner],
        [...rightBatch, inner, columns],
      ]
      const [a, b] = [fill(leftShape, 1), fill(rightShape, 2)]
      const result = apply('matmul', [tensor('f32', leftShape, a), tensor('f32', rightShape, b)])
      const [left, right] = [reader(leftShape, a), reader(rightShape, b)]
      const clip = (at: number[], shape: number[]) =>
        shape.map((extent, axis) => (extent === 1 ? 0 : at[at.length - shape.length + axis]!))
      const expected = positions([...result.type.shape]).map((at) => {
        const [row, column] = at.slice(-2) as [number, number]
        let sum = 0
        for (let k = 0; k < inner; k++) {
          sum += left([...clip(at.slice(0, -2), leftBatch), row, k])! * right([...clip(at.slice(0, -2), rightBatch), k, column])!
        }
        return sum
      })
      assertClose(result.bytes, expected, result.type, { rtol: 1e-6, atol: 1e-7 }, 'matmul')
    },
  )
  fc.assert(property, draw(4, 200))
})

test('matmul over an empty inner dimension is zero, and accumulates in double', () => {
  assert.equal(apply('matmul', [tensor('f32', [2, 0], []), tensor('f32', [0, 2], [])]).values, [0, 0, 0, 0])
  assert.equal(apply('matmul', [tensor('f32', [1, 3], [1e6, 1, -1e6]), tensor('f32', [3, 1], [1e6, 1, 1e6])]).values, [1])
})

test.run()
