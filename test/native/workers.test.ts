import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { entries, loadAddon, makeAddon, makeRegion, onPool, openInstance, weights, weightsPath } from './handmade.ts'
import { needsCompiler } from './harness.ts'

await needsCompiler('addons in workers')
const paths = [await makeAddon('one'), await makeAddon('two')]

/** Plain JavaScript for workers and processes: loads an addon, and has `run(milliseconds)` and `start(milliseconds, done)`. */
const prelude = (path: string) => `
const addon = require(${JSON.stringify(path)})
const { weightsPath } = { weightsPath: ${JSON.stringify(weightsPath())} }
const open = () => addon.open(weightsPath, 128, 64, 64, 64)
const region = new ArrayBuffer(256), start = addon.lead(region)
const fill = (value) => { for (let i = 0; i < 16; i++) new DataView(region).setFloat32(start + 4 * i, value, true) }
const output = () => Array.from({ length: 16 }, (_, i) => new DataView(region).getFloat32(start + 64 + 4 * i, true));
`

const inWorker = (path: string, body: string): Worker =>
  new Worker(`${prelude(path)}const { parentPort } = require('node:worker_threads');${body}`, { eval: true })

const messageOf = (worker: Worker) =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
const exitOf = (worker: Worker) => new Promise<number>((resolve) => worker.once('exit', resolve))
const mappings = () =>
  readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.endsWith(weightsPath())).length

test('eight workers load, run and close two addons in a loop (TO-18)', async () => {
  const before = mappings()
  const loop = async (k: number) => {
    for (let round = 0; round < 4; round++) {
      const worker = inWorker(
        paths[(k + round) % 2]!,
        `(async () => {
          for (let i = 0; i < 40; i++) {
            const instance = open()
            fill(i)
            if (i % 2) addon.run(instance, 0, region, start)
            else await new Promise((done) => addon.start(instance, 0, region, start, done))
            const expected = ${JSON.stringify([...weights])}.map((w) => w * i)
            if (String(output()) !== String(expected)) throw new Error('wrong: ' + output())
            addon.close(instance)
          }
          parentPort.postMessage('right')
        })()`,
      )
      const exited = exitOf(worker)
      assert.is(await messageOf(worker), 'right')
      assert.is(await exited, 0)
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, k) => loop(k)))
  assert.is(mappings(), before)
})

test('workers that are ended amid runs, and with runs waiting, leave no trace', async () => {
  const before = mappings()
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      Array.from({ length: 8 }, async (_, k) => {
        const worker = inWorker(
          paths[k % 2]!,
          `fill(${5 + k})
          for (let i = 0; i < 12; i++) addon.start(open(), 1, region, start, () => undefined)
          parentPort.postMessage('started')
          ${k % 4 === 0 ? 'fill(1); for (;;) addon.run(open(), 0, region, start)' : ''}`,
        )
        const exited = exitOf(worker)
        await messageOf(worker)
        await worker.terminate()
        await exited
      }),
    )
  }
  assert.is(mappings(), before)
  // The pool outlives them.
  const addon = loadAddon(paths[0]!)
  const instance = openInstance(addon)
  const { region, start, output } = makeRegion(addon, 2)
  assert.is(await onPool(addon, instance, entries.scale, region, start), 0)
  assert.equal(
    output(),
    weights.map((weight) => weight * 2),
  )
  addon.close(instance)
})

