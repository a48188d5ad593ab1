import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kernel, Step } from '../../compiler/fuse/kernel.ts'
import { createBuilder, type Location, ModelProblem, type TensorType } from '../../compiler/graph/index.ts'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { packingOf } from '../../targets/c/function.ts'
import { simd128 } from '../../targets/c/level.ts'
import { commentText, identifier, locationText } from '../../targets/c/text.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { bytesOf } from '../support/compare.ts'
import { type Case, programOf } from '../support/kernelProgram.ts'
import { emit, load, textOf } from './harness.ts'

const type: TensorType = { dtype: 'f32', shape: [2, 10] }
const add: Kernel = {
  inputs: [
    { type, constant: false },
    { type, constant: false },
  ],
  domain: type.shape,
  steps: [
    { kind: 'load', input: 0, access: { offset: 0, strides: [10, 1] }, dtype: 'f32' },
    { kind: 'load', input: 1, access: { offset: 0, strides: [10, 1] }, dtype: 'f32' },
    { kind: 'apply', op: 'add', arguments: [0, 1], attributes: {}, dtype: 'f32' },
  ],
  results: [{ step: 2, type }],
}
const counting = bytesOf(
  type,
  Array.from({ length: 20 }, (_, i) => i),
)
const one: Case = { kernel: add, inputs: [counting, counting] }
const at = (file: string): Location => ({ kind: 'source', span: { file, line: 3, column: 5 }, calls: [] })
const located = (program: Program, location: Location): Program => ({
  ...program,
  instructions: program.instructions.map((instruction) =>
    instruction.kind === 'call' ? { ...instruction, locations: [location] } : instruction,
  ),
})

test('text of a model cannot leave the comment it stands in', async () => {
  for (const hostile of ['x*/ int evil(void); /*', 'a\\\nb', 'q??/\nz', 'líne\u2028', '"quotes"', '//x', '*/']) {
    const text = commentText(hostile)
    assert.ok(/^[A-Za-z0-9 _.,:;+\-=()[\]<>|@/]*$/.test(text), text)
    const source = textOf(located({ ...programOf([one]), name: hostile }, at(hostile)), simd128)
    assert.is(source.split('/*').length, source.split('*/').length)
  }
})

test('comments name the model line, without folders of this machine', () => {
  assert.is(locationText([{ kind: 'unknown' }, at('models/face.model.ts')]), 'models/face.model.ts:3:5')
  assert.is(locationText([at('/home/user/models/face.model.ts')]), 'face.model.ts:3:5')
  assert.is(locationText([]), 'derived')
  assert.ok(
    textOf(located(programOf([one]), at('face.model.ts')), simd128).includes(
      'add: f32[2, 10], f32[2, 10] -> f32[2, 10] at face.model.ts:3:5',
    ),
  )
})

test('names that are no plain identifiers, or helpers, are refused', () => {
  assert.is(identifier('conv_maximum_1x8'), 'conv_maximum_1x8')
  for (const name of ['double', 'gp_exp_v', 'a b_c', '_x', '9_a', 'f_(', 'x_\n', 'entry'])
    assert.throws(() => identifier(name), /identifier|helper/)
})

test('equal programs give equal bytes, wherever they were written', async () => {
  const first = await emit(located(programOf([one]), at('a.model.ts')))
  const second = await emit(located(programOf([one]), at('b/c.model.ts')))
  assert.equal(first.bytes, second.bytes)
  assert.is(first.kind, 'wasm')
  assert.is(first.extension, 'wasm')
  assert.ok(/^\d+\.\d+/.test(first.toolchain['@yowasp/clang']!))
  assert.ok(first.source.includes('int entry(char *constants, char *mutable, char *activations)'))
})

test('copies move rows between pitches, and results may be written over inputs', async () => {
  const base = programOf([one])
  const [x0, x1, out] = base.instructions.flatMap((instruction) =>
    instruction.kind === 'call' ? instruction.operands.map((operand) => operand.buffer) : [],
  )
  const program: Program = {
    ...base,
    instructions: [
      ...base.instructions.map((instruction) =>
        instruction.kind === 'call'
          ? {
              ...instruction,
              operands: [
                { buffer: x0!, qualifier: 'in' as const },
                { buffer: x1!, qualifier: 'in' as const },
                { buffer: x0!, qualifier: 'out' as const },
              ],
            }
          : instruction,
      ),
      { kind: 'copy', from: x0!, to: out!, rows: 2, rowBytes: 8, fromStride: 40, toStride: 16 },
      { kind: 'copy', from: x0!, to: out!, rows: 0, rowBytes: 8, fromStride: 40, toStride: 16 },
    ],
  }
  const module = await load(program, (await emit(program)).bytes)
  for (const id of [x0!, x1!]) module.write(id, counting)
  module.write(out!, new Uint8Array(80))
  assert.is(module.run(), 0)
  const floats = (id: BufferId) => [...new Float32Array(module.read(id, 80).buffer)]
  assert.equal(
    floats(x0!),
    Array.from({ length: 20 }, (_, i) => 2 * i),
  )
  assert.equal(floats(out!).slice(0, 8), [0, 2, 0, 0, 20, 22, 0, 0])
})

