import { fail } from '../../error.ts'
import type { ServeEvent } from '../api.ts'
import { createAbout, type Watched } from './about.ts'

/** What is used of a span of OpenTelemetry. */
interface Span {
  setAttributes(attributes: Record<string, string | number | boolean>): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: Error, time?: number): unknown
  addEvent(name: string, attributes?: Record<string, string | number>, time?: number): unknown
  end(time?: number): void
}

interface SpanOptions {
  kind?: number
  startTime?: number
  attributes?: Record<string, string | number>
  links?: { context: any }[]
}

export interface SpanTracer {
  startSpan(name: string, options: any, context?: any): any
}

/** What is used of `@opentelemetry/api`. */
export interface SpanApi {
  readonly trace: {
    getTracer(name: string, version?: string): SpanTracer
    setSpan(context: any, span: any): any
  }
  readonly context: { active(): any }
}

export interface SpanOptionsOfServer {
  /** The module `@opentelemetry/api`. Default: imported from where the application finds it. */
  readonly api?: SpanApi | undefined
  /** Whose spans these are. Default: the one called `glowplug` of the provider that is registered. */
  readonly tracer?: SpanTracer | undefined
}

/** Numbers of the OpenTelemetry specification. */
const kindInternal = 0
const statusError = 2

/** A request, or a run that several share, on its way. */
interface Open {
  readonly span: Span
  readonly context: any
  /** That of the time it waits. */
  waiting: Span | undefined
}

async function findApi(): Promise<SpanApi> {
  // A name that bundlers do not see: the package is an optional peer.
  const name = ['@opentelemetry', 'api'].join('/')
  try {
    return await import(name)
  } catch (error) {
    fail('bad-option', `spans need ${name}, which cannot be imported; install it, or pass it as api`, error)
  }
}

/**
 * Makes spans of what happens in a server from now on: one for each request, a child of the span that was active where it was called, with children for the time
 * that it waited and for each run of a part on a card. Runs that several requests share have spans of their own, linked with theirs. Resolves
 * to a function that ends it. Errors: `bad-option` where there is no `@opentelemetry/api`.
 */
export async function watchSpans(server: Watched, { api: given, tracer: own }: SpanOptionsOfServer = {}): Promise<() => void> {
  const api = given ?? (await findApi())
  const tracer = own ?? api.trace.getTracer('glowplug')
  const open = new Map<number, Open>()
  const about = createAbout(server)
  const { timeOrigin } = performance
  // Numbers are milliseconds of the epoch; small ones would be taken for times since the process began.
  const at = (time: number) => timeOrigin + time

  function begin(name: string, startTime: number, context: any, options: Omit<SpanOptions, 'startTime'>): Span {
    return tracer.startSpan(name, { kind: kindInternal, ...options, startTime: at(startTime) }, context) as Span
  }

  function failed(span: Span, error: Error & { readonly code: string }, time: number): void {
    span.setAttributes({ 'error.type': error.code })
    span.recordException(error, at(time))
    span.setStatus({ code: statusError, message: error.message })
  }

  function observe(event: ServeEvent): void {
    about.note(event)
    switch (event.kind) {
      case 'request': {
        const { model, bundle } = about.get()
        const { request, entry, time, bytes, priority, batch } = event
        const attributes = {
          ...{ 'glowplug.model': model, 'glowplug.bundle': bundle, 'glowplug.entry': entry, 'glowplug.request': request },
          ...{ 'glowplug.priority': priority, 'glowplug.bytes_in': bytes },
          ...(batch && { 'glowplug.batch.rows': batch.rows, 'glowplug.batch.size': batch.size }),
        }
        const links = batch?.requests.flatMap((id) => {
          const span = open.get(id)?.span as any
          return span ? [{ context: span.spanContext() }] : []
        })
        const span = begin(`${batch ? 'batch' : 'request'} ${model}`, time, api.context.active(), {
          attributes,
          ...(links && { links }),
        })
        const context = api.trace.setSpan(api.context.active(), span)
        open.set(request, { span, context, waiting: begin('queue', time, context, {}) })
        break
      }
      case 'started': {
        const own = open.get(event.request)
        own?.waiting?.end(at(event.time))
        if (own) own.waiting = undefined
        break
      }
      case 'command': {
        const own = open.get(event.request)
        if (!own) break
        const { card, part, time, milliseconds, bytes, fault, error } = event
        const on = about.card(card)
        const span = begin(`run ${about.partName(part)}`, time, own.context, {
          attributes: {
            ...{
              'glowplug.part': about.partName(part),
              'glowplug.card': about.cardName(card),
              'glowplug.bundle': about.get().bundle,
            },
            ...{ 'glowplug.device': on?.device ?? '', 'glowplug.target': on?.target ?? '' },
            ...{ 'glowplug.bytes_from_host': bytes.fromHost, 'glowplug.bytes_from_cards': bytes.fromCards },
            ...(fault > 0 && { 'glowplug.fault': fault }),
          },
        })
        if (error) failed(span, error, time + milliseconds)
        else if (fault) span.setStatus({ code: statusError })
        span.end(at(time + milliseconds))
        break
      }
      case 'retried': {
        const { request, card, time } = event
        open.get(request)?.span.addEvent('retried', { 'glowplug.card': card }, at(time))
        break
      }
      case 'answered': {
        const own = open.get(event.request)
        if (!own) break
        open.delete(event.request)
        own.waiting?.end(at(event.time))
        own.span.setAttributes({ 'glowplug.bytes_out': event.bytes })
        if (event.error) failed(own.span, event.error, event.time)
        own.span.end(at(event.time))
        break
      }
    }
  }

  const stop = server.watch(observe)
  return () => {
    stop()
    // Whoever collects them is to see them all.
    for (const { span, waiting } of open.values()) {
      waiting?.end()
      span.end()
    }
    open.clear()
  }
}
