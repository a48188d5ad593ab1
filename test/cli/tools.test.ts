// The tools of a compiler engineer, each in a process of its own: on a model that is right, and with wrong usage. That they find what is
// wrong is shown in test/inspect, where passes and kernels can be broken.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder } from '../../compiler/graph/index.ts'
import { CompileError } from '../../compiler/pipeline.ts'
import { explain } from '../../plugin/cli/terminal.ts'
import { readArchive, writeArchive } from '../../plugin/inspect/archive.ts'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-tools-'))
const home = process.cwd()
process.chdir(folder)
test.after(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})
const file = (name: string) => join(folder, name)

/** The command in a process of its own. */
const fresh = (...args: string[]) => execute(process.execPath, [join(repository, 'plugin/bin.mjs'), ...args], folder)

writeFileSync(
  file('net.model.ts'),
  `import { add, constant, matmul, model, mul, relu, softmax, tensor } from 'glowplug'
export default model({
  name: 'net',
  inputs: { x: tensor('f32', [2, 4]) },
  forward({ x }) {
    const w = constant('f32', [4, 6], Array.from({ length: 24 }, (_, i) => Math.sin(i)))
    const h = relu(add(mul(matmul(x, w), 1), 0.5))
    return { y: softmax(h, { axis: -1 }), h }
  },
})
`,
)
writeFileSync(file('x.bin'), new Uint8Array(new Float32Array([1, -5, 6, 0.5, 0, 1, 2, 3]).buffer))

