import type { Worker } from 'node:worker_threads'
import { crash, explain, GlowplugError } from '../../error.ts'
import { builtin } from '../../plan.ts'
import { arrayOf, elementCount, type TensorArray } from '../../tensor.ts'
import type { Card, CardOptions, CardState, Finish } from '../card.ts'
import { type Layout, layOut } from '../process/layout.ts'
import { createRestart, firstRunHung, startPatience } from '../restart.ts'
import { noMemory, outOfMemory, stateBytes, stateWord } from '../states.ts'
import { sharedPatience, shortWait } from './patience.ts'
import type { ThreadCard, ThreadData } from './thread.ts'
import program from './thread.ts?source'
import { createWatchdog } from './watchdog.ts'

/** Regions of a card, in memory that all threads share. It is made when it is first asked for, and outlives the worker. */
interface SharedRegions {
  readonly options: CardOptions
  readonly layout: Layout
  windows(): readonly SharedArrayBuffer[]
}

function regionsOf(options: CardOptions): SharedRegions {
  const layout = layOut(options.programs, options.slots)
  let windows: readonly SharedArrayBuffer[] | undefined
  return {
    options,
    layout,
    windows: () => (windows ??= layout.windows.map((bytes) => new SharedArrayBuffer(bytes))),
  }
}

/**
 * Cards of one model that are worker threads with WebAssembly or JavaScript: what traps, throws, ends or hangs is ended and started again. They read each
 * other's outputs where `peerToPeer` is true.
 */
export function createPortableCards(all: readonly CardOptions[], peerToPeer: boolean): readonly Card[] {
  const regions = all.map(regionsOf)
  return regions.map((own) => createCard(own, peerToPeer ? regions.filter((other) => other !== own) : [], all.length))
}