test('kernels on empty tensors do nothing and compile', async () => {
  const empty: TensorType = { dtype: 'f32', shape: [0, 4] }
  const load0: Step = { kind: 'load', input: 0, access: { offset: 0, strides: [4, 1] }, dtype: 'f32' }
  const moved: Kernel = {
    inputs: [{ type: empty, constant: false }],
    domain: [0, 4],
    steps: [load0],
    results: [{ step: 0, type: empty }],
  }
  const total: Kernel = {
    anchor: {
      op: 'reduceSum',
      attributes: { axes: [0], keepDims: false },
      operands: [empty],
      type: { dtype: 'f32', shape: [4] },
    },
    inputs: [{ type: empty, constant: false }],
    domain: [4],
    steps: [{ kind: 'anchor', dtype: 'f32' }],
    results: [{ step: 0, type: { dtype: 'f32', shape: [4] } }],
  }
  const program = programOf([
    { kernel: moved, inputs: [new Uint8Array()] },
    { kernel: total, inputs: [new Uint8Array()] },
  ])
  const module = await load(program, (await emit(program)).bytes)
  assert.is(module.run(), 0)
  assert.equal([...new Float32Array(module.read(program.outputs[1]!, 16).buffer)], [0, 0, 0, 0])
})

test('what does not fit 32-bit addresses is refused, with numbers', async () => {
  const builder = createBuilder()
  const large = builder.input('x', { dtype: 'f32', shape: [2 ** 29] })
  assert.match(wasm.unsupported(builder.add('negate', { input: large }))!, /2147483648 bytes/)
  assert.is(wasm.unsupported(builder.add('negate', { input: builder.input('y', type) })), undefined)
  const program = { ...programOf([one]), regions: { constants: 3e9, mutable: 1e9, activations: 1e9 } }
  try {
    await emit(program)
    assert.unreachable()
  } catch (error) {
    assert.instance(error, ModelProblem)
    assert.is((error as ModelProblem).code, 'too-large')
  }
})

test('packed weights have the size they announce, panel after panel, filled up with zeros', () => {
  const shape = [5, 2, 1, 3]
  const kernel: Kernel = {
    anchor: {
      op: 'conv',
      attributes: { groups: 1, stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1] },
      operands: [
        { dtype: 'f32', shape: [1, 2, 4, 8] },
        { dtype: 'f32', shape },
      ],
      type: { dtype: 'f32', shape: [1, 5, 4, 6] },
    },
    inputs: [
      { type: { dtype: 'f32', shape: [1, 2, 4, 8] }, constant: false },
      { type: { dtype: 'f32', shape }, constant: true },
    ],
    domain: [1, 5, 4, 6],
    steps: [{ kind: 'anchor', dtype: 'f32' }],
    results: [{ step: 0, type: { dtype: 'f32', shape: [1, 5, 4, 6] } }],
  }
  const packing = packingOf(kernel, 1, simd128)!
  const packed = packing.pack(
    bytesOf(
      { dtype: 'f32', shape },
      Array.from({ length: 30 }, (_, i) => 1 + i),
    ),
  )
  assert.is(packed.byteLength, packing.bytes)
  const floats = [...new Float32Array(packed.buffer)]
  // First window element of the first channel for outputs 0 … 4, then three that do not exist.
  assert.equal(floats.slice(0, 8), [1, 7, 13, 19, 25, 0, 0, 0])
  assert.equal(floats.slice(8, 13), [2, 8, 14, 20, 26])
  assert.is(packingOf(kernel, 0, simd128), undefined)
})

test('composites that have kernels of their own are kept, the others lowered', () => {
  assert.equal([...wasm.keeps].sort(), [
    'attention',
    'blockLinear',
    'blockedConv',
    'blockedConvInteger',
    'dequantizeBlocks',
    'embeddingBag',
    'gridSample',
    'layerNorm',
    'linear',
    'logSoftmax',
    'raggedEmbeddingBag',
    'recurrence',
    'rmsNorm',
    'rotaryEmbedding',
    'softmax',
  ])
})

test.run()
