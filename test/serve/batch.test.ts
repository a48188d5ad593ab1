import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  add,
  constant,
  type Dim,
  dim,
  gather,
  matmul,
  model,
  relu,
  reshape,
  sum,
  type Tensor,
  tensor,
  validMask,
  where,
} from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { openBuckets } from '../../targets/runtime/index.ts'
import type { BucketedTensor, TensorSignature } from '../../targets/runtime/manifest.ts'
import { cover } from '../../targets/runtime/serve/batch/cover.ts'
import { decide, type Rules, type Waiting } from '../../targets/runtime/serve/batch/form.ts'
import { createRowEntry } from '../../targets/runtime/serve/batch/rows.ts'
import { type ServeEvent, type ServeOptions, serve } from '../../targets/runtime/serve/index.ts'
import { draw } from '../support/draw.ts'
import { childrenOf, codeOf, compileFor, folderOf, kinds, modes, unrulyBundle, unrulyInputs } from './support.ts'

// ------------------------------------------------------------------------------------------------ forming runs, without any cards

const ascending = fc
  .uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
  .map((sizes) => sizes.sort((a, b) => a - b))

/** The least time of all ways to take rows together, by trying them all. */
function leastTime(rows: number, sizes: readonly number[], seconds: (size: number) => number): number {
  return rows <= 0 ? 0 : Math.min(...sizes.map((size) => seconds(size) + leastTime(rows - size, sizes, seconds)))
}

test('FB-14 sizes of runs: all rows, in the least time, none of the runs to no purpose', () => {
  fc.assert(
    fc.property(
      ascending,
      fc.integer({ min: 1, max: 14 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (sizes, rows, stream) => {
        const times = new Map(sizes.map((size) => [size, stream.next().value as number]))
        const seconds = (size: number) => times.get(size)!
        const chosen = cover(rows, sizes, seconds)
        const total = chosen.reduce((sum, size) => sum + size, 0)
        assert.ok(total >= rows)
        assert.ok(total - chosen.at(-1)! < rows)
        assert.equal(
          chosen,
          [...chosen].sort((a, b) => b - a),
        )
        const spent = chosen.reduce((sum, size) => sum + seconds(size), 0)
        if (rows < 2 * sizes.at(-1)!) assert.is(spent, leastTime(rows, sizes, seconds))
      },
    ),
    draw(7, 300),
  )
})

test('FB-14 five rows for sizes 1, 4 and 16: in two runs where the large one would take longer, else in one', () => {
  assert.equal(
    cover(5, [1, 4, 16], (size) => size),
    [4, 1],
  )
  assert.equal(
    cover(5, [1, 4, 16], (size) => 20 + size),
    [16],
  )
  assert.equal(
    cover(40, [1, 4, 16], (size) => size),
    [16, 16, 4, 4],
  )
})

test('FB-14 a million rows are cut at once', () => {
  const chosen = cover(1_000_001, [1, 8], (size) => size)
  assert.is(chosen.length, 125_001)
  assert.is(chosen.at(-1), 1)
})

const waitingItem = (sizes: readonly number[]) =>
  fc.record({
    rows: fc.integer({ min: 1, max: sizes.at(-1)! }),
    priority: fc.integer({ min: -1, max: 1 }),
    key: fc.constantFrom('a', 'b'),
    arrived: fc.integer({ min: 0, max: 20 }),
    slack: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 40 })),
  })

interface Scene {
  readonly waiting: readonly Waiting[]
  readonly rules: Rules<Waiting>
}

const scene: fc.Arbitrary<Scene> = ascending.chain((sizes) =>
  fc
    .record({
      items: fc.array(waitingItem(sizes), { minLength: 1, maxLength: 8 }),
      most: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 12 })),
      delay: fc.integer({ min: 0, max: 10 }),
      fixed: fc.integer({ min: 0, max: 5 }),
    })
    .map(({ items, most, delay, fixed }) => ({
      waiting: items.map(({ slack, ...item }, id) => ({ ...item, id, due: item.arrived + slack })),
      rules: { sizes, most, delay, milliseconds: (_: Waiting, size: number) => fixed + size },
    })),
)
const before = (a: Waiting, b: Waiting) => a.priority - b.priority || a.id - b.id

