import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Card, Platform } from '../../compiler/partition/index.ts'
import type { Plan, PlannedPart } from '../../compiler/partition/plan.ts'
import { loadPreset } from '../../targets/platform/index.ts'
import { type Span, simulate, traceOf } from '../../targets/platform/simulate/index.ts'

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

test.run()
