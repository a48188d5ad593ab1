// Sessions of the loader: what a session carries, in what order, and what becomes of it when something fails.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, constant, gather, model, mul, state, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { compile } from '../../plugin/compile.ts'
import { nativeAvailable } from '../../targets/native/index.ts'
import { openSessions as openInBrowser } from '../../targets/runtime/browser.ts'
import { openBucketsSessions, open as openPlain } from '../../targets/runtime/index.ts'
import { runScript, shipLoader } from './child.ts'
import { failure } from './sample.ts'

const make = () =>
  model({
    name: 'counter',
    state: { total: state('f32', [4]), steps: state('i32', [1], { initial: constant('i32', [1], [7]) }) },
    entries: {
      count: {
        inputs: { x: tensor('f32', [4]) },
        forward({ x }, { total, steps }) {
          const [next, after] = [add(total, x), add(steps, 1)]
          return { sum: mul(next, 2), seen: after, total: next, steps: after }
        },
      },
      /** Renews the total, and then looks something up by it. */
      pick: {
        inputs: { x: tensor('f32', [4]), i: tensor('i32', [1]) },
        forward({ x, i }, { total }) {
          const next = add(total, x)
          return { picked: gather(mul(next, 3), i, { axis: 0 }), total: next }
        },
      },
      look: {
        inputs: { by: tensor('f32', [1]) },
        forward: ({ by }, { total, steps }) => ({ total2: mul(total, by), now: add(steps, 0) }),
      },
      plain: { inputs: { x: tensor('f32', [4]) }, forward: ({ x }) => ({ y: mul(x, 3) }) },
    },
  })

const available = await nativeAvailable()
const targets = ['interpreter', 'wasm', ...(available.ok ? ['native'] : [])]
const root = mkdtempSync(join(tmpdir(), 'glowplug-sessions-'))
const loaderFolder = mkdtempSync(join(tmpdir(), 'glowplug-loader-'))
shipLoader(loaderFolder)
test.before(async () => {
  for (const target of targets) await writeBundle(await compile(traceModel(make()), { target }), join(root, target))
})
test.after(() => {
  for (const folder of [root, loaderFolder]) rmSync(folder, { recursive: true, force: true })
})

const x = [1, 2, 3, 4]
const open = (target: string, options = {}): any =>
  target === 'uncompiled' ? make() : openBucketsSessions(join(root, target), options)
