import { loadsOf, objectiveOf } from './evaluate.ts'
import type { Groups } from './groups.ts'
import type { FlowPart, FlowPlacement, FlowProblem, Objective } from './problem.ts'

export interface SearchResult {
  /** Absent where nothing below `below` was found. */
  readonly placement?: FlowPlacement
  /** Whether there is nothing better. */
  readonly exact: boolean
}

/** The parts in an order in which they can run, or undefined where some wait for each other. */
function inOrder(problem: FlowProblem, parts: readonly FlowPart[]): readonly FlowPart[] | undefined {
  const partOf = new Map(parts.flatMap((part) => part.nodes.map((node) => [node, part] as const)))
  const waiting = new Map(
    parts.map((part) => {
      const read = part.nodes.flatMap((node) => problem.nodes[node]!.reads.map((other) => partOf.get(other)))
      return [part, new Set(read.filter((other) => other !== undefined && other !== part))] as const
    }),
  )
  const ordered: FlowPart[] = []
  while (waiting.size > 0) {
    const next = [...waiting].find(([, reads]) => [...reads].every((other) => !waiting.has(other!)))
    if (!next) return undefined
    ordered.push(next[0])
    waiting.delete(next[0])
  }
  return ordered
}

/**
 * The best placement of groups by trying all, group by group in their order: on a device that has some already, or on an empty one of each type.
 * A beginning is given up where what it has for certain, and the fastest way to the end of what reads it, is no better than the best found.
 * Stops after `most` beginnings.
 */
export function searchFlow(
  problem: FlowProblem,
  groups: Groups,
  {
    objective,
    below = Number.POSITIVE_INFINITY,
    most,
  }: { readonly objective: Objective; readonly below?: number; readonly most: number },
): SearchResult {
  const { nodes, types } = problem
  /** Seconds from the end of a node to the end of all that waits for it, each as fast as it can be. */
  const tail = new Float64Array(nodes.length)
  for (let node = nodes.length - 1; node >= 0; node--)
    for (const read of nodes[node]!.reads) tail[read] = Math.max(tail[read]!, tail[node]! + Math.min(...nodes[node]!.seconds))

  let best: FlowPlacement | undefined
  let bound = below
  let steps = 0

  /** What a beginning takes for certain. Values that nobody was seen to read yet are not counted. */
  function certain(placed: ReadonlySet<number>, placement: FlowPlacement): number {
    const begun: FlowProblem = {
      types,
      nodes: nodes.map((node, i) => (placed.has(i) || node.given ? node : { ...node, reads: [], returned: false })),
    }
    const seconds = objectiveOf(begun, placement, objective)
    if (objective === 'throughput') return seconds
    // A part is done when its slowest way through it is: what reads of it comes after that.
    let longest = seconds
    const ends = new Map<FlowPart, number>()
    const loads = loadsOf(begun, placement)
    placement.parts.forEach((part, index) => {
      let start = 0
      for (const node of part.nodes)
        for (const read of nodes[node]!.reads) {
          const other = placement.parts.find((each) => each !== part && each.nodes.includes(read))
          if (other) start = Math.max(start, ends.get(other)!)
        }
      ends.set(part, start + loads[index]!.seconds)
      for (const node of part.nodes) longest = Math.max(longest, start + nodes[node]!.seconds[part.type]! + tail[node]!)
    })
    return longest
  }

  function visit(index: number, placed: ReadonlySet<number>, parts: readonly FlowPart[]): void {
    if (steps >= most) return
    steps++
    const ordered = inOrder(problem, parts)
    if (!ordered) return
    const placement = { parts: ordered }
    const loads = loadsOf(
      { ...problem, nodes: nodes.map((node, i) => (placed.has(i) ? node : { ...node, reads: [] })) },
      placement,
    )
    if (loads.some(({ bytes }, i) => bytes > types[ordered[i]!.type]!.bytes)) return
    if (certain(placed, placement) >= bound) return
    const group = groups[index]
    if (!group) {
      bound = objectiveOf(problem, placement, objective)
      best = placement
      return
    }
    const now = new Set([...placed, ...group])
    for (let part = 0; part < parts.length; part++)
      visit(
        index + 1,
        now,
        parts.map((each, i) => (i === part ? { ...each, nodes: [...each.nodes, ...group].sort((a, b) => a - b) } : each)),
      )
    types.forEach(({ count }, type) => {
      if (parts.filter((part) => part.type === type).length < count) visit(index + 1, now, [...parts, { type, nodes: group }])
    })
  }

  visit(0, new Set(), [])
  return { ...(best && { placement: best }), exact: steps < most }
}
