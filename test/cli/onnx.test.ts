import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OnnxTensor } from '../../dsl/onnx/model.ts'
import { readModel } from '../../dsl/onnx/proto/read.ts'
import { writeModel } from '../../dsl/onnx/proto/write.ts'
import { onnxModel, onnxNode, onnxTensor } from '../onnx/build.ts'
import { block, bytesOf, integer, text, value, varint } from '../onnx/wire.ts'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-onnx-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
process.chdir(folder)
const file = (name: string) => join(folder, name)
// Where the model files of this test find the package.
mkdirSync(file('node_modules'))
const bin = join(repository, 'plugin/bin.mjs')

const weight = Array.from({ length: 24 }, (_, i) => (i - 11.5) / 8)
const dense = onnxModel({
  inputs: { 'x:0': ['f32', ['rows', 4]] },
  constants: [onnxTensor('dense/kernel', 'f32', [4, 6], weight), onnxTensor('one', 'f32', [], [1])],
  nodes: [onnxNode('MatMul', 'x:0, dense/kernel', 'm'), onnxNode('Add', 'm, one', 'a'), onnxNode('Relu', 'a', 'out.1')],
  outputs: ['out.1'],
})
writeFileSync(file('dense.onnx'), writeModel(dense))
writeFileSync(file('x.bin'), new Uint8Array(new Float32Array([1, -2, 0.5, 3]).buffer))
/** y = max(0, x · W + 1) for the row in x.bin. */
const expected = Array.from({ length: 6 }, (_, j) =>
  Math.max(
    0,
    [1, -2, 0.5, 3].reduce((sum, each, k) => sum + each * weight[k * 6 + j]!, 1),
  ),
)

test('import writes a model that runs', async () => {
  const { status, out, err } = await glowplug('import', 'dense.onnx', '--out', 'models', '--dim', 'rows=1')
  assert.is(status, 0, err)
  assert.match(
    out,
    /^models\/dense\.model\.ts {2}\d+ lines\nmodels\/dense\.safetensors {2}\d+ B, 1 tensors\n3 nodes: 1 Add, 1 MatMul, 1 Relu\n/,
  )
  assert.match(out, /f32\[1, 4\] → out_1 f32\[1, 6\]/)
  assert.equal(readdirSync(file('models')).sort(), ['dense.model.ts', 'dense.safetensors'])
  assert.match(readFileSync(file('models/dense.model.ts'), 'utf8'), /dense\.onnx/)
  const [input] = /(\w+) f32\[1, 4\] →/.exec(out)!.slice(1)
  const ran = await glowplug(
    'run',
    'models/dense.model.ts',
    '--input',
    `${input}=x.bin`,
    '--out',
    'results',
    '--target',
    'interpreter',
  )
  assert.is(ran.status, 0, ran.err)
  const bytes = readFileSync(file('results/out_1.bin'))
  const got = new Float32Array(bytes.buffer, bytes.byteOffset, 6)
  for (const [i, each] of expected.entries()) assert.ok(Math.abs(got[i]! - each) < 1e-6, `${got[i]} ${each}`)
})

test('import takes a state for each input that sessions carry, and finds pairs by their names', async () => {
  const cell = onnxModel({
    inputs: { x: ['f32', [2]], h0: ['f32', [2]], c0: ['f32', [2]] },
    nodes: [onnxNode('Add', 'x,h0', 'hn'), onnxNode('Mul', 'hn,c0', 'cn'), onnxNode('Sub', 'hn,cn', 'y')],
    outputs: ['y', 'hn', 'cn'],
  })
  writeFileSync(file('cell.onnx'), writeModel(cell))
  const named = await glowplug('import', 'cell.onnx', '--out', 'named', '--state', 'h0=hn', '--state', 'c0=cn')
  assert.is(named.status, 0, named.err)
  const found = await glowplug('import', 'cell.onnx', '--out', 'found', '--state', 'auto')
  assert.is(found.status, 0, found.err)
  const source = readFileSync(file('named/cell.model.ts'), 'utf8')
  assert.is(readFileSync(file('found/cell.model.ts'), 'utf8'), source)
  assert.match(source, /state\('f32', \[2\]\)/)
  const twice = await glowplug('import', 'cell.onnx', '--out', 'twice', '--state', 'h0=hn', '--state', 'h0=cn')
  assert.is(twice.status, 2, twice.out)
})

