import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Card, Platform } from '../../compiler/partition/index.ts'
import type { Plan, PlannedPart } from '../../compiler/partition/plan.ts'
import { loadPreset } from '../../targets/platform/index.ts'
import { type Batching, type Fault, type Span, simulate, traceOf } from '../../targets/platform/simulate/index.ts'
import { mulberry } from '../support/randomGraph.ts'

const { platform: six } = loadPreset('six-cards')

/** Cards that launch at once behind links of 1 GB/s without latency, unless it is said otherwise. */
const platform = (count: number, more: Partial<Card> = {}): Platform => ({
  ...six,
  peerToPeer: true,
  uplink: { bytesPerSecond: 1e12, latencySeconds: 0 },
  host: { ...six.host, launchSeconds: 0, watts: { idle: 0, busy: 0 } },
  cards: six.cards.slice(0, count).map((card) => ({
    ...card,
    launchSeconds: 0,
    watts: { idle: 2, busy: 10 },
    link: { bytesPerSecond: 1e9, latencySeconds: 0 },
    ...more,
  })),
})

const part = (name: string, on: PlannedPart['on'], seconds: number): PlannedPart => ({
  name,
  on,
  nodes: 1,
  computes: '0',
  weights: 0,
  exchanged: 0,
  seconds,
})
const planOf = (
  parts: readonly PlannedPart[],
  transfers: readonly (readonly [from: string, to: string, bytes: number])[],
): Plan => ({
  format: 1,
  model: 'model',
  platform: 'platform',
  method: 'tables',
  contexts: 1,
  ops: '',
  parts,
  transfers: transfers.map(([from, to, bytes], i) => ({ from, to, value: `v${i}`, bytes })),
  cards: [],
  requestSeconds: 0,
  requestsPerSecond: 0,
})
const nearly = (actual: number, expected: number, tolerance = 1e-9) =>
  assert.ok(Math.abs(actual / expected - 1) <= tolerance, `${actual}, expected ${expected}`)

/** One part of a millisecond, a megabyte in, half of one out. */
const single = (on: readonly number[]) =>
  planOf(
    [part('whole', on, 1e-3)],
    [
      ['host', 'whole', 1e6],
      ['whole', 'host', 5e5],
    ],
  )

test('a request alone takes what its transfers and parts take, one after the other', () => {
  const { latency, throughput } = simulate(single([0]), platform(1), { rate: 1, requests: 1 })
  nearly(latency.p50, 1e-3 + 1e-3 + 0.5e-3)
  nearly(throughput, 1 / 2.5e-3)
  const slow = simulate(single([0]), platform(1, { launchSeconds: 1e-4, link: { bytesPerSecond: 1e9, latencySeconds: 2e-4 } }), {
    rate: 1,
    requests: 1,
  })
  nearly(slow.latency.p50, 2.5e-3 + 1e-4 + 4e-4)
})

test('a host that waits for one command sleeps meanwhile; cards whose work is there do not wait for it', () => {
  const card = { wakeSeconds: 5e-4 }
  nearly(simulate(single([0]), platform(1, card), { rate: 1, requests: 1 }).latency.p50, 2.5e-3 + 5e-4)
  // Requests come every 50 µs: the host sees what ends at once.
  const even = { rate: 2e4, requests: 2000, even: true }
  nearly(simulate(single([0]), platform(1, card), even).throughput, simulate(single([0]), platform(1), even).throughput, 0.01)
})

test('the fullest of links and cards bounds the rate; requests flow through like through a pipe (FB-04)', () => {
  const even = { rate: 1e5, requests: 2000, even: true }
  nearly(simulate(single([0]), platform(1), even).throughput, 1000, 0.01)
  // Two cards with links of their own: twice as many.
  nearly(simulate(single([0, 1]), platform(2), even).throughput, 2000, 0.01)
  // The uplink of all: 1.5 MB/ms for a megabyte a request.
  const shared = { ...platform(6), uplink: { bytesPerSecond: 1.5e9, latencySeconds: 0 } }
  nearly(simulate(single([0, 1, 2, 3, 4, 5]), shared, even).throughput, 1500, 0.01)
  // Look-ups of one request beside the dense part of another.
  const two = planOf(
    [part('tables0', [0], 1e-3), part('dense', [1], 1e-3)],
    [
      ['host', 'tables0', 0],
      ['tables0', 'dense', 0],
      ['dense', 'host', 0],
    ],
  )
  nearly(simulate(two, platform(2), even).throughput, 1000, 0.01)
  nearly(
    simulate(
      planOf(
        [part('both', [0], 2e-3)],
        [
          ['host', 'both', 0],
          ['both', 'host', 0],
        ],
      ),
      platform(2),
      even,
    ).throughput,
    500,
    0.01,
  )
})

