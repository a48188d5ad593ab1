// Elementwise kernels over rows that are shorter than a vector, with operands that lie in every way.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel, Step } from '../../compiler/fuse/kernel.ts'
import { byteSize, type TensorType } from '../../compiler/graph/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import { bytesOf } from './compare.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'

const f32 = (shape: readonly number[]): TensorType => ({ dtype: 'f32', shape })

/** The sum of all operands, and that of the first two; one of rows `[row, column]` apart that begin at `offset`, and `more` elements behind its last. */
const kernels: fc.Arbitrary<Kernel> = fc
  .record({
    rows: fc.constantFrom(1, 7, 33, 64, 130, 300),
    width: fc.constantFrom(2, 2, 2, 3, 4, 4, 8, 16),
    operands: fc.array(
      fc.record({
        kind: fc.constantFrom('dense', 'apart', 'apart', 'wide', 'one a row', 'the same row', 'one', 'across'),
        gap: fc.constantFrom(1, 2, 3),
        offset: fc.constantFrom(0, 0, 2, 5),
        more: fc.constantFrom(0, 0, 9),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ rows, width, operands }) => {
    const placed = operands.map(({ kind, gap, offset, more }) => {
      const strides = {
        dense: [width, 1],
        apart: [width + gap, 1],
        wide: [9 * width + gap, 1],
        'one a row': [gap, 0],
        'the same row': [0, gap],
        one: [0, 0],
        across: [1, rows],
      }[kind] as [number, number]
      const size = offset + (rows - 1) * strides[0] + (width - 1) * strides[1] + 1 + more
      return { access: { offset, strides }, size }
    })
    const loads = placed.map(({ access }, input): Step => ({ kind: 'load', input, access, dtype: 'f32' }))
    const sums = loads.slice(1).map((_, i): Step => {
      const left = i === 0 ? 0 : loads.length + i - 1
      return { kind: 'apply', op: 'add', arguments: [left, i + 1], attributes: {}, dtype: 'f32' }
    })
    const steps = [...loads, ...sums]
    return {
      inputs: placed.map(({ size }) => ({ type: f32([size]), constant: false })),
      domain: [rows, width],
      steps,
      results: [steps.length - 1, ...(sums.length > 1 ? [loads.length] : [])].map((step) => ({ step, type: f32([rows, width]) })),
    }
  })

/** Integers, so that sums are exact in any order. */
const integers = (type: TensorType, seed: number): Uint8Array =>
  bytesOf(
    type,
    Array.from({ length: type.shape[0]! }, (_, i) => (Math.imul(i + 1, 2654435761) ^ (seed * 977)) >> 16),
  )

export function shortRowSuite(seed: number, count: number): KernelSuite {
  const cases: Case[] = fc.sample(kernels, { numRuns: count, seed }).map((kernel, i) => ({
    kernel,
    inputs: kernel.inputs.map(({ type }, k) => integers(type, i + 31 * k)),
  }))
  return {
    name: 'rows shorter than a vector',
    cases,
    check(outputs) {
      let at = 0
      for (const { kernel, inputs } of cases) {
        const expected = kernel.results.map(({ type }) => new Uint8Array(byteSize(type)))
        runKernel(kernel, inputs, expected)
        for (const bytes of expected) assert.ok(Buffer.compare(bytes, outputs[at++]!) === 0, `${JSON.stringify(kernel)} differs`)
      }
    },
  }
}
