import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, cast, constant, dequantize, embedding, model, mul, quantize, softmax, tensor } from '../../dsl/index.ts'

const warnings: { code?: string }[] = []
process.on('warning', (warning) => warnings.push(warning as { code?: string }))

const scaled = model({
  name: 'scaled',
  inputs: { x: tensor('f32', [2, 2]), ids: tensor('i64', [2]), half: tensor('f16', [1]), flag: tensor('bool', [2]) },
  forward: ({ x, ids, half, flag }) => ({
    y: add(mul(x, 2), cast(half, 'f32')),
    ids: add(ids, 1),
    flags: cast(flag, 'i32'),
    softmax: softmax(x),
  }),
})
/** 1.5 as a half float */
const half = Uint16Array.of(0x3e00)
const inputs = { x: Float32Array.of(1, 2, 3, 4), ids: BigInt64Array.of(1n, 2n ** 53n), half, flag: Uint8Array.of(1, 0) }

const codeOf = async (body: () => unknown): Promise<unknown> => {
  try {
    await body()
  } catch (error) {
    assert.is((error as Error).name, 'GlowplugError', String((error as Error).stack))
    return (error as { code?: string }).code
  }
  return 'no error'
}

test('runSync, bind and info need ready() first, and say so', async () => {
  assert.is(scaled.name, 'scaled')
  assert.is(await codeOf(() => scaled.runSync(inputs)), 'not-ready')
  assert.is(await codeOf(() => scaled.bind()), 'not-ready')
  assert.is(await codeOf(() => scaled.info), 'not-ready')
})

test('run gives arrays of the declared types with shapes', async () => {
  const out = await scaled.run(inputs)
  assert.equal(out.y, { data: Float32Array.of(3.5, 5.5, 7.5, 9.5), shape: [2, 2] })
  assert.equal(out.ids, { data: BigInt64Array.of(2n, 2n ** 53n + 1n), shape: [2] })
  assert.equal(out.flags.data, Int32Array.of(1, 0))
  assert.ok(Math.abs(out.softmax.data[0]! - 1 / (1 + Math.E)) < 1e-6)
})

test('inputs are copied when run is called', async () => {
  const x = Float32Array.of(1, 1, 1, 1)
  const running = scaled.run({ ...inputs, x })
  x.fill(9)
  assert.equal((await running).y.data, Float32Array.of(3.5, 3.5, 3.5, 3.5))
})

test('plain numbers, Int32Array for 64 bits, and { data, shape } are taken', async () => {
  const out = await scaled.run({ x: [1, 2, 3, 4], ids: Int32Array.of(1, -2), half, flag: [true, false] })
  assert.equal(out.ids.data, BigInt64Array.of(2n, -1n))
  assert.equal(
    (await scaled.run({ ...inputs, ids: [1, 2], x: { data: [0, 0, 0, 0], shape: [2, 2] } })).y.data,
    Float32Array.of(1.5, 1.5, 1.5, 1.5),
  )
})

test('wrong inputs are refused with the codes of the loader', async () => {
  const { x, ...others } = inputs
  const run = (changed: object) => codeOf(() => scaled.run(changed as never))
  assert.is(await run(others), 'input-missing')
  assert.is(await run(undefined as never), 'input-missing')
  assert.is(await run({ ...inputs, z: x }), 'input-unknown')
  assert.is(await run({ ...inputs, x: new Float64Array(4) }), 'input-type')
  assert.is(await run({ ...inputs, x: new Float32Array(5) }), 'input-length')
  assert.is(await run({ ...inputs, x: { data: x, shape: [4] } }), 'input-length')
  assert.is(await run({ ...inputs, half: [1.5] }), 'input-type')
  assert.is(await run({ ...inputs, ids: [0.5, 1] }), 'input-value')
})

test('runSync, bind, into and info agree with run', async () => {
  await scaled.ready()
  const expected = await scaled.run(inputs)
  assert.equal(scaled.runSync(inputs), expected)
  const y = new Float32Array(4)
  const into = scaled.runSync(inputs, { into: { y } })
  assert.is(into.y.data, y)
  assert.equal(y, expected.y.data)
  assert.is(await codeOf(() => scaled.runSync(inputs, { into: { z: y } as never })), 'output-unknown')
  const bound = scaled.bind()
  bound.inputs.x.set(inputs.x)
  bound.inputs.half.set(half)
  bound.run()
  assert.equal(bound.outputs.y, expected.y.data)
  const { target, fallback, inputs: described, outputs } = scaled.info
  assert.is(target, 'interpreter')
  assert.match(fallback!, 'without the glowplug plugin')
  assert.equal(
    described.map(({ name, dtype, shape, bytes }) => [name, dtype, [...shape], bytes]),
    [
      ['x', 'f32', [2, 2], 16],
      ['ids', 'i64', [2], 16],
      ['half', 'f16', [1], 2],
      ['flag', 'bool', [2], 2],
    ],
  )
  assert.equal(
    outputs.map(({ name }) => name),
    ['y', 'ids', 'flags', 'softmax'],
  )
})

