// States that a part alone has, on cards of all kinds: they stay where they are from run to run, and are never somebody else's.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { byteSize, callersEnds, dtypeFacts, inputName } from '../../compiler/graph/index.ts'
import { add, constant, gather, model, mul, reshape, state, type Tensor, tensor, updateSlice } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { EvaluationFault, runGraph } from '../../targets/interpreter/index.ts'
import type { ServeEvent } from '../../targets/runtime/serve/index.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { arrayOf } from '../../targets/runtime/tensor.ts'
import { mulberry, randomInputs } from '../support/randomGraph.ts'
import { six } from '../support/recommender.ts'
import { statefulModel } from '../support/stateful.ts'
import { codeOf, kinds, until, writeFiles } from './support.ts'

type Bytes = Record<string, Uint8Array>

const platform = { ...six, cards: six.cards.slice(0, 2) }
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Uint8Array(buffer, byteOffset, byteLength)
const hex = (values: Bytes) =>
  Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))

/** Bytes that commands were given, from the host, from other cards and from the card itself. */
function bytesIn(events: readonly ServeEvent[]) {
  const commands = events.flatMap((event) => (event.kind === 'command' ? [event.bytes] : []))
  return (['fromHost', 'fromCards', 'withinCard'] as const).map((from) => commands.reduce((sum, bytes) => sum + bytes[from], 0))
}

const random = statefulModel(4, 5)
const callersBytes = (entry: string) =>
  callersEnds(random.entries.find(({ name }) => name === entry)!.graph, random.states).inputs.reduce(
    (sum, { type }) => sum + byteSize(type),
    0,
  )

for (const kind of kinds) {
  const placed = compilePlaced(random, platform, { target: [kind], method: 'copies' })
  for (const device of ['worker', 'process'] as const)
    test(`${kind} ${device}: sessions side by side give what the graphs give on the interpreter, and no state is copied`, async () => {
      const server: any = openServer(writeFiles((await placed).files), { device, sessions: 4 })
      const events: ServeEvent[] = []
      try {
        await server.ready()
        server.watch((event: ServeEvent) => events.push(event))
        const first = () =>
          Object.fromEntries(
            random.states.map(({ name, type, initial }) => [name, initial?.read() ?? new Uint8Array(byteSize(type))]),
          )
        const sessions = [0, 1, 2, 3].map(() => server.session())
        const held: Bytes[] = sessions.map(first)
        const lost = sessions.map(() => false)
        const draw = mulberry(9)
        const pending: Promise<void>[] = []
        let sent = 0
        for (let step = 0; step < 80; step++) {
          const which = Math.floor(draw() * sessions.length)
          if (lost[which] || draw() < 0.05) {
            sessions[which].reset()
            held[which] = first()
            lost[which] = false
          }
          const { name, graph } = random.entries[Math.floor(draw() * random.entries.length)]!
          const { inputs, outputs } = callersEnds(graph, random.states)
          const given = randomInputs(graph, step)
          const carried = Object.fromEntries(random.states.map((state) => [state.input, held[which]![state.name]!]))
          const arrays = Object.fromEntries(
            inputs.map((node) => {
              const { dtype } = node.type
              const bytes = given[inputName(node)]!
              return [inputName(node), new (arrayOf(dtype))(bytes.slice().buffer, 0, bytes.length / dtypeFacts[dtype].bytes)]
            }),
          )
          sent += callersBytes(name)
          let expected: Bytes | undefined
          try {
            expected = runGraph(graph, { ...given, ...carried })
          } catch (error) {
            if (!(error instanceof EvaluationFault)) throw error
          }
          const call = sessions[which].entries[name].run(arrays)
          if (!expected) {
            lost[which] = true
            pending.push(codeOf(() => call).then((code) => assert.is(code, 'run-fault')))
            continue
          }
          pending.push(
            call.then((found: Record<string, { data: Uint8Array }>) => {
              const seen = Object.fromEntries(outputs.map((output) => [output.name, bytesOf(found[output.name]!.data)]))
              const wanted = Object.fromEntries(outputs.map((output) => [output.name, expected![output.name]!]))
              assert.equal(hex(seen), hex(wanted), `${name}, step ${step}`)
            }),
          )
          for (const state of random.states) held[which]![state.name] = expected[state.output] ?? held[which]![state.name]!
        }
        await Promise.all(pending)
        // Entries that give a state back as it is have it from the card.
        assert.equal(bytesIn(events), [sent, 0, 0])
        assert.is(new Set(sessions.map(({ card }) => card)).size, 2)
        assert.ok(server.info.cards[0].bytes.states >= 4 * random.states.length * 64)
      } finally {
        await server.close()
      }
    })
}

