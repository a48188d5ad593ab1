import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import { type Builder, InvariantError, type Node } from '../../compiler/graph/index.ts'
import { type BufferId, elideCopies, selectInstructions, shareInPlace } from '../../compiler/instructions/index.ts'
import { allocateMemory, faultsOf, type Program, printProgram, verifyProgram } from '../../compiler/memory/index.ts'
import type { Target } from '../../compiler/target.ts'
import { bytesOf } from '../support/compare.ts'
import { conv, f32, graphOf, relu, weights } from '../support/graphs.ts'
import { runOnMemory, targetWith } from '../support/program.ts'

function compile(make: (b: Builder) => Readonly<Record<string, Node>>, answers: Partial<Target> = {}): Program {
  const target = targetWith(answers)
  const program = allocateMemory(
    shareInPlace(elideCopies(selectInstructions(fuseGraph(graphOf(make), target), target)), target),
    target.alignment,
  )
  verifyProgram(program)
  return program
}

test('LL-15 LL-19: a program in full: regions, addresses, lifetimes, bound', () => {
  const program = compile((b) => {
    const x = b.input('x', f32(1, 2, 4, 4))
    const first = relu(b, conv(b, x, 4, 3, 'first'))
    const parts = ['left', 'right'].map((label) => conv(b, first, 2, 1, label))
    const joined = b.add('concat', { inputs: parts }, { axis: 1 })
    return {
      y: b.add('maxPool', { input: joined }, { window: [2, 2], stride: [2, 2], before: [0, 0], after: [0, 0], dilation: [1, 1] }),
    }
  })
  assert.is(
    printProgram(program),
    `program "test", aligned to 64
  constants: 640 bytes
      0 288  %3 constant "first"
    320 336  %4 constant "first.bias"
    384 416  %6 constant "left"
    448 456  %7 constant "left.bias"
    512 544  %9 constant "right"
    576 584  %10 constant "right.bias"
  mutable: 192 bytes
      0 128  %0 input "x"
    128 192  %1 output "y"
  activations: 512 bytes
      0 256  %2 activation "conv_maximum_1x4x4x4"  live 0 to 5
    256 512  %11 activation "join"  live 2 to 7
    at least 512 bytes are live at one time, 100.0 % of what is used; 512 bytes if nothing were shared

instructions "test"
  %0 = input "x": f32[1, 2, 4, 4], 128 bytes
  %1 = output "y": f32[1, 4, 2, 2], 64 bytes
  %2 = activation "conv_maximum_1x4x4x4": f32[1, 4, 4, 4], 256 bytes
  %3 = constant "first": f32[4, 2, 3, 3], 288 bytes
  %4 = constant "first.bias": f32[4], 16 bytes
  %5 = view "conv_1x2x4x4" of %11 + 0: f32[1, 2, 4, 4], 128 bytes
  %6 = constant "left": f32[2, 4, 1, 1], 32 bytes
  %7 = constant "left.bias": f32[2], 8 bytes
  %8 = view "conv_1x2x4x4" of %11 + 128: f32[1, 2, 4, 4], 128 bytes
  %9 = constant "right": f32[2, 4, 1, 1], 32 bytes
  %10 = constant "right.bias": f32[2], 8 bytes
  %11 = activation "join": f32[1, 4, 4, 4], 256 bytes
  %14 = view "maxPool_1x4x2x2" of %1 + 0: f32[1, 4, 2, 2], 64 bytes

  0: alloc %2
  1: call conv_maximum_1x4x4x4 @in %0, @in %3, @in %4, @out %2
  2: alloc %11
  3: call conv_1x2x4x4 @in %2, @in %6, @in %7, @out %5
  4: call conv_1x2x4x4 @in %2, @in %9, @in %10, @out %8
  5: dealloc %2
  6: call maxPool_1x4x2x2 @in %11, @out %14
  7: dealloc %11
`,
  )
})

const chain = (b: Builder) => {
  const x = b.input('x', f32(8, 8))
  return {
    y: ['a', 'b', 'c'].reduce<Node>((value, label) => b.add('matmul', { left: value, right: weights(b, label, 8, 8) }), x),
  }
}

