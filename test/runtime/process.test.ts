import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type OutputFile } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runScript, shipLoader } from './child.ts'
import { sampleBundle } from './sample.ts'

// The loader as it is shipped, alone with a bundle in an otherwise empty folder, in processes of its own.
const folder = mkdtempSync(join(tmpdir(), 'glowplug-process-'))
const loader = shipLoader(folder)
for (const name of ['one', 'two']) {
  mkdirSync(join(folder, name))
  for (const [file, bytes] of sampleBundle({ name, c: name === 'one' ? [1, 1, 1, 1] : [2, 2, 2, 2] }).files)
    writeFileSync(join(folder, name, file), bytes)
}
test.after(() => rmSync(folder, { recursive: true, force: true }))

const run = (script: string, flags?: readonly string[]) =>
  runScript(folder, `const sum = { x: [1, 2, 3, 4], mode: [0] }\n${script}`, flags)

/** The loader as bundlers leave it in a program that imports these names. */
async function bundled(...names: readonly string[]): Promise<{ text: string; bytes: number }> {
  const result = await build({
    stdin: { contents: `export { GlowplugError, ${names.join(', ')} } from './runtime.mjs'`, resolveDir: folder },
    ...{ bundle: true, minify: true, write: false, format: 'esm', platform: 'node' },
  })
  const [{ contents, text }] = result.outputFiles as [OutputFile]
  return { text, bytes: contents.length }
}

