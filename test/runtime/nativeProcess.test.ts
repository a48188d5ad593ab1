// The loader as it is shipped, with addons, in processes of its own.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runScript, shipLoader } from './child.ts'
import { compileNative, side, unavailable, write } from './nativeSample.ts'

if (unavailable) console.log(`skipped: processes with addons needs a C compiler: ${unavailable}`)
else {
  const { files } = await compileNative('sample', ['native'])
  const folder = write(files)
  shipLoader(folder)
  const prelude = `import { readFileSync } from 'node:fs'
    const sum = { x: [1, 2, 3, 4] }
    const rows = { x: new Float32Array(${side * side}) }
    const load = (options) => open('.', { target: 'native', ...options })
    const turn = () => new Promise((done) => setImmediate(done))
    const mapped = (pattern) => readFileSync('/proc/self/maps', 'latin1').split('\\n').filter((line) => pattern.test(line)).length
  `
  const run = (script: string, flags?: readonly string[]) => runScript(folder, prelude + script, flags)

  test('a process ends by itself when its models are idle, closed or not', async () => {
    const script =
      'const model = load({ instances: 2 }); await model.ready(); print([...(await model.entries.scale.run(sum)).y.data])'
    assert.equal(await run(script), [10, 40, 90, 160])
    assert.equal(await run('const bound = load().entries.scale.bind(); bound.run(); print(bound.outputs.y.length)'), 4)
    assert.is(await run('const model = load(); await model.ready(); await model.close(); print(1)'), 1)
  })

  test('a process stays while a run is under way that nothing else waits for', async () => {
    assert.is(await run('load().entries.slow.run(rows).then(({ y }) => print(y.data.length))'), side * side)
  })

  test('process.exit and the end of a worker in the middle of runs do no harm', async () => {
    assert.is(
      await run(
        'const model = load(); await model.ready(); void model.entries.slow.run(rows); await turn(); print(1); process.exit(0)',
      ),
      1,
    )
  })

  test('close gives back the weights and the activations, also in the middle of a run (RT-30)', async () => {
    const script = `const counts = []
      for (let n = 0; n < 30; n++) {
        const model = load({ instances: 2 })
        await model.ready()
        const bound = [model.entries.scale.bind(), model.entries.slow.bind()]
        model.entries.pick.runSync({ i: [0, 1] })
        const open = mapped(/\\.weights/)
        const running = model.entries.slow.run(rows).catch(({ code }) => code)
        await turn()
        await model.close()
        if (await running !== 'closed') throw new Error('it was answered')
        // The run ends on its own.
        for (let i = 0; i < 1e6 && mapped(/\\.weights/) > 0; i++) await turn()
        gc()
        counts.push([open > 0, mapped(/\\.weights/), mapped(/./)])
      }
      print(counts)`
    const counts: [boolean, number, number][] = await run(script, ['--expose-gc'])
    for (const [open, left] of counts) assert.equal([open, left], [true, 0])
    // The first rounds start threads and grow heaps, which may go on in a step or two. What was kept would be five instances a round.
    const [warm, last] = [counts[9]![2], counts[29]![2]]
    assert.ok(last - warm < 40, `${warm} mappings became ${last}`)
  })

  test('what nobody closed is given back when it is collected', async () => {
    const script = `for (let n = 0; n < 50; n++) load().entries.scale.bind().run()
      for (let i = 0; i < 50 && mapped(/\\.weights/) > 0; i++) { gc(); await turn() }
      print(mapped(/\\.weights/))`
    assert.is(await run(script, ['--expose-gc']), 0)
  })

  test('bind and into allocate no tensor memory (RT-10)', async () => {
    const script = `const model = load(); await model.ready(); const { scale } = model.entries
      const bound = scale.bind(); bound.inputs.x.set([1, 2, 3, 4])
      const settled = async () => { for (let i = 0; i < 5; i++) { gc(); await turn() }; return process.memoryUsage().arrayBuffers }
      const into = { y: new Float32Array(4) }, inputs = { x: new Float32Array(4) }
      const measure = async (count, body) => { for (let i = 0; i < 50; i++) await body(); const before = await settled()
        for (let i = 0; i < count; i++) await body(); return (await settled()) - before }
      print([await measure(5000, () => bound.run()), await measure(2000, () => scale.run(inputs, { into })), await measure(2000, () => scale.runSync(inputs, { into }))])`
    for (const grown of await run(script, ['--expose-gc'])) assert.ok(Math.abs(grown) <= 4 * 256, `${grown} bytes`)
  })

  test('8 worker threads load, run and close over and over, beside the main thread', async () => {
    writeFileSync(
      join(folder, 'worker.mjs'),
      `import { parentPort, workerData } from 'node:worker_threads'
      import { open } from './runtime.mjs'
      let right = 0
      for (let n = 0; n < workerData.rounds; n++) {
        const model = open('.', { target: 'native', instances: 1 + (n % 2) })
        const { scale, pick, slow } = model.entries
        const x = [n, 1, 2, 3]
        const [a, b] = await Promise.all([scale.run({ x }), pick.run({ i: [n % 3, 0] })])
        const c = scale.runSync({ x })
        right += a.y.data[0] === n * 10 && b.y.data[0] === 5 + (n % 3) && c.y.data[3] === 120
        void slow.run({ x: new Float32Array(${side * side}) }).catch(() => {})
        // One time in three the model is left to the end of the thread, which comes in the middle of a run.
        if (n % 3) await model.close()
      }
      parentPort.postMessage(right)
      if (workerData.abruptly) process.exit()`,
    )
    const script = `import { Worker } from 'node:worker_threads'
      const rounds = 6
      const one = (abruptly) => new Promise((resolve, reject) => {
        let right
        const worker = new Worker('./worker.mjs', { workerData: { rounds, abruptly }, execArgv: [] })
        worker.on('message', (count) => { right = count })
        worker.on('error', reject)
        worker.on('exit', () => resolve(right))
      })
      const model = load()
      const own = (async () => { for (let n = 0; n < 50; n++) if ((await model.entries.scale.run(sum)).y.data[3] !== 160) throw new Error('wrong') })()
      const counts = await Promise.all(Array.from({ length: 8 }, (_, i) => one(i % 2 === 1)))
      await own
      print([counts, [...model.entries.scale.runSync(sum).y.data]])`
    assert.equal(await run(script), [Array(8).fill(6), [10, 40, 90, 160]])
  })
}

test.run()
