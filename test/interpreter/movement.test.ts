import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, dtypeFacts, dtypes, elementsOf } from '../../compiler/graph/index.ts'
import { EvaluationFault } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { apply, type TestTensor, tensor, wideTensor } from './apply.ts'
import { positions, reader } from './naive.ts'

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

test('gather: the examples of ONNX Gather', () => {
  const data = tensor('f32', [3, 2], [1, 1.2, 2.3, 3.4, 4.5, 5.7])
  const rows = apply('gather', [data, tensor('i64', [2, 2], [0, 1, 1, 2])], { axis: 0 })
  assert.equal(rows.type.shape, [2, 2, 2])
  assert.equal(rows.values, [1, 1.2, 2.3, 3.4, 2.3, 3.4, 4.5, 5.7].map(Math.fround))
  const columns = apply('gather', [tensor('f32', [3, 3], range(9)), tensor('i32', [1, 2], [0, 2])], { axis: 1 })
  assert.equal(columns.type.shape, [3, 1, 2])
  assert.equal(columns.values, [0, 2, 3, 5, 6, 8])
  assert.equal(apply('gather', [tensor('f32', [10], range(10)), tensor('i64', [3], [0, -9, -10])]).values, [0, 1, 0])
  assert.equal(apply('gather', [tensor('f32', [2, 3], range(6)), tensor('u8', [], [1])], { axis: -1 }).values, [1, 4])
})

test('gather: an index outside its axis is a fault that names op, index and extent', () => {
  for (const index of [3, -4]) {
    assert.throws(
      () => apply('gather', [tensor('f32', [3, 2], range(6)), tensor('i32', [2], [0, index])]),
      (problem: unknown) =>
        problem instanceof EvaluationFault &&
        problem.message === `gather: index ${index} is outside axis 0, which has 3 elements`,
    )
  }
  assert.equal(apply('gather', [tensor('f32', [0, 2], []), tensor('i32', [0], [])]).values, [])
  assert.throws(
    () => apply('gather', [tensor('f32', [0, 2], []), tensor('i32', [1], [0])]),
    /index 0 is outside axis 0, which has 0/,
  )
  assert.throws(
    () => apply('gather', [tensor('f32', [4], range(4)), wideTensor('i64', [1], [2n ** 62n])]),
    /index 4611686018427387904/,
  )
})

test('pad: the constant example of ONNX Pad, and values of every dtype', () => {
  const x = tensor('f32', [3, 2], [1, 1.2, 2.3, 3.4, 4.5, 5.7])
  assert.equal(
    apply('pad', [x], { before: [0, 2], after: [0, 0], value: 0 }).values,
    [0, 0, 1, 1.2, 0, 0, 2.3, 3.4, 0, 0, 4.5, 5.7].map(Math.fround),
  )
  assert.equal(apply('pad', [tensor('i8', [2], [1, 2])], { before: [1], after: [1], value: -7 }).values, [-7, 1, 2, -7])
  assert.equal(apply('pad', [tensor('f16', [1], [1])], { before: [0], after: [1], value: Number.NEGATIVE_INFINITY }).values, [
    1,
    Number.NEGATIVE_INFINITY,
  ])
  assert.equal(apply('pad', [wideTensor('i64', [1], [2n ** 60n + 1n])], { before: [1], after: [0], value: -1 }).values, [
    -1n,
    2n ** 60n + 1n,
  ])
  assert.equal(apply('pad', [tensor('bool', [0], [])], { before: [1], after: [1], value: 1 }).values, [1, 1])
  assert.equal(apply('pad', [tensor('f32', [], [3])], { before: [], after: [], value: 1 }).values, [3])
})

test('slice: forwards, backwards, with steps, empty', () => {
  const x = tensor('i32', [3, 4], range(12))
  assert.equal(apply('slice', [x], { start: [1, 0], size: [2, 2], step: [1, 2] }).values, [4, 6, 8, 10])
  assert.equal(apply('slice', [x], { start: [2, 3], size: [3, 2], step: [-1, -3] }).values, [11, 8, 7, 4, 3, 0])
  assert.equal(apply('slice', [x], { start: [0, 0], size: [0, 4], step: [1, 1] }).values, [])
})

