import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, elementsOf, scalarBytes } from '../../compiler/graph/index.ts'

const decode = (dtype: DType, bits: number): number => {
  const bytes = new Uint8Array([bits & 0xff, bits >> 8])
  return elementsOf(dtype, bytes).get(0)
}
const encode = (dtype: DType, value: number): number => {
  const bytes = scalarBytes(dtype, value)
  return bytes[0]! + (bytes.length > 1 ? bytes[1]! * 256 : 0)
}

/** An independent reading of each format: bf16 is the upper half of an f32, f8e5m2 of an f16; the others by table of published values. */
const asBrain = (bits: number) => new Float32Array(new Uint32Array([bits * 65536]).buffer)[0]!

const patterns: Readonly<Record<string, number>> = { f16: 65536, bf16: 65536, f8e4m3: 256, f8e5m2: 256 }
/** Pattern of the largest finite positive value, and what the next one up would be worth. */
const tops: Readonly<Record<string, readonly [number, number]>> = {
  f16: [0x7bff, 65536],
  bf16: [0x7f7f, 2 ** 128],
  f8e4m3: [0x7e, 480],
  f8e5m2: [0x7b, 65536],
}

for (const dtype of Object.keys(patterns) as DType[]) {
  test(`${dtype}: decoding then encoding gives every pattern back`, () => {
    for (let bits = 0; bits < patterns[dtype]!; bits++) {
      const value = decode(dtype, bits)
      if (Number.isNaN(value)) assert.ok(Number.isNaN(decode(dtype, encode(dtype, value))), `pattern ${bits}`)
      else assert.is(encode(dtype, value), bits, `pattern ${bits}, value ${value}`)
    }
  })

  test(`${dtype}: values grow with their patterns, and midpoints go to the even one`, () => {
    const [top, beyond] = tops[dtype]!
    for (let bits = 0; bits <= top; bits++) {
      const low = decode(dtype, bits)
      const high = bits === top ? beyond : decode(dtype, bits + 1)
      assert.ok(low < high, `pattern ${bits}`)
      const middle = (low + high) / 2
      const even = bits % 2 === 0 ? bits : bits + 1
      assert.is(encode(dtype, middle), even, `tie above pattern ${bits}`)
      assert.is(encode(dtype, -middle), even + patterns[dtype]! / 2, `negative tie above pattern ${bits}`)
      // Just beside the tie, by one unit of the double: the nearer one.
      assert.is(encode(dtype, middle * (1 - 2 ** -52)), bits)
      assert.is(encode(dtype, middle * (1 + 2 ** -52)), bits + 1)
    }
  })

  test(`${dtype}: random doubles go to the nearest value`, () => {
    const [top] = tops[dtype]!
    const values = Float64Array.from({ length: top + 1 }, (_, bits) => decode(dtype, bits))
    const property = fc.property(fc.double({ min: 0, max: values[top]!, noNaN: true }), (x) => {
      const found = decode(dtype, encode(dtype, x))
      let [low, high] = [0, top]
      while (high - low > 1) {
        const middle = (low + high) >> 1
        if (values[middle]! <= x) low = middle
        else high = middle
      }
      const nearest = x - values[low]! <= values[high]! - x ? values[low]! : values[high]!
      assert.is(Math.abs(found - x), Math.abs(nearest - x))
    })
    fc.assert(property, { seed: 11, numRuns: 2000 })
  })
}

test('published values of the small formats', () => {
  const published: readonly (readonly [DType, number, number])[] = [
    ['f16', 0x3c00, 1],
    ['f16', 0xc000, -2],
    ['f16', 0x7bff, 65504],
    ['f16', 0x0400, 2 ** -14],
    ['f16', 0x03ff, 2 ** -14 - 2 ** -24],
    ['f16', 0x0001, 2 ** -24],
    ['f16', 0x3555, 0.333251953125],
    ['f16', 0x7c00, Number.POSITIVE_INFINITY],
    ['f8e4m3', 0x7e, 448],
    ['f8e4m3', 0x08, 2 ** -6],
    ['f8e4m3', 0x07, 0.875 * 2 ** -6],
    ['f8e4m3', 0x01, 2 ** -9],
    ['f8e4m3', 0x38, 1],
    ['f8e4m3', 0xb8, -1],
    ['f8e5m2', 0x7b, 57344],
    ['f8e5m2', 0x04, 2 ** -14],
    ['f8e5m2', 0x01, 2 ** -16],
    ['f8e5m2', 0xfc, Number.NEGATIVE_INFINITY],
  ]
  for (const [dtype, bits, value] of published) {
    assert.is(decode(dtype, bits), value)
    assert.is(encode(dtype, value), bits)
  }
  for (const [dtype, bits] of [
    ['f16', 0x7e00],
    ['bf16', 0x7fc0],
    ['f8e4m3', 0x7f],
    ['f8e4m3', 0xff],
    ['f8e5m2', 0x7d],
  ] as const) {
    assert.ok(Number.isNaN(decode(dtype, bits)))
  }
  assert.ok(Object.is(decode('f16', 0x8000), -0))
})

test('bf16 is the upper half of f32, f8e5m2 the upper half of f16', () => {
  for (let bits = 0; bits < 65536; bits++) assert.equal(decode('bf16', bits), asBrain(bits))
  for (let bits = 0; bits < 256; bits++) assert.equal(decode('f8e5m2', bits), decode('f16', bits * 256))
})

test('overflow: infinity where the format has one, NaN in f8e4m3', () => {
  assert.is(encode('f16', 65519.999), 0x7bff)
  assert.is(encode('f16', 65520), 0x7c00)
  assert.is(encode('f16', -1e300), 0xfc00)
  assert.is(encode('bf16', 3.4e38), 0x7f80)
  assert.is(encode('f8e4m3', 464), 0x7e)
  assert.is(encode('f8e4m3', 465), 0x7f)
  assert.is(encode('f8e4m3', Number.NEGATIVE_INFINITY), 0xff)
  assert.is(encode('f8e5m2', 61440), 0x7c)
})

test('integers truncate and saturate, NaN is 0', () => {
  const cases: readonly (readonly [DType, number, number])[] = [
    ['i8', 127.9, 127],
    ['i8', 300, 127],
    ['i8', -128.9, -128],
    ['i8', -1e9, -128],
    ['u8', -3, 0],
    ['u8', 255.5, 255],
    ['i16', 1e5, 32767],
    ['u16', 1e5, 65535],
    ['i32', 2 ** 31, 2 ** 31 - 1],
    ['i32', Number.NEGATIVE_INFINITY, -(2 ** 31)],
    ['u32', 2 ** 32, 2 ** 32 - 1],
    ['i64', 2 ** 70, 2 ** 63],
    ['u64', -1, 0],
    ['i32', Number.NaN, 0],
    ['i64', Number.NaN, 0],
    ['bool', Number.NaN, 1],
    ['bool', -0, 0],
    ['bool', 0.5, 1],
  ]
  for (const [dtype, value, expected] of cases)
    assert.is(elementsOf(dtype, scalarBytes(dtype, value)).get(0) + 0, expected, `${dtype} of ${value}`)
  assert.equal([...scalarBytes('i64', 2 ** 70)], [255, 255, 255, 255, 255, 255, 255, 127])
  assert.equal([...scalarBytes('u64', 2 ** 64)], [255, 255, 255, 255, 255, 255, 255, 255])
})

test.run()