/** A delay of one step and a running sum, in two layers of which the second one sees what the first one had summed up. */
const layers = traceModel(
  model({
    name: 'layers',
    state: {
      first: state('f32', [64]),
      second: state('f32', [64], { initial: constant('f32', [64], new Array(64).fill(2)) as never }),
      before: state('f32', [64]),
    },
    inputs: { x: tensor('f32', [64]) },
    forward({ x }, { first, second, before }) {
      const [a, b] = [add(first, x), add(mul(second, 0.5), mul(add(first, x), 2))]
      return { y: add(b, before), late: before, first: a, second: b, before: x }
    },
  }),
)

for (const kind of kinds)
  for (const device of ['worker', 'process'] as const)
    test(`${kind} ${device}: first values that callers say, resets, and states in parts of their own`, async () => {
      const placed = await compilePlaced(layers, platform, { target: [kind], method: 'stages' }).catch(() =>
        compilePlaced(layers, platform, { target: [kind], method: 'copies' }),
      )
      assert.ok(placed.placement.states!.every(({ kept }) => kept))
      const server: any = openServer(writeFiles(placed.files), { device })
      try {
        await server.ready()
        const session = server.session({ initial: { second: new Array(64).fill(8) } })
        const follow = async (second: number) => {
          let held = { first: 0, second, before: 0 }
          for (const x of [1, 5, -3]) {
            const { y, late } = await session.run({ x: new Array(64).fill(x) })
            const [a, b] = [held.first + x, held.second / 2 + 2 * (held.first + x)]
            assert.equal([y.data[7], late.data[63]], [b + held.before, held.before])
            held = { first: a, second: b, before: x }
          }
        }
        await follow(8)
        session.reset()
        await follow(8)
        assert.is(await codeOf(() => server.session({ initial: { second: [1] } })), 'input-length')
        assert.is(await codeOf(() => server.session({ initial: { x: new Array(64).fill(0) } })), 'bad-option')
        const stop = new AbortController()
        session.reset()
        // One that a card has goes on unseen, one that waits for its turn does not.
        const running = session.run({ x: new Array(64).fill(10) }, { signal: stop.signal })
        const queued = session.run({ x: new Array(64).fill(100) }, { signal: stop.signal })
        stop.abort()
        assert.equal([await codeOf(() => running), await codeOf(() => queued)], ['run-aborted', 'run-aborted'])
        assert.is((await session.run({ x: new Array(64).fill(0) })).late.data[0], 10)
      } finally {
        await server.close()
      }
    })

const table = () => constant('f32', [3, 4], [0, 0, 0, 0, 1, 1, 1, 1, 5, 6, 7, 8]) as Tensor<'f32'>
/** A sum of rows; a pick of 3 or more is a fault before the sum is written. */
const picking = traceModel(
  model({
    name: 'picking',
    state: { sum: state('f32', [4]) },
    entries: {
      step: {
        inputs: { pick: tensor('i32', [1]) },
        forward({ pick }, { sum }) {
          const next = add(sum, reshape(gather(table(), pick, { axis: 0 }), [4]))
          return { y: mul(next, 1), sum: next }
        },
      },
    },
  }),
)

