import type { Graph, Node } from '../graph/index.ts'
import type { Objective } from './graph/index.ts'
import type { Method, Place, PlannedTable } from './plan.ts'
import type { Platform } from './platform.ts'
import type { PlacementProblem } from './validate.ts'

/** What is to be placed where. */
export interface Setting {
  /** Of the model. */
  readonly name: string
  /** All of them are placed alike: what is decided for the largest holds for the others, as far as they have the same weights. */
  readonly entries: readonly { readonly name: string; readonly graph: Graph }[]
  /** The largest of the entries, by index. */
  readonly largest: number
  readonly platform: Platform
  /** Requests that are under way at once on a card. */
  readonly contexts: number
  /** Whether placements that need part of the cards are repeated on the others. */
  readonly saturate: boolean
  /** What the method `graph` makes short. Default `throughput`. */
  readonly objective?: Objective | undefined
}

/** How the graph of an entry is to be cut; see `cutGraph`. */
export interface EntryCut {
  /** The graph that the parts are of: that of the entry, or the same with tables in parts. */
  readonly graph: Graph
  partOf(node: Node): string | undefined
  readonly home: string
  /** Ops of nodes that may be in several parts. */
  readonly repeated?: ReadonlySet<string>
  /** What of the tables of a part is where. */
  readonly tables?: ReadonlyMap<string, readonly PlannedTable[]>
}

/** Where the parts of a model are, before it is known whether that can be. */
export interface Decision {
  readonly method: Method
  /** Of every part that any entry has. */
  readonly places: ReadonlyMap<string, Place>
  /** Cores of its card that a part has, where it does not have all. */
  readonly cores?: ReadonlyMap<string, number>
  /** Threads that run a part together, where it is said. */
  readonly threads?: ReadonlyMap<string, number>
  /** Of an entry, by its index. */
  cut(entry: number): EntryCut
}

/** A decision, or why there is none. */
export type Attempt = Decision | readonly PlacementProblem[]

export const isDecision = (attempt: Attempt): attempt is Decision => 'places' in attempt

export const largestOf = ({ entries, largest }: Setting): Graph => entries[largest]!.graph

export const everyCard = ({ cards }: Platform): readonly number[] => cards.map((_, index) => index)
