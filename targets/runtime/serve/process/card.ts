import { crash, type ErrorCode, explain, GlowplugError } from '../../error.ts'
import type { Card, CardCopy, CardOptions, CardState, Finish } from '../card.ts'
import { createRestart, firstRunHung, startPatience } from '../restart.ts'
import { noMemory, outOfMemory, stateBytes, stateWord } from '../states.ts'
import { copyBytes, errorBytes, frameBytes, kinds, mark } from './frames.ts'
import { type Life, startLife } from './life.ts'
import type { Frame } from './reader.ts'
import { type CardRegions, regionsOfCard } from './regionsOfCard.ts'
import { filesOf, setupFrame } from './setup.ts'

/** Milliseconds, at least and at most, between two looks at whether an idle card still answers; between them, as long as it has for a command. */
const pingIntervals = [100, 5_000] as const

/** A command under way, or a ping, which has no `finish`. */
interface Pending {
  readonly id: number
  readonly finish?: Finish
  /** Where outputs go that come with the answer. */
  readonly outputs: readonly Uint8Array[]
}

const none: readonly Uint8Array[] = []
const bytesIn = (tensors: readonly Uint8Array[]) => tensors.reduce((sum, { length }) => sum + length, 0)

/**
 * Cards of one model that are processes of their own: a crash or a hang ends the one process, which is started again. Where code is native,
 * inputs and outputs lie in memory that the card and the host share, and that other cards read. `peerToPeer` false: they do not.
 */
export function createProcessCards(all: readonly CardOptions[], peerToPeer = true): readonly Card[] {
  const regions = all.map(regionsOfCard)
  return regions.map((own) => createCard(own, peerToPeer ? regions.filter((other) => other !== own) : []))
}

