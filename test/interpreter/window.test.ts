import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { assertClose } from '../support/compare.ts'
import { draw } from '../support/draw.ts'
import { apply, tensor, wideTensor } from './apply.ts'
import { naiveConv, naivePool, type Windowed } from './naive.ts'

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)
const plane = (window: Partial<Windowed> = {}): Windowed => ({
  stride: [1, 1],
  before: [0, 0],
  after: [0, 0],
  dilation: [1, 1],
  ...window,
})

test('convolution: the examples of ONNX Conv', () => {
  const weight = tensor('f32', [1, 1, 3, 3], new Array(9).fill(1))
  const x = tensor('f32', [1, 1, 5, 5], range(25))
  const padded = apply('conv', [x, weight], { ...plane({ before: [1, 1], after: [1, 1] }), groups: 1 })
  assert.equal(
    padded.values,
    [12, 21, 27, 33, 24, 33, 54, 63, 72, 51, 63, 99, 108, 117, 81, 93, 144, 153, 162, 111, 72, 111, 117, 123, 84],
  )
  assert.equal(apply('conv', [x, weight], { ...plane(), groups: 1 }).values, [54, 63, 72, 99, 108, 117, 144, 153, 162])
  const strided = apply('conv', [tensor('f32', [1, 1, 7, 5], range(35)), weight], {
    ...plane({ stride: [2, 2], before: [1, 1], after: [1, 1] }),
    groups: 1,
  })
  assert.equal(strided.type.shape, [1, 1, 4, 3])
  assert.equal(strided.values, [12, 27, 24, 63, 108, 81, 123, 198, 141, 112, 177, 124])
  const asymmetric = apply('conv', [tensor('f32', [1, 1, 7, 5], range(35)), weight], {
    ...plane({ stride: [2, 2], before: [1, 0], after: [1, 0] }),
    groups: 1,
  })
  assert.equal(asymmetric.values, [21, 33, 99, 117, 189, 207, 171, 183])
})

test('average pooling: the examples of ONNX AveragePool', () => {
  const x = tensor('f32', [1, 1, 5, 5], range(25, 1))
  const window = { ...plane({ before: [2, 2], after: [2, 2] }), window: [5, 5] }
  assert.equal(
    apply('avgPool', [x], { ...window, countPadding: false }).values,
    [7, 7.5, 8, 8.5, 9, 9.5, 10, 10.5, 11, 11.5, 12, 12.5, 13, 13.5, 14, 14.5, 15, 15.5, 16, 16.5, 17, 17.5, 18, 18.5, 19],
  )
  const counted = [
    2.52, 3.6, 4.8, 4.08, 3.24, 4.56, 6.4, 8.4, 7.04, 5.52, 7.2, 10, 13, 10.8, 8.4, 6.96, 9.6, 12.4, 10.24, 7.92, 6.12, 8.4, 10.8,
    8.88, 6.84,
  ]
  assertClose(
    apply('avgPool', [x], { ...window, countPadding: true }).bytes,
    counted,
    { dtype: 'f32', shape: [1, 1, 5, 5] },
    { rtol: 1e-7 },
  )
  assert.equal(
    apply('avgPool', [x], { ...plane({ stride: [2, 2] }), window: [2, 2], countPadding: false }).values,
    [4, 6, 14, 16],
  )
})

test('max pooling: the examples of ONNX MaxPool, in floats and integers of any width', () => {
  const padded = { ...plane({ before: [2, 2], after: [2, 2] }), window: [5, 5] }
  const expected = [13, 14, 15, 15, 15, 18, 19, 20, 20, 20, 23, 24, 25, 25, 25, 23, 24, 25, 25, 25, 23, 24, 25, 25, 25]
  for (const dtype of ['f32', 'f16', 'i8', 'u8', 'i32'] as const)
    assert.equal(apply('maxPool', [tensor(dtype, [1, 1, 5, 5], range(25, 1))], padded).values, expected)
  const wide = range(25, 1).map((i) => BigInt(i) + 2n ** 60n)
  assert.equal(
    apply('maxPool', [wideTensor('i64', [1, 1, 5, 5], wide)], padded).values,
    expected.map((i) => BigInt(i) + 2n ** 60n),
  )
  assert.equal(
    apply('maxPool', [tensor('f32', [1, 1, 4, 4], range(16, 1))], { ...plane({ dilation: [2, 2] }), window: [2, 2] }).values,
    [11, 12, 15, 16],
  )
  assert.equal(
    apply('maxPool', [tensor('f32', [1, 1, 5, 5], range(25, 1))], { ...plane({ stride: [2, 2] }), window: [2, 2] }).values,
    [7, 9, 17, 19],
  )
})

