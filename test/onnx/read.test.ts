import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, elementsOf } from '../../compiler/graph/index.ts'
import type { OnnxModel, OnnxTensor } from '../../dsl/onnx/model.ts'
import { externalFolder } from '../../dsl/onnx/proto/external.ts'
import { readModel } from '../../dsl/onnx/proto/read.ts'
import { writeModel } from '../../dsl/onnx/proto/write.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor } from './build.ts'
import { block, bytesOf, fixed32, initializer, integer, model, nodeField, text, value, varint } from './wire.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-read-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

function problemOf(action: () => unknown): { code: string; message: string } {
  try {
    action()
  } catch (error) {
    const { name, code, message } = error as { name: string; code: string; message: string }
    assert.is(name, 'ModelProblem', String((error as Error).stack))
    return { code, message }
  }
  throw new Error('nothing was thrown')
}
const malformed = (bytes: Uint8Array, pattern: RegExp) => {
  const { code, message } = problemOf(() => readModel(bytes))
  assert.is(code, 'onnx-malformed')
  assert.match(message, pattern)
}
const valuesOf = ({ dtype, read }: OnnxTensor) => {
  const elements = elementsOf(dtype, read())
  return Array.from({ length: elements.length }, (_, i) => elements.get(i))
}
const dims = (...sizes: number[]) => block(1, ...sizes.map(varint))
const one = (...parts: readonly Uint8Array[]): OnnxTensor =>
  readModel(model(initializer(text(8, 't'), ...parts))).graph.initializers.get('t')!

test('a model: header, border, nodes and attributes of every kind', () => {
  const attribute = (name: string, type: number, ...parts: readonly Uint8Array[]) =>
    block(5, text(1, name), integer(20, type), ...parts)
  const bytes = bytesOf(
    integer(1, 7),
    text(2, 'tool'),
    text(3, '1.2'),
    text(6, 'a description that nobody reads'),
    block(8, integer(2, 17)),
    block(8, text(1, 'com.microsoft'), integer(2, 1)),
    block(
      7,
      text(2, 'g'),
      value(11, 'x', 1, ['batch', 3, -1]),
      value(11, 's', 8, []),
      block(11, text(1, 'untyped')),
      block(11, text(1, 'list'), block(2, block(4, [8, 1]))),
      nodeField(
        'Gelu',
        ['x', '', 'x'],
        ['y'],
        text(3, 'n'),
        text(7, 'com.microsoft'),
        attribute('f', 1, fixed32(2, 0.5)),
        attribute('i', 2, integer(3, -3)),
        attribute('largest', 2, integer(3, 2n ** 63n - 1n)),
        attribute('s', 3, text(4, 'grün')),
        attribute('binary', 3, block(4, [0xff, 0xfe])),
        attribute('floats', 6, block(7, new Uint8Array(new Float32Array([1, 2]).buffer))),
        // Not packed, as proto2 writers have it.
        attribute('ints', 7, integer(8, 1), integer(8, -2), integer(8, 300)),
        attribute('strings', 8, text(9, 'a'), text(9, 'b')),
        attribute('types', 14),
        // Files of the first versions do not say the type.
        block(5, text(1, 'old'), integer(3, 4)),
        block(5, text(1, 'ref'), text(21, 'outer'), integer(20, 2)),
      ),
      nodeField('Relu', ['y'], ['z'], text(7, 'ai.onnx')),
      value(12, 'z'),
    ),
  )
  const { graph, ...rest } = readModel(bytes)
  assert.equal(rest, {
    irVersion: 7,
    producer: 'tool 1.2',
    opsets: new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
    functions: new Map(),
  })
  assert.equal(graph.inputs, [
    { name: 'x', dtype: 'f32', shape: ['batch', 3, undefined] },
    { name: 's', type: 'string', shape: [] },
    { name: 'untyped' },
    { name: 'list', type: 'sequence' },
  ])
  const [gelu, relu] = graph.nodes
  assert.is(gelu!.name, 'n')
  assert.is(gelu!.domain, 'com.microsoft')
  assert.is(relu!.domain, '')
  assert.equal(gelu!.inputs, ['x', '', 'x'])
  assert.equal(Object.fromEntries(gelu!.attributes), {
    f: { kind: 'float', value: 0.5 },
    i: { kind: 'int', value: -3 },
    largest: { kind: 'int', value: 2 ** 63 },
    s: { kind: 'string', value: 'grün' },
    binary: { kind: 'other', value: 'a binary string' },
    floats: { kind: 'floats', value: [1, 2] },
    ints: { kind: 'ints', value: [1, -2, 300] },
    strings: { kind: 'strings', value: ['a', 'b'] },
    types: { kind: 'other', value: 'types' },
    old: { kind: 'int', value: 4 },
    ref: { kind: 'reference', value: 'outer' },
  })
})