test('LL-17: the peak lies between the bound and the sum', () => {
  const { regions, lowerBound, unshared } = compile(chain, { scratch: () => 100 })
  assert.equal(
    { ...regions, lowerBound, unshared },
    { constants: 768, mutable: 512, activations: 640, lowerBound: 640, unshared: 896 },
  )
})

test('LL-16: another alignment', () => {
  const { offsets, buffers } = compile(
    (b) => ({ y: b.add('add', { left: b.input('x', f32(3)), right: b.input('w', f32(3)) }) }),
    { alignment: 16 },
  )
  assert.equal(
    [...buffers.values()].filter((buffer) => buffer.kind !== 'view').map((buffer) => offsets.get(buffer.id)),
    [0, 16, 32],
  )
})

const moved = (program: Program, buffer: number, offset: number): Program => ({
  ...program,
  offsets: new Map(program.offsets).set(buffer as BufferId, offset),
})
const program = compile(chain, { scratch: () => 64 })
const first = (kind: string, n = 0) => [...program.buffers.values()].filter((buffer) => buffer.kind === kind)[n]!.id

const broken: readonly [string, Program, RegExp][] = [
  [
    'two activations that are live together',
    moved(program, first('activation', 1), program.offsets.get(first('activation'))!),
    /live together and share bytes/,
  ],
  [
    'scratch over an activation',
    moved(program, first('scratch', 1), program.offsets.get(first('activation'))!),
    /live together and share bytes/,
  ],
  ['two constants at one place', moved(program, first('constant', 1), 0), /share bytes/],
  ['an output over an input', moved(program, first('output'), 0), /share bytes/],
  ['an address that is not aligned', moved(program, first('activation'), 32), /not a multiple of 64/],
  ['an address beyond the region', moved(program, first('constant', 2), 1024), /beyond the 768 bytes of constants/],
  ['a view that is not where its storage is', moved(program, first('view'), 0), /view \d+ is at 0/],
  [
    'a buffer without an address',
    { ...program, offsets: new Map([...program.offsets].filter(([id]) => id !== first('scratch'))) },
    /has no address/,
  ],
  ['a kernel that is not listed', { ...program, kernels: new Map() }, /not among the kernels/],
]

for (const [name, wrong, message] of broken) {
  test(`LL-17: found: ${name}`, () => {
    assert.throws(
      () => verifyProgram(wrong),
      (problem: Error) => problem instanceof InvariantError && message.test(problem.message),
    )
  })
}

test('faults are the calls that check values, in order, with their place in the model', () => {
  const program = compile((b) => {
    const at = (line: number) => ({ kind: 'source', span: { file: 'm.model.ts', line, column: 7 }, calls: [] }) as const
    const i = b.input('i', { dtype: 'i32', shape: [2] })
    const a = b.add('gather', { input: weights(b, 'a', 4, 3), indices: i }, {}, at(3))
    const c = b.add('gather', { input: weights(b, 'c', 9, 3), indices: i }, {})
    return { y: b.add('matmul', { left: a, right: b.add('transpose', { input: c }, { order: [1, 0] }) }) }
  })
  const faults = faultsOf(program)
  assert.equal(
    faults.map((fault) => fault.message),
    [
      'gather: an index is outside f32[4, 3] along axis 0; it may be -4 to 3 (m.model.ts:3:7)',
      'gather: an index is outside f32[9, 3] along axis 0; it may be -9 to 8',
    ],
  )
  assert.ok(faults.every(({ instruction }) => program.instructions[instruction]!.kind === 'call'))

  const run = (...indices: number[]) => runOnMemory(program, { i: bytesOf({ dtype: 'i32', shape: [2] }, indices) }).fault
  assert.equal([run(0, 3), run(0, 4), run(-5, 0), run(-4, 3)], [0, 1, 1, 0])
})

test('packed constants are read through their packing', () => {
  const pack: Target['pack'] = (kernel, index) =>
    kernel.anchor && index === 1 ? { key: 'twice', bytes: 128, pack: (dense) => new Uint8Array([...dense, ...dense]) } : undefined
  const program = compile((b) => ({ y: b.add('matmul', { left: b.input('x', f32(4, 4)), right: weights(b, 'w', 4, 4) }) }), {
    pack,
  })
  const constant = [...program.buffers.values()].find((buffer) => buffer.kind === 'constant')!
  assert.is(constant.bytes, 128)
  assert.is(program.regions.constants, 128)
})

test.run()