/** Runs what waits until nothing does, as fast as decided, and tells each run with its start. */
function playOut({ waiting, rules }: Scene) {
  const runs: { now: number; members: readonly Waiting[]; rows: number; size: number; left: readonly Waiting[] }[] = []
  let left = [...waiting]
  for (let now = 20; left.length > 0; ) {
    const decision = decide(left, rules, now)!
    if ('wake' in decision) {
      assert.ok(decision.wake > now, 'it looks again later than now')
      now = decision.wake
    } else {
      const { members, rows, size } = decision
      runs.push({ now, members, rows, size, left })
      left = left.filter((item) => !members.includes(item))
    }
  }
  return runs
}

test('FB-13 FB-14 runs: every request once, equal keys, as many rows as the run has, in the smallest size, the first of its key in it', () => {
  fc.assert(
    fc.property(scene, (scene) => {
      const { sizes, most } = scene.rules
      const runs = playOut(scene)
      assert.equal(
        runs.flatMap(({ members }) => members.map(({ id }) => id)).sort((a, b) => a - b),
        scene.waiting.map(({ id }) => id),
      )
      for (const { members, rows, size, left } of runs) {
        const [first] = [...members].sort(before)
        assert.ok(members.every(({ key }) => key === first!.key))
        assert.is(
          rows,
          members.reduce((sum, item) => sum + item.rows, 0),
        )
        assert.is(
          size,
          sizes.find((each) => each >= rows),
        )
        assert.ok(members.length === 1 || rows <= most)
        assert.is(first, left.filter(({ key }) => key === first!.key).sort(before)[0])
      }
    }),
    draw(11, 500),
  )
})

test('FB-13 nobody waits longer than the delay', () => {
  fc.assert(
    fc.property(scene, (scene) => {
      for (const { now, members } of playOut(scene))
        for (const { arrived } of members) assert.ok(now <= Math.max(20, arrived + scene.rules.delay))
    }),
    draw(12, 300),
  )
})

test('FB-19 no run is formed that makes one late that would have been in time alone', () => {
  fc.assert(
    fc.property(scene, (scene) => {
      const { sizes, milliseconds } = scene.rules
      for (const { now, members, size } of playOut(scene)) {
        if (members.length === 1) continue
        for (const item of members) {
          const alone = now + milliseconds(item, sizes.find((each) => each >= item.rows)!)
          if (alone <= item.due) assert.ok(now + milliseconds(item, size) <= item.due)
        }
      }
    }),
    draw(13, 500),
  )
})

test('FB-19 a run does not wait so long that it would be late', () => {
  const rules = { sizes: [4], most: 4, delay: 100, milliseconds: () => 30 }
  const item = { id: 0, rows: 1, priority: 0, key: '', arrived: 0, due: 50 }
  assert.equal(decide([item], rules, 0), { wake: 20 })
  assert.equal(decide([item], rules, 20), { members: [item], rows: 1, size: 4 })
  assert.equal(decide([{ ...item, due: Infinity }], rules, 20), { wake: 100 })
  // Late in any case: at once, together with whoever is there.
  const [late, other] = [
    { ...item, due: 10 },
    { ...item, id: 1, due: Infinity },
  ]
  assert.equal(decide([late, other], rules, 0), { members: [late, other], rows: 2, size: 4 })
})

// ------------------------------------------------------------------------------------------------ on cards

const served: { close(): Promise<void> }[] = []
test.after(async () => {
  await Promise.all(served.map((server) => server.close()))
})

function serving(folder: string, options: ServeOptions) {
  const server = serve<any, any>(folder, { cards: 2, ...options })
  served.push(server)
  const events: ServeEvent[] = []
  server.watch((event) => events.push(event))
  /** The runs that requests shared, as the executor saw them. */
  const runs = () => events.flatMap((event) => (event.kind === 'request' && event.batch ? [event.batch] : []))
  const answers = () => events.filter((event) => event.kind === 'answered' && !event.batch)
  return { server, events, runs, answers }
}