function manifestOf(target: string) {
  const folder = join(root, target)
  return JSON.parse(readFileSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.manifest.json'))!), 'utf8'))
}
const numbers = (outputs: any, name: string) => Array.from(outputs[name].data, Number)

for (const target of ['uncompiled', ...targets]) {
  const on = (name: string, body: (net: any) => Promise<unknown>, options = {}) =>
    test(`${target}: ${name}`, async () => {
      const net = open(target, options)
      try {
        await net.ready()
        await body(net)
      } finally {
        await net.close()
      }
    })

  on('a session carries states from run to run over all entries, and sessions know nothing of each other', async (net) => {
    const [one, two] = [net.session(), net.session()]
    const seen: number[][] = []
    for (let i = 1; i <= 3; i++) {
      const { sum, seen: steps } = await one.entries.count.run({ x })
      seen.push([...sum.data, ...steps.data])
      if (i === 2) await two.entries.count.run({ x: [10, 10, 10, 10] })
    }
    assert.equal(seen, [
      [2, 4, 6, 8, 8],
      [4, 8, 12, 16, 9],
      [6, 12, 18, 24, 10],
    ])
    assert.equal(numbers(await one.entries.look.run({ by: [10] }), 'total2'), [30, 60, 90, 120])
    assert.equal(numbers(await two.entries.look.run({ by: [1] }), 'total2'), [10, 10, 10, 10])
    assert.equal(numbers(await two.entries.look.run({ by: [1] }), 'now'), [8])
  })

  on('runs of a session are done in the order of their calls, and inputs are copied when they are made', async (net) => {
    const session = net.session()
    const data = new Float32Array(4)
    const answers = Array.from({ length: 20 }, (_, i) => {
      data.fill(i)
      return session.entries.count.run({ x: data })
    })
    const sums = (await Promise.all(answers)).map((outputs) => outputs.sum.data[0])
    assert.equal(
      sums,
      Array.from({ length: 20 }, (_, i) => i * (i + 1)),
    )
  })

  on('runSync carries the same state on the calling thread', async (net) => {
    const session = net.session()
    for (let i = 1; i <= 3; i++)
      assert.equal(
        numbers(session.entries.count.runSync({ x }), 'sum'),
        x.map((value) => 2 * i * value),
      )
    assert.equal(numbers(await session.entries.count.run({ x }), 'seen'), [11])
    session.reset()
    assert.equal(numbers(session.entries.count.runSync({ x }), 'seen'), [8])
  })

  on('reset stands behind the runs before it', async (net) => {
    const session = net.session()
    const first = session.entries.count.run({ x })
    const second = session.entries.count.run({ x })
    session.reset()
    const third = session.entries.count.run({ x })
    assert.equal(
      (await Promise.all([first, second, third])).map((outputs) => outputs.seen.data[0]),
      [8, 9, 8],
    )
  })

  on('entries with state run in sessions alone, others as ever', async (net) => {
    assert.match(await failure(() => net.entries.count.run({ x })), /^session-needed: .*session\(\)/)
    assert.match(await failure(() => net.entries.look.runSync({ by: [1] })), /^session-needed/)
    assert.equal(numbers(await net.entries.plain.run({ x }), 'y'), [3, 6, 9, 12])
    assert.equal(numbers(await net.session().entries.plain.run({ x }), 'y'), [3, 6, 9, 12])
    assert.match(await failure(() => net.session().run({ x })), /^entry-missing/)
  })

  on('what is refused leaves the state as it was', async (net) => {
    const session = net.session()
    await session.entries.count.run({ x })
    assert.match(await failure(() => session.entries.count.run({})), /^input-missing/)
    assert.match(await failure(() => session.entries.count.run({ x, z: x })), /^input-unknown/)
    assert.match(await failure(() => session.entries.count.run({ x: [1] })), /^input-length/)
    assert.match(await failure(() => session.entries.count.run({ x }, { into: { sum: new Float32Array(3) } })), /^output-length/)
    assert.match(
      await failure(() => session.entries.count.run({ x }, { into: { other: new Float32Array(4) } })),
      /^output-unknown/,
    )
    const gone = new AbortController()
    gone.abort(Error('enough'))
    assert.match(await failure(() => session.entries.count.run({ x }, { signal: gone.signal })), /^run-aborted/)
    assert.equal(numbers(await session.entries.count.run({ x }), 'seen'), [9])
  })

  on('a run that is aborted before its turn is not done', async (net) => {
    const session = net.session()
    const controller = new AbortController()
    const first = session.entries.count.run({ x })
    const second = session.entries.count.run({ x }, { signal: controller.signal })
    const third = session.entries.count.run({ x })
    controller.abort()
    assert.match(await failure(() => second), /^run-aborted/)
    assert.equal([numbers(await first, 'seen'), numbers(await third, 'seen')], [[8], [9]])
  })

  on('a closed session answers nothing more, and its model goes on', async (net) => {
    const [one, two] = [net.session(), net.session()]
    await one.entries.count.run({ x })
    const pending = failure(() => one.entries.count.run({ x }))
    one.close()
    one.close()
    assert.match(await pending, /^session-closed/)
    assert.match(await failure(() => one.entries.count.run({ x })), /^session-closed/)
    assert.match(await failure(() => one.entries.count.runSync({ x })), /^session-closed/)
    assert.match(await failure(() => one.reset()), /^session-closed/)
    assert.equal(numbers(await two.entries.count.run({ x }), 'seen'), [8])
    // A short one may have been done at once.
    const waiting = two.entries.count.run({ x }).catch((error: any) => assert.is(error.code, 'closed'))
    await net.close()
    assert.match(await failure(() => two.entries.count.run({ x })), /^closed/)
    await waiting
  })

  on('runSync waits for nobody', async (net) => {
    const session = net.session()
    const pending = session.entries.count.run({ x })
    assert.match(await failure(() => session.entries.count.runSync({ x })), /^session-busy/)
    await pending
  })

  on('a run that is aborted as it begins is done whole or not at all, wherever the state goes meanwhile', async (net) => {
    const session = net.session()
    let steps = 0
    for (let i = 0; i < 40; i++) {
      const controller = new AbortController()
      const gone = failure(() => session.entries.count.run({ x }, { signal: controller.signal }))
      controller.abort()
      assert.match(await gone, /^run-aborted/)
      const { sum, seen } = await session.entries.count.run({ x })
      const now = Number(seen.data[0]) - 7
      assert.ok(now === steps + 1 || now === steps + 2, `${now} after ${steps}`)
      assert.equal(
        Array.from(sum.data),
        x.map((value) => 2 * value * now),
      )
      steps = now
    }
  })

  on('results go to arrays of the caller', async (net) => {
    const session = net.session()
    const into = { sum: new Float32Array(4), seen: new Int32Array(1) }
    const outputs = session.entries.count.runSync({ x }, { into })
    assert.is(outputs.sum.data, into.sum)
    assert.equal([...into.sum, ...into.seen], [2, 4, 6, 8, 8])
    const again = await session.entries.count.run({ x }, { into: { sum: into.sum } })
    assert.is(again.sum.data, into.sum)
    assert.equal([...into.sum, ...again.seen.data], [4, 8, 12, 16, 9])
  })
}

for (const target of targets) {
  test(`${target}: after a fault a session goes on where nothing of its state was written, and is lost until reset otherwise`, async () => {
    const net = open(target)
    const session = net.session()
    const { entries, codes } = manifestOf(target)
    const keeps = codes[0].entries[entries.findIndex(({ name }: any) => name === 'pick')].keeps ?? 0
    for (const run of ['run', 'runSync']) {
      session.reset()
      await session.entries.count[run === 'run' && target !== 'native' ? 'run' : 'runSync']({ x })
      assert.match(await failure(() => session.entries.pick[run]({ x, i: [9] })), /^run-fault/)
      if (keeps > 0) assert.equal(numbers(await session.entries.look[run]({ by: [1] }), 'total2'), x)
      else {
        assert.match(await failure(() => session.entries.look[run]({ by: [1] })), /^session-lost: .*reset\(\)/)
        session.reset()
        assert.equal(numbers(await session.entries.look[run]({ by: [1] }), 'total2'), [0, 0, 0, 0])
      }
      session.reset()
    }
    await net.close()
  })

  test(`${target}: hundreds of sessions, whose memory is used again (AO-12)`, async () => {
    const net = open(target, { instances: 2 })
    for (let round = 0; round < 3; round++) {
      const sessions = Array.from({ length: 100 }, () => net.session())
      for (let step = 1; step <= 2; step++) {
        const answers = await Promise.all(sessions.map((session, i) => session.entries.count.run({ x: [i, 0, 0, 0] })))
        assert.equal(
          answers.map(({ sum }: any) => sum.data[0]),
          sessions.map((_, i) => 2 * i * step),
        )
      }
      for (const session of sessions) session.close()
    }
    await net.close()
  })
}

for (const target of targets)
  test(`${target}: a session over damaged weights says so at every run, and goes on where they are mended and it is reset`, async () => {
    const scaled = model({
      name: 'scaled',
      state: { total: state('f32', [4]) },
      inputs: { x: tensor('f32', [4]) },
      forward: ({ x }, { total }) => {
        const next = add(total, mul(x, constant('f32', [4], [2, 3, 5, 7])))
        return { sum: mul(next, 1), total: next }
      },
    })
    const { manifest, files } = await compile(traceModel(scaled), { target })
    const folder = join(root, `damaged-${target}`)
    await writeBundle({ files }, folder)
    const path = join(folder, manifest.weights.file)
    const whole = readFileSync(path)
    writeFileSync(path, new Uint8Array(whole.length).fill(1))
    const net = openBucketsSessions<any, any>(folder)
    const session = net.session()
    for (let i = 0; i < 3; i++) {
      const said = await failure(() => session.run({ x }))
      assert.match(said, /^bundle-digest: .*weights is damaged; copy it again/)
    }
    writeFileSync(path, whole)
    session.reset()
    assert.equal(numbers(await session.run({ x }), 'sum'), [2, 6, 15, 28])
    await net.close()
  })

test('wasm: a session whose state lies on a worker says so to runSync, until reset', async () => {
  const net = open('wasm')
  const session = net.session()
  const { count } = session.entries
  await count.run({ x })
  assert.match(await failure(() => count.runSync({ x })), /^session-elsewhere/)
  assert.equal(numbers(await count.run({ x }), 'sum'), [4, 8, 12, 16])
  session.reset()
  assert.equal(numbers(count.runSync({ x }), 'sum'), [2, 4, 6, 8])
  await net.close()
})

test('the loader for browsers keeps states, too, and fetches what they begin with', async () => {
  const { manifest, files } = await compile(traceModel(make()), { target: 'wasm' })
  const net = openInBrowser<any, any>({ manifest, files: Object.fromEntries(files) })
  await net.ready()
  const session = net.session()
  for (let i = 1; i <= 30; i++)
    assert.equal(numbers(await session.entries.count!.run({ x }), 'seen'), [7 + i], 'from worker to calling thread and on')
  session.reset()
  assert.equal(numbers(session.entries.count!.runSync({ x }), 'seen'), [8])
  assert.match(await failure(() => net.entries.count!.run({ x })), /^session-needed/)
  await net.close()
})

for (const target of targets)
  test(`${target}: a loader without sessions runs what has no state, and writes nowhere for what has`, async () => {
    const net = openPlain<any, any>(join(root, target))
    await net.ready()
    for (const run of ['run', 'runSync'] as const) {
      assert.match(
        await failure(() => net.entries.count![run]({ x })),
        /^session-needed: model 'counter' keeps state: use session\(\), see openSessions\(\)$/,
      )
      assert.equal(numbers(await net.entries.plain![run]({ x }), 'y'), [3, 6, 9, 12])
    }
    await net.close()
  })

for (const target of targets)
  test(`${target}: with \`into\` a step allocates nothing on the calling thread, and no tensor memory off it`, async () => {
    const folder = join(root, target)
    const count = target === 'interpreter' ? 100 : 30_000
    const script = `import inspector from 'node:inspector'
      const session = openSessions(${JSON.stringify(folder)}).session()
      const { count } = session.entries
      const inputs = { x: new Float32Array(4).fill(1) }, options = { into: { sum: new Float32Array(4), seen: new Int32Array(1) } }
      const steps = (count) => { for (let i = 0; i < count; i++) session.entries.count.runSync(inputs, options) }
      steps(${count})
      const profiler = new inspector.Session()
      profiler.connect()
      const ask = (method, options) => new Promise((done, failed) =>
        profiler.post('HeapProfiler.' + method, options, (error, answer) => (error ? failed(error) : done(answer))))
      await ask('startSampling', { samplingInterval: 64, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true })
      steps(${count})
      const bytesOf = ({ selfSize, children }) => children.reduce((sum, child) => sum + bytesOf(child), selfSize)
      const allocated = bytesOf((await ask('stopSampling')).profile.head)
      const other = openSessions(${JSON.stringify(folder)}).session()
      const away = async (count) => { for (let i = 0; i < count; i++) await other.entries.count.run(inputs, options) }
      await away(200); gc()
      const buffers = process.memoryUsage().arrayBuffers
      await away(2000); gc()
      print([allocated, process.memoryUsage().arrayBuffers - buffers, options.into.seen[0]])`
    // Without the optimising compiler too: what that leaves out is garbage of the first thousand steps.
    for (const flags of [['--expose-gc'], ['--expose-gc', '--no-opt']]) {
      const [allocated, buffers, seen] = await runScript(loaderFolder, script, flags)
      assert.is(seen, 7 + 2200)
      // The smallest object has 16 bytes: what is left is what the profiler itself takes. The interpreter makes arrays as it goes.
      assert.ok(target === 'interpreter' || allocated < 4 * count, `${allocated} bytes with ${flags.join(' ')}`)
      // Less than a byte for each run: a queue of the threads may have grown once.
      assert.ok(buffers < 2000, `${buffers} bytes of buffers`)
    }
  })

test.run()
