import type { FlowPlacement, FlowProblem, Objective } from './problem.ts'

/** What a part does to its device. */
export interface PartLoad {
  /** To begin, to take in, to compute, and to give out, one after the other. */
  readonly seconds: number
  readonly bytes: number
}

/** Index of the part of each node; −1 of one in none. */
function partOfNodes({ nodes }: FlowProblem, { parts }: FlowPlacement): readonly number[] {
  const at = nodes.map(() => -1)
  parts.forEach((part, index) => {
    for (const node of part.nodes) at[node] = index
  })
  return at
}

/**
 * What each part does to its device. A value that several nodes of a part read is taken in once, and given out once however many devices read
 * it (the costs of J. Tarnawski and others, "Efficient Algorithms for Device Placement of DNN Graph Operators", NeurIPS 2020, section 3).
 */
export function loadsOf(problem: FlowProblem, placement: FlowPlacement): readonly PartLoad[] {
  const { nodes, types } = problem
  const at = partOfNodes(problem, placement)
  const crossing = placement.parts.map(() => new Set<number>())
  nodes.forEach(({ reads, returned }, index) => {
    if (returned && at[index]! >= 0) crossing[at[index]!]!.add(index)
    for (const read of reads) {
      if (at[read] === at[index]) continue
      crossing[at[index]!]!.add(read)
      if (at[read]! >= 0) crossing[at[read]!]!.add(read)
    }
  })
  return placement.parts.map(({ type, nodes: own }, index) => {
    const { launchSeconds, secondsPerValue, secondsPerByte } = types[type]!
    let seconds = launchSeconds
    let bytes = 0
    for (const node of own) {
      seconds += nodes[node]!.seconds[type]!
      bytes += nodes[node]!.bytes
    }
    for (const value of crossing[index]!) seconds += secondsPerValue + nodes[value]!.crossing * secondsPerByte
    return { seconds, bytes }
  })
}

/** What is to be short, of a placement that is right. Parts wait for the parts that they read of, and for nothing else. */
export function objectiveOf(problem: FlowProblem, placement: FlowPlacement, objective: Objective): number {
  const loads = loadsOf(problem, placement)
  if (objective === 'throughput') return Math.max(0, ...loads.map(({ seconds }) => seconds))
  const at = partOfNodes(problem, placement)
  const done = new Array<number>(loads.length).fill(0)
  placement.parts.forEach(({ nodes }, index) => {
    let start = 0
    for (const node of nodes)
      for (const read of problem.nodes[node]!.reads)
        if (at[read] !== index && at[read]! >= 0) start = Math.max(start, done[at[read]!]!)
    done[index] = start + loads[index]!.seconds
  })
  return Math.max(0, ...done)
}

/** Everything that is wrong with a placement: nodes nowhere or twice or where they cannot be, parts before what they read, devices too full or too many. */
export function validateFlow(problem: FlowProblem, placement: FlowPlacement): readonly string[] {
  const { nodes, types } = problem
  const problems: string[] = []
  const times = nodes.map(() => 0)
  for (const part of placement.parts) for (const node of part.nodes) times[node]!++
  times.forEach((count, node) => {
    const meant = nodes[node]!.given ? 0 : 1
    if (count !== meant) problems.push(`node ${node} is in ${count} parts`)
  })
  if (problems.length > 0) return problems
  const at = partOfNodes(problem, placement)
  const used = types.map(() => 0)
  loadsOf(problem, placement).forEach(({ seconds, bytes }, index) => {
    const { type } = placement.parts[index]!
    const { name, count, bytes: room } = types[type]!
    if (++used[type]! === count + 1) problems.push(`there are ${count} of '${name}', more are used`)
    if (seconds === Number.POSITIVE_INFINITY) problems.push(`part ${index} has nodes that cannot be on '${name}'`)
    if (bytes > room) problems.push(`part ${index} has ${bytes} bytes, '${name}' holds ${room}`)
  })
  nodes.forEach(({ reads }, node) => {
    for (const read of reads)
      if (at[read]! > at[node]!) problems.push(`part ${at[node]} reads of part ${at[read]}, which runs after it`)
  })
  for (const nodes of problem.together ?? [])
    if (new Set(nodes.map((node) => at[node])).size > 1) problems.push(`nodes ${nodes.join(', ')} are not together`)
  return problems
}
