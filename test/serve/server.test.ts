// A bundle on several cards: who is answered when, and what becomes of requests that fail, wait too long, or lose their card.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { open } from '../../targets/runtime/index.ts'
import { type BoundCard, choose } from '../../targets/runtime/serve/choose.ts'
import { type ServeEvent, type ServeOptions, serve } from '../../targets/runtime/serve/index.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { createWaitingLine, type Waiting } from '../../targets/runtime/serve/waiting.ts'
import { failure, sampleBundle, sampleScript } from '../runtime/sample.ts'
import { draw } from '../support/draw.ts'
import {
  codeOf,
  compileFor,
  folderOf,
  kinds,
  modes,
  sums,
  tinyGraph,
  unruly,
  unrulyBundle,
  unrulyInputs,
  until,
  xs,
} from './support.ts'

const devices = ['worker', 'process'] as const
const served: { close(): Promise<void> }[] = []
test.after(async () => {
  await Promise.all(served.map((server) => server.close()))
})

/** The unruly model on cards, and what happens there. */
async function start(kind: 'native' | 'wasm', options: ServeOptions) {
  const server = openServer(await unruly(kind), options)
  served.push(server)
  const events: ServeEvent[] = []
  await server.ready()
  server.watch((event) => events.push(event))
  const run = (mode: number, more: Parameters<typeof server.run>[1] = {}, x: ArrayLike<number> = xs) =>
    server.entries.main!.run(unrulyInputs(mode, x), more)
  const of = <K extends ServeEvent['kind']>(kind: K) =>
    events.filter((event): event is Extract<ServeEvent, { kind: K }> => event.kind === kind)
  return { server, events, of, run, cards: server.opened().cards }
}
/** A mode that takes the code a while, at least some tens of milliseconds. */
const slow = (kind: 'native' | 'wasm') => (kind === 'native' ? 160 : 320_000_000)

test('whoever waits leaves by priority, then by arrival, wherever others are taken out (RT-02)', () => {
  const priorities = fc.array(fc.record({ priority: fc.integer({ min: -2, max: 2 }), remove: fc.option(fc.nat(20)) }), {
    maxLength: 30,
  })
  fc.assert(
    fc.property(priorities, (items) => {
      const line = createWaitingLine<Waiting>()
      let expected: Waiting[] = []
      items.forEach(({ priority, remove }, id) => {
        const item = { id, priority }
        line.add(item)
        expected.push(item)
        const gone = remove === null ? undefined : expected[remove]
        if (gone) {
          assert.ok(line.remove(gone))
          assert.not.ok(line.remove(gone))
          expected = expected.filter((other) => other !== gone)
        }
        assert.is(line.size, expected.length)
      })
      expected.sort((a, b) => a.priority - b.priority || a.id - b.id)
      assert.equal(
        expected.map(() => line.next()!.id),
        expected.map(({ id }) => id),
      )
      assert.is(line.next(), undefined)
    }),
    draw(11, 200),
  )
})

test('the card with the least to do is taken, then the one that has waited longest; one that lost the request only where there is no other (RT-12)', () => {
  const card = (index: number, outstanding: number, turn: number, state = 'ready') =>
    ({ card: { index, state }, load: { outstanding, turn } }) as unknown as BoundCard
  const indexOf = (...args: Parameters<typeof choose>) => choose(...args)?.card.index
  assert.is(indexOf([card(0, 3, 1), card(1, 2, 9), card(2, 2, 8)]), 2)
  assert.is(indexOf([card(0, 0, 1, 'lost'), card(1, 2, 9), card(2, 1, 9, 'quarantined')]), 1)
  const all = [card(0, 0, 1), card(1, 5, 2)]
  assert.is(indexOf(all, all[0]), 1)
  assert.is(indexOf([all[0]!], all[0]), 0)
  assert.is(indexOf([card(0, 0, 1, 'starting')]), undefined)
})