function createCard(own: SharedRegions, peers: readonly SharedRegions[], count: number): Card {
  const { options, layout } = own
  const { index, name, programs, parts, slots, kept, timeout, verify, watcher } = options
  const about = (text: string) => `card '${name}' ${text}`
  const closedError = () => new GlowplugError('closed', about('is closed'))
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  const places = new Map(programs.map(({ id }, place) => [id, place]))
  const views: ({ readonly inputs: readonly TensorArray[]; readonly outputs: readonly TensorArray[] } | undefined)[] = []
  const restart = createRestart()
  const patience = sharedPatience()
  /** Milliseconds that the last command of each program took which waited for no other. */
  const took = new Map<number, number>()
  const loadPatience = Math.max(timeout, startPatience)
  const watchdog = createWatchdog(timeout, () => {
    const hung = {
      loading: `did not load in ${loadPatience} ms`,
      warming: firstRunHung(timeout),
      standing: `did not answer in ${timeout} ms`,
    }
    lose(new GlowplugError('card-lost', about(hung[step])))
  })

  let state: CardState = 'starting'
  let restarts = 0
  let worker: Worker | undefined
  /** How far the worker has come. */
  let step: 'loading' | 'warming' | 'standing' = 'loading'
  /** Commands under way, in their order. */
  let pending: { readonly program: number; readonly since: number | undefined; readonly finish: Finish }[] = []
  /** Whoever waits for the first start. */
  let starting: { readonly promise: Promise<void>; resolve(): void; reject(error: unknown): void } | undefined
  /** Workers before have ended. */
  let gone: Promise<unknown> = Promise.resolve()

  function change(to: CardState, error?: GlowplugError): void {
    if (state === to) return
    state = to
    watcher.changed(card, to, error)
  }

  /** Leaves no worker behind, and fails what it was doing. */
  function clear(to: CardState, error: GlowplugError, reason: GlowplugError): void {
    watchdog.end()
    const [old, failed] = [worker, pending]
    worker = undefined
    pending = []
    if (old) gone = Promise.all([gone, old.terminate()])
    change(to, error)
    starting?.reject(error)
    starting = undefined
    for (const { finish } of failed) {
      patience.end()
      finish(0, reason)
    }
  }

  /** The worker is gone, or is to go. Another is started, unless this one never stood or could only meet the same files. */
  function lose(error: GlowplugError): void {
    const final = starting || /^(bundle|target)-/.test(error.code) || !restart.schedule(launch)
    const reason = error.code === 'card-lost' ? error : new GlowplugError('card-lost', about(`was lost: ${error.message}`), error)
    clear(final ? 'failed' : 'lost', error, reason)
  }

  function stands(): void {
    step = 'standing'
    watchdog.end()
    restart.stood()
    if (!starting) restarts++
    change('ready')
    starting?.resolve()
    starting = undefined
    if (pending.length === 0) worker?.unref()
  }

  function launch(): void {
    if (state === 'closed') return
    const { Worker } = builtin('worker_threads')
    const cardOf = ({ options: { index, programs }, windows }: SharedRegions): ThreadCard => ({
      ...{ index, programs, windows: windows() },
    })
    const workerData: ThreadData = {
      parts: parts.map(({ index, state, loaded: { code, entries, mutable, activations, place, bytes, weights } }) => ({
        index,
        state,
        plan: { code, entries, mutable, activations, place, bytes, weights },
      })),
      cards: [own, ...peers].map(cardOf),
      slots,
      verify: verify !== 'code',
      // A processor for each card, and one for the event loop.
      patience: count < builtin('os').availableParallelism() ? shortWait : 0,
    }
    let begun: Worker
    try {
      // Without the options of the process: they may name hooks that take longer to load than the model.
      begun = new Worker(program, { eval: true, workerData, execArgv: [], name: `glowplug ${name}` })
    } catch (error) {
      lose(new GlowplugError('target-unavailable', about(`has no worker: ${error}`), error))
      return
    }
    worker = begun
    step = 'loading'
    watchdog.begin(loadPatience)
    if (!starting) begun.unref()
    begun.on('message', (answer) => {
      // What a worker that was ended had sent before is of no use to its successor.
      if (begun !== worker) return
      if (answer === undefined) stands()
      else if (answer === true) {
        step = 'warming'
        watchdog.begin()
      } else if (typeof answer === 'object') lose(explain(answer, parts.find((part) => part.index === answer.part)!.loaded))
      else {
        const { program, since, finish } = pending.shift()!
        patience.end()
        if (since !== undefined) took.set(program, performance.now() - since)
        if (pending.length > 0) watchdog.begin()
        else {
          watchdog.end()
          begun.unref()
        }
        if (answer === noMemory) finish(0, outOfMemory(about))
        else finish(answer)
      }
    })
    const died = (error: { readonly message: string }) => {
      if (begun === worker) lose(crash(about, error))
    }
    begun.on('error', died)
    begun.on('exit', (status) => died(Error(`worker ended with ${status}`)))
  }

  function viewsOf(program: number, slot: number) {
    const region = layout.regionOf(program, slot)
    const known = views[region]
    if (known) return known
    const { inputs, outputs } = programs[places.get(program)!]!.placed
    const window = own.windows()[layout.window[region]!]!
    const see = (tensors: typeof inputs): TensorArray[] =>
      tensors.map(({ dtype, shape, offset }) => new (arrayOf(dtype))(window, layout.start[region]! + offset, elementCount(shape)))
    const made = { inputs: see(inputs), outputs: see(outputs) }
    views[region] = made
    return made
  }

  const card: Card = {
    ...{ index, name, device: 'worker' },
    get state() {
      return state
    },
    get target() {
      return [...new Set(parts.map(({ loaded: { chosen } }) => `${chosen.target} ${chosen.level}`))].join(', ')
    },
    bytes: {
      weights: sum(({ loaded }) => loaded.weights.bytes),
      activations: sum(({ loaded }) => loaded.activations),
      regions: layout.bytes,
      states: kept * stateBytes(parts),
    },
    get restarts() {
      return restarts
    },
    start() {
      if (state === 'closed') return Promise.reject(closedError())
      if (state === 'ready') return Promise.resolve()
      if (starting) return starting.promise
      let [resolve, reject]: [() => void, (error: unknown) => void] = [() => {}, () => {}]
      const promise = new Promise<void>((yes, no) => {
        ;[resolve, reject] = [yes, no]
      })
      starting = { promise, resolve, reject }
      change('starting')
      worker?.ref()
      if (!worker) launch()
      return promise
    },
    inputs: (program, slot) => viewsOf(program, slot).inputs,
    outputs: (program, slot) => viewsOf(program, slot).outputs,
    reaches: (other) => other === index || peers.some(({ options }) => options.index === other),
    submit({ program, slot, copies, place, begins }, finish) {
      if (state !== 'ready') {
        const error = state === 'closed' ? closedError() : new GlowplugError('card-lost', about(`is ${state}`))
        queueMicrotask(() => finish(0, error))
        return
      }
      if (begins instanceof Uint8Array) worker!.postMessage(begins)
      const command: number[] = [program, slot, stateWord(place, begins)]
      for (const { to, card, program, output } of copies) command.push(to, card, program, output)
      if (pending.length === 0) {
        watchdog.begin()
        worker!.ref()
      }
      patience.begin(took.get(program) ?? Number.POSITIVE_INFINITY)
      pending.push({ program, since: pending.length === 0 ? performance.now() : undefined, finish })
      worker!.postMessage(command)
    },
    async close() {
      if (state !== 'closed') {
        restart.cancel()
        clear('closed', closedError(), closedError())
        watchdog.close()
      }
      await gone
      views.length = 0
    },
  }
  return card
}