/** Small whole numbers: their sums and products are exact, in whatever order the code of a size takes them. */
const numbers = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => ((i * 7919 + seed * 104729) % 7) - 3)
const parameter = (seed: number, ...shape: number[]) =>
  constant('f32', shape as [number], [
    ...numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  ]) as Tensor<'f32'>

const width = 24
/** Rows of numbers, each with a row of a table of 5; `user` is one for all of them. An index of 5 or more is a fault. */
const rowsModel = traceModel(
  model({
    name: 'rows',
    inputs: {
      x: tensor('f32', [dim('batch', [1, 4, 8]), width]),
      pick: tensor('i32', [dim('batch', [1, 4, 8])]),
      user: tensor('f32', [width]),
    },
    forward({ x, pick, user }) {
      const looked = gather(parameter(1, 5, width), pick, { axis: 0 }) as Tensor<'f32'>
      const hidden = relu(matmul(add(add(x, looked), user), parameter(2, width, 32)))
      return { y: matmul(hidden, parameter(3, 32, 3)), hidden }
    },
  }),
)
const user = numbers(width, 99)
const rowsInputs = (rows: number, seed: number, pick = (row: number) => (row + seed) % 5) => ({
  x: { data: numbers(rows * width, seed), shape: [rows, width] },
  pick: Int32Array.from({ length: rows }, (_, row) => pick(row)),
  user,
})

