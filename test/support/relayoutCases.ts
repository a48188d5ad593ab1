// Kernels that only move elements: dimensions that change places, between dense tensors and parts of larger ones.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { byteSize, type DType, denseStrides, elementCount, type Shape, type TensorType } from '../../compiler/graph/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'

/** The kernel that stores `order` of a part of a tensor: `start` before it and `more` behind it in each dimension. */
function moving(
  dtype: DType,
  extents: Shape,
  order: readonly number[],
  start: readonly number[],
  more: readonly number[],
): Kernel {
  const whole = extents.map((extent, axis) => start[axis]! + extent + more[axis]!)
  const strides = denseStrides(whole)
  const domain = order.map((axis) => extents[axis]!)
  const offset = start.reduce((sum, from, axis) => sum + from * strides[axis]!, 0)
  const access = { offset, strides: order.map((axis) => strides[axis]!) }
  return {
    inputs: [{ type: { dtype, shape: [elementCount(whole)] }, constant: false }],
    domain,
    steps: [{ kind: 'load', input: 0, access, dtype }],
    results: [{ step: 0, type: { dtype, shape: domain } }],
  }
}

/** Elements of which hardly two are equal, none of them NaN: of those the interpreter knows one alone for narrow floats. */
const bytesOf = (type: TensorType, seed: number): Uint8Array =>
  Uint8Array.from({ length: byteSize(type) }, (_, i) => ((Math.imul(i + 1, 2654435761) ^ seed) >>> 13) & 0x3f)

const kernels: fc.Arbitrary<Kernel> = fc
  .record({
    dtype: fc.constantFrom<DType>('f32', 'f32', 'f32', 'i32', 'u32', 'f64', 'u8', 'f16'),
    rank: fc.constantFrom(2, 3, 4, 5),
    extents: fc.array(fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 32, 33, 49, 100), { minLength: 5, maxLength: 5 }),
    keys: fc.array(fc.nat(1000), { minLength: 5, maxLength: 5 }),
    start: fc.array(fc.constantFrom(0, 0, 0, 1, 3), { minLength: 5, maxLength: 5 }),
    more: fc.array(fc.constantFrom(0, 0, 0, 2), { minLength: 5, maxLength: 5 }),
  })
  .map(({ dtype, rank, extents, keys, start, more }) => {
    const order = Array.from({ length: rank }, (_, axis) => axis).sort((a, b) => keys[a]! - keys[b]! || a - b)
    return moving(dtype, extents.slice(0, rank), order, start.slice(0, rank), more.slice(0, rank))
  })
  .filter(({ inputs, domain }) => elementCount(inputs[0]!.type.shape) <= 60_000 && elementCount(domain) > 1)

/** Matrices of more rows than one step of a loop takes, and of whole and broken tiles. */
const tall = [
  moving('f32', [1, 300, 16], [0, 2, 1], [0, 0, 0], [0, 0, 0]),
  moving('f32', [2, 16, 1030], [0, 2, 1], [0, 0, 0], [0, 0, 5]),
  moving('i32', [513, 40], [1, 0], [0, 3], [0, 0]),
  moving('f32', [3, 5, 7, 64], [0, 3, 1, 2], [0, 0, 0, 0], [0, 0, 0, 0]),
]

export function relayoutSuite(seed: number, count: number): KernelSuite {
  const cases: Case[] = [...tall, ...fc.sample(kernels, { numRuns: count, seed })].map((kernel, i) => ({
    kernel,
    inputs: [bytesOf(kernel.inputs[0]!.type, i)],
  }))
  return {
    name: 'dimensions that change places',
    cases,
    check(outputs) {
      for (const [i, { kernel, inputs }] of cases.entries()) {
        const expected = new Uint8Array(byteSize(kernel.results[0]!.type))
        runKernel(kernel, inputs, [expected])
        assert.ok(Buffer.compare(expected, outputs[i]!) === 0, `${JSON.stringify(kernel)} differs`)
      }
    },
  }
}
