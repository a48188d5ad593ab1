import type { Plan, PlannedPart, PlannedTransfer } from '../../../compiler/partition/plan.ts'
import type { Link, Platform, Processor } from '../../../compiler/partition/platform.ts'
import { createAgenda } from './agenda.ts'
import { arrivals } from './arrivals.ts'
import { type Distribution, distributionOf } from './distribution.ts'

/** Seconds that a part takes on a card, if known better than by the plan's roofline: measured ones, for a machine that is at hand. */
export type SecondsOf = (part: PlannedPart, processor: Processor) => number

export interface SimulateOptions {
  /** Requests each second. Their distances are exponentially distributed, from the seed; the first comes at once. */
  readonly rate: number
  /** Default 10,000. */
  readonly requests?: number
  /** Default 1. */
  readonly seed?: number
  /** Requests come at equal distances. Default false. */
  readonly even?: boolean
  readonly secondsOf?: SecondsOf
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

/** What one request still waits for. */
interface Progress {
  readonly number: number
  readonly start: number
  /** Values that each part has not got yet. */
  readonly missing: Map<string, number>
  /** Where each part runs: the host, or a card. */
  readonly at: Map<string, 'host' | number>
}

const host = 'host'

/**
 * Serves requests with a plan on a platform, as a model of discrete events: cards and the host do one part at a time, links and the uplink that
 * all cards share carry one value at a time each way, in the order in which things come; of parts with copies the card with least left to do is
 * taken, of equals the one that was not taken for longest (RT-12). Equal options give equal results. Modelled, not measured.
 */
export function simulate(plan: Plan, platform: Platform, options: SimulateOptions): Simulation {
  const { requests = 10_000, observe = () => {}, secondsOf = (part) => part.seconds } = options
  const agenda = createAgenda()
  const cards = platform.cards.map(({ name }) => server(name))
  const hostServer = server(host)
  const uplink = { down: server('uplink down'), up: server('uplink up') }
  const links = platform.cards.map(({ name }) => ({ down: server(`${name} down`), up: server(`${name} up`) }))
  /** Of each card: seconds of the parts that were given to it and are not done, and when it was given the last. */
  const left = platform.cards.map(() => 0)
  const lastTaken = platform.cards.map(() => -1)
  const latencies: number[] = []
  const partNames = new Map(plan.parts.map((part) => [part.name, part]))
  const readers = new Map<string, readonly PlannedTransfer[]>()
  for (const name of [host, ...partNames.keys()])
    readers.set(
      name,
      plan.transfers.filter(({ from }) => from === name),
    )
  let taken = 0

  const workOf = (part: PlannedPart, processor: Processor): number => processor.launchSeconds + secondsOf(part, processor)

  /** Where a part runs; of several cards the one with least left to do. */
  function pick(part: PlannedPart): 'host' | number {
    if (part.on === host) return host
    let best = part.on[0]!
    for (const card of part.on)
      if (left[card]! < left[best]! || (left[card] === left[best] && lastTaken[card]! < lastTaken[best]!)) best = card
    lastTaken[best] = taken++
    left[best]! += workOf(part, platform.cards[best]!)
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

  function deliver(progress: Progress, sender: string, from: 'host' | number, now: number): void {
    for (const { to, value, bytes } of readers.get(sender)!) {
      if (to !== host && !progress.at.has(to)) progress.at.set(to, pick(partNames.get(to)!))
      const target = to === host ? host : progress.at.get(to)!
      const there = send(waysOf(from, target), bytes, now, value, progress.number)
      agenda.at(there, () => arrive(progress, to, there))
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

  function begin(progress: Progress, part: PlannedPart, now: number): void {
    const at = progress.at.get(part.name) ?? pick(part)
    progress.at.set(part.name, at)
    const processor = at === host ? platform.host : platform.cards[at]!
    const own = at === host ? hostServer : cards[at]!
    const start = Math.max(now, own.free)
    const seconds = workOf(part, processor)
    own.free = start + seconds
    own.busy += seconds
    observe({ kind: 'part', name: part.name, request: progress.number, where: own.name, start, end: own.free })
    agenda.at(own.free, () => {
      if (at !== host) left[at]! -= seconds
      deliver(progress, part.name, at, start + seconds)
    })
  }

  function answer(progress: Progress, now: number): void {
    latencies.push(now - progress.start)
    observe({
      kind: 'request',
      name: `${progress.number}`,
      request: progress.number,
      where: 'requests',
      start: progress.start,
      end: now,
    })
  }

  const missing = new Map(
    [host, ...partNames.keys()].map((name) => [name, plan.transfers.filter(({ to }) => to === name).length]),
  )

  function enter(number: number, now: number): void {
    const progress: Progress = { number, start: now, missing: new Map(missing), at: new Map() }
    for (const [name, part] of partNames) if (missing.get(name) === 0) begin(progress, part, now)
    deliver(progress, host, host, now)
    if (missing.get(host) === 0) answer(progress, now)
  }

  arrivals(options, requests).forEach((time, number) => {
    agenda.at(time, () => enter(number, time))
  })
  const seconds = Math.max(agenda.run(), Number.MIN_VALUE)
  const use = ({ name, busy, bytes }: Server, isLink: boolean): Use => ({
    name,
    busy: busy / seconds,
    ...(isLink && { bytes: bytes / requests }),
  })
  const watts = (processor: Processor, own: Server) =>
    processor.watts.idle * seconds + (processor.watts.busy - processor.watts.idle) * own.busy
  const joules = watts(platform.host, hostServer) + platform.cards.reduce((sum, card, i) => sum + watts(card, cards[i]!), 0)
  return {
    requests,
    rate: options.rate,
    latency: distributionOf(latencies),
    throughput: latencies.length / seconds,
    uses: [
      use(hostServer, false),
      use(uplink.down, true),
      use(uplink.up, true),
      ...cards.flatMap((card, i) => [use(card, false), use(links[i]!.down, true), use(links[i]!.up, true)]),
    ],
    joulesPerRequest: joules / requests,
  }
}
