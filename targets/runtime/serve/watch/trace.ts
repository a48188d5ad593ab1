import { GlowplugError } from '../../error.ts'
import type { ServeEvent } from '../api.ts'
import { type About, createAbout, type Watched } from './about.ts'

/** What a trace shows, as bits that are added together. */
export const traceLevels = { request: 1, runtime: 2, copy: 4, operator: 8, debug: 16 } as const

/** One event of the Chrome trace format, which Perfetto reads. Times are microseconds of the machine's monotonic clock. */
export interface TraceEvent {
  readonly name: string
  readonly cat: string
  /** Complete, begin, end, instant, and what rows are called. */
  readonly ph: 'X' | 'b' | 'e' | 'I' | 'M'
  readonly ts: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly id?: number
  /** Of an instant: how far it reaches across the rows. */
  readonly s?: 't' | 'p' | 'g'
  readonly args: Readonly<Record<string, string | number>>
}

export interface TraceFile {
  readonly displayTimeUnit: 'ms'
  readonly traceEvents: readonly TraceEvent[]
  /** Events that were left out, since there were too many. */
  readonly omitted: number
}

/** Of one request, or, without one, of what befalls cards. */
export interface TracedRequest {
  readonly request: number | undefined
  readonly events: readonly TraceEvent[]
}

export interface TraceOptions {
  /** Sum of `traceLevels`. Default: request, runtime, copy and operator. */
  readonly levels?: number | undefined
  /** Whether a request is traced: asked once, when it comes. Default: all are. */
  readonly should?:
    | ((request: { readonly request: number; readonly entry: string; readonly priority: number }) => boolean)
    | undefined
}

const [requestRows, cardRows] = [1, 2]
/** The row of what the host does for cards; cards follow, the host's own processor first. */
const hostRow = 0
const rowOf = (card: number): number => card + 2

/**
 * Milliseconds of the monotonic clock, which all processes of a machine share, when `performance.now` began. Times of the epoch would leave a quarter of a microsecond
 * for what takes one.
 */
const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now()
const stamp = (time: number): number => Math.round((origin + time) * 1e6) / 1e3
const lasting = (milliseconds: number): number => Math.round(milliseconds * 1e6) / 1e3

/** What a traced request has had so far. */
interface Open {
  readonly events: TraceEvent[]
  readonly entry: string
  readonly came: number
  /** None for requests that share a run, which has one. */
  slot: number | undefined
  started: number
}

type On<K extends ServeEvent['kind']> = Extract<ServeEvent, { kind: K }>

/** What a request was, once it is over. */
function requestEvents(about: About, { entry, came, slot, started }: Open, event: On<'answered'>): TraceEvent[] {
  const { request, time, bytes, error, batch } = event
  const { model, bundle } = about.get()
  const args = {
    ...{ request, model, bundle, entry, bytes, queued: Math.round((started - came) * 1e3) / 1e3 },
    ...(batch && { rows: batch.rows, size: batch.size }),
    ...(error && { error: error.code, message: error.message }),
  }
  const shared = { name: `${batch ? 'batch' : 'request'} ${request}`, cat: 'request', pid: requestRows, args }
  if (slot !== undefined) return [{ ...shared, ph: 'X', ts: stamp(started), dur: lasting(time - started), tid: slot }]
  // They overlap, and have no row of their own.
  const apart = { ...shared, tid: 0, id: request }
  return [
    { ...apart, ph: 'b', ts: stamp(came) },
    { ...apart, ph: 'e', ts: stamp(time) },
  ]
}

/** A run of a part on a card, and the copies before it. */
function commandEvents(about: About, event: On<'command'>, levels: number): TraceEvent[] {
  const { request, card, part, time, milliseconds, bytes, fault, error, copies } = event
  const shared = { request, part: about.partName(part), card: about.cardName(card), bundle: about.get().bundle }
  const events: TraceEvent[] = []
  if (levels & traceLevels.copy && copies && bytes.fromHost > 0)
    events.push({
      ...{ name: `copy to ${shared.card}`, cat: 'copy', ph: 'X', ts: stamp(copies.time), dur: lasting(copies.milliseconds) },
      ...{ pid: cardRows, tid: hostRow, args: { ...shared, bytes: bytes.fromHost } },
    })
  if (levels & traceLevels.runtime)
    events.push({
      ...{
        name: shared.part,
        cat: 'runtime',
        ph: 'X',
        ts: stamp(time),
        dur: lasting(milliseconds),
        pid: cardRows,
        tid: rowOf(card),
      },
      args: {
        ...{ ...shared, 'bytes from host': bytes.fromHost, 'bytes from cards': bytes.fromCards },
        ...(fault > 0 && { fault }),
        ...(error && { error: error.code, message: error.message }),
      },
    })
  return events
}

const instant = (name: string, time: number, tid: number, args: TraceEvent['args'], cat = 'runtime'): TraceEvent => ({
  ...{ name, cat, ph: 'I', ts: stamp(time), pid: cardRows, tid, s: 't', args },
})

/**
 * Makes trace events of what happens in a server from now on, and gives those of a request to `take` when it is over and all of them are known. Returns a function
 * that ends it. Errors: `bad-option`.
 */
