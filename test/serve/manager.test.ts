import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHost, type ServeEvent, type ServeHost, serve } from '../../targets/runtime/serve/index.ts'
import { assignCards, createLedger, type Need } from '../../targets/runtime/serve/manager/assign.ts'
import { draw } from '../support/draw.ts'
import { childrenOf, codeOf, kinds, modes, sums, unruly, unrulyBundle, unrulyInputs, until, writeFiles, xs } from './support.ts'

// ------------------------------------------------------------------------------------------------ memory of cards, without any cards

const need: fc.Arbitrary<Need> = fc.record({
  own: fc.integer({ min: 0, max: 20 }),
  shared: fc.array(
    fc.constantFrom('a', 'b', 'c').map((key) => ({ key, bytes: { a: 5, b: 11, c: 30 }[key]! })),
    { maxLength: 2 },
  ),
})

/** Bytes that needs take on one card: shared weights once. */
const bytesOf = (needs: readonly Need[]): number =>
  needs.reduce((sum, { own }) => sum + own, 0) +
  [...new Map(needs.flatMap(({ shared }) => shared.map(({ key, bytes }) => [key, bytes] as const))).values()].reduce(
    (a, b) => a + b,
    0,
  )

test('RT-31 a ledger counts shared weights once, and is empty when all is given back', () => {
  fc.assert(
    fc.property(fc.array(need, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 6 }), (needs, picks) => {
      const ledger = createLedger(1000)
      const held: Need[] = []
      for (const item of needs) {
        const extra = ledger.extra(item)
        const used = ledger.used
        ledger.take(item)
        held.push(item)
        assert.is(ledger.used, used + extra)
        assert.is(ledger.used, bytesOf(held))
        assert.is(ledger.free, 1000 - ledger.used)
      }
      for (const pick of [...picks, ...needs.keys()]) {
        const [item] = held.splice(pick % Math.max(1, held.length), 1)
        if (item) ledger.release(item)
        assert.is(ledger.used, bytesOf(held))
      }
      for (const item of held.splice(0)) ledger.release(item)
      assert.is(ledger.used, 0)
    }),
    draw(21, 300),
  )
})

test('RT-06 logical cards: none over capacity, over as many cards as there are, all or nothing', () => {
  fc.assert(
    fc.property(
      fc.array(need, { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 5, max: 80 }), { minLength: 1, maxLength: 4 }),
      (needs, sizes) => {
        const cards = sizes.map(createLedger)
        const result = assignCards(needs, cards)
        if ('failed' in result) {
          assert.ok(result.missing > 0)
          assert.equal(
            cards.map(({ used }) => used),
            sizes.map(() => 0),
          )
          return
        }
        for (const [card, { used, capacity }] of cards.entries()) {
          assert.ok(used <= capacity)
          assert.is(used, bytesOf(needs.filter((_, i) => result.cards[i] === card)))
        }
      },
    ),
    draw(22, 500),
  )
})

test('RT-06 biggest first, each to the card with the most room', () => {
  const plain = (own: number): Need => ({ own, shared: [] })
  const cards = [60, 100, 80].map(createLedger)
  assert.equal(assignCards([10, 50, 30].map(plain), cards), { cards: [0, 1, 2] })
  // 50, 50 and 50 are left: as many logical cards as fit there, the fourth of them starting a new round.
  assert.equal(assignCards([20, 20, 20, 20].map(plain), cards), { cards: [0, 1, 2, 0] })
  assert.equal(assignCards([40, 25].map(plain), cards), { failed: 0, missing: 10 })
  assert.equal(
    cards.map(({ used }) => used),
    [50, 70, 50],
  )
})

test('RT-07 copies with the same weights fit where two of them would not', () => {
  const copy = { own: 10, shared: [{ key: 'weights', bytes: 70 }] }
  const [card] = [createLedger(100)]
  assert.equal(assignCards([copy, copy], [card!]), { cards: [0, 0] })
  assert.is(card!.used, 90)
})

// ------------------------------------------------------------------------------------------------ on cards

const open: { close(): Promise<void> }[] = []
test.after(async () => {
  await Promise.all(open.map((each) => each.close()))
})
const hostWith = (options: Parameters<typeof createHost>[0]): ServeHost => {
  const host = createHost({ cards: 2, ...options })
  open.push(host)
  return host
}
const kind = kinds[0]!
const run = (host: ServeHost, name: string, mode: number = modes.sum) => host.get(name).entries.main!.run(unrulyInputs(mode))
const usedBy = (host: ServeHost) => host.cards.map(({ memory }) => memory.used)
/** A mode that takes the code a while, at least some tens of milliseconds. */
const slow = kind === 'native' ? 150 : 3e8
/** A version of the unruly model that adds other numbers. */
const version = async (c: number, of: 'native' | 'wasm' = kind) =>
  writeFiles((await unrulyBundle({ c: [c, c, c, c], kinds: [of] })).files)
