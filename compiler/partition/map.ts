import { type Graph, inputName, type Node } from '../graph/index.ts'
import { suggestion } from '../graph/suggestion.ts'
import { type Attempt, type EntryCut, everyCard, type Setting } from './decision.ts'
import { computingNodes, type Place } from './plan.ts'
import type { PlacementProblem } from './validate.ts'

/** What a user says of one part. */
export interface MappedPart {
  /** The host, all cards, or some by number; of several, each has a copy. */
  readonly on: 'host' | 'all' | readonly number[]
  /**
   * What tells its nodes: names of weights and inputs that they read and of outputs that they are, `op:softmax`, or `face.model.ts:30`; `*` stands
   * for any characters. The one part without has all nodes that are in no other.
   */
  readonly nodes?: readonly string[] | undefined
  /** Cores of its card that compute it, in what is modelled. Default: all. */
  readonly cores?: number | undefined
  /** Threads that run it together, where it is native code. Default: as many as the server has for each. */
  readonly threads?: number | undefined
}

/** Where a user wants the nodes of a model (PA-02). */
export interface PlacementMap {
  readonly parts: Readonly<Record<string, MappedPart>>
  /** Has nodes that no part names go where what they read is made, the last of it, rather than into the part without `nodes`. */
  readonly unmapped?: 'follow' | undefined
}

/** Whether a name is what a pattern says, in which `*` stands for any characters; takes no longer than the product of their lengths. */
export function matches(pattern: string, name: string): boolean {
  let [p, n] = [0, 0]
  /** Where the last star stood, and the end of what it has taken. */
  let [star, taken] = [-1, 0]
  while (n < name.length) {
    if (pattern[p] === '*') [star, taken, p] = [p, n, p + 1]
    else if (pattern[p] === name[n]) [p, n] = [p + 1, n + 1]
    else if (star >= 0) [p, n, taken] = [star + 1, taken + 1, taken + 1]
    else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** All names by which a map may mean each node. */
function namesOf(graph: Graph): ReadonlyMap<Node, readonly string[]> {
  const outputs = new Map<Node, string[]>()
  for (const { name, value } of graph.outputs) outputs.set(value, [...(outputs.get(value) ?? []), name])
  return new Map(
    computingNodes(graph).map((node) => {
      const read = node.operands.flatMap((operand) =>
        operand.data ? [operand.data.label] : operand.op === 'input' ? [inputName(operand)] : [],
      )
      const places = (graph.locations.get(node) ?? []).flatMap((location) =>
        location.kind === 'source' ? [location.span, ...location.calls].map(({ file, line }) => `${file}:${line}`) : [],
      )
      return [node, [...read, ...(outputs.get(node) ?? []), `op:${node.op}`, ...places]]
    }),
  )
}

/** The part of each node that patterns name. `report` is told of those that several parts name. */
function matchNodes(
  graph: Graph,
  parts: PlacementMap['parts'],
  report: (message: string) => void,
  met: Set<string>,
): Map<Node, string> {
  const partOf = new Map<Node, string>()
  for (const [node, names] of namesOf(graph)) {
    const by = new Map<string, string>()
    for (const [part, { nodes = [] }] of Object.entries(parts))
      for (const pattern of nodes)
        if (names.some((name) => matches(pattern, name))) {
          met.add(pattern)
          if (!by.has(part)) by.set(part, pattern)
        }
    const [first, second] = by
    if (first && second)
      report(`a node of ${names.at(-1)} is in part '${first[0]}' by '${first[1]}' and in '${second[0]}' by '${second[1]}'`)
    if (first) partOf.set(node, first[0])
  }
  return partOf
}

/** Gives nodes without a part that of the last of what they read; those that read inputs alone, that of their first reader. */
function followOthers(graph: Graph, partOf: Map<Node, string>): void {
  const nodes = computingNodes(graph)
  for (const node of nodes) {
    const made = [...node.operands].sort((a, b) => b.id - a.id).find((operand) => partOf.has(operand))
    if (!partOf.has(node) && made) partOf.set(node, partOf.get(made)!)
  }
  for (const node of [...nodes].reverse()) {
    const own = partOf.get(node)
    if (own !== undefined) for (const operand of node.operands) if (!partOf.has(operand)) partOf.set(operand, own)
  }
}

function placeOf(part: string, { on, cores }: MappedPart, { platform }: Setting, report: (message: string) => void): Place {
  const { cards, name } = platform
  if (on === 'host') return 'host'
  const place = on === 'all' ? everyCard(platform) : on
  const unknown = place.filter((index) => !cards[index])
  if (place.length === 0 || unknown.length > 0)
    report(
      `part '${part}' is on ${unknown.map((index) => `card ${index}`).join(', ') || 'no card'}; '${name}' has ${cards.length}`,
    )
  for (const index of place)
    if (cores !== undefined && cards[index] && cores > cards[index].cores)
      report(`part '${part}' has ${cores} cores of '${cards[index].name}', which has ${cards[index].cores}`)
  return place
}

/** A placement as the user says it (PA-01, PA-02): every node in the part that names it, or in the one part that names none. */
export function decideMapped(setting: Setting, { parts, unmapped }: PlacementMap): Attempt {
  const problems: PlacementProblem[] = []
  const report = (message: string) => void problems.push({ code: 'map-unfit', message })
  const list = Object.entries(parts)
  const open = list.filter(([, { nodes }]) => nodes === undefined).map(([name]) => name)
  if (list.length === 0) report('the map has no parts')
  if (open.length > 1) report(`parts ${open.join(' and ')} both lack 'nodes'; only one can have what no other names`)
  const places = new Map(list.map(([name, part]): [string, Place] => [name, placeOf(name, part, setting, report)]))
  const met = new Set<string>()
  const told = new Set<string>()
  const once = (message: string) => {
    if (!told.has(message)) report(message)
    told.add(message)
  }
  const cuts = setting.entries.map(({ graph }): EntryCut => {
    const partOf = matchNodes(graph, parts, once, met)
    if (unmapped === 'follow') followOthers(graph, partOf)
    const rest = computingNodes(graph).filter((node) => !partOf.has(node))
    const [home = list[0]?.[0] ?? ''] = open
    if (rest.length > 0 && open.length === 0) {
      const names = namesOf(graph).get(rest[0]!)!
      once(`${rest.length} nodes are in no part, the first of ${names.at(-1)}; add a part without 'nodes', which has them`)
    }
    return { graph, partOf: (node) => partOf.get(node) ?? home, home }
  })
  const names = [...new Set(setting.entries.flatMap(({ graph }) => [...namesOf(graph).values()].flat()))]
  for (const [part, { nodes = [] }] of list)
    for (const pattern of nodes)
      if (!met.has(pattern)) report(`'${pattern}' of part '${part}' means no node${suggestion(pattern, names)}`)
  if (problems.length > 0) return problems
  const cores = new Map(list.flatMap(([name, part]) => (part.cores === undefined ? [] : [[name, part.cores] as const])))
  const threads = new Map(list.flatMap(([name, part]) => (part.threads === undefined ? [] : [[name, part.threads] as const])))
  return { method: 'map', places, cores, threads, cut: (entry) => cuts[entry]! }
}