export function watchTrace(server: Watched, take: (traced: TracedRequest) => void, options: TraceOptions = {}): () => void {
  const { request: R, runtime, copy, operator, debug } = traceLevels
  const { levels = R + runtime + copy + operator, should = () => true } = options
  if (!Number.isInteger(levels) || levels < 1 || levels > R + runtime + copy + operator + debug)
    throw new GlowplugError('bad-option', `levels must be a sum of those in traceLevels, got ${levels}`)
  const about = createAbout(server)
  const open = new Map<number, Open>()
  return server.watch((event) => {
    about.note(event)
    switch (event.kind) {
      case 'request': {
        const { request, entry, priority, time } = event
        if (!should({ request, entry, priority })) break
        open.set(request, { events: [], entry, came: time, slot: undefined, started: time })
        break
      }
      case 'started': {
        const own = open.get(event.request)
        if (!own) break
        own.slot = event.slot
        own.started = event.time
        if (levels & runtime && event.time > own.came) {
          const shared = { name: 'queue', cat: 'runtime', id: event.request, pid: requestRows, tid: event.slot, args: {} }
          own.events.push({ ...shared, ph: 'b', ts: stamp(own.came) }, { ...shared, ph: 'e', ts: stamp(event.time) })
        }
        break
      }
      case 'command': {
        const own = open.get(event.request)
        if (!own) break
        own.events.push(...commandEvents(about, event, levels))
        if (levels & operator && event.kernels) own.events.push(...kernelEvents(about, event))
        break
      }
      case 'retried':
        if (levels & runtime)
          open.get(event.request)?.events.push(instant('retried', event.time, rowOf(event.card), { request: event.request }))
        break
      case 'answered': {
        const own = open.get(event.request)
        if (!own) break
        open.delete(event.request)
        if (levels & R) own.events.push(...requestEvents(about, own, event))
        take({ request: event.request, events: own.events })
        break
      }
      case 'refused':
        if (levels & runtime)
          take({
            request: undefined,
            events: [instant('refused', event.time, hostRow, { code: event.code, entry: event.entry })],
          })
        break
      case 'card': {
        const { card, state, time, error } = event
        const args = { card: about.cardName(card), state, ...(error && { error: error.code, message: error.message }) }
        if (levels & runtime) take({ request: undefined, events: [instant(state, time, rowOf(card), args)] })
        break
      }
    }
    if (levels & debug) {
      const { kind, time, ...rest } = event
      const plain = Object.entries(rest).filter(([, value]) => typeof value === 'string' || typeof value === 'number')
      take({
        request: undefined,
        events: [instant(kind, time, hostRow, Object.fromEntries(plain) as TraceEvent['args'], 'debug')],
      })
    }
  })
}

/** Kernels of a run that was built to tell their times. */
function kernelEvents(about: About, { request, card, part, time, milliseconds, kernels }: On<'command'>): TraceEvent[] {
  const all = kernels!()
  const first = (all[0]?.time ?? 0) - origin
  const span = all.reduce((last, each) => Math.max(last, each.time - origin + each.milliseconds), first) - first
  // The clock of a card is that of the machine or another: what it says lies inside of what the host has measured.
  const latest = Math.max(time, time + milliseconds - span)
  const shift = Math.min(Math.max(first, time), latest) - first
  return all.map(({ name, at, time: began, milliseconds: took }) => ({
    ...{
      name,
      cat: 'operator',
      ph: 'X' as const,
      ts: stamp(began - origin + shift),
      dur: lasting(took),
      pid: cardRows,
      tid: rowOf(card),
    },
    args: { request, part: about.partName(part), ...(at !== '' && { at }) },
  }))
}

/** What rows and groups of rows are called. */
function nameEvents(server: Watched, slots: ReadonlySet<number>): TraceEvent[] {
  const about = createAbout(server)
  const { model, bundle, cards } = about.get()
  const name = (what: string, pid: number, tid: number, text: string): TraceEvent => ({
    ...{ name: what, cat: 'meta', ph: 'M', ts: 0, pid, tid, args: { name: text } },
  })
  return [
    name('process_name', requestRows, 0, `requests of ${model} ${bundle}`),
    name('process_name', cardRows, 0, `cards of ${model} ${bundle}`),
    name('thread_name', cardRows, hostRow, 'host'),
    ...[...slots].sort((a, b) => a - b).map((slot) => name('thread_name', requestRows, slot, `slot ${slot}`)),
    ...cards.map(({ index, name: card }) => name('thread_name', cardRows, rowOf(index), card)),
  ]
}

export interface TraceRecording {
  /** What there is so far, for chrome://tracing and Perfetto: write it as JSON. */
  trace(): TraceFile
  stop(): void
}

/** Keeps the trace of what happens in a server from now on: `limit` events at most, a million unless said otherwise. */
export function recordTrace(
  server: Watched,
  { limit = 1e6, ...options }: TraceOptions & { readonly limit?: number | undefined } = {},
): TraceRecording {
  const kept: TraceEvent[] = []
  let omitted = 0
  const stop = watchTrace(
    server,
    ({ events }) => {
      if (kept.length + events.length > limit) omitted += events.length
      else kept.push(...events)
    },
    options,
  )
  return {
    stop,
    trace() {
      const slots = new Set(kept.flatMap(({ pid, tid }) => (pid === requestRows ? [tid] : [])))
      const ordered = [...kept].sort((a, b) => a.ts - b.ts)
      return { displayTimeUnit: 'ms', traceEvents: [...nameEvents(server, slots), ...ordered], omitted }
    },
  }
}

/** Traces of several servers or processes of one machine as one: their rows stand below each other, on one clock. */
export function mergeTraces(...traces: readonly TraceFile[]): TraceFile {
  const groups = 2
  const traceEvents = traces.flatMap(({ traceEvents }, i) =>
    traceEvents.map((event) => ({ ...event, pid: event.pid + groups * i })),
  )
  return { displayTimeUnit: 'ms', traceEvents, omitted: traces.reduce((sum, { omitted }) => sum + omitted, 0) }
}
