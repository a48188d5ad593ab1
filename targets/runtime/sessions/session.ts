import { crash, fail, GlowplugError } from '../error.ts'
import type { StateUse } from '../manifest.ts'
import type { Entry, ModelInfo, RunOptions } from '../model.ts'
import type { Answer, PlacedEntry, Request } from '../plan.ts'
import type { InputValue, TensorValue } from '../tensor.ts'
import { copyResults, type Results, readTargets, type Targets, writeInputs } from './entry.ts'
import type { Keeper, Places, Submission } from './keeper.ts'
import { deviceFault } from './serve.ts'

/** An entry as a session sees it: its states are those of the session. */
export type SessionEntry<I = Record<string, InputValue>, O = Record<string, TensorValue>> = Omit<Entry<I, O>, 'bind'>

/** Runs that share state: each begins with what the one before left. Different sessions of a model know nothing of each other. */
export interface Session<I = Record<string, InputValue>, O = Record<string, TensorValue>> {
  /** All entries of the model. They share the states of the session. */
  readonly entries: Readonly<Record<string, SessionEntry>>
  /**
   * Runs off the calling thread, after the runs that were called before. Inputs are copied before it returns. Of a model with one entry.
   *
   * A run that is refused or aborted before its turn leaves the state as it was; one that is aborted later goes on unseen and renews it. A fault that
   * comes before anything of the state is written leaves it as it was, too. After any other failure runs fail with `session-lost` until `reset`.
   */
  run(inputs: I, options?: RunOptions<O>): Promise<O>
  /** The same on the calling thread, which waits. Fails with `session-busy` while runs are under way. With `into` it allocates nothing. */
  runSync(inputs: I, options?: Pick<RunOptions<O>, 'into'>): O
  /** After the runs that were called before, the state is the initial one again. */
  reset(): void
  /** Gives the state's memory back. Runs that have no answer yet, and all later ones, fail with `session-closed`. */
  close(): void
}

/** What a session needs of its model. */
export interface SessionSetting {
  about(text: string): string
  readonly keeper: Keeper
  /** Of the code in use. */
  readonly entries: readonly PlacedEntry[]
  readonly uses: readonly (StateUse | undefined)[]
  infoOf(entry: number): ModelInfo
  /** Runs of one session that may wait. */
  readonly limit: number
  /** Throws where the model is closed. */
  admit(): void
  /** A region for inputs and outputs, and where it starts. */
  takeRegion(entry: number): ArrayBuffer
  giveRegion(entry: number, region: ArrayBuffer): void
  lead(region: ArrayBuffer): number
  places(entry: number, memory: ArrayBuffer, mutable: number): Places
  /** Puts entries of several sizes together, as callers see them. */
  merge(entries: Readonly<Record<string, SessionEntry<any, any>>>): Readonly<Record<string, SessionEntry<any, any>>>
}

/** A run that was asked for. */
interface Call {
  readonly request: Request
  readonly targets: Targets
  resolve(results: Results): void
  reject(error: unknown): void
  readonly signal: AbortSignal | undefined
  readonly abort: (() => void) | undefined
}