const f32 = new Uint8Array(new Float32Array([1, -2.5, 3e8]).buffer)
const forms: readonly [string, DType, readonly number[], Uint8Array][] = [
  ['raw', 'f32', [1, -2.5, 3e8], bytesOf(dims(3), integer(2, 1), block(9, f32))],
  ['float_data, packed', 'f32', [1, -2.5, 3e8], bytesOf(dims(3), integer(2, 1), block(4, f32))],
  ['float_data, one by one', 'f32', [1, 0.5], bytesOf(integer(1, 2), integer(2, 1), fixed32(4, 1), fixed32(4, 0.5))],
  ['float_data in two blocks', 'f32', [1, -2.5, 3e8, 7], bytesOf(dims(4), integer(2, 1), block(4, f32), fixed32(4, 7))],
  ['int64_data', 'i64', [-1, 2 ** 40], bytesOf(dims(2), integer(2, 7), block(7, varint(-1), varint(2 ** 40)))],
  ['int64_data one by one', 'i64', [-1, 5], bytesOf(dims(2), integer(2, 7), integer(7, -1), integer(7, 5))],
  ['int32_data as i32', 'i32', [-7, 2 ** 31 - 1], bytesOf(dims(2), integer(2, 6), block(5, varint(-7), varint(2 ** 31 - 1)))],
  ['int32_data as i8', 'i8', [-128, 127], bytesOf(dims(2), integer(2, 3), block(5, varint(-128), varint(127)))],
  ['int32_data as u8', 'u8', [0, 255], bytesOf(dims(2), integer(2, 2), block(5, varint(0), varint(255)))],
  ['int32_data as u16', 'u16', [65535], bytesOf(dims(1), integer(2, 4), block(5, varint(65535)))],
  ['int32_data as bool', 'bool', [1, 0], bytesOf(dims(2), integer(2, 9), block(5, varint(1), varint(0)))],
  ['int32_data as the bits of f16', 'f16', [1.5], bytesOf(dims(1), integer(2, 10), block(5, varint(0x3e00)))],
  ['int32_data as the bits of bf16', 'bf16', [-2], bytesOf(dims(1), integer(2, 16), block(5, varint(0xc000)))],
  ['double_data', 'f64', [0.1], bytesOf(dims(1), integer(2, 11), block(10, new Uint8Array(new Float64Array([0.1]).buffer)))],
  ['uint64_data as u32', 'u32', [2 ** 32 - 1], bytesOf(dims(1), integer(2, 12), block(11, varint(2 ** 32 - 1)))],
  ['uint64_data', 'u64', [2 ** 63], bytesOf(dims(1), integer(2, 13), block(11, varint(2n ** 63n)))],
  ['raw bool of other bytes', 'bool', [1, 0, 1], bytesOf(dims(3), integer(2, 9), block(9, [2, 0, 255]))],
  ['uint4, an odd number', 'u8', [1, 15, 7], bytesOf(dims(3), integer(2, 21), block(9, [0xf1, 0x07]))],
  ['int4', 'i8', [-8, 7, -1], bytesOf(dims(3), integer(2, 22), block(9, [0x78, 0x0f]))],
  ['int4 in int32_data', 'i8', [-8, 7, -1], bytesOf(dims(3), integer(2, 22), block(5, varint(0x78), varint(0x0f)))],
  ['int2', 'i8', [1, -2, -1, 0], bytesOf(dims(4), integer(2, 26), block(9, [0b00111001]))],
  ['a scalar', 'f32', [0.25], bytesOf(integer(2, 1), fixed32(4, 0.25))],
  ['nothing at all', 'i32', [], bytesOf(dims(0, 3), integer(2, 6))],
]
for (const [name, dtype, values, bytes] of forms)
  test(`elements of a tensor: ${name}`, () => {
    const tensor = one(bytes)
    assert.is(tensor.dtype, dtype)
    assert.equal(valuesOf(tensor), values)
  })