for (const kind of kinds)
  for (const device of devices) {
    const title = `${device} ${kind}`

    test(`${title}: a bundle is served by copies on all cards, which give what the loader gives`, async () => {
      const folder = folderOf(await compileFor(tinyGraph(), kind))
      const server = serve(folder, { cards: 2, device })
      const model = open(folder)
      const runs = Array.from({ length: 20 }, (_, i) => {
        const x = Float32Array.from({ length: 16 }, (_, j) => i + j)
        return { x, answer: server.run({ x }) }
      })
      for (const { x, answer } of runs) assert.equal(await answer, model.runSync({ x }))
      await server.ready()
      assert.equal(
        server.info.cards.map(({ name, state, parts }) => [name, state, parts]),
        [
          ['card0', 'ready', ['whole']],
          ['card1', 'ready', ['whole']],
        ],
      )
      assert.equal(server.info.crossing, { main: 128 })
      const { bytes } = server.info.cards[0]!
      assert.ok(bytes.regions >= 48 * 128 && bytes.weights >= 64)
      await server.close()
      await model.close()
    })

    test(`${title}: so many are under way, so many wait, by priority; one more is refused (RT-02, RT-03)`, async () => {
      const { server, run, of } = await start(kind, { cards: 1, device, active: 1, queue: 2 })
      const order: string[] = []
      const note = (name: string) => () => order.push(name)
      const first = run(slow(kind)).then(note('first'))
      const second = run(modes.sum, { priority: 1 }).then(note('second'))
      const urgent = run(modes.sum, { priority: -1 }).then(note('urgent'))
      assert.is(await codeOf(() => run(modes.sum)), 'request-refused')
      await Promise.all([first, second, urgent])
      assert.equal(order, ['first', 'urgent', 'second'])
      assert.equal(
        of('refused').map(({ code }) => code),
        ['request-refused'],
      )
      assert.equal((await run(modes.sum)).y!.data, sums)
      await server.close()
    })

    test(`${title}: what is aborted or too late is answered at once, and leaves its place when its commands have ended (RT-29)`, async () => {
      const { server, run } = await start(kind, { cards: 1, device, active: 1 })
      const { executor } = server.opened()
      const abort = new AbortController()
      const begun = [slow(kind), modes.sum].map((mode) => codeOf(() => run(mode, { signal: abort.signal })))
      assert.equal([executor.active, executor.waiting], [1, 1])
      abort.abort('enough')
      assert.equal([executor.active, executor.waiting], [1, 0])
      assert.equal(await Promise.all(begun), ['run-aborted', 'run-aborted'])
      assert.is(await codeOf(() => run(modes.sum, { signal: abort.signal })), 'run-aborted')
      const late = codeOf(() => run(slow(kind), { deadline: 1 }))
      const later = run(modes.sum, { deadline: 60_000 })
      assert.is(await late, 'deadline-exceeded')
      assert.equal((await later).y!.data, sums)
      assert.equal([executor.active, executor.waiting], [0, 0])
      for (const deadline of [0, -1, Number.NaN]) assert.is(await codeOf(() => run(modes.sum, { deadline })), 'bad-option')
      await server.close()
    })

    test(`${title}: a fault of the model is its answer, and is not tried again (RT-11)`, async () => {
      const { server, run, of } = await start(kind, { cards: 2, device })
      const runs = Array.from({ length: 6 }, (_, i) => (i % 2 ? codeOf(() => run(modes.fault)) : run(modes.sum)))
      for (const [i, answer] of (await Promise.all(runs)).entries())
        assert.equal(i % 2 ? answer : (answer as any).y.data, i % 2 ? 'run-fault' : sums)
      assert.is(of('retried').length, 0)
      assert.is(of('command').length, 6)
      await server.close()
    })

    test(`${title}: draining answers all that came and takes no more; closing answers the rest with an error (RT-30)`, async () => {
      const { server, run } = await start(kind, { cards: 1, device, active: 2 })
      const runs = Array.from({ length: 5 }, () => run(modes.sum))
      const drained = server.drain()
      assert.is(await codeOf(() => run(modes.sum)), 'draining')
      await drained
      for (const answer of runs) assert.equal((await answer).y!.data, sums)
      await server.close()
      assert.is(await codeOf(() => run(modes.sum)), 'closed')
      assert.is(await codeOf(() => server.ready()), 'closed')

      const other = await start(kind, { cards: 1, device, active: 1 })
      const pending = [other.run(slow(kind)), other.run(modes.sum)].map((answer) => codeOf(() => answer))
      await other.server.close()
      assert.equal(await Promise.all(pending), ['closed', 'closed'])
      assert.ok(other.cards.every(({ state }) => state === 'closed'))
    })

    test(`${title}: static inputs are sent to a card once for each slot (RT-26)`, async () => {
      const { server, of } = await start(kind, { cards: 1, device, active: 1, statics: { mode: [modes.sum] } })
      for (let i = 0; i < 3; i++) assert.equal((await server.entries.main!.run({ x: xs })).y!.data, sums)
      assert.equal(
        of('command').map(({ bytes }) => bytes.fromHost),
        [20, 16, 16],
      )
      assert.is(await codeOf(() => server.entries.main!.run(unrulyInputs(modes.sum))), 'input-unknown')
      await server.close()
    })

    if (device === 'worker')
      test(`${title}: static inputs are checked when the model is loaded`, async () => {
        const folder = await unruly(kind)
        assert.is(await codeOf(() => serve(folder, { statics: { mood: [1] } }).ready()), 'input-unknown')
        assert.is(await codeOf(() => serve(folder, { statics: { mode: [1, 2] } }).ready()), 'input-length')
      })

    if (device === 'process' || kind === 'wasm')
      test(`${title}: a crash ends one card; the request is tried on another, then given up; both stand again (RT-13)`, async () => {
        const { server, run, of, cards } = await start(kind, { cards: 2, device })
        assert.is(await codeOf(() => run(modes.crash)), 'card-lost')
        assert.is(of('retried').length, 1)
        assert.equal(
          of('command').map(({ card, error }) => [card, error?.code]),
          [0, 1].map((card) => [card, 'card-lost']),
        )
        // Nobody stands: it waits.
        assert.equal((await run(modes.sum)).y!.data, sums)
        await until(() => cards.every(({ state }) => state === 'ready'), 'both stand')
        assert.equal(
          cards.map(({ restarts }) => restarts),
          [1, 1],
        )
        await server.close()
      })

    if (device === 'process' || kind === 'wasm')
      test(`${title}: a card that hangs is ended and started again; its other requests are tried elsewhere (RT-29)`, async () => {
        const { server, run, of, cards } = await start(kind, { cards: 2, device, timeout: 250 })
        const hung = codeOf(() => run(modes.hang))
        const others = [run(modes.sum), run(modes.sum), run(modes.sum), run(modes.sum)]
        assert.is(await hung, 'card-lost')
        for (const answer of others) assert.equal((await answer!).y!.data, sums)
        assert.ok(of('card').some(({ state, error }) => state === 'lost' && /did not answer in 250 ms/.test(error!.message)))
        await until(() => cards.every(({ state }) => state === 'ready'), 'both stand')
        await server.close()
      })
    else
      test(`${title}: a card that hangs is left alone until its command ends; its other requests are tried elsewhere`, async () => {
        const { server, run, of, cards } = await start(kind, { cards: 2, device, timeout: 200 })
        const hung = codeOf(() => run(1200, { priority: -1 }))
        const others = Array.from({ length: 3 }, () =>
          run(modes.sum).then(
            ({ y }) => y!.data,
            (error) => error.code,
          ),
        )
        assert.is(await hung, 'card-lost')
        // They had gone to the second card, or go there before what hung does.
        for (const answer of await Promise.all(others))
          assert.ok(answer === 'card-lost' || `${answer}` === `${sums}`, `${answer}`)
        assert.is(await codeOf(() => run(modes.sum)), 'card-unavailable')
        assert.equal(
          of('card').map(({ card, state }) => [card, state]),
          [0, 1].map((card) => [card, 'quarantined']),
        )
        await until(() => cards.every(({ state }) => state === 'ready'), 'the commands end')
        assert.equal((await run(modes.sum)).y!.data, sums)
        await server.close()
      })

    test(`${title}: damaged weights and damaged code are what requests and ready() fail with`, async () => {
      const folder = await unruly(kind, `damaged-${device}`)
      const weights = join(folder, readdirSync(folder).find((name) => name.endsWith('.weights'))!)
      const bytes = readFileSync(weights)
      bytes[4096]! ^= 1
      writeFileSync(weights, bytes)
      const server = serve(folder, { cards: 2, device })
      assert.is(await codeOf(() => server.entries.main!.run(unrulyInputs(modes.sum))), 'bundle-digest')
      assert.is(await codeOf(() => server.ready()), 'bundle-digest')
      await until(() => server.info.cards.every(({ state }) => state === 'failed'), 'both cards fail')
      bytes[4096]! ^= 1
      writeFileSync(weights, bytes)
      await server.ready()
      assert.equal((await server.entries.main!.run(unrulyInputs(modes.sum))).y!.data, sums)
      await server.close()
    })
  }

