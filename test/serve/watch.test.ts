// What a server tells those who watch it: metrics, spans, traces, plug-ins.
import { AsyncLocalStorage } from 'node:async_hooks'
import * as api from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type CardFailure,
  mergeTraces,
  metricsText,
  type RequestFailure,
  recordTrace,
  type ServeEvent,
  type ServeOptions,
  type TracedRequest,
  type TraceEvent,
  traceLevels,
  watchEventLoop,
  watchSpans,
  watchTrace,
  watchWith,
} from '../../targets/runtime/serve/index.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { createHistogram, merge, note, quantile } from '../../targets/runtime/serve/watch/histogram.ts'
import { labelText } from '../../targets/runtime/serve/watch/labels.ts'
import { draw } from '../support/draw.ts'
import { readExposition } from './exposition.ts'
import { codeOf, kinds, modes, unruly, unrulyInputs, until } from './support.ts'

const kind = kinds[0]!
const served: { close(): Promise<void> }[] = []
test.after(async () => {
  await Promise.all(served.map((server) => server.close()))
})

async function start(options: ServeOptions = {}) {
  const server = openServer(await unruly(kind), { cards: 2, ...options })
  served.push(server)
  await server.ready()
  const run = (mode: number, more = {}) => server.entries.main!.run(unrulyInputs(mode), more)
  return { server, run }
}

const openServerInfo = { model: 'm"\\\n', glowplug: '0', bundle: '0', parts: ['whole'], cards: [], crossing: {} }

/** Values of a family by the labels that count. */
function valuesOf(text: string, family: string, ...labels: readonly string[]): Record<string, number> {
  const { samples } = readExposition(text).get(family) ?? { samples: [] }
  return Object.fromEntries(samples.map((sample) => [labels.map((label) => sample.labels[label]).join(' '), sample.value]))
}

test('labels of any text come back whole from the text format (RT-17)', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const text = `# HELP x y\n# TYPE x gauge\nx${labelText([
        ['a', a],
        ['b', b],
      ])} 1\n`
      // The format divides lines by \n alone.
      assert.equal(readExposition(text).get('x')!.samples[0]!.labels, { a, b })
    }),
    draw(17, 300),
  )
})

test('a histogram counts every value once, below its bound, and estimates shares between bounds (RT-17)', () => {
  const values = fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, values, (first, second) => {
      const bounds = [1, 2, 5, 10]
      const [a, b] = [createHistogram(bounds), createHistogram(bounds)]
      for (const value of first) note(a, value)
      for (const value of second) note(b, value)
      merge(a, b)
      const all = [...first, ...second]
      assert.is(a.count, all.length)
      let below = 0
      bounds.forEach((bound, i) => {
        below += a.counts[i]!
        assert.is(below, all.filter((value) => value <= bound).length)
      })
      const sorted = all.sort((x, y) => x - y)
      const median = sorted[Math.ceil(0.5 * all.length) - 1]!
      const at = bounds.findIndex((bound) => median <= bound)
      const estimate = quantile(a, 0.5)
      if (at >= 0) assert.ok(estimate >= (bounds[at - 1] ?? 0) && estimate <= bounds[at]!, `${estimate} for ${median}`)
      else assert.is(estimate, 10)
    }),
    draw(18, 200),
  )
  assert.ok(Number.isNaN(quantile(createHistogram([1]), 0.5)))
})