/** Runs plain JavaScript in a process of its own. */
const inProcess = (body: string, command: readonly string[] = []) => {
  const [program, ...rest] = [...command, process.execPath, '-e', `${prelude(paths[0]!)}${body}`]
  const { status, signal, stdout, stderr } = spawnSync(program!, rest, {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  return { status, signal, stdout, stderr }
}

test('a run keeps its process alive until it is done, and an idle addon does not', () => {
  const alive = inProcess(`fill(50); addon.start(open(), 1, region, start, () => console.log('done'))`)
  assert.equal(alive, { status: 0, signal: null, stdout: 'done\n', stderr: '' })
  assert.equal(inProcess('open()'), { status: 0, signal: null, stdout: '', stderr: '' })
})

test('a process may end amid runs', () => {
  const body = 'fill(30); for (let i = 0; i < 6; i++) addon.start(open(), 1, region, start, () => undefined); '
  assert.equal(inProcess(`${body}process.exit(3)`), { status: 3, signal: null, stdout: '', stderr: '' })
  assert.equal(inProcess(`${body}setTimeout(() => process.exit(4), 10)`), { status: 4, signal: null, stdout: '', stderr: '' })
  const thrown = inProcess(`${body}throw new Error('enough')`)
  assert.is(thrown.status, 1)
  assert.match(thrown.stderr, 'enough')
})

test('what `done` throws is an uncaught exception', () => {
  const body = `fill(1); addon.start(open(), 0, region, start, () => { throw new Error('thrown in done') })`
  const { status, stderr } = inProcess(body)
  assert.is(status, 1)
  assert.match(stderr, 'thrown in done')
  const caught = inProcess(`process.on('uncaughtException', (error) => console.log(error.message)); ${body}`)
  assert.equal(caught, { status: 0, signal: null, stdout: 'thrown in done\n', stderr: '' })
})

test('promises settled in `done` go on at once', () => {
  const { stdout } = inProcess(`(async () => {
    const instance = open()
    fill(1)
    for (let i = 0; i < 100; i++) await new Promise((resolve) => addon.start(instance, 0, region, start, resolve))
    console.log('all')
  })()`)
  assert.is(stdout, 'all\n')
})

/** JavaScript that counts the threads of the pool. A thread of Node may end while it is looked at. */
const poolThreads = `const { readdirSync, readFileSync } = require('node:fs')
const nameOf = (id) => { try { return readFileSync('/proc/self/task/' + id + '/comm', 'latin1') } catch {} }
const poolThreads = () => readdirSync('/proc/self/task').filter((id) => nameOf(id) === 'glowplug\\n').length;`

const onOne = spawnSync('taskset', ['-c', '0', 'true'])
if (onOne.status !== 0) console.log('skipped: pools as large as the affinity mask allows needs taskset')
else {
  test('a process that may use one processor has a pool of one thread', () => {
    const count = `${poolThreads}fill(20); for (let i = 0; i < 6; i++) addon.start(open(), 1, region, start, () => undefined)
      setTimeout(() => console.log(poolThreads()), 10)`
    assert.equal(inProcess(count, ['taskset', '-c', '0']), { status: 0, signal: null, stdout: '1\n', stderr: '' })
  })

  test('threads that load addons at the same time agree on one pool', () => {
    const copies = Array.from({ length: 6 }, (_, i) => `${paths[0]!}-${i}.node`)
    for (const copy of copies) copyFileSync(paths[0]!, copy)
    const worker = (copy: string) =>
      `${prelude(copy)}fill(30); addon.start(open(), 1, region, start, () => undefined); require('node:worker_threads').parentPort.postMessage(0)`
    const body = `${poolThreads}const { Worker } = require('node:worker_threads')
      let started = 0
      for (const source of ${JSON.stringify(copies.map(worker))}) new Worker(source, { eval: true }).on('message', () => {
        if (++started === 6) console.log(poolThreads())
      })`
    for (let round = 0; round < 5; round++)
      assert.equal(inProcess(body, ['taskset', '-c', '0']), { status: 0, signal: null, stdout: '1\n', stderr: '' })
  })
}

test('an addon may be required, and loaded twice, in one environment', async () => {
  const required = createRequire(import.meta.url)(paths[0]!)
  const loaded = loadAddon(paths[0]!)
  const instance = openInstance(loaded)
  const { region, start } = makeRegion(loaded, 1)
  assert.throws(() => required.run(instance, 0, region, start), /not an instance/)
  assert.is(await onPool(loaded, instance, entries.scale, region, start), 0)
  loaded.close(instance)
})

test.run()