for (const kind of kinds)
  for (const device of ['worker', 'process'] as const)
    test(`${kind} ${device}: a fault before anything of the state is written leaves it as it was`, async () => {
      const placed = await compilePlaced(picking, platform, { target: [kind], method: 'copies' })
      // Indices are not looked at before they run.
      const server: any = openServer(writeFiles(placed.files), { device, sanitize: 0 })
      try {
        const session = server.session()
        const step = (pick: number) => session.entries.step.run({ pick: [pick] })
        assert.equal([...(await step(1)).y.data], [1, 1, 1, 1])
        assert.is(await codeOf(() => step(3)), 'run-fault')
        assert.equal([...(await step(2)).y.data], [6, 7, 8, 9])
      } finally {
        await server.close()
      }
    })

test('a session whose cards are all lost before its first run waits for one that stands again, and runs there', async () => {
  const placed = await compilePlaced(picking, platform, { target: [kinds[0]!], method: 'copies' })
  const server: any = openServer(writeFiles(placed.files), { device: 'process' })
  const events: ServeEvent[] = []
  try {
    await server.ready()
    server.watch((event: ServeEvent) => events.push(event))
    const held = server.session()
    await held.run({ pick: [1] })
    for (const { pid } of server.info.cards) process.kill(pid, 'SIGKILL')
    // Nobody knows of it yet: the run is given to a card that is gone, and then to one that stands again.
    const fresh = server.session()
    const [{ y }, code] = await Promise.all([
      fresh.run({ pick: [2] }, { deadline: 60_000 }),
      codeOf(() => held.run({ pick: [1] })),
    ])
    assert.equal([...y.data], [5, 6, 7, 8])
    assert.is(code, 'session-lost')
    for (const { pid } of server.info.cards) if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await until(() => server.info.cards.every(({ state }: { state: string }) => state !== 'ready'), 'the cards are gone')
    assert.is(await codeOf(() => server.session().run({ pick: [1] }, { deadline: 1 })), 'deadline-exceeded')
    held.reset()
    assert.equal([...(await held.run({ pick: [1] }, { deadline: 60_000 })).y.data], [1, 1, 1, 1])
  } finally {
    await server.close()
  }
})

/** A memory of 1.5 GiB of which a run writes and reads a row. */
const rows = 100_663_296
const large = traceModel(
  model({
    name: 'large',
    state: { memory: state('f32', [rows, 4]) },
    inputs: { row: tensor('f32', [1, 4]), at: tensor('i32', [1]), look: tensor('i32', [1]) },
    forward({ row, at, look }, { memory }) {
      return { y: gather(memory, look, { axis: 0 }), memory: updateSlice<Tensor<'f32'>>(memory, row, at) }
    },
  }),
)

test('a card that has no memory for the state of another session says so, and goes on with those that it has', async () => {
  const one = { ...six, cards: six.cards.slice(0, 1) }
  const placed = await compilePlaced(large, one, { target: ['wasm'], method: 'copies' })
  const server: any = openServer(writeFiles(placed.files), { device: 'worker' })
  const events: ServeEvent[] = []
  try {
    await server.ready()
    server.watch((event: ServeEvent) => events.push(event))
    const sessions = [0, 1, 2].map(() => server.session())
    const write = (n: number, at: number, look: number) => sessions[n].run({ row: [n, n, n, n + 1], at: [at], look: [look] })
    await write(0, rows - 1, 0)
    await write(1, 5, 5)
    // Of the 4 GiB that WebAssembly addresses.
    assert.is(await codeOf(() => write(2, 1, 1)), 'out-of-memory')
    assert.equal([...(await write(0, 0, rows - 1)).y.data], [0, 0, 0, 1])
    assert.equal([...(await write(1, 0, 5)).y.data], [1, 1, 1, 2])
    sessions[0].close()
    assert.equal([...(await write(2, 1, 7)).y.data], [0, 0, 0, 0])
    assert.equal(bytesIn(events).slice(1), [0, 0])
  } finally {
    await server.close()
  }
})

test.run()