const plus = (c: number) => Float32Array.from(xs, (x) => x + c)
/** The same bundle with one byte of a file changed. */
function damaged(folder: string, extension: string): string {
  const name = readdirSync(folder).find((file) => file.endsWith(extension))!
  const path = join(folder, name)
  const bytes = readFileSync(path)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(path, bytes)
  return folder
}

test('RT-01 RT-04 models are added, run, listed and removed, each misuse with its code', async () => {
  const host = hostWith({ active: 4 })
  const folder = await unruly(kind)
  assert.is(await codeOf(() => host.run('a', {})), 'network-missing')
  assert.is(await codeOf(() => host.remove('a')), 'network-missing')
  const adding = host.add('a', folder)
  assert.is(await codeOf(() => host.add('a', folder)), 'network-exists')
  assert.is(await codeOf(() => host.remove('a')), 'network-busy')
  await adding
  await host.add('b', folder)
  assert.equal(
    host.list().map(({ name, model, cards, busy }) => [name, model, cards, busy]),
    [
      ['a', 'unruly', ['card0', 'card1'], false],
      ['b', 'unruly', ['card0', 'card1'], false],
    ],
  )
  assert.equal((await run(host, 'a')).y!.data, sums)
  const call = run(host, 'b', slow)
  const used = usedBy(host)
  assert.is(await codeOf(() => host.remove('b')), 'network-busy')
  assert.is(await codeOf(() => host.clear()), 'network-busy')
  assert.equal(usedBy(host), used)
  assert.equal((await call).y!.data, sums)
  assert.equal((await run(host, 'b')).y!.data, sums)
  await host.remove('b')
  assert.is(await codeOf(() => run(host, 'b')), 'network-missing')
  assert.equal((await run(host, 'a')).y!.data, sums)
  await host.clear()
  assert.equal(usedBy(host), [0, 0])
  assert.equal(host.list(), [])
  await host.close()
  assert.is(await codeOf(() => host.add('a', folder)), 'closed')
})

test('RT-06 RT-31 a model that does not fit is refused, and what is loaded goes on', async () => {
  const folder = await unruly(kind)
  const free = hostWith({})
  await free.add('a', folder)
  const [each] = usedBy(free) as [number]
  const host = hostWith({ memory: Math.floor(each * 1.5) })
  await host.add('a', folder)
  assert.is(await codeOf(() => host.add('b', folder)), 'card-full')
  assert.equal(usedBy(host), [each, each])
  assert.equal(
    host.list().map(({ name }) => name),
    ['a'],
  )
  assert.equal((await run(host, 'a')).y!.data, sums)
  // Once there is room, it fits.
  await host.remove('a')
  await host.add('b', folder)
  assert.equal((await run(host, 'b')).y!.data, sums)
})

if (kind === 'native')
  test('RT-07 models from the same files share weights on a card', async () => {
    const host = hostWith({ cards: 1 })
    const folder = await unruly('native')
    await host.add('a', folder, { active: 1 })
    const [first] = usedBy(host) as [number]
    await host.add('b', folder, { active: 1 })
    assert.is(usedBy(host)[0], 2 * first - 16)
  })

test('FB-23 RT-02 over all models, requests begin by priority and then by arrival', async () => {
  const host = hostWith({ cards: 1, active: 1 })
  const folder = await unruly(kind)
  await host.add('ordinary', folder)
  await host.add('urgent', folder, { priority: -10 })
  const order: string[] = []
  for (const name of ['ordinary', 'urgent'])
    host.get(name).watch((event: ServeEvent) => {
      if (event.kind === 'started') order.push(`${name} ${event.request}`)
    })
  const first = run(host, 'ordinary', slow)
  const others = [run(host, 'ordinary'), run(host, 'urgent'), run(host, 'ordinary'), run(host, 'urgent')]
  await Promise.all([first, ...others])
  const numbers = order.map((text) => Number(text.split(' ')[1]))
  const base = Math.min(...numbers)
  assert.equal(
    order.map((text) => text.split(' ')[0]),
    ['ordinary', 'urgent', 'urgent', 'ordinary', 'ordinary'],
  )
  assert.equal(
    numbers.map((number) => number - base),
    [0, 2, 4, 1, 3],
  )
})

