import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DType } from '../../compiler/graph/index.ts'
import { draw } from '../support/draw.ts'
import { apply, tensor } from './apply.ts'
import { naiveConv, positions } from './naive.ts'

const plain = { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1 }
const byte = fc.constantFrom<DType>('u8', 'i8')
const integersOf = (dtype: DType, length: number) =>
  fc.array(dtype === 'u8' ? fc.nat(255) : fc.integer({ min: -128, max: 127 }), { minLength: length, maxLength: length })

test('the examples of ONNX ConvInteger, MatMulInteger, QuantizeLinear, DequantizeLinear', () => {
  const x = tensor('u8', [1, 1, 3, 3], [2, 3, 4, 5, 6, 7, 8, 9, 10])
  const w = tensor('u8', [1, 1, 2, 2], [1, 1, 1, 1])
  assert.equal(apply('convInteger', [x, w], { ...plain, inputZeroPoint: 1 }).values, [12, 16, 24, 28])
  assert.equal(
    apply('convInteger', [x, w], { ...plain, before: [1, 1], after: [1, 1], inputZeroPoint: 1 }).values,
    [1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9],
  )
  const a = tensor('u8', [4, 3], [11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0])
  const b = tensor('u8', [3, 2], [1, 4, 2, 5, 3, 6])
  assert.equal(
    apply('matmulInteger', [a, b], { leftZeroPoint: 12, rightZeroPoint: [0] }).values,
    [-38, -83, -44, -98, -50, -113, -56, -128],
  )
  const numbers = tensor('f32', [6], [0, 2, 3, 1000, -254, -1000])
  assert.equal(apply('quantize', [numbers], { dtype: 'u8', scale: [2], zeroPoint: [128] }).values, [128, 129, 130, 255, 1, 0])
  assert.equal(
    apply('dequantize', [tensor('u8', [4], [0, 3, 128, 255])], { scale: [2], zeroPoint: [128] }).values,
    [-256, -250, 0, 254],
  )
})

