import { elementCount, type Graph, hasTrait, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import type { Anchor } from './kernel.ts'
import { keepsRows, roleOf, viewOffset } from './movement.ts'

/** A kernel under construction, named by the value it stores. */
interface Group {
  anchor: Node | undefined
  /** Upper bound of the steps of both programs: each operand of each member counts as a load until it becomes a member itself. */
  steps: number
}

/** One of the two elementwise programs of a group. */
interface Site {
  readonly group: Group
  readonly part: 'steps' | 'prologue'
  /** Positions the program runs over. */
  readonly elements: number
}

export const anchorOf = (node: Node): Anchor => ({
  op: node.op,
  attributes: node.attributes,
  operands: node.operands.map((operand) => operand.type),
  type: node.type,
})

/**
 * Which values get storage; every other node is computed inside the one kernel that reads it. Nodes are visited users first, so that
 * all readers of a node are known when its turn comes. A value is stored when
 * - it is an output, an operand that an anchor reads dense, a part of a join, or the source of a view; or
 * - two programs read it, or one that runs over more positions than the value has elements: inside, it would be computed again and
 *   again. Movements are the exception, being free, but not when several kernels would have to read against the grain; or
 * - its kernel is full: one anchor, `target.maximumSteps` steps; or
 * - it is in `apart`, where kernel building puts what turned out not to be affine.
 */
export function chooseStored(graph: Graph, target: Target, apart: ReadonlySet<Node>): ReadonlySet<Node> {
  const stored = new Set<Node>(graph.outputs.map((output) => output.value))
  const readers = new Map<Node, Set<Site>>(graph.nodes.map((node) => [node, new Set()]))
  const users = countUsers(graph)

  function visit(node: Node): void {
    const role = roleOf(node)
    if (role === 'storage') return
    const sites = readers.get(node)!
    const [site] = sites
    const keep = stored.has(node) || apart.has(node) || !mayBeInside(node, role, sites)
    if (keep) stored.add(node)

    if (role === 'view' || role === 'access') {
      if (!keep) for (const reader of sites) readers.get(node.operands[0]!)!.add(reader)
      else if (role === 'view' || readsInPlace(node)) stored.add(node.operands[0]!)
      else readers.get(node.operands[0]!)!.add(openSite(node))
    } else if (role === 'join') {
      for (const part of node.operands) stored.add(part)
    } else if (role === 'elementwise') {
      const reader = keep ? openSite(node) : site!
      reader.group.steps += node.operands.length
      for (const operand of node.operands) readers.get(operand)!.add(reader)
    } else {
      const reader = keep ? openSite(node) : site!
      reader.group.anchor = node
      node.operands.forEach((operand, i) => {
        if (i === 0 && hasTrait(node, 'reduction') && target.fusesBefore(anchorOf(node))) {
          reader.group.steps += 1
          readers.get(operand)!.add({ group: reader.group, part: 'prologue', elements: elementCount(operand.type.shape) })
        } else stored.add(operand)
      })
    }
  }

  function mayBeInside(node: Node, role: ReturnType<typeof roleOf>, sites: ReadonlySet<Site>): boolean {
    const [site] = sites
    if (role === 'view') return true
    if (role === 'access') return sites.size === 1 || keepsRows(node)
    if (sites.size !== 1 || role === 'join' || site!.elements > elementCount(node.type.shape)) return false
    if (role === 'elementwise') return site!.group.steps + node.operands.length <= target.maximumSteps
    const fits = site!.part === 'steps' && !site!.group.anchor && site!.elements === elementCount(node.type.shape)
    return fits && target.fusesAfter(anchorOf(node))
  }

  /** A contiguous part needs no kernel, unless it alone reads an elementwise value: then only the part is computed. */
  function readsInPlace(node: Node): boolean {
    const operand = node.operands[0]!
    return (
      viewOffset(node) !== undefined && !(roleOf(operand) === 'elementwise' && users.get(operand) === 1 && !apart.has(operand))
    )
  }

  const openSite = (root: Node): Site => ({
    group: { anchor: undefined, steps: 1 },
    part: 'steps',
    elements: elementCount(root.type.shape),
  })

  for (const node of graph.nodes.toReversed()) visit(node)
  return stored
}

function countUsers(graph: Graph): ReadonlyMap<Node, number> {
  const users = new Map<Node, number>()
  for (const operand of graph.nodes.flatMap((node) => node.operands)) users.set(operand, (users.get(operand) ?? 0) + 1)
  for (const output of graph.outputs) users.set(output.value, (users.get(output.value) ?? 0) + 1)
  return users
}
