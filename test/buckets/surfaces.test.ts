// Buckets from model file to program: bundlers, browsers, the command line, declarations.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compile } from '../../plugin/compile.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { openBuckets } from '../../targets/runtime/browser.ts'
import { bundlers, createProject as createBundlerProject } from '../bundlers/support.ts'
import { glowplug } from '../cli/support.ts'
import { bundle, cleanUp, createProject, repository, runAlone, scaleModel, scaleWeights } from '../esbuild/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-cli-buckets-'))
process.chdir(folder)
test.after(() => {
  rmSync(folder, { recursive: true, force: true })
  cleanUp()
})

const source = `import { cast, cumSum, dim, model, mul, tensor, validLength } from 'glowplug'
const seq = dim('seq', [3, 6])
export default model({
  name: 'sums',
  inputs: { x: tensor('f32', [1, seq]) },
  forward: ({ x }) => ({ y: cumSum(x, { axis: 1 }), size: mul(cast(validLength(seq), 'f32'), 2) }),
})
`
const program = `import net from './sums.model.ts'
void (async () => {
  for (const x of [[1, 2], [1, 2, 3, 4, 5]]) {
    const { y, size } = await net.run({ x })
    console.log(net.info.target, ...y.shape, ...y.data, ...size.data)
  }
  console.log(await net.run({ x: [1, 2, 3, 4, 5, 6, 7] }).catch(({ code }) => code))
  await net.close()
})()
`
const answer = 'interpreter 1 2 1 3 4\ninterpreter 1 5 1 3 6 10 15 10\ninput-too-long\n'
const files = { 'src/sums.model.ts': source, 'src/app.js': program }
const targets = ['interpreter'] as const

test('esbuild: a program with buckets runs alone; one without has nothing of them', async () => {
  const project = createProject({
    ...files,
    'src/plain.js': "import net from './half.model.ts'\nconsole.log((await net.run({ x: [1, 2] })).y.data)\nawait net.close()\n",
    'src/half.model.ts': scaleModel('half'),
    'src/half.safetensors': scaleWeights([0.5, 0.25]),
  })
  const { models } = await bundle(project, { entryPoints: ['src/app.js'], outdir: 'out' }, { targets })
  assert.equal(
    models.map(({ model, entries }) => [model, ...entries.map(({ name }) => name)]),
    [['sums', 'main.seq3', 'main.seq6']],
  )
  assert.is(runAlone(join(project, 'out'), 'app.js'), answer)
  await bundle(project, { entryPoints: ['src/plain.js'], outdir: 'plain' }, { targets })
  const [withBuckets, without] = [
    ['out', 'app.js'],
    ['plain', 'plain.js'],
  ].map((path) => readFileSync(join(project, ...path), 'utf8'))
  assert.match(withBuckets!, 'input-too-long')
  assert.not.match(without!, 'input-too-long')
})

for (const name of ['rollup', 'webpack'] as const)
  test(`${name}: the same`, async () => {
    const project = createBundlerProject(files)
    const { error, warnings } = await bundlers[name].build(project, { entry: { app: 'src/app.js' } }, { targets })
    assert.equal([error, warnings], [undefined, []])
    assert.is(runAlone(join(project, 'out'), 'app.mjs'), answer)
  })

test('the loader for browsers takes buckets too', async () => {
  writeFileSync(join(folder, 'sums.model.ts'), source)
  const { models } = await extractModule(join(folder, 'sums.model.ts'), { root: folder })
  const { manifest, files } = await compile(models[0]!.model, { target: 'wasm' })
  const net = openBuckets({ manifest, files: Object.fromEntries(files) })
  Object.assign(globalThis, { Worker: undefined })
  const warn = console.warn
  console.warn = () => {}
  await net.ready()
  console.warn = warn
  for (const result of [await net.run({ x: [1, 2, 3, 4] }), net.runSync({ x: [1, 2, 3, 4] })]) {
    assert.equal(
      [[...result.y!.shape], [...(result.y!.data as Float32Array)]],
      [
        [1, 4],
        [1, 3, 6, 10],
      ],
    )
    assert.equal([...(result.size!.data as Float32Array)], [8])
  }
  await net.close()
})

