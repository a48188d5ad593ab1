import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-cli-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

/** The command line in a process of its own. */
const binary = join(repository, 'plugin/bin.mjs')
process.chdir(folder)

const node = (cwd: string, script: string) => execute(process.execPath, ['--input-type=module', '-e', script], cwd)
const file = (name: string) => join(folder, name)

writeFileSync(
  file('tiny.model.ts'),
  `import { add, constant, mul, model, relu, tensor } from 'glowplug'
export default model({
  name: 'tiny',
  inputs: { x: tensor('f32', [2, 2]) },
  forward({ x }) {
    return { y: relu(add(x, constant('f32', [2, 2], [1, 2, -300, 4]))), z: mul(x, x) }
  },
})
`,
)
writeFileSync(
  file('two.model.ts'),
  `import { abs, model, negate, tensor } from 'glowplug'
const spec = (name: string, f: typeof negate) => ({ name, inputs: { x: tensor('f32', [3]) }, forward: ({ x }: any) => ({ y: f(x) }) })
export const first = model(spec('first', negate))
export const second = model(spec('second', abs))
`,
)
writeFileSync(
  file('wrong.model.ts'),
  `import { model, relu, reshape, tensor } from 'glowplug'
export default model({
  name: 'wrong',
  inputs: { x: tensor('f32', [2, 3]) },
  forward({ x }) {
    return { y: relu(reshape(x, [7])) }
  },
})
`,
)
writeFileSync(file('x.bin'), new Uint8Array(new Float32Array([1, -5, 6, 0.5]).buffer))

test('build writes a folder that runs where there is nothing but Node (AO-05)', async () => {
  const args = ['build', 'tiny.model.ts', '--out', 'built', '--target', 'interpreter']
  const { status, out, err } = await execute(process.execPath, [binary, ...args], folder)
  assert.is(status, 0, err)
  assert.match(out, /model +target +code +weights +activations +lower bound +time\n +tiny +interpreter /)
  const empty = join(folder, 'empty', 'elsewhere')
  mkdirSync(empty, { recursive: true })
  for (const name of readdirSync(file('built'))) cpSync(join(folder, 'built', name), join(empty, name))
  const script = `import model, { GlowplugError } from './index.js'
    const { y, z } = await model.run({ x: [1, -5, 6, 0.5] })
    const wrong = await model.run({ x: [1] }).catch((error) => [error instanceof GlowplugError, error.code])
    console.log(JSON.stringify([model.name, [...y.data], y.shape, [...z.data], wrong]))`
  const result = await node(empty, script)
  assert.is(result.err, '')
  assert.equal(JSON.parse(result.out), ['tiny', [2, 0, 0, 4.5], [2, 2], [1, 25, 36, 0.25], [true, 'input-length']])
  assert.not.match(readFileSync(join(empty, 'index.js'), 'utf8'), new RegExp(`${repository}|${folder}|forward`))
})

test('build replaces what it wrote itself and nothing else', async () => {
  const build = (out: string) => glowplug('build', 'tiny.model.ts', '--out', out, '--target', 'interpreter')
  mkdirSync(file('foreign'))
  writeFileSync(file('foreign/index.js'), 'export default 1\n')
  const { status, err } = await build('foreign')
  assert.is(status, 1)
  assert.match(err, /foreign\/index\.js was not written by glowplug and would be replaced; choose another folder/)
  assert.equal(readdirSync(file('foreign')), ['index.js'])
  assert.is(readFileSync(file('foreign/index.js'), 'utf8'), 'export default 1\n')
  for (let i = 0; i < 2; i++) assert.is((await build('own')).status, 0)
})

test('the module is found to be one inside a CommonJS package too', async () => {
  const outer = join(folder, 'commonjs')
  mkdirSync(outer)
  writeFileSync(join(outer, 'package.json'), '{ "type": "commonjs" }')
  assert.is((await glowplug('build', 'tiny.model.ts', '--out', 'commonjs/net', '--target', 'interpreter')).status, 0)
  writeFileSync(
    join(outer, 'server.js'),
    "import('./net/index.js').then(async ({ default: net }) => console.log((await net.run({ x: [0, 0, 0, 0] })).y.data[3]))",
  )
  assert.equal(await execute(process.execPath, ['server.js'], outer), { status: 0, out: '4\n', err: '' })
})

