import { fail, GlowplugError } from '../../error.ts'
import { arrayOf, copyInput, elementCount, type InputValue, type TensorArray } from '../../tensor.ts'
import type { RequestOptions, ServedEntry } from '../api.ts'
import type { BoundCard } from '../choose.ts'
import type { Count } from '../count.ts'
import type { RecordedFlow } from '../record.ts'
import type { Executor, Job, Work } from '../work.ts'
import { type Call, createSessionEntry, type SessionEntry } from './call.ts'
import { type Carry, planCarried } from './carried.ts'
import { createHolding } from './holding.ts'
import { createHomes, type Places } from './homes.ts'
import { firstOf, type StatefulPart } from './regions.ts'

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
  /**
   * Runs are done in the order of the calls. One that fails leaves what `carry` names as it was. States of the model are renewed where they lie: a run that is given up
   * when a card has it goes on unseen and renews them; after a fault when something was written already runs fail with `session-lost` until `reset`.
   */
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
  /** Parts that have states of their own. */
  readonly regions: readonly StatefulPart[]
  /** Of a flow's inputs, those that are the same for all requests. */
  fixed(flow: RecordedFlow): readonly (TensorArray | undefined)[]
  executor(): Executor
  /** Throws where no requests are taken. */
  admit(): void
  /** Cards that a part may run on, and the places that sessions have on them. */
  readonly cardsOf: (part: number) => readonly BoundCard[]
  readonly places: Places
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

export function createSession(host: SessionHost, { carry = {}, initial = {} }: Partial<SessionOptions>): OpenSession {
  const { model, flows, regions, cardsOf } = host
  const about = (text: string) => `model '${model}' ${text}`
  if (typeof carry !== 'object' || carry === null || Object.keys(carry).length + regions.length === 0)
    fail('bad-option', `session: carry must name inputs and the outputs that they become, as { state: 'nextState' }`)
  const values = planCarried(flows, carry)
  const isState = (name: string) => regions.some(({ states }) => states.some(({ input }) => input === name))
  for (const name of Object.keys(initial))
    if (!Object.hasOwn(carry, name) && !isState(name))
      fail('bad-option', `session: '${name}' has an initial value and is not carried`)

  const starts = values.map(({ name, uses }) => {
    const f = uses.findIndex(({ input }) => input >= 0)
    const tensor = flows[f]!.inputs[uses[f]!.input]!
    const array = new (arrayOf(tensor.dtype))(elementCount(tensor.shape))
    if (Object.hasOwn(initial, name)) copyInput(tensor, initial[name], array)
    return array
  })
  const homes = createHomes(cardsOf, host.places)
  const holding = createHolding({
    ...{ about, flows, values, starts, regions },
    firsts: regions.map((region) => firstOf(region, initial)),
    cardOf: (part) => homes.get(part)!.card,
  })
  /** Those that hold something. */
  const parts = new Set([...values.map(({ part }) => part), ...regions.map(({ part }) => part.index)].filter((part) => part >= 0))
  let slot: number | undefined
  let loss: GlowplugError | undefined
  let ended: GlowplugError | undefined
  const waiting: (Call | 'reset')[] = []
  let running: { readonly call: Call; readonly job: Job } | undefined
  /** Something of the last run is still under way. */
  let busy = false
  let toldClosed = false

  /** The work of a call, as things stand. */
  function workOf(call: Call): Work {
    const { flow, priority } = call
    const run = holding.begin(flow, call.inputs, slot)
    const settled: Pick<Work, 'slot' | 'home' | 'place' | 'mayMove'> = {
      slot,
      home: ({ program: { part } }) => (parts.has(part) ? homes.find(part) : 'any'),
      place: ({ program: { part } }) => homes.placeOf(part),
      mayMove: () => holding.isFresh,
    }
    return {
      ...run,
      ...{ flow, priority, ...(parts.size > 0 && settled) },
      done: (outputs) => call.done(outputs),
      failed: (error) => call.failed(loss ?? error),
      ended() {
        if (run.ended()) loss ??= lossOf('a run that failed took what this session held with it')
        // Nor does it keep a place where there is nothing of it.
        if (holding.isFresh) homes.leave()
        busy = false
        running = undefined
        next()
      },
    }
  }

  const lossOf = (what: string, cause?: GlowplugError) =>
    new GlowplugError('session-lost', about(`${what}: call reset() to begin anew`), cause)

  /** Starts what waits, if nothing of the session is under way. */
  function next(): void {
    while (!busy) {
      const call = waiting.shift()
      if (!call) break
      if (call === 'reset') {
        loss = undefined
        homes.leave()
        holding.reset()
        continue
      }
      try {
        if (ended ?? loss) throw ended ?? loss
        const executor = host.executor()
        if (parts.size > 0) slot ??= executor.keepSlot()
        if (parts.size > 0 && slot === undefined)
          fail('request-refused', about('keeps as many sessions as it may; close one, or raise the option sessions'))
        busy = true
        const job = executor.submit(workOf(call))
        if (busy) running = { call, job }
      } catch (error) {
        busy = false
        call.failed(error as GlowplugError)
      }
    }
    if (ended && !busy && !toldClosed) {
      toldClosed = true
      homes.leave()
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
      return homes.card?.card.name
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
      if (loss || !homes.has(bound)) return
      // What is on no card yet can go to another.
      if (holding.isFresh) homes.leave(bound)
      else loss = lossOf(`lost what card '${bound.card.name}' held for this session`, error)
    },
    end,
  }
  return session
}
