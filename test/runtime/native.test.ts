// The loader on real addons: what their C does is tested in test/native, what the loader makes of it here.
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Model, open } from '../../targets/runtime/index.ts'
import { makeAddon } from '../native/handmade.ts'
import { compileNative, side, unavailable, write, writeChanged } from './nativeSample.ts'
import { failure } from './sample.ts'

const opened: Model[] = []
function use(...[source, options]: Parameters<typeof open>): Model {
  const model = open(source, options)
  opened.push(model)
  return model
}
test.after(async () => {
  for (const model of opened) await model.close()
})
const code = async (body: () => unknown) => (await failure(body)).split(':')[0]
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Warnings of the process while `body` runs, as `code: message`. */
async function warningsOf(body: () => unknown): Promise<string[]> {
  const seen: string[] = []
  const listen = (warning: Error & { code?: string }) => seen.push(`${warning.code}: ${warning.message}`)
  process.on('warning', listen)
  await body()
  await turn()
  process.off('warning', listen)
  return seen
}

if (unavailable) console.log(`skipped: the loader on addons needs a C compiler: ${unavailable}`)
else {
  const bundle = await compileNative('sample')
  const folder = write(bundle.files)
  const natives = bundle.manifest.codes.filter(({ target }) => target === 'native')
  const [first] = natives as [(typeof natives)[0]]
  const pathOf = (at: string, name: string) => join(at, name)
  const sum = { x: [1, 2, 3, 4] }
  const expected = { y: { data: new Float32Array([10, 40, 90, 160]), shape: [4] } }
  const rows = Float32Array.from({ length: side * side }, (_, i) => i % side)
  const turned = Float32Array.from(rows, (column) => (column + side - 16) % side)
  const run = (model: Model, options?: object) => model.entries.scale!.run(sum, options) as Promise<typeof expected>

  test('requests of several threads give the same bits, among others, aborted ones, and until the model is closed', async () => {
    assert.equal([use(folder).entries.slow!.info.threads, use(folder, { target: 'wasm', threads: 2 }).info.threads], [1, 1])
    const irregular = Float32Array.from(rows, (_, i) => Math.sin(i))
    const alone = use(folder).entries.slow!.runSync({ x: irregular }).y!.data
    for (const threads of [2, 3, Number.POSITIVE_INFINITY]) {
      const model = use(folder, { threads, instances: 2 })
      const slow = model.entries.slow!
      assert.is(slow.info.threads, threads)
      const controller = new AbortController()
      const aborted = failure(() => slow.run({ x: irregular }, { signal: controller.signal }))
      const runs = Array.from({ length: 6 }, () => slow.run({ x: irregular }))
      assert.equal(slow.runSync({ x: irregular }).y!.data, alone)
      controller.abort()
      assert.match(await aborted, /^run-aborted/)
      for (const { y } of await Promise.all(runs)) assert.equal(y!.data, alone)
      assert.equal(await run(model), expected)
      const late = failure(() => slow.run({ x: irregular }))
      await model.close()
      assert.match(await late, /^closed/)
    }
  })

  for (const target of ['native', 'wasm']) {
    test(`${target}: several entries over one instance: run, runSync, bind and into (AO-04)`, async () => {
      const model = use(folder, { target })
      await model.ready()
      const { scale, pick, slow } = model.entries as Record<string, Model>
      assert.equal([scale!.name, pick!.name, slow!.name], ['scale', 'pick', 'slow'])
      assert.equal(await scale!.run(sum), expected)
      assert.equal(scale!.runSync(sum), expected)
      assert.equal((await slow!.run({ x: rows })).y!.data, turned)
      assert.equal((await pick!.run({ i: [2, -3] })).y!.data, new Float32Array([7, 5]))
      assert.equal(pick!.runSync({ i: [1, 1] }).y!.data, new Float32Array([6, 6]))
      const message = await failure(() => pick!.run({ i: [3, 0] }))
      assert.match(message, /^run-fault: .*an index is outside f32\[3\]/)
      assert.is(await failure(() => pick!.runSync({ i: [3, 0] })), message)

      const into = { y: new Float32Array(4) }
      assert.is((await scale!.run(sum, { into })).y!.data, into.y)
      assert.equal(into.y, expected.y.data)

      const bound = [scale!.bind(), pick!.bind(), scale!.bind()] as const
      bound[0].inputs.x!.set(sum.x as never)
      bound[1].inputs.i!.set([0, 7] as never)
      bound[2].inputs.x!.set([0, 0, 0, 1] as never)
      assert.is(await failure(() => bound[1].run()), message)
      for (const binding of [bound[0], bound[2]]) binding.run()
      assert.equal([...bound[0].outputs.y!], [10, 40, 90, 160])
      assert.equal([...bound[2].outputs.y!], [0, 0, 0, 40])
      bound[1].inputs.i!.set([0, 2] as never)
      bound[1].run()
      assert.equal([...bound[1].outputs.y!], [5, 7])
    })

    test(`${target}: run, runSync and bind of a model with several entries name them`, async () => {
      const model = use(folder, { target })
      const message = "entry-missing: model 'sample' has several entries: call entries.scale or entries.pick or entries.slow"
      for (const body of [() => model.run(sum), () => model.runSync(sum), () => model.bind()])
        assert.is(await failure(body), message)
      const { info, entries } = model
      assert.equal(
        [info.model, info.target, info.regions, info.inputs, Object.keys(entries)],
        ['sample', target, undefined, undefined, ['scale', 'pick', 'slow']],
      )
      assert.equal(
        Object.values(entries).map(({ info }) => [info.target, info.inputs[0]!.name, info.outputs[0]!.shape]),
        [
          [target, 'x', [4]],
          [target, 'i', [2]],
          [target, 'x', [side, side]],
        ],
      )
    })

    test(`${target}: requests of all entries are answered in their order`, async () => {
      const model = use(folder, { target })
      const order: string[] = []
      const { scale, slow } = model.entries as Record<string, Model>
      await Promise.all([
        slow!.run({ x: rows }).then(() => order.push('slow')),
        scale!.run(sum).then(() => order.push('scale')),
        slow!.run({ x: rows }).then(() => order.push('slow')),
        scale!.run(sum).then(() => order.push('scale')),
      ])
      assert.equal(order, ['slow', 'scale', 'slow', 'scale'])
    })
  }

  test('info says target, level and toolchain; nothing fell back', async () => {
    const warnings = await warningsOf(async () => {
      const { info } = use(folder)
      assert.equal([info.target, info.fallback], ['native', undefined])
      assert.ok(natives.some(({ level }) => level === info.level))
      assert.equal(info.toolchain, bundle.manifest.toolchain)
      assert.ok(Object.keys(info.toolchain).some((name) => name.startsWith('native-')))
    })
    assert.equal(warnings, [])
  })

  test('code for another platform: one warning with all reasons, then wasm; an error where native was asked for (BE-05)', async () => {
    const other = writeChanged(bundle, ({ codes }) => {
      for (const code of codes) if (code.platform) code.platform.arch = 'riscv64'
    })
    const reasons = natives.map(({ level }) => `native ${level}: made for linux riscv64 glibc, not linux ${process.arch} glibc`)
    const model = use(other)
    const warnings = await warningsOf(async () => {
      assert.equal(await run(model), expected)
      assert.equal(model.entries.scale!.runSync(sum), expected)
      await model.ready()
    })
    assert.equal([model.info.target, model.info.fallback], ['wasm', reasons.join('; ')])
    assert.equal(warnings, [`GLOWPLUG_FALLBACK: model 'sample' runs on wasm: ${reasons.join('; ')}`])
    assert.is(
      await failure(() => run(use(other, { target: 'native' }))),
      `target-unavailable: model 'sample' cannot run: ${reasons.join('; ')}`,
    )
    const musl = writeChanged(bundle, ({ codes }) => {
      for (const code of codes) if (code.platform) code.platform.libc = 'musl'
    })
    assert.match(await failure(() => use(musl, { target: 'native' }).info), /made for linux \w+ musl, not linux \w+ glibc/)
  })

  test('the next level of the same target is taken in silence', async () => {
    const folder = writeChanged(bundle, ({ codes }) => {
      codes.unshift({ ...codes[0], level: 'none', platform: { ...codes[0].platform, libc: 'none' } })
    })
    const model = use(folder)
    const warnings = await warningsOf(async () => assert.equal(await run(model), expected))
    assert.equal(warnings, [])
    assert.equal(
      [model.info.target, model.info.level, model.info.fallback],
      ['native', use(write(bundle.files)).info.level, undefined],
    )
  })

  test('code whose instructions this processor lacks is passed over: the next level in silence, then wasm', async () => {
    const needy = readFileSync(await makeAddon('needy', 'avx1024 '))
    const demanding = (count: number) =>
      writeChanged(bundle, ({ codes }, files) => {
        const [taken] = codes as [any]
        files.set('needy.node', needy)
        codes.splice(0, count, {
          ...taken,
          file: 'needy.node',
          bytes: needy.length,
          digest: `sha256-${digest(needy)}`,
          level: 'v9',
        })
      })
    const next = use(demanding(0))
    const last = use(demanding(natives.length))
    const warnings = await warningsOf(async () => {
      for (const model of [next, last]) assert.equal(await run(model), expected)
    })
    assert.equal([next.info.target, next.info.fallback], ['native', undefined])
    assert.equal([last.info.target, last.info.fallback], ['wasm', 'native v9: this processor lacks avx1024'])
    assert.is(warnings.length, 1)
  })

  test('what the system cannot load is passed over, with its words', async () => {
    const text = Buffer.from('no addon')
    const folder = writeChanged(bundle, ({ codes }, files) => {
      for (const code of codes.filter((code: any) => code.platform)) {
        files.set(code.file, text)
        Object.assign(code, { bytes: text.length, digest: `sha256-${digest(text)}` })
      }
    })
    const model = use(folder)
    const warnings = await warningsOf(async () => assert.equal(await run(model), expected))
    assert.is(warnings.length, 1)
    assert.match(model.info.fallback!, /^native \S+: \/.*: file too short/)
  })

  test('a bundle in memory runs on wasm, and says why', async () => {
    const model = use(bundle)
    const warnings = await warningsOf(async () => assert.equal(await run(model), expected))
    assert.is(warnings.length, 1)
    assert.match(model.info.fallback!, new RegExp(`^native ${first.level}: code is no file`))
  })

  test('damaged and missing code is an error, not a reason for wasm (AO-11)', async () => {
    const damaged = write(bundle.files)
    const path = pathOf(damaged, first.file)
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(path, bytes)
    const model = use(damaged)
    for (const body of [() => run(model), () => model.entries.scale!.runSync(sum), () => model.ready(), () => model.info])
      assert.is(await failure(body), `bundle-digest: ${path} is damaged; copy it again`)
    truncateSync(path, 100)
    assert.is(await failure(() => run(model)), `bundle-truncated: ${path} has 100 bytes, not ${first.bytes}; copy it again`)
    rmSync(path)
    assert.is(await failure(() => run(model)), `bundle-missing-file: ${path} is missing; copy the folder`)
    // It is read again at the next use.
    writeFileSync(path, bundle.files.get(first.file)!)
    assert.equal(await run(model), expected)
    assert.is(model.info.target, 'native')
  })

  test('damaged weights are found before run and ready, and for runSync and bind where asked (AO-11)', async () => {
    const { file, bytes } = bundle.manifest.weights
    const truncated = write(bundle.files)
    truncateSync(pathOf(truncated, file), bytes - 4096)
    const short = use(truncated)
    const message = `bundle-truncated: ${pathOf(truncated, file)} has ${bytes - 4096} bytes, not ${bytes}; copy it again`
    for (const body of [
      () => run(short),
      () => short.ready(),
      () => short.entries.scale!.runSync(sum),
      () => short.entries.scale!.bind(),
    ])
      assert.is(await failure(body), message)
    rmSync(pathOf(truncated, file))
    assert.match(await failure(() => run(short)), /^bundle-missing-file: /)

    const { offset } = use(folder).info && natives.find(({ level }) => level === use(folder).info.level)!.weights
    const changed = new Uint8Array(bundle.files.get(file)!)
    changed[offset]! ^= 1
    const damaged = write(new Map([...bundle.files, [file, changed]]))
    const usual = use(damaged)
    assert.is(await code(() => usual.ready()), 'bundle-digest')
    assert.is(await code(() => run(usual)), 'bundle-digest')
    assert.ok(usual.entries.scale!.runSync(sum))
    const full = use(damaged, { verify: 'full' })
    assert.is(await code(() => full.entries.scale!.runSync(sum)), 'bundle-digest')
    assert.is(await code(() => full.entries.scale!.bind()), 'bundle-digest')
    assert.ok(await run(use(damaged, { verify: 'code' })))
    assert.equal(use(folder, { verify: 'full' }).entries.scale!.runSync(sum), expected)
  })

  test('the event loop goes on while a run is under way, and while weights are checked (RT-05)', async () => {
    const model = use(folder)
    let turns = 0
    let counting = true
    const count = () => {
      turns++
      if (counting) setImmediate(count)
    }
    setImmediate(count)
    const seen: number[] = []
    for (let i = 0; i < 3; i++) {
      const before = turns
      await model.entries.slow!.run({ x: rows })
      seen.push(turns - before)
    }
    counting = false
    for (const each of seen) assert.ok(each > 10, `${seen} turns`)
  })

  test("several instances run at once, and no request gets what is another's", async () => {
    const model = use(folder, { instances: 3 })
    await model.ready()
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => model.entries.scale!.run({ x: [i, 0, 0, 0] }).then(({ y }) => y!.data[0])),
    )
    assert.equal(
      answers,
      Array.from({ length: 40 }, (_, i) => i * 10),
    )
  })

  test('full queues, signals and close are as on workers (RT-30)', async () => {
    const model = use(folder, { queue: 1 })
    await model.ready()
    const { slow } = model.entries as Record<string, Model>
    const running = slow!.run({ x: rows })
    const controller = new AbortController()
    const waiting = code(() => model.entries.scale!.run(sum, { signal: controller.signal }))
    assert.is(await failure(() => run(model)), "queue-full: model 'sample' has 1 requests waiting")
    controller.abort(new Error('enough'))
    assert.is(await waiting, 'run-aborted')
    assert.equal((await running).y!.data, turned)
    assert.equal(await run(model), expected)

    const begun = new AbortController()
    const aborted = code(() => slow!.run({ x: rows }, { signal: begun.signal }))
    begun.abort()
    assert.is(await aborted, 'run-aborted')
    // The run that nobody waits for still has its region: this one gets another.
    assert.equal(await run(model), expected)

    const binding = slow!.bind()
    const pending = [code(() => slow!.run({ x: rows })), code(() => run(model))]
    await model.close()
    assert.equal(await Promise.all(pending), ['closed', 'closed'])
    for (const body of [
      () => run(model),
      () => slow!.runSync({ x: rows }),
      () => model.ready(),
      () => slow!.bind(),
      () => binding.run(),
    ])
      assert.is(await code(body), 'closed')
    assert.is(binding.inputs.x!.length, side * side)
    await model.close()

    const early = use(folder)
    const ready = code(() => early.ready())
    await early.close()
    assert.is(await ready, 'closed')
  })

  test('an output array that was given away meanwhile is an error', async () => {
    const y = new Float32Array(4)
    const answer = code(() => run(use(folder), { into: { y } }))
    structuredClone(y, { transfer: [y.buffer] })
    assert.is(await answer, 'output-length')
  })

  test('two models with addons of their own in one process (AO-12)', async () => {
    const other = use(write((await compileNative('other', ['native'])).files))
    const model = use(folder)
    const answers = await Promise.all([run(other), run(model), run(other), run(model)])
    assert.equal(answers, [expected, expected, expected, expected])
    assert.equal([other.name, model.name, other.info.target], ['other', 'sample', 'native'])
  })
}

test.run()
