import { fail, GlowplugError } from '../../error.ts'
import { arrayOf, copyInput, elementCount, type InputValue, type TensorArray } from '../../tensor.ts'
import type { RequestOptions, ServedEntry } from '../api.ts'
import type { BoundCard } from '../choose.ts'
import type { Count } from '../count.ts'
import type { RecordedFlow } from '../record.ts'
import type { Executor, Job, Resident, Work } from '../work.ts'
import { type Call, createSessionEntry, type SessionEntry } from './call.ts'
import { type CarriedValue, type Carry, planCarried, type Whereabouts, whereAfter } from './carried.ts'

export interface SessionOptions {
  /** Outputs of a run that are inputs of the next: `{ state: 'nextState' }`. Callers neither give the one nor get the other. */
  readonly carry: Carry
  /** What carried inputs are at first, and after `reset`. Default: zeros. */
  readonly initial?: Readonly<Record<string, InputValue>> | undefined
}

/** Runs that hand values on from one to the next, on a card that keeps them. */
export interface Session<I = Record<string, InputValue>, O = Record<string, any>> extends ServedEntry<I, O> {
  /** Entries as the session sees them: without what is carried. They share it. */
  readonly entries: Readonly<Record<string, ServedEntry>>
  /** The card that holds what is carried; undefined before the first run. */
  readonly card: string | undefined
  /** Runs are done in the order of the calls. One that fails leaves what is carried as it was. */
  run(inputs: I, options?: RequestOptions<O>): Promise<O>
  /** Behind the runs that were called before: what is carried is the initial value again. The session may go to another card. */
  reset(): void
  /** Runs that have no answer yet, and all later ones, fail with `session-closed`. */
  close(): void
}

/** What a session needs of the server. */
export interface SessionHost {
  readonly model: string
  readonly flows: readonly RecordedFlow[]
  /** Of a flow's inputs, those that are the same for all requests. */
  fixed(flow: RecordedFlow): readonly (TensorArray | undefined)[]
  executor(): Executor
  /** Throws where no requests are taken. */
  admit(): void
  /** Cards that a part may run on, and how many sessions each has. */
  readonly cardsOf: (part: number) => readonly BoundCard[]
  readonly sessionsOn: Map<BoundCard, number>
  /** Runs of one session that may wait for the one before. */
  readonly queue: number
  /** Puts entries of several sizes together, as callers see them. */
  merge(entries: Readonly<Record<string, SessionEntry>>): Readonly<Record<string, ServedEntry>>
  check(flow: RecordedFlow, arrays: readonly TensorArray[]): void
  /** Calls that have no answer yet, of all sessions. */
  readonly calls: Count
  /** Told once, when the session has been closed and nothing of it is under way. */
  closed(session: OpenSession): void
}

export interface OpenSession extends Session {
  /** A card is gone, and with it what it held. */
  lost(card: BoundCard, error: GlowplugError | undefined): void
  /** The server is. */
  end(error: GlowplugError): void
}