test('metrics count requests, answers by code, refusals, commands, bytes and cards, and Prometheus can read them (RT-17 RT-19)', async () => {
  const { server, run } = await start({ active: 1, queue: 0 })
  assert.equal(valuesOf(metricsText(server), 'glowplug_requests_total', 'entry'), {})
  for (let i = 0; i < 5; i++) await run(modes.sum)
  assert.is(await codeOf(() => run(modes.fault)), 'run-fault')
  const slow = run(kind === 'native' ? 150 : modes.sum)
  assert.is(await codeOf(() => run(modes.sum)), 'request-refused')
  await slow
  const text = metricsText(server)
  assert.equal(valuesOf(text, 'glowplug_requests_total', 'entry'), { main: 7 })
  assert.equal(valuesOf(text, 'glowplug_requests_answered_total', 'entry', 'code'), { 'main ok': 6, 'main run-fault': 1 })
  assert.equal(valuesOf(text, 'glowplug_requests_refused_total', 'code'), { 'request-refused': 1 })
  // x: f32[4], mode: i32[1]; y: f32[4].
  assert.equal(valuesOf(text, 'glowplug_request_bytes_total', 'direction'), { in: 140, out: 96 })
  const links = valuesOf(text, 'glowplug_link_bytes_total', 'from', 'card')
  assert.is(links['host card0']! + links['host card1']!, 140)
  assert.is(Object.values(valuesOf(text, 'glowplug_command_errors_total', 'code'))[0], 1)
  assert.equal(valuesOf(text, 'glowplug_requests_active'), { '': 0 })
  const states = valuesOf(text, 'glowplug_card_state', 'card', 'state')
  assert.is(states['card0 ready'], 1)
  assert.is(states['card0 lost'], 0)
  assert.ok(valuesOf(text, 'glowplug_card_memory_bytes', 'card', 'kind')['card1 weights']! > 0)
  const seconds = readExposition(text).get('glowplug_request_seconds')!
  assert.is(seconds.samples.find(({ name }) => name.endsWith('_count'))!.value, 7)
  const { samples } = readExposition(text).get('glowplug_command_seconds')!
  assert.equal([...new Set(samples.map(({ labels }) => labels.part))], ['whole'])
  const statistics = server.statistics()
  assert.equal([statistics.requests, statistics.processed, statistics.succeeded], [7, 7, 6])
  assert.equal([statistics.failed, statistics.refused], [{ 'run-fault': 1 }, { 'request-refused': 1 }])
  assert.is(
    statistics.cards.reduce((sum, { command }) => sum + command.count, 0),
    7,
  )
  await server.close()
  assert.equal(valuesOf(metricsText(server), 'glowplug_requests_total', 'entry'), { main: 7 })
})

test('two servers of one bundle are one series, others have their own (RT-17)', async () => {
  const [a, b] = [await start(), await start()]
  metricsText(a.server, b.server)
  await Promise.all([a.run(modes.sum), b.run(modes.sum), b.run(modes.sum)])
  assert.equal(valuesOf(metricsText(a.server, b.server), 'glowplug_requests_total', 'entry'), { main: 3 })
})

test('how late the event loop is stands in the metrics while it is watched (RT-17)', async () => {
  const { server } = await start()
  const family = 'glowplug_event_loop_delay_seconds'
  assert.not.ok(readExposition(metricsText(server)).has(family))
  const stop = watchEventLoop()
  await until(() => readExposition(metricsText(server)).has(family), 'the monitor looked')
  const { samples } = readExposition(metricsText(server)).get(family)!
  assert.equal(
    samples.map(({ labels }) => labels.quantile),
    ['0.5', '0.99', '1'],
  )
  stop()
  assert.not.ok(readExposition(metricsText(server)).has(family))
})

