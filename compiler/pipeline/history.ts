// What became of each node, pass by pass. Kept only where somebody asks: it holds every graph of a compilation.
import { type Graph, type Node, numberNodes, printAttributes, printLocation, printNode, sameType } from '../graph/index.ts'
import type { PassChange, PassRecord } from './runPasses.ts'

/** One run of a pass that changed the graph. */
export interface HistoryStep extends PassChange {
  readonly record: PassRecord
}

/** The steps of a compilation in order; the first one's `before` is the graph as it was written. */
export type History = readonly HistoryStep[]

/**
 * - `rewritten`: another op, other attributes, other operands than the node had; `after` computes what it computed;
 * - `absorbed`: nothing computes the value by itself any longer; `after` computes what used it;
 * - `merged`: one of several nodes that are now one;
 * - `created`: made while the node `before` was rewritten (told only when looking back);
 * - `dropped`: nothing that was left needed it;
 * - `unknown`: the pass does not tell what nodes became.
 */
export type NodeEventKind = 'rewritten' | 'absorbed' | 'merged' | 'created' | 'dropped' | 'unknown'

/** One thing that happened to a node. Lines are those of the printed graph before and after the pass. */
export interface NodeEvent {
  readonly phase: string
  readonly pass: string
  readonly round: number
  readonly kind: NodeEventKind
  readonly rules: readonly { readonly rule: string; readonly note: string }[]
  readonly before: string
  readonly after?: string
}

/** A node of a graph, as a person reads it. */
export interface NodeTrace {
  /** The line of the node in the text of its graph. */
  readonly node: string
  /** `face.model.ts:30:12`, where it comes from. */
  readonly locations: readonly string[]
  readonly events: readonly NodeEvent[]
  /** The node at the other end of the history, where there is one. */
  readonly end?: Node
  /** Its line there. */
  readonly endLine?: string
}

/** Gathers the history of a compilation from what `observe` is told. */
export function collectHistory(): {
  readonly steps: History
  readonly observe: (
    event: ({ readonly kind: 'pass'; readonly record: PassRecord } & PassChange) | { readonly kind: 'stage' },
  ) => void
} {
  const steps: HistoryStep[] = []
  return {
    steps,
    observe(event) {
      if (event.kind !== 'pass' || !event.record.changed) return
      const { record, before, graph, became } = event
      steps.push({ record, before, graph, ...(became && { became }) })
    },
  }
}

const namesByGraph = new WeakMap<Graph, ReadonlyMap<Node, string>>()

/** The line of a node in the text of its graph. */
export function lineOf(graph: Graph, node: Node): string {
  const names = namesByGraph.get(graph) ?? numberNodes(graph)
  namesByGraph.set(graph, names)
  return printNode(node, (each) => names.get(each) ?? '%?')
}

const locationsOf = (graph: Graph, node: Node): string[] =>
  (graph.locations.get(node) ?? []).flatMap((location) => (location.kind === 'source' ? [printLocation(location)] : []))

const rulesOf = ({ record }: HistoryStep, node: Node) => {
  const own = record.applications.filter((application) => application.node === node.id)
  return [...new Map(own.map(({ rule, note }) => [`${rule} ${note}`, { rule, note }])).values()]
}

/** Whether a node came through a pass as it was, apart from what its operands became. */
function isCopy(before: Node, after: Node, became: ReadonlyMap<Node, Node>): boolean {
  return (
    before.op === after.op &&
    before.data === after.data &&
    sameType(before.type, after.type) &&
    before.operands.length === after.operands.length &&
    before.operands.every((operand, i) => became.get(operand) === after.operands[i]) &&
    printAttributes(before.attributes) === printAttributes(after.attributes)
  )
}

/** The nodes that use a node, nearest first, through any number of others. */
function* usersOf(graph: Graph, node: Node): Iterable<Node> {
  const reached = new Set([node])
  for (const user of graph.nodes) {
    if (reached.has(user) || !user.operands.some((operand) => reached.has(operand))) continue
    reached.add(user)
    yield user
  }
}