test('declarations have every literal and hold without any library (AO-02, BP-09)', async () => {
  writeFileSync(
    file('use.ts'),
    `import net, { type Info, type Inputs, type Outputs } from './built/index.js'
const input: Inputs = { x: new Float32Array(4) }
const list: Inputs = { x: { data: [1, 2, 3, 4], shape: [2, 2] } }
const shape: readonly [2, 2] = {} as Outputs['y']['shape']
const offset: 0 = {} as Info['inputs'][0]['offset']
const dtype: 'f32' = net.info.outputs[1].dtype
const name: 'tiny' = net.name
const bytes: number = net.info.regions.activations
export async function use(signal: { aborted: boolean; reason: any; addEventListener(): void; removeEventListener(): void }) {
  const { y, z } = await net.run(input, { into: { y: new Float32Array(4) }, signal })
  net.runSync(list, { into: { y, z } })
  net.bind().inputs.x.set(y.data)
  // @ts-expect-error the name of an input
  net.run({ img: y.data })
  // @ts-expect-error the type of an input
  net.run({ x: new Float64Array(4) })
  // @ts-expect-error the name of an output
  return [shape, offset, dtype, name, bytes, z.data, (await net.run(input)).w]
}
`,
  )
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    target: 'es2023',
    lib: ['es2023'],
    module: 'nodenext',
    types: [],
  }
  writeFileSync(file('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  const result = await execute(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', '.'], folder)
  assert.is(result.out, '')
})

test('run takes raw tensors and prints a summary, from the folder and from the model', async () => {
  for (const source of ['built', 'tiny.model.ts']) {
    const { status, out, err } = await glowplug(
      'run',
      source,
      '--input',
      'x=x.bin',
      '--out',
      'results',
      '--target',
      'interpreter',
    )
    assert.is(status, 0, err)
    const { milliseconds, ...summary } = JSON.parse(out)
    assert.ok(milliseconds > 0)
    assert.equal(summary, {
      model: 'tiny',
      target: 'interpreter',
      level: 'any',
      outputs: [
        { name: 'y', dtype: 'f32', shape: [2, 2], min: 0, max: 4.5, mean: 1.625 },
        { name: 'z', dtype: 'f32', shape: [2, 2], min: 0.25, max: 36, mean: 15.5625 },
      ],
    })
    assert.equal(new Float32Array(new Uint8Array(readFileSync(file('results/y.bin'))).buffer), new Float32Array([2, 0, 0, 4.5]))
    rmSync(file('results'), { recursive: true })
  }
})

test('run says which inputs there are', async () => {
  const wanted = 'x: f32[2, 2], 16 bytes'
  const none = await glowplug('run', 'built')
  assert.equal(none, {
    status: 2,
    out: '',
    err: `error: no file was given for 'x'\npass --input x=<file>; inputs are ${wanted}\n`,
  })
  assert.is(
    (await glowplug('run', 'built', '--input', 'X=x.bin')).err,
    `error: there is no input 'X', did you mean 'x'?\ninputs are ${wanted}\n`,
  )
  assert.is(
    (await glowplug('run', 'built', '--input', 'x.bin')).err,
    `error: --input 'x.bin' is not name=file\ninputs are ${wanted}\n`,
  )
  writeFileSync(file('short.bin'), 'abc')
  assert.equal(await glowplug('run', 'built', '--input', 'x=short.bin'), {
    status: 1,
    out: '',
    err: `error: short.bin has 3 bytes, input ${wanted}\n`,
  })
  for (const threads of ['0', '1.5', 'all'])
    assert.equal(await glowplug('run', 'built', '--input', 'x=x.bin', '--threads', threads), {
      status: 2,
      out: '',
      err: `error: --threads '${threads}' is not a number of threads\nwrite --threads 2\n`,
    })
  const absent = await glowplug('run', 'built', '--input', 'x=absent.bin')
  assert.is(absent.status, 1)
  assert.match(absent.err, /^error: there is no file .*absent\.bin\n$/)
  const damaged = readdirSync(file('built')).find((name) => name.endsWith('.weights'))!
  cpSync(file('built'), file('damaged'), { recursive: true })
  rmSync(file(`damaged/${damaged}`))
  const broken = await glowplug('run', 'damaged', '--input', 'x=x.bin')
  assert.is(broken.status, 1)
  assert.match(broken.err, /^error: bundle-missing-file: /)
})

