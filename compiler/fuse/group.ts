import { costOf, operationsPerElement } from '../cost/index.ts'
import { byteSize, elementCount, type Graph, hasTrait, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import { type Decision, partCost } from './decision.ts'
import type { Anchor } from './kernel.ts'
import { keepsRows, type Role, roleOf, viewOffset } from './movement.ts'

/** A kernel under construction, named by the value it stores. */
interface Group {
  anchor: Node | undefined
  /** Upper bound of the steps of both programs: each operand of each member counts as a load until it becomes a member itself. */
  steps: number
  movements: number
}

/** One of the two elementwise programs of a group. */
interface Site {
  readonly group: Group
  readonly part: 'steps' | 'prologue'
  /** Positions the program runs over. */
  readonly elements: number
}

/** Which values get storage, and why those and no others. */
export interface Choice {
  readonly stored: ReadonlySet<Node>
  readonly decisions: ReadonlyMap<Node, Decision>
}

/** Movements that one kernel follows at most; it bounds the time to build one. */
const maximumMovements = 128
/** Values that are computed in several kernels bring at most so many nodes each. */
const repeatedNodes = 4
/** And none whose op takes more operations for an element: those have loops, tables or no vector form. */
const repeatedOperations = 4

export const anchorOf = (node: Node): Anchor => ({
  op: node.op,
  attributes: node.attributes,
  operands: node.operands.map((operand) => operand.type),
  type: node.type,
})

/**
 * Which values get storage; every other node is computed inside the kernels that read it. Nodes are visited users first, so that
 * all readers of a node are known when its turn comes. A value is stored when
 * - it is an output, an operand that an anchor reads dense, a part of a join, or the source of a view; or
 * - several programs read it, or one that runs over more positions than the value has elements, and computing it in each of them, at
 *   each position, costs more than to store it. Movements are free, but not when several kernels would have to read against the grain; or
 * - its kernel is full: one anchor, `target.maximumSteps` steps; or
 * - it is in `apart`, where kernel building puts what turned out not to be affine; or
 * - it is in `narrow`: see `narrowerCuts`.
 */
export function chooseStored(
  graph: Graph,
  target: Target,
  apart: ReadonlySet<Node>,
  narrow: ReadonlySet<Node> = new Set(),
): Choice {
  /** The reason why each must be stored. */
  const forced = new Map<Node, string>(graph.outputs.map((output) => [output.value, `output ${output.name}`]))
  const stored = new Set<Node>(forced.keys())
  const decisions = new Map<Node, Decision>()
  const readers = new Map<Node, Set<Site>>(graph.nodes.map((node) => [node, new Set()]))
  const users = countUsers(graph)
  /** What a value that is computed again brings along. */
  const repeated = new Set<Node>()

  function force(node: Node, reason: string): void {
    stored.add(node)
    if (!forced.has(node)) forced.set(node, reason)
  }

  function visit(node: Node): void {
    const role = roleOf(node)
    if (role === 'storage') return
    const sites = readers.get(node)!
    const [site] = sites
    const decision = decide(node, role, sites)
    decisions.set(node, decision)
    const keep = decision.place === 'stored'
    if (keep) stored.add(node)

    if (role === 'view' || role === 'access') {
      if (!keep) {
        for (const reader of sites) {
          reader.group.movements++
          readers.get(node.operands[0]!)!.add(reader)
        }
      } else if (role === 'view' || readsInPlace(node)) force(node.operands[0]!, `a ${node.op} of it is a view`)
      else readers.get(node.operands[0]!)!.add(openSite(node))
    } else if (role === 'bits') force(node.operands[0]!, `a ${node.op} of it is a view`)
    else if (role === 'join') {
      for (const part of node.operands) force(part, 'part of a join')
    } else if (role === 'elementwise') {
      for (const reader of keep ? [openSite(node)] : sites) {
        reader.group.steps += node.operands.length
        for (const operand of node.operands) readers.get(operand)!.add(reader)
      }
    } else {
      const reader = keep ? openSite(node) : site!
      reader.group.anchor = node
      node.operands.forEach((operand, i) => {
        if (i === 0 && hasTrait(node, 'reduction') && target.fusesBefore(anchorOf(node))) {
          reader.group.steps += 1
          readers.get(operand)!.add({ group: reader.group, part: 'prologue', elements: elementCount(operand.type.shape) })
        } else force(operand, `${node.op} reads it dense`)
      })
    }
  }

  function decide(node: Node, role: Role, sites: ReadonlySet<Site>): Decision {
    const keep = (reason: string): Decision => ({ value: node, place: 'stored', reason })
    const inside = (reason: string): Decision => ({ value: node, place: 'inside', reason })
    const reason = forced.get(node)
    if (reason !== undefined) return keep(reason)
    if (node.bodies) return keep('it runs graphs of its own')
    if (apart.has(node)) return keep('its reader finds its elements at places that are not affine, or at two')
    if (narrow.has(node)) return keep('fewer bytes than what it is made from, which would be stored otherwise')
    if ((role === 'view' || role === 'access') && [...sites].some(({ group }) => group.movements >= maximumMovements))
      return keep(`a kernel follows at most ${maximumMovements} movements`)
    if (role === 'view') return inside('its readers find the elements themselves')
    if (role === 'access') {
      if (sites.size === 1 || keepsRows(node)) return inside('its readers find the elements themselves')
      return keep(`${sites.size} kernels would read against the grain`)
    }
    if (role === 'join') return keep('puts values side by side')
    if (role === 'bits') return keep('other elements in the same bytes')
    const elements = elementCount(node.type.shape)
    const [site] = sites
    const single = sites.size === 1 && site!.elements <= elements
    if (role === 'elementwise') {
      if ([...sites].some((each) => each.group.steps + node.operands.length > target.maximumSteps))
        return keep(`a kernel has at most ${target.maximumSteps} steps`)
      return single ? inside('one kernel reads it, as often as it has elements') : weigh(node, sites)
    }
    if (!single)
      return keep(sites.size > 1 ? `${sites.size} kernels read it` : 'its reader has more positions than it has elements')
    if (site!.part !== 'steps') return keep('a prologue has no anchor')
    if (site!.group.anchor) return keep(`the kernel that reads it has ${site!.group.anchor.op} for an anchor`)
    if (site!.elements !== elements) return keep('its reader wants a part of it')
    if (!target.fusesAfter(anchorOf(node))) return keep(`the target lets nothing follow ${node.op}`)
    return inside('what follows it is its epilogue')
  }

  /** Stored once and read by each, or computed by each. */
  function weigh(node: Node, sites: ReadonlySet<Site>): Decision {
    const { rates } = target
    const again = `computed by ${sites.size === 1 ? 'its reader at each position' : `each of ${sites.size} kernels`}`
    const once = sites.size === 1 ? 'its reader has more positions than it has elements' : `${sites.size} kernels read it`
    if (repeated.has(node)) return { value: node, place: 'again', reason: `${again}, with its user` }
    const found = coneOf(node)
    if (typeof found === 'string') return { value: node, place: 'stored', reason: `${once}; ${found}` }
    const elements = elementCount(node.type.shape)
    const bytes = byteSize(node.type)
    const operations = found.members.reduce((sum, member) => sum + operationsPerElement(member.op), 0)
    const bytesRead = found.leaves.reduce((sum, leaf) => sum + byteSize(leaf.type), 0)
    // Where one of the readers has the value's positions, its kernel can store the value as well.
    const host = [...sites].some((site) => site.elements === elements)
    const making = { operations: operations * elements, bytesRead, bytesWritten: bytes }
    const reads = (host ? sites.size - 1 : sites.size) * partCost({ bytesRead: bytes }, rates)
    const storing = (host ? partCost(making, rates) : costOf(making, rates)) + reads
    const computing = [...sites].reduce(
      (sum, site) => sum + partCost({ operations: operations * site.elements }, rates) + partCost({ bytesRead }, rates),
      0,
    )
    if (computing >= storing) return { value: node, place: 'stored', reason: once, costs: { chosen: storing, other: computing } }
    for (const member of found.members) repeated.add(member)
    return { value: node, place: 'again', reason: again, costs: { chosen: computing, other: storing } }
  }

  /** What would be computed again with a value, and from what; or why that is out of the question. */
  function coneOf(root: Node): { readonly members: readonly Node[]; readonly leaves: readonly Node[] } | string {
    const members = new Set([root])
    const leaves = new Set<Node>()
    for (const member of members) {
      if (operationsPerElement(member.op) > repeatedOperations) return `${member.op} is dear`
      if (member.type.dtype !== root.type.dtype) return 'it is made from another dtype'
      for (const operand of member.operands) {
        const role = roleOf(operand)
        const own = users.get(operand) === 1 && !stored.has(operand) && !apart.has(operand)
        if (operand.type.dtype !== root.type.dtype) return 'it is made from another dtype'
        if (own && role === 'anchor' && target.fusesAfter(anchorOf(operand))) return `it is the epilogue of ${operand.op}`
        if (role === 'access' && !keepsRows(operand)) return 'it is read against the grain'
        if (own && role === 'elementwise') members.add(operand)
        else leaves.add(operand)
      }
      if (members.size > repeatedNodes) return 'it takes many steps'
    }
    return { members: [...members], leaves: [...leaves] }
  }

  /** A contiguous part needs no kernel, unless it alone reads an elementwise value: then only the part is computed. */
  function readsInPlace(node: Node): boolean {
    const operand = node.operands[0]!
    return (
      viewOffset(node) !== undefined && !(roleOf(operand) === 'elementwise' && users.get(operand) === 1 && !apart.has(operand))
    )
  }

  const openSite = (root: Node): Site => ({
    group: { anchor: undefined, steps: 1, movements: 0 },
    part: 'steps',
    elements: elementCount(root.type.shape),
  })

  for (const node of graph.nodes.toReversed()) visit(node)
  return { stored, decisions }
}

/**
 * Where an anchor's value is stored, because the one kernel that reads it has another anchor, and elementwise ops on the way there make it
 * narrower: what they make is better stored in its place, with them as the anchor's epilogue. So integer sums go to storage as bytes.
 *
 *     %3 = matmulInteger(…): i32      stored: four bytes
 *     %4 = requantised(%3): u8        stored instead: one
 *     %5 = add(%4, convInteger(…))
 */
export function narrowerCuts(graph: Graph, target: Target, { stored, decisions }: Choice): Node[] {
  const readers = new Map<Node, Node[]>()
  for (const node of graph.nodes)
    for (const operand of new Set(node.operands)) readers.set(operand, [...(readers.get(operand) ?? []), node])
  const isReady = (operand: Node) => stored.has(operand) || roleOf(operand) === 'storage'
  return graph.nodes.flatMap((node) => {
    if (roleOf(node) !== 'anchor' || decisions.get(node)?.place !== 'stored' || !target.fusesAfter(anchorOf(node))) return []
    let narrowest = node
    for (let last = node; ; ) {
      const [next, ...others] = readers.get(last) ?? []
      if (!next || others.length > 0 || stored.has(next) || roleOf(next) !== 'elementwise') break
      if (elementCount(next.type.shape) !== elementCount(node.type.shape)) break
      if (!next.operands.every((operand) => operand === last || isReady(operand))) break
      if (byteSize(next.type) < byteSize(narrowest.type)) narrowest = next
      last = next
    }
    return narrowest === node ? [] : [narrowest]
  })
}

function countUsers(graph: Graph): ReadonlyMap<Node, number> {
  const users = new Map<Node, number>()
  for (const node of graph.nodes) for (const operand of node.operands) users.set(operand, (users.get(operand) ?? 0) + 1)
  for (const output of graph.outputs) users.set(output.value, (users.get(output.value) ?? 0) + 1)
  return users
}