for (const kind of kinds) {
  const alone = async () => openBuckets<any, any>(folderOf(await compileFor(rowsModel, kind)))

  test(`FB-13 FB-14 requests of 1 to 19 rows share runs, bit for bit as each alone: ${kind}`, async () => {
    const net = await alone()
    const { server, runs, answers } = serving(folderOf(await compileFor(rowsModel, kind)), { batching: { delay: 1 } })
    const counts = [1, 3, 1, 8, 19, 1, 2, 5, 1, 1, 9, 4, 16, 1, 1]
    const results = await Promise.all(counts.map((rows, i) => server.run(rowsInputs(rows, i))))
    for (const [i, result] of results.entries()) {
      const rows = counts[i]!
      assert.equal([...result.y.shape], [rows, 3])
      assert.equal([...result.hidden.shape], [rows, 32])
      const { x, pick } = rowsInputs(rows, i)
      for (let row = 0; row < rows; row++) {
        const own = {
          x: { data: x.data.slice(row * width, (row + 1) * width), shape: [1, width] },
          pick: pick.slice(row, row + 1),
          user,
        }
        const expected = net.runSync(own)
        assert.equal(result.y.data.slice(row * 3, row * 3 + 3), expected.y.data, `request ${i} row ${row}`)
        assert.equal(result.hidden.data.slice(row * 32, row * 32 + 32), expected.hidden.data)
      }
    }
    await net.close()
    const rows = counts.reduce((a, b) => a + b, 0)
    assert.is(
      runs().reduce((sum, batch) => sum + batch.rows, 0),
      rows,
    )
    assert.ok(runs().every((batch) => batch.rows <= batch.size && [1, 4, 8].includes(batch.size)))
    assert.ok(runs().some((batch) => batch.requests.length > 1))
    assert.ok(runs().length < counts.length)
    assert.is(answers().length, counts.length)
  })

  test(`FB-14 a row of a run gives the same bits wherever it stands: ${kind}`, async () => {
    const net = await alone()
    const row = Float32Array.from({ length: width }, (_, i) => Math.sin(i * 12.9898) * 43758.5453)
    for (const rows of [4, 8]) {
      const x = { data: Float32Array.from({ length: rows * width }, (_, i) => row[i % width]!), shape: [rows, width] }
      const { y, hidden } = net.runSync({ x, pick: new Int32Array(rows).fill(2), user })
      for (let at = 1; at < rows; at++) {
        assert.equal(y.data.slice(at * 3, at * 3 + 3), y.data.slice(0, 3), `row ${at} of ${rows}`)
        assert.equal(hidden.data.slice(at * 32, at * 32 + 32), hidden.data.slice(0, 32))
      }
    }
    await net.close()
  })

  test(`FB-13 one bad row fails its own request alone: ${kind}`, async () => {
    const { server, runs } = serving(folderOf(await compileFor(rowsModel, kind)), { cards: 1, batching: { delay: 5 } })
    await server.ready()
    const calls = [0, 1, 2, 3, 4, 5].map((i) => server.run(rowsInputs(1, i, i === 3 ? () => 7 : undefined)))
    const outcomes = await Promise.allSettled(calls)
    assert.equal(
      outcomes.map((each) => (each.status === 'rejected' ? each.reason.code : 'answered')),
      ['answered', 'answered', 'answered', 'run-fault', 'answered', 'answered'],
    )
    for (const [i, outcome] of outcomes.entries())
      if (outcome.status === 'fulfilled') assert.equal(outcome.value.y.data, (await server.run(rowsInputs(1, i))).y.data)
    assert.ok(runs()[0]!.requests.length > 1)
  })

  test(`FB-13 aborted, late and ordinary requests of one run have each its own fate: ${kind}`, async () => {
    const bundle = await unrulyBundle({ c: [10, 20, 10, 20], kinds: [kind], name: 'pairs' })
    const { server, runs } = serving(folderOf(bundle), { cards: 1, active: 1, batching: { rows: 2, delay: 20 } })
    const main = server.entries.main!
    const row = (mode: number, a: number) => ({ x: { data: new Float32Array([a, a]), shape: [1, 2] }, mode: [mode] })
    await server.ready()
    const slow = kind === 'native' ? 150 : 3e8
    const blocker = main.run(unrulyInputs(slow))
    const stop = new AbortController()
    const aborted = codeOf(() => main.run(row(0, 1), { signal: stop.signal }))
    const late = codeOf(() => main.run(row(0, 2), { deadline: 5 }))
    const [first, second] = [main.run(row(0, 3)), main.run(row(0, 4))]
    stop.abort()
    assert.is(await aborted, 'run-aborted')
    assert.is(await late, 'deadline-exceeded')
    await blocker
    assert.equal((await first).y!, { data: new Float32Array([13, 23]), shape: [1, 2] })
    assert.equal((await second).y!.data, new Float32Array([14, 24]))
    // Those of another mode do not share its run, since they do not share its input.
    assert.equal(
      runs().map(({ rows, requests }) => [rows, requests.length]),
      [
        [2, 1],
        [2, 2],
      ],
    )
  })

  test(`FB-19 a budget that leaves no time has nobody wait for others: ${kind}`, async () => {
    const bundle = await unrulyBundle({ c: [10, 20, 10, 20], kinds: [kind], name: 'pairs' })
    const batching = { rows: 2, delay: 2 ** 30, budget: 1e-7 }
    const { server, runs } = serving(folderOf(bundle), { cards: 1, batching })
    const row = { x: { data: new Float32Array([1, 1]), shape: [1, 2] }, mode: [0] }
    assert.equal((await server.entries.main!.run(row)).y!.data, new Float32Array([11, 21]))
    assert.equal(
      runs().map(({ rows, size }) => [rows, size]),
      [[1, 2]],
    )
  })

  test(`RT-11 what all requests of a run gave up ends unseen, and others go on: ${kind}`, async () => {
    const bundle = await unrulyBundle({ c: [10, 20, 10, 20], kinds: [kind], name: 'pairs' })
    const { server } = serving(folderOf(bundle), { cards: 1, batching: { rows: 2 } })
    const main = server.entries.main!
    await server.ready()
    const stop = new AbortController()
    const call = codeOf(() => main.run(unrulyInputs(kind === 'native' ? 150 : 3e8), { signal: stop.signal }))
    setTimeout(() => stop.abort(), 10)
    assert.is(await call, 'run-aborted')
    assert.equal(((await main.run(unrulyInputs(0, [1, 2, 3, 4]))) as any).y.data, new Float32Array([11, 22, 13, 24]))
  })

  test(`RT-03 RT-30 more rows than may wait are refused, drain answers what waits, close fails it: ${kind}`, async () => {
    const bundle = await unrulyBundle({ c: [10, 20, 10, 20], kinds: [kind], name: 'pairs' })
    const start = () => serving(folderOf(bundle), { cards: 1, queue: 2, batching: { rows: 2, delay: 60_000 } })
    const row = (a: number) => ({ x: { data: new Float32Array([a, a]), shape: [1, 2] }, mode: [0] })
    const { server, events } = start()
    const main = server.entries.main!
    await server.ready()
    // One row of two waits for the other, for a minute.
    const waiting = main.run(row(1))
    const other = main.run({ ...row(2), mode: [5] })
    assert.is(await codeOf(() => main.run({ ...row(2), mode: [6] })), 'request-refused')
    assert.ok(events.some((event) => event.kind === 'refused'))
    await server.drain()
    assert.equal((await waiting).y!.data, new Float32Array([11, 21]))
    await other
    assert.is(await codeOf(() => main.run(row(1))), 'draining')
    const { server: second } = start()
    const abandoned = codeOf(() => second.entries.main!.run(row(1)))
    await second.ready()
    await second.close()
    assert.is(await abandoned, 'closed')
  })
}