test('check draws diagnostics and fails with 1', async () => {
  const good = await glowplug('check', 'tiny.model.ts', 'two.model.ts')
  assert.equal([good.status, good.out], [0, '3 models in 2 files: no errors\n'], good.err)
  const { status, out, err } = await glowplug('check', 'tiny.model.ts', 'wrong.model.ts')
  assert.equal([status, out], [1, '1 model in 2 files: 1 error\n'])
  assert.match(err, /wrong\.model\.ts:6:22/)
  assert.match(err, /reshape\(x, \[7\]\)/)
  const json = await glowplug('check', 'wrong.model.ts', '--json')
  assert.is(json.status, 1)
  assert.is(JSON.parse(json.out).files[0].diagnostics[0].span.line, 6)
  const build = await glowplug('build', 'wrong.model.ts', '--out', 'never')
  assert.is(build.status, 1)
  assert.match(build.err, /wrong\.model\.ts:6:22/)
})

test('--model chooses among several', async () => {
  const several = await glowplug('build', 'two.model.ts', '--out', 'chosen')
  assert.equal(several, { status: 2, out: '', err: 'error: two.model.ts has 2 models: first, second\nchoose one with --model\n' })
  assert.is(
    (await glowplug('build', 'two.model.ts', '--out', 'chosen', '--model', 'secnd')).err,
    "error: two.model.ts has no model 'secnd', did you mean 'second'?\nit has first, second\n",
  )
  const { status, out } = await glowplug(
    'build',
    'two.model.ts',
    '--out',
    'chosen',
    '--model',
    'second',
    '--target',
    'interpreter',
    '--json',
  )
  assert.is(status, 0)
  assert.equal(
    JSON.parse(out).models.map(({ model, target }: any) => [model, target]),
    [['second', 'interpreter']],
  )
})