for (const kind of kinds)
  test(`process ${kind}: a process that is killed in the middle loses nothing`, async () => {
    const { server, run, of } = await start(kind, { cards: 2, device: 'process' })
    const runs = Array.from({ length: 12 }, (_, i) => run(i < 2 ? slow(kind) : modes.sum, {}, [i, i, i, i]))
    process.kill(server.info.cards[0]!.pid!, 'SIGKILL')
    for (const [i, answer] of (await Promise.all(runs)).entries())
      assert.equal(answer.y!.data, Float32Array.of(10 + i, 20 + i, 30 + i, 40 + i))
    assert.ok(of('retried').length > 0)
    await server.close()
  })

const stuck = sampleScript.replace('if (mode === 1)', 'for (;;);')
for (const [title, device, bundle] of [
  ['worker', 'worker', () => sampleBundle({ targets: ['interpreter'], script: stuck })],
  ['process', 'process', () => sampleBundle({ targets: ['interpreter'], script: stuck })],
  ...(kinds.includes('native')
    ? [['process native', 'process', () => unrulyBundle({ c: [-1], kinds: ['native'] })] as const]
    : []),
] as const)
  test(`${title}: code whose first run has no end is what ready() fails with after the option timeout (RT-29)`, async () => {
    const server = serve(folderOf(await bundle()), { cards: 2, device, timeout: 300 })
    const began = performance.now()
    served.push(server)
    const said = await failure(() => server.ready())
    assert.match(said, /^card-lost: .* did not end a first run .* in 300 ms; raise the option timeout/)
    // Far below what a start may take that reads from a slow disk.
    assert.ok(performance.now() - began < 30_000)
    await until(() => server.info.cards.every(({ state }) => state === 'failed'), 'both cards fail')
    await server.close()
  })