test('on the command line: build, run from the model and from the folder, print one bucket', async () => {
  writeFileSync(join(folder, 'sums.model.ts'), source)
  writeFileSync(join(folder, 'x.bin'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer))
  const built = await glowplug('build', 'sums.model.ts', '--out', 'built', '--target', 'interpreter')
  assert.is(built.status, 0, built.err)
  assert.match(built.out, /\n {2}sums +interpreter .*\n {4}main\.seq3 .*\n {4}main\.seq6 /)
  for (const given of ['sums.model.ts', 'built']) {
    const { status, out, err } = await glowplug('run', given, '--input', 'x=x.bin', '--target', 'interpreter', '--out', 'results')
    assert.is(status, 0, err)
    const { outputs, entry } = JSON.parse(out)
    assert.equal([entry, outputs[0].name, outputs[0].shape, outputs[0].max], [undefined, 'y', [1, 4], 10])
    assert.equal(new Uint8Array(readFileSync(join(folder, 'results/y.bin'))), new Uint8Array(Float32Array.of(1, 3, 6, 10).buffer))
  }
  const shaped = await glowplug('run', 'built', '--input', 'x=x.bin', '--shape', 'x=1,4')
  assert.is(shaped.status, 0, shaped.err)
  const wrong = await glowplug('run', 'built', '--input', 'x=x.bin', '--shape', 'x=1,3')
  assert.match(wrong.err, 'input-length')
  const nonsense = await glowplug('run', 'built', '--input', 'x=x.bin', '--shape', 'z=1')
  assert.is(nonsense.status, 2)
  const printed = await glowplug('print', 'sums.model.ts', '--entry', 'main.seq3')
  assert.match(printed.out, 'input {name: "seq.size"} : i32[]')
  const missing = await glowplug('print', 'sums.model.ts')
  assert.match(missing.err, "model 'sums' has 2 entries: main.seq3, main.seq6")
})

test('the folder runs alone, and its declarations say which dimensions are open', () => {
  const declared = readFileSync(join(folder, 'built/index.d.ts'), 'utf8')
  assert.match(declared, '/** f32[1, seq] */\n  readonly "x": Input<Float32Array | readonly number[], readonly [1, number]>')
  assert.match(declared, '/** f32[1, seq] */\n  readonly "y": Output<Float32Array, readonly [1, number]>')
  assert.match(declared, '& { readonly dims: { readonly "seq": readonly [3, 6] } }')
  assert.not.match(declared, 'seq.size')
  writeFileSync(
    join(folder, 'use.mts'),
    `import net from './built/index.js'
const { y, size } = await net.run({ x: [1, 2] })
const shape: readonly [1, number] = y.shape
const one: readonly [] = size.shape
const { outputs } = net.bind({ seq: 2 })
const sizes: readonly [3, 6] = net.info.dims.seq
net.entries.main.bind({ seq: 3 }).run()
// @ts-expect-error the size is missing
net.bind()
// @ts-expect-error there is no such dimension
net.bind({ batch: 1 })
console.log(shape, one, outputs.y, sizes)
`,
  )
  const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', 'use.mts']
  try {
    execFileSync(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), ...options], {
      cwd: folder,
      encoding: 'utf8',
    })
  } catch (error: any) {
    // Nothing of Node is there to type the console.
    const lines = String(error.stdout)
      .split('\n')
      .filter((line) => line !== '' && !line.includes("'console'"))
    assert.equal(lines, [])
  }
  writeFileSync(
    join(folder, 'built', 'use.mjs'),
    "import net from './index.js'\nconst { y } = net.runSync({ x: [1, 2] })\nconsole.log(...y.shape, ...y.data)\n",
  )
  assert.is(runAlone(join(folder, 'built'), 'use.mjs'), '1 2 1 3\n')
  assert.ok(readdirSync(join(folder, 'built')).some((name) => name.endsWith('.manifest.json')))
})

test.run()