test('the loader with the source of its workers is at most 12 KB where nothing is native, 13.5 KB with it, and imports nothing', async () => {
  assert.not.match(loader.toString(), /(^|[;}])\s*import[\s{"'*]|\brequire\(/)
  const [portable, whole] = [await bundled('openPortable'), await bundled('open')]
  assert.ok(portable.bytes <= 12 * 1024, `${portable.bytes} bytes`)
  assert.ok(whole.bytes <= 13.5 * 1024, `${whole.bytes} bytes`)
  assert.not.match(portable.text, /dlopen/)
  for (const { text } of [portable, whole]) assert.not.match(text, /input-too-long/)
})

test('dimensions of several sizes cost programs whose models have them 6.5 KB more, and others nothing', async () => {
  for (const [plain, buckets] of [
    ['openPortable', 'openPortableBuckets'],
    ['open', 'openBuckets'],
  ] as const) {
    const more = (await bundled(buckets)).bytes - (await bundled(plain)).bytes
    assert.ok(more > 0 && more <= 6.5 * 1024, `${more} bytes`)
  }
  assert.not.match((await bundled('openPortableBuckets')).text, /dlopen/)
})

test('sessions cost programs whose models keep state 14.5 KB more, and others nothing', async () => {
  for (const [plain, stateful] of [
    ['openPortable', 'openPortableSessions'],
    ['open', 'openSessions'],
  ] as const) {
    const [without, with_] = [await bundled(plain), await bundled(stateful)]
    const more = with_.bytes - without.bytes
    assert.ok(more > 0 && more <= 14.5 * 1024, `${more} bytes`)
    assert.not.match(without.text, /session-lost/)
    assert.not.match(with_.text, /input-too-long/)
  }
  assert.not.match((await bundled('openPortableSessions')).text, /dlopen/)
})

test('what nobody catches is printed with the line of the call, and with no line of the loader that nobody could read', async () => {
  for (const [name, call] of [
    ['input', "await open('one').run({ x: [1], mode: [0] })"],
    ['here', "open('one').runSync({ x: [1], mode: [0] })"],
    ['missing', "await open('nowhere').ready()"],
  ]) {
    writeFileSync(join(folder, `${name}.mjs`), `import { open } from './runtime.mjs'\n\n${call}\n`)
    const { status, stderr } = spawnSync(process.execPath, [`${name}.mjs`], { cwd: folder, encoding: 'utf8' })
    assert.is(status, 1)
    assert.match(stderr, /GlowplugError: .*'x' has 1 elements|GlowplugError: nowhere is missing/)
    assert.match(stderr, new RegExp(`at .*${name}\\.mjs:3:`))
    for (const line of stderr.split('\n')) assert.ok(line.length < 240, line.slice(0, 400))
  }
})

test('a process ends by itself when its models are idle, closed or not', async () => {
  const script = "const model = open('one'); const { y } = await model.run(sum); print([...y.data])"
  assert.equal(await run(script), [2, 3, 4, 5])
  assert.equal(await run("const model = open('one', { instances: 3 }); await model.ready(); print(1)"), 1)
  assert.equal(await run("print([...open('one').runSync(sum).y.data])"), [2, 3, 4, 5])
})

test('a process stays while a run is under way that nothing else waits for', async () => {
  assert.equal(await run("open('one').run({ ...sum, mode: [200_000_000] }).then(({ y }) => print(y.data[0]))"), 2)
})

test('importing and opening do nothing', async () => {
  const script = `import fs from 'node:fs'
    for (const name of ['openSync', 'readFileSync', 'statSync']) fs[name] = () => { throw new Error(name) }
    const before = process.memoryUsage().arrayBuffers
    open('one'); open('nowhere', { instances: 100 })
    print([process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort|FS/.test(name))])`
  assert.equal(await run(script), [[]])
})

test('two bundles, several instances of each, in one process (AO-12)', async () => {
  const script = `const models = ['one', 'two', 'one'].map((name) => open(name, { instances: 2 }))
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => models[i % 3].run({ x: [i, 0, 0, 0], mode: [0] })))
    print(answers.every(({ y }, i) => y.data[0] === i + [1, 2, 1][i % 3]))
    await Promise.all(models.map((model) => model.close()))`
  assert.is(await run(script), true)
})

test('bind and into allocate no tensor memory (RT-10)', async () => {
  const script = `const model = open('one'); await model.ready()
    const bound = model.bind(); bound.inputs.x.set([1, 2, 3, 4])
    const into = { y: new Float32Array(4) }
    const measure = async (count, body) => { for (let i = 0; i < 50; i++) await body(); gc(); const before = process.memoryUsage().arrayBuffers
      for (let i = 0; i < count; i++) await body(); gc(); return process.memoryUsage().arrayBuffers - before }
    const inputs = { x: new Float32Array([1, 2, 3, 4]), mode: new Int32Array(1) }
    print([await measure(5000, () => bound.run()), await measure(2000, () => model.run(inputs, { into })), await measure(2000, () => model.runSync(inputs, { into }))])`
  // Regions of requests are handed to and fro; a few may be on their way.
  for (const grown of await run(script, ['--expose-gc'])) assert.ok(Math.abs(grown) <= 4 * 192, `${grown} bytes`)
})

// The first dozens of workers fill caches of the process; from then on it must stay flat.
test('opening and closing over and over holds no memory (RT-30)', async () => {
  const script = `const cycle = async () => { const model = open('one'); await model.run(sum); await model.close() }
    // What ended workers held is released some turns of the event loop later.
    const settled = async () => { for (let i = 0; i < 10; i++) { await new Promise((done) => setTimeout(done, 20)); gc() }; return process.memoryUsage() }
    for (let i = 0; i < 60; i++) await cycle()
    const before = await settled()
    for (let i = 0; i < 60; i++) await cycle()
    const after = await settled()
    print([after.arrayBuffers - before.arrayBuffers, (after.rss - before.rss) / before.rss])`
  const [buffers, growth] = await run(script, ['--expose-gc'])
  assert.ok(buffers < 4096, `${buffers} bytes of buffers`)
  assert.ok(growth < 0.05, `resident memory grew by ${(growth * 100).toFixed(1)} %`)
})

test('options of the process do not reach the workers, and code from strings may be forbidden', async () => {
  const hook = "data:text/javascript,if (process.env.ONCE) throw new Error('loaded twice'); process.env.ONCE = '1'"
  assert.equal(await run("print([...(await open('one').run(sum)).y.data])", ['--import', hook]), [2, 3, 4, 5])
  assert.equal(
    await run("print([...open('one').runSync(sum).y.data])", ['--disallow-code-generation-from-strings']),
    [2, 3, 4, 5],
  )
})

test.run()
