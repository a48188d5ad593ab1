// Outputs whose size data decides, from model file to program: loaders, servers, bundlers, the command line, declarations.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bounded, compress, dim, model, mul, nonZero, tensor, transpose } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { compile } from '../../plugin/compile.ts'
import { trimmed } from '../../targets/runtime/bounded.ts'
import { openBuckets as openInBrowser, withBounds as withBoundsInBrowser } from '../../targets/runtime/browser.ts'
import { openBuckets, withBounds } from '../../targets/runtime/index.ts'
import { serve } from '../../targets/runtime/serve/index.ts'
import { glowplug } from '../cli/support.ts'
import { bundle, cleanUp, createProject, runAlone, scaleModel, scaleWeights } from '../esbuild/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-bounded-'))
process.chdir(folder)
test.after(() => {
  rmSync(folder, { recursive: true, force: true })
  cleanUp()
})

/** Columns of a matrix that a vector picks, and their positions; at most three. */
const picks = model({
  name: 'picks',
  inputs: { x: tensor('f32', [2, 4]), keep: tensor('i32', [4]) },
  forward({ x, keep }) {
    const { values, count } = compress(x, keep, { axis: 1, limit: 3 })
    const { indices } = nonZero(keep, { limit: 3 })
    return {
      columns: bounded(values, count, { axis: 1 }),
      rows: bounded(transpose(values, [1, 0]), count),
      at: bounded(indices, count, { axis: 1 }),
      twice: mul(x, 2),
    }
  },
})
const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const seen = ({ columns, rows, at, twice }: any) =>
  [columns, rows, at, twice].map(({ data, shape }) => [[...shape], Array.from(data, Number)])
const expected = [
  [
    [2, 2],
    [2, 4, 6, 8],
  ],
  [
    [2, 2],
    [2, 6, 4, 8],
  ],
  [
    [1, 2],
    [1, 3],
  ],
  [
    [2, 4],
    [2, 4, 6, 8, 10, 12, 14, 16],
  ],
]
const keep = Int32Array.of(0, 1, 0, -5)

const opened = async (target: string): Promise<any> => {
  if (target === 'uncompiled') return picks
  if (target === 'browser') {
    Object.assign(globalThis, { Worker: undefined })
    const { manifest, files } = await compile(traceModel(picks), { target: 'wasm' })
    return withBoundsInBrowser(openInBrowser({ manifest, files: Object.fromEntries(files) }))
  }
  const made = await compile(traceModel(picks), { target })
  if (target !== 'native') return withBounds(openBuckets(made))
  await writeBundle(made, join(folder, 'native'))
  return withBounds(openBuckets(join(folder, 'native')))
}

for (const target of ['uncompiled', 'interpreter', 'wasm', 'native', 'browser'])
  test(`run gives what is filled, ${target}`, async () => {
    const net = await opened(target)
    const warn = console.warn
    console.warn = () => {}
    await net.ready()
    console.warn = warn
    assert.equal(seen(await net.run({ x, keep })), expected)
    assert.equal(seen(net.runSync({ x, keep })), expected)
    assert.equal(seen(await net.entries.main.run({ x, keep })), expected)
    const none = await net.run({ x, keep: new Int32Array(4) })
    assert.equal([[...none.columns.shape], none.columns.data.length, [...none.rows.shape]], [[2, 0], 0, [0, 2]])
    assert.is((await net.run({ x, keep: keep.fill(1) }).catch((error: any) => error)).code, 'run-fault')
    keep.set([0, 1, 0, -5])

    const columns = new Float32Array(6)
    const into = await net.run({ x, keep }, { into: { columns } })
    assert.equal(seen(into), expected)
    assert.is(into.columns.data.buffer, columns.buffer)
    assert.is(into.columns.data.length, 4)
    assert.equal(
      net.info.outputs.map(({ name, shape, bounded }: any) => [name, [...shape], bounded]),
      [
        ['columns', [2, 3], [1]],
        ['rows', [3, 2], [0]],
        ['at', [1, 3], [1]],
        ['twice', [2, 4], undefined],
      ],
    )
    const bound = net.bind()
    bound.inputs.x.set(x)
    bound.inputs.keep.set(keep)
    bound.run()
    assert.equal(Number(bound.outputs['columns.count1'][0]), 2)
    await net.close()
  })