test('import does not overwrite unless told', async () => {
  const before = readFileSync(file('models/dense.model.ts'))
  const { status, err } = await glowplug('import', 'dense.onnx', '--out', 'models', '--dim', 'rows=2')
  assert.is(status, 1)
  assert.match(err, /models\/dense\.model\.ts exists; --force overwrites it, --name or --out choose another place/)
  assert.equal(readFileSync(file('models/dense.model.ts')), before)
  const forced = await glowplug('import', 'dense.onnx', '--out', 'models', '--dim', 'rows=2', '--force')
  assert.is(forced.status, 0, forced.err)
  assert.match(forced.out, /f32\[2, 6\]/)
})

test('import --json says what it made, under the name that was asked for', async () => {
  const { status, out } = await glowplug(
    'import',
    'dense.onnx',
    '--out',
    'named',
    '--name',
    'two-layers',
    '--dim',
    'rows=3,5',
    '--json',
  )
  assert.is(status, 0)
  const { files, name, operators, entries, weights, notes, opsets } = JSON.parse(out)
  assert.equal(files, ['named/two-layers.model.ts', 'named/two-layers.safetensors'])
  assert.is(name, 'two_layers')
  assert.equal(operators, [
    { op: 'Add', count: 1 },
    { op: 'MatMul', count: 1 },
    { op: 'Relu', count: 1 },
  ])
  assert.equal(opsets, { 'ai.onnx': 21, 'com.microsoft': 1 })
  assert.is(entries.length, 2)
  assert.equal(
    entries.map((entry: { inputs: { onnx: string; shape: number[] }[] }) => [entry.inputs[0]!.onnx, entry.inputs[0]!.shape]),
    [
      ['x:0', [3, 4]],
      ['x:0', [5, 4]],
    ],
  )
  assert.is(weights.tensors, 1)
  assert.instance(notes, Array)
})

test('import lists all that it cannot do, and writes nothing', async () => {
  const strange = onnxModel({
    inputs: { x: ['f32', [2]] },
    nodes: [
      onnxNode('StringNormalizer', 'x,x', 'a', {}, 'boxes'),
      onnxNode('acme.Wobble', 'x', 'b', {}, '/model/\u001b[31mwobble'),
      onnxNode('Add', 'a,b', 'y'),
    ],
    outputs: ['y'],
  })
  writeFileSync(file('strange.onnx'), writeModel(strange))
  const { status, err } = await glowplug('import', 'strange.onnx', '--out', 'strange')
  assert.is(status, 1)
  assert.match(err, /error\[onnx-unsupported\] strange\.onnx: 2 nodes cannot be imported:/)
  assert.match(err, /- StringNormalizer \(opset 21\), node 'boxes': .*TypeScript/)
  assert.match(err, /- acme\.Wobble \(opset 1\), node '\/model\/ ?\[31mwobble'/)
  assert.not.ok(err.includes('\u001b'))
  const json = await glowplug('import', 'strange.onnx', '--out', 'strange', '--json')
  assert.is(json.status, 1)
  const { diagnostics, unsupported } = JSON.parse(json.out)
  assert.is(diagnostics[0].code, 'onnx-unsupported')
  assert.equal(
    unsupported.map(({ op, domain, node }: { op: string; domain: string; node: string }) => [domain, op, node]),
    [
      ['', 'StringNormalizer', 'boxes'],
      ['acme', 'Wobble', '/model/\u001b[31mwobble'],
    ],
  )
  assert.not.ok(existsSync(file('strange')))
})