if (kinds.includes('native'))
  test('worker native: commands that wait for a thread do not hang; where all threads hang, the other cards are left alone too', async () => {
    const processors = availableParallelism()
    const { server, run, of, cards } = await start('native', { cards: 3 * processors, timeout: 700 })
    const waiting = await Promise.all(cards.map(() => run(300)))
    for (const { y } of waiting) assert.equal(y!.data, sums)
    assert.is(of('card').length, 0)
    const hung = await Promise.all(
      cards.map(() =>
        run(1500).then(
          () => 'sum',
          (error) => error.code,
        ),
      ),
    )
    assert.ok(
      hung.every((code) => /^card-(lost|unavailable)$/.test(code)),
      `${hung}`,
    )
    assert.ok(of('card').some(({ error }) => /has no thread/.test(`${error?.message}`)))
    await until(() => cards.every(({ state }) => state === 'ready'), 'the commands end')
    assert.equal((await run(modes.sum)).y!.data, sums)
    await server.close()
  })

/** What happens to a server, one thing after the other. */
const actions = (kind: 'native' | 'wasm', device: 'worker' | 'process') => {
  const survived = device === 'process' || kind === 'wasm'
  const unruliness = [modes.sum, modes.sum, modes.sum, modes.fault, slow(kind) / 4, ...(survived ? [modes.crash] : [])]
  const run = fc.record({
    kind: fc.constant('run' as const),
    mode: fc.constantFrom(...unruliness),
    priority: fc.integer({ min: -1, max: 1 }),
    deadline: fc.option(fc.integer({ min: 1, max: 30 })),
    abort: fc.option(fc.nat(6)),
  })
  const kill = fc.record({ kind: fc.constant('kill' as const), which: fc.nat(5) })
  const turn = fc.record({ kind: fc.constant('turn' as const), milliseconds: fc.integer({ min: 0, max: 5 }) })
  const weighted = [
    { arbitrary: run, weight: 8 },
    { arbitrary: turn, weight: 3 },
  ] as const
  return fc.array(fc.oneof(...weighted, ...(device === 'process' ? [{ arbitrary: kill, weight: 1 }] : [])), {
    minLength: 4,
    maxLength: 30,
  })
}

