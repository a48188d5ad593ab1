import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GlowplugError, open } from '../../targets/runtime/index.ts'
import { arrayOf, copyInput, elementCount } from '../../targets/runtime/tensor.ts'
import { failure, sampleBundle, sum, xs } from './sample.ts'

const model = open(sampleBundle())
test.after(() => model.close())

/** What `value` becomes as an input of this type, as bytes. */
function convert(dtype: string, value: unknown, shape: readonly number[] = [2]): Uint8Array {
  const array = new (arrayOf(dtype))(elementCount(shape))
  copyInput({ name: 'v', dtype, shape }, value, array)
  return new Uint8Array(array.buffer)
}
const refusal = (dtype: string, value: unknown, shape?: readonly number[]): string => {
  try {
    convert(dtype, value, shape)
  } catch (error) {
    assert.instance(error, GlowplugError)
    return `${(error as GlowplugError).code}: ${(error as GlowplugError).message}`
  }
  throw new Error('it was accepted')
}
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

test('every element type takes its typed array, bit for bit', () => {
  const patterns: Record<string, ArrayBufferView> = {
    f32: new Float32Array([Number.NaN, -0]),
    f64: new Float64Array([Number.NEGATIVE_INFINITY, 5e-324]),
    f16: new Uint16Array([0x7e01, 0x8000]),
    bf16: new Uint16Array([0x7fc1, 1]),
    f8e4m3: new Uint8Array([0x7f, 0x80]),
    f8e5m2: new Uint8Array([0x7c, 1]),
    i8: new Int8Array([-128, 127]),
    u8: new Uint8Array([0, 255]),
    i16: new Int16Array([-32768, 32767]),
    u16: new Uint16Array([0, 65535]),
    i32: new Int32Array([-(2 ** 31), 2 ** 31 - 1]),
    u32: new Uint32Array([0, 2 ** 32 - 1]),
    i64: new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]),
    u64: new BigUint64Array([0n, 2n ** 64n - 1n]),
    bool: new Uint8Array([0, 1]),
  }
  for (const [dtype, array] of Object.entries(patterns)) {
    assert.equal(convert(dtype, array), bytesOf(array), dtype)
    assert.equal(convert(dtype, { data: array, shape: [2] }), bytesOf(array), dtype)
  }
})

test('plain numbers are converted where they have one meaning, and must fit', () => {
  assert.equal(convert('f32', [1.5, Number.NaN]), bytesOf(new Float32Array([1.5, Number.NaN])))
  assert.equal(convert('i8', [-128, 127]), bytesOf(new Int8Array([-128, 127])))
  assert.equal(convert('bool', [true, 0]), new Uint8Array([1, 0]))
  assert.equal(convert('bool', new Uint8Array([255, 0])), new Uint8Array([1, 0]))
  assert.equal(convert('u8', new Uint8ClampedArray([3, 255])), new Uint8Array([3, 255]))
  assert.equal(convert('i64', [-1, Number.MAX_SAFE_INTEGER]), bytesOf(new BigInt64Array([-1n, 9007199254740991n])))
  assert.equal(convert('i64', [-1n, 2n ** 62n]), bytesOf(new BigInt64Array([-1n, 2n ** 62n])))
  assert.equal(convert('i64', new Int32Array([-5, 6])), bytesOf(new BigInt64Array([-5n, 6n])))
  assert.is(refusal('i8', [0, 128]), "input-value: input 'v'[1] is Number 128, which does not fit i8")
  assert.is(refusal('u8', [-1, 0]), "input-value: input 'v'[0] is Number -1, which does not fit u8")
  assert.is(refusal('i32', [0.5, 0]), "input-value: input 'v'[0] is Number 0.5, which does not fit i32")
  assert.is(refusal('i32', [Number.NaN, 0]), "input-value: input 'v'[0] is Number NaN, which does not fit i32")
  assert.is(refusal('i64', [0, 2 ** 53]), "input-value: input 'v'[1] is Number 9007199254740992, which does not fit i64")
  assert.is(refusal('i64', [2n ** 63n, 0n]), "input-value: input 'v'[0] is BigInt 9223372036854775808, which does not fit i64")
  assert.is(refusal('u64', [-1, 0]), "input-value: input 'v'[0] is Number -1, which does not fit u64")
  assert.is(refusal('f32', [1, '2']), "input-value: input 'v'[1] is String 2, which does not fit f32")
  assert.is(refusal('f32', [1, undefined]), "input-value: input 'v'[1] is Undefined undefined, which does not fit f32")
  assert.is(refusal('f32', [1, null]), "input-value: input 'v'[1] is Null null, which does not fit f32")
  assert.is(refusal('f32', [true, 1]), "input-value: input 'v'[0] is Boolean true, which does not fit f32")
  assert.is(refusal('bool', ['yes', true]), "input-value: input 'v'[0] is String yes, which does not fit bool")
})