test('FB-12 FB-13 requests of like length share runs', async () => {
  const kind = kinds[0]!
  /** Sums over positions, one with the size of the request, one with a mask that the caller gives. */
  const lengths = (masked: boolean) => (batch: Dim, seq: Dim) =>
    model({
      name: masked ? 'masked' : 'sized',
      inputs: { x: tensor('f32', [batch, seq, 4]), weight: tensor('f32', [batch, seq]) },
      forward({ x, weight }) {
        const size = validMask(seq) as Tensor<'bool'>
        const scaled = matmul(x, parameter(5, 4, 4)) as Tensor<'f32'>
        const kept = where(reshape(size, [1, seq, 1]), scaled, 0) as Tensor<'f32'>
        const own = where(reshape(size, [1, seq]), weight, 0) as Tensor<'f32'>
        return { total: sum(kept, { axes: 1 }), weights: sum(own, { axes: 1 }), each: scaled }
      },
    })
  const dims = (): [Dim, Dim] => [dim('batch', [1, 2, 4]), dim('seq', [4, 8])]
  const sizedModel = traceModel(lengths(false)(...dims()))
  const inputs = (rows: number, length: number, seed: number) => ({
    x: { data: numbers(rows * length * 4, seed), shape: [rows, length, 4] },
    weight: { data: numbers(rows * length, seed + 1), shape: [rows, length] },
  })
  const requests = [
    [1, 3],
    [1, 5],
    [2, 3],
    [1, 7],
    [1, 2],
    [1, 5],
    [1, 8],
  ] as const
  const folder = folderOf(await compileFor(sizedModel, kind))
  const net = openBuckets<any, any>(folder)
  for (const masked of [false, true]) {
    const { server, runs } = serving(folder, { cards: 1, batching: { delay: 5, ...(masked && { masked: ['seq'] }) } })
    await server.ready()
    const results = await Promise.all(requests.map(([rows, length], i) => server.run(inputs(rows, length, i))))
    for (const [i, result] of results.entries()) {
      const [rows, length] = requests[i]!
      assert.equal([...result.each.shape], [rows, length, 4])
      const expected = net.runSync(inputs(rows, length, i))
      // Zeros behind the length add nothing: the masked runs give the same.
      for (const name of ['total', 'weights', 'each']) assert.equal(result[name].data, expected[name].data, `${i} ${name}`)
    }
    // Lengths 3, 3, 2 and 5, 7, 5, 8 have buckets in common; of them, equal ones alone share a run where the model follows the length.
    assert.is(runs().length, masked ? 2 : 5)
  }
  await net.close()
})

