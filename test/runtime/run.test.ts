import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Model, open } from '../../targets/runtime/index.ts'
import { failure, mode, sampleBundle, sum, xs } from './sample.ts'

const expected = { y: { data: new Float32Array([11, 22, 33, 44]), shape: [2, 2] } }
const opened: Model[] = []
const sample = (...[options, parts]: [Parameters<typeof open>[1]?, Parameters<typeof sampleBundle>[0]?]) => {
  const model = open(sampleBundle(parts), options)
  opened.push(model)
  return model
}
test.after(async () => {
  for (const model of opened) await model.close()
})
const code = async (body: () => unknown) => (await failure(body)).split(':')[0]

for (const target of ['wasm', 'interpreter']) {
  test(`${target}: run, runSync, bind and into give x + c (AO-04)`, async () => {
    const model = sample({ target })
    await model.ready()
    assert.equal(await model.run(sum), expected)
    assert.equal(model.runSync(sum), expected)

    const into = new Float32Array(4)
    assert.is((await model.run(sum, { into: { y: into } })).y!.data, into)
    assert.equal(into, expected.y.data)
    const again = new Float32Array(4)
    model.runSync(sum, { into: { y: { data: again, shape: [2, 2] } } })
    assert.equal(again, expected.y.data)

    const bound = model.bind()
    bound.inputs.x!.set(xs as never)
    bound.run()
    assert.equal(bound.outputs.y, expected.y.data)
    bound.inputs.mode!.set([mode.fault] as never)
    assert.is(await failure(() => bound.run()), 'run-fault: the mode is one')
  })

  test(`${target}: faults and traps are errors with a code, and later runs work`, async () => {
    const model = sample({ target })
    await model.ready()
    assert.is(await failure(() => model.run({ ...sum, mode: [mode.fault] })), 'run-fault: the mode is one')
    assert.is(await code(() => model.run({ ...sum, mode: [mode.trap] })), 'run-crashed')
    assert.is(await code(() => model.runSync({ ...sum, mode: [mode.trap] })), 'run-crashed')
    assert.equal(await model.run(sum), expected)
    assert.equal(model.runSync(sum), expected)
  })
}

test('info is the dynamic table of the bundle (AO-03)', () => {
  const { info } = sample()
  assert.equal(info, {
    model: 'sample',
    target: 'wasm',
    level: 'any',
    fallback: undefined,
    instances: 1,
    threads: 1,
    regions: { constants: 16, mutable: 192, activations: 200_000, lowerBound: 100 },
    weightBytes: 16,
    inputs: [
      { name: 'x', dtype: 'f32', shape: [2, 2], offset: 0, bytes: 16 },
      { name: 'mode', dtype: 'i32', shape: [1], offset: 64, bytes: 4 },
    ],
    outputs: [{ name: 'y', dtype: 'f32', shape: [2, 2], offset: 128, bytes: 16 }],
    glowplug: '0.0.0',
    toolchain: { node: '20' },
  })
})

test('inputs are copied when run is called, outputs belong to the caller', async () => {
  const model = sample()
  const x = Float32Array.from(xs)
  const first = model.run({ x, mode: [0] })
  x.fill(99)
  assert.equal(await first, expected)
  const second = await model.run({ x, mode: [0] })
  assert.equal(await first, expected)
  assert.is(second.y!.data[0], 109)
})

test('runs of one instance are answered in order; several instances share the queue', async () => {
  for (const instances of [1, 3]) {
    const model = sample({ instances })
    const order: number[] = []
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        model.run({ x: [i, 0, 0, 0], mode: [100 + (i % 3) * 10_000] }).then(({ y }) => {
          order.push(i)
          return y!.data[0]
        }),
      ),
    )
    assert.equal(
      answers,
      Array.from({ length: 30 }, (_, i) => i + 10),
    )
    if (instances === 1)
      assert.equal(
        order,
        [...order].sort((a, b) => a - b),
      )
  }
})

test('the event loop goes on while a run is under way (RT-05)', async () => {
  const model = sample()
  await model.ready()
  let ticks = 0
  const timer = setInterval(() => ticks++, 2)
  const started = performance.now()
  await model.run({ x: xs, mode: [600_000_000] })
  const elapsed = performance.now() - started
  clearInterval(timer)
  assert.ok(elapsed > 40, `the run took ${elapsed} ms, too short to tell`)
  assert.ok(ticks > elapsed / 2 / 8, `${ticks} ticks in ${elapsed} ms`)
})

test('a crash rejects the run in flight, not those that wait; the worker comes back', async () => {
  const model = sample()
  const runs = [0, mode.trap, 0, mode.trap, 0].map((value) => code(() => model.run({ x: xs, mode: [value] })).catch(() => 'ok'))
  assert.equal(await Promise.all(runs), ['ok', 'run-crashed', 'ok', 'run-crashed', 'ok'])
})

