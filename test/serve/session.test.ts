// Sessions on real cards: what runs hand on stays on one card, and is never lost in silence.
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, constant, dim, gather, model, mul, reshape, sum, type Tensor, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { type ServeEvent, type ServeOptions, type Session, serve } from '../../targets/runtime/serve/index.ts'
import { draw } from '../support/draw.ts'
import { childrenOf, codeOf, compileFor, folderOf, kinds, modes, unruly, until } from './support.ts'

const served: { close(): Promise<void> }[] = []
test.after(async () => {
  await Promise.all(served.map((server) => server.close()))
})

const factors = () => constant('f32', [4], [1, 2, 3, 4]) as Tensor<'f32'>
const table = () => constant('f32', [3, 4], [0, 0, 0, 0, 1, 1, 1, 1, 5, 6, 7, 8]) as Tensor<'f32'>

/** `step`: state ← state · 2 + x + table[pick], y = state + x, where a pick of 3 or more is a fault. `start`: state ← prompt · [1, 2, 3, 4]. */
const counter = traceModel(
  model({
    name: 'counter',
    entries: {
      step: {
        inputs: { x: tensor('f32', [4]), state: tensor('f32', [4]), pick: tensor('i32', [1]) },
        forward({ x, state, pick }) {
          const looked = reshape(gather(table(), pick, { axis: 0 }), [4])
          return { next: add(add(mul(state, 2), x), looked), y: add(state, x) }
        },
      },
      start: {
        inputs: { prompt: tensor('f32', [4]) },
        forward: ({ prompt }) => ({ next: mul(prompt, factors()), echo: add(prompt, 1) }),
      },
    },
  }),
)
const carry = { state: 'next' }
const rows = [
  [0, 0, 0, 0],
  [1, 1, 1, 1],
  [5, 6, 7, 8],
]
const zeros = [0, 0, 0, 0]
const inputs = (x: number, pick = 0) => ({ x: [x, x, x, x], pick: [pick] })
/** The same in JavaScript. */
const advance = (state: readonly number[], x: number, pick = 0) =>
  state.map((value, i) => Math.fround(value * 2 + x + rows[pick]![i]!))
const shown = (state: readonly number[], x: number) => Float32Array.from(state, (value) => value + x)

function serving(folder: string, options: ServeOptions) {
  const server = serve<any, any>(folder, { cards: 2, sessions: 4, ...options })
  served.push(server)
  const events: ServeEvent[] = []
  server.watch((event) => events.push(event))
  return { server, events }
}
const counterFolder = async (kind: 'native' | 'wasm') => folderOf(await compileFor(counter, kind))
const step = (session: Session, x: number, pick?: number) => session.entries.step!.run(inputs(x, pick))

