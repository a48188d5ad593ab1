import { byteSize, type ConstantData, type Graph, graphsWithin, type ModelGraph, mainEntry } from '../graph/index.ts'
import { decideGraph } from './byGraph.ts'
import { decideStages } from './byStages.ts'
import { decideTables, isRecommendation } from './byTables.ts'
import { CutError, cutGraph, type PartitionedGraph } from './cut.ts'
import { type Attempt, type Decision, everyCard, isDecision, largestOf, type Setting } from './decision.ts'
import type { Objective } from './graph/index.ts'
import { joinCrossings } from './joinCrossings.ts'
import { decideMapped, type PlacementMap } from './map.ts'
import {
  computingNodes,
  describePlan,
  heldBytes,
  type ModelPlan,
  type methods,
  type Place,
  type Plan,
  weightBytes,
} from './plan.ts'
import { capacityOf, type Platform } from './platform.ts'
import { decideReloaded } from './reload.ts'
import { secondsOfNodes } from './roofline.ts'
import { saturate } from './saturate.ts'
import { decideUnlike } from './unlike.ts'
import { type PlacementProblem, validatePlaces } from './validate.ts'

/** A graph in parts that have their places. */
export interface Partition {
  readonly parts: PartitionedGraph
  readonly places: ReadonlyMap<string, Place>
  readonly plan: Plan
}

/** The entries of a model in parts. Parts of one name have one place, and the same weights as far as the entries have. */
export interface ModelPartition {
  readonly entries: readonly (Partition & { readonly name: string })[]
  /** Index of the entry that decided. */
  readonly largest: number
  readonly plan: ModelPlan
}