test('raw elements are views of the file where they lie right, and aligned copies where they do not', () => {
  const raw = block(9, f32)
  let views = 0
  for (let shift = 0; shift < 4; shift++) {
    const bytes = model(initializer(text(8, 'x'.repeat(shift + 1)), dims(3), integer(2, 1), raw))
    const [tensor] = readModel(bytes).graph.initializers.values()
    const found = tensor!.read()
    assert.is(found.byteOffset % 4, 0)
    assert.equal([...new Float32Array(found.buffer, found.byteOffset, 3)], [1, -2.5, 3e8])
    if (found.buffer === bytes.buffer) views++
  }
  assert.is(views, 1)
})

test('a type that nothing here can hold is an error of whoever reads it', () => {
  const tensor = one(dims(2), integer(2, 8), text(6, 'a'), text(6, 'b'))
  assert.is(tensor.unsupported, 'string')
  const { code, message } = problemOf(() => tensor.read())
  assert.is(code, 'onnx-unsupported')
  assert.match(message, /tensor "t" holds elements of type string/)
})

test('sparse initializers are written out, by flat positions and by coordinates', () => {
  const sparse = (indices: readonly number[], shape: readonly number[]) =>
    model(
      block(
        15,
        block(1, text(8, 's'), dims(2), integer(2, 1), block(4, f32.subarray(0, 8))),
        block(2, dims(...shape), integer(2, 7), block(7, ...indices.map(varint))),
        block(3, varint(2), varint(3)),
      ),
    )
  for (const bytes of [sparse([1, 5], [2]), sparse([0, 1, 1, 2], [2, 2])])
    assert.equal(valuesOf(readModel(bytes).graph.initializers.get('s')!), [0, 1, 0, 0, 0, -2.5])
  assert.match(problemOf(() => valuesOf(readModel(sparse([1, 6], [2])).graph.initializers.get('s')!)).message, /outside/)
  malformed(sparse([1, 5, 0], [3]), /do not fit 2 values/)
})

test('sizes and types that lie', () => {
  malformed(
    model(initializer(text(8, 'w'), dims(3), integer(2, 1), block(9, f32.subarray(0, 8)))),
    /tensor "w": it has 8 bytes, 12 would be 3 elements of type float/,
  )
  malformed(model(initializer(text(8, 'w'), dims(-1), integer(2, 1))), /shape \[-1\] is impossible/)
  malformed(model(initializer(text(8, 'w'), dims(2 ** 31, 2 ** 31), integer(2, 1))), /too many elements/)
  malformed(model(initializer(text(8, 'w'), dims(2 ** 30), integer(2, 1), block(9, f32))), /4294967296 would be/)
  malformed(model(initializer(text(8, 'w'), dims(...Array(65).fill(1)), integer(2, 1))), /more than 64 dimensions/)
  malformed(model(initializer(text(8, 'w'), dims(1), integer(2, 99))), /element type 99 is none/)
  malformed(
    model(initializer(text(8, 'w'), dims(1), integer(2, 2), block(5, varint(1), varint(2)))),
    /it has 2 numbers, 1 would be/,
  )
  assert.match(problemOf(() => one(dims(1), integer(2, 2), block(5, varint(256))).read()).message, /does not fit into 8 bits/)
  malformed(model(initializer(integer(2, 1), fixed32(4, 1))), /has no name/)
  malformed(model(...[0, 0].map(() => initializer(text(8, 'w'), integer(2, 1), fixed32(4, 1)))), /two initializers "w"/)
})