for (const kind of kinds)
  for (const device of ['worker', 'process'] as const) {
    const where = `${kind} on ${device} cards`

    test(`sessions carry their own state in the order of the calls, on their cards, past the host: ${where}`, async () => {
      const { server, events } = serving(await counterFolder(kind), { device })
      const sessions = [0, 1, 2].map((n) => server.session({ carry, ...(n === 2 && { initial: { state: [1, 2, 3, 4] } }) }))
      const states: (readonly number[])[] = [zeros, zeros, [1, 2, 3, 4]]
      const calls = Array.from({ length: 30 }, async (_, i) => {
        const n = i % 3
        const before = states[n]!
        states[n] = advance(before, i, n)
        const { y, ...others } = await step(sessions[n]!, i, n)
        assert.equal(y!.data, shown(before, i), `session ${n}, run ${i}`)
        assert.equal(Object.keys(others), [])
      })
      await Promise.all(calls)
      assert.is(new Set(sessions.map(({ card }) => card)).size, 2)
      // After the first run of each, the host sends x and pick alone, and no card reads of another.
      const sent = events.flatMap((event) => (event.kind === 'command' ? [event.bytes] : []))
      assert.equal(
        sent.map(({ fromHost }) => fromHost).sort((a, b) => a - b),
        [...Array(27).fill(20), 36, 36, 36],
      )
      assert.ok(sent.every(({ fromCards }) => fromCards === 0))
    })

    test(`entries of a session share its state: ${where}`, async () => {
      const { server } = serving(await counterFolder(kind), { device, cards: 1 })
      const session = server.session({ carry })
      await step(session, 9)
      assert.equal((await session.entries.start!.run({ prompt: [1, 1, 1, 1] })).echo!.data, new Float32Array([2, 2, 2, 2]))
      assert.equal((await step(session, 1)).y!.data, new Float32Array([2, 3, 4, 5]))
      assert.equal((await step(session, 0)).y!.data, shown(advance([1, 2, 3, 4], 1), 0))
      assert.is(await codeOf(() => session.run(inputs(1))), 'entry-missing')
    })

    test(`a run that fails leaves the state as it was: ${where}`, async () => {
      const { server } = serving(await counterFolder(kind), { device })
      const session = server.session({ carry })
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('run', 'fault', 'abort', 'start', 'reset', 'late'), { maxLength: 12 }),
          async (actions) => {
            session.reset()
            let state: readonly number[] = zeros
            const pending: Promise<void>[] = []
            for (const [i, action] of actions.entries()) {
              const before = state
              if (action === 'reset') {
                session.reset()
                state = zeros
              } else if (action === 'fault') {
                pending.push(codeOf(() => step(session, i, 7)).then((code) => assert.is(code, 'run-fault')))
              } else if (action === 'abort') {
                const stop = new AbortController()
                const call = codeOf(() => session.entries.step!.run(inputs(i), { signal: stop.signal }))
                stop.abort()
                pending.push(call.then((code) => assert.is(code, 'run-aborted')))
              } else if (action === 'start') {
                state = [1, 2, 3, 4].map((factor) => factor * i)
                pending.push(session.entries.start!.run({ prompt: [i, i, i, i] }).then(() => {}))
              } else {
                state = advance(before, i)
                pending.push(step(session, i).then(({ y }) => assert.equal(y!.data, shown(before, i))))
                // Some come when all before them have ended.
                if (action === 'late') await Promise.all(pending)
              }
            }
            await Promise.all(pending)
            assert.equal((await step(session, 0)).y!.data, Float32Array.from(state))
          },
        ),
        draw(31, 25),
      )
    })
  }

test('RT-13 a killed card loses the sessions that it held, and no others, until they are reset', async () => {
  const before = new Set(childrenOf())
  const { server } = serving(await counterFolder(kinds[0]!), { device: 'process' })
  await server.ready()
  const children = childrenOf().filter((child) => !before.has(child))
  const sessions = [server.session({ carry }), server.session({ carry })]
  for (const session of sessions) await step(session, 1)
  assert.is(new Set(sessions.map(({ card }) => card)).size, 2)
  process.kill(children[0]!, 'SIGKILL')
  await until(() => server.info.cards.some(({ state }) => state !== 'ready'), 'the card is seen to be gone')
  const fates = await Promise.all(
    sessions.map((session) =>
      step(session, 2).then(
        () => 'answered',
        (error) => error.code,
      ),
    ),
  )
  assert.equal([...fates].sort(), ['answered', 'session-lost'])
  const lost = sessions[fates.indexOf('session-lost')]!
  const kept = sessions[fates.indexOf('answered')]!
  await server.ready()
  // The card stands again, and its new process knows nothing of the session.
  assert.is(await codeOf(() => step(lost, 3)), 'session-lost')
  assert.is(await codeOf(() => step(lost, 3)), 'session-lost')
  lost.reset()
  assert.equal((await step(lost, 5)).y!.data, new Float32Array([5, 5, 5, 5]))
  assert.equal((await step(kept, 0)).y!.data, Float32Array.from(advance(advance(zeros, 1), 2)))
})

for (const kind of kinds)
  test(`a crash in a run of a session loses the session, and is not tried on another card: ${kind}`, async () => {
    const { server, events } = serving(await unruly(kind), { device: 'process' })
    const session = server.session({ carry: { x: 'y' } })
    const run = (mode: number) => session.entries.main!.run({ mode: [mode] })
    await run(modes.sum)
    const code = await codeOf(() => run(modes.crash))
    assert.ok(['session-lost', 'run-crashed'].includes(code), code)
    assert.is(await codeOf(() => run(modes.sum)), 'session-lost')
    assert.ok(!events.some((event) => event.kind === 'retried'))
    session.reset()
    assert.equal(await run(modes.sum), {})
  })

