// Integers inside kernels: what stays a float, and where sums of an anchor are stored.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, type Kernel, type Step, verifyKernels } from '../../compiler/fuse/index.ts'
import { keepWhole } from '../../compiler/fuse/whole.ts'
import { byteSize, createBuilder, type DType, type Node } from '../../compiler/graph/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import { graphOf } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'
import { mulberry } from '../support/randomGraph.ts'

const count = 4096

/** round(x · scale) + plus as `narrow`, then a float again, plus `minus`, times a number; `read` is what gives the scales. */
function kernelOf(narrow: DType, plus: number, minus: number, end: DType): Kernel {
  const access = { offset: 0, strides: [1] }
  const steps: Step[] = [
    { kind: 'load', input: 0, access, dtype: 'i32' },
    { kind: 'load', input: 1, access, dtype: 'f32' },
  ]
  const apply = (op: string, args: number[], dtype: DType = 'f32') =>
    steps.push({ kind: 'apply', op, arguments: args, attributes: op === 'cast' ? { dtype } : {}, dtype }) - 1
  const literal = (value: number) => steps.push({ kind: 'literal', value, dtype: 'f32' }) - 1
  const rounded = apply('round', [apply('mul', [apply('cast', [0]), 1])])
  const stored = apply('cast', [apply('add', [rounded, literal(plus)])], narrow)
  const taken = apply('add', [apply('cast', [stored]), literal(minus)])
  apply('cast', [apply('mul', [taken, literal(0.75)])], end)
  const type = (dtype: DType) => ({ dtype, shape: [count] })
  return {
    inputs: [
      { type: type('i32'), constant: false },
      { type: type('f32'), constant: true },
    ],
    domain: [count],
    steps,
    results: [{ step: steps.length - 1, type: type(end) }],
  }
}

function inputsOf(scales: Float32Array, constant: boolean): { readonly nodes: Node[]; readonly bytes: Uint8Array[] } {
  const random = mulberry(7)
  const ends = [0, 1, -1, 127, 128, 255, 256, 2 ** 24 + 1, -(2 ** 24) - 1, 2 ** 31 - 1, -(2 ** 31)]
  const sums = Int32Array.from({ length: count }, (_, i) => ends[i] ?? Math.floor((random() - 0.5) * 2 ** (1 + (i % 32))))
  const builder = createBuilder()
  const type = { dtype: 'f32', shape: [count] } as const
  const bytes = [sums, scales].map(({ buffer }) => new Uint8Array(buffer as ArrayBuffer))
  const nodes = [
    builder.input('x', { dtype: 'i32', shape: [count] }),
    constant ? builder.literal(type, bytes[1]!, 'scales') : builder.input('scales', type),
  ]
  return { nodes, bytes }
}

function resultOf(kernel: Kernel, inputs: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(byteSize(kernel.results[0]!.type))
  runKernel(kernel, inputs, [result])
  return result
}

const ops = ({ steps }: Kernel) => steps.flatMap((step) => (step.kind === 'apply' ? [step.op] : []))
const scalesOf = (of: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => of(i))
const finite = scalesOf((i) => (i % 97 === 0 ? 3e38 : 10 ** -(i % 9)))

test('integers that are floats again stay floats within limits, which take the zero point in: the same bits', () => {
  for (const narrow of ['u8', 'i8', 'i16'] as const) {
    for (const [plus, minus] of [
      [114, -114],
      [114, -100],
      [-3, 3],
      [0, 0],
    ] as const) {
      const kernel = kernelOf(narrow, plus, minus, narrow)
      const { nodes, bytes } = inputsOf(finite, true)
      const kept = keepWhole(kernel, nodes)
      assert.is(ops(kept).filter((op) => op === 'cast').length, 2, 'into floats and out of them')
      assert.is(ops(kept).includes('add'), plus !== -minus)
      assert.equal(resultOf(kept, bytes), resultOf(kernel, bytes))
    }
  }
})

test('what may be no number, or is wider than 16 bits, becomes an integer as it says', () => {
  const kernel = kernelOf('u8', 114, -114, 'f32')
  for (const [scales, constant] of [
    [finite, false],
    [scalesOf((i) => (i === 5 ? Number.NaN : 1)), true],
    [scalesOf((i) => (i === 5 ? Number.POSITIVE_INFINITY : 1)), true],
  ] as const) {
    const { nodes, bytes } = inputsOf(scales, constant)
    const kept = keepWhole(kernel, nodes)
    assert.equal(ops(kept), ops(kernel))
    assert.equal(resultOf(kept, bytes), resultOf(kernel, bytes))
  }
  const wide = kernelOf('i32', 114, -114, 'f32')
  assert.equal(ops(keepWhole(wide, inputsOf(finite, true).nodes)), ops(wide))
})

test('of two products that meet, the sums of one go to storage as the bytes they become, not as i32', () => {
  const kernels = fuseGraph(
    graphOf((b) => {
      const x = b.input('x', { dtype: 'u8', shape: [4, 8] })
      const branch = (name: string) => {
        const w = b.input(name, { dtype: 'i8', shape: [8, 6] })
        const sums = b.add('matmulInteger', { left: x, right: w }, { leftZeroPoint: 0, rightZeroPoint: [0] })
        const numbers = b.add('mul', { left: b.add('cast', { input: sums }, { dtype: 'f32' }), right: b.scalar('f32', 0.01) })
        const bytes = b.add('cast', { input: b.add('round', { input: numbers }) }, { dtype: 'u8' })
        return b.add('cast', { input: bytes }, { dtype: 'f32' })
      }
      return { y: b.add('add', { left: branch('v'), right: branch('w') }) }
    }),
    targetWith(),
  )
  verifyKernels(kernels)
  const results = kernels.steps.flatMap((step) => (step.kind === 'call' ? step.results.map(({ type }) => type.dtype) : []))
  assert.equal(results, ['u8', 'f32'])
})

test.run()
