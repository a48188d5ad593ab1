import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kernel, Step } from '../../compiler/fuse/kernel.ts'
import { type DType, denseStrides, type Shape } from '../../compiler/graph/index.ts'
import { interpreter } from '../../targets/interpreter/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import { decode } from '../../targets/interpreter/values.ts'
import { lastOf } from '../support/kernels.ts'
import { tensor, wideTensor } from './apply.ts'

const load = (input: number, shape: Shape, dtype: DType = 'f32'): Step => ({
  kind: 'load',
  input,
  access: { offset: 0, strides: denseStrides(shape) },
  dtype,
})
const loadAt = (input: number, offset: number, strides: readonly number[], dtype: DType = 'f32'): Step => ({
  kind: 'load',
  input,
  access: { offset, strides },
  dtype,
})
const step = (op: string, operands: readonly number[], dtype: DType = 'f32', attributes = {}): Step => ({
  kind: 'apply',
  op,
  arguments: operands,
  attributes,
  dtype,
})
const literal = (value: number, dtype: DType = 'f32'): Step => ({ kind: 'literal', value, dtype })
const input = (dtype: DType, shape: Shape) => ({ type: { dtype, shape }, constant: false })

function run(kernel: Kernel, inputs: readonly Uint8Array[]): unknown[] {
  const { type } = kernel.results[0]!
  const { dtype, shape } = type
  const output = tensor(dtype, shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(99)).bytes
  runKernel(kernel, inputs, [output])
  return [...decode({ type, bytes: output })]
}

test('a kernel without an anchor runs its steps at every position', () => {
  // max(x, 0) · 2 + row, where the literal stands first and the maximum does not see it.
  const steps = [
    literal(2),
    load(0, [2, 3]),
    literal(0),
    step('maximum', [1, 2]),
    step('mul', [3, 0]),
    loadAt(1, 0, [0, 1]),
    step('add', [4, 5]),
  ]
  const kernel: Kernel = {
    inputs: [input('f32', [2, 3]), input('f32', [3])],
    domain: [2, 3],
    steps,
    results: lastOf(steps, { dtype: 'f32', shape: [2, 3] }),
  }
  assert.equal(
    run(kernel, [tensor('f32', [2, 3], [1, -1, 2, -2, 3, -3]).bytes, tensor('f32', [3], [10, 20, 30]).bytes]),
    [12, 20, 34, 10, 26, 30],
  )
})

