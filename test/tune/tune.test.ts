// `glowplug tune` on a small model, and builds with what it measured.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import type { Graph } from '../../compiler/graph/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import type { Target, Tuning } from '../../compiler/target.ts'
import { memoryCache } from '../../plugin/cache/index.ts'
import { extract } from '../../plugin/compile.ts'
import { type Host, loadModelFile } from '../../plugin/core.ts'
import { digestOfKernel, type Lock, printLock, readLock } from '../../plugin/tune/lock.ts'
import { rehearse, trialsOf } from '../../plugin/tune/trials.ts'
import { tune } from '../../plugin/tune/tune.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { nativeAvailable, nativeTargets } from '../../targets/native/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { glowplug } from '../cli/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-tune-test-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
process.chdir(folder)
const file = (name: string) => join(folder, name)

/** A convolution for tiles and Winograd's algorithm, and a product of one way. */
const source = (
  name: string,
  channels: number,
) => `import { constant, conv2d, linear, model, relu, reshape, tensor } from 'glowplug'
const wave = (count: number, step: number) => Array.from({ length: count }, (_, i) => Math.sin(i * step) / 8)
export default model({
  name: '${name}',
  inputs: { x: tensor('f32', [1, 16, 12, 12]) },
  forward({ x }) {
    const w = constant('f32', [${channels}, 16, 3, 3], wave(${channels} * 144, 0.7))
    const y = relu(conv2d(x, w, constant('f32', [${channels}], wave(${channels}, 1.3)), { padding: 1 }))
    return { y, z: linear(reshape(y, [9, ${16 * channels}]), constant('f32', [8, ${16 * channels}], wave(${128 * channels}, 0.3))) }
  },
})
`
writeFileSync(file('small.model.ts'), source('small', 48))

type Tunable = Target & { readonly tuning: Tuning }
const isTunable = (target: Target): target is Tunable => target.tuning !== undefined
const native = await nativeAvailable()
const here = native.ok ? (await nativeTargets()).filter(isTunable).filter(({ tuning }) => tuning.lacks().length === 0) : []
const nativeTest =
  here.length > 0 ? test : (name: string, _body: () => unknown) => console.log(`skipped: ${name} needs a C compiler`)

async function graphOf(name: string): Promise<Graph> {
  const { models, diagnostics } = await extract(file(name), { root: folder })
  assert.equal(diagnostics, [])
  return models[0]!.model.entries[0]!.graph
}

/** The kernels of the model at a target, with all their ways. */
async function kernelsOf(target: Tunable, name = 'small.model.ts') {
  const { program } = compileGraph(await graphOf(name), { target, evaluate })
  return [...program.kernels.values()].flatMap((kernel) => {
    const ways = target.tuning.ways(kernel)
    return ways.length > 0 ? [{ signature: kernelSignature(kernel), ways }] : []
  })
}

/** A lock in which each kernel takes the way of this number, from the end where it is negative. */
async function lockOf(target: Tunable, number: number): Promise<Lock> {
  const kernels = (await kernelsOf(target)).map(({ signature, ways }) => {
    const way = { way: ways.at(number)!.name, nanoseconds: 1 }
    return [digestOfKernel(signature), { ...way, kernel: 'k', estimated: way }] as const
  })
  return { format: 1, sections: { [target.tuning.section]: { measuredOn: 'nothing', kernels: Object.fromEntries(kernels) } } }
}

const printed = async (...more: string[]): Promise<string> => {
  const { status, out, err } = await glowplug('print', 'small.model.ts', '--stage', 'c', ...more)
  assert.is(status, 0, err)
  return out
}

const built = async (name: string, ...more: string[]) => {
  const { status, err } = await glowplug('build', 'small.model.ts', '--out', name, ...more)
  assert.is(status, 0, err)
  const contents = readdirSync(file(name))
    .sort()
    .map((each) => [each, readFileSync(join(folder, name, each)).toString('base64')])
  return { contents, err }
}