test('import says what is wrong with a file or a command', async () => {
  const bytes = writeModel(dense)
  writeFileSync(file('cut.onnx'), bytes.subarray(0, bytes.length - 9))
  writeFileSync(file('7.onnx'), bytes)
  const fails = async (status: number, pattern: RegExp, ...args: string[]) => {
    const result = await glowplug('import', ...args)
    assert.is(result.status, status, result.err)
    assert.match(result.err, pattern)
  }
  await fails(1, /error\[onnx-malformed\] cut\.onnx: .*bytes.* are left/, 'cut.onnx', '--name', 'cut')
  await fails(1, /there is no file absent\.onnx/, 'absent.onnx')
  await fails(2, /'7' is none\nchoose one with --name/, '7.onnx')
  await fails(2, /--name 'a b' cannot be the name/, 'dense.onnx', '--name', 'a b')
  await fails(2, /--dim 'rows' is not a name and its sizes: there is no =\nwrite --dim seq=128/, 'dense.onnx', '--dim', 'rows')
  for (const [option, given, said] of [
    ['--dim', 'rows=-1', /: sizes are whole numbers of at least 0, and this is '-1'\nwrite --dim seq=128/],
    ['--constant', 'x=', /: values are numbers, and this is ''\nwrite --constant sr=16000/],
    ['--limit', 'x=-1', /: the most is a whole number of at least 1, and this is '-1'\nwrite --limit boxes=100/],
    ['--limit', 'x=abc', /: the most is a whole number of at least 1, and this is 'abc'\nwrite --limit/],
    ['--limit', 'x', /: there is no =\nwrite --limit/],
    ['--limit', '=5', /: nothing stands before =\nwrite --limit/],
    ['--state', 'h=', /: the output is a name, and this is ''\nwrite --state past=present/],
    ['--state', 'a=b=c', /: there is more than one =\nwrite --state/],
  ] as const)
    await fails(2, said, 'dense.onnx', option, given, '--name', 'other')
  await fails(2, /--dim rows was given twice\nwrite --dim rows=1,2/, 'dense.onnx', '--dim', 'rows=1', '--dim', 'rows=2')
  await fails(1, /onnx-option.*'row' is no symbolic dimension; .*'rows'/, 'dense.onnx', '--dim', 'row=1', '--name', 'other')
  await fails(2, /'import' has no option --dims, did you mean 'dim'/, 'dense.onnx', '--dims', 'rows=1')
  assert.not.ok(existsSync(file('cut.model.ts')))
})

test('import takes external data from the folder of the model', async () => {
  mkdirSync(file('outside'))
  writeFileSync(file('outside/w.data'), new Uint8Array(new Float32Array([...weight]).buffer))
  const graph = bytesOf(
    block(1, text(1, 'x'), text(1, 'w'), text(2, 'y'), text(4, 'MatMul')),
    block(
      5,
      text(8, 'w'),
      block(1, varint(4), varint(6)),
      integer(2, 1),
      integer(14, 1),
      block(13, text(1, 'location'), text(2, 'w.data')),
    ),
    value(11, 'x', 1, [1, 4]),
    value(12, 'y'),
  )
  writeFileSync(file('outside/big.onnx'), bytesOf(integer(1, 8), block(8, integer(2, 17)), block(7, graph)))
  const { status, err } = await glowplug('import', 'outside/big.onnx', '--out', 'inside')
  assert.is(status, 0, err)
  const stored = readFileSync(file('inside/big.safetensors'))
  assert.equal(
    [...new Float32Array(stored.buffer.slice(stored.byteOffset + stored.length - 96, stored.byteOffset + stored.length))],
    weight,
  )
})