test('cards on the processors of the host leave it what it needs to copy and to give commands', () => {
  const even = { rate: 1e5, requests: 2000, even: true }
  const link = { bytesPerSecond: 1e9, latencySeconds: 0 }
  const own = { ...platform(2, { cores: 1 }), uplink: link, sharing: { arithmetic: 1, memory: 1 } }
  // A quarter of a part's time is the host's: two of 1 ms fill 2.5 processors.
  const plan = planOf(
    [part('whole', [0, 1], 1e-3)],
    [
      ['host', 'whole', 0.25e6],
      ['whole', 'host', 0],
    ],
  )
  const throughput = (processors?: number) =>
    simulate(plan, processors === undefined ? own : { ...own, sharing: { ...own.sharing, processors } }, even).throughput
  nearly(throughput(), 2000, 0.01)
  nearly(throughput(3), 2000, 0.01)
  nearly(throughput(2), 1600, 0.01)
  nearly(throughput(1), 800, 0.01)
})

test('waiting for one card is that of a queue with random arrivals and equal work: ρ · s / 2(1 − ρ) (Pollaczek and Khinchine)', () => {
  const seconds = 1e-3
  const plan = planOf(
    [part('whole', [0], seconds)],
    [
      ['host', 'whole', 0],
      ['whole', 'host', 0],
    ],
  )
  for (const load of [0.3, 0.6, 0.8]) {
    const { latency, uses } = simulate(plan, platform(1), { rate: load / seconds, requests: 60_000, seed: 3 })
    nearly(latency.mean, seconds + (load * seconds) / (2 * (1 - load)), 0.05)
    nearly(uses.find(({ name }) => name === 'card 0')!.busy, load, 0.02)
  }
})