test('bytes that are no model', () => {
  malformed(new Uint8Array(0), /no graph/)
  malformed(new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:1\n'), /git lfs pull/)
  malformed(new TextEncoder().encode('PK\u0003\u0004 something else'), /byte/)
  malformed(bytesOf(integer(1, 8), [0x3a, 100, 1]), /graph, near byte \d+: it claims 100 bytes, 1 are left/)
  malformed(bytesOf(integer(1, 8), [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]), /claims 4294967295 bytes/)
  malformed(bytesOf(integer(1, 8), block(7, text(2, 'g')), [0x40]), /wire type 0, expected 2/)
  malformed(bytesOf(integer(1, 8), block(7, [0x0b])), /wire type 3, expected 2/)
  malformed(model(block(1, block(4, [0xff]))), /not UTF-8/)
  malformed(model(block(1, text(4, 'x'.repeat(70_000)))), /longer than the limit/)
  malformed(model(block(1, text(1, 'x'))), /does not say its operator/)
  malformed(bytesOf(integer(1, 8), block(8, integer(2, -1)), block(7, text(2, 'g'))), /imports version -1/)
  // A field within a message that reaches beyond it, though not beyond the file.
  malformed(bytesOf(block(7, [0x0a, 5]), text(2, 'padding')), /it claims 5 bytes, 0 are left/)
})

test('graphs within graphs are bounded', () => {
  let graph = nodeField('Relu', ['x'], ['y'])
  for (let depth = 0; depth < 400; depth++)
    graph = nodeField('If', ['c'], ['y'], block(5, text(1, 'then_branch'), block(6, graph), integer(20, 5)))
  malformed(model(graph), /nested deeper than 100 levels/)
})

// ---------------------------------------------------------------- external data
const external = (location: string, more: readonly (readonly [string, string])[] = []) =>
  model(
    initializer(
      text(8, 'w'),
      dims(2),
      integer(2, 1),
      integer(14, 1),
      ...[['location', location] as const, ...more].map(([key, value]) => block(13, text(1, key), text(2, value))),
    ),
  )
const home = join(folder, 'home')
mkdirSync(join(home, 'sub'), { recursive: true })
writeFileSync(join(home, 'data.bin'), bytesOf([0, 0, 0, 0], f32))
writeFileSync(join(home, 'sub/w.bin'), f32.subarray(0, 8))
writeFileSync(join(folder, 'secret.bin'), f32.subarray(0, 8))
symlinkSync(join(folder, 'secret.bin'), join(home, 'link.bin'))
symlinkSync(folder, join(home, 'up'))
const readExternal = (bytes: Uint8Array) => readModel(bytes, { external: externalFolder(home) }).graph.initializers.get('w')!

test('external data come from files of the folder, at their offset', () => {
  assert.equal(
    valuesOf(
      readExternal(
        external('data.bin', [
          ['offset', '4'],
          ['length', '8'],
          ['checksum', 'x'],
        ]),
      ),
    ),
    [1, -2.5],
  )
  assert.equal(valuesOf(readExternal(external('./sub/w.bin'))), [1, -2.5])
})

test('external data come from nowhere else', () => {
  const wrong = (bytes: Uint8Array, pattern: RegExp) => {
    const { code, message } = problemOf(() => readExternal(bytes))
    assert.is(code, 'onnx-malformed')
    assert.match(message, pattern)
    if (!String(bytes).includes(String(new TextEncoder().encode(folder)))) assert.not.match(message, new RegExp(folder))
  }
  for (const location of [
    '../secret.bin',
    'sub/../../secret.bin',
    join(folder, 'secret.bin'),
    '',
    'a//b',
    'c:\\x',
    'a\\..\\b',
    '..',
  ])
    wrong(external(location), /must be a file in the model's folder or below/)
  wrong(external('link.bin'), /leads out of the model's folder/)
  wrong(external('up/secret.bin'), /leads out of the model's folder/)
  wrong(external('absent.bin'), /ENOENT; put the file beside the model/)
  wrong(external('sub'), /not a file/)
  wrong(external('data.bin', [['offset', '12']]), /bytes 12 to 20 of "data.bin", which has 16/)
  wrong(external('data.bin', [['length', '12']]), /are 12 bytes, its type and shape take 8/)
  wrong(external('data.bin', [['offset', '-4']]), /is no size/)
  wrong(external('data.bin', [['offset', '9007199254740993']]), /is no size/)
  assert.match(problemOf(() => readModel(external('data.bin'))).message, /it was not said in which folder/)
})

// ---------------------------------------------------------------- writing
const plain = (model: OnnxModel) =>
  JSON.parse(
    JSON.stringify(model, (_, each) =>
      each instanceof Map
        ? [...each]
        : typeof each === 'object' && each && 'read' in each
          ? { ...each, read: Buffer.from(each.read()).toString('base64') }
          : each,
    ),
  )

test('what is written is read again, and equal models are equal bytes', () => {
  const branch = onnxGraph({
    constants: [onnxTensor('k', 'i64', [2], [-1, 5])],
    nodes: [onnxNode('Add', 'x,k', 'r')],
    outputs: ['r'],
  })
  const written: OnnxModel = {
    ...onnxModel({
      inputs: { x: ['f32', ['n', 3, undefined, 0]], c: ['bool', []] },
      constants: [onnxTensor('w', 'f16', [2, 2], [1, 2, 3, -0.5]), onnxTensor('e', 'u8', [0], [])],
      nodes: [
        onnxNode('If', 'c', 'a,,b', { then_branch: branch, t: onnxTensor('', 'f64', [], [0.1]) }, 'choose'),
        onnxNode('my.Own', ',x', 'y', { i: -(2 ** 40), f: { float: 0.5 }, fs: { floats: [1, -2] }, is: [1, -1], s: 'ü' }),
      ],
      outputs: ['a', 'y'],
    }),
    functions: new Map([
      [
        'my::Own',
        {
          domain: 'my',
          name: 'Own',
          inputs: ['p', 'q'],
          outputs: ['r'],
          nodes: [
            { ...onnxNode('Add', 'p,q', 'r'), attributes: new Map([['axis', { kind: 'reference', value: 'i' } as const]]) },
          ],
          opsets: new Map([['', 18]]),
          attributes: new Map([
            ['i', undefined],
            ['j', { kind: 'int', value: 3 } as const],
          ]),
        },
      ],
    ]),
  }
  const bytes = writeModel(written)
  assert.equal(plain(readModel(bytes)), plain(written))
  assert.equal(writeModel(readModel(bytes)), bytes)
})

test('a real model is read, written and read to the same', () => {
  const home = join(process.env.GLOWPLUG_ROOT!, 'fixtures/ultraface-rfb-320')
  const model = readModel(readFileSync(join(home, 'model.onnx')), { external: externalFolder(home) })
  assert.is(model.irVersion, 4)
  assert.is(model.opsets.get(''), 9)
  assert.is(model.producer, 'pytorch 1.2')
  assert.is(model.graph.nodes.length, 242)
  assert.is(model.graph.initializers.size, 244)
  assert.equal(plain(readModel(writeModel(model))), plain(model))
})

test.run()