test('TO-08 log tells what passes did and what became of a node', async () => {
  const { status, out, err } = await fresh('log', 'net.model.ts', '--target', 'interpreter')
  assert.is(status, 0, err)
  assert.match(out, /^phase +pass +runs +changed +rewrites +nodes +ms\n/)
  assert.match(out, /\noptimise +simplify-arithmetic +\d+ +1 +\d+ +-\d/)
  assert.match(out, /\nnodes: \d+ as written, \d+ optimised, \d+ lowered; \d+ kernel calls\n$/)

  const node = await glowplug('log', 'net.model.ts', '--target', 'interpreter', '--node', 'net.model.ts:8')
  assert.is(node.status, 0, node.err)
  assert.match(node.out, /^%\d+ = softmax\(.*net\.model\.ts:8:17\n {2}lower, round 1: rewritten\n {4}→ %\d+ = div\(/)
  assert.match(node.out, /\n {2}kernel: div_/)
  const back = await glowplug('log', 'net.model.ts', '--target', 'interpreter', '--node', 'lowered:%5')
  assert.match(back.out, /^%5 = /)
  const pass = await glowplug('log', 'net.model.ts', '--target', 'interpreter', '--pass', 'simplify-arithmetic')
  assert.match(pass.out, /neutral-operand: .* at net\.model\.ts:7:\d+/)
  const json = JSON.parse((await glowplug('log', 'net.model.ts', '--target', 'interpreter', '--json')).out)
  assert.ok(json.passes.some(({ pass, rewrites }: any) => pass === 'simplify-arithmetic' && rewrites.length > 0))
  const none = await glowplug('log', 'net.model.ts', '--target', 'interpreter', '--node', 'conv')
  assert.equal([none.status, none.out], [1, ''])
  assert.match(none.err, /^error: no node fits 'conv'; write %12 /)
})

test('print shows what one pass changed', async () => {
  const { status, out, err } = await fresh('print', 'net.model.ts', '--target', 'interpreter', '--diff', 'simplify-arithmetic')
  assert.is(status, 0, err)
  assert.match(out, /^\/\/ after simplify-arithmetic \(optimise, round 1\): \d+ → \d+ nodes, \d+ rewrites\n\/\/ {3}\S/)
  assert.match(out, /\n- {3}%\d+ = mul\(/)
  const reasons = await glowplug('print', 'net.model.ts', '--target', 'interpreter', '--stage', 'kernels', '--reasons')
  assert.match(reasons.out, /^kernels "net"[\s\S]*\nreasons\n {2}\S.*(stored|inside)/)
  const idle = await glowplug('print', 'net.model.ts', '--target', 'interpreter', '--diff', 'raise-clamp')
  assert.is(idle.out, '// raise-clamp changes nothing in this model\n')
})

test('TO-12 stats counts time, work and bytes of each kind', async () => {
  const { status, out, err } = await fresh('stats', 'net.model.ts', '--target', 'interpreter', '--runs', '2', '--json')
  assert.is(status, 0, err)
  const { kinds, parts, whole } = JSON.parse(out)
  const matmul = kinds.find(({ kind }: any) => kind === 'matmul')
  // 2 · 4 · 6 products and sums, and what is fused behind them for each of 12 results.
  assert.ok(matmul.count === 1 && matmul.operations >= 96 && matmul.operations <= 96 + 4 * 12, JSON.stringify(matmul))
  assert.ok(matmul.bytes >= 4 * (8 + 24 + 12) && matmul.bytes <= 4 * (8 + 24 + 12 + 8), JSON.stringify(matmul))
  const sum = (list: any[], key: string) => list.reduce((all, each) => all + each[key], 0)
  assert.ok(Math.abs(sum(kinds, 'share') - 1) < 1e-9)
  assert.is(sum(kinds, 'count'), parts.length)
  assert.is(sum(kinds, 'operations'), sum(parts, 'operations'))
  assert.ok(whole > 0)
  const table = await glowplug('stats', 'net.model.ts', '--target', 'interpreter', '--runs', '2', '--kernels')
  assert.match(table.out, /\nkind +count +ms +mean ms +share +operations +bytes +Gop\/s +GB\/s\n/)
  assert.match(table.out, /\nkernel +ms +share /)
  const nodes = JSON.parse((await glowplug('stats', 'net.model.ts', '--stage', 'graph', '--json')).out)
  assert.equal(nodes.kinds.map(({ kind }: any) => kind).sort(), ['add', 'matmul', 'mul', 'relu', 'softmax'])
})

test('OP-65 TO-06 bisect and debug find nothing where nothing is wrong', async () => {
  const args = ['net.model.ts', '--target', 'interpreter', '--input', 'x=x.bin']
  const bisect = await fresh('bisect', ...args)
  assert.equal([bisect.status, bisect.err], [0, ''])
  assert.match(bisect.out, /^net on interpreter: \d+ rewrites, 2 compilations, inputs from files\nnothing differs: /)
  const debug = await fresh('debug', ...args, '--all')
  assert.equal([debug.status, debug.err], [0, ''])
  assert.match(debug.out, /\nlayer +kernel +result +cumulative +independent +from\n/)
  assert.match(debug.out, /\nevery layer gives what the interpreter gives\n$/)
  const json = JSON.parse((await glowplug('debug', ...args, '--json', '--mode', 'independent')).out)
  assert.equal([json.verdict, json.inputs, json.reports.length], ['equal', 'inputs from files', json.layers])
  const strict = await glowplug('debug', 'net.model.ts', '--target', 'wasm', '--atol', '0')
  assert.match(strict.out, strict.status === 0 ? /every layer/ : /is the first over the tolerance/)
})

test('TO-07 an archive holds a request, and is a source for the other tools', async () => {
  const made = await fresh(
    'archive',
    'net.model.ts',
    '--input',
    'x=x.bin',
    '--out',
    'request.safetensors',
    '--target',
    'interpreter',
  )
  assert.is(made.status, 0, made.err)
  assert.match(made.out, /^request\.safetensors {2}[\d.]+ (B|KiB), with weights and inputs from files\n/)
  const again = await glowplug('archive', 'net.model.ts', '--out', 'request.safetensors')
  assert.equal([again.status, again.err], [1, 'error: request.safetensors exists; --force overwrites it\n'])
  const run = await fresh('reproduce', 'request.safetensors', '--latency', '5')
  assert.is(run.status, 0, run.err)
  assert.match(run.out, /^net: a request, \d+ nodes, on interpreter any\nit gives what the interpreter gives\n5 runs: least \d/)
  const debug = await glowplug('debug', 'request.safetensors', '--target', 'interpreter', '--json')
  assert.is(JSON.parse(debug.out).inputs, 'the inputs of the archive')
  const printed = await glowplug('print', 'request.safetensors', '--target', 'interpreter', '--stage', 'memory')
  assert.match(printed.out, /^program "net"/)
})

test('the tools read ONNX files', async () => {
  const exported = await glowplug('export', 'net.model.ts', '--onnx', 'net.onnx')
  assert.is(exported.status, 0, exported.err)
  const { status, out, err } = await fresh('bisect', 'net.onnx', '--target', 'interpreter')
  assert.is(status, 0, err)
  assert.match(out, /random inputs, seed 1\nnothing differs/)
})

test('TO-07 a failure of the compiler leaves an archive with weights, and says how to run it', async () => {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [32] })
  const bytes = new Uint8Array(new Float32Array(32).fill(0.25).buffer)
  const w = builder.constant({ dtype: 'f32', shape: [32] }, { label: 'w', read: () => bytes })
  const graph = builder.finish('hole', [x], [{ name: 'y', value: builder.add('add', { left: x, right: w }) }])
  const standing = { graph, phase: 'optimise', remaining: 'fold-constants, until-stable(3)[simplify-noop]' }
  const said: string[] = []
  const { write } = process.stderr
  process.stderr.write = ((text: string) => said.push(text) > 0) as never
  const status = await explain(new CompileError('pass fold-constants', new Error('a hole'), standing)).finally(() => {
    process.stderr.write = write
  })
  assert.is(status, 1)
  const text = said.join('')
  assert.match(text, /its own mistake and not the model's: pass fold-constants failed: a hole/)
  const [, path] = /'glowplug reproduce (\S+)' runs it again/.exec(text)!
  try {
    const { status, out, err } = await fresh('reproduce', path!, '--target', 'interpreter')
    assert.is(status, 0, err)
    assert.match(
      out,
      /a failed compilation, 3 nodes.*\n {2}it was: pass fold-constants failed: a hole\nit compiles: the failure is gone\n/,
    )
    assert.ok(readFileSync(path!).includes(Buffer.from(bytes)))
  } finally {
    rmSync(path!)
  }
})

test('TO-07 a failure that still happens ends with 1', async () => {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [2] })
  const graph = builder.finish('later', [x], [{ name: 'y', value: builder.add('relu', { input: x }) }])
  const record = { kind: 'failure', phase: 'optimise', remaining: 'a-pass-of-another-version' } as const
  await writeArchive(file('other.safetensors'), { graph, inputs: {}, record })
  const { status, err } = await glowplug('reproduce', 'other.safetensors', '--target', 'interpreter')
  assert.is(status, 1)
  assert.match(err, /^error: the passes of the archive are not those of this version: unknown pass 'a-pass-of-another-version'/)
})

