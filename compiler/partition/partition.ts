import { byteSize, type Graph, hasTrait, type Node } from '../graph/index.ts'
import { CutError, cutGraph, type PartitionedGraph } from './cut.ts'
import { cutTables } from './cutTables.ts'
import { findTables, type TableUse } from './findTables.ts'
import { joinCrossings } from './joinCrossings.ts'
import {
  computingNodes,
  describePlan,
  heldBytes,
  type Method,
  type Place,
  type Plan,
  type PlannedTable,
  weightBytes,
} from './plan.ts'
import { capacityOf, type Platform, type Processor } from './platform.ts'
import { levelOf, secondsOfNodes } from './roofline.ts'
import { chooseStages } from './stages.ts'
import { type Holder, type Piece, placeTables, type Table } from './tables/index.ts'
import { placeUnlike } from './unlike.ts'
import { type PlacementProblem, validatePlaces } from './validate.ts'

/** A graph in parts that have their places. */
export interface Partition {
  readonly parts: PartitionedGraph
  readonly places: ReadonlyMap<string, Place>
  readonly plan: Plan
}

export interface PartitionOptions {
  /** How to place. Default: what suits the model, in the order in which `methods` are tried; see `partitionGraph`. */
  readonly method?: Method
  /** Requests that are under way at once on a card. Default 1. */
  readonly contexts?: number
  /** Sends all that a card's tables give as one value. Default true. */
  readonly join?: boolean
}

/** Why a model has no place on a platform: what was tried, and what each way lacks. */
export class PartitionError extends Error {
  override readonly name = 'PartitionError'
  readonly problems: readonly PlacementProblem[]
  constructor(model: string, platform: string, problems: readonly PlacementProblem[]) {
    super(`'${model}' has no place on '${platform}':\n${problems.map(({ code, message }) => `  ${code}: ${message}`).join('\n')}`)
    this.problems = problems
  }
}

type Attempt = Partition | readonly PlacementProblem[]

interface Setting {
  readonly graph: Graph
  readonly platform: Platform
  readonly contexts: number
  readonly join: boolean
}

const dense = 'dense'
const narrowing = 'narrowing'

/** The partition if nothing is wrong with it. `whole` is the graph that the parts are of. */
function complete(
  { platform, contexts, join }: Setting,
  whole: Graph,
  parts: PartitionedGraph,
  places: ReadonlyMap<string, Place>,
  method: Method,
  more: { readonly repeated?: ReadonlySet<string>; readonly tables?: ReadonlyMap<string, readonly PlannedTable[]> } = {},
): Attempt {
  const { repeated = new Set<string>(), tables } = more
  const problems = validatePlaces(whole, parts, places, platform, { contexts, repeated })
  if (problems.length > 0) return problems
  const crossing = join && parts.parts.length > 1 ? joinCrossings(parts) : parts
  return {
    parts: crossing,
    places,
    plan: describePlan(crossing, places, platform, { method, contexts, ...(tables && { tables }) }),
  }
}

const everyCard = ({ cards }: Platform): readonly number[] => cards.map((_, index) => index)

/** The whole model on each card, or on the host of a platform without cards. */
function placeCopies(setting: Setting): Attempt {
  const { graph, platform } = setting
  const place = platform.cards.length > 0 ? everyCard(platform) : 'host'
  return complete(
    setting,
    graph,
    cutGraph(graph, () => 'whole', 'whole'),
    new Map([['whole', place]]),
    'copies',
  )
}

/** A model in stages on cards, one after the other. */
function placeStages(setting: Setting): Attempt {
  const { graph, platform } = setting
  const staging = chooseStages(graph, platform.cards)
  if (!staging) {
    const capacity = platform.cards.reduce((sum, card) => sum + capacityOf(card), 0)
    return [
      {
        code: 'card-full',
        message: `${heldBytes(graph, 1)} bytes in stages do not fit on ${platform.cards.length} cards of ${capacity} together`,
      },
    ]
  }
  const nodes = computingNodes(graph)
  const stages = new Map<Node, string>()
  staging.stages.forEach(({ from, to }, i) => {
    for (const node of nodes.slice(from, to)) stages.set(node, `stage${i}`)
  })
  const parts = cutGraph(graph, (node) => stages.get(node)!, 'stage0')
  return complete(setting, graph, parts, new Map(staging.stages.map(({ card }, i) => [`stage${i}`, [card]])), 'stages')
}