test('a way that is chosen is taken; a build with a lock has the same bytes each time (AO-10)', async () => {
  assert.ok(isTunable(wasm))
  const tuned = file('small.tuned.json')
  const plain = await printed('--target', 'wasm')
  const first = await built('plain', '--target', 'wasm')
  writeFileSync(tuned, printLock(await lockOf(wasm as Tunable, 0)))
  assert.is(await printed('--target', 'wasm'), plain, "the target's own choice changes nothing")
  writeFileSync(tuned, printLock(await lockOf(wasm as Tunable, -1)))
  assert.is.not(await printed('--target', 'wasm'), plain)
  assert.is(await printed('--target', 'wasm', '--no-tuned'), plain)
  const [one, two] = [await built('one', '--target', 'wasm'), await built('two', '--target', 'wasm')]
  assert.equal(one.contents, two.contents)
  assert.is.not(JSON.stringify(one.contents), JSON.stringify(first.contents))
  assert.equal((await built('three', '--target', 'wasm', '--no-tuned')).contents, first.contents)
  assert.is(one.err, '')
  rmSync(tuned)
})

test('a way that there is no more is a warning, and the kernel is made as without; a damaged file is an error', async () => {
  const tuned = file('small.tuned.json')
  const lock = await lockOf(wasm as Tunable, 0)
  writeFileSync(tuned, printLock(lock).replace(/"way": "[^"]*"/, '"way": "of old"'))
  const plain = await built('withouts', '--target', 'wasm', '--no-tuned')
  const stale = await built('stale', '--target', 'wasm')
  assert.match(stale.err, /warning.*tuning-stale|tuning-stale/)
  assert.match(stale.err, /there is no way 'of old' any more/)
  assert.equal(stale.contents, plain.contents)
  writeFileSync(tuned, printLock(lock).replace('"format": 1', '"format": 7'))
  for (const command of [
    ['build', 'small.model.ts', '--out', 'damaged'],
    ['print', 'small.model.ts', '--stage', 'memory'],
  ]) {
    const { status, err } = await glowplug(...command)
    assert.is(status, 1)
    assert.match(err, /small\.tuned\.json/)
    assert.match(err, /glowplug tune/)
  }
  assert.not.ok(existsSync(file('damaged')))
  rmSync(tuned)
})

test('the plugin compiles again when measurements appear, change and go, and not otherwise (BP-07)', async () => {
  const tuned = file('small.tuned.json')
  const cache = memoryCache()
  const host: Host = {
    root: folder,
    platform: 'node',
    language: 'typescript',
    resolve: async () => undefined,
    define: {},
    address: { prelude: '', of: (variable) => variable },
  }
  const load = async (options: { readonly tuned?: boolean } = {}) => {
    // Time stamps of files are no finer than a few milliseconds: what has just changed is not kept.
    await new Promise((done) => setTimeout(done, 60))
    const { loaded, diagnostics, watchFiles } = await loadModelFile(
      file('small.model.ts'),
      host,
      { targets: 'wasm', report: 'silent', ...options },
      cache,
    )
    assert.is(watchFiles.includes(tuned), options.tuned !== false)
    return { code: loaded && Object.keys(loaded.assets).join(), cached: loaded?.summaries[0]?.cached, diagnostics }
  }
  const plain = await load()
  assert.equal(await load(), { ...plain, cached: true })
  writeFileSync(tuned, printLock(await lockOf(wasm as Tunable, -1)))
  const chosen = await load()
  assert.is(chosen.cached, false)
  assert.is.not(chosen.code, plain.code)
  assert.equal(await load(), { ...chosen, cached: true })
  assert.is((await load({ tuned: false })).code, plain.code)
  writeFileSync(tuned, '{')
  const damaged = await load()
  assert.equal([damaged.code, damaged.diagnostics.map(({ code }) => code)], [undefined, ['tuning-unreadable']])
  rmSync(tuned)
  assert.is((await load()).code, plain.code)
})

for (const target of [...here, wasm as Tunable])
  test(`every way of a kernel computes the same in the place where it is measured, at ${target.level}`, async () => {
    const { createHost } = await import('../../targets/runtime/load.ts')
    const { native: nativeDriver } = await import('../../targets/runtime/native.ts')
    const { threads } = await import('../../targets/runtime/threads.ts')
    const { shareConstants } = await import('../../compiler/memory/index.ts')
    const { makeBundle } = await import('../../plugin/bundle/make.ts')
    const { writeBundle } = await import('../../plugin/bundle/write.ts')
    const rehearsal = rehearse(await graphOf('small.model.ts'), target, { evaluate }, () => false)
    const { entries, steps } = trialsOf(rehearsal, rehearsal.candidates, target, 1)
    const shared = shareConstants(entries.map(({ program }) => program))
    const placed = entries.map((entry, i) => ({ ...entry, program: shared.programs[i]! }))
    const code = await target.tuning.emit('small', placed)
    const stub = { name: 'small', inputs: [], outputs: [], nodes: [], locations: new Map() }
    const model = { name: 'small', entries: entries.map(({ entry }) => ({ name: entry, graph: stub })) }
    const bundle = makeBundle({ model, codes: [{ target: target.name, entries: placed, constants: shared.bytes, code }] })
    const place = file(`trial-${target.level}`)
    await writeBundle(bundle, place)
    const instance = createHost(place, {}, { wasm: threads, addon: nativeDriver }).load().instantiate()
    const { program } = rehearsal
    const bufferOf = (id: (typeof program.inputs)[number]) =>
      new Float32Array(instance.memory, instance.mutable + program.offsets.get(id)!, program.buffers.get(id)!.bytes / 4)
    const input = bufferOf(program.inputs[0]!)
    for (let i = 0; i < input.length; i++) input[i] = Math.cos(i)
    const outputsOf = (way: number) => {
      for (const id of program.outputs) bufferOf(id).fill(Number.NaN)
      for (const step of steps) instance.run('entry' in step ? step.entry : step.entries[Math.min(way, step.entries.length - 1)]!)
      return program.outputs.map((id) => [...bufferOf(id)])
    }
    const expected = outputsOf(0)
    const most = Math.max(...steps.map((step) => ('entry' in step ? 1 : step.entries.length)))
    assert.ok(most > 2, 'there is something to choose')
    for (let way = 1; way < most; way++)
      for (const [i, output] of outputsOf(way).entries())
        for (const [j, value] of output.entries())
          assert.ok(
            Math.abs(value - expected[i]![j]!) < 1e-4,
            `way ${way}, output ${i}, element ${j}: ${value} for ${expected[i]![j]}`,
          )
    instance.close?.()
  })

nativeTest('the command measures, reports, and writes what builds then take', async () => {
  const tuned = file('small.tuned.json')
  const dry = await glowplug('tune', 'small.model.ts', '--seconds', '1', '--dry-run', '--json')
  assert.is(dry.status, 0, dry.err)
  assert.not.ok(existsSync(tuned))
  const result = JSON.parse(dry.out)
  assert.equal([result.file, result.section, result.skipped, result.dropped], [null, here[0]!.tuning.section, [], []])
  assert.ok(result.kernels.length > 0)
  for (const { kernel, location, estimated, best, nanoseconds } of result.kernels) {
    assert.match(kernel, /f32\[/)
    assert.match(location, /^small\.model\.ts:\d+:\d+$/)
    assert.ok(
      best.nanoseconds <= estimated.nanoseconds && nanoseconds[best.way] === best.nanoseconds,
      JSON.stringify(result.kernels),
    )
  }
  // What is there for other levels stays, and what the model has no more goes.
  const old = await lockOf(wasm as Tunable, -1)
  const way = { way: 'w', nanoseconds: 1 }
  const gone = { [digestOfKernel('gone')]: { ...way, kernel: 'a kernel of old', estimated: way } }
  const sections = { ...old.sections, [here[0]!.tuning.section]: { measuredOn: 'x', kernels: gone } }
  writeFileSync(tuned, printLock({ format: 1, sections }))
  const { status, out, err } = await glowplug('tune', 'small.model.ts', '--seconds', '1', '--level', here[0]!.level)
  assert.is(status, 0, err)
  assert.match(out, /kernel +at +calls +by estimate/)
  assert.match(out, /all calls/)
  assert.match(err, /dropped, since no model has it any more: a kernel of old/)
  assert.match(err, /kernels 1 to \d of \d: /)
  const lock = (await readLock(tuned, 'x'))!
  assert.equal(lock.sections.simd128, old.sections.simd128)
  const { kernels, measuredOn } = lock.sections[here[0]!.tuning.section]!
  assert.match(measuredOn, /, 1 thread$/)
  const expected = await kernelsOf(here[0]!)
  assert.equal(Object.keys(kernels).sort(), expected.map(({ signature }) => digestOfKernel(signature)).sort())
  for (const { signature, ways } of expected) {
    const kernel = kernels[digestOfKernel(signature)]!
    assert.ok(ways.some(({ name }) => name === kernel.way))
    assert.is(kernel.estimated.way, ways[0]!.name)
  }
  assert.is((await built('measured', '--target', 'native')).err, '')
  rmSync(tuned)
})

nativeTest('what interrupts it leaves the file as it was, and nothing else behind', async () => {
  const tuned = file('small.tuned.json')
  const before = printLock(await lockOf(here[0]!, -1))
  writeFileSync(tuned, before)
  mkdirSync(file('temporary'))
  const binary = join(process.env.GLOWPLUG_ROOT!, 'plugin/bin.mjs')
  const child = spawn(process.execPath, [binary, 'tune', 'small.model.ts', '--seconds', '60', '--level', here[0]!.level], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: file('temporary') },
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
    if (/: round 1\n/.test(said)) child.kill('SIGINT')
  })
  const status = await new Promise((done) => child.on('close', done))
  assert.is(status, 130, said)
  assert.equal(readdirSync(file('temporary')), [])
  assert.is(readFileSync(tuned, 'utf8'), before)
  rmSync(tuned)
})