test('OP-62 passes lists the pipeline', async () => {
  const { status, out } = await fresh('passes')
  assert.is(status, 0)
  assert.match(out, /^phase +pass +rules +does\noptimise +eliminate-dead-code /)
  const { passes } = JSON.parse((await glowplug('passes', '--json')).out)
  const arithmetic = passes.find(({ pass }: any) => pass === 'simplify-arithmetic')
  assert.ok(arithmetic.repeated && arithmetic.rules.some(({ name }: any) => name === 'neutral-operand'))
})

test('wrong usage of the tools says what to write', async () => {
  const cases: [string[], number, RegExp][] = [
    [['debug', 'net.model.ts', '--mode', 'indep'], 2, /no mode 'indep'.*\nmodes are cumulative, independent, both\n/],
    [['debug', 'net.model.ts', '--target', 'wasm,native'], 2, /debug takes one target\n/],
    [['bisect', 'net.model.ts', '--atol', 'small'], 2, /--atol 'small' is no number of at least 0\nwrite --atol 1e-4\n/],
    [['stats', 'net.model.ts', '--runs', '1.5'], 2, /--runs '1\.5' is no whole number of at least 0\nwrite --runs 20\n/],
    [['stats', 'net.model.ts', '--runs', '0'], 2, /--runs 0 measures nothing\nwrite --runs 20\n/],
    [['log', 'net.model.ts', '--dim', 'n=4'], 2, /--dim is for ONNX files: .*\n.*--entry\n/],
    [['build', 'net.model.ts', '--out', 'built', '--memory=-5'], 2, /a budget is a whole number of bytes/],
    [
      ['build', 'net.model.ts', '--out', 'built', '--memory', '-5'],
      2,
      /--memory <bytes> takes a whole number of at least 0: a budget is a whole number of bytes/,
    ],
    [['stats', 'net.model.ts', '--stage', 'kernel'], 2, /stats has no stage 'kernel', did you mean 'kernels'\?\n/],
    [
      ['log', 'net.model.ts', '--pass', 'fold-constant'],
      2,
      /--pass 'fold-constant' is no pass or stage, did you mean 'fold-constants'\?/,
    ],
    [['archive', 'net.model.ts'], 2, /'archive' needs --out <file>\n/],
    [['archive', 'net.model.ts', '--out', 'request'], 2, /must end in \.safetensors\nwrite --out request\.safetensors\n/],
    [['reproduce', 'absent.safetensors'], 1, /there is no file absent\.safetensors\n/],
    [['debug', 'absent.onnx'], 1, /there is no file absent\.onnx\n/],
    [['bisect', 'net.model.ts', '--input', 'y=x.bin'], 2, /there is no input 'y'.*\ninputs are x: f32\[2, 4\], 32 bytes\n/],
  ]
  for (const [args, status, expected] of cases) {
    const found = await glowplug(...args)
    assert.equal([found.status, found.out], [status, ''], `${args.join(' ')}: ${found.err}`)
    assert.match(found.err, expected)
  }
  writeFileSync(file('weights.safetensors'), Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]))
  const plain = await glowplug('reproduce', 'weights.safetensors')
  assert.match(plain.err, /^error: .*weights\.safetensors is no reproducer archive: it is a file of tensors alone\n$/)
})

