import type { Plan, PlannedPart, PlannedTransfer } from '../../../compiler/partition/plan.ts'
import type { Link, Platform, Processor } from '../../../compiler/partition/platform.ts'
import { createAgenda } from './agenda.ts'
import { arrivals } from './arrivals.ts'
import { type Distribution, distributionOf } from './distribution.ts'
import { type Fault, type FaultTimes, rateAt, type StateChange } from './faults.ts'
import { type Energy, energyOf } from './report.ts'

/** Seconds that a part takes on a card for a batch of requests, if known better than by the plan's roofline: measured ones, for a machine that is at hand. */
export type SecondsOf = (part: PlannedPart, processor: Processor, batch: number) => number

/** Requests that go together: a batch goes when it has `most`, or when its first has waited for `delaySeconds`. */
export interface Batching {
  readonly most: number
  readonly delaySeconds: number
}

export interface SimulateOptions {
  /** Requests each second. Their distances are exponentially distributed, from the seed; the first comes at once. */
  readonly rate: number
  /** Default 10,000. */
  readonly requests?: number
  /** Default 1. */
  readonly seed?: number
  /** Requests come at equal distances. Default false. */
  readonly even?: boolean
  /** Default: what the plan says, for each request of a batch. */
  readonly secondsOf?: SecondsOf
  /** Default: each request goes by itself. */
  readonly batching?: Batching
  /** What befalls cards; a request that a card is lost with runs once more elsewhere, and fails when that is lost too. */
  readonly faults?: readonly Fault[]
  readonly times?: Partial<FaultTimes>
  /** Told of everything that takes time, in the order in which it begins. */
  readonly observe?: (span: Span) => void
}

/** Something that went on from `start` to `end`, seconds after the first request came. */
export interface Span {
  readonly kind: 'request' | 'copy' | 'part'
  /** The part or value, or the number of the request. */
  readonly name: string
  readonly request: number
  /** The card, the host, a link or the requests themselves. */
  readonly where: string
  readonly start: number
  readonly end: number
}

/** What is used, and for what part of the time. */
export interface Use {
  readonly name: string
  readonly busy: number
  /** Bytes of one request on average; absent for what computes. */
  readonly bytes?: number
}

/** Modelled: nothing here was measured. */
export interface Simulation {
  readonly requests: number
  readonly rate: number
  /** Seconds from request to answer. */
  readonly latency: Distribution
  /** Answers each second, from the first request to the last answer. */
  readonly throughput: number
  readonly uses: readonly Use[]
  /** Of cards and host together. */
  readonly joulesPerRequest: number
  readonly energy: Energy
  /** What is busy for the largest part of the time, and bounds the rate. */
  readonly fullest: string
  /** Requests that have no answer, and those that ran twice. */
  readonly failed: number
  readonly retried: number
  /** What became of cards, in order. */
  readonly states: readonly StateChange[]
}

/** Something that does one thing after the other, in the order in which they come. */
interface Server {
  readonly name: string
  free: number
  busy: number
  bytes: number
}

const server = (name: string): Server => ({ name, free: 0, busy: 0, bytes: 0 })

/** What a transfer goes through, one way. */
interface Way {
  readonly server: Server
  readonly link: Link
}

/** A card as its host knows it. Parts that have cores of their own run beside the others (FB-03). */
interface SimulatedCard {
  readonly whole: Server
  readonly lanes: Map<string, Server>
  /** Seconds of the parts that were given to it and are not done, and when it was given the last. */
  left: number
  lastTaken: number
  isUp: boolean
  /** It does nothing more, and nobody knows. */
  isHung: boolean
  /** Times that it was lost: what was begun before comes to nothing. */
  epoch: number
}

/** What one batch of requests still waits for. */
interface Progress {
  /** The first of its requests. */
  readonly number: number
  /** When each of them came. */
  readonly starts: readonly number[]
  /** Values that each part has not got yet. */
  missing: Map<string, number>
  /** Where each part runs: the host, or a card. */
  at: Map<string, 'host' | number>
  /** What is left to do of each part on a card. */
  owed: Map<string, number>
  /** Rises when it begins anew: what was on its way before comes to nothing. */
  attempt: number
  /** It began anew because a card was lost: not a second time. */
  wasLost: boolean
  readonly waiting: Set<string>
}

const host = 'host'

/** Seconds after which a host that nothing happens to is asleep. */
const awakeSeconds = 1e-4

/**
 * Serves requests with a plan on a platform, as a model of discrete events: cards and the host do one part at a time, but for parts that have cores
 * of their own; links and the uplink that all cards share carry one value at a time each way, in the order in which things come; of parts with
 * copies the card with least left to do is taken, of equals the one that was not taken for longest (RT-12). Equal options give equal results.
 * Modelled, not measured.
 */
