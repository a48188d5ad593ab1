import { runInThisContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import type { Buffer, BufferId, Instruction } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { interpreter, runProgram } from '../../targets/interpreter/index.ts'
import { printLiteral } from '../../targets/interpreter/resolve.ts'

const id = (n: number) => n as BufferId
const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape })
const read = (n: number) => ({ buffer: id(n), qualifier: 'in' as const })
const write = (n: number) => ({ buffer: id(n), qualifier: 'out' as const })

const scale: Kernel = {
  inputs: [
    { type: f32(2, 2), constant: false },
    { type: f32(2), constant: true },
  ],
  domain: [2, 2],
  steps: [
    { kind: 'load', input: 0, access: { offset: 0, strides: [2, 1] }, dtype: 'f32' },
    { kind: 'load', input: 1, access: { offset: 0, strides: [0, 1] }, dtype: 'f32' },
    { kind: 'apply', op: 'mul', arguments: [0, 1], attributes: {}, dtype: 'f32' },
    { kind: 'literal', value: Number.NEGATIVE_INFINITY, dtype: 'f32' },
    { kind: 'apply', op: 'maximum', arguments: [2, 3], attributes: {}, dtype: 'f32' },
  ],
  results: [{ step: 4, type: f32(2, 2) }],
}
const pick = (op: string): Kernel => ({
  anchor: { op, attributes: { axis: 0 }, operands: [f32(4), { dtype: 'i32', shape: [2] }], type: f32(2) },
  inputs: [
    { type: f32(4), constant: false },
    { type: { dtype: 'i32', shape: [2] }, constant: false },
  ],
  domain: [2],
  steps: [{ kind: 'anchor', dtype: 'f32' }],
  results: [{ step: 0, type: f32(2) }],
})

/** out = gather(flatten(x · c), indices), gathered twice: scaled in place is not possible, the flat view is, the copy is explicit. */
function makeProgram(): Program {
  const data = { label: 'c', read: () => new Uint8Array(new Float32Array([10, 100]).buffer) }
  const buffers: Buffer[] = [
    { kind: 'constant', id: id(0), name: 'c', type: f32(2), bytes: 8, data },
    { kind: 'input', id: id(1), name: 'x', type: f32(2, 2), bytes: 16 },
    { kind: 'input', id: id(2), name: 'indices', type: { dtype: 'i32', shape: [2] }, bytes: 8 },
    { kind: 'activation', id: id(3), name: 'scaled', type: f32(2, 2), bytes: 16 },
    { kind: 'view', id: id(4), name: 'flat', type: f32(4), bytes: 16, of: id(3), offset: 0 },
    { kind: 'activation', id: id(5), name: 'picked', type: f32(2), bytes: 8 },
    { kind: 'output', id: id(6), name: 'out', type: f32(4), bytes: 16 },
    { kind: 'view', id: id(7), name: 'first', type: f32(2), bytes: 8, of: id(6), offset: 0 },
    { kind: 'view', id: id(8), name: 'second', type: f32(2), bytes: 8, of: id(6), offset: 8 },
  ]
  const offsets = [0, 0, 64, 64, 64, 0, 128, 128, 136]
  const call = (name: string, kernel: Kernel, ...operands: Extract<Instruction, { kind: 'call' }>['operands']): Instruction => ({
    kind: 'call',
    name,
    kernel,
    operands,
    locations: [],
  })
  const gather = pick('gather')
  return {
    name: 'test',
    buffers: new Map(buffers.map((buffer) => [buffer.id, buffer])),
    inputs: [id(1), id(2)],
    outputs: [id(6)],
    instructions: [
      { kind: 'alloc', buffer: id(3) },
      call('scale', scale, read(1), read(0), write(3)),
      { kind: 'alloc', buffer: id(5) },
      call('pick', gather, read(4), read(2), write(5)),
      { kind: 'copy', from: id(5), to: id(7), rows: 1, rowBytes: 8, fromStride: 8, toStride: 8 },
      call('pick', gather, read(6), read(2), write(8)),
      { kind: 'dealloc', buffer: id(5) },
      { kind: 'dealloc', buffer: id(3) },
    ],
    offsets: new Map(offsets.map((offset, i) => [id(i), offset])),
    regions: { constants: 64, mutable: 192, activations: 128 },
    alignment: 64,
    lowerBound: 128,
    unshared: 128,
    kernels: new Map([
      ['scale', scale],
      ['pick', gather],
    ]),
  }
}

type Entry = (constants: number, mutable: number, activations: number) => number