writeFileSync(
  file('sized.model.ts'),
  `import { add, cast, constant, dim, gather, model, mul, relu, softmax, tensor, validLength } from 'glowplug'
const seq = dim('seq', [8, 16], { least: 2 })
export default model({
  name: 'sized',
  inputs: { tokens: tensor('i32', [1, seq]), bias: tensor('f32', [4]) },
  forward({ tokens, bias }) {
    const table = constant('f32', [10, 4], Array.from({ length: 40 }, (_, i) => Math.sin(i)))
    return { y: softmax(add(relu(gather(table, tokens, { axis: 0 })), bias), { axis: -1 }), size: mul(cast(validLength(seq), 'f32'), 2) }
  },
})
`,
)
writeFileSync(file('tokens.bin'), new Uint8Array(Int32Array.from([1, 2, 3, 4, 5, 6, 7]).buffer))
writeFileSync(file('bias.bin'), new Uint8Array(4 * 4))
writeFileSync(file('many.bin'), new Uint8Array(4 * 17))
writeFileSync(file('size.bin'), new Uint8Array(Int32Array.of(17).buffer))

test('entries for several sizes are run on random sizes below their own, and on padded files', async () => {
  const common = ['--target', 'interpreter', '--json']
  for (const seed of ['1', '2', '3', '4']) {
    const out = file(`sized${seed}.safetensors`)
    const { status, err } = await glowplug('archive', 'sized.model.ts', '--entry', 'main.seq16', '--seed', seed, '--out', out)
    assert.is(status, 0, err)
    const size = new Int32Array(readArchive(out).inputs['seq.size']!.slice().buffer)
    assert.ok(size.length === 1 && size[0]! >= 2 && size[0]! < 16, String(size))
  }
  const given = ['--input', 'tokens=tokens.bin', '--input', 'bias=bias.bin']
  for (const [entry, chosen, extent] of [
    ['main', 'main.seq8', 8],
    ['main.seq16', 'main.seq16', 16],
  ] as const) {
    const { status, out, err } = await glowplug('bisect', 'sized.model.ts', '--entry', entry, ...given, ...common)
    assert.is(status, 0, err)
    assert.equal([JSON.parse(out).entry, JSON.parse(out).verdict], [chosen, 'equal'])
    const path = file(`given-${extent}.safetensors`)
    const archived = await glowplug('archive', 'sized.model.ts', '--entry', entry, ...given, '--out', path)
    assert.is(archived.status, 0, archived.err)
    const { inputs } = readArchive(path)
    assert.equal([...new Int32Array(inputs.tokens!.slice().buffer)], [1, 2, 3, 4, 5, 6, 7, ...Array(extent - 7).fill(0)])
    assert.equal([...new Int32Array(inputs['seq.size']!.slice().buffer)], [7])
  }
  const debug = await glowplug('debug', 'sized.model.ts', '--entry', 'main', ...common)
  assert.match(JSON.parse(debug.out).inputs, /^random inputs, seed 1, seq \d+ of 16$/)
  const cases: [string[], RegExp][] = [
    [['--input', 'tokens=many.bin', '--input', 'bias=bias.bin'], /'seq' is 17, the model was built for 16 at most/],
    [
      ['--input', 'seq.size=size.bin', '--input', 'tokens=tokens16.bin', '--input', 'bias=bias.bin'],
      /input 'seq\.size' is 17, this entry takes 2 to 16/,
    ],
  ]
  writeFileSync(file('tokens16.bin'), new Uint8Array(4 * 16))
  for (const [args, expected] of cases) {
    const { status, err } = await glowplug('debug', 'sized.model.ts', '--entry', 'main.seq16', ...args)
    assert.is(status, 2, err)
    assert.match(err, expected)
  }
})

