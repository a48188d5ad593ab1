import { objectiveOf } from './evaluate.ts'
import { coarsen, type Groups, smallestGroups } from './groups.ts'
import { improveFlow } from './improve.ts'
import { allSets, setsInOrder } from './lattice.ts'
import type { FlowPlacement, FlowProblem, Objective } from './problem.ts'
import { searchFlow } from './search.ts'
import { splitBySets } from './split.ts'

export interface PlaceFlowOptions {
  readonly objective: Objective
  /** Sets of nodes, and pairs of them, that are looked at at most. Default 40,000 and 10 million. */
  readonly mostSets?: number
  readonly mostPairs?: number
}

export interface PlacedFlow {
  readonly placement: FlowPlacement
  /** Of the objective. */
  readonly seconds: number
  /** Whether nothing is better: known where all sets of nodes were looked at. */
  readonly exact: boolean
}

/** Groups that are searched one by one for the shortest latency, at most. */
const searchedGroups = 14
/** Nodes that are looked at while placements are tried one by one, at most: a placement of many takes longer to judge. */
const mostSearched = 1_000_000
const mostMoved = 1_000_000

/**
 * Places the nodes of any dataflow graph on devices with their memories, so that requests can follow each other as soon as possible or that one is
 * answered as soon as possible. For throughput, the best split into parts that run one after the other where the graph has at most `mostSets` sets
 * of nodes that can be split off; of larger graphs the best of groups of nodes, then moved one by one. For latency, the best such chain, then moved
 * and searched. Undefined where it fits in no way that was found. Equal problems give equal placements.
 */
export function placeFlow(problem: FlowProblem, options: PlaceFlowOptions): PlacedFlow | undefined {
  const { objective, mostSets = 40_000, mostPairs = 10_000_000 } = options
  const sum = objective === 'throughput' ? 'longest' : 'all'
  const smallest = smallestGroups(problem)
  let best: { readonly placement: FlowPlacement; readonly seconds: number } | undefined
  const offer = (placement: FlowPlacement | undefined) => {
    if (!placement) return
    const seconds = objectiveOf(problem, placement, objective)
    if (!best || seconds < best.seconds) best = { placement, seconds }
  }
  const improve = () =>
    best && offer(improveFlow(problem, smallest, best.placement, { objective, most: mostMoved / problem.nodes.length }))

  // A first one, in the order of the graph: what it does need not be looked for among many sets.
  const first = splitBySets(problem, setsInOrder(smallest), { sum, most: mostPairs }).split
  offer(first?.placement)
  improve()

  const devices = problem.types.reduce((count, type) => count + type.count, 0)
  const all = problem.nodes.reduce((seconds, node) => seconds + (node.given ? 0 : Math.min(...node.seconds)), 0)
  const fewer = (groups: Groups) => coarsen(problem, groups, all / (4 * devices))
  let groups = smallest
  let lattice = allSets(problem, groups, mostSets)
  while (!lattice) {
    const next = fewer(groups)
    if (next === groups) break
    groups = next
    lattice = allSets(problem, groups, mostSets)
  }
  let exact = false
  if (lattice) {
    // For latency chains are held against chains: what parts beside each other can do is no bound for them.
    const below = objective === 'throughput' ? best?.seconds : first?.seconds
    const result = splitBySets(problem, lattice, { sum, most: mostPairs, ...(below !== undefined && { below }) })
    offer(result.split?.placement)
    exact = objective === 'throughput' && result.exact && groups === smallest
  }
  if (!exact) improve()
  if (objective === 'latency') {
    let few = smallest
    while (few.length > searchedGroups) {
      const next = coarsen(problem, few, Number.POSITIVE_INFINITY)
      if (next === few) break
      few = next
    }
    const found = searchFlow(problem, few, {
      objective,
      most: mostSearched / problem.nodes.length,
      ...(best && { below: best.seconds }),
    })
    offer(found.placement)
    exact = found.exact && few === smallest
    if (!exact) improve()
  }
  return best && { ...best, exact }
}