/** Regions apart from each other with garbage between, so that a wrong base or a stray write shows. */
function execute(entry: (memory: Uint8Array) => Entry, indices: readonly number[]) {
  const memory = new Uint8Array(1024).fill(0xa5)
  const [constants, mutable, activations] = [512, 64, 320]
  memory.set(new Uint8Array(new Float32Array([10, 100]).buffer), constants)
  memory.set(new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer), mutable)
  memory.set(new Uint8Array(Int32Array.from(indices).buffer), mutable + 64)
  const code = entry(memory)(constants, mutable, activations)
  const untouched = memory.every(
    (byte, at) => byte === 0xa5 || (at >= 512 && at < 576) || (at >= 64 && at < 256) || (at >= 320 && at < 448),
  )
  return { code, untouched, out: [...new Float32Array(memory.buffer, mutable + 128, 4)] }
}

const emit = (program: Program) => interpreter.emit('sample', [{ entry: 'main', export: 'entry', program }])

async function emitted(program: Program) {
  const code = await emit(program)
  const text = new TextDecoder().decode(code.bytes)
  const instantiate = runInThisContext(text) as (memory: { readonly buffer: ArrayBufferLike }) => Record<string, Entry>
  return { code, text, instantiate }
}

test('a program runs on real addresses: constants, views, copies, results in place', () => {
  const program = makeProgram()
  const run =
    (memory: Uint8Array): Entry =>
    (...bases) =>
      runProgram(program, memory, ...bases)
  // x · c = [10, 200, 30, 400]; picking [1, 0] gives [200, 10], and picking the same from out so far gives [10, 200].
  assert.equal(execute(run, [1, 0]), { code: 0, untouched: true, out: [200, 10, 10, 200] })
})

test('the emitted code does the same without any import', async () => {
  const { text, instantiate, code } = await emitted(makeProgram())
  assert.equal([code.kind, code.level, code.extension], ['module', 'any', 'js'])
  assert.not.match(text, /\bimport\b|\brequire\b/)
  const run = (memory: Uint8Array): Entry => instantiate(memory).entry!
  assert.equal(execute(run, [1, 0]), { code: 0, untouched: true, out: [200, 10, 10, 200] })
})

test('a copy moves rows between strides', () => {
  const buffers: Buffer[] = [
    { kind: 'input', id: id(0), name: 'x', type: f32(2, 1), bytes: 8 },
    { kind: 'output', id: id(1), name: 'y', type: f32(2, 3), bytes: 24 },
    { kind: 'view', id: id(2), name: 'part', type: f32(2, 1), bytes: 16, of: id(1), offset: 4 },
  ]
  const program: Program = {
    ...makeProgram(),
    buffers: new Map(buffers.map((buffer) => [buffer.id, buffer])),
    offsets: new Map([0, 64, 68].map((offset, i) => [id(i), offset])),
    instructions: [{ kind: 'copy', from: id(0), to: id(2), rows: 2, rowBytes: 4, fromStride: 4, toStride: 12 }],
  }
  const memory = new Uint8Array(256)
  memory.set(new Uint8Array(new Float32Array([1, 2]).buffer), 8)
  assert.is(runProgram(program, memory, 0, 8, 0), 0)
  assert.equal([...new Float32Array(memory.buffer, 72, 6)], [0, 1, 0, 0, 2, 0])
})

test('equal programs give equal bytes', async () => {
  const [a, b] = [await emit(makeProgram()), await emit(makeProgram())]
  assert.equal(a.bytes, b.bytes)
})

test('a refused value returns the number of the checked call', async () => {
  const program = makeProgram()
  const { instantiate } = await emitted(program)
  const inProcess =
    (memory: Uint8Array): Entry =>
    (...bases) =>
      runProgram(program, memory, ...bases)
  const inModule = (memory: Uint8Array): Entry => instantiate(memory).entry!
  for (const run of [inProcess, inModule]) {
    assert.is(execute(run, [1, 4]).code, 1)
    assert.is(execute(run, [-5, 0]).code, 1)
    assert.is(execute(run, [-1, -4]).code, 0)
  }
  // Only the second gather refuses when its own table is shorter.
  const shorter = {
    ...pick('gather'),
    anchor: { ...pick('gather').anchor!, operands: [f32(2), { dtype: 'i32' as const, shape: [2] }] },
  }
  const instructions = program.instructions.map((instruction, i) =>
    i === 5 && instruction.kind === 'call' ? { ...instruction, name: 'shorter', kernel: shorter } : instruction,
  )
  const second = { ...program, instructions, kernels: new Map([...program.kernels, ['shorter', shorter]]) }
  assert.is(
    execute(
      (memory) =>
        (...bases) =>
          runProgram(second, memory, ...bases),
      [3, 0],
    ).code,
    2,
  )
})

test('literals survive as JavaScript, whatever they hold', () => {
  const value = {
    list: [1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-7],
    text: '</script>"\u2028`$\\',
    flag: true,
    absent: undefined,
    nested: { axis: -1 },
  }
  const back = new Function(`return ${printLiteral(value)}`)()
  assert.equal(back, {
    list: [1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-7],
    text: value.text,
    flag: true,
    nested: { axis: -1 },
  })
  assert.ok(Object.is(back.list[1], -0))
})

test.run()
