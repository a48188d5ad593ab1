import { byteSize, type Graph, graphsWithin, hasTrait, type Node } from '../graph/index.ts'
import type { PartitionedGraph } from './cut.ts'
import { capacityOf, type Link, type MemoryLevel, type Platform, type Processor, type Sharing } from './platform.ts'
import { secondsOfNodes } from './roofline.ts'

/** Where a part runs: on the host, on one card, or on any of several, each of which has a copy and one of which is picked for each request. */
export type Place = 'host' | readonly number[]

/** Ways to place a model that find out themselves what goes where. */
export const methods = ['copies', 'tables', 'stages', 'unlike', 'graph'] as const
/** How a model is placed; `map`: as the user says. */
export type Method = (typeof methods)[number] | 'map'

/** A table, or a part of one, on a card. */
export interface PlannedTable {
  readonly table: string
  /** `rows 0 of 3`, `columns 0 … 31`; absent where the table is whole. */
  readonly part?: string
  readonly bytes: number
  /** Rows that a request picks, and seconds that takes. */
  readonly lookups: number
  readonly seconds: number
}

export interface PlannedPart {
  readonly name: string
  readonly on: Place
  /** Nodes that compute. */
  readonly nodes: number
  /** Which of `ops` they are, as `0-17 20 22-24`; those that are in no part are computed wherever they are read. */
  readonly computes: string
  /** Cores of a card that it has, where it does not have all. */
  readonly cores?: number
  /** Threads that run it together, where it is said. */
  readonly threads?: number
  readonly weights: number
  /** Inputs and outputs of one request. */
  readonly exchanged: number
  /** Seconds of a request on the slowest of its cards, modelled; without transfers. */
  readonly seconds: number
  /** The same while all cards work, where they share what they work with. */
  readonly crowdedSeconds?: number
  readonly tables?: readonly PlannedTable[]
}

/** A value that host or part gives to host or part for a request. It crosses a link where the two are not in one place. */
export interface PlannedTransfer {
  readonly from: string
  readonly to: string
  readonly value: string
  readonly bytes: number
}

/** Where everything of a model is, as JSON. Seconds are modelled. */
export interface Plan {
  readonly format: 1
  readonly model: string
  readonly platform: string
  readonly method: Method
  /** Requests that are under way at once, for each of which a card has inputs and outputs. */
  readonly contexts: number
  /** Of all nodes that compute, in their order, tables being in the parts that they are placed in: `reshape×2 linear relu`. */
  readonly ops: string
  /** In an order in which they can run. */
  readonly parts: readonly PlannedPart[]
  readonly transfers: readonly PlannedTransfer[]
  /** Of each card: bytes held, and seconds that a request takes of it on average, parts with copies divided among them. */
  readonly cards: readonly {
    readonly card: string
    readonly bytes: number
    readonly capacity: number
    readonly seconds: number
  }[]
  /** From request to answer without waiting, and the rate at which the fullest card has no pause. */
  readonly requestSeconds: number
  readonly requestsPerSecond: number
}

/** The plans of all entries of a model. A part of one name is in one place, whatever entry runs. */
export interface ModelPlan {
  readonly format: 1
  readonly model: string
  readonly platform: string
  readonly method: Method
  readonly contexts: number
  /** Whether values that cross together cross as one. */
  readonly join: boolean
  /** Of each card: weights that any entry reads, and inputs and outputs of the entry that has most. */
  readonly cards: readonly { readonly card: string; readonly bytes: number; readonly capacity: number }[]
  readonly entries: readonly { readonly name: string; readonly plan: Plan }[]
}