for (const device of ['worker', 'process'] as const) {
  test(`FB-24 a swap under load loses nothing and answers nothing twice: ${device}`, async () => {
    const before = childrenOf().length
    const server = serve<any, any>(await version(10), { cards: 2, device, queue: 1000 })
    open.push(server)
    const answered: number[] = []
    server.watch((event) => {
      if (event.kind === 'answered') answered.push(event.request)
    })
    await server.ready()
    let isOver = false
    const seen = new Map<number, number>()
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const y = (await server.entries.main!.run(unrulyInputs(modes.sum))).y!.data as Float32Array
        const c = y[0]! - xs[0]!
        assert.equal(y, plus(c))
        seen.set(c, (seen.get(c) ?? 0) + 1)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    })
    await until(() => (seen.get(10) ?? 0) > 20, 'the first version answers')
    const { unloaded } = await server.swap(await version(200))
    assert.equal((await server.entries.main!.run(unrulyInputs(modes.sum))).y!.data, plus(200))
    await unloaded
    if (device === 'process') assert.is(childrenOf().length - before, 2)
    await until(() => (seen.get(200) ?? 0) > 20, 'the second version answers')
    isOver = true
    await Promise.all(load)
    assert.equal([...seen.keys()].sort(), [10, 200])
    assert.is(new Set(answered).size, answered.length)
    assert.is(
      answered.length,
      [...seen.values()].reduce((a, b) => a + b, 1),
    )
  })
}

test('FB-24 a swap to what cannot serve leaves the old version serving', async () => {
  const host = hostWith({})
  await host.add('a', await version(10))
  const used = usedBy(host)
  const code = (source: string) => codeOf(() => host.swap('a', source))
  assert.match(await code(damaged(await version(20), '.weights')), /^bundle-digest$/)
  assert.match(await code(damaged(await version(30), kind === 'native' ? '.node' : '.wasm')), /^bundle-digest$/)
  assert.is(await code('/nowhere'), 'bundle-missing-file')
  const other = writeFiles((await unrulyBundle({ kinds: [kind], name: 'other' })).files)
  assert.equal(usedBy(host), used)
  assert.equal((await run(host, 'a')).y!.data, plus(10))
  // Another model with the same entries is a version like any other.
  await (await host.swap('a', other)).unloaded
  assert.equal((await run(host, 'a')).y!.data, sums)
  assert.equal(usedBy(host), used)
})

test('FB-24 sessions finish on the version that they began on', async () => {
  const server = serve<any, any>(await version(10), { cards: 1, sessions: 2 })
  open.push(server)
  const carry = { x: 'y' }
  const [first] = [server.session({ carry })]
  const step = (session: typeof first) => session!.entries.main!.run({ mode: [modes.sum] })
  await step(first)
  const { unloaded } = await server.swap(await version(200))
  let isUnloaded = false
  void unloaded.then(() => {
    isUnloaded = true
  })
  await step(first)
  assert.equal((await server.entries.main!.run(unrulyInputs(modes.sum))).y!.data, plus(200))
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.not(isUnloaded)
  first!.close()
  await unloaded
  assert.is(await codeOf(() => step(first)), 'session-closed')
})

test('RT-30 RT-31 any sequence of adding, running, swapping and removing ends with no memory held', async () => {
  const folders = [await version(10), await version(20), await version(30)]
  const action = fc.tuple(fc.constantFrom('add', 'remove', 'swap', 'run', 'clear'), fc.constantFrom('a', 'b'), fc.nat(2))
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 10 }), async (actions) => {
      const host = hostWith({ device: 'worker' })
      const loaded = new Map<string, number>()
      const allowed = ['network-missing', 'network-exists', 'network-busy']
      for (const [what, name, v] of actions) {
        const is = loaded.has(name)
        if (what === 'add') {
          const code = await host.add(name, folders[v]!).then(
            () => 'done',
            (error) => error.code,
          )
          assert.is(code, is ? 'network-exists' : 'done')
          if (!is) loaded.set(name, v)
        } else if (what === 'remove') {
          assert.is(
            await host.remove(name).then(
              () => 'done',
              (error) => error.code,
            ),
            is ? 'done' : 'network-missing',
          )
          loaded.delete(name)
        } else if (what === 'swap') {
          const code = await host.swap(name, folders[v]!).then(
            ({ unloaded }) => unloaded.then(() => 'done'),
            (error) => error.code,
          )
          assert.is(code, is ? 'done' : 'network-missing')
          if (is) loaded.set(name, v)
        } else if (what === 'run') {
          if (is) assert.equal((await run(host, name)).y!.data, plus(10 * (loaded.get(name)! + 1)))
          else assert.ok(allowed.includes(await codeOf(() => run(host, name))))
        } else {
          await host.clear()
          loaded.clear()
        }
        assert.equal(
          host
            .list()
            .map(({ name }) => name)
            .sort(),
          [...loaded.keys()].sort(),
        )
      }
      await host.clear()
      assert.equal(usedBy(host), [0, 0])
      await host.close()
    }),
    draw(23, 15),
  )
})

test.run()
