import type { Graph, Node } from '../graph/index.ts'
import { SplitError } from './split.ts'

/** SP-07. On which core each part is to run, and what is to run before what although no value passes between. */
export interface CoreHints {
  /** For a node that was cut: the core of each part. */
  readonly cores: ReadonlyMap<readonly Node[], readonly number[]>
  readonly order: readonly { readonly before: Node; readonly after: Node }[]
}

/**
 * The core of each part. Throws SplitError for parts that the graph has not, for lists of another length than the parts, for cores that
 * are no whole numbers from 0 to `coreCount` − 1, and for an order that goes in a circle.
 */
export function resolveCores(graph: Graph, { cores, order }: CoreHints, coreCount: number): ReadonlyMap<Node, number> {
  const nodes = new Set(graph.nodes)
  const known = (node: Node) => {
    if (!nodes.has(node)) throw new SplitError(`a hint names a ${node.op} that the graph does not have`)
  }
  const result = new Map<Node, number>()
  for (const [parts, list] of cores) {
    if (parts.length !== list.length) throw new SplitError(`${list.length} cores are given for ${parts.length} parts`)
    for (const [i, part] of parts.entries()) {
      known(part)
      const core = list[i]!
      if (!Number.isInteger(core) || core < 0 || core >= coreCount)
        throw new SplitError(`core ${core} is none of the ${coreCount} there are`)
      result.set(part, core)
    }
  }
  const later = new Map<Node, Node[]>()
  for (const { before, after } of order) {
    known(before)
    known(after)
    later.set(before, [...(later.get(before) ?? []), after])
  }
  requireNoCycle(graph, later)
  return result
}

/** Takes away, again and again, what waits for nothing; what is left goes in a circle. */
function requireNoCycle(graph: Graph, later: ReadonlyMap<Node, readonly Node[]>): void {
  const waiting = new Map<Node, number>(graph.nodes.map((node) => [node, 0]))
  const next = new Map<Node, Node[]>(graph.nodes.map((node) => [node, [...(later.get(node) ?? [])]]))
  for (const node of graph.nodes) for (const operand of node.operands) next.get(operand)!.push(node)
  for (const list of next.values()) for (const node of list) waiting.set(node, waiting.get(node)! + 1)
  const ready = graph.nodes.filter((node) => waiting.get(node) === 0)
  let done = 0
  for (let node = ready.pop(); node; node = ready.pop()) {
    done++
    for (const user of next.get(node)!) {
      const left = waiting.get(user)! - 1
      waiting.set(user, left)
      if (left === 0) ready.push(user)
    }
  }
  if (done < graph.nodes.length) throw new SplitError('the order that hints ask for goes in a circle')
}
