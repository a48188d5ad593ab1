import { byteSize, type Graph, hasTrait, type Node } from '../graph/index.ts'
import type { PartitionedGraph } from './cut.ts'
import { capacityOf, type Link, type Platform, type Processor } from './platform.ts'
import { secondsOfNodes } from './roofline.ts'

/** Where a part runs: on the host, on one card, or on any of several, each of which has a copy and one of which is picked for each request. */
export type Place = 'host' | readonly number[]

/** How a model is placed. */
export const methods = ['copies', 'tables', 'stages', 'unlike'] as const
export type Method = (typeof methods)[number]

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
  readonly weights: number
  /** Inputs and outputs of one request. */
  readonly exchanged: number
  /** Seconds of a request on the slowest of its cards, modelled; without transfers. */
  readonly seconds: number
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

export const computingNodes = (graph: Graph): readonly Node[] => graph.nodes.filter((node) => !hasTrait(node, 'storage'))

const bytesOf = (values: Iterable<Node>): number => {
  let sum = 0
  for (const { type } of values) sum += byteSize(type)
  return sum
}

export const weightBytes = (graph: Graph): number => bytesOf(graph.nodes.filter(({ data }) => data !== undefined))

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

/** The figures of parts that have their places. `tables` says what of the tables of a part is where. */
export function describePlan(
  partitioned: PartitionedGraph,
  places: ReadonlyMap<string, Place>,
  platform: Platform,
  {
    method,
    contexts,
    tables,
  }: { readonly method: Method; readonly contexts: number; readonly tables?: ReadonlyMap<string, readonly PlannedTable[]> },
): Plan {
  const parts = partitioned.parts.map(({ name, graph }): PlannedPart => {
    const on = places.get(name)!
    const nodes = computingNodes(graph)
    const own = tables?.get(name)
    return {
      name,
      on,
      nodes: nodes.length,
      weights: weightBytes(graph),
      exchanged: exchangedBytes(graph),
      seconds: Math.max(...processorsOf(on, platform).map((processor) => secondsOfNodes(nodes, processor))),
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
        return sum + (card.launchSeconds + secondsOfNodes(computingNodes(graph), card)) / share
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
    parts,
    transfers,
    cards,
    requestSeconds: requestSeconds(parts, transfers, platform),
    requestsPerSecond: 1 / Math.max(onHost, ...cards.map(({ seconds }) => seconds)),
  }
}