for (const kind of kinds)
  for (const device of devices)
    test(`${device} ${kind}: whatever is asked, aborted and killed, every request has one answer, and the right one`, async () => {
      const { server, run, of } = await start(kind, { cards: 2, device, active: 3, queue: 8 })
      const { executor } = server.opened()
      let runs = 0
      await fc.assert(
        fc.asyncProperty(actions(kind, device), async (list) => {
          const answers: Promise<string>[] = []
          const aborts: { at: number; controller: AbortController }[] = []
          for (const [at, action] of list.entries()) {
            for (const { at: due, controller } of aborts) if (due === at) controller.abort()
            if (action.kind === 'turn') await new Promise((resolve) => setTimeout(resolve, action.milliseconds))
            else if (action.kind === 'kill') {
              const pids = server.info.cards.flatMap(({ pid }) => pid ?? [])
              try {
                if (pids.length > 0) process.kill(pids[action.which % pids.length]!, 'SIGKILL')
              } catch {
                // It has just died by itself.
              }
            } else {
              const { mode, priority, deadline, abort } = action
              const controller = new AbortController()
              if (abort !== null) aborts.push({ at: at + abort, controller })
              const x = ++runs
              const allowed = new Set([
                'request-refused',
                ...(deadline === null ? [] : ['deadline-exceeded']),
                ...(abort === null ? [] : ['run-aborted']),
                ...(device === 'process' || mode === modes.crash ? ['card-lost'] : []),
                ...(mode === modes.fault ? ['run-fault'] : []),
              ])
              const options = { priority, signal: controller.signal, ...(deadline !== null && { deadline }) }
              answers.push(
                run(mode, options, [x, x, x, x]).then(
                  ({ y }) => {
                    const right =
                      mode !== modes.fault && mode !== modes.crash && `${y!.data}` === `${[x + 10, x + 20, x + 30, x + 40]}`
                    return right ? '' : `mode ${mode} of ${x} gave ${y!.data}`
                  },
                  ({ code, message }) => (allowed.has(code) ? '' : `mode ${mode}: ${code}: ${message}`),
                ),
              )
            }
          }
          assert.equal((await Promise.all(answers)).filter(Boolean), [])
          const [asked, answered] = [of('request'), of('answered')].map((events) => events.map(({ request }) => request))
          assert.equal(
            answered!.sort((a, b) => a - b),
            asked,
          )
          await until(() => executor.active === 0, 'all commands end')
          assert.is(executor.waiting, 0)
          // All slots are free, and all cards come to stand again.
          for (const { y } of await Promise.all([run(modes.sum), run(modes.sum), run(modes.sum)])) assert.equal(y!.data, sums)
        }),
        { ...draw(5, 8), endOnFailure: true },
      )
      await server.close()
    })

for (const kind of kinds)
  for (const device of devices)
    test(`${device} ${kind}: nothing of a server stays when it has been closed (RT-30)`, async () => {
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc')
      const serveOnce = async () => {
        const server = serve(await unruly(kind), { cards: 1, device })
        await server.entries.main!.run(unrulyInputs(modes.sum))
        await server.close()
        return new WeakRef(server)
      }
      const closed = await serveOnce()
      await until(() => {
        collect()
        return closed.deref() === undefined
      }, 'it is collected')
    })

test('options are checked when they are given', () => {
  const options: readonly (readonly [options: unknown, message: RegExp])[] = [
    [{ cards: 0 }, /^cards is 0, expected a whole number from 1 to 4096$/],
    [{ cards: 1e9 }, /^cards is 1000000000, expected/],
    [{ active: 0 }, /^active is 0, expected/],
    [{ active: 1e9 }, /^active is/],
    [{ queue: -1 }, /^queue is -1, expected/],
    [{ threads: 1.5 }, /^threads is 1.5, expected/],
    [{ timeout: 0 }, /^timeout is 0, expected/],
    // Timers would take it for one millisecond.
    [{ timeout: 3e9 }, /^timeout is 3000000000, expected a whole number from 1 to 2147483647$/],
    [{ sanitize: 2 }, /^sanitize is 2, expected a share, 0 to 1$/],
    [{ device: 'gpu' }, /^device is 'gpu', expected one of "worker", "process"$/],
    [{ peerToPeer: 'yes' }, /^peerToPeer is 'yes', expected/],
    [{ verify: 'x' }, /^verify is 'x', expected/],
    [{ bogus: 1 }, /^there is no option 'bogus'; options are cards, device, /],
    [{ batching: true }, /^batching is true, expected an object$/],
    [{ batching: { foo: 1 } }, /^there is no option 'batching\.foo'; options are delay, /],
    [{ batching: { delay: -1 } }, /^batching\.delay is -1, expected milliseconds, 0 or more/],
    [{ batching: { budget: 0 } }, /^batching\.budget is 0, expected milliseconds, more than 0/],
    [5, /^the options of serve\(\) are 5, expected an object$/],
    [null, /^the options of serve\(\) are null, expected an object$/],
  ]
  for (const [each, message] of options)
    assert.throws(
      () => serve('nowhere', each as ServeOptions),
      (error: any) => error.code === 'bad-option' && message.test(error.message),
      JSON.stringify(each),
    )
})

test.run()