export interface PartitionOptions {
  /** How to place. Default: what suits the model, in the order in which `methods` are tried; see `partitionGraph`. */
  readonly method?: (typeof methods)[number]
  /** What the method `graph` makes short: the time between requests, or that to an answer. Default `throughput`. */
  readonly objective?: Objective
  /** Requests that are under way at once on a card. Default 1. */
  readonly contexts?: number
  /** Sends all that a card's tables give as one value. Default true. */
  readonly join?: boolean
  /** Repeats a placement that needs part of the cards on the others (PA-18). Default true. */
  readonly saturate?: boolean
  /** What the user says of where nodes are, in place of a method; see `map.ts`. */
  readonly map?: PlacementMap
  /** An earlier plan of the same model, in place of a method. */
  readonly plan?: ModelPlan
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

/** The partition if nothing is wrong with it. */
function complete(setting: Setting, decision: Decision, join: boolean): ModelPartition | readonly PlacementProblem[] {
  const { platform, contexts, entries, largest } = setting
  const { method, places, cores = new Map<string, number>(), threads = new Map<string, number>() } = decision
  const problems: PlacementProblem[] = []
  const weights = platform.cards.map(() => new Map<ConstantData, number>())
  let exchanged = platform.cards.map(() => 0)
  const partitions = entries.map(({ name }, entry) => {
    const { graph, partOf, home, repeated = new Set(), tables } = decision.cut(entry)
    const parts = cutGraph(graph, partOf, home)
    problems.push(...validatePlaces(graph, parts, places, platform, { contexts, repeated }))
    const held = platform.cards.map(() => 0)
    for (const part of parts.parts)
      for (const card of [places.get(part.name) ?? []].flat()) {
        if (card === 'host' || !weights[card]) continue
        for (const { nodes } of graphsWithin(part.graph))
          for (const { data, type } of nodes) if (data) weights[card].set(data, byteSize(type))
        held[card]! += heldBytes(part.graph, contexts) - weightBytes(part.graph)
      }
    exchanged = exchanged.map((bytes, card) => Math.max(bytes, held[card]!))
    const crossing = join && parts.parts.length > 1 ? joinCrossings(parts) : parts
    return { name, graph, parts: crossing, partOf, ...(tables && { tables }) }
  })
  const bytes = weights.map((own, card) => [...own.values()].reduce((sum, size) => sum + size, exchanged[card]!))
  if (problems.length === 0)
    platform.cards.forEach((card, index) => {
      if (bytes[index]! > capacityOf(card))
        problems.push({
          code: 'card-full',
          message: `'${card.name}' holds ${capacityOf(card)} bytes, ${bytes[index]} are placed there for all entries`,
        })
    })
  if (problems.length > 0) return problems
  const described = partitions.map(({ name, graph, parts, partOf, tables }) => ({
    name,
    parts,
    places,
    plan: describePlan(parts, places, platform, { method, contexts, cores, threads, graph, partOf, ...(tables && { tables }) }),
  }))
  const plan: ModelPlan = {
    format: 1,
    model: setting.name,
    platform: platform.name,
    method,
    contexts,
    join,
    cards: platform.cards.map((card, index) => ({ card: card.name, bytes: bytes[index]!, capacity: capacityOf(card) })),
    entries: described.map(({ name, plan }) => ({ name, plan })),
  }
  return { entries: described, largest, plan }
}

/** The whole model on each card, or on the host of a platform without cards. */
const decideCopies = ({ entries, platform }: Setting): Decision => ({
  method: 'copies',
  places: new Map([['whole', platform.cards.length > 0 ? everyCard(platform) : 'host']]),
  cut: (entry) => ({ graph: entries[entry]!.graph, partOf: () => 'whole', home: 'whole' }),
})

type ChosenMethod = (typeof methods)[number]

/** The ways to place a model, in the order in which they are tried (PA-01). */
function methodsFor(setting: Setting): readonly ChosenMethod[] {
  const { entries, platform } = setting
  if (platform.cards.length === 0) return ['copies']
  const ops = new Set(entries.flatMap(({ graph }) => computingNodes(graph).map(({ op }) => op)))
  if (platform.cards.some(({ refuses }) => refuses.some((op) => ops.has(op)))) return ['unlike']
  return isRecommendation(largestOf(setting)) ? ['tables', 'copies', 'stages'] : ['copies', 'stages']
}

const decisions: Readonly<Record<ChosenMethod, (setting: Setting) => Attempt>> = {
  copies: decideCopies,
  tables: decideTables,
  stages: decideStages,
  unlike: decideUnlike,
  graph: decideGraph,
}

/** The entry that computes longest on the first card. */
function largestEntry({ entries }: ModelGraph, { cards: [first], host }: Platform): number {
  const seconds = entries.map(({ graph }) => secondsOfNodes(computingNodes(graph), first ?? host))
  return seconds.indexOf(Math.max(...seconds))
}

/**
 * Places a model on a platform, all entries alike. What was decided before is first asked: an earlier plan, then what the user says. Else models
 * whose tables are most of them get their tables spread by what looking up costs, and the rest on every card; others are whole on every card, or,
 * where that does not fit, in stages on one card after the other. Where cards refuse ops, those run on the host (PA-01). Throws PartitionError with
 * what each way lacks.
 */
export function partitionModel(model: ModelGraph, platform: Platform, options: PartitionOptions = {}): ModelPartition {
  const { method, objective, contexts = options.plan?.contexts ?? 1, join = options.plan?.join ?? true, map, plan } = options
  const { name, entries } = model
  const { saturate: repeated = true } = options
  const setting: Setting = {
    name,
    entries,
    saturate: repeated,
    largest: largestEntry(model, platform),
    platform,
    contexts,
    objective,
  }
  const ways: readonly (() => Attempt)[] = plan
    ? [() => decideReloaded(setting, plan)]
    : map
      ? [() => decideMapped(setting, map)]
      : (method ? [method] : methodsFor(setting)).map((way) => () => decisions[way](setting))
  const problems: PlacementProblem[] = []
  for (const decide of ways) {
    const attempt = decide()
    if (!isDecision(attempt)) {
      problems.push(...attempt)
      continue
    }
    const choices = repeated && !plan && !map ? saturate(attempt, platform) : [attempt]
    const results = choices.map((decision) => () => tryTo(() => complete(setting, decision, join)))
    for (const [i, result] of results.entries()) {
      const partition = result()
      if ('plan' in partition) return partition
      // The last is the placement itself.
      if (i === results.length - 1) problems.push(...partition)
    }
  }
  throw new PartitionError(name, platform.name, problems)
}

/** The same for one graph. */
export function partitionGraph(graph: Graph, platform: Platform, options: PartitionOptions = {}): Partition {
  const model = { name: graph.name, entries: [{ name: mainEntry, graph }] }
  return partitionModel(model, platform, options).entries[0]!
}

function tryTo<T>(attempt: () => T): T | readonly PlacementProblem[] {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof CutError) return [{ code: 'parts-wait', message: error.message }]
    throw error
  }
}