/** Whole numbers that ascend, as `0-17 20 22-24`. */
export function printRanges(numbers: readonly number[]): string {
  const ranges: [from: number, to: number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    if (last && last[1] === number - 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ')
}

/** Names, those of neighbours that are alike once: `reshape×2 linear relu`. */
export function printRuns(names: readonly string[]): string {
  const runs: { readonly name: string; count: number }[] = []
  for (const name of names) {
    const last = runs.at(-1)
    if (last?.name === name) last.count++
    else runs.push({ name, count: 1 })
  }
  return runs.map(({ name, count }) => (count === 1 ? name : `${name}×${count}`)).join(' ')
}

export const computingNodes = (graph: Graph): readonly Node[] => graph.nodes.filter((node) => !hasTrait(node, 'storage'))

const bytesOf = (values: Iterable<Node>): number => {
  let sum = 0
  for (const { type } of values) sum += byteSize(type)
  return sum
}

export const weightBytes = (graph: Graph): number =>
  bytesOf([...graphsWithin(graph)].flatMap(({ nodes }) => nodes.filter(({ data }) => data !== undefined)))

/** Inputs and outputs of a part. */
const exchangedBytes = ({ inputs, outputs }: Graph): number =>
  bytesOf(inputs) + bytesOf(new Set(outputs.map(({ value }) => value)))

/** Bytes that a part takes of a card: inputs and outputs for each context, and constants (Glow's partitioner; PA-04). */
export const heldBytes = (graph: Graph, contexts: number): number => exchangedBytes(graph) * contexts + weightBytes(graph)

/** The processors that a part may run on. */
export const processorsOf = (place: Place, { host, cards }: Platform): readonly Processor[] =>
  place === 'host' ? [host] : place.map((index) => cards[index]!)

const across = (bytes: number, { bytesPerSecond, latencySeconds }: Link): number => latencySeconds + bytes / bytesPerSecond

/** Whether what one part gives is there where another runs. */
const isTogether = (a: Place, b: Place): boolean =>
  a === 'host' || b === 'host' ? a === b : a.length === 1 && b.length === 1 && a[0] === b[0]

/** All that parts, and callers through the host, get from others. */
function transfersOf({ parts, outputs }: PartitionedGraph): readonly PlannedTransfer[] {
  const made = new Map(
    parts.flatMap(({ name, graph }) => graph.outputs.map((output) => [`${name} ${output.name}`, output.value.type] as const)),
  )
  const read = parts.flatMap(({ name, graph, sources }) =>
    sources.map((source, i): PlannedTransfer => {
      const bytes = byteSize(graph.inputs[i]!.type)
      return source.kind === 'input'
        ? { from: 'host', to: name, value: source.name, bytes }
        : { from: source.part, to: name, value: source.output, bytes }
    }),
  )
  const returned = outputs.flatMap(({ name, from }) =>
    from.kind === 'input'
      ? []
      : [{ from: from.part, to: 'host', value: name, bytes: byteSize(made.get(`${from.part} ${from.output}`)!) }],
  )
  return [...read, ...returned]
}

/** When each part of a request is done, seconds after it came, if nothing else goes on: each waits for the last of what it reads. */
function requestSeconds(parts: readonly PlannedPart[], transfers: readonly PlannedTransfer[], platform: Platform): number {
  const done = new Map<string, number>([['host', 0]])
  const placeOf = (name: string): Place => parts.find((part) => part.name === name)?.on ?? 'host'
  const linkOf = (place: Place): Link | undefined => (place === 'host' ? undefined : platform.cards[place[0]!]!.link)
  const arrival = (to: string) =>
    Math.max(
      0,
      ...transfers
        .filter((transfer) => transfer.to === to)
        .map(({ from, bytes }) => {
          const ends = [placeOf(from), placeOf(to)] as const
          const links = isTogether(...ends) ? [] : ends.map(linkOf).filter((link) => link !== undefined)
          return done.get(from)! + Math.max(0, ...links.map((link) => across(bytes, link)))
        }),
    )
  for (const { name, on, seconds } of parts) {
    const launch = Math.max(...processorsOf(on, platform).map(({ launchSeconds }) => launchSeconds))
    done.set(name, arrival(name) + launch + seconds)
  }
  return Math.max(...done.values(), arrival('host'))
}

/** A processor of which some cores alone compute: memory is as fast as before. */
function withCores(processor: Processor, cores = processor.cores): Processor {
  const share = Math.min(1, cores / processor.cores)
  const { int8, f16, f32 } = processor.operationsPerSecond
  return { ...processor, operationsPerSecond: { int8: int8 * share, f16: f16 * share, f32: f32 * share } }
}

/** A processor that has its part of what all share: the last level of memory, and the arithmetic. */
function withSharing(processor: Processor, sharing: Sharing): Processor {
  const { int8, f16, f32 } = processor.operationsPerSecond
  const [arithmetic, memory] = [sharing.arithmetic, processor.memory]
  return {
    ...processor,
    operationsPerSecond: { int8: int8 * arithmetic, f16: f16 * arithmetic, f32: f32 * arithmetic },
    memory: memory.map((level, i) =>
      i === memory.length - 1 ? { ...level, bytesPerSecond: level.bytesPerSecond * sharing.memory } : level,
    ) as [MemoryLevel, ...MemoryLevel[]],
  }
}

/** The figures of parts that have their places. `tables` says what of the tables of a part is where. */
export function describePlan(
  partitioned: PartitionedGraph,
  places: ReadonlyMap<string, Place>,
  platform: Platform,
  {
    method,
    contexts,
    cores,
    threads,
    tables,
    graph: whole,
    partOf,
  }: {
    readonly method: Method
    readonly contexts: number
    readonly cores: ReadonlyMap<string, number>
    readonly threads: ReadonlyMap<string, number>
    readonly tables?: ReadonlyMap<string, readonly PlannedTable[]>
    /** What the parts are of, and which part each of its nodes is in. */
    readonly graph: Graph
    readonly partOf: (node: Node) => string | undefined
  },
): Plan {
  const all = computingNodes(whole)
  const positions = new Map<string, number[]>()
  all.forEach((node, i) => {
    const part = partOf(node)
    if (part !== undefined) positions.set(part, [...(positions.get(part) ?? []), i])
  })
  const { sharing } = platform
  const secondsOn = (name: string, graph: Graph, processor: Processor): number =>
    secondsOfNodes(computingNodes(graph), withCores(processor, cores.get(name)))
  const parts = partitioned.parts.map(({ name, graph }): PlannedPart => {
    const on = places.get(name)!
    const own = tables?.get(name)
    const [some, together] = [cores.get(name), threads.get(name)]
    return {
      name,
      on,
      nodes: computingNodes(graph).length,
      computes: printRanges(positions.get(name) ?? []),
      ...(some !== undefined && { cores: some }),
      ...(together !== undefined && { threads: together }),
      weights: weightBytes(graph),
      exchanged: exchangedBytes(graph),
      seconds: Math.max(...processorsOf(on, platform).map((processor) => secondsOn(name, graph, processor))),
      ...(sharing && {
        crowdedSeconds: Math.max(
          ...processorsOf(on, platform).map((processor) =>
            secondsOn(name, graph, on === 'host' ? processor : withSharing(processor, sharing)),
          ),
        ),
      }),
      ...(own && { tables: own }),
    }
  })
  const cards = platform.cards.map((card, index) => {
    const here = partitioned.parts.filter(
      ({ name }) => places.get(name) !== 'host' && (places.get(name) as readonly number[]).includes(index),
    )
    return {
      card: card.name,
      bytes: here.reduce((sum, { graph }) => sum + heldBytes(graph, contexts), 0),
      capacity: capacityOf(card),
      seconds: here.reduce((sum, { name, graph }) => {
        const share = (places.get(name) as readonly number[]).length
        return sum + (card.launchSeconds + secondsOn(name, graph, sharing ? withSharing(card, sharing) : card)) / share
      }, 0),
    }
  })
  const onHost = parts.filter(({ on }) => on === 'host').reduce((sum, { seconds }) => sum + seconds, 0)
  const transfers = transfersOf(partitioned)
  return {
    format: 1,
    model: partitioned.name,
    platform: platform.name,
    method,
    contexts,
    ops: printRuns(all.map(({ op }) => op)),
    parts,
    transfers,
    cards,
    requestSeconds: requestSeconds(parts, transfers, platform),
    requestsPerSecond: 1 / Math.max(onHost, ...cards.map(({ seconds }) => seconds)),
  }
}