test('print shows each stage', async () => {
  const starts: Record<string, RegExp> = {
    graph: /^graph "tiny"\(%0\)\n/,
    optimised: /^graph "tiny"/,
    lowered: /^graph "tiny"/,
    layout: /^graph "tiny"/,
    kernels: /^kernels "tiny"/,
    instructions: /^instructions "tiny"/,
    memory: /^program "tiny"/,
  }
  const print = (...args: string[]) => glowplug('print', 'tiny.model.ts', '--target', 'interpreter', ...args)
  for (const stage of Object.keys(starts)) assert.match((await print('--stage', stage)).out, starts[stage]!, stage)
  assert.ok((await print('--stage', 'c')).out.length > 0)
  const after = await print('--print-after', 'eliminate-dead-code', '--timing')
  assert.match(after.out, /^\/\/ after eliminate-dead-code \(optimise, round 1\): \d+ → \d+ nodes, \d+ rewrites\ngraph "tiny"/)
  assert.match(after.out, / ms {2}stage memory\n/)
  assert.match((await print('--stop-after', 'kernels')).out, /^kernels "tiny"/)
  for (const stage of ['graph', 'optimised', 'lowered', 'layout', 'kernels']) {
    const { out } = await print('--stage', stage, '--dot')
    assert.match(out, /^digraph "tiny" \{\n/, `IR-22 ${stage}`)
    assert.match(out, / -> "output \w+" \[label="f32\[/)
  }
  assert.match(
    (await print('--stage', 'memory', '--dot')).err,
    /--dot draws graph, optimised, lowered, layout, kernels, not memory/,
  )
  const wrong = await print('--print-after', 'fold-constant')
  assert.is(wrong.status, 2)
  assert.match(wrong.err, /^error: --print-after 'fold-constant' is no pass, did you mean 'fold-constants'\?/)
})

test('wrong usage ends with 2 and says what was meant', async () => {
  const cases: [string[], string][] = [
    [['bulid'], "error: there is no command 'bulid', did you mean 'build'?\nsee 'glowplug --help'\n"],
    [
      ['build', 'tiny.model.ts', '--out', 'never', '--recompute'],
      'error: --recompute has no budget to meet\nstate it: --memory 1048576\n',
    ],
    [
      ['build', 'tiny.model.ts', '--targt', 'wasm'],
      "error: 'build' has no option --targt, did you mean 'target'?\nsee 'glowplug build --help'\n",
    ],
    [['build', 'tiny.model.ts', '--out'], "error: --out needs a value: --out <folder>\nsee 'glowplug build --help'\n"],
    [['build', 'tiny.model.ts', '--out', 'a', '--out', 'b'], "error: --out was given 2 times\nsee 'glowplug build --help'\n"],
    [['build', 'tiny.model.ts'], "error: 'build' needs --out <folder>\nsee 'glowplug build --help'\n"],
    [
      ['build', 'tiny.model.ts', '--out', 'a', '--target', 'wasn'],
      "error: there is no target 'wasn', did you mean 'wasm'?\ntargets are native, native-linux-x64, native-linux-arm64, wasm, interpreter, or auto\n",
    ],
    [
      ['print', 'tiny.model.ts', '--stage', 'memry'],
      "error: there is no stage 'memry', did you mean 'memory'?\nstages are graph, optimised, lowered, layout, kernels, instructions, memory, c\n",
    ],
    [
      ['build', 'tiny.model.ts', '--out', 'a', '--target', 'wasm,auto'],
      'error: --target auto stands alone\ntargets are native, native-linux-x64, native-linux-arm64, wasm, interpreter, or auto\n',
    ],
    [
      ['build', 'tiny.model.ts', '--out', 'a', '--target', 'wasm,wasm'],
      "error: --target 'wasm,wasm' is not a list of different targets\nwrite --target native,wasm\n",
    ],
    [
      ['print', 'tiny.model.ts', '--target', 'wasm,interpreter'],
      'error: print takes one target\ntargets are native, native-linux-x64, native-linux-arm64, wasm, interpreter\n',
    ],
    [['print', 'tiny.model.ts', '--level', 'simd'], "error: target 'wasm' has no level 'simd'\nlevels are simd128\n"],
    [['run', 'tiny.model.ts', '--json'], "error: 'run' has no option --json\nsee 'glowplug run --help'\n"],
    [['check'], "error: 'check' needs <files>\nsee 'glowplug check --help'\n"],
    [['run', 'a', 'b'], "error: 'run' does not know what to do with 'b'\nsee 'glowplug run --help'\n"],
  ]
  for (const [args, expected] of cases) {
    const { status, out, err } = await glowplug(...args)
    assert.equal([status, out, err], [2, '', expected], args.join(' '))
  }
  const none = await glowplug()
  assert.is(none.status, 2)
  assert.match(none.err, /^error: no command was given; commands are build, run, check, [a-z, ]+\nsee 'glowplug --help'\n$/)
  const absent = await glowplug('check', 'absent.model.ts')
  assert.equal([absent.status, absent.err], [1, 'error: there is no file absent.model.ts\n'])
})

test('two builds in different folders give equal bytes, and the wasm in them the right numbers (AO-10)', async () => {
  const places = ['here', 'there/below'].map(file)
  for (const place of places) {
    mkdirSync(place, { recursive: true })
    cpSync(file('tiny.model.ts'), join(place, 'tiny.model.ts'))
    const { status, err } = await execute(
      process.execPath,
      [binary, 'build', 'tiny.model.ts', '--out', 'out', '--target', 'wasm,interpreter'],
      place,
    )
    assert.is(status, 0, err)
  }
  const [first, second] = places.map((place) =>
    readdirSync(join(place, 'out')).map((name) => [name, readFileSync(join(place, 'out', name), 'base64')]),
  )
  assert.equal(first, second)
  const { out } = await node(
    join(places[1]!, 'out'),
    "import net from './index.js'; console.log(net.info.target, ...net.runSync({ x: [1, -5, 6, 0.5] }).y.data)",
  )
  assert.is(out, 'wasm 2 0 0 4.5\n')
})

test('--help and --version', async () => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  assert.match((await execute(process.execPath, [binary, '--version'], folder)).out, new RegExp(`^glowplug/${version} `))
  assert.is((await execute(process.execPath, [binary, 'bulid'], folder)).status, 2)
  const { status, out } = await glowplug('--help')
  assert.is(status, 0)
  for (const command of ['build <file>', 'run <source>', 'check <...files>', 'print <file>']) assert.ok(out.includes(command))
  assert.match((await glowplug('build', '--help')).out, /--target <name>/)
})

test.run()