/** Nodes that cards refuse on the host, the rest on cards. */
function placeByAbility(setting: Setting): Attempt {
  const { graph, platform } = setting
  const partOf = placeUnlike(graph, platform.cards[0]!)
  const parts = cutGraph(graph, (node) => partOf(node).name, 'card0')
  const places = new Map(parts.parts.map(({ name }): [string, Place] => [name, everyCard(platform)]))
  for (const { name, onHost } of computingNodes(graph).map(partOf)) if (onHost) places.set(name, 'host')
  return complete(setting, graph, parts, places, 'unlike')
}

/** A name for each table: that of its weights, with a number where several have it. */
function nameTables(tables: readonly TableUse[]): ReadonlyMap<TableUse, string> {
  const counts = new Map<string, number>()
  return new Map(
    tables.map((use) => {
      const { label } = use.table.data!
      const count = counts.get(label) ?? 0
      counts.set(label, count + 1)
      return [use, count === 0 ? label : `${label} (${count + 1})`]
    }),
  )
}

const describePart = (piece: Piece): string | undefined =>
  piece.by === 'whole'
    ? undefined
    : piece.by === 'rows'
      ? `rows ${piece.part} of ${piece.parts}`
      : `columns ${piece.from} … ${piece.to - 1}`

/** What a card has for tables, and how fast it looks up, tables of `resident` bytes together being there. */
function holderOf(card: Processor, taken: number, resident: number, otherSeconds: number): Holder {
  return {
    name: card.name,
    bytes: Math.max(0, capacityOf(card) - taken),
    secondsPerByte: (bytes) =>
      1 / (card.memory[levelOf(Math.max(bytes, resident), card.memory)]!.bytesPerSecond * card.utilisation.lookups),
    secondsPerLookup: 0,
    otherSeconds,
  }
}

/** Where a part of a model whose tables are spread is. */
function placeOf(name: string, platform: Platform): Place {
  if (name === narrowing) return 'host'
  return name === dense ? everyCard(platform) : [Number(name.slice('tables'.length))]
}

/** What of the preparation of indices takes parts of inputs, and nothing else: done by the host, so that each card gets its own alone (FB-05). */
function findNarrowing(preparation: ReadonlySet<Node>): ReadonlySet<Node> {
  /** Bytes of the input that each is a part of. */
  const whole = new Map<Node, number>()
  for (const node of [...preparation].sort((a, b) => a.id - b.id)) {
    const [first, ...others] = node.operands
    if (!first || others.length > 0 || !(hasTrait(node, 'movement') || hasTrait(node, 'view'))) continue
    const bytes = whole.get(first) ?? (hasTrait(first, 'storage') && !first.data ? byteSize(first.type) : undefined)
    if (bytes !== undefined && byteSize(node.type) < bytes) whole.set(node, bytes)
  }
  return new Set(whole.keys())
}

