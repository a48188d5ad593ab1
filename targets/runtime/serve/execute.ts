import { GlowplugError } from '../error.ts'
import type { TensorArray, TensorValue } from '../tensor.ts'
import { type BoundCard, choose, learn, occupy, relieve } from './choose.ts'
import { createFeed } from './feed.ts'
import type { RecordedStep } from './record.ts'
import type { OwnJob, Prepared, Run } from './slot.ts'
import { createWaitingLine } from './waiting.ts'
import { readTimes } from './watch/times.ts'
import type { Executor, ExecutorOptions, Work } from './work.ts'

/** What a request was given. */
const copiesOfInputs = ({ flow, inputs }: Work): Record<string, TensorValue> =>
  Object.fromEntries(flow.inputs.map(({ name, shape }, i) => [name, { data: inputs[i]!.slice(), shape }]))

const isHopeful = ({ card: { state } }: BoundCard): boolean => state === 'starting' || state === 'lost'

const mayMove = ({ mayMove: answer }: Work): boolean => answer?.() ?? true

/** Cards that may be lost under a request whose commands they did not run, before it is given up. */
const mostLosses = 8

/** Nothing is made for a command: what stands in a slot is used again by every request in it. */
export function createExecutor(options: ExecutorOptions): Executor {
  const { model, cardsOf, active, queue, observe } = options
  const feed = createFeed(options)
  const about = (text: string) => `model '${model}' ${text}`
  let ids = 0
  const { nextId = () => ids++, gate } = options
  const line = createWaitingLine<OwnJob>()
  const runs: Run[] = []
  /** The last is taken first, so that few slots are touched where few requests come at a time. */
  const free = Array.from({ length: active }, (_, i) => active - 1 - i)
  const keepable = Array.from({ length: options.kept }, (_, i) => active + options.kept - 1 - i)
  let parked: Prepared[] = []
  let held: NodeJS.Timeout | undefined
  let underWay = 0
  let pumping = false
  const idle: (() => void)[] = []

  function runOf(slot: number): Run {
    runs[slot] ??= {
      ...{ slot, flows: [], job: undefined, steps: [], left: 0, running: 0, over: false },
      ...{ lost: undefined, avoid: undefined },
    }
    return runs[slot]!
  }

  function prepare(run: Run, step: RecordedStep): Prepared {
    const prepared: Prepared = {
      ...{ run, step, cards: cardsOf(step), command: { program: step.program.id, slot: run.slot, copies: [] } },
      copies: step.inputs.map((_, to) => ({ to, card: 0, program: 0, output: 0 })),
      finish: (fault, error) => ended(prepared, fault, error),
      ...{
        on: undefined,
        ran: false,
        parked: false,
        missing: 0,
        began: 0,
        sent: 0,
        expected: 0,
        fromHost: 0,
        fromCards: 0,
        withinCard: 0,
      },
    }
    return prepared
  }

  function begin(run: Run): void {
    const { flow } = run.job!.work
    run.flows[flow.index] ??= flow.steps.map((step) => prepare(run, step))
    const steps = run.flows[flow.index]!
    run.steps = steps
    run.left = steps.length
    run.over = false
    run.lost = undefined
    for (const prepared of steps) {
      prepared.on = undefined
      prepared.ran = false
      prepared.missing = prepared.step.waits
    }
    for (const prepared of steps) if (prepared.step.waits === 0 && !run.over) dispatch(prepared)
    if (run.left === 0) succeed(run)
    else if (run.over && run.running === 0) settle(run)
  }

  function dispatch(prepared: Prepared): void {
    const { run, cards, command, step } = prepared
    const { work } = run.job!
    const home = work.home ? work.home(step) : 'any'
    const on = home === 'any' ? choose(cards, run.avoid) : home?.card.state === 'ready' ? home : undefined
    if (!on) {
      if ((home !== 'any' && !mayMove(work)) || !cards.some(isHopeful)) fail(run, unavailable(prepared))
      else {
        prepared.parked = true
        parked.push(prepared)
        holdProcess()
      }
      return
    }
    prepared.on = on
    prepared.began = performance.now()
    try {
      feed(prepared, on)
    } catch (error) {
      // Regions are made when they are first asked for.
      const code = (error as Error).name === 'RangeError' ? 'out-of-memory' : 'card-lost'
      fail(run, new GlowplugError(code, about(`cannot write to card '${on.card.name}': ${(error as Error).message}`), error))
      return
    }
    prepared.expected = on.averages[step.program.id]!
    prepared.sent = performance.now()
    occupy(on, prepared.expected)
    run.running++
    command.place = step.program.state && work.place?.(step)
    command.begins = step.program.state && work.begins?.(step.index)
    work.begun?.(step.index)
    on.card.submit(command, prepared.finish)
  }

  function unavailable({ run: { avoid }, cards, step }: Prepared): GlowplugError {
    const why = cards.find(({ error }) => error)?.error
    // What the loader says of its files is the best that can be said.
    if (why && /^(bundle|target)-|^out-of-memory$/.test(why.code)) return why
    const states = cards.map(({ card }) => `'${card.name}' is ${card.state}`).join(', ')
    const none = `has no${avoid ? ' other' : ''} card for part ${step.program.part}: ${states}`
    return avoid
      ? new GlowplugError('card-lost', about(`lost card '${avoid.card.name}' under a request, and ${none}`), why)
      : new GlowplugError('card-unavailable', about(none), why)
  }

  function ended(prepared: Prepared, fault: number, error?: GlowplugError): void {
    const { run, step, on, sent, expected } = prepared
    const job = run.job!
    const time = performance.now()
    const began = Math.max(sent, on!.ended)
    on!.ended = time
    relieve(on!, expected)
    if (!error && !fault) learn(on!, step.program.id, time - began)
    run.running--
    const see = observe()
    const { times } = step.program.placed
    see?.({
      ...{ kind: 'command', request: job.id, card: on!.card.index, part: step.program.part, time: began, fault, error },
      milliseconds: time - began,
      bytes: { fromHost: prepared.fromHost, fromCards: prepared.fromCards, withinCard: prepared.withinCard },
      copies: { time: prepared.began, milliseconds: sent - prepared.began },
      kernels:
        times && !error && !fault ? () => readTimes(step.program.placed, on!.card.outputs(step.program.id, run.slot)) : undefined,
    })
    if (error) {
      if (error.code === 'card-lost') lose(run, on!, error, takeSuspicion(on!))
      else {
        if (error.code === 'out-of-memory') job.work.left?.(step.index)
        fail(run, error)
      }
    } else if (fault) {
      const { faults, keeps = 0 } = step.program.placed
      if (fault <= keeps) job.work.left?.(step.index)
      fail(run, new GlowplugError('run-fault', faults[fault - 1] ?? about(`failed with code ${fault}`)))
    } else if (!run.over) {
      prepared.ran = true
      run.left--
      for (const reader of step.readers) {
        const next = run.steps[reader]!
        if (--next.missing === 0 && !run.over) dispatch(next)
      }
      if (run.left === 0) {
        succeed(run)
        return
      }
    }
    if (run.over && run.running === 0) settle(run)
  }

  function succeed(run: Run): void {
    const job = run.job!
    const { flow, inputs } = job.work
    const { slot } = run
    const outputs = flow.sources.map((source) => {
      if ('input' in source) return inputs[source.input]!
      const { on, step } = run.steps[source.step]!
      return on!.card.outputs(step.program.id, slot)[source.output]!
    })
    job.work.ran?.(outputs)
    answer(job, undefined, outputs)
    release(run)
  }

  /** The one answer of a job. */
  function answer(job: OwnJob, error: GlowplugError | undefined, outputs?: readonly TensorArray[]): void {
    if (job.answered) return
    job.answered = true
    const { work } = job
    if (error) work.failed(error)
    else work.done(outputs!)
    const time = performance.now()
    const bytes = error ? 0 : work.flow.bytes.outputs
    const { batch } = work
    const inputs = error && (() => copiesOfInputs(work))
    observe()?.({ kind: 'answered', request: job.id, time, milliseconds: time - job.since, bytes, error, batch, inputs })
  }

  /** The first error is the answer; commands that are under way end before the slot is used again. */
  function fail(run: Run, error: GlowplugError): void {
    if (!run.lost) answer(run.job!, error)
    run.over = true
  }

  /** What a card had of it is gone. */
  function lose(run: Run, on: BoundCard, error: GlowplugError, suspect: boolean): void {
    if (suspect) run.job!.suspected++
    if (run.over) return
    if (!suspect) run.job!.bystood++
    run.over = true
    run.lost = error
    run.avoid = on
  }

  /** Of the commands that a card had when it was lost, the first was running, and may have been what it was lost by. */
  function takeSuspicion(bound: BoundCard): boolean {
    const { suspicious } = bound
    bound.suspicious = false
    return suspicious
  }

  /** Nothing of it is under way any more. */
  function settle(run: Run): void {
    const job = run.job!
    for (const prepared of run.steps) prepared.parked = false
    if (parked.length > 0) {
      parked = parked.filter((prepared) => prepared.parked)
      holdProcess()
    }
    const { lost, avoid } = run
    if (lost && !job.answered && job.suspected <= (job.work.once ? 0 : 1) && job.bystood <= mostLosses && mayMove(job.work)) {
      observe()?.({ kind: 'retried', request: job.id, card: avoid!.card.index, time: performance.now() })
      begin(run)
      return
    }
    if (lost) answer(job, lost)
    release(run)
  }

  function release(run: Run): void {
    const { work } = run.job!
    run.job!.run = undefined
    run.job = undefined
    run.avoid = undefined
    run.lost = undefined
    underWay--
    if (run.slot < active) free.push(run.slot)
    work.ended?.()
    if (gate) gate.give()
    else pump()
    tellIdle()
  }

  function tellIdle(): void {
    if (underWay === 0 && line.size === 0) for (const listener of idle.splice(0)) listener()
  }

  /** A loop, since what cannot run ends at once. */
  function pump(): void {
    if (pumping) return
    pumping = true
    while (underWay < active && line.size > 0) enter(line.next()!)
    pumping = false
  }

  function enter(job: OwnJob): void {
    const run = runOf(job.work.slot ?? free.pop()!)
    underWay++
    run.job = job
    job.run = run
    observe()?.({ kind: 'started', request: job.id, slot: run.slot, time: performance.now() })
    begin(run)
  }

  const leave = gate?.join({
    first: () => (underWay < active ? line.first : undefined),
    begin: () => enter(line.next()!),
  })

  /** Steps that wait for a card look for one again. */
  function unpark(): void {
    const all = parked
    parked = []
    for (const prepared of all) {
      const { run } = prepared
      if (!prepared.parked) continue
      prepared.parked = false
      if (!run.over) dispatch(prepared)
      if (run.over && run.running === 0) settle(run)
    }
    holdProcess()
  }

  /** A card that is to stand again does not keep the process; whoever waits for it does. */
  function holdProcess(): void {
    if (parked.length === 0) {
      clearInterval(held)
      held = undefined
    } else held ??= setInterval(() => {}, 2 ** 30)
  }

  return {
    submit(work) {
      const since = performance.now()
      const see = observe()
      const enters = underWay < active && (gate?.take() ?? true)
      if (!enters && line.size >= queue) {
        const entry = work.flow.entry
        see?.({ kind: 'refused', code: 'request-refused', entry, time: since })
        throw new GlowplugError(
          'request-refused',
          about(`has ${underWay} requests under way and ${queue} waiting; try again later`),
        )
      }
      const { flow } = work
      const priority = work.priority + (options.priority ?? 0)
      const job: OwnJob = { id: nextId(), priority, work, since, run: undefined, answered: false, suspected: 0, bystood: 0 }
      see?.({
        kind: 'request',
        request: job.id,
        entry: flow.entry,
        time: since,
        bytes: flow.bytes.inputs,
        priority,
        batch: work.batch,
      })
      if (enters) enter(job)
      else line.add(job)
      return job
    },
    cancel(given, error) {
      const job = given as OwnJob
      if (job.answered) return
      const { run } = job
      answer(job, error)
      if (!run) {
        line.remove(job)
        job.work.ended?.()
        tellIdle()
      } else {
        if (job.work.goesOn?.()) return
        run.over = true
        if (run.running === 0) settle(run)
      }
    },
    nextId,
    keepSlot: () => keepable.pop(),
    giveSlot: (slot) => {
      keepable.push(slot)
    },
    changed(bound, state, error) {
      bound.error = state === 'ready' ? undefined : error
      bound.suspicious = false
      if (state !== 'ready' && state !== 'starting') {
        bound.statics.fill(0)
        bound.suspicious = true
        for (const run of runs) {
          if (!run?.job || run.over || !run.steps.some(({ on, ran }) => ran && on === bound)) continue
          lose(run, bound, error ?? new GlowplugError('card-lost', about(`lost card '${bound.card.name}'`)), false)
          if (run.running === 0) settle(run)
        }
      }
      unpark()
    },
    get waiting() {
      return line.size
    },
    get active() {
      return underWay
    },
    onIdle(listener) {
      if (underWay === 0 && line.size === 0) listener()
      else idle.push(listener)
    },
    failAll(error) {
      leave?.()
      for (let job = line.next(); job; job = line.next()) {
        answer(job, error)
        job.work.ended?.()
      }
      for (const run of runs) {
        if (!run?.job) continue
        answer(run.job, error)
        run.over = true
        if (run.running === 0) settle(run)
      }
      tellIdle()
    },
  }
}