test('what cannot be read or written is named', async () => {
  const cases: [string[], RegExp][] = [
    [['debug', 'net.model.ts', '--input', 'x=none.bin'], /^error: there is no file none\.bin\n$/],
    [['debug', 'net.model.ts', '--input', 'x=.'], /^error: \. is a folder\n$/],
    [['check', '.'], /^error: \. is a folder\n$/],
    [['allocate', 'none.csv', '--capacity', '8'], /^error: there is no file none\.csv\n$/],
    [['allocate', '.', '--capacity', '8'], /^error: \. is a folder\n$/],
    [
      ['allocate', 'buffers.csv', '--capacity', '8', '--out', 'nodir/x.csv'],
      /^error: cannot write nodir\/x\.csv: there is no folder nodir\n$/,
    ],
  ]
  writeFileSync(file('buffers.csv'), 'id,lower,upper,size\na,0,1,8\n')
  for (const [args, expected] of cases) {
    const { status, err } = await glowplug(...args)
    assert.is(status, 1, err)
    assert.match(err, expected)
  }
})

test('stats gives no rate to what is too short to be measured', async () => {
  const { out, err } = await glowplug('stats', 'net.model.ts', '--target', 'wasm', '--runs', '3', '--json')
  const { parts, kinds } = JSON.parse(out || `${err}`)
  for (const { milliseconds, resolution } of parts) {
    assert.ok(resolution > 0)
    assert.ok(milliseconds === undefined || milliseconds >= resolution)
  }
  for (const kind of kinds)
    assert.is(kind.milliseconds === undefined, kind.belowResolution === kind.count && kind.operationsPerSecond === undefined)
})

test('each tool has help and an example', async () => {
  for (const name of ['log', 'stats', 'bisect', 'debug', 'archive', 'reproduce']) {
    const { status, out } = await glowplug(name, '--help')
    assert.is(status, 0)
    assert.match(out, new RegExp(`glowplug ${name} \\S+\\.(model\\.ts|safetensors)`), name)
  }
})

test.run()