test('padding never wins a maximum, NaN does', () => {
  const attributes = { stride: [1], before: [1], after: [1], dilation: [1], window: [2] }
  assert.equal(apply('maxPool', [tensor('f32', [1, 1, 2], [-5, -3])], attributes).values, [-5, -3, -3])
  assert.equal(apply('maxPool', [tensor('i8', [1, 1, 2], [-128, -3])], attributes).values, [-128, -3, -3])
  assert.equal(apply('maxPool', [tensor('f32', [1, 1, 2], [Number.NaN, 3])], attributes).values, [Number.NaN, Number.NaN, 3])
})

test('padding adds nothing, even under an infinite weight', () => {
  const attributes = { stride: [1], before: [1], after: [0], dilation: [1], groups: 1 }
  const weight = tensor('f32', [1, 1, 2], [Number.POSITIVE_INFINITY, 1])
  assert.equal(apply('conv', [tensor('f32', [1, 1, 2], [1, 2]), weight], attributes).values, [1, Number.POSITIVE_INFINITY])
})

/** Window attributes for `axes` axes that fit extents of at least 5. */
const windows = fc.integer({ min: 1, max: 3 }).chain((axes) => {
  const each = (minimum: number, maximum: number) =>
    fc.array(fc.integer({ min: minimum, max: maximum }), { minLength: axes, maxLength: axes })
  return fc.record({
    stride: each(1, 3),
    before: each(0, 2),
    after: each(0, 2),
    dilation: each(1, 2),
    window: each(1, 3),
    spatial: each(5, 7),
  })
})
const elements = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * 12.9898 + seed) * 3))
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

test('convolution agrees with a naive one over groups, dilation, stride, asymmetric padding, 1 to 3 axes', () => {
  const property = fc.property(
    windows,
    fc.constantFrom(1, 2, 3),
    fc.constantFrom(1, 2),
    fc.constantFrom(1, 2),
    fc.nat(1000),
    fc.boolean(),
    (w, groups, perGroup, outPerGroup, seed, withBias) => {
      const { window, spatial, ...attributes } = w
      const inputShape = [2, groups * perGroup, ...spatial]
      const weightShape = [groups * outPerGroup, perGroup, ...window]
      const [input, weight, bias] = [
        elements(product(inputShape), seed),
        elements(product(weightShape), seed + 1),
        elements(weightShape[0]!, seed + 2),
      ]
      const operands = [
        tensor('f32', inputShape, input),
        tensor('f32', weightShape, weight),
        ...(withBias ? [tensor('f32', [weightShape[0]!], bias)] : []),
      ]
      const result = apply('conv', operands, { ...attributes, groups })
      const expected = naiveConv(inputShape, input, weightShape, weight, withBias ? bias : undefined, groups, attributes)
      assertClose(result.bytes, expected, result.type, { rtol: 1e-6, atol: 1e-6 }, 'conv')
    },
  )
  fc.assert(property, draw(3, 150))
})

test('pooling agrees with a naive one', () => {
  const property = fc.property(windows, fc.nat(1000), fc.boolean(), (w, seed, countPadding) => {
    const { window, spatial, ...rest } = w
    // Padding stays below the window's reach, as the op demands.
    const limit = (list: number[]) => list.map((p, i) => Math.min(p, rest.dilation[i]! * (window[i]! - 1)))
    const attributes = { ...rest, before: limit(rest.before), after: limit(rest.after) }
    const shape = [2, 2, ...spatial]
    const values = elements(product(shape), seed)
    const largest = apply('maxPool', [tensor('f32', shape, values)], { ...attributes, window })
    assertClose(
      largest.bytes,
      naivePool(shape, values, window, attributes, (seen) => Math.max(...seen)),
      largest.type,
      {},
      'maxPool',
    )
    const mean = apply('avgPool', [tensor('f32', shape, values)], { ...attributes, window, countPadding })
    const expected = naivePool(
      shape,
      values,
      window,
      attributes,
      (seen, taps) => seen.reduce((a, b) => a + b, 0) / (countPadding ? taps : seen.length),
    )
    assertClose(mean.bytes, expected, mean.type, { rtol: 1e-6, atol: 1e-7 }, 'avgPool')
  })
  fc.assert(property, draw(5, 150))
})

test.run()