nativeTest('a way that cannot be compiled is told and left out', async () => {
  const [target] = here
  const { tuning } = target!
  const broken: Tunable = {
    ...target!,
    tuning: {
      ...tuning,
      async emit(name, entries) {
        const { InvariantError } = await import('../../compiler/graph/index.ts')
        const [candidate] = await kernelsOf(target!)
        const bad = candidate!.ways[1]!.name
        if (entries.some(({ ways }) => ways.get(candidate!.signature) === bad)) throw new InvariantError('no such instruction')
        return tuning.emit(name, entries)
      },
    },
  }
  const graph = await graphOf('small.model.ts')
  const model = { name: 'small', entries: [{ name: 'main', graph }] }
  const { kernels, skipped } = await tune({ models: [model], target: broken, seconds: 1, threads: 1, update: () => undefined })
  assert.is(skipped.length, 1)
  assert.match(skipped[0]!, /blockedConv .* cannot be compiled: no such instruction/)
  assert.ok(kernels.length > 0 && kernels.every(({ ways }) => ways[0]!.measured !== undefined))
})

test('the command says what it cannot do', async () => {
  writeFileSync(file('x.onnx'), '')
  const cases: readonly (readonly [args: readonly string[], status: number, says: RegExp])[] = [
    [['x.onnx'], 2, /takes a model file.*\n.*glowplug import/],
    [['small.model.ts', '--seconds', '0'], 2, /--seconds/],
    [['small.model.ts', '--threads', '0'], 2, /--threads/],
    [['small.model.ts', '--target', 'wams'], 2, /did you mean 'wasm'/],
    [['small.model.ts', '--target', 'wasm', '--level', 'x'], 2, /levels are simd128/],
    [['small.model.ts', '--target', 'interpreter'], 2, /nothing to choose/],
    [['small.model.ts', '--target', 'wasm', '--model', 'smal'], 2, /no model 'smal', did you mean 'small'/],
    [['small.model.ts', '--target', 'wasm', '--entry', 'x'], 2, /no entry 'x'/],
    [['none.model.ts', '--target', 'wasm'], 1, /no file none\.model\.ts/],
  ]
  for (const [args, status, says] of cases) {
    const result = await glowplug('tune', ...args)
    assert.is(result.status, status, result.err)
    assert.match(result.err, says)
  }
  writeFileSync(file('small.tuned.json'), '[]')
  const damaged = await glowplug('tune', 'small.model.ts', '--target', 'wasm')
  assert.is(damaged.status, 1)
  assert.match(damaged.err, /small\.tuned\.json.*remove it/)
  rmSync(file('small.tuned.json'))
})

test.run()
