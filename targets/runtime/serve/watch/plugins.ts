import { type ErrorCode, GlowplugError } from '../../error.ts'
import type { TensorValue } from '../../tensor.ts'
import type { CardInfo, ServerStatistics } from '../api.ts'
import { createAbout, type Watched } from './about.ts'
import { metricsOf } from './metrics.ts'
import { statisticsOf } from './statistics.ts'
import { type TracedRequest, type TraceOptions, watchTrace } from './trace.ts'

/** What befell a card. */
export interface CardFailure {
  readonly kind: 'card'
  readonly model: string
  readonly bundle: string
  /** The card, where it runs, and its number. */
  readonly card: CardInfo | undefined
  readonly index: number
  readonly state: CardInfo['state']
  readonly code: ErrorCode
  readonly error: GlowplugError
  /** Milliseconds of the epoch. */
  readonly time: number
}

/** A request that failed. */
export interface RequestFailure {
  readonly kind: 'request'
  readonly model: string
  readonly bundle: string
  readonly glowplug: string
  readonly request: number
  readonly entry: string
  readonly code: ErrorCode
  readonly error: GlowplugError
  /** Cards that ran parts of it, and the code that ran there. */
  readonly cards: readonly { readonly name: string; readonly target: string; readonly part: string; readonly error?: ErrorCode }[]
  /** Copies of what it was given; to be asked for at once. */
  readonly inputs: () => Readonly<Record<string, TensorValue>>
  readonly time: number
}

/** Something that watches a server: an object with what it wants to be told. All of it is optional but the name. */
export interface ServerPlugin {
  /** What it is called where it fails. */
  readonly name: string
  /** Told of each card when it stands, and when it does not stand any more or nobody watches: what measures its health may run between. */
  readonly monitor?: { start(card: CardInfo): void; stop(card: CardInfo): void } | undefined
  /** Told of what befalls cards. */
  readonly cardFailed?: ((failure: CardFailure) => void) | undefined
  /** Told of each request that failed after it was let in. */
  readonly requestFailed?: ((failure: RequestFailure) => void) | undefined
  /** Given what the server has done so far, every so many milliseconds, and once more at the end. */
  readonly statistics?: { readonly every: number; export(statistics: ServerStatistics): void } | undefined
  /** Given the trace of each request that it wants. */
  readonly trace?: (TraceOptions & { export(traced: TracedRequest): void }) | undefined
}

/** Numbers of requests whose cards are remembered, so that what never ends costs no memory. */
const mostOpen = 100_000

/**
 * Has plug-ins watch a server from now on. What one of them throws harms neither the server nor the others: it is a process warning, `GLOWPLUG_PLUGIN`, the first time.
 * Returns a function that ends them. Errors: `bad-option`.
 */
export function watchWith(server: Watched, ...plugins: readonly ServerPlugin[]): () => void {
  const ends = plugins.map((plugin) => attach(server, plugin))
  return () => {
    for (const end of ends.splice(0)) end()
  }
}

function attach(server: Watched, plugin: ServerPlugin): () => void {
  const { name, monitor, cardFailed, requestFailed, statistics, trace } = plugin
  let warned = false
  function failed(error: unknown): void {
    if (warned) return
    warned = true
    process.emitWarning(`plug-in '${name}' failed: ${(error as Error)?.message ?? error}; later failures of it are not told`, {
      code: 'GLOWPLUG_PLUGIN',
    })
  }
  /** Of promises too. */
  function contain(body: () => unknown): void {
    try {
      const result = body() as Promise<unknown> | undefined
      if (typeof result?.then === 'function') result.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }
  const ends: (() => void)[] = []
  const about = createAbout(server)

  if (monitor) {
    const standing = new Map<number, CardInfo>()
    const follow = (index: number, isReady: boolean) => {
      const before = standing.get(index)
      if (before && !isReady) {
        standing.delete(index)
        contain(() => monitor.stop(before))
      } else if (!before && isReady) {
        const card = about.card(index)
        if (!card) return
        standing.set(index, card)
        contain(() => monitor.start(card))
      }
    }
    const stop = server.watch((event) => {
      about.note(event)
      if (event.kind === 'card') follow(event.card, event.state === 'ready')
    })
    for (const { index, state } of about.get().cards) follow(index, state === 'ready')
    ends.push(stop, () => {
      for (const index of [...standing.keys()]) follow(index, false)
    })
  }

  if (cardFailed || requestFailed) {
    type Ran = RequestFailure['cards'][number]
    const open = new Map<number, { readonly entry: string; readonly cards: Ran[] }>()
    ends.push(
      server.watch((event) => {
        about.note(event)
        if (event.kind === 'card' && event.error && cardFailed) {
          const { card: index, state, error, time } = event
          const { model, bundle } = about.get()
          contain(() =>
            cardFailed({
              ...{ kind: 'card', model, bundle, card: about.card(index), index, state, code: error.code, error },
              time: performance.timeOrigin + time,
            }),
          )
        }
        if (!requestFailed) return
        if (event.kind === 'request' && open.size < mostOpen) open.set(event.request, { entry: event.entry, cards: [] })
        if (event.kind === 'command') {
          const card = about.card(event.card)
          const error = event.error?.code ?? (event.fault ? ('run-fault' as const) : undefined)
          open.get(event.request)?.cards.push({
            ...{ name: about.cardName(event.card), target: card?.target ?? '', part: about.partName(event.part) },
            ...(error && { error }),
          })
        }
        if (event.kind === 'answered') {
          const { request, error, inputs, time } = event
          const own = open.get(request)
          open.delete(request)
          if (!error || !inputs || !own) return
          const { model, bundle, glowplug } = about.get()
          contain(() =>
            requestFailed({
              ...{ kind: 'request', model, bundle, glowplug, request, ...own, code: error.code, error, inputs },
              time: performance.timeOrigin + time,
            }),
          )
        }
      }),
    )
  }

  if (statistics) {
    if (!(statistics.every > 0))
      throw new GlowplugError('bad-option', `every must be above 0 milliseconds, got ${statistics.every}`)
    const metrics = metricsOf(server)
    const tell = () => contain(() => statistics.export(statisticsOf(metrics)))
    const timer = setInterval(tell, statistics.every)
    timer.unref()
    ends.push(() => {
      clearInterval(timer)
      tell()
    })
  }

  if (trace) ends.push(watchTrace(server, (traced) => contain(() => trace.export(traced)), trace))

  return () => {
    for (const end of ends.splice(0)) end()
  }
}