test('a part waits for all that it reads; what two parts of one place hand on does not cross', () => {
  const parts = [part('a', [0], 1e-3), part('b', [1], 3e-3), part('c', [0], 1e-3)]
  const plan = planOf(parts, [
    ['host', 'a', 0],
    ['host', 'b', 0],
    ['a', 'c', 1e6],
    ['b', 'c', 1e6],
    ['c', 'host', 0],
  ])
  const spans: Span[] = []
  const { latency, uses } = simulate(plan, platform(2), { rate: 1, requests: 1, observe: (span) => spans.push(span) })
  nearly(latency.p50, 3e-3 + 1e-3 + 1e-3)
  assert.is(uses.find(({ name }) => name === 'card 0 up')!.bytes, 0)
  assert.is(uses.find(({ name }) => name === 'card 1 up')!.bytes, 1e6)
  assert.is(uses.find(({ name }) => name === 'uplink up')!.bytes, 0)
  assert.equal(
    spans.filter(({ kind }) => kind === 'part').map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  // Without a way from card to card it goes through the host.
  const through = simulate(plan, { ...platform(2), peerToPeer: false }, { rate: 1, requests: 1 })
  assert.is(through.uses.find(({ name }) => name === 'uplink up')!.bytes, 1e6)
})

test('energy is that of idling, and of work on top', () => {
  const { joulesPerRequest, throughput } = simulate(single([0]), platform(2), { rate: 100, requests: 1000, even: true })
  // Two cards of 2 W all the time, and 8 W more for a millisecond.
  nearly(joulesPerRequest, 4 / throughput + 8e-3, 1e-6)
})

test('equal seeds give equal results, other seeds others; the trace holds every span', () => {
  const run = (seed: number) => simulate(single([0, 1]), platform(2), { rate: 1500, requests: 500, seed })
  assert.equal(run(4), run(4))
  assert.is.not(run(4).latency.p99, run(5).latency.p99)
  const spans: Span[] = []
  simulate(single([0]), platform(1), { rate: 10, requests: 3, observe: (span) => spans.push(span) })
  const { traceEvents } = traceOf(spans)
  assert.is(traceEvents.filter(({ ph }) => ph === 'X').length, spans.length)
  assert.ok(traceEvents.some(({ args }) => args.name === 'platform (modelled)'))
  assert.equal(JSON.parse(JSON.stringify(traceEvents)), traceEvents)
})

const whole = (on: readonly number[], seconds = 1e-3) =>
  planOf(
    [part('whole', on, seconds)],
    [
      ['host', 'whole', 0],
      ['whole', 'host', 0],
    ],
  )

test('a card that hangs, whose link fails or whose memory errs is lost and comes back; its requests run once more elsewhere (HW-07)', () => {
  const times = { timeoutSeconds: 0.05, restartSeconds: 0.2 }
  const serving = { rate: 1200, requests: 2000, times }
  const fine = simulate(whole([0, 1]), platform(2), serving)
  assert.equal([fine.failed, fine.retried, fine.states], [0, 0, []])
  for (const kind of ['hang', 'link', 'memory'] as const) {
    const at = 0.5
    const result = simulate(whole([0, 1]), platform(2), { ...serving, faults: [{ kind, card: 1, at }] })
    const lost = kind === 'hang' ? at + times.timeoutSeconds : at
    assert.equal(result.states, [
      { card: 1, state: 'lost', at: lost, why: kind },
      { card: 1, state: 'ready', at: lost + times.restartSeconds, why: 'restarted' },
    ])
    assert.is(result.failed, 0)
    assert.ok(result.retried > 0, kind)
    assert.ok(result.latency.most > fine.latency.most)
    // A hang is found by the time that a command takes.
    if (kind === 'hang') assert.ok(result.latency.most >= times.timeoutSeconds)
  }
})

test('a request that loses two cards fails; one whose only card is lost waits for it (HW-07)', () => {
  const times = { timeoutSeconds: 0.01, restartSeconds: 0.1 }
  const faults = [0, 1].map((card) => ({ kind: 'memory' as const, card, at: 0.0105 + card * 0.0005 }))
  const twice = simulate(whole([0, 1], 5e-3), platform(2), { rate: 200, requests: 20, even: true, faults, times })
  assert.is(twice.failed, 1)
  assert.is(twice.retried, 1)
  const single = simulate(whole([0]), platform(1), { rate: 100, requests: 50, even: true, faults: [faults[0]!], times })
  assert.is(single.failed, 0)
  assert.ok(single.latency.most >= times.restartSeconds)
})

test('a hot card computes slower and gets less to do; one with another firmware takes no part (HW-07)', () => {
  const serving = { rate: 1500, requests: 3000 }
  const busyOf = (result: ReturnType<typeof simulate>, name: string) => result.uses.find((use) => use.name === name)!.busy
  const fault = { kind: 'throttle' as const, card: 1, at: 0, seconds: 10, rate: 0.5 }
  const hot = simulate(whole([0, 1]), platform(2), { ...serving, faults: [fault] })
  assert.equal(
    hot.states.map(({ state, why }) => [state, why]),
    [
      ['slow', 'throttle'],
      ['ready', 'cooled'],
    ],
  )
  assert.ok(hot.latency.p99 > simulate(whole([0, 1]), platform(2), serving).latency.p99)
  assert.is(hot.failed, 0)
  const other = simulate(whole([0, 1]), platform(2), { rate: 500, requests: 500, faults: [{ kind: 'firmware', card: 1 }] })
  assert.equal(other.states, [{ card: 1, state: 'failed', at: 0, why: 'firmware' }])
  assert.is(busyOf(other, 'card 1'), 0)
  assert.is(other.failed, 0)
  // Where it is the only one, there is no answer, and no end that does not come.
  const none = simulate(whole([0]), platform(1), { rate: 500, requests: 100, faults: [{ kind: 'firmware', card: 0 }] })
  assert.is(none.failed, 100)
})

test('no request is lost or answered twice, whatever befalls cards', () => {
  const kinds = ['hang', 'link', 'memory', 'throttle'] as const
  for (let seed = 1; seed <= 40; seed++) {
    const next = mulberry(seed)
    const faults = Array.from({ length: 1 + Math.floor(6 * next()) }, (): Fault => {
      const kind = kinds[Math.floor(4 * next())]!
      const own = { card: Math.floor(3 * next()), at: next() }
      return kind === 'throttle' ? { kind, ...own, seconds: next(), rate: 0.2 + 0.8 * next() } : { kind, ...own }
    })
    const plan = planOf(
      [part('tables0', [0], 2e-4), part('tables1', [1], 2e-4), part('dense', [0, 1, 2], 1e-3)],
      [
        ['host', 'tables0', 1e3],
        ['host', 'tables1', 1e3],
        ['tables0', 'dense', 1e3],
        ['tables1', 'dense', 1e3],
        ['dense', 'host', 10],
      ],
    )
    const answered = new Map<number, number>()
    const observe = ({ kind, request }: Span) => kind === 'request' && answered.set(request, (answered.get(request) ?? 0) + 1)
    const times = { timeoutSeconds: 0.02, restartSeconds: 0.1 }
    const { failed } = simulate(plan, platform(3), { rate: 800, requests: 800, seed, faults, times, observe })
    assert.is(answered.size + failed, 800, `seed ${seed}`)
    assert.ok([...answered.values()].every((count) => count === 1))
  }
})

test('look-ups on cores of their own run beside the dense part of the request before (FB-03, FB-04)', () => {
  const flow = [
    ['host', 'tables0', 0],
    ['tables0', 'dense', 0],
    ['dense', 'host', 0],
  ] as const
  const even = { rate: 1e5, requests: 2000, even: true }
  const split = planOf(
    [
      { ...part('tables0', [0], 1e-3), cores: 4 },
      { ...part('dense', [0], 1e-3), cores: 8 },
    ],
    flow,
  )
  const joint = planOf([part('tables0', [0], 1e-3), part('dense', [0], 1e-3)], flow)
  const [beside, after] = [split, joint].map((plan) => simulate(plan, platform(1), even))
  nearly(after!.throughput, 500, 0.01)
  nearly(beside!.throughput / after!.throughput, 2, 0.01)
})

test('a batch goes when it is full or has waited, and costs one command (FB-19)', () => {
  const launch = { launchSeconds: 1e-3 }
  const plan = whole([0], 1e-4)
  const at = (rate: number, batching?: Batching) =>
    simulate(plan, platform(1, launch), { rate, requests: 4000, even: true, ...(batching && { batching }) })
  nearly(at(1e5).throughput, 1 / 1.1e-3, 0.01)
  nearly(at(1e5, { most: 8, delaySeconds: 1 }).throughput, 8 / 1.8e-3, 0.01)
  // Alone it waits for as long as it may.
  nearly(at(10, { most: 8, delaySeconds: 5e-3 }).latency.p50, 5e-3 + 1.1e-3, 1e-6)
})

test('cards that share what they work with are slower together', () => {
  const plan = planOf(
    [{ ...part('whole', [0, 1], 1e-3), crowdedSeconds: 1.5e-3 }],
    [
      ['host', 'whole', 0],
      ['whole', 'host', 0],
    ],
  )
  const alone = simulate(plan, platform(2), { rate: 10, requests: 100, even: true })
  nearly(alone.latency.p50, 1e-3)
  nearly(simulate(plan, platform(2), { rate: 1e5, requests: 2000, even: true }).throughput, 2 / 1.5e-3, 0.01)
})

test('energy is told for each processor, and for answers a joule (HW-06)', () => {
  const { energy, throughput } = simulate(single([0]), platform(2), { rate: 100, requests: 1000, even: true })
  assert.equal(
    energy.watts.map(({ name }) => name),
    ['host', 'card 0', 'card 1'],
  )
  nearly(energy.watts.reduce((sum, { average }) => sum + average, 0) / throughput, energy.joulesPerRequest, 1e-9)
  nearly(energy.requestsPerJoule, 1 / energy.joulesPerRequest)
  nearly(energy.idleJoules, 4 / throughput, 1e-9)
})

test.run()