const eventOf = (
  step: HistoryStep,
  kind: NodeEventKind,
  rules: NodeEvent['rules'],
  before: string,
  after?: string,
): NodeEvent => {
  const { phase, pass, round } = step.record
  return { phase, pass, round, kind, rules, before, ...(after !== undefined && { after }) }
}

/** What became of a node of the graph before the first step. */
export function traceForward(history: History, graph: Graph, node: Node): NodeTrace {
  const events: NodeEvent[] = []
  let current: Node | undefined = node
  let last = graph
  for (const step of history) {
    if (!current) break
    const was: Node = current
    const add = (kind: NodeEventKind, rules: NodeEvent['rules'], after?: Node) =>
      events.push(eventOf(step, kind, rules, lineOf(step.before, was), after && lineOf(step.graph, after)))
    current = follow(step, was, add)
    last = step.graph
  }
  return {
    node: lineOf(graph, node),
    locations: locationsOf(graph, node),
    events,
    ...(current && { end: current, endLine: lineOf(last, current) }),
  }
}

function follow(
  step: HistoryStep,
  node: Node,
  add: (kind: NodeEventKind, rules: NodeEvent['rules'], after?: Node) => void,
): Node | undefined {
  const { became, before, graph } = step
  if (!became) {
    add('unknown', [])
    return undefined
  }
  const alive = new Set(graph.nodes)
  const image = became.get(node)
  if (image && alive.has(image)) {
    const rules = rulesOf(step, node)
    const twin = before.nodes.find((other) => other !== node && became.get(other) === image && other.op === node.op)
    if (!isCopy(node, image, became)) add('rewritten', rules, image)
    else if (twin && rulesOf(step, twin).length === 0) add('merged', rules, image)
    return image
  }
  for (const user of usersOf(before, node)) {
    const heir = became.get(user)
    if (!heir || !alive.has(heir) || isCopy(user, heir, became)) continue
    add('absorbed', rulesOf(step, user), heir)
    return heir
  }
  add('dropped', rulesOf(step, node))
  return undefined
}

/** Where a node of the graph after the last step comes from; events from the last to the first. */
export function traceBack(history: History, graph: Graph, node: Node): NodeTrace {
  const events: NodeEvent[] = []
  let current: Node | undefined = node
  let last = graph
  for (const step of [...history].reverse()) {
    if (!current) break
    const is: Node = current
    const add = (kind: NodeEventKind, rules: NodeEvent['rules'], before?: Node) =>
      events.push(eventOf(step, kind, rules, before ? lineOf(step.before, before) : '', lineOf(step.graph, is)))
    current = followBack(step, is, add)
    last = step.before
  }
  return {
    node: lineOf(graph, node),
    locations: locationsOf(graph, node),
    events,
    ...(current && { end: current, endLine: lineOf(last, current) }),
  }
}

function followBack(
  step: HistoryStep,
  node: Node,
  add: (kind: NodeEventKind, rules: NodeEvent['rules'], before?: Node) => void,
): Node | undefined {
  const { became, before, graph } = step
  if (!became) {
    add('unknown', [])
    return undefined
  }
  const origin = before.nodes.find((each) => became.get(each) === node)
  if (origin) {
    if (!isCopy(origin, node, became)) add('rewritten', rulesOf(step, origin), origin)
    return origin
  }
  const makers = new Map<Node, Node>()
  for (const each of before.nodes) {
    const image = became.get(each)
    if (image && !makers.has(image)) makers.set(image, each)
  }
  for (const user of usersOf(graph, node)) {
    const maker = makers.get(user)
    if (!maker) continue
    add('created', rulesOf(step, maker), maker)
    return maker
  }
  add('unknown', [])
  return undefined
}
