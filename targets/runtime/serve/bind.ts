import { fail, type GlowplugError } from '../error.ts'
import { checkNames, type TensorArray } from '../tensor.ts'
import type { Observe, ServeOptions } from './api.ts'
import type { Card, CardOptions, CardPart } from './card.ts'
import { type BoundCard, createLoad } from './choose.ts'
import type { Sanitize } from './entry.ts'
import { createExecutor } from './execute.ts'
import type { Gate } from './gate.ts'
import { loadParts } from './loadParts.ts'
import { defaults, fixedOf } from './options.ts'
import { createProcessCards } from './process/card.ts'
import type { ReadPlacement } from './readPlacement.ts'
import { hostCard, type Recorded, record } from './record.ts'
import { leavingOut } from './watch/overhead.ts'
import type { Executor } from './work.ts'
import { createWorkerCards } from './worker/cards.ts'

/** What other rooms of serving put in: not for callers. */
export interface ServerParts {
  /** Cards of a model without a placement, where the options do not say. */
  readonly copies?: number | undefined
  /** Added to the priorities of its requests. */
  readonly priority?: number | undefined
  readonly sanitize?: Sanitize | undefined
  /** Entries stand as they are, and not as one of several sizes. */
  readonly plain?: boolean | undefined
  /** Numbers for requests, where several versions of a model share them. */
  readonly nextId?: (() => number) | undefined
  /** Where several models share what may be under way. */
  readonly gate?: Gate | undefined
}

/** A model that is loaded on the host, and its cards, which have not been started. */
export interface BoundModel {
  readonly executor: Executor
  readonly cards: readonly Card[]
  readonly recorded: Recorded
  /** By flow and input, the values that are the same for all requests. */
  readonly fixed: readonly (readonly (TensorArray | undefined)[])[]
  /** By index, cards as the executor sees them. */
  readonly bound: ReadonlyMap<number, BoundCard>
  readonly parts: readonly CardPart[]
}

/** What becomes of cards. */
export interface BindEvents {
  readonly observe: () => Observe | undefined
  /** A card is gone, and what it held. */
  lost(card: BoundCard, error: GlowplugError | undefined): void
}

/** Loads a model and binds its logical cards to devices. Errors: `placement-missing`, and those of `open`. */
export function bindModel(
  placed: ReadPlacement,
  options: ServeOptions,
  extra: ServerParts,
  { observe, lost }: BindEvents,
): BoundModel {
  const {
    active = defaults.active,
    queue = defaults.queue,
    sessions: kept = placed.placement.states ? defaults.sessions : 0,
  } = options
  const { timeout = defaults.timeout, threads = defaults.threads, device = 'worker', peerToPeer = true } = options
  const { placement } = placed
  const { cards: wanted } = options
  if (wanted !== undefined && placement.cards.length > wanted)
    fail(
      'placement-missing',
      `model '${placement.model}' is placed on ${placement.cards.length} cards, and there are ${wanted}: leave the option cards away, which makes ${placement.cards.length}, or build the model for a platform of ${wanted} (--platform)`,
    )
  const parts = loadParts(placed, options)
  const recorded = record(placement, parts)
  checkNames(
    options.statics,
    // An entry of several sizes is several flows.
    [...new Map(recorded.flows.flatMap(({ inputs }) => inputs.map((tensor) => [tensor.name, tensor]))).values()],
    'input',
  )
  const fixed = recorded.flows.map(({ inputs }) => fixedOf(inputs, options.statics))
  const bound = new Map<number, BoundCard>()
  const optionsOf = (index: number, name: string): CardOptions => {
    const own = parts.filter(({ index: part }) => {
      const { on } = placement.parts[part]!
      return on === 'host' ? index === hostCard : on.includes(index)
    })
    return {
      ...{ index, name, parts: own, slots: active + kept, kept, threads, timeout, verify: options.verify },
      programs: recorded.programs.filter(({ part }) => own.some((each) => each.index === part)),
      watcher: {
        changed(card, state, error) {
          observe()?.({ kind: 'card', card: card.index, state, time: performance.now(), error })
          if (state !== 'ready' && state !== 'starting') lost(bound.get(card.index)!, error)
          executor.changed(bound.get(card.index)!, state, error)
        },
      },
    }
  }
  const logical = placement.cards.map((name, index) => optionsOf(index, name)).filter(({ parts }) => parts.length > 0)
  const host = [optionsOf(hostCard, 'host')].filter(({ parts }) => parts.length > 0)
  const cards =
    device === 'process'
      ? [...createProcessCards(logical, peerToPeer), ...createWorkerCards(host)]
      : createWorkerCards([...logical, ...host])
  for (const own of cards) {
    const card = leavingOut(own, options.overhead ?? 0)
    bound.set(card.index, {
      ...{ card, load: createLoad(), ended: 0, error: undefined, suspicious: false },
      averages: Float64Array.from(recorded.modelled),
      measured: new Uint8Array(recorded.programs.length),
      statics: new Uint16Array(options.statics ? (active + kept) * recorded.programs.length : 0),
    })
  }
  const executor = createExecutor({
    ...{
      model: placement.model,
      active,
      queue,
      kept,
      peerToPeer,
      observe,
      nextId: extra.nextId,
      gate: extra.gate,
      priority: extra.priority,
    },
    cardsOf: ({ on }) => on.map((index) => bound.get(index)!),
    statics: options.statics && fixed,
  })
  return { executor, cards, recorded, fixed, bound, parts }
}