/** Tables spread over the cards, and the rest of the model on each of them (PA-10 … PA-16, FB-01). */
function placeByTables(setting: Setting): Attempt {
  const { graph, platform, contexts } = setting
  const found = findTables(graph)
  const names = nameTables(found.tables)
  const tableNodes = new Set<Node>(found.tables.flatMap(({ cluster }) => [...cluster]))
  const rest = computingNodes(graph).filter((node) => !tableNodes.has(node) && !found.preparation.has(node))
  const restBytes = weightBytes(graph) - found.tables.reduce((sum, { table }) => sum + byteSize(table.type), 0)
  const exchanged = heldBytes(graph, contexts) - weightBytes(graph)
  const tables = found.tables.map((use): Table => {
    const [rows, elements] = use.table.type.shape as [number, number]
    return { name: names.get(use)!, rows, elements, rowBytes: byteSize(use.table.type) / rows, lookups: use.picked }
  })
  const resident = tables.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0) / platform.cards.length
  const holders = platform.cards.map((card) =>
    holderOf(card, restBytes + 2 * exchanged, resident, secondsOfNodes(rest, card) / platform.cards.length),
  )
  const placement = placeTables({ tables, holders })
  if (!('pieces' in placement))
    return [
      {
        code: 'card-full',
        message: `${placement.tables} tables take ${placement.needed} bytes, the cards have ${placement.available} left`,
      },
    ]
  const cut = cutTables(graph, found, placement.pieces, (use) => names.get(use)!)
  const again = findTables(cut.graph)
  const cardOf = new Map(platform.cards.map(({ name }, index) => [name, index]))
  const partOf = new Map<Node, string>()
  for (const { table, cluster } of again.tables) {
    const holder = cut.holders.get(table.data!)
    if (holder !== undefined) for (const node of cluster) partOf.set(node, `tables${cardOf.get(holder)}`)
  }
  for (const node of findNarrowing(again.preparation)) partOf.set(node, narrowing)
  const parts = cutGraph(cut.graph, (node) => partOf.get(node) ?? (again.preparation.has(node) ? undefined : dense), dense)
  const places = new Map(parts.parts.map(({ name }): [string, Place] => [name, placeOf(name, platform)]))
  const planned = new Map<string, PlannedTable[]>()
  for (const piece of placement.pieces) {
    const { lookups, rows, rowBytes, elements } = tables.find(({ name }) => name === piece.table)!
    const part = `tables${cardOf.get(piece.holder)}`
    const share = piece.by === 'rows' ? 1 / piece.parts : piece.by === 'columns' ? (piece.to - piece.from) / elements : 1
    const picked = piece.by === 'rows' ? lookups / piece.parts : lookups
    const width = piece.by === 'columns' ? rowBytes * share : rowBytes
    const bytes = Math.round(rows * rowBytes * share)
    const described = describePart(piece)
    const holder = holders[cardOf.get(piece.holder)!]!
    const entry = {
      table: piece.table,
      ...(described && { part: described }),
      bytes,
      lookups: picked,
      seconds: picked * width * holder.secondsPerByte(bytes),
    }
    planned.set(part, [...(planned.get(part) ?? []), entry])
  }
  const repeated = new Set([...again.preparation].map(({ op }) => op))
  return complete(setting, cut.graph, parts, places, 'tables', { repeated, tables: planned })
}

/** Whether most of a model is tables: then spreading them is worth a transfer for each request. */
function isRecommendation(graph: Graph): boolean {
  const { tables } = findTables(graph)
  return tables.length > 1 && tables.reduce((sum, { table }) => sum + byteSize(table.type), 0) > weightBytes(graph) / 2
}

/** The ways to place a model, in the order in which they are tried (PA-01). */
function methodsFor({ graph, platform }: Setting): readonly Method[] {
  if (platform.cards.length === 0) return ['copies']
  const ops = new Set(computingNodes(graph).map(({ op }) => op))
  if (platform.cards.some(({ refuses }) => refuses.some((op) => ops.has(op)))) return ['unlike']
  return isRecommendation(graph) ? ['tables', 'copies', 'stages'] : ['copies', 'stages']
}

const attempts: Readonly<Record<Method, (setting: Setting) => Attempt>> = {
  copies: placeCopies,
  tables: placeByTables,
  stages: placeStages,
  unlike: placeByAbility,
}

/**
 * Places a graph on a platform. Models whose tables are most of them get their tables spread by what looking up costs, and the rest on every
 * card; others are whole on every card, or, where that does not fit, in stages on one card after the other. Where cards refuse ops, those run
 * on the host. Throws PartitionError with what each way lacks.
 */
export function partitionGraph(graph: Graph, platform: Platform, options: PartitionOptions = {}): Partition {
  const { method, contexts = 1, join = true } = options
  const setting = { graph, platform, contexts, join }
  const problems: PlacementProblem[] = []
  for (const name of method ? [method] : methodsFor(setting)) {
    const attempt = tryTo(() => attempts[name](setting))
    if ('plan' in attempt) return attempt
    problems.push(...attempt)
  }
  throw new PartitionError(graph.name, platform.name, problems)
}

function tryTo(attempt: () => Attempt): Attempt {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof CutError) return [{ code: 'parts-wait', message: error.message }]
    throw error
  }
}
