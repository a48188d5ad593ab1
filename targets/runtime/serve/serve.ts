import { boundedEntries } from '../bounded.ts'
import { checkBuckets, mergeEntries } from '../buckets.ts'
import { fail, GlowplugError } from '../error.ts'
import type { BucketedEntry } from '../manifest.ts'
import { builtin } from '../plan.ts'
import type { CardInfo, Observe, ServedEntry, ServeOptions, Server, ServerInfo } from './api.ts'
import { type Batching, createBatching } from './batch/open.ts'
import { type BoundModel, bindModel, type ServerParts } from './bind.ts'
import { copiesOf, hashOf } from './copies.ts'
import { createBucketedFlow, createFlowEntry, type FlowEntry, type Sanitize } from './entry.ts'
import { createSwapping, type Version } from './manager/swap.ts'
import { checkOptions, defaults } from './options.ts'
import {
  type CompiledModule,
  type ReadPlacement,
  readBundle,
  readPlacement,
  type Serve,
  type ServeSource,
} from './readPlacement.ts'
import { crossingBytes, hostCard } from './record.ts'
import { createSanitizer } from './sanitize.ts'
import { createSessions, type Sessions } from './session/open.ts'
import { planRegions } from './session/regions.ts'
import { carriedOf, guarded } from './session/states.ts'
import { metricsOf } from './watch/metrics.ts'
import { statisticsOf } from './watch/statistics.ts'
import type { Executor } from './work.ts'

/** A server as other rooms of serving see it. */
export interface OpenServer extends Omit<Server<any, any>, 'swap'> {
  readonly read: ReadPlacement
  /** Loads what is not loaded yet, on the host alone. */
  loaded(): BoundModel
  /** The same, and starts the cards. */
  opened(): BoundModel
  /** There are requests without an answer, or open sessions. */
  readonly isBusy: boolean
  /** Resolves when no session is open any more. */
  sessionsClosed(): Promise<void>
}

/** An entry of several sizes with those of its tensors alone that callers see. */
const narrowed = (spec: BucketedEntry, { inputs, outputs }: FlowEntry['info']): BucketedEntry => ({
  ...spec,
  inputs: spec.inputs.filter(({ name }) => inputs.some((tensor) => tensor.name === name)),
  outputs: spec.outputs.filter(({ name }) => outputs.some((tensor) => tensor.name === name)),
})

