import { type Graph, type Node, printLocation, unknownLocation } from '../graph/index.ts'
import { suggestion } from '../graph/suggestion.ts'
import { decidePieces, tableProblemOf } from './byTables.ts'
import type { Attempt, Decision, EntryCut, Setting } from './decision.ts'
import { computingNodes, type ModelPlan, type Place, type Plan } from './plan.ts'
import { type Piece, validatePlacement } from './tables/index.ts'
import type { PlacementProblem } from './validate.ts'

/** Positions in `0-17 20 22-24`. */
function* readRanges(text: string): Generator<number> {
  for (const range of text.split(' ').filter(Boolean)) {
    const [from, to = from] = range.split('-').map(Number) as [number, number?]
    for (let position = from; position <= to; position++) yield position
  }
}

/** Names in `reshape×2 linear relu`, one by one. */
function* readRuns(text: string): Generator<string> {
  for (const run of text.split(' ').filter(Boolean)) {
    const [name, count = '1'] = run.split('×') as [string, string?]
    for (let i = 0; i < Number(count); i++) yield name
  }
}

/** Tables in the pieces that the plans of all entries say, each once. */
function piecesOf({ entries }: ModelPlan, { platform }: Setting): readonly Piece[] {
  const pieces = new Map<string, Piece>()
  for (const { plan } of entries)
    for (const { on, tables = [] } of plan.parts)
      for (const { table, part = '' } of tables) {
        const holder = platform.cards[Number(on[0])]?.name ?? 'host'
        const [, first, second] = /(\d+) \D+ (\d+)/.exec(part)?.map(Number) ?? []
        const how = part.startsWith('rows')
          ? { by: 'rows' as const, part: first!, parts: second! }
          : part.startsWith('columns')
            ? { by: 'columns' as const, from: first!, to: second! + 1 }
            : { by: 'whole' as const }
        pieces.set(`${table} ${part}`, { table, holder, ...how })
      }
  return [...pieces.values()]
}

/** Where the nodes of a graph are not those of the plan; undefined where they are. */
function findDifference(graph: Graph, planned: string): string | undefined {
  const nodes = computingNodes(graph)
  let at = 0
  for (const op of readRuns(planned)) {
    const node = nodes[at]
    if (!node) return `the model has ${nodes.length} nodes, the plan more`
    if (node.op !== op) {
      const [location] = graph.locations.get(node) ?? []
      return `node ${at} is ${node.op} at ${printLocation(location ?? unknownLocation)}, in the plan ${op}`
    }
    at++
  }
  return at < nodes.length ? `the model has ${nodes.length} nodes, the plan ${at}` : undefined
}

/** The places that the plans of all entries agree about. */
function placesOf({ entries }: ModelPlan, problems: PlacementProblem[]): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>()
  for (const { name: entry, plan } of entries)
    for (const { name, on } of plan.parts) {
      const before = places.get(name)
      if (before !== undefined && `${before}` !== `${on}`)
        problems.push({ code: 'plan-unfit', message: `part '${name}' is elsewhere for entry '${entry}' than for others` })
      places.set(name, on)
    }
  return places
}

/**
 * The placement that an earlier plan of the same model says (PA-19, IR-29). Its figures count for nothing: they are computed anew, and equal
 * where nothing was changed. Problems say where plan and model part ways.
 */
export function decideReloaded(setting: Setting, plan: ModelPlan): Attempt {
  const { entries, name, platform } = setting
  const problems: PlacementProblem[] = []
  const unfit = (message: string) => problems.push({ code: 'plan-unfit', message })
  if (plan.model !== name) unfit(`the plan is of model '${plan.model}'`)
  if (plan.platform !== platform.name) unfit(`the plan is for platform '${plan.platform}'`)
  const planned = entries.map((entry): Plan | undefined => {
    const found = plan.entries.find((each) => each.name === entry.name)
    const names = plan.entries.map((each) => each.name)
    if (!found) unfit(`the plan has no entry '${entry.name}'${suggestion(entry.name, names)}`)
    return found?.plan
  })
  const places = placesOf(plan, problems)
  if (problems.length > 0) return problems
  let tables: Decision | undefined
  if (plan.method === 'tables') {
    const pieces = piecesOf(plan, setting)
    const wrong = validatePlacement(tableProblemOf(setting), { pieces })
    for (const message of wrong) unfit(message)
    if (wrong.length > 0) return problems
    tables = decidePieces(setting, pieces)
  }
  const cuts = entries.map(({ name: entry, graph: own }, e): EntryCut => {
    const before = tables?.cut(e) ?? { graph: own, home: planned[e]!.parts[0]?.name ?? 'whole' }
    const difference = findDifference(before.graph, planned[e]!.ops)
    if (difference !== undefined) unfit(`entry '${entry}': ${difference}`)
    const nodes = computingNodes(before.graph)
    const partOf = new Map<Node, string>()
    for (const { name: part, computes } of planned[e]!.parts)
      for (const position of readRanges(computes)) {
        const node = nodes[position]
        if (!node) {
          unfit(`entry '${entry}': part '${part}' has node ${position} of ${nodes.length}`)
          break
        }
        const other = partOf.get(node)
        if (other !== undefined) unfit(`entry '${entry}': node ${position} is in part '${other}' and in '${part}'`)
        partOf.set(node, part)
      }
    return { ...before, partOf: (node) => partOf.get(node) }
  })
  if (problems.length > 0) return problems
  const parts = plan.entries.flatMap((entry) => entry.plan.parts)
  const stated = (field: 'cores' | 'threads') =>
    new Map(parts.flatMap((part) => (part[field] === undefined ? [] : [[part.name, part[field]] as const])))
  return { method: plan.method, places, cores: stated('cores'), threads: stated('threads'), cut: (entry) => cuts[entry]! }
}