test('an index outside a table is a fault of the request', async () => {
  const lookup = model({
    name: 'lookup',
    inputs: { ids: tensor('i32', [2]) },
    forward: ({ ids }) => ({ rows: embedding(ids, constant('f32', [3, 1], [10, 20, 30])) }),
  })
  assert.equal((await lookup.run({ ids: [0, -1] })).rows, { data: Float32Array.of(10, 30), shape: [2, 1] })
  assert.is(await codeOf(() => lookup.run({ ids: [0, 3] })), 'run-fault')
})

test('abort and close', async () => {
  const other = model({ name: 'other', inputs: { x: tensor('f32', [1]) }, forward: ({ x }) => ({ y: mul(x, x) }) })
  assert.is(await codeOf(() => other.run({ x: [2] }, { signal: AbortSignal.abort() })), 'run-aborted')
  assert.equal((await other.run({ x: [2] })).y.data, Float32Array.of(4))
  await other.close()
  assert.is(await codeOf(() => other.run({ x: [2] })), 'closed')
})

test('callers of a quantised model pass the integers, and are told what they stand for', async () => {
  const whole = model({
    name: 'whole',
    inputs: { x: tensor('u8', [2], { scale: 0.5, zeroPoint: 3 }) },
    forward: ({ x }) => ({ y: mul(dequantize(x), 2), z: quantize(dequantize(x), { dtype: 'i8', scale: 0.25 }) }),
  })
  const { y, z } = await whole.run({ x: [3, 5] })
  assert.equal([y.data, z.data], [new Float32Array([0, 2]), new Int8Array([0, 4])])
  const { inputs, outputs } = whole.info
  assert.equal(
    [...inputs, ...outputs].map(({ quantization }) => quantization),
    [{ scale: [0.5], zeroPoint: [3] }, undefined, { scale: [0.25], zeroPoint: [0] }],
  )
})

test('a model that does not build rejects, with the mistake', async () => {
  const broken = model({
    name: 'broken',
    inputs: { x: tensor('f32', [2]) },
    forward: ({ x }) => ({ y: add(x, tensor('f32', [3]) as never) }),
  })
  try {
    await broken.ready()
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /add: right is the description of an input/)
  }
})

test('a model with one forward has the entry main', async () => {
  const { main } = scaled.entries
  assert.equal(Object.keys(scaled.entries), ['main'])
  assert.is(main.name, 'main')
  assert.equal(await main.run(inputs), await scaled.run(inputs))
  assert.equal(main.info, scaled.info)
})

const counter = model({
  name: 'counter',
  entries: {
    start: { inputs: { from: tensor('i32', [1]) }, forward: ({ from }) => ({ state: mul(from, 10) }) },
    step: {
      inputs: { state: tensor('i32', [1]), by: tensor('f32', [2]) },
      forward: ({ state, by }) => ({ next: add(state, 1), twice: mul(by, constant('f32', [2], [2, 2])) }),
    },
  },
})

test('entries run, bind and describe themselves; state goes round', async () => {
  assert.is(counter.name, 'counter')
  assert.equal(Object.keys(counter.entries), ['start', 'step'])
  assert.is('run' in counter, false)
  assert.is(await codeOf(() => counter.info), 'not-ready')
  assert.is(await codeOf(() => counter.entries.step.runSync({ state: [1], by: [1, 2] })), 'not-ready')
  const { start, step } = counter.entries
  let { state } = await start.run({ from: [4] })
  for (let turn = 0; turn < 3; turn++) state = (await step.run({ state, by: [1, 2] }, { into: { next: state } })).next
  assert.equal(state.data, Int32Array.of(43))
  assert.equal(step.runSync({ state: [7], by: [1, 2] }).twice, { data: Float32Array.of(2, 4), shape: [2] })
  const bound = step.bind()
  bound.inputs.state[0] = 5
  bound.run()
  assert.equal(bound.outputs.next, Int32Array.of(6))
  assert.equal(
    [start, step].map(({ name, info }) => [name, info.model, info.inputs.map((input) => input.name), info.regions.mutable]),
    [
      ['start', 'counter', ['from'], 8],
      ['step', 'counter', ['state', 'by'], 24],
    ],
  )
  const { info } = counter
  assert.equal(
    [info.target, info.model, info.weightBytes, 'inputs' in info, 'regions' in info],
    ['interpreter', 'counter', 16, false, false],
  )
})

test('wrong inputs of an entry are refused; closing ends all entries', async () => {
  assert.is(await codeOf(() => counter.entries.step.run({ from: [1] } as never)), 'input-unknown')
  assert.is(await codeOf(() => counter.entries.start.run({} as never)), 'input-missing')
  await counter.close()
  assert.is(await codeOf(() => counter.entries.start.run({ from: [1] })), 'closed')
  assert.is(await codeOf(() => counter.entries.step.run({ state: [1], by: [1, 2] })), 'closed')
})

test('one process warning with a code', async () => {
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(
    warnings.map(({ code }) => code),
    ['GLOWPLUG_INTERPRETED'],
  )
})

test.run()