test('rounding is to even, saturating, in f32; NaN is 0', () => {
  const x = tensor('f32', [8], [0.5, 1.5, 2.5, -0.5, -1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  assert.equal(
    apply('quantize', [x], { dtype: 'i8', scale: [1], zeroPoint: [0] }).values.map((v) => Number(v) + 0),
    [0, 2, 2, 0, -2, 0, 127, -128],
  )
  assert.equal(apply('quantize', [x], { dtype: 'u8', scale: [1], zeroPoint: [3] }).values, [3, 5, 5, 3, 1, 0, 255, 0])
  // 2^24 + 1 is no number of f32: the sum becomes 2^24 before it is multiplied.
  const sums = tensor('i32', [2], [2 ** 24 + 1, 300])
  assert.equal(apply('requantize', [sums], { dtype: 'i32', inputScale: [1], scale: 1, zeroPoint: 0 }).values, [2 ** 24, 300])
  assert.equal(apply('requantize', [sums], { dtype: 'u8', inputScale: [0.25], scale: 0.5, zeroPoint: 7 }).values, [255, 157])
  // i32 is centred before it becomes a float, 8 bits are exact either way.
  const wide = tensor('i32', [1], [2 ** 30 + 1])
  assert.equal(apply('dequantize', [wide], { scale: [0.5], zeroPoint: [2 ** 30] }).values, [0.5])
})

test('parameters along an axis', () => {
  const x = tensor('f32', [2, 3], [1, 2, 3, 4, 5, 6])
  assert.equal(
    apply('quantize', [x], { dtype: 'u8', scale: [1, 0.5, 2], zeroPoint: [0, 1, 2], axis: 1 }).values,
    [1, 5, 4, 4, 11, 5],
  )
  assert.equal(
    apply('quantize', [x], { dtype: 'u8', scale: [1, 0.5], zeroPoint: [10, 0], axis: 0 }).values,
    [11, 12, 13, 8, 10, 12],
  )
  const q = tensor('i8', [2, 2], [1, 2, 3, 4])
  assert.equal(apply('dequantize', [q], { scale: [1, 0.5], zeroPoint: [1, -1], axis: 0 }).values, [0, 1, 2, 2.5])
  const sums = tensor('i32', [2, 2], [10, 20, 30, 40])
  assert.equal(
    apply('requantize', [sums], { dtype: 'u8', inputScale: [1, 0.5], scale: 2, zeroPoint: 1, axis: 1 }).values,
    [6, 6, 16, 11],
  )
})

test('convolutions of integers are sums of differences, in i32, padding adds nothing', () => {
  const property = fc.property(
    fc.record({
      groups: fc.constantFrom(1, 2),
      per: fc.constantFrom(1, 2),
      perChannel: fc.boolean(),
      xType: byte,
      wType: byte,
      stride: fc.constantFrom(1, 2),
      pad: fc.nat(2),
    }),
    fc.nat(1000),
    (given, seed) => {
      const { groups, per, perChannel, xType, wType, stride, pad } = given
      const [shape, weightShape] = [
        [1, 2 * groups, 4, 5],
        [groups * per, 2, 2, 3],
      ]
      const size = (list: number[]) => list.reduce((a, b) => a * b, 1)
      const sample = <T>(arbitrary: fc.Arbitrary<T>, salt: number) => fc.sample(arbitrary, { numRuns: 1, seed: seed + salt })[0]!
      const [x, w] = [sample(integersOf(xType, size(shape)), 1), sample(integersOf(wType, size(weightShape)), 2)]
      const [zeroX] = sample(integersOf(xType, 1), 3)
      const zeroW = sample(integersOf(wType, perChannel ? groups * per : 1), 4)
      const bias = sample(fc.array(fc.integer(), { minLength: groups * per, maxLength: groups * per }), 5)
      const window = { stride: [stride, 1], before: [pad, 1], after: [0, pad], dilation: [1, 1] }
      const perFilter = size(weightShape.slice(1))
      const wanted = naiveConv(
        shape,
        x.map((value) => value - zeroX!),
        weightShape,
        w.map((value, i) => value - zeroW[perChannel ? Math.floor(i / perFilter) : 0]!),
        bias,
        groups,
        window,
      ).map((sum) => sum | 0)
      const found = apply(
        'convInteger',
        [tensor(xType, shape, x), tensor(wType, weightShape, w), tensor('i32', [groups * per], bias)],
        { ...window, groups, inputZeroPoint: zeroX!, weightZeroPoint: zeroW },
      )
      assert.equal(found.values, wanted)
    },
  )
  fc.assert(property, draw(81, 60))
})

test('products of integers are sums of differences, over broadcast leading dimensions', () => {
  const property = fc.property(byte, byte, fc.boolean(), fc.nat(1000), (aType, bType, perColumn, seed) => {
    const sample = <T>(arbitrary: fc.Arbitrary<T>, salt: number) => fc.sample(arbitrary, { numRuns: 1, seed: seed + salt })[0]!
    const [a, b] = [sample(integersOf(aType, 2 * 3 * 4), 1), sample(integersOf(bType, 4 * 5), 2)]
    const [[zeroA], zeroB] = [sample(integersOf(aType, 1), 3), sample(integersOf(bType, perColumn ? 5 : 1), 4)]
    const found = apply('matmulInteger', [tensor(aType, [2, 3, 4], a), tensor(bType, [4, 5], b)], {
      leftZeroPoint: zeroA!,
      rightZeroPoint: zeroB,
    })
    const wanted = positions([2, 3, 5]).map(([n, row, column]) =>
      [0, 1, 2, 3].reduce(
        (sum, k) => sum + (a[(n! * 3 + row!) * 4 + k]! - zeroA!) * (b[k * 5 + column!]! - zeroB[perColumn ? column! : 0]!),
        0,
      ),
    )
    assert.equal(found.type, { dtype: 'i32', shape: [2, 3, 5] })
    assert.equal(found.values, wanted)
  })
  fc.assert(property, draw(82, 60))
})

test('sums wrap in i32; i16 holds differences of bytes', () => {
  const wide = tensor('i16', [1, 3], [-255, 255, 100])
  const right = tensor('i16', [3, 1], [255, 255, 2])
  assert.equal(apply('matmulInteger', [wide, right]).values, [200])
  const large = tensor('i16', [1, 4], [-32768, -32768, -32768, 1])
  assert.equal(apply('matmulInteger', [large, tensor('i16', [4, 1], [-32768, -32768, 1, 1])]).values, [
    -(2 ** 31) - 32767 + 2 ** 32,
  ])
})

test('tables are indexed by the byte, whatever its sign, and hold any dtype', () => {
  const entries = Array.from({ length: 256 }, (_, i) => i * 3 - 100)
  const table = tensor('f32', [256], entries)
  assert.equal(apply('lookup', [tensor('u8', [3], [0, 1, 255]), table]).values, [-100, -97, 665])
  assert.equal(apply('lookup', [tensor('i8', [4], [0, 127, -128, -1]), table]).values, [-100, 281, 284, 665])
  for (const dtype of ['bool', 'i16', 'f64', 'bf16', 'u8'] as const)
    assert.equal(
      apply('lookup', [
        tensor('u8', [2], [4, 9]),
        tensor(
          dtype,
          [256],
          entries.map((_, i) => i % 2),
        ),
      ]).values,
      [0, 1],
    )
  const quantization = { scale: [0.5], zeroPoint: [3] }
  const bytes = { type: { dtype: 'u8' as const, shape: [256], quantization }, bytes: new Uint8Array(256) }
  assert.equal(apply('lookup', [tensor('u8', [2], [4, 9]), bytes]).type.quantization, quantization)
})

test('a storage cast is another type for the same bytes', () => {
  const stored = tensor('i8', [2], [-3, 100])
  const cast = apply('storageCast', [stored], { scale: [0.5], zeroPoint: [3] })
  assert.equal(cast.values, [-3, 100])
  assert.equal(cast.type, { dtype: 'i8', shape: [2], quantization: { scale: [0.5], zeroPoint: [3] } })
  assert.equal(apply('storageCast', [cast], { scale: [], zeroPoint: [] }).type, { dtype: 'i8', shape: [2] })
})

test.run()