/** The simplest context manager that works across promises. */
function enableContexts() {
  const storage = new AsyncLocalStorage<api.Context>()
  const manager: api.ContextManager = {
    active: () => storage.getStore() ?? api.ROOT_CONTEXT,
    with: (context, body, self, ...args) => storage.run(context, () => body.call(self as never, ...args)),
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  api.context.setGlobalContextManager(manager)
  return () => api.context.disable()
}

test('a request is a span below its caller, with children for waiting and for each run on a card (RT-18)', async () => {
  const disable = enableContexts()
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const { server, run } = await start()
  const tracer = provider.getTracer('test')
  const stop = await watchSpans(server, { tracer })
  const callers = ['first', 'second'].map((name) => tracer.startSpan(name))
  await Promise.all(
    callers.map((caller, i) =>
      api.context.with(api.trace.setSpan(api.context.active(), caller), async () => {
        await Promise.resolve()
        const answer = run(i === 0 ? modes.sum : modes.fault)
        if (i === 0) await answer
        else assert.is(await codeOf(() => answer), 'run-fault')
      }),
    ),
  )
  stop()
  disable()
  const spans = exporter.getFinishedSpans()
  const requests = spans.filter(({ name }) => name === 'request unruly')
  assert.is(requests.length, 2)
  const childrenOf = (parent: Pick<ReadableSpan, 'spanContext'>) =>
    spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent.spanContext().spanId)
  callers.forEach((caller, i) => {
    const [request, other] = childrenOf(caller)
    assert.is(other, undefined)
    assert.is(request!.attributes['glowplug.entry'], 'main')
    assert.match(String(request!.attributes['glowplug.bundle']), /^[0-9a-f]{8}$/)
    const children = childrenOf(request!)
    assert.equal(children.map(({ name }) => name).sort(), ['queue', 'run whole'])
    const command = children.find(({ name }) => name === 'run whole')!
    assert.match(String(command.attributes['glowplug.card']), /^card[01]$/)
    assert.is(command.attributes['glowplug.part'], 'whole')
    assert.is(command.status.code, i === 0 ? api.SpanStatusCode.UNSET : api.SpanStatusCode.ERROR)
    assert.is(request!.status.code, i === 0 ? api.SpanStatusCode.UNSET : api.SpanStatusCode.ERROR)
    assert.is(request!.attributes['error.type'], i === 0 ? undefined : 'run-fault')
    const nanoseconds = ([seconds, rest]: readonly [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)
    for (const child of children) {
      assert.ok(nanoseconds(child.startTime) >= nanoseconds(request!.startTime), child.name)
      assert.ok(nanoseconds(child.endTime) <= nanoseconds(request!.endTime), child.name)
    }
  })
})

test('spans come from the provider that is registered, where none is given (RT-18)', async () => {
  const exporter = new InMemorySpanExporter()
  api.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  const { server, run } = await start()
  const stop = await watchSpans(server)
  await run(modes.sum)
  stop()
  await run(modes.sum)
  api.trace.disable()
  assert.equal(exporter.getFinishedSpans().filter(({ name }) => name.startsWith('request')).length, 1)
})

/** What must hold for every trace: known phases, whole numbers for rows, an end for each beginning, nothing negative. */
function checkTrace(events: readonly TraceEvent[]): void {
  const begun = new Map<string, number>()
  for (const { name, ph, ts, dur, pid, tid, id } of events) {
    assert.ok(['X', 'b', 'e', 'I', 'M'].includes(ph), ph)
    assert.ok(Number.isInteger(pid) && Number.isInteger(tid) && tid >= 0, name)
    assert.ok(Number.isFinite(ts) && ts >= 0)
    if (ph === 'X') assert.ok(dur! >= 0, name)
    if (ph === 'b') begun.set(`${name} ${id}`, ts)
    if (ph === 'e') {
      assert.ok(ts >= begun.get(`${name} ${id}`)!)
      begun.delete(`${name} ${id}`)
    }
  }
  assert.is(begun.size, 0)
}

test('a trace has the levels that were asked for, of the requests that were chosen, each whole when it is told (TO-09 RT-18)', async () => {
  const { server, run } = await start()
  const { request, runtime, copy, debug } = traceLevels
  const taken = new Map<number, TracedRequest[]>()
  const stops = [request, runtime, copy, request + runtime + copy, debug].map((levels) => {
    const list: TracedRequest[] = []
    taken.set(levels, list)
    return watchTrace(server, (traced) => list.push(traced), { levels })
  })
  const some: TracedRequest[] = []
  stops.push(watchTrace(server, (traced) => some.push(traced), { should: ({ request }) => request % 3 === 0 }))
  for (let i = 0; i < 6; i++) await run(modes.sum)
  assert.is(await codeOf(() => run(modes.fault)), 'run-fault')
  for (const stop of stops) stop()
  const names = (levels: number) => taken.get(levels)!.map(({ events }) => events.map(({ cat, ph }) => `${cat} ${ph}`))
  assert.equal(names(request), Array(7).fill(['request X']))
  assert.ok(names(runtime).every((list) => list.at(-1) === 'runtime X'))
  assert.equal(names(copy), Array(7).fill(['copy X']))
  assert.ok(names(request + runtime + copy).every((list) => list.includes('copy X') && list.at(-1) === 'request X'))
  assert.ok(names(debug).every((list) => list.every((name) => name === 'debug I' || name === 'debug')))
  assert.equal(some.length, 3)
  for (const list of taken.values()) for (const { events } of list) checkTrace(events)
  const failed = taken.get(request)!.at(-1)!.events[0]!
  assert.is(failed.args.error, 'run-fault')
  assert.match(String(failed.args.bundle), /^[0-9a-f]{8}$/)
  assert.is(await codeOf(() => watchTrace(server, () => {}, { levels: 0 })), 'bad-option')
  assert.is(await codeOf(() => watchTrace(server, () => {}, { levels: 32 })), 'bad-option')
})

test('a recorded trace names its rows, is bounded, and joins with those of other processes (TO-09)', async () => {
  const { server, run } = await start()
  const recordings = [recordTrace(server), recordTrace(server, { limit: 4 })] as const
  await Promise.all([run(modes.sum), run(modes.sum), run(modes.sum)])
  const [whole, short] = recordings.map((recording) => JSON.parse(JSON.stringify(recording.trace()))) as [any, any]
  for (const recording of recordings) recording.stop()
  checkTrace(whole.traceEvents)
  const rows = whole.traceEvents.filter(({ ph }: TraceEvent) => ph === 'M').map(({ args }: TraceEvent) => args.name)
  for (const row of ['host', 'card0', 'card1', 'slot 0']) assert.ok(rows.includes(row), row)
  assert.is(whole.omitted, 0)
  assert.ok(short.omitted > 0)
  const merged = mergeTraces(whole, whole)
  assert.is(merged.traceEvents.length, 2 * whole.traceEvents.length)
  assert.is(new Set(merged.traceEvents.map(({ pid }) => pid)).size, 4)
})

test('monitors follow cards, reporters hear what befalls cards and requests, with card and bundle (RT-15 RT-16 FB-20)', async () => {
  const { server, run } = await start({ device: 'process' })
  const told: string[] = []
  const cards: CardFailure[] = []
  const requests: RequestFailure[] = []
  const inputs: unknown[] = []
  const stop = watchWith(server, {
    name: 'all',
    monitor: { start: ({ name }) => told.push(`start ${name}`), stop: ({ name }) => told.push(`stop ${name}`) },
    cardFailed: (failure) => cards.push(failure),
    requestFailed: (failure) => {
      requests.push(failure)
      inputs.push(failure.inputs())
    },
  })
  assert.equal(told, ['start card0', 'start card1'])
  // On one card, then on the other.
  assert.is(await codeOf(() => run(modes.crash)), 'card-lost')
  await until(() => told.length >= 6, 'both cards stand again')
  stop()
  const of = (card: string) => told.filter((text) => text.endsWith(card))
  for (const card of ['card0', 'card1'])
    assert.equal(of(card), [`start ${card}`, `stop ${card}`, `start ${card}`, `stop ${card}`])
  assert.equal(cards.map(({ card, state }) => `${card!.name} ${state}`).sort(), ['card0 lost', 'card1 lost'])
  assert.is(requests.length, 1)
  const [{ bundle, model, entry, code, cards: ran }] = requests as [RequestFailure]
  assert.equal([bundle, model, entry, code], [server.info.bundle, 'unruly', 'main', 'card-lost'])
  assert.equal(ran.map(({ name, part, error }) => [name, part, error]).sort(), [
    ['card0', 'whole', 'card-lost'],
    ['card1', 'whole', 'card-lost'],
  ])
  const { x, mode } = inputs[0] as any
  assert.equal([[...x.data], x.shape, [...mode.data]], [[1, 2, 3, 4], [2, 2], [modes.crash]])
})

test('a plug-in that fails is told of once, and harms neither the server nor others (RT-15 RT-16 RT-17 RT-18)', async () => {
  const warnings: string[] = []
  const hear = (warning: Error & { code?: string }) => warning.code === 'GLOWPLUG_PLUGIN' && warnings.push(warning.message)
  process.on('warning', hear)
  const { server, run } = await start()
  const broken = (): never => {
    throw new Error('it is broken')
  }
  let exported = 0
  const stop = watchWith(
    server,
    {
      name: 'broken',
      monitor: { start: broken, stop: broken },
      requestFailed: broken,
      statistics: { every: 1e6, export: broken },
      trace: { export: broken },
    },
    { name: 'late', requestFailed: (async () => broken()) as never },
    { name: 'whole', trace: { export: () => exported++ } },
  )
  await run(modes.sum)
  assert.is(await codeOf(() => run(modes.fault)), 'run-fault')
  stop()
  await until(() => warnings.length >= 2, 'the warnings came')
  process.off('warning', hear)
  assert.is(exported, 2)
  assert.equal(warnings.length, 2)
  assert.match(warnings.join(), /plug-in 'broken' failed: it is broken/)
  assert.match(warnings.join(), /plug-in 'late' failed: it is broken/)
})

test('statistics are exported as often as asked, and once at the end (RT-17)', async () => {
  const { server, run } = await start()
  const seen: number[] = []
  assert.is(await codeOf(() => watchWith(server, { name: 'x', statistics: { every: 0, export() {} } })), 'bad-option')
  const stop = watchWith(server, { name: 'x', statistics: { every: 5, export: ({ processed }) => seen.push(processed) } })
  await run(modes.sum)
  await until(() => seen.includes(1), 'it was exported')
  await run(modes.sum)
  stop()
  assert.is(seen.at(-1), 2)
})

test('levels leave out copies, runs or both, and requests are answered all the same (RT-28)', async () => {
  for (const overhead of [0, 1, 2, 3] as const) {
    const { server, run } = await start({ cards: 1, overhead })
    const recording = recordTrace(server, { levels: traceLevels.runtime })
    const first = await codeOf(() => run(modes.fault)).catch(() => 'ok')
    // Where nothing is copied the mode is what it was before: 0, which adds; where nothing runs nothing is refused.
    assert.is(first, overhead === 0 ? 'run-fault' : 'ok', String(overhead))
    const { y } = (await run(modes.sum)) as any
    if (overhead === 0) assert.equal([...y.data], [11, 22, 33, 44])
    if (overhead >= 2) assert.not.equal([...y.data], [11, 22, 33, 44])
    assert.is(recording.trace().traceEvents.filter(({ ph, cat }) => cat === 'runtime' && ph === 'X').length, 2)
    recording.stop()
  }
  assert.is(await codeOf(() => openServer('nowhere', { overhead: 4 as never })), 'bad-option')
})

test('requests that share a run count once each, and the run by its rows and its padding (FB-12 RT-17)', () => {
  const observers: ((event: ServeEvent) => void)[] = []
  const tell = (event: ServeEvent) => {
    for (const observe of observers) observe(event)
  }
  const info = { ...openServerInfo, waiting: 0, active: 0 }
  const watch = (observe: (event: ServeEvent) => void) => {
    observers.push(observe)
    return () => {}
  }
  const server = { info, watch }
  assert.equal(valuesOf(metricsText(server), 'glowplug_batch_padding_rows_total'), { '': 0 })
  const recording = recordTrace(server, { levels: traceLevels.request })
  const request = { kind: 'request', entry: 'main', bytes: 8, priority: 0 } as const
  const batch = { requests: [0, 1], rows: 3, size: 4, waited: 2 }
  tell({ ...request, request: 0, time: 10 })
  tell({ ...request, request: 1, time: 11 })
  tell({ ...request, request: 2, time: 12, bytes: 16, batch })
  tell({ kind: 'started', request: 2, slot: 0, time: 13 })
  tell({ kind: 'answered', request: 2, time: 20, milliseconds: 8, bytes: 16, batch })
  tell({ kind: 'answered', request: 0, time: 21, milliseconds: 11, bytes: 4 })
  tell({ kind: 'answered', request: 1, time: 22, milliseconds: 11, bytes: 4 })
  const text = metricsText(server)
  assert.equal(valuesOf(text, 'glowplug_requests_total', 'entry'), { main: 2 })
  assert.equal(valuesOf(text, 'glowplug_requests_answered_total', 'code'), { ok: 2 })
  assert.equal(valuesOf(text, 'glowplug_batch_padding_rows_total'), { '': 1 })
  const rows = readExposition(text).get('glowplug_batch_rows')!.samples
  assert.equal(
    rows.filter(({ labels }) => ['2', '5', '4'].includes(labels.le!)).map(({ value }) => value),
    [0, 1],
  )
  const { traceEvents } = recording.trace()
  checkTrace(traceEvents)
  assert.equal(
    traceEvents.filter(({ cat }) => cat === 'request').map(({ name, ph }) => `${name} ${ph}`),
    ['request 0 b', 'request 1 b', 'batch 2 X', 'request 0 e', 'request 1 e'],
  )
})

test.run()