export function simulate(plan: Plan, platform: Platform, options: SimulateOptions): Simulation {
  const {
    requests = 10_000,
    observe = () => {},
    secondsOf = (part, _, batch) => part.seconds * batch,
    batching,
    faults = [],
  } = options
  const { timeoutSeconds = 0.1, restartSeconds = 1 } = options.times ?? {}
  const agenda = createAgenda()
  const hostServer = server(host)
  const uplink = { down: server('uplink down'), up: server('uplink up') }
  const links = platform.cards.map(({ name }) => ({ down: server(`${name} down`), up: server(`${name} up`) }))
  const cards = platform.cards.map(
    ({ name }): SimulatedCard => ({
      ...{ whole: server(name), lanes: new Map(), left: 0, lastTaken: -1, isUp: true, isHung: false, epoch: 0 },
    }),
  )
  const latencies: number[] = []
  const states: StateChange[] = []
  const active = new Set<Progress>()
  let lastAnswer = 0
  /** When the host last had something to do. */
  let hostSeen = Number.NEGATIVE_INFINITY
  let failed = 0
  let retried = 0
  const partNames = new Map(plan.parts.map((part) => [part.name, part]))
  const readers = new Map<string, readonly PlannedTransfer[]>()
  for (const name of [host, ...partNames.keys()])
    readers.set(
      name,
      plan.transfers.filter(({ from }) => from === name),
    )
  let taken = 0

  /** Seconds that the host has to do with a run of a part: it copies what goes in and comes out, and gives the command. */
  function attendance({ name }: PlannedPart, batch: number): number {
    const copied = plan.transfers.filter(({ from, to }) => (from === host && to === name) || (from === name && to === host))
    const bytes = copied.reduce((sum, transfer) => sum + transfer.bytes, 0)
    return (bytes * batch) / platform.uplink.bytesPerSecond + platform.host.launchSeconds
  }

  /** How much longer a part takes where cards run on the processors of the host, and all together want more than there are. */
  function crowding(part: PlannedPart, { cores }: Processor, batch: number, others: number, alone: number): number {
    const processors = platform.sharing?.processors
    if (processors === undefined) return 1
    const attended = attendance(part, batch) / Math.max(alone, Number.MIN_VALUE)
    return Math.max(1, ((others + 1) * (cores + attended)) / processors)
  }

  /** Seconds of a part on a card, as many others computing beside it, or on the host. */
  function workOf(part: PlannedPart, at: 'host' | number, batch: number, others: number): number {
    const processor = at === host ? platform.host : platform.cards[at]!
    const alone = secondsOf(part, processor, batch)
    // What sharing costs is known of the roofline; of other seconds it is as large a part.
    const crowded = at === host ? 1 : (part.crowdedSeconds ?? part.seconds) / Math.max(part.seconds, Number.MIN_VALUE)
    const share = platform.cards.length > 1 ? others / (platform.cards.length - 1) : 0
    const beside = alone * (1 + (Math.max(1, crowded) - 1) * share)
    return processor.launchSeconds + beside * (at === host ? 1 : crowding(part, processor, batch, others, beside))
  }

  /** Where a part runs; of several cards the one with least left to do. Undefined where none stands. */
  function pick(part: PlannedPart, batch: number): 'host' | number | undefined {
    if (part.on === host) return host
    let best: number | undefined
    for (const index of part.on) {
      const [card, other] = [cards[index]!, best === undefined ? undefined : cards[best]!]
      if (!card.isUp) continue
      if (!other || card.left < other.left || (card.left === other.left && card.lastTaken < other.lastTaken)) best = index
    }
    if (best === undefined) return undefined
    const card = cards[best]!
    card.lastTaken = taken++
    card.left += workOf(part, best, batch, 0)
    return best
  }

  function waysOf(from: 'host' | number, to: 'host' | number): readonly Way[] {
    if (from === to) return []
    const down = (card: number): Way => ({ server: links[card]!.down, link: platform.cards[card]!.link })
    const up = (card: number): Way => ({ server: links[card]!.up, link: platform.cards[card]!.link })
    const ofUplink = (way: 'down' | 'up'): Way => ({ server: uplink[way], link: platform.uplink })
    if (from === host) return [ofUplink('down'), down(to as number)]
    if (to === host) return [up(from), ofUplink('up')]
    return platform.peerToPeer ? [up(from), down(to)] : [up(from), ofUplink('up'), ofUplink('down'), down(to)]
  }

  /** Sends a value and returns when it is there: it streams through all of its way, each piece of it when that is free. */
  function send(ways: readonly Way[], bytes: number, now: number, name: string, request: number): number {
    let end = now
    for (const { server: through, link } of ways) {
      const start = Math.max(now, through.free)
      const seconds = bytes / link.bytesPerSecond
      through.free = start + seconds
      through.busy += seconds
      through.bytes += bytes
      end = Math.max(end, through.free) + link.latencySeconds
      observe({ kind: 'copy', name, request, where: through.name, start, end: through.free })
    }
    return end
  }

  /** Runs something at a time, unless the batch has begun anew by then. */
  function later(progress: Progress, time: number, happens: () => void): void {
    const { attempt } = progress
    agenda.at(time, () => {
      if (progress.attempt === attempt && active.has(progress)) happens()
    })
  }

  /** The card of a part, found now where it has none; false where it has to wait for one. */
  function settle(progress: Progress, part: PlannedPart): boolean {
    if (progress.at.has(part.name)) return true
    const at = pick(part, progress.starts.length)
    if (at === undefined) return false
    progress.at.set(part.name, at)
    if (at !== host) progress.owed.set(part.name, workOf(part, at, progress.starts.length, 0))
    return true
  }

  const isHopeless = ({ on }: PlannedPart): boolean =>
    on !== host && on.every((index) => states.some(({ card, state }) => card === index && state === 'failed'))

  function deliver(progress: Progress, sender: string, from: 'host' | number, now: number): void {
    for (const { to, value, bytes } of readers.get(sender)!) {
      const part = partNames.get(to)
      if (part && !settle(progress, part)) {
        if (isHopeless(part)) {
          fail(progress)
          return
        }
        progress.waiting.add(sender)
        continue
      }
      const target = part ? progress.at.get(to)! : host
      const there = send(waysOf(from, target), bytes * progress.starts.length, now, value, progress.number)
      later(progress, there, () => arrive(progress, to, there))
    }
  }

  /** One value that a part, or the caller, waits for is there. */
  function arrive(progress: Progress, to: string, now: number): void {
    const left = progress.missing.get(to)! - 1
    progress.missing.set(to, left)
    if (left > 0) return
    if (to === host) answer(progress, now)
    else begin(progress, partNames.get(to)!, now)
  }

  function laneOf({ whole, lanes }: SimulatedCard, { name, cores }: PlannedPart): Server {
    if (cores === undefined) return whole
    const lane = lanes.get(name) ?? server(`${whole.name} ${name}`)
    lanes.set(name, lane)
    return lane
  }

  function begin(progress: Progress, part: PlannedPart, now: number): void {
    if (!settle(progress, part)) {
      if (isHopeless(part)) fail(progress)
      else progress.waiting.add(part.name)
      return
    }
    const at = progress.at.get(part.name)!
    const card = at === host ? undefined : cards[at]!
    if (card?.isHung) return
    const own = card ? laneOf(card, part) : hostServer
    const start = Math.max(now, own.free)
    const others = card ? cards.filter((other) => other !== card && other.whole.free > start).length : 0
    const rate = at === host ? 1 : rateAt(faults, at, start)
    const seconds = workOf(part, at, progress.starts.length, others) / rate
    own.free = start + seconds
    own.busy += seconds
    observe({ kind: 'part', name: part.name, request: progress.number, where: own.name, start, end: own.free })
    const epoch = card?.epoch
    const end = own.free
    later(progress, end, () => {
      if (card && (card.isHung || card.epoch !== epoch)) return
      if (card) card.left -= progress.owed.get(part.name)!
      progress.owed.delete(part.name)
      const seen = at === host || end - hostSeen <= awakeSeconds ? end : end + (platform.cards[at]!.wakeSeconds ?? 0)
      hostSeen = Math.max(hostSeen, seen)
      deliver(progress, part.name, at, seen)
    })
  }

  function answer(progress: Progress, now: number): void {
    active.delete(progress)
    lastAnswer = Math.max(lastAnswer, now)
    progress.starts.forEach((start, i) => {
      latencies.push(now - start)
      const request = progress.number + i
      observe({ kind: 'request', name: `${request}`, request, where: 'requests', start, end: now })
    })
  }

  function fail(progress: Progress): void {
    if (!active.delete(progress)) return
    release(progress)
    failed += progress.starts.length
  }

  /** Cards no longer owe it anything. */
  function release(progress: Progress): void {
    for (const [part, seconds] of progress.owed) {
      const at = progress.at.get(part)!
      if (at !== host) cards[at]!.left = Math.max(0, cards[at]!.left - seconds)
    }
    progress.owed.clear()
  }

  const missing = new Map(
    [host, ...partNames.keys()].map((name) => [name, plan.transfers.filter(({ to }) => to === name).length]),
  )

  function run(progress: Progress, now: number): void {
    progress.missing = new Map(missing)
    progress.at = new Map()
    progress.waiting.clear()
    for (const [name, part] of partNames) if (missing.get(name) === 0) begin(progress, part, now)
    deliver(progress, host, host, now)
    if (missing.get(host) === 0) answer(progress, now)
  }

  function enter(number: number, starts: readonly number[], now: number): void {
    const progress: Progress = {
      ...{
        number,
        starts,
        missing: new Map(),
        at: new Map(),
        owed: new Map(),
        attempt: 0,
        wasLost: false,
        waiting: new Set<string>(),
      },
    }
    active.add(progress)
    hostSeen = Math.max(hostSeen, now)
    run(progress, now)
  }

  /** The host knows that a card is gone: what ran there, or has values there, runs elsewhere, once; then it comes back. */
  function lose(index: number, now: number, why: Fault['kind']): void {
    const card = cards[index]!
    if (!card.isUp) return
    Object.assign(card, { isUp: false, isHung: false, epoch: card.epoch + 1, left: 0 })
    states.push({ card: index, state: 'lost', at: now, why })
    agenda.at(now + restartSeconds, () => {
      for (const each of [card.whole, ...card.lanes.values(), links[index]!.down, links[index]!.up])
        each.free = now + restartSeconds
      card.isUp = true
      states.push({ card: index, state: 'ready', at: now + restartSeconds, why: 'restarted' })
      for (const progress of [...active]) if (progress.waiting.size > 0) again(progress, now + restartSeconds)
    })
    for (const progress of [...active]) {
      if (![...progress.at.values()].includes(index)) continue
      if (progress.wasLost) fail(progress)
      else {
        progress.wasLost = true
        retried += progress.starts.length
        again(progress, now)
      }
    }
  }

  function again(progress: Progress, now: number): void {
    release(progress)
    progress.attempt++
    run(progress, now)
  }

  for (const fault of faults) {
    const { card: index, kind } = fault
    const card = cards[index]
    if (!card) continue
    if (kind === 'firmware') {
      card.isUp = false
      states.push({ card: index, state: 'failed', at: 0, why: kind })
    } else if (kind === 'throttle') {
      agenda.at(fault.at, () => states.push({ card: index, state: 'slow', at: fault.at, why: kind }))
      const end = fault.at + fault.seconds
      agenda.at(end, () => states.push({ card: index, state: 'ready', at: end, why: 'cooled' }))
    } else if (kind === 'hang') {
      agenda.at(fault.at, () => {
        card.isHung = card.isUp
        agenda.at(fault.at + timeoutSeconds, () => card.isHung && lose(index, fault.at + timeoutSeconds, kind))
      })
    } else agenda.at(fault.at, () => lose(index, fault.at, kind))
  }

  const times = arrivals(options, requests)
  if (batching) {
    const { most, delaySeconds } = batching
    for (let first = 0; first < times.length; ) {
      let next = first + 1
      while (next < times.length && next - first < most && times[next]! <= times[first]! + delaySeconds) next++
      const [number, starts] = [first, times.slice(first, next)]
      const goes = starts.length === most ? starts.at(-1)! : times[first]! + delaySeconds
      agenda.at(goes, () => enter(number, starts, goes))
      first = next
    }
  } else
    times.forEach((time, number) => {
      agenda.at(time, () => enter(number, [time], time))
    })
  agenda.run()
  // What is left waits for a card that never comes.
  for (const progress of [...active]) fail(progress)
  const seconds = Math.max(lastAnswer, Number.MIN_VALUE)
  const use = ({ name, busy, bytes }: Server, isLink: boolean): Use => ({
    name,
    busy: busy / seconds,
    ...(isLink && { bytes: bytes / requests }),
  })
  const lanesOf = ({ whole, lanes }: SimulatedCard) =>
    lanes.size > 0 && whole.busy === 0 ? [...lanes.values()] : [whole, ...lanes.values()]
  const uses = [
    use(hostServer, false),
    use(uplink.down, true),
    use(uplink.up, true),
    ...cards.flatMap((card, i) => [
      ...lanesOf(card).map((lane) => use(lane, false)),
      use(links[i]!.down, true),
      use(links[i]!.up, true),
    ]),
  ]
  /** Of a card whose cores are divided, each lane counts by its cores. */
  const busyOf = (processor: Processor, index: number): number => {
    if (index < 0) return hostServer.busy
    const { whole, lanes } = cards[index]!
    return [...lanes].reduce((sum, [name, { busy }]) => sum + (busy * partNames.get(name)!.cores!) / processor.cores, whole.busy)
  }
  const energy = energyOf(platform, busyOf, seconds, latencies.length)
  return {
    requests,
    rate: options.rate,
    latency: distributionOf(latencies),
    throughput: latencies.length / seconds,
    uses,
    joulesPerRequest: energy.joulesPerRequest,
    energy,
    fullest: uses.reduce((most, each) => (each.busy > most.busy ? each : most)).name,
    failed,
    retried,
    states,
  }
}