test('FB-14 a row that kills its card fails alone: its neighbours run again, each by itself', async () => {
  const native = kinds[0] === 'native'
  const bundle = await unrulyBundle({ c: [10, 20, 10, 20], kinds: [kinds[0]!], name: 'pairs' })
  // `mode` has a row of its own here, so that a crash shares a run with a sum.
  const { entries } = bundle.manifest
  const manifest = {
    ...bundle.manifest,
    entries: entries.map((entry) => ({
      ...entry,
      inputs: entry.inputs.map((tensor) => (tensor.name === 'mode' ? { ...tensor, shape: [2] } : tensor)),
    })),
  }
  const base = [...bundle.files].filter(([name]) => !name.endsWith('.manifest.json'))
  const folder = folderOf({
    ...bundle,
    files: new Map([...base, ['pairs.manifest.json', new TextEncoder().encode(JSON.stringify(manifest))]]),
  })
  const { server, runs } = serving(folder, { device: native ? 'process' : 'worker', batching: { rows: 2, delay: 20 } })
  await server.ready()
  const row = (mode: number) => server.entries.main!.run({ x: { data: new Float32Array([1, 2]), shape: [1, 2] }, mode: [mode] })
  const crash = codeOf(() => row(modes.crash))
  assert.equal(((await row(modes.sum)) as any).y.data, new Float32Array([11, 22]))
  assert.is(await crash, 'card-lost')
  assert.equal(
    runs().map(({ requests }) => requests.length),
    [2, 1, 1],
  )
})

test('FB-14 requests in shared runs survive the death of a card', async () => {
  const { server } = serving(folderOf(await compileFor(rowsModel, kinds[0]!)), {
    device: 'process',
    batching: { delay: 1 },
    queue: 1000,
  })
  const net = openBuckets<any, any>(folderOf(await compileFor(rowsModel, kinds[0]!)))
  const before = new Set(childrenOf())
  await server.ready()
  const [victim] = childrenOf().filter((child) => !before.has(child))
  const calls = Array.from({ length: 150 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i % 15))
    if (i === 70) process.kill(victim!, 'SIGKILL')
    return server.run(rowsInputs(1 + (i % 3), i))
  })
  for (const [i, result] of (await Promise.all(calls)).entries())
    assert.equal(result.y.data, net.runSync(rowsInputs(1 + (i % 3), i)).y.data)
  await net.close()
})

test('FB-13 batching that cannot be is a bad option', async () => {
  const folder = folderOf(await unrulyBundle({ kinds: ['wasm'] }))
  const code = (options: ServeOptions) => codeOf(() => serving(folder, options).server.entries.main!.run(unrulyInputs(0)))
  assert.is(await code({ batching: {} }), 'bad-option')
  assert.is(await code({ batching: { rows: 3 } }), 'bad-option')
  assert.is(await code({ batching: { rows: 2, delay: -1 } }), 'bad-option')
  assert.is(await code({ batching: { rows: 2, most: 0 } }), 'bad-option')
  assert.is(await code({ batching: { rows: 2, budget: 0 } }), 'bad-option')
  const rows = (output: BucketedTensor, sizes: TensorSignature[] = []) => {
    const batch = { dim: 'batch', times: 1, plus: 0, over: 1 }
    const x = { name: 'x', dtype: 'f32', shape: [batch, 3] }
    const spec = {
      name: 'main',
      dims: [{ name: 'batch', sizes: [2], least: 1 }],
      entries: ['main'],
      inputs: [x],
      outputs: [output],
    }
    return codeOf(() => createRowEntry(spec, 'batch', () => ({ inputs: [{ ...x, shape: [2, 3] }, ...sizes], outputs: [] }), []))
  }
  const batch = { dim: 'batch', times: 1, plus: 0, over: 1 }
  // One for all rows; rows along another axis; other numbers of rows for the first; and a model that computes with their number.
  assert.is(await rows({ name: 'y', dtype: 'f32', shape: [2] }), 'bad-option')
  assert.is(await rows({ name: 'y', dtype: 'f32', shape: [3, batch] }), 'bad-option')
  assert.is(await rows({ name: 'y', dtype: 'f32', shape: [{ ...batch, plus: 1 }] }), 'bad-option')
  assert.is(
    await rows({ name: 'y', dtype: 'f32', shape: [batch] }, [{ name: 'batch.size', dtype: 'i32', shape: [1] }]),
    'bad-option',
  )
})

test.run()