test('a server gives what is filled', async () => {
  const made = await compile(traceModel(picks), { target: 'interpreter' })
  await writeBundle(made, join(folder, 'served'))
  const server = serve(join(folder, 'served'), { cards: 1, device: 'worker' })
  assert.equal(seen(await server.run({ x, keep } as never)), expected)
  const columns = new Float32Array(6)
  assert.is(((await server.run({ x, keep } as never, { into: { columns } } as never)) as any).columns.data.buffer, columns.buffer)
  await server.close()
})

test('a count that no size has is a fault, and never read beyond', () => {
  for (const count of [-1, 4, Number.NaN])
    assert.throws(
      () =>
        trimmed({
          y: { data: new Float32Array(3), shape: [3] },
          'y.count0': { data: Float64Array.of(count), shape: [] },
        } as never),
      (error: any) => error.code === 'run-fault',
    )
})

test('with dimensions of several sizes, outputs follow the request and then data', async () => {
  const seq = dim('seq', [2, 4])
  const net: any = model({
    name: 'both',
    inputs: { x: tensor('f32', [seq, 4]), keep: tensor('bool', [4]) },
    forward({ x, keep }: any) {
      const { values, count } = compress(x, keep, { axis: 1 })
      return { y: bounded(values, count, { axis: 1 }) }
    },
  } as never)
  const made = await compile(traceModel(net), { target: 'interpreter' })
  for (const each of [net, withBounds(openBuckets(made)) as any]) {
    const { y } = await each.run({ x: Float32Array.from({ length: 12 }, (_, i) => i), keep: [true, false, true, false] })
    assert.equal(
      [[...y.shape], [...y.data]],
      [
        [3, 2],
        [0, 2, 4, 6, 8, 10],
      ],
    )
  }
})

const source = `import { bounded, model, nonZero, tensor } from 'glowplug'
export default model({
  name: 'found',
  inputs: { x: tensor('f32', [4]) },
  forward({ x }) {
    const { indices, count } = nonZero(x)
    return { at: bounded(indices, count, { axis: 1 }) }
  },
})
`

test('esbuild: a program with such a model runs alone; one without has nothing of it', async () => {
  const targets = ['interpreter'] as const
  const project = createProject({
    'src/found.model.ts': source,
    'src/app.js':
      "import net from './found.model.ts'\nconst { at } = await net.run({ x: [0, 1, 0, 2] })\nconsole.log(...at.shape, ...at.data)\nawait net.close()\n",
    'src/plain.js': "import net from './half.model.ts'\nconsole.log((await net.run({ x: [1, 2] })).y.data)\nawait net.close()\n",
    'src/half.model.ts': scaleModel('half'),
    'src/half.safetensors': scaleWeights([0.5, 0.25]),
  })
  await bundle(project, { entryPoints: ['src/app.js'], outdir: 'out' }, { targets })
  assert.is(runAlone(join(project, 'out'), 'app.js'), '1 2 1n 3n\n')
  await bundle(project, { entryPoints: ['src/plain.js'], outdir: 'plain' }, { targets })
  assert.not.match(readFileSync(join(project, 'plain/plain.js'), 'utf8'), 'are filled')
})

test('on the command line: a folder runs alone, run prints what is filled, declarations leave the size open', async () => {
  writeFileSync(join(folder, 'found.model.ts'), source)
  writeFileSync(join(folder, 'x.bin'), new Uint8Array(Float32Array.of(1, 0, 3, 4).buffer))
  const built = await glowplug('build', 'found.model.ts', '--out', 'built', '--target', 'interpreter')
  assert.is(built.status, 0, built.err)
  for (const given of ['found.model.ts', 'built']) {
    const { status, out, err } = await glowplug('run', given, '--input', 'x=x.bin', '--target', 'interpreter')
    assert.is(status, 0, err)
    const { outputs } = JSON.parse(out)
    assert.equal([outputs.length, outputs[0].name, outputs[0].shape, outputs[0].max], [1, 'at', [1, 3], 3])
  }
  const declared = readFileSync(join(folder, 'built/index.d.ts'), 'utf8')
  assert.match(declared, '"at": Output<BigInt64Array, readonly [1, number]>')
  assert.not.match(declared.split('interface Binding')[0]!, 'count1')
  writeFileSync(
    join(folder, 'use.mjs'),
    "import net from './built/index.js'\nconst { at } = await net.run({ x: [0, 0, 5, 0] })\nconsole.log(...at.shape, ...at.data)\nawait net.close()\n",
  )
  assert.is(runAlone(folder, 'use.mjs'), '1 1 2n\n')
})

test.run()