test('accesses are slices, transposes, reversals and broadcasts', () => {
  const x = tensor(
    'i32',
    [3, 4],
    Array.from({ length: 12 }, (_, i) => i),
  ).bytes
  const through = (offset: number, strides: number[], domain: number[]): Kernel => ({
    inputs: [input('i32', [3, 4])],
    domain,
    steps: [loadAt(0, offset, strides, 'i32')],
    results: [{ step: 0, type: { dtype: 'i32', shape: domain } }],
  })
  assert.equal(run(through(0, [1, 4], [4, 3]), [x]), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
  assert.equal(run(through(11, [-4, -1], [3, 2]), [x]), [11, 10, 7, 6, 3, 2])
  assert.equal(run(through(5, [0, 2, 0], [2, 2, 2]), [x]), [5, 5, 7, 7, 5, 5, 7, 7])
  assert.equal(run(through(6, [], []), [x]), [6])
  assert.equal(run(through(0, [4, 1], [0, 4]), [x]), [])
})

test('every step rounds to its dtype', () => {
  const steps = [load(0, [1], 'f16'), load(1, [1], 'f16'), step('add', [0, 1], 'f16'), step('sub', [2, 0], 'f16')]
  const kernel: Kernel = {
    inputs: [input('f16', [1]), input('f16', [1])],
    domain: [1],
    steps,
    results: lastOf(steps, { dtype: 'f16', shape: [1] }),
  }
  // 2048 + 1 is 2048 in f16, so that nothing is left; in doubles 1 would be.
  assert.equal(run(kernel, [tensor('f16', [1], [2048]).bytes, tensor('f16', [1], [1]).bytes]), [0])
})

test('64-bit integers pass through steps exactly and mix with other dtypes', () => {
  const steps = [
    load(0, [2], 'i64'),
    literal(1, 'i64'),
    step('add', [0, 1], 'i64'),
    step('less', [0, 2], 'bool'),
    step('where', [3, 2, 0], 'i64'),
    step('cast', [4], 'f32', { dtype: 'f32' }),
  ]
  const inputs = [wideTensor('i64', [2], [2n ** 60n, 2n ** 63n - 1n]).bytes]
  const kernel = (count: number, dtype: DType): Kernel => ({
    inputs: [input('i64', [2])],
    domain: [2],
    steps: steps.slice(0, count),
    results: [{ step: count - 1, type: { dtype, shape: [2] } }],
  })
  assert.equal(run(kernel(5, 'i64'), inputs), [2n ** 60n + 1n, 2n ** 63n - 1n])
  assert.equal(run(kernel(4, 'bool'), inputs), [1, 0])
  assert.equal(run(kernel(6, 'f32'), inputs), [2 ** 60, 2 ** 63])
})

test('an anchor is followed by its epilogue', () => {
  const attributes = { stride: [1], before: [1], after: [1], dilation: [1], groups: 1 }
  const operands = [
    { dtype: 'f32', shape: [1, 1, 3] },
    { dtype: 'f32', shape: [1, 1, 3] },
  ] as const
  const kernel: Kernel = {
    anchor: { op: 'conv', attributes, operands, type: operands[0] },
    inputs: [input('f32', [1, 1, 3]), input('f32', [1, 1, 3]), input('f32', [3])],
    domain: [1, 1, 3],
    steps: [
      { kind: 'anchor', dtype: 'f32' },
      loadAt(2, 2, [0, 0, -1]),
      step('add', [0, 1]),
      step('cast', [2], 'i32', { dtype: 'i32' }),
    ],
    results: [{ step: 3, type: { dtype: 'i32', shape: [1, 1, 3] } }],
  }
  // conv([1, 2, 3], [1, 1, 1]) = [3, 6, 5]; plus [100, 10, 1] reversed.
  assert.equal(
    run(kernel, [
      tensor('f32', [1, 1, 3], [1, 2, 3]).bytes,
      tensor('f32', [1, 1, 3], [1, 1, 1]).bytes,
      tensor('f32', [3], [100, 10, 1]).bytes,
    ]),
    [4, 16, 105],
  )
})

test('a reduction combines what its prologue computes', () => {
  const kernel: Kernel = {
    anchor: {
      op: 'reduceSum',
      attributes: { axes: [1], keepDims: false },
      operands: [{ dtype: 'f32', shape: [2, 3] }],
      type: { dtype: 'f32', shape: [2] },
    },
    inputs: [input('f32', [2, 3]), input('f32', [2])],
    domain: [2],
    prologue: [load(0, [2, 3]), step('mul', [0, 0])],
    steps: [{ kind: 'anchor', dtype: 'f32' }, step('sqrt', [0]), load(1, [2]), step('sub', [1, 2])],
    results: [{ step: 3, type: { dtype: 'f32', shape: [2] } }],
  }
  assert.equal(run(kernel, [tensor('f32', [2, 3], [2, 3, 6, 1, 4, 8]).bytes, tensor('f32', [2], [1, 2]).bytes]), [6, 7])
})

test('a result over its own input is right where inPlace says so, and wrong where it does not', () => {
  const dense: Kernel = {
    inputs: [input('f32', [3])],
    domain: [3],
    steps: [load(0, [3]), literal(1), step('add', [0, 1])],
    results: [{ step: 2, type: { dtype: 'f32', shape: [3] } }],
  }
  const reversed: Kernel = { ...dense, steps: [loadAt(0, 2, [-1]), literal(1), step('add', [0, 1])] }
  assert.ok(interpreter.inPlace(dense, 0, 0))
  assert.not(interpreter.inPlace(reversed, 0, 0))
  const shared = (kernel: Kernel) => {
    const { type, bytes } = tensor('f32', [3], [1, 2, 3])
    runKernel(kernel, [bytes], [bytes])
    return [...decode({ type, bytes })]
  }
  assert.equal(shared(dense), [2, 3, 4])
  // The wrong numbers prove that sharing is executed and not hidden by a private copy.
  assert.equal(shared(reversed), [4, 3, 5])
})

test('what an anchor reads may be shared, since it is computed whole before anything is stored; what a prologue reads never', () => {
  const type = { dtype: 'f32', shape: [1, 1] } as const
  const matmul: Kernel = {
    anchor: { op: 'matmul', attributes: {}, operands: [type, type], type },
    inputs: [input('f32', [1, 1]), input('f32', [1, 1]), input('f32', [1, 1])],
    domain: [1, 1],
    steps: [{ kind: 'anchor', dtype: 'f32' }, load(2, [1, 1]), step('add', [0, 1])],
    results: [{ step: 2, type }],
  }
  assert.equal(
    [0, 1, 2].map((i) => interpreter.inPlace(matmul, i, 0)),
    [true, true, true],
  )
  const prologue: Kernel = {
    anchor: { op: 'reduceSum', attributes: { axes: [1], keepDims: true }, operands: [type], type },
    inputs: [input('f32', [1, 1]), input('f32', [1, 1])],
    prologue: [load(0, [1, 1])],
    domain: [1, 1],
    steps: [{ kind: 'anchor', dtype: 'f32' }, load(1, [1, 1]), step('add', [0, 1])],
    results: [{ step: 2, type }],
  }
  assert.equal(
    [0, 1].map((i) => interpreter.inPlace(prologue, i, 0)),
    [false, true],
  )
})

test.run()