test('export writes an ONNX file that imports again', async () => {
  writeFileSync(
    file('tiny.model.ts'),
    `import { add, constant, model, relu, tensor } from 'glowplug'
export default model({
  name: 'tiny',
  inputs: { x: tensor('f32', [2, 2]) },
  forward({ x }) {
    return { y: relu(add(x, constant('f32', [2, 2], [1, 2, -300, 4]))) }
  },
})
`,
  )
  const { status, out, err } = await glowplug('export', 'tiny.model.ts', '--onnx', 'out/tiny.onnx', '--opset', '17', '--json')
  assert.is(status, 0, err)
  const bytes = readFileSync(file('out/tiny.onnx'))
  assert.equal(JSON.parse(out), { file: 'out/tiny.onnx', model: 'tiny', entry: 'main', bytes: bytes.length })
  const written = readModel(bytes)
  assert.is(written.opsets.get(''), 17)
  assert.equal(
    written.graph.nodes.map(({ op }) => op),
    ['Add', 'Relu'],
  )
  const again = await glowplug('export', 'tiny.model.ts', '--onnx', 'out/tiny.onnx')
  assert.is(again.status, 1)
  assert.match(again.err, /out\/tiny\.onnx exists; --force overwrites it/)
  assert.is((await glowplug('export', 'tiny.model.ts', '--onnx', 'out/tiny.onnx', '--force')).status, 0)
  const imported = await glowplug('import', 'out/tiny.onnx', '--out', 'back')
  assert.is(imported.status, 0, imported.err)

  const wrong = async (status: number, pattern: RegExp, ...args: string[]) => {
    const result = await glowplug('export', 'tiny.model.ts', ...args)
    assert.is(result.status, status)
    assert.match(result.err, pattern)
  }
  await wrong(2, /'export' needs --onnx <file>/)
  await wrong(2, /--opset 'new' is not a version/, '--onnx', 'n.onnx', '--opset', 'new')
  await wrong(1, /opset 12 cannot be written; it may be 17 to 23/, '--onnx', 'n.onnx', '--opset', '12')
  await wrong(2, /has no entry 'step'/, '--onnx', 'n.onnx', '--entry', 'step')
  assert.not.ok(existsSync(file('n.onnx')))
})

test('a model of 100 MB is imported within three times its size', async () => {
  const [size, count] = [1024, 25]
  let state = 1
  const layer = (i: number): OnnxTensor => {
    const elements = new Float32Array(size * size)
    for (let at = 0; at < elements.length; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      elements[at] = state / 2 ** 36
    }
    // Names of different lengths, so that elements start at any place of the file.
    return {
      name: `layer.${'x'.repeat(i % 4)}${i}`,
      dtype: 'f32',
      shape: [size, size],
      read: () => new Uint8Array(elements.buffer),
    }
  }
  const constants = Array.from({ length: count }, (_, i) => layer(i))
  const nodes = constants.map(({ name }, i) => onnxNode('MatMul', `${i === 0 ? 'x' : `v${i - 1}`}, ${name}`, `v${i}`))
  const bytes = writeModel(onnxModel({ inputs: { x: ['f32', [1, size]] }, constants, nodes, outputs: [`v${count - 1}`] }))
  assert.ok(bytes.length > 100e6)
  writeFileSync(file('large.onnx'), bytes)
  writeFileSync(
    file('memory.cjs'),
    `process.on('exit', () => require('fs').writeFileSync('peak', String(process.resourceUsage().maxRSS * 1024)))`,
  )
  const { status, err } = await execute(
    process.execPath,
    ['--require', file('memory.cjs'), bin, 'import', 'large.onnx', '--out', 'large'],
    folder,
  )
  assert.is(status, 0, err)
  const peak = Number(readFileSync(file('peak'), 'utf8'))
  assert.ok(peak < 3 * bytes.length, `${(peak / 1e6).toFixed(0)} MB for ${(bytes.length / 1e6).toFixed(0)} MB`)
  const stored = readFileSync(file('large/large.safetensors'))
  assert.is(stored.length, 8 + Number(stored.readBigUInt64LE(0)) + count * size * size * 4)
})

test.run()