/** A server with what other rooms put in. */
export function openServer(source: ServeSource, options: ServeOptions = {}, extra: ServerParts = {}): OpenServer {
  checkOptions(options)
  const { active = defaults.active, queue = defaults.queue } = options
  let observers: readonly Observe[] = []
  let found: ReadPlacement | undefined
  let started: BoundModel | undefined
  let entries: Readonly<Record<string, ServedEntry<any, any>>> | undefined
  let batching: Batching | undefined
  let sessions: Sessions | undefined
  let ending: 'draining' | 'closed' | undefined

  const read = () => {
    found ??=
      readPlacement(source) ??
      copiesOf(readBundle(source), options.cards ?? extra.copies ?? Math.min(6, builtin('os').availableParallelism()))
    return found
  }
  const about = (text: string) => `model '${read().placement.model}' ${text}`

  function broadcast(event: Parameters<Observe>[0]): void {
    for (const observe of observers)
      try {
        observe(event)
      } catch (error) {
        // Whoever watches is not to harm what is watched; it is told as any error that nobody catches.
        process.nextTick(() => {
          throw error
        })
      }
  }
  const observe = () => (observers.length > 0 ? broadcast : undefined)

  function loaded() {
    if (ending === 'closed') throw closedError()
    started ??= bindModel(read(), options, extra, { observe, lost: (card, error) => sessions?.lost(card, error) })
    return started
  }

  let isStarted = false
  function opened() {
    const started = loaded()
    if (!isStarted) {
      isStarted = true
      // What goes wrong is what requests and ready() are told.
      for (const card of started.cards) card.start().catch(() => {})
    }
    return started
  }

  const closedError = () => new GlowplugError('closed', about('is closed'))

  /** Throws where no more requests are taken. */
  function taking(): Executor {
    if (ending === 'draining') fail('draining', about('takes no more requests'))
    return opened().executor
  }

  /** Whoever watches is told of what is not let in. */
  const refusing =
    (entry: string, check: Sanitize): Sanitize =>
    (uses, inputs, arrays) => {
      try {
        check(uses, inputs, arrays)
      } catch (error) {
        const { code } = error as GlowplugError
        observe()?.({ kind: 'refused', code, entry, time: performance.now() })
        throw error
      }
    }

  function getEntries() {
    if (entries) return entries
    const { placement } = read()
    const { recorded, fixed, cards, executor } = opened()
    const check = extra.sanitize ?? createSanitizer(options.sanitize ?? 1)
    const flows: Record<string, FlowEntry> = {}
    const flowOf = Object.fromEntries(recorded.flows.map((flow) => [flow.entry, flow]))
    recorded.flows.forEach((flow, i) => {
      const sanitize = check && refusing(flow.entry, check)
      flows[flow.entry] = guarded(
        placement,
        flow,
        createFlowEntry({
          ...{ model: placement.model, flow, fixed: fixed[i]!, spare: active, sanitize, executor: taking },
        }),
      )
    })
    const shared =
      options.batching &&
      createBatching({
        ...{ model: placement.model, options: options.batching, flows: flowOf, queue, active, admit: taking, observe },
        fixed: ({ index }) => fixed[index]!,
        executor: () => executor,
        standing: () => cards.filter(({ index, state }) => index !== hostCard && state === 'ready').length,
        sanitize: check && ((uses, inputs, arrays, entry) => refusing(entry, check)(uses, inputs, arrays)),
      })
    const merged = mergeEntries<ServedEntry<any, any>>(
      placement.entries.map(({ name }) => name),
      checkBuckets((extra.plain ? { ...placement, buckets: undefined } : placement) as never),
      (name) => guarded(placement, flowOf[name]!, shared?.entry(flowOf[name]!) ?? flows[name]!),
      (spec) => shared?.entry(spec) ?? createBucketedFlow(spec, flows),
    )
    entries = extra.plain
      ? merged
      : boundedEntries(
          merged,
          placement.entries.flatMap(({ outputs }) => outputs),
        )
    shared?.check()
    batching = shared
    return entries
  }

  function getSessions(): Sessions {
    if (sessions) return sessions
    const { placement } = read()
    const { recorded, fixed, bound, executor, parts } = opened()
    const check = extra.sanitize ?? createSanitizer(options.sanitize ?? 1)
    sessions = createSessions(
      {
        ...{ model: placement.model, flows: recorded.flows, queue, executor: () => executor, admit: taking },
        regions: planRegions(parts, recorded.flows, placement.states),
        fixed: ({ index }) => fixed[index]!,
        cardsOf(part) {
          const { on } = placement.parts[part]!
          return (on === 'host' ? [hostCard] : on).map((index) => bound.get(index)!)
        },
        check: ({ entry, uses, inputs }, arrays) => check && refusing(entry, check)(uses, inputs, arrays),
        merge: (own) =>
          boundedEntries(
            mergeEntries<ServedEntry<any, any>>(
              placement.entries.map(({ name }) => name),
              checkBuckets(placement as never),
              (name) => own[name]!,
              (spec) => createBucketedFlow(narrowed(spec, own[spec.entries[0]!]!.info), own),
            ),
            placement.entries.flatMap(({ outputs }) => outputs),
          ),
      },
      () => carriedOf(read()),
    )
    return sessions
  }

  let only: ServedEntry<any, any> | undefined
  function main(): ServedEntry<any, any> {
    if (only) return only
    const [entry, other] = Object.values(getEntries())
    if (other) fail('entry-missing', about(`has several entries: call entries.${Object.keys(getEntries()).join(' or entries.')}`))
    only = entry!
    return only
  }

  /** Starts no card: to look at a server is not to use it. */
  function info(): ServerInfo {
    const { placement } = read()
    const { cards, recorded, executor } = loaded()
    const partsOf = (index: number) =>
      placement.parts.filter(({ on }) => (on === 'host' ? index === hostCard : on.includes(index))).map(({ name }) => name)
    return {
      model: placement.model,
      glowplug: placement.glowplug,
      bundle: hashOf(read()),
      parts: placement.parts.map(({ name }) => name),
      waiting: executor.waiting,
      active: executor.active,
      cards: cards.map(
        ({ index, name, device, state, target, bytes, restarts, pid }): CardInfo => ({
          ...{ index, name, device, state, target, bytes, restarts, pid, parts: partsOf(index) },
        }),
      ),
      crossing: Object.fromEntries(recorded.flows.map((flow) => [flow.entry, crossingBytes(flow)])),
    }
  }

  const server: OpenServer = {
    get name() {
      return main().name
    },
    get info() {
      return info()
    },
    get entries() {
      return getEntries()
    },
    get read() {
      return read()
    },
    loaded,
    opened,
    run: (inputs, request) => {
      try {
        return main().run(inputs, request)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async ready() {
      // How entries share runs is told before anything is answered.
      getEntries()
      await Promise.all(opened().cards.map((card) => card.start()))
    },
    async drain() {
      if (ending === 'closed') throw closedError()
      ending = 'draining'
      await Promise.all([batching?.drain(), sessions?.calls.zero()])
      if (started) await new Promise<void>((resolve) => started!.executor.onIdle(resolve))
    },
    async close() {
      if (ending === 'closed') return
      ending = 'closed'
      if (!started) return
      batching?.close(closedError())
      sessions?.end(closedError())
      started.executor.failAll(closedError())
      await Promise.all(started.cards.map((card) => card.close()))
    },
    watch(observe) {
      observers = [...observers, observe]
      return () => {
        observers = observers.filter((other) => other !== observe)
      }
    },
    get isBusy() {
      const executor = started?.executor
      return (executor?.waiting ?? 0) + (executor?.active ?? 0) + (sessions?.sessions.size ?? 0) > 0 || batching?.isBusy === true
    },
    session: (options) => getSessions().open(options && Object(options)),
    sessionsClosed: async () => sessions?.sessions.zero(),
    statistics: () => statisticsOf(metricsOf(server)),
  }
  return server
}

/**
 * Serves a model on cards: a folder that `glowplug build --platform` made, where it is placed, or any bundle, which every card has whole. Does nothing yet:
 * it is loaded by `ready`, or by the first request. Options are checked at once; all other errors come from there.
 */
export const serve: Serve = (source: ServeSource | CompiledModule, options: ServeOptions = {}): any => {
  let ids = 0
  const extra: ServerParts = { nextId: () => ids++ }
  const open = (from: ServeSource, own: ServeOptions = options): Version => ({
    server: openServer(from, own, extra),
    release() {},
  })
  return createSwapping(open(source as ServeSource), open)
}
