import type { Graph, Node } from '../graph/index.ts'
import type { PartitionedGraph } from './cut.ts'
import { computingNodes, heldBytes, type Place, processorsOf } from './plan.ts'
import { capacityOf, type Platform } from './platform.ts'

/** What can be wrong with where parts are (PA-09); each check has its own. */
export type PlacementProblemCode =
  /** A part without a place, or with a place that the platform does not have. */
  | 'no-such-card'
  /** A node that no part computes. */
  | 'node-missing'
  /** A node that several parts compute, although it is not light enough to be repeated. */
  | 'node-twice'
  /** Parts that wait for each other. */
  | 'parts-wait'
  /** A card that is to hold more than it can. */
  | 'card-full'
  /** A part with more inputs than a card takes. */
  | 'too-many-inputs'
  /** A node on a card that cannot run it. */
  | 'op-refused'
  /** A plan that is of another model or platform. */
  | 'plan-unfit'
  /** A map that names nodes or cards that are not there, or leaves open where a node is. */
  | 'map-unfit'

export interface PlacementProblem {
  readonly code: PlacementProblemCode
  readonly message: string
}

/** The order of the parts is one in which they can run. */
function waits({ parts }: PartitionedGraph): readonly string[] {
  const before = new Set<string>()
  return parts.flatMap(({ name, sources }) => {
    const early = sources.flatMap((source) => (source.kind === 'value' && !before.has(source.part) ? [source.part] : []))
    before.add(name)
    return early.map((other) => `part '${name}' reads of part '${other}', which runs after it`)
  })
}

/** Nodes of the graph that parts compute, by what tells them apart: their op and where they came from. */
const countOf = (nodes: readonly Node[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1)
  return counts
}

/**
 * Everything that is wrong with a placement of the parts of a graph, each by its own check (PA-09). `repeated` says of how many nodes of each op
 * copies are meant to be in several parts, those that belong to none.
 */
export function validatePlaces(
  graph: Graph,
  partitioned: PartitionedGraph,
  places: ReadonlyMap<string, Place>,
  platform: Platform,
  { contexts, repeated }: { readonly contexts: number; readonly repeated: ReadonlySet<string> },
): readonly PlacementProblem[] {
  const problems: PlacementProblem[] = []
  const report = (code: PlacementProblemCode, message: string) => problems.push({ code, message })
  for (const { name } of partitioned.parts) {
    const place = places.get(name)
    if (place === undefined) report('no-such-card', `part '${name}' has no place`)
    else if (place !== 'host' && (place.length === 0 || place.some((index) => !platform.cards[index])))
      report(
        'no-such-card',
        `part '${name}' is on ${place.map((index) => `card ${index}`).join(', ') || 'no card'}; '${platform.name}' has ${platform.cards.length}`,
      )
  }
  if (problems.length > 0) return problems
  for (const message of waits(partitioned)) report('parts-wait', message)
  const whole = countOf(computingNodes(graph))
  const parted = countOf(partitioned.parts.flatMap((part) => computingNodes(part.graph)))
  for (const [op, count] of whole) {
    const found = parted.get(op) ?? 0
    if (found < count) report('node-missing', `${count} nodes are ${op}, the parts compute ${found}`)
    if (found > count && !repeated.has(op)) report('node-twice', `${count} nodes are ${op}, the parts compute ${found}`)
  }
  for (const { name, graph: part } of partitioned.parts) {
    const place = places.get(name)!
    for (const processor of processorsOf(place, platform)) {
      const refused = [...new Set(computingNodes(part).map(({ op }) => op))].filter((op) => processor.refuses.includes(op))
      if (refused.length > 0)
        report('op-refused', `part '${name}' has ${refused.join(', ')}, which '${processor.name}' cannot run`)
      const { maximumInputs = Number.POSITIVE_INFINITY } = processor
      if (part.inputs.length > maximumInputs)
        report('too-many-inputs', `part '${name}' has ${part.inputs.length} inputs, '${processor.name}' takes ${maximumInputs}`)
    }
  }
  platform.cards.forEach((card, index) => {
    const bytes = partitioned.parts
      .filter(({ name }) => places.get(name) !== 'host' && (places.get(name) as readonly number[]).includes(index))
      .reduce((sum, { graph: part }) => sum + heldBytes(part, contexts), 0)
    if (bytes > capacityOf(card)) report('card-full', `'${card.name}' holds ${capacityOf(card)} bytes, ${bytes} are placed there`)
  })
  return problems
}
