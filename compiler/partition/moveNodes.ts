import { byteSize, findUsers, type Graph, hasTrait, type Node } from '../graph/index.ts'

/** What bounds moves: seconds of a node on the card of a stage, and seconds that no stage may come to have in all. */
export interface MoveLimits {
  readonly secondsIn: (node: Node, stage: number) => number
  readonly most: number
}

/** Rounds over all nodes at most; each ends where nothing is gained any more. */
const mostRounds = 8

/** Stages other than its own that read a value; those of inputs are all that do. */
function readersOf(value: Node, users: readonly Node[], stages: ReadonlyMap<Node, number>): number {
  const own = stages.get(value)
  return new Set(users.map((user) => stages.get(user)!).filter((stage) => stage !== own)).size
}

/** Bytes that stages get of others and of callers for a request. */
export function crossingBytes(graph: Graph, stages: ReadonlyMap<Node, number>): number {
  const users = findUsers(graph)
  return graph.nodes.reduce(
    (sum, node) => (node.data ? sum : sum + byteSize(node.type) * readersOf(node, users.get(node) ?? [], stages)),
    0,
  )
}

/**
 * Moves nodes one by one to another stage while less crosses then and no stage takes longer than the longest may (PA-06, PA-07). A node never comes before
 * what it reads nor behind what reads it, so that stages still wait for earlier ones alone. Equal stages have equal results.
 *
 *     stage0: a = …; big = exp(a)      stage0: a = …; big = exp(a); small = reduceSum(big)
 *     stage1: small = reduceSum(big)   stage1: …
 */
export function moveNodes(
  graph: Graph,
  given: ReadonlyMap<Node, number>,
  { secondsIn, most }: MoveLimits,
): ReadonlyMap<Node, number> {
  const users = findUsers(graph)
  const stages = new Map(given)
  const loads = new Map<number, number>()
  for (const [node, stage] of stages) loads.set(stage, (loads.get(stage) ?? 0) + secondsIn(node, stage))
  const touched = (node: Node) =>
    [node, ...node.operands].reduce(
      (sum, value) => (value.data ? sum : sum + byteSize(value.type) * readersOf(value, users.get(value) ?? [], stages)),
      0,
    )
  /** Whether the node is elsewhere now. */
  function improve(node: Node): boolean {
    const from = stages.get(node)!
    const first = Math.max(0, ...node.operands.map((operand) => stages.get(operand) ?? 0))
    const last = Math.min(...(users.get(node) ?? []).map((user) => stages.get(user)!), Math.max(...loads.keys()))
    let [best, least] = [from, touched(node)]
    for (let stage = first; stage <= last; stage++) {
      if (stage === from || loads.get(stage)! + secondsIn(node, stage) > most) continue
      stages.set(node, stage)
      const bytes = touched(node)
      if (bytes < least) [best, least] = [stage, bytes]
    }
    stages.set(node, best)
    if (best === from) return false
    loads.set(from, loads.get(from)! - secondsIn(node, from))
    loads.set(best, loads.get(best)! + secondsIn(node, best))
    return true
  }
  const nodes = graph.nodes.filter((node) => !hasTrait(node, 'storage'))
  for (let round = 0; round < mostRounds; round++) if (!nodes.map(improve).includes(true)) break
  return stages
}