export function createSession(setting: SessionSetting): Session<any, any> {
  const { about, keeper, entries: points, uses } = setting
  const waiting: (Call | 'reset')[] = []
  let running: Call | undefined
  /** Takes the running call back, unless a device has it. */
  let withdraw: (() => void) | undefined
  let hasBegun = false
  /** Why the state is of no use. */
  let lost: GlowplugError | undefined
  let isClosed = false

  const lostError = () =>
    // What is damaged is what has to be mended before anything else.
    lost!.code.startsWith('bundle-')
      ? new GlowplugError(lost!.code, `${lost!.message}, and reset() this session`, lost)
      : new GlowplugError(
          'session-lost',
          about(`lost the state of this session in a run that failed, ${lost!.message}: call reset() to begin anew`),
          lost,
        )

  function checkOpen(): void {
    if (isClosed) fail('session-closed', about('had this session closed'))
    setting.admit()
  }

  /** What a fault means, and what it leaves of the state. */
  function faultOf(entry: number, fault: number): GlowplugError | undefined {
    if (fault === 0) return undefined
    if (fault === deviceFault.noMemory)
      return new GlowplugError('out-of-memory', about('has no memory for the state of another session; close one'))
    if (fault === deviceFault.stateMissing) {
      lost = new GlowplugError(
        'session-lost',
        about('lost the worker that held the state of this session: call reset() to begin anew'),
      )
      return lost
    }
    const point = points[entry]!
    const error = new GlowplugError('run-fault', point.faults[fault - 1] ?? about(`failed with code ${fault}`))
    if (uses[entry]?.renews.length && fault > (point.keeps ?? 0)) lost = error
    return error
  }

  function failed(call: Call, error: unknown): void {
    if (call.abort) call.signal!.removeEventListener('abort', call.abort)
    call.reject(error)
  }

  function answered(call: Call, region: ArrayBuffer): void {
    const { entry, start } = call.request
    if (call.abort) call.signal!.removeEventListener('abort', call.abort)
    try {
      call.resolve(copyResults(points[entry]!.outputs, call.targets, setting.places(entry, region, start).outputs))
    } catch (error) {
      call.reject(error)
    }
    setting.giveRegion(entry, region)
  }

  function next(): void {
    while (!running && waiting.length > 0) {
      const call = waiting.shift()!
      if (call === 'reset') {
        keeper.reset()
        lost = undefined
      } else if (lost) failed(call, lostError())
      else start(call)
    }
    if (isClosed && !running) keeper.free()
  }

  /** The running call, which runs no more. */
  function settle(): Call {
    const call = running!
    running = undefined
    withdraw = undefined
    hasBegun = false
    return call
  }

  /** Of all runs, as they come one after the other: a run makes little besides its promise. */
  const submission: Submission = {
    get request() {
      return running!.request
    },
    begun() {
      hasBegun = true
    },
    resolve({ region, fault }: Answer) {
      const call = settle()
      const { entry } = call.request
      const error = faultOf(entry, fault!)
      if (error) {
        setting.giveRegion(entry, region!)
        failed(call, error)
      } else answered(call, region!)
      next()
    },
    reject(error) {
      if (hasBegun) lost = error as GlowplugError
      failed(settle(), error)
      next()
    },
  }

  function start(call: Call): void {
    running = call
    try {
      setting.admit()
      withdraw = keeper.submit(submission)
    } catch (error) {
      failed(settle(), error)
    }
  }

  /** Takes a call back whose turn has not come. */
  function remove(call: Call): void {
    const at = waiting.indexOf(call)
    if (at >= 0) waiting.splice(at, 1)
    else if (running === call && !hasBegun) {
      withdraw!()
      settle()
      next()
    }
  }

  function createEntry(index: number): SessionEntry<any, any> {
    const { name, inputs, outputs } = points[index]!
    const targetsHere: Targets = []
    let last: Results | undefined
    return {
      name,
      get info() {
        return setting.infoOf(index)
      },
      // The body runs at once: inputs are copied before the caller goes on.
      run: (given, options) =>
        new Promise<Results>((resolve, reject) => {
          checkOpen()
          const signal = options?.signal
          if (signal && !signal.addEventListener) fail('bad-option', 'signal is no AbortSignal')
          const aborted = () => new GlowplugError('run-aborted', about('aborted a run'), signal!.reason)
          if (signal?.aborted) throw aborted()
          if (waiting.length >= setting.limit) fail('queue-full', about(`has ${waiting.length} runs of one session waiting`))
          const targets = readTargets(options?.into, outputs, [])
          const region = setting.takeRegion(index)
          const start = setting.lead(region)
          try {
            writeInputs(given, inputs, setting.places(index, region, start).inputs)
          } catch (error) {
            setting.giveRegion(index, region)
            throw error
          }
          const abort =
            signal &&
            (() => {
              reject(aborted())
              remove(call)
            })
          const call: Call = { request: { entry: index, region, start }, targets, resolve, reject, signal, abort }
          if (abort) signal.addEventListener('abort', abort)
          waiting.push(call)
          next()
        }),
      runSync(given, options) {
        checkOpen()
        if (running) fail('session-busy', about('has runs of this session under way: await them before runSync()'))
        if (lost) throw lostError()
        readTargets(options?.into, outputs, targetsHere)
        const places = keeper.placesHere(index)
        writeInputs(given, inputs, places.inputs)
        let fault: number
        try {
          fault = keeper.runHere(index)
        } catch (error) {
          lost = crash(about, error as Error)
          throw lost
        }
        if (fault !== 0) throw faultOf(index, fault)
        last = copyResults(outputs, targetsHere, places.outputs, options?.into && last)
        return last
      },
    }
  }

  const entries = setting.merge(Object.fromEntries(points.map((point, i) => [point.name, createEntry(i)])))
  const [only, other] = Object.values(entries)
  const main = (): SessionEntry<any, any> => {
    if (other) fail('entry-missing', about(`has several entries: call entries.${Object.keys(entries).join(' or entries.')}`))
    return only!
  }
  return {
    entries,
    run: async (inputs, options) => main().run(inputs, options),
    runSync: (inputs, options) => main().runSync(inputs, options),
    reset() {
      checkOpen()
      waiting.push('reset')
      next()
    },
    close() {
      if (isClosed) return
      isClosed = true
      const error = new GlowplugError('session-closed', about('had this session closed'))
      for (const call of waiting.splice(0)) if (call !== 'reset') failed(call, error)
      if (running) {
        failed(running, error)
        remove(running)
      }
      next()
    },
  }
}