function createCard(own: CardRegions, peers: readonly CardRegions[]): Card {
  const { options, layout } = own
  const { index, name, parts, kept, timeout, watcher } = options
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  const files = parts.map(filesOf)
  const restart = createRestart()
  const about = (text: string) => `card '${name}' ${text}`
  const lost = (text: string, cause?: unknown) => new GlowplugError('card-lost', about(text), cause)
  const closed = () => new GlowplugError('closed', about('is closed'))

  let state: CardState = 'starting'
  let target = ''
  let restarts = 0
  let life: Life | undefined
  let pending: Pending[] = []
  /** Of `pending`, those that someone waits for. */
  let awaited = 0
  let nextId = 0
  /** Frames, of all its processes. */
  let heard = 0
  /** Whoever waits for the first start. */
  let starting: { readonly promise: Promise<void>; resolve(): void; reject(error: unknown): void } | undefined
  let timer: NodeJS.Timeout | undefined
  let pinger: NodeJS.Timeout | undefined
  /** Whether it has stood since it was first started, or failed. */
  let stood = false
  /** The process before has ended; a new one is not there yet. */
  let gone: Promise<void> | undefined
  let launching = false
  const loadPatience = Math.max(timeout, startPatience)
  /** The step of its start under way is a first run. */
  let warming = false

  function change(to: CardState, error?: GlowplugError): void {
    if (state === to) return
    state = to
    tell(() => watcher.changed(card, to, error))
  }

  /** What listeners throw is no matter of the card, and not to be lost in it. */
  function tell(listener: () => void): void {
    try {
      listener()
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown
      })
    }
  }

  /** Leaves no process behind, and fails what it was doing for a `reason`. */
  function clear(to: 'lost' | 'failed' | 'closed', cause: GlowplugError, reason: GlowplugError): void {
    clearTimeout(timer)
    clearInterval(pinger)
    life?.end()
    life = undefined
    const failed = pending
    pending = []
    awaited = 0
    change(to, cause)
    if (to !== 'lost') {
      stood = false
      starting?.reject(cause)
      starting = undefined
    }
    for (const { finish } of failed) tell(() => finish?.(0, reason))
  }

  /** The process is gone, or is to go. Another is started, unless this one never stood or could only meet the same files. */
  function lose(error: GlowplugError): void {
    const final = !stood || /^(bundle|target)-/.test(error.code) || !restart.schedule(launch)
    clear(final ? 'failed' : 'lost', error, error.code === 'card-lost' ? error : lost(`was lost: ${error.message}`, error))
  }

  /** Counts the time of a step of the start, or of the command under way. */
  function time(milliseconds: number): void {
    clearTimeout(timer)
    timer = setTimeout(ring, milliseconds)
    timer.unref()
  }

  function ring(): void {
    const [timed, head, before] = [life, pending[0], heard]
    if (state === 'ready' && !head) return
    // The host may have slept as well, and the answer lies there unread.
    setImmediate(() => {
      if (timed !== life || before !== heard) return
      const start = warming ? firstRunHung(timeout) : `did not start in ${loadPatience} ms`
      lose(lost(head ? `did not answer in ${timeout} ms` : start))
    })
  }

  function accept({ kind, id, bytes }: Frame): readonly Uint8Array[] {
    const head = pending[0]
    let payload = none
    if (kind === kinds.error) {
      if (bytes > errorBytes) throw Error('too long an error')
      payload = [Buffer.alloc(bytes)]
    } else if (kind === kinds.done || kind === kinds.pong) {
      if (head?.id !== id || !head.finish !== (kind === kinds.pong)) throw Error('an answer that nobody waits for')
      payload = head.outputs
    } else if (state === 'ready' || (kind !== kinds.ready && kind !== kinds.progress)) throw Error(`a frame of kind ${kind}`)
    if (bytes !== bytesIn(payload)) throw Error(`an answer of ${bytes} bytes`)
    return payload
  }

  function ended({ kind, fault }: Frame, payload: readonly Uint8Array[]): void {
    heard++
    if (kind === kinds.error) {
      const { name: named, code, message } = JSON.parse(String(payload[0]))
      const error =
        named === 'GlowplugError'
          ? new GlowplugError(`${code}` as ErrorCode, `${message}`)
          : Object.assign(Error(`${message}`), { name: `${named}` })
      lose(state === 'ready' ? crash(about, error) : explain(error, { place: `card '${name}'` }))
    } else if (kind === kinds.progress) {
      warming = fault === 1
      time(warming ? timeout : loadPatience)
    } else if (kind === kinds.ready) {
      time(timeout)
      pinger = setInterval(ping, Math.min(Math.max(timeout, pingIntervals[0]), pingIntervals[1]))
      pinger.unref()
      life!.hold(false)
      restart.stood()
      target = [...new Set(parts.map(({ loaded }) => `${loaded.chosen.target} ${loaded.chosen.level}`))].join(', ')
      if (stood) restarts++
      stood = true
      change('ready')
      starting?.resolve()
      starting = undefined
    } else {
      const { finish } = pending.shift()!
      timer!.refresh()
      if (finish && --awaited === 0) life!.hold(false)
      if (finish) tell(() => (fault === noMemory ? finish(0, outOfMemory(about)) : finish(fault)))
    }
  }

  async function launch(): Promise<void> {
    if (life || launching) return
    launching = true
    await gone
    launching = false
    if (state === 'closed') return
    try {
      const { frame, descriptors } = setupFrame(own, peers, files)
      life = startLife(descriptors, frame, { accept, ended, died: (reason) => lose(lost(reason)) })
      gone = life.gone
      life.hold(starting !== undefined)
      warming = false
      time(loadPatience)
    } catch (error) {
      const { name: kind, message } = error as Error
      lose(
        kind === 'RangeError'
          ? new GlowplugError('out-of-memory', about(message), error)
          : lost(`cannot be started: ${message}`, error),
      )
    }
  }

  function frameOf(
    [kind, id, program, slot]: readonly [kind: number, id: number, program: number, slot: number],
    copies: readonly CardCopy[] = [],
    word = 0,
    tensors = 0,
  ): Buffer {
    const frame = Buffer.allocUnsafe(frameBytes + copies.length * copyBytes)
    const words = [mark, kind, id, program, slot, copies.length, copies.length * copyBytes + tensors, word]
    let at = 0
    for (const word of words) at = frame.writeUInt32LE(word, at)
    for (const { to, card, program, output } of copies) {
      at = frame.writeUInt32LE(to, at)
      at = frame.writeUInt32LE(card, at)
      at = frame.writeUInt32LE(program, at)
      at = frame.writeUInt32LE(output, at)
    }
    return frame
  }

  function add(finish: Finish | undefined, outputs: readonly Uint8Array[]): number {
    const id = nextId
    nextId = (nextId + 1) >>> 0
    if (pending.length === 0) timer!.refresh()
    if (finish && awaited++ === 0) life!.hold(true)
    pending.push(finish ? { id, finish, outputs } : { id, outputs })
    return id
  }

  function ping(): void {
    if (pending.length === 0) life!.write(frameOf([kinds.ping, add(undefined, none), 0, 0]))
  }

  const shares = (regions: CardRegions) => regions.memory().descriptors !== undefined

  const card: Card = {
    index,
    name,
    device: 'process',
    get state() {
      return state
    },
    get target() {
      return target
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
    get pid() {
      return life?.pid
    },
    start() {
      if (state === 'closed') return Promise.reject(closed())
      if (state === 'ready') return Promise.resolve()
      if (starting) return starting.promise
      let resolve!: () => void
      let reject!: (error: unknown) => void
      const promise = new Promise<void>((yes, no) => {
        resolve = yes
        reject = no
      })
      starting = { promise, resolve, reject }
      // Where it is to stand again, at once.
      restart.cancel()
      if (!stood) change('starting')
      life?.hold(true)
      void launch()
      return promise
    },
    inputs: (program, slot) => own.tensorsOf(own.find(program, slot)).inputs,
    outputs: (program, slot) => own.tensorsOf(own.find(program, slot)).outputs,
    reaches: (other) => other === index || (shares(own) && peers.some((peer) => peer.options.index === other && shares(peer))),
    submit({ program, slot, copies, place, begins }, finish) {
      if (state !== 'ready') {
        const error = state === 'closed' ? closed() : lost(`is ${state}`)
        queueMicrotask(() => finish(0, error))
        return
      }
      const word = stateWord(place, begins)
      const first = begins instanceof Uint8Array ? [begins] : none
      if (shares(own)) {
        life!.write(frameOf([kinds.run, add(finish, none), program, slot], copies, word, bytesIn(first)), first)
        return
      }
      const { inputs, outputs } = own.bytesOf(own.find(program, slot))
      // Here too, so that what the card has copied is what a later command may be sent.
      for (const { to, program, output } of copies) inputs[to]!.set(own.bytesOf(own.find(program, slot)).outputs[output]!)
      const sent = [...first, ...inputs.filter((_, input) => copies.every(({ to }) => to !== input))]
      life!.write(frameOf([kinds.run, add(finish, outputs), program, slot], copies, word, bytesIn(sent)), sent)
    },
    async close() {
      if (state !== 'closed') {
        restart.cancel()
        clear('closed', closed(), closed())
      }
      await gone
      own.close()
    },
  }
  return card
}