test('other arrays are refused with what was expected', () => {
  assert.is(refusal('f32', new Float64Array(2)), "input-type: input 'v' is Float64Array, expected Float32Array for f32[2]")
  assert.is(refusal('f16', [1, 2]), "input-type: input 'v' is Array, expected Uint16Array for f16[2]")
  assert.is(refusal('bf16', new Int16Array(2)), "input-type: input 'v' is Int16Array, expected Uint16Array for bf16[2]")
  assert.is(
    refusal('f32', new DataView(new ArrayBuffer(8))),
    "input-type: input 'v' is DataView, expected Float32Array for f32[2]",
  )
  assert.is(refusal('f32', new ArrayBuffer(8)), "input-type: input 'v' is ArrayBuffer, expected Float32Array for f32[2]")
  for (const value of ['text', 7, true, null, {}, () => 1]) assert.match(refusal('f32', value), /^input-type: /)
  assert.is(refusal('f32', undefined), "input-missing: input 'v' is missing, expected Float32Array for f32[2]")
  assert.is(refusal('f32', { data: undefined, shape: [2] }), "input-type: input 'v' is Object, expected Float32Array for f32[2]")
})

test('lengths and shapes are compared, and named', () => {
  assert.is(
    refusal('f32', new Float32Array(3)),
    "input-length: input 'v' has 3 elements, not 2, expected Float32Array for f32[2]",
  )
  assert.is(
    refusal('f32', { data: new Float32Array(6), shape: [3, 2] }, [2, 3]),
    "input-length: input 'v' has shape [3,2], expected Float32Array for f32[2, 3]",
  )
  assert.equal(convert('f32', { data: [1, 2] }), convert('f32', [1, 2]))
  assert.equal(convert('f32', [], [0, 3]), new Uint8Array(0))
})

test('names of inputs and outputs are checked', async () => {
  assert.is(await failure(() => model.run({ x: xs })), "input-missing: input 'mode' is missing, expected Int32Array for i32[1]")
  assert.is(await failure(() => model.run({ ...sum, img: xs })), "input-unknown: there is no input 'img'; the inputs are x, mode")
  assert.match(await failure(() => model.run(undefined as never)), /^input-missing: /)
  assert.match(await failure(() => model.run(null as never)), /^input-missing: /)
  assert.match(await failure(() => model.runSync({ x: xs })), /^input-missing: /)
  assert.is(
    await failure(() => model.run(sum, { into: { z: xs } as never })),
    "output-unknown: there is no output 'z'; the outputs are y",
  )
  assert.match(
    await failure(() => model.run(sum, { into: { y: new Float64Array(4) as never } })),
    /^output-type: output 'y' is Float64Array, expected Float32Array/,
  )
  assert.match(
    await failure(() => model.runSync(sum, { into: { y: new Float32Array(5) } })),
    /^output-length: output 'y' has 5 elements, not 4/,
  )
  assert.match(
    await failure(() => model.run(sum, { into: { y: { data: new Float32Array(4), shape: [4] } } })),
    /^output-length: output 'y' has shape \[4\]/,
  )
  assert.equal((await model.run(sum)).y!.data, new Float32Array([11, 22, 33, 44]))
})

test('arrays over shared memory and at odd offsets are read', async () => {
  const shared = new Float32Array(new SharedArrayBuffer(32), 4, 4)
  shared.set(xs)
  assert.equal((await model.run({ x: shared, mode: [0] })).y!.data, new Float32Array([11, 22, 33, 44]))
})

test.run()