export function createSession(host: SessionHost, { carry, initial = {} }: SessionOptions): OpenSession {
  const { model, flows, cardsOf, sessionsOn } = host
  const about = (text: string) => `model '${model}' ${text}`
  if (typeof carry !== 'object' || carry === null || Object.keys(carry).length === 0)
    fail('bad-option', `session: carry must name inputs and the outputs that they become, as { state: 'nextState' }`)
  const values = planCarried(flows, carry)
  for (const name of Object.keys(initial))
    if (!Object.hasOwn(carry, name)) fail('bad-option', `session: '${name}' has an initial value and is not carried`)

  const starts = values.map(({ name, uses }) => {
    const f = uses.findIndex(({ input }) => input >= 0)
    const tensor = flows[f]!.inputs[uses[f]!.input]!
    const array = new (arrayOf(tensor.dtype))(elementCount(tensor.shape))
    if (Object.hasOwn(initial, name)) copyInput(tensor, initial[name], array)
    return array
  })
  /** Where each of `values` is. */
  let where: Whereabouts[] = starts.map((array) => ({ at: 'host', array }))
  /** By part, the card of those that hold something; chosen with the first run. */
  let homes: ReadonlyMap<number, BoundCard> = new Map()
  let slot: number | undefined
  let loss: GlowplugError | undefined
  let ended: GlowplugError | undefined
  const waiting: (Call | 'reset')[] = []
  let running: { readonly call: Call; readonly job: Job } | undefined
  /** Something of the last run is still under way, or a card is awaited. */
  let busy = false
  let hasWaited = false
  /** The card is gone before anything was on it. */
  let isMoving = false
  let toldClosed = false

  const parts = [...new Set(values.map(({ part }) => part))].filter((part) => part >= 0)

  /**
   * Takes a card for each part that holds something: the one with the fewest sessions, and among those with the least to do. Where none stands
   * yet, it is to be called again when one does.
   */
  function settleDown(executor: Executor): Promise<unknown> | undefined {
    if (homes.size > 0 || parts.length === 0) return undefined
    const found = new Map<number, BoundCard>()
    for (const part of parts) {
      const cards = cardsOf(part)
      const count = (bound: BoundCard) => sessionsOn.get(bound) ?? 0
      const before = (a: BoundCard, b: BoundCard) => count(a) - count(b) || a.load.outstanding - b.load.outstanding
      // Parts that share cards share the card of the session, so that values stay on it.
      const known = cards.find((bound) => [...found.values()].includes(bound))
      const standing = cards.filter(({ card }) => card.state === 'ready').sort(before)
      const chosen = known ?? standing[0]
      if (!chosen) {
        const starting = cards.filter(({ card }) => card.state === 'starting').map(({ card }) => card.start())
        const lost = cards.filter(({ card }) => card.state === 'lost').map(({ card }) => card.start())
        if (starting.length + lost.length > 0 && !hasWaited) {
          hasWaited = true
          // At the start for all, so that sessions spread.
          return starting.length > 0 ? Promise.allSettled(starting) : Promise.any(lost)
        }
        hasWaited = false
        throw cards.find(({ error }) => error)?.error ?? new GlowplugError('card-unavailable', about('has no card for a session'))
      }
      found.set(part, chosen)
    }
    slot ??= executor.keepSlot()
    if (slot === undefined)
      throw new GlowplugError(
        'request-refused',
        about('keeps as many sessions as it may; close one, or raise the option sessions'),
      )
    hasWaited = false
    homes = found
    for (const bound of new Set(found.values())) sessionsOn.set(bound, (sessionsOn.get(bound) ?? 0) + 1)
    return undefined
  }

  function leave(): void {
    isMoving = false
    for (const bound of new Set(homes.values())) sessionsOn.set(bound, sessionsOn.get(bound)! - 1)
    homes = new Map()
  }

  /** The current value, for the host to write to where the card does not have it. */
  function fetch(value: CarriedValue, place: Exclude<Whereabouts, { at: 'nowhere' }>): TensorArray {
    if (place.at === 'host') return place.array
    const { card } = homes.get(value.part)!
    if (place.at === 'output') return card.outputs(place.program, slot!)[place.output]!
    const flow = flows[place.flow]!
    const [{ step, input }] = value.uses[place.flow]!.readers as [{ step: number; input: number }]
    return card.inputs(flow.steps[step]!.program.id, slot!)[input]!
  }

  /** The work of a call, as things stand. */
  function workOf(call: Call): Work {
    const { flow, priority } = call
    const inputs = [...call.inputs]
    const resident: (Resident | 'there' | undefined)[] = []
    for (const [v, value] of values.entries()) {
      const { input } = value.uses[flow.index]!
      const place = where[v]!
      if (input < 0) continue
      if (place.at === 'nowhere')
        throw new GlowplugError(
          'session-lost',
          about(`has no '${value.name}' for this session, since the run that made it anew failed: call reset()`),
        )
      if (place.at === 'output') resident[input] = { program: place.program, output: place.output }
      else if (place.at === 'inputs' && place.flow === flow.index) resident[input] = 'there'
      // Written from a copy: the place may be one that the run itself overwrites.
      else inputs[input] = place.at === 'host' ? place.array : fetch(value, place).slice()
    }
    const begun = new Set<number>()
    const finish = (succeeded: boolean) => {
      where = where.map((before, v) => {
        const use = values[v]!.uses[flow.index]!
        return values[v]!.part < 0
          ? before
          : whereAfter(before, flow, use, { succeeded, made: use.maker !== undefined && begun.has(use.maker.step) })
      })
    }
    const pins = homes.size > 0 ? flow.steps.map(({ program }) => homes.get(program.part)?.card.index) : undefined
    return {
      ...{ flow, inputs, priority, resident, slot: homes.size > 0 ? slot : undefined, pins },
      begun: (step) => begun.add(step),
      done(outputs) {
        finish(true)
        for (const [v, value] of values.entries()) {
          const { output } = value.uses[flow.index]!
          if (value.part < 0 && output >= 0) where[v] = { at: 'host', array: outputs[output]!.slice() }
        }
        call.done(outputs)
      },
      failed(error) {
        finish(false)
        call.failed(loss ?? error)
      },
      ended() {
        busy = false
        running = undefined
        if (isMoving) leave()
        next()
      },
    }
  }

  /** Starts what waits, if nothing of the session is under way. */
  function next(): void {
    while (!busy) {
      const call = waiting.shift()
      if (!call) break
      if (call === 'reset') {
        loss = undefined
        leave()
        where = starts.map((array) => ({ at: 'host', array }))
        continue
      }
      try {
        if (ended ?? loss) throw ended ?? loss
        const executor = host.executor()
        const coming = settleDown(executor)
        busy = true
        if (coming) {
          waiting.unshift(call)
          const go = () => {
            busy = false
            next()
          }
          coming.then(go, go)
          return
        }
        const job = executor.submit(workOf(call))
        if (busy) running = { call, job }
      } catch (error) {
        busy = false
        call.failed(error as GlowplugError)
      }
    }
    if (ended && !busy && !toldClosed) {
      toldClosed = true
      leave()
      if (slot !== undefined) host.executor().giveSlot(slot)
      host.closed(session)
    }
  }

  function end(error: GlowplugError): void {
    if (ended) return
    ended = error
    for (const call of waiting.splice(0)) if (call !== 'reset') call.failed(error)
    if (running) host.executor().cancel(running.job, error)
    next()
  }

  const admit = () => {
    if (ended) throw ended
    host.admit()
    if (waiting.length >= host.queue) fail('request-refused', about(`has ${waiting.length} runs of one session waiting`))
  }

  /** Queues a call; what it returns answers it with an error, if it has no answer yet. */
  function accept(call: Call): (error: GlowplugError) => void {
    waiting.push(call)
    next()
    return (error) => {
      if (running?.call === call) return host.executor().cancel(running.job, error)
      const at = waiting.indexOf(call)
      if (at < 0) return
      waiting.splice(at, 1)
      call.failed(error)
    }
  }

  const entryOf = (flow: RecordedFlow) =>
    createSessionEntry({
      ...{ model, flow, admit, accept, calls: host.calls, fixed: host.fixed(flow), check: host.check },
      isCarried: (key, index) => values.some(({ uses }) => uses[flow.index]![key] === index),
    })
  const entries = host.merge(Object.fromEntries(flows.map((flow) => [flow.entry, entryOf(flow)])))
  const session: OpenSession = {
    get name() {
      return Object.values(entries)[0]!.name
    },
    get card() {
      return [...homes.values()][0]?.card.name
    },
    entries,
    async run(inputs, options) {
      const [entry, other] = Object.values(entries)
      if (other) fail('entry-missing', about(`has several entries: call entries.${Object.keys(entries).join(' or entries.')}`))
      return entry!.run(inputs, options)
    },
    reset() {
      if (ended) throw ended
      waiting.push('reset')
      next()
    },
    close: () => end(new GlowplugError('session-closed', about('had this session closed'))),
    lost(bound, error) {
      if (loss || ![...homes.values()].includes(bound)) return
      // What has not left the host yet can go to another card.
      if (where.every(({ at }) => at === 'host')) {
        isMoving = true
        if (!busy) leave()
        return
      }
      loss = new GlowplugError(
        'session-lost',
        about(`lost what card '${bound.card.name}' held for this session: call reset() to begin anew`),
        error,
      )
    },
    end,
  }
  return session
}
