import { byteSize, type ConstantData, elementCount, type Graph, hasTrait, type Node } from '../graph/index.ts'
import { cutTables } from './cutTables.ts'
import { type Attempt, type Decision, type EntryCut, everyCard, largestOf, type Setting } from './decision.ts'
import { type FoundTables, findTables, type TableUse } from './findTables.ts'
import { computingNodes, heldBytes, type Place, type PlannedTable, weightBytes } from './plan.ts'
import { capacityOf, type Processor } from './platform.ts'
import { levelOf, secondsOfNodes } from './roofline.ts'
import { shortenIndices } from './shortenIndices.ts'
import { type Holder, type Piece, placeTables, type Table, type TableProblem } from './tables/index.ts'

const dense = 'dense'
const narrowing = 'narrowing'

/** The tables of a model, whichever entries look them up, by what they hold. */
interface ModelTables {
  readonly found: readonly FoundTables[]
  readonly names: ReadonlyMap<ConstantData, string>
  readonly tables: readonly Table[]
}

/** A name for each table: that of its weights, with a number where several have it. */
function nameTables(uses: readonly TableUse[]): ReadonlyMap<ConstantData, string> {
  const counts = new Map<string, number>()
  const names = new Map<ConstantData, string>()
  for (const { table } of uses) {
    const data = table.data!
    if (names.has(data)) continue
    const count = counts.get(data.label) ?? 0
    counts.set(data.label, count + 1)
    names.set(data, count === 0 ? data.label : `${data.label} (${count + 1})`)
  }
  return names
}

/** Look-ups count as the largest entry does them; those of tables that it lacks as the first other does. */
function tablesOf({ entries, largest }: Setting): ModelTables {
  const found = entries.map(({ graph }) => findTables(graph))
  const uses = [found[largest]!, ...found].flatMap(({ tables }) => tables)
  const names = nameTables(uses)
  const tables = [...names].map(([data, name]): Table => {
    const { table, picked, lookups } = uses.find((use) => use.table.data === data)!
    const [rows, width] = table.type.shape as [number, number]
    // Rows that hold their own scale and offset are of one piece.
    const elements = lookups.some(({ attributes }) => attributes.rows !== undefined) ? 1 : width
    return { name, rows, elements, rowBytes: byteSize(table.type) / rows, lookups: picked }
  })
  return { found, names, tables }
}

const describePart = (piece: Piece): string | undefined =>
  piece.by === 'whole'
    ? undefined
    : piece.by === 'rows'
      ? `rows ${piece.part} of ${piece.parts}`
      : `columns ${piece.from} … ${piece.to - 1}`

/** What a card has for tables, and how fast it looks up, tables of `resident` bytes together being there. */
function holderOf(card: Processor, taken: number, resident: number, otherSeconds: number): Holder {
  return {
    name: card.name,
    bytes: Math.max(0, capacityOf(card) - taken),
    secondsPerByte: (bytes) =>
      1 / (card.memory[levelOf(Math.max(bytes, resident), card.memory)]!.bytesPerSecond * card.utilisation.lookups),
    secondsPerLookup: 0,
    otherSeconds,
  }
}

/**
 * What of the preparation of indices takes parts of inputs, or gives their numbers in fewer bytes, and nothing else: done by the host, so that each
 * card gets its own alone, and short (FB-05, FB-07).
 */
function findNarrowing(preparation: ReadonlySet<Node>): ReadonlySet<Node> {
  /** Bytes of the input that each follows from. */
  const whole = new Map<Node, number>()
  const narrowing = new Set<Node>()
  for (const node of [...preparation].sort((a, b) => a.id - b.id)) {
    const [first, ...others] = node.operands.filter(({ data, type }) => !(data && elementCount(type.shape) === 1))
    if (!first || others.length > 0) continue
    const bytes = whole.get(first) ?? (hasTrait(first, 'storage') && !first.data ? byteSize(first.type) : undefined)
    if (bytes === undefined) continue
    whole.set(node, bytes)
    const keeps = hasTrait(node, 'movement') || hasTrait(node, 'view') || node.op === 'cast'
    if (keeps && byteSize(node.type) < bytes) narrowing.add(node)
  }
  // With what they are made of, or that would cross too.
  for (const node of narrowing) for (const operand of node.operands) if (preparation.has(operand)) narrowing.add(operand)
  return narrowing
}

/** Bytes of all constants of a model, each once. */
const constantBytes = ({ entries }: Setting): number => {
  const sizes = new Map<ConstantData, number>()
  for (const { graph } of entries) for (const { data, type } of graph.nodes) if (data) sizes.set(data, byteSize(type))
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
}