test('concat, expand, reshape, transpose of rank 0 and empty tensors', () => {
  assert.equal(
    apply('concat', [tensor('i32', [1, 2], [1, 2]), tensor('i32', [0, 2], []), tensor('i32', [2, 2], [3, 4, 5, 6])], { axis: 0 })
      .values,
    [1, 2, 3, 4, 5, 6],
  )
  assert.equal(
    apply('concat', [tensor('i32', [2, 1], [1, 2]), tensor('i32', [2, 2], [3, 4, 5, 6])], { axis: -1 }).values,
    [1, 3, 4, 2, 5, 6],
  )
  assert.equal(
    apply('expand', [tensor('i32', [2, 1], [1, 2])], { shape: [2, 2, 3] }).values,
    [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2],
  )
  assert.equal(apply('expand', [tensor('i32', [], [7])], { shape: [2] }).values, [7, 7])
  assert.equal(apply('expand', [tensor('i32', [1], [7])], { shape: [0] }).values, [])
  assert.equal(apply('reshape', [tensor('i32', [1, 1], [7])], { shape: [] }).values, [7])
  assert.equal(apply('transpose', [tensor('i32', [], [7])], { order: [] }).values, [7])
  assert.equal(apply('transpose', [tensor('i32', [2, 3], range(6))], { order: [-1, 0] }).values, [0, 3, 1, 4, 2, 5])
})

const values = dtypes.filter((dtype) => !dtypeFacts[dtype].storageOnly)

/** Bytes that differ everywhere, so that misplaced bytes are seen; every pattern is legal for movement. */
const filled = (dtype: DType, shape: readonly number[]): TestTensor => ({
  type: { dtype, shape },
  bytes: Uint8Array.from({ length: product(shape) * dtypeFacts[dtype].bytes }, (_, i) => (i * 7 + 3) % 251),
})

/** Element `i` of a tensor as a string of its bytes: movement must not change a single bit, NaN payloads included. */
const patternsOf = ({ type, bytes }: TestTensor): string[] => {
  const width = dtypeFacts[type.dtype].bytes
  return Array.from({ length: bytes.length / width }, (_, i) => bytes.subarray(i * width, (i + 1) * width).join('.'))
}

test('movement is bit-exact and puts every element in its place, in every dtype', () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 })
  const property = fc.property(shapes, fc.constantFrom(...values), fc.infiniteStream(fc.nat(1000)), (shape, dtype, random) => {
    const next = (limit: number) => (random.next().value as number) % limit
    const x = filled(dtype, shape)
    const patterns = patternsOf(x)
    const at = reader(shape, range(patterns.length))
    const check = (op: string, attributes: Record<string, unknown>, source: (position: number[]) => number[]) => {
      const result = apply(op, [x], attributes)
      const found = patternsOf(result)
      for (const [i, position] of positions(result.type.shape).entries())
        assert.is(found[i], patterns[at(source(position))!], `${op} ${JSON.stringify(attributes)}`)
    }
    const order = shape
      .map((_, i) => [next(1000), i] as const)
      .sort((a, b) => a[0] - b[0])
      .map(([, i]) => i)
    check('transpose', { order }, (position) => order.map((_, axis) => position[order.indexOf(axis)]!))
    const start = shape.map((extent) => (extent === 0 ? 0 : next(extent)))
    const step = shape.map(() => [-2, -1, 1, 2][next(4)]!)
    const size = shape.map((extent, axis) =>
      extent === 0 ? 0 : 1 + Math.floor((step[axis]! > 0 ? extent - 1 - start[axis]! : start[axis]!) / Math.abs(step[axis]!)),
    )
    check('slice', { start, step, size }, (position) => position.map((p, axis) => start[axis]! + p * step[axis]!))
    const larger = [2, ...shape.map((extent) => (extent === 1 ? 3 : extent))]
    check('expand', { shape: larger }, (position) => position.slice(1).map((p, axis) => (shape[axis] === 1 ? 0 : p)))
  })
  fc.assert(property, draw(7, 200))
})

test('unaligned operand bytes are read right', () => {
  const whole = new Uint8Array(8 * 6 + 3)
  const x = { type: { dtype: 'f64' as const, shape: [2, 3] }, bytes: whole.subarray(3) }
  const elements = elementsOf('f64', x.bytes)
  for (let i = 0; i < 6; i++) elements.set(i, i + 0.5)
  assert.equal(apply('transpose', [x], { order: [1, 0] }).values, [0.5, 3.5, 1.5, 4.5, 2.5, 5.5])
  assert.equal(
    apply('transpose', [{ ...x, bytes: Buffer.from(whole.buffer, 3) }], { order: [1, 0] }).values,
    [0.5, 3.5, 1.5, 4.5, 2.5, 5.5],
  )
})

test('movement keeps stored integers and the quantization of the whole tensor', () => {
  const quantized = {
    type: { dtype: 'i8' as const, shape: [4], quantization: { scale: [0.5], zeroPoint: [3] } },
    bytes: Uint8Array.from([1, 255, 128, 127]),
  }
  const result = apply('slice', [quantized], { start: [3], size: [4], step: [-1] })
  assert.equal(result.values, [127, -128, -1, 1])
  assert.equal(result.type.quantization, { scale: [0.5], zeroPoint: [3] })
})

test.run()
