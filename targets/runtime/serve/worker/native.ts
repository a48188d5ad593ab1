import type { Addon, NativeInstance } from '../../addon.ts'
import { crash, explain, GlowplugError } from '../../error.ts'
import { builtin } from '../../plan.ts'
import { engine } from '../../source.ts'
import { arrayOf, elementCount, type TensorArray } from '../../tensor.ts'
import type { Card, CardOptions, CardPart, CardState, Command, Finish } from '../card.ts'
import { checkWeights } from '../checkWeights.ts'
import { type HeldState, type HeldStates, nativeStates, outOfMemory, stateBytes } from '../states.ts'
import { sharedPatience } from './patience.ts'
import { createSharedThreads, type SharedThreads } from './threads.ts'
import { createWatchdog } from './watchdog.ts'

/** Inputs and outputs of a program in a slot. */
interface Region {
  readonly memory: ArrayBuffer
  readonly start: number
  readonly inputs: readonly TensorArray[]
  readonly outputs: readonly TensorArray[]
}

/** A card that looks at other cards of its process. */
export type FindCard = (index: number) => Card | undefined

/** All addons of a process run on the same threads, as many as there are processors. */
let shared: SharedThreads | undefined
function sharedThreads(): SharedThreads {
  shared ??= createSharedThreads(builtin('os').availableParallelism())
  return shared
}

const checks = new WeakMap<object, Promise<void>>()

/** Compares weights with their checksum, in slices between which the event loop goes on, or with their digest; once for all cards. */
function verifyWeights({ loaded }: CardPart, full: boolean): Promise<void> {
  const { place, bytes, weights } = loaded
  async function check() {
    if (full) return engine().readInto(new Uint8Array(weights.bytes), place, bytes, weights.offset, weights.digest)
    for (const _ of checkWeights(loaded, loaded.code as Addon)) await new Promise(setImmediate)
  }
  const known = checks.get(loaded)
  if (known) return known
  const checking = check().catch((error) => {
    checks.delete(loaded)
    throw explain(error, loaded)
  })
  checks.set(loaded, checking)
  return checking
}

/**
 * A card whose native code runs on the threads of this process, one command at a time, in memory that the host sees. It cannot be ended: one that
 * hangs is `quarantined`, with all that it was to do lost, until its command ends after all.
 */