/** The cards as holders of tables, the rest of the model being on each of them. */
function holdersOf(setting: Setting, { found, tables }: ModelTables): readonly Holder[] {
  const { platform, contexts, largest } = setting
  const graph = largestOf(setting)
  const { tables: uses, preparation } = found[largest]!
  const tableNodes = new Set<Node>(uses.flatMap(({ cluster }) => [...cluster]))
  const rest = computingNodes(graph).filter((node) => !tableNodes.has(node) && !preparation.has(node))
  const bytes = tables.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0)
  const exchanged = heldBytes(graph, contexts) - weightBytes(graph)
  const taken = constantBytes(setting) - bytes + 2 * exchanged
  return platform.cards.map((card) =>
    holderOf(card, taken, bytes / platform.cards.length, secondsOfNodes(rest, card) / platform.cards.length),
  )
}

/** What stands where of the tables of each part, for the look-ups of one entry. */
function plannedTables(
  { names, tables }: ModelTables,
  { tables: uses }: FoundTables,
  pieces: readonly Piece[],
  holders: readonly Holder[],
): ReadonlyMap<string, readonly PlannedTable[]> {
  const picked = new Map(uses.map((use) => [names.get(use.table.data!)!, use.picked]))
  const planned = new Map<string, PlannedTable[]>()
  for (const piece of pieces) {
    const lookups = picked.get(piece.table)
    if (lookups === undefined) continue
    const { rows, rowBytes, elements } = tables.find(({ name }) => name === piece.table)!
    const at = holders.findIndex(({ name }) => name === piece.holder)
    const share = piece.by === 'rows' ? 1 / piece.parts : piece.by === 'columns' ? (piece.to - piece.from) / elements : 1
    const own = piece.by === 'rows' ? lookups / piece.parts : lookups
    const width = piece.by === 'columns' ? rowBytes * share : rowBytes
    const bytes = Math.round(rows * rowBytes * share)
    const part = describePart(piece)
    const entry = {
      table: piece.table,
      ...(part && { part }),
      bytes,
      lookups: own,
      seconds: own * width * holders[at]!.secondsPerByte(bytes),
    }
    planned.set(`tables${at}`, [...(planned.get(`tables${at}`) ?? []), entry])
  }
  return planned
}

function cutEntry(
  graph: Graph,
  found: FoundTables,
  model: ModelTables,
  pieces: readonly Piece[],
  holders: readonly Holder[],
): EntryCut {
  const short = shortenIndices(graph, found)
  const cut = cutTables(short, short === graph ? found : findTables(short), pieces, (use) => model.names.get(use.table.data!)!)
  const again = findTables(cut.graph, cut.holders)
  const partOf = new Map<Node, string>()
  for (const { table, cluster } of again.tables) {
    const holder = cut.holders.get(table.data!)
    if (holder === undefined) continue
    const part = `tables${holders.findIndex(({ name }) => name === holder)}`
    for (const node of cluster) partOf.set(node, part)
  }
  for (const node of findNarrowing(again.preparation)) partOf.set(node, narrowing)
  return {
    graph: cut.graph,
    partOf: (node) => partOf.get(node) ?? (again.preparation.has(node) ? undefined : dense),
    home: dense,
    repeated: new Set([...again.preparation].map(({ op }) => op)),
    tables: plannedTables(model, found, pieces, holders),
  }
}

/** The tables of a model and the cards that they go to, as a problem by itself. */
export function tableProblemOf(setting: Setting): TableProblem {
  const model = tablesOf(setting)
  return { tables: model.tables, holders: holdersOf(setting, model) }
}

/** Tables in the given pieces: the holder of a piece is a card. */
export function decidePieces(setting: Setting, pieces: readonly Piece[]): Decision {
  return decide(setting, tablesOf(setting), pieces)
}

function decide(setting: Setting, model: ModelTables, pieces: readonly Piece[]): Decision {
  const { platform, entries } = setting
  const holders = holdersOf(setting, model)
  const places = new Map<string, Place>(platform.cards.map((_, index) => [`tables${index}`, [index]]))
  return {
    method: 'tables',
    places: places.set(narrowing, 'host').set(dense, everyCard(platform)),
    cut: (entry) => cutEntry(entries[entry]!.graph, model.found[entry]!, model, pieces, holders),
  }
}

/** Tables spread over the cards, and the rest of the model on each of them (PA-10 … PA-16, FB-01). */
export function decideTables(setting: Setting): Attempt {
  const model = tablesOf(setting)
  const placement = placeTables({ tables: model.tables, holders: holdersOf(setting, model) })
  if ('pieces' in placement) return decide(setting, model, placement.pieces)
  return [
    {
      code: 'card-full',
      message: `${placement.tables} tables take ${placement.needed} bytes, the cards have ${placement.available} left`,
    },
  ]
}

/** Whether most of a graph is tables: then spreading them is worth a transfer for each request. */
export function isRecommendation(graph: Graph): boolean {
  const { tables } = findTables(graph)
  return tables.length > 1 && tables.reduce((sum, { table }) => sum + byteSize(table.type), 0) > weightBytes(graph) / 2
}