test('hundreds of idle sessions hold no place in the queue, and their number is bounded', async () => {
  const { server } = serving(await counterFolder(kinds[0]!), { sessions: 300, active: 2, queue: 1000 })
  const sessions = Array.from({ length: 300 }, () => server.session({ carry }))
  await Promise.all(sessions.map((session, n) => step(session, n)))
  const one = await server.entries.step!.run({ ...inputs(1), state: zeros })
  assert.equal(one.y!.data, new Float32Array([1, 1, 1, 1]))
  const extra = server.session({ carry })
  assert.is(await codeOf(() => step(extra, 1)), 'request-refused')
  const results = await Promise.all(sessions.map((session) => step(session, 0)))
  for (const [n, { y }] of results.entries()) assert.equal(y!.data, new Float32Array([n, n, n, n]))
  sessions[0]!.close()
  assert.is(await codeOf(() => step(sessions[0]!, 1)), 'session-closed')
  // Its place is that of another, whose state is not what was left there.
  assert.equal((await step(extra, 2)).y!.data, new Float32Array([2, 2, 2, 2]))
})

test('RT-26 statics are the same for all runs of a session, and for all requests of a run', async () => {
  const { server } = serving(await counterFolder(kinds[0]!), { statics: { pick: [2] } })
  const session = server.session({ carry })
  await session.entries.step!.run({ x: [1, 1, 1, 1] })
  assert.equal((await session.entries.step!.run({ x: [0, 0, 0, 0] })).y!.data, Float32Array.from(advance(zeros, 1, 2)))
  assert.is(await codeOf(() => step(session, 1)), 'input-unknown')
})

test('entries of several sizes carry their state from size to size', async () => {
  const sized = traceModel(
    model({
      name: 'sized',
      inputs: { x: tensor('f32', [dim('seq', [2, 4])]), state: tensor('f32', [4]) },
      forward: ({ x, state }) => ({ next: add(state, sum(x, { axes: 0 })), doubled: mul(x, 2), half: mul(state, 0.5) }),
    }),
  )
  const { server } = serving(folderOf(await compileFor(sized, kinds[0]!)), {})
  const session = server.session({ carry, initial: { state: [1, 2, 3, 4] } })
  let total = 0
  for (const length of [1, 4, 3, 2, 1]) {
    const x = Float32Array.from({ length }, (_, i) => i + 1)
    const { doubled, half } = await session.run({ x })
    assert.equal(
      doubled.data,
      x.map((value) => 2 * value),
    )
    assert.equal(
      half.data,
      Float32Array.from([1, 2, 3, 4], (first) => (first + total) / 2),
    )
    total += x.reduce((a, b) => a + b)
  }
})

test('RT-30 a session ends with the server, and a drained server takes no more runs', async () => {
  const { server } = serving(await counterFolder(kinds[0]!), {})
  const session = server.session({ carry })
  const calls = [step(session, 1), step(session, 2)]
  await server.drain()
  await Promise.all(calls)
  assert.is(await codeOf(() => step(session, 1)), 'draining')
  await server.close()
  assert.is(await codeOf(() => step(session, 1)), 'closed')
})

test('what cannot be carried is a bad option', async () => {
  const { server } = serving(await counterFolder(kinds[0]!), {})
  const code = (options: any) => codeOf(() => server.session(options))
  assert.is(await code({}), 'bad-option')
  assert.is(await code({ carry: {} }), 'bad-option')
  assert.is(await code({ carry: { state: 'nothing' } }), 'bad-option')
  assert.is(await code({ carry: { nothing: 'next' } }), 'bad-option')
  assert.is(await code({ carry: { pick: 'next' } }), 'bad-option')
  assert.is(await code({ carry, initial: { x: zeros } }), 'bad-option')
  assert.is(await code({ carry, initial: { state: [1] } }), 'input-length')
  const session = server.session({ carry })
  assert.is(await codeOf(() => session.entries.step!.run({ ...inputs(1), state: zeros })), 'input-unknown')
  const { server: none } = serving(await counterFolder(kinds[0]!), { sessions: 0 })
  assert.is(await codeOf(() => step(none.session({ carry }), 1)), 'request-refused')
})

test.run()