test('a full queue refuses with a code; what waits is answered', async () => {
  const model = sample({ queue: 2 })
  await model.ready()
  const slow = [0, 1, 2].map(() => model.run({ x: xs, mode: [30_000_000] }))
  assert.is(await failure(() => model.run(sum)), "queue-full: model 'sample' has 2 requests waiting")
  assert.is((await Promise.all(slow)).length, 3)
  assert.equal(await model.run(sum), expected)
})

test('an AbortSignal takes waiting runs out of the queue', async () => {
  const model = sample()
  await model.ready()
  const controller = new AbortController()
  const slow = model.run({ x: xs, mode: [30_000_000] })
  const waiting = code(() => model.run(sum, { signal: controller.signal }))
  controller.abort()
  assert.is(await waiting, 'run-aborted')
  assert.is(await code(() => model.run(sum, { signal: controller.signal })), 'run-aborted')
  await slow
  assert.equal(await model.run(sum), expected)
  const running = new AbortController()
  const begun = model.run({ x: xs, mode: [30_000_000] }, { signal: running.signal })
  running.abort(new Error('enough'))
  const error: any = await begun.catch((reason) => reason)
  assert.is(error.code, 'run-aborted')
  assert.is(error.cause.message, 'enough')
  assert.equal(await model.run(sum), expected)
})

test('a signal that is none is refused before anything waits', async () => {
  const model = sample()
  for (const signal of [{}, 1, 'now']) assert.is(await code(() => model.run(sum, { signal: signal as never })), 'bad-option')
  assert.equal(await model.run(sum), expected)
})

test('after close everything fails with a code, and so does what had no answer (RT-30)', async () => {
  const model = sample()
  await model.ready()
  const bound = model.bind()
  const pending = [0, 1].map(() => code(() => model.run({ x: xs, mode: [300_000_000] })))
  await model.close()
  assert.equal(await Promise.all(pending), ['closed', 'closed'])
  for (const body of [
    () => model.run(sum),
    () => model.runSync(sum),
    () => model.ready(),
    () => model.bind(),
    () => bound.run(),
  ]) {
    assert.is(await code(body), 'closed')
  }
  await model.close()
  const early = sample()
  const ready = code(() => early.ready())
  const run = code(() => early.run(sum))
  await early.close()
  assert.is(await ready, 'closed')
  assert.is(await run, 'closed')
})

test('two models and several instances in one process do not meet (AO-12)', async () => {
  const models = [1, 2, 3].map((k) => sample({ instances: 2 }, { name: `m${k}`, c: [k, k, k, k] }))
  const answers = await Promise.all(models.flatMap((model) => [model.run(sum), model.run(sum), model.runSync(sum)]))
  assert.equal(
    answers.map(({ y }) => y!.data[0]),
    [2, 2, 2, 3, 3, 3, 4, 4, 4],
  )
  assert.equal(
    models.map(({ name }) => name),
    ['m1', 'm2', 'm3'],
  )
})

test('a target that was not built is refused by name (BE-05)', async () => {
  assert.is(
    await failure(() => sample({ target: 'native' }).run(sum)),
    "target-unavailable: model 'sample' cannot run: built for wasm,interpreter, not native",
  )
})

test('code that this process cannot compile falls back with a warning, unless the target was asked for', async () => {
  const warnings: Error[] = []
  process.on('warning', (warning) => warnings.push(warning))
  const damage = (bytes: Uint8Array) => bytes.map((byte, i) => (i === bytes.length - 3 ? 0xff : byte))
  const model = sample({}, { damage })
  await model.ready()
  assert.equal(await model.run(sum), expected)
  assert.equal(model.runSync(sum), expected)
  assert.is(model.info.target, 'interpreter')
  assert.match(model.info.fallback!, /^wasm any: WebAssembly/)
  await new Promise(setImmediate)
  assert.equal(
    warnings.map(({ code }: any) => code),
    ['GLOWPLUG_FALLBACK'],
  )
  assert.is(await code(() => sample({ target: 'wasm' }, { damage }).run(sum)), 'target-unavailable')
  assert.is(await code(() => sample({}, { damage, targets: ['wasm'] }).runSync(sum)), 'target-unavailable')
})

test('JavaScript code runs on the calling thread at once', () => {
  assert.equal(sample({ target: 'interpreter' }).runSync(sum), expected)
})

test('regions beyond what can be allocated are an error with a code', async () => {
  const bundle = structuredClone(sampleBundle())
  ;(bundle.manifest.codes[0]!.entries[0]!.regions as any).activations = 2 ** 32 - 1
  const model = open(bundle)
  // Weights, inputs and outputs, and activations.
  const said = `out-of-memory: an instance takes ${16 + 192 + 2 ** 32 - 1} bytes: have fewer or smaller`
  assert.is(await failure(() => model.run(sum)), said)
  assert.is(await failure(() => model.runSync(sum)), said)
  await model.close()
})

test('options are checked when the model is opened', async () => {
  for (const options of [
    { instances: 0 },
    { instances: Number.NaN },
    { queue: 0 },
    { queue: 'many' as never },
    { threads: 0 },
    { threads: 'all' as never },
  ]) {
    assert.is(await code(() => sample(options)), 'bad-option', JSON.stringify(options))
  }
})

test.run()