export function createNativeCard(options: CardOptions, find: FindCard): Card {
  const { index, name, programs, parts, slots, kept, threads, timeout, verify, watcher } = options
  const about = (text: string) => `card '${name}' ${text}`
  const partOf = new Map(parts.map((part) => [part.index, part]))
  const handles = new Map<number, NativeInstance>()
  const states = new Map<number, HeldStates<HeldState>>()
  for (const { index, state, loaded } of parts) if (state) states.set(index, nativeStates(loaded.code as Addon, state))
  const regions: (Region | undefined)[] = []
  const programOf = new Map(programs.map((program) => [program.id, program]))
  const sum = <T>(items: readonly T[], of: (item: T) => number) => items.reduce((all, item) => all + of(item), 0)

  let state: CardState = 'starting'
  let starting: Promise<void> | undefined
  let stood = false
  /** What is under way, and what comes after it. */
  const commands: { readonly command: Command; readonly finish: Finish }[] = []
  /** The pool has a command, whether or not somebody waits for its end. */
  let busy = false
  /** When it was given to the pool, and how many milliseconds the last of each program took there. */
  let given = 0
  const took = new Map<number, number>()
  const watchdog = createWatchdog(timeout, () => {
    turn.hang()
    leaveAlone(`has not answered in ${timeout} ms and cannot be ended`)
  })
  const patience = sharedPatience()
  const turn = sharedThreads().turn({
    begun: () => watchdog.begin(),
    starved: () => leaveAlone('has no thread: those that there are do not answer'),
  })

  function change(to: CardState, error?: GlowplugError): void {
    if (state === to) return
    state = to
    watcher.changed(card, to, error)
  }

  function regionOf(program: number, slot: number): Region {
    const place = program * slots + slot
    const known = regions[place]
    if (known) return known
    const { part, placed } = programOf.get(program)!
    // Takes memory as it is touched.
    const memory = new ArrayBuffer(placed.regions.mutable + 64)
    const start = (partOf.get(part)!.loaded.code as Addon).lead(memory)
    const see = (tensors: typeof placed.inputs): TensorArray[] =>
      tensors.map(({ dtype, shape, offset }) => new (arrayOf(dtype))(memory, start + offset, elementCount(shape)))
    const region = { memory, start, inputs: see(placed.inputs), outputs: see(placed.outputs) }
    regions[place] = region
    return region
  }

  /** All that is under way or waits. */
  function failAll(error: GlowplugError): void {
    for (const { finish } of commands.splice(0)) finish(0, error)
  }

  /** Until its command ends, whoever waits for it by then. */
  function leaveAlone(why: string): void {
    if (state === 'quarantined' || closed()) return
    const error = new GlowplugError('card-lost', about(why))
    change('quarantined', error)
    failAll(error)
  }

  function begin(): void {
    const { command } = commands[0]!
    const { part, entry, state } = programOf.get(command.program)!
    const { memory, start } = regionOf(command.program, command.slot)
    busy = true
    given = performance.now()
    patience.begin(took.get(command.program) ?? Number.POSITIVE_INFINITY)
    turn.enter()
    try {
      const addon = partOf.get(part)!.loaded.code as Addon
      const held = state && heldFor(part, command)
      addon.start(handles.get(part)!, entry, memory, start, done, held?.memory, held?.start)
    } catch (error) {
      setImmediate(() => {
        end()
        commands.shift()?.finish(0, crash(about, error as Error))
        if (commands.length > 0) begin()
      })
    }
  }

  /** Where a command finds its state. Those that warm up are of no session. */
  function heldFor(part: number, { place, begins }: Command): HeldState {
    const own = states.get(part)!
    try {
      return place === undefined ? own.scratch() : own.at(place, begins)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw outOfMemory(about, error)
    }
  }

  /** The pool has it no longer. */
  function end(): void {
    busy = false
    watchdog.end()
    patience.end()
    turn.leave()
  }

  function done(fault: number): void {
    end()
    if (commands[0]) took.set(commands[0].command.program, performance.now() - given)
    if (state === 'quarantined') {
      change(stood ? 'ready' : 'failed')
      return
    }
    const ended = commands.shift()
    // The threads are not to wait for what the host makes of it.
    if (commands.length > 0) begin()
    ended?.finish(fault)
  }

  const run = (command: Command) =>
    new Promise<void>((resolve, reject) => {
      enqueue(command, (_, error) => (error ? reject(error) : resolve()))
    })

  function enqueue(command: Command, finish: Finish): void {
    commands.push({ command, finish })
    if (!busy) begin()
  }

  async function start(): Promise<void> {
    change('starting')
    try {
      for (const { index, loaded, threads: own } of parts) {
        const { place, bytes, weights, activations } = loaded
        const addon = loaded.code as Addon
        try {
          if (!handles.has(index))
            handles.set(index, addon.open(place as string, bytes, weights.offset, weights.bytes, activations, own ?? threads))
        } catch (error) {
          throw explain(error, loaded)
        }
      }
      const checking = verify === 'code' ? undefined : Promise.all(parts.map((part) => verifyWeights(part, verify === 'full')))
      checking?.catch(() => {})
      // On zeros: what becomes of them nobody sees.
      for (const { id } of programs) await run({ program: id, slot: 0, copies: [] })
      await checking
      if (closed()) throw new GlowplugError('closed', about('is closed'))
    } catch (error) {
      starting = undefined
      if (!closed()) change(state === 'quarantined' ? state : 'failed', error as GlowplugError)
      throw error
    }
    stood = true
    change('ready')
  }
  const closed = () => state === 'closed'

  const card: Card = {
    ...{ index, name, device: 'worker', restarts: 0 },
    get state() {
      return state
    },
    get target() {
      const ran = state === 'ready' || state === 'quarantined'
      return ran ? [...new Set(parts.map(({ loaded: { chosen } }) => `${chosen.target} ${chosen.level}`))].join(', ') : ''
    },
    bytes: {
      weights: sum(parts, ({ loaded }) => loaded.weights.bytes),
      activations: sum(parts, ({ loaded }) => loaded.activations),
      regions: slots * sum(programs, ({ placed }) => Math.ceil(placed.regions.mutable / 64) * 64),
      states: kept * stateBytes(parts),
    },
    start: () => (starting ??= start()),
    inputs: (program, slot) => regionOf(program, slot).inputs,
    outputs: (program, slot) => regionOf(program, slot).outputs,
    reaches: (other) => other === index || find(other) !== undefined,
    submit(command, finish) {
      const { program, slot, copies } = command
      if (state !== 'ready') {
        const error = new GlowplugError(closed() ? 'closed' : 'card-lost', about(`is ${state}`))
        queueMicrotask(() => finish(0, error))
        return
      }
      for (const { to, card: other, program: from, output } of copies) {
        const source = other === index ? card : find(other)!
        regionOf(program, slot).inputs[to]!.set(source.outputs(from, slot)[output] as never)
      }
      enqueue(command, finish)
    },
    async close() {
      if (closed()) return
      change('closed')
      watchdog.close()
      failAll(new GlowplugError('closed', about('is closed')))
      for (const [part, handle] of handles) (partOf.get(part)!.loaded.code as Addon).close(handle)
      handles.clear()
      states.clear()
      regions.length = 0
    },
  }
  return card
}
