// Loop, Scan and If: written out where their turns are few and known, a body of the model otherwise.
import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxGraph, OnnxNode } from '../model.ts'
import type { Vocabulary } from '../record/recorder.ts'
import { boundsOf, isBounded, withBounds } from './bounded/values.ts'
import type { Known, Value } from './context.ts'
import { createScope, type Entry, knownEntry, type Scope } from './environment.ts'
import { bytesOf } from './opContext.ts'
import { Stop } from './problem.ts'
import { dimsOf, range } from './rules/shared.ts'

/** What an operator with bodies sees of the import. */
export interface ControlSite {
  readonly node: OnnxNode
  readonly opset: number
  readonly entries: readonly (Entry | undefined)[]
  readonly scope: Scope
  readonly d: Vocabulary
  tensorOf(entry: Entry): Value
  knownOf(entry: Entry): Known | undefined
  /** How long the first dimension of a value may be, as the caller or the file says. */
  limit(name: string): number | undefined
  /** The outputs of a body whose inputs are these, beside the nodes around it. */
  beside(body: OnnxGraph, inputs: readonly Entry[]): readonly (Entry | undefined)[]
  /** The same inside of a function of the model that is being traced: of what is around it, it sees `scope` alone. */
  inside(body: OnnxGraph, inputs: readonly Entry[], scope: Scope): readonly Value[]
}

type Results = readonly (Entry | undefined)[]

/** Nodes that turns may come to, written one after the other; beyond, the body is one of the model's. */
const writtenNodes = 512
const writtenTurns = 64

const stop = (what: string, remedy?: string): never => {
  throw new Stop(what, remedy)
}

const scalar = (dtype: 'i64' | 'bool', value: number): Entry =>
  knownEntry('turn', { type: { dtype, shape: [] }, bytes: bytesOf(dtype, [], [value]) })
const tensor = (value: Value): Entry => ({ kind: 'tensor', tensor: value })
const numberIn = ({ type, bytes }: Known): number =>
  type.dtype === 'bool' ? (bytes[0] ?? 0) : Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true))

function graphAttribute({ attributes }: OnnxNode, name: string): OnnxGraph {
  const found = attributes.get(name)
  return found?.kind === 'graph' ? found.value : stop(`attribute ${name} is missing`)
}

export const bodiesOf = (node: OnnxNode): OnnxGraph[] =>
  [...node.attributes.values()].flatMap((attribute) => (attribute.kind === 'graph' ? [attribute.value] : []))

export const countNodes = (graph: OnnxGraph): number =>
  graph.nodes.reduce((sum, node) => sum + 1 + bodiesOf(node).reduce((inner, body) => inner + countNodes(body), 0), 0)

/** Names that a graph takes from around it, in the order of asking. */
function capturedNames(graph: OnnxGraph, given: ReadonlySet<string> = new Set()): string[] {
  const own = new Set([...given, ...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()])
  const found = new Set<string>()
  const take = (name: string) => {
    if (name !== '' && !own.has(name)) found.add(name)
  }
  for (const node of graph.nodes) {
    for (const name of node.inputs) take(name)
    for (const body of bodiesOf(node)) for (const name of capturedNames(body)) take(name)
    for (const name of node.outputs) own.add(name)
  }
  for (const { name } of graph.outputs) take(name)
  return [...found]
}

/** Whether bodies take a value from around them of which data decides how much is filled: inside nobody would know. */
export const takesBounded = ({ scope }: Pick<ControlSite, 'scope'>, bodies: readonly OnnxGraph[]): boolean =>
  bodies.some((body) => capturedNames(body).some((name) => isBounded(scope.get(name))))

const refuseBounded = (what: string): never =>
  stop(`${what} a value whose size data decides`, 'cut the graph before it and do it behind the model, in TypeScript')

/** What bodies take from around them: tensors, which they are given, and what is known, which they have by themselves. */
function surroundings({ scope }: ControlSite, bodies: readonly OnnxGraph[]) {
  if (takesBounded({ scope }, bodies)) refuseBounded('its body takes')
  const names = [...new Set(bodies.flatMap((body) => capturedNames(body)))]
  const entries = names.flatMap((name) => {
    const entry = scope.get(name)
    return entry ? [[name, entry] as const] : []
  })
  const other = entries.find(([, { kind }]) => kind !== 'tensor' && kind !== 'known')
  if (other) stop(`its body takes '${other[0]}', which is no tensor`)
  const given = entries.flatMap(([name, entry]) => (entry.kind === 'tensor' ? [{ name, entry }] : []))
  return {
    given,
    scopeWith(values: readonly Value[]): Scope {
      const inner = createScope()
      for (const [name, entry] of entries) if (entry.kind === 'known') inner.set(name, knownEntry(entry.name, entry.known))
      for (const [i, { name }] of given.entries()) inner.set(name, tensor(values[i]!))
      return inner
    },
  }
}

const present = (entry: Entry | undefined, what: string): Entry => entry ?? stop(`${what} is missing`)

/** Rows side by side along an axis. */
const stacked = (d: Vocabulary, rows: readonly Value[], axis = 0): Value => {
  if (rows.some(boundsOf)) refuseBounded('each turn keeps')
  return d.stack(rows, { axis }) as Value
}

/** ONNX Loop 1 to 23. */
export function importLoop(site: ControlSite): Results {
  const { node, d, entries } = site
  const body = graphAttribute(node, 'body')
  const carried = entries.slice(2).map((entry, i) => present(entry, `input ${i + 2}`))
  const [countEntry, conditionEntry] = entries
  const count = countEntry && site.knownOf(countEntry)
  const condition = conditionEntry && site.knownOf(conditionEntry)
  const begins = condition ? numberIn(condition) !== 0 : conditionEntry ? undefined : true
  const turns = count && numberIn(count)
  const kept = body.outputs.length - 1 - carried.length
  if (turns !== undefined && begins !== undefined) {
    const written = writtenOut(site, body, begins ? Math.max(0, turns) : 0, carried)
    if (written) return written
  }
  if (carried.some(({ kind }) => kind === 'sequence' || kind === 'nothing'))
    stop(
      'it carries sequences of tensors, and how many turns it takes depends on data',
      'export the model with a fixed number of turns',
    )
  const limits = node.outputs.slice(carried.length).flatMap((name) => site.limit(name) ?? [])
  const limit = turns === undefined ? limits[0] : Math.max(0, turns)
  if (kept > 0 && (limit === undefined || limit > writtenLimit))
    stop(
      'what it keeps of each turn has a size that depends on data',
      `--limit ${node.outputs[carried.length] || 'value'}=64 says how many turns there may be`,
    )
  if (carried.some(isBounded)) refuseBounded('it carries')
  const { given, scopeWith } = surroundings(site, [body])
  const initial = carried.map((entry) => site.tensorOf(entry))
  const made = d.loop(
    {
      ...(countEntry && {
        count: turns !== undefined && turns < writtenLimit ? Math.max(0, turns) : asScalar(d, site.tensorOf(countEntry), 'i64'),
      }),
      ...(conditionEntry && begins !== true && { condition: asScalar(d, site.tensorOf(conditionEntry), 'bool') }),
      carried: initial,
      given: given.map(({ entry }) => entry.tensor),
      ...(turns === undefined && limit !== undefined && { limit }),
    } as never,
    ((turn: Value, values: readonly Value[], others: readonly Value[]) => {
      const inputs = [tensor(turn), scalar('bool', 1), ...values.map(tensor)]
      const [proceed, ...rest] = site.inside(body, inputs, scopeWith(others))
      for (const [i, value] of initial.entries()) {
        const next = rest[i]!
        if (`${next.shape}` !== `${value.shape}` || next.dtype !== value.dtype)
          reject(
            'onnx-unsupported',
            `Loop: value ${i} that it carries is ${value.dtype}[${value.shape}] before a turn and ${next.dtype}[${next.shape}] behind it; the number of turns must be known for that`,
          )
      }
      return { carried: rest.slice(0, initial.length), proceed: asScalar(d, proceed!, 'bool'), kept: rest.slice(initial.length) }
    }) as never,
  ) as unknown as { carried: readonly Value[]; kept: readonly Value[]; turns: Value }
  const places = limit ?? 0
  const isWhole = turns !== undefined && begins === true && proceedsAlways(site, body)
  const bounds = made.kept.map((value) =>
    isWhole
      ? value
      : withBounds(
          site,
          value,
          dimsOf(value).map((_, axis) => (axis === 0 ? { value: made.turns, low: 0, high: places } : undefined)),
        ),
  )
  return [...made.carried, ...bounds].map(tensor)
}

/** Turns that are kept at most. */
const writtenLimit = 2 ** 20

/** Whether a body never ends its loop: its condition is the one that it was given, or true. */
function proceedsAlways(site: ControlSite, body: OnnxGraph): boolean {
  let name = body.outputs[0]!.name
  for (;;) {
    const source = name
    if (name === body.inputs[1]?.name) return true
    const maker = body.nodes.find(({ outputs }) => outputs.includes(source))
    if (maker?.op === 'Identity') name = maker.inputs[0]!
    else if (maker?.op === 'Constant') {
      const value = maker.attributes.get('value')
      return value?.kind === 'tensor' && value.value.read()[0] !== 0
    } else {
      const initializer = body.initializers.get(name)
      if (initializer) return initializer.read()[0] !== 0
      const outside = maker ? undefined : site.scope.get(name)
      const known = outside && site.knownOf(outside)
      return known !== undefined && numberIn(known) !== 0
    }
  }
}

const asScalar = (d: Vocabulary, value: Value, dtype: 'i64' | 'bool'): Value => {
  const single = value.shape.length === 0 ? value : (d.reshape(value, []) as Value)
  return single.dtype === dtype ? single : (d.cast(single, dtype) as Value)
}

/** A loop of known turns, one after the other; undefined where these are too many, or data decides which is the last. */
function writtenOut(site: ControlSite, body: OnnxGraph, turns: number, carried: readonly Entry[]): Results | undefined {
  const kept: Entry[][] = []
  let values = carried
  let nodes = 0
  const each = Math.max(1, countNodes(body))
  for (let turn = 0; turn < turns; turn++) {
    nodes += each
    if (nodes > writtenNodes || turn >= writtenTurns) return undefined
    const [proceed, ...rest] = site.beside(body, [scalar('i64', turn), scalar('bool', 1), ...values])
    if (!proceed || rest.some((entry) => !entry || entry.kind === 'poisoned')) return undefined
    values = (rest as Entry[]).slice(0, carried.length)
    kept.push((rest as Entry[]).slice(carried.length))
    const known = site.knownOf(proceed)
    if (!known) return undefined
    if (numberIn(known) === 0) break
  }
  const count = body.outputs.length - 1 - carried.length
  if (count > 0 && kept.length === 0) return undefined
  const rows = range(count).map((i) =>
    stacked(
      site.d,
      kept.map((row) => site.tensorOf(row[i]!)),
    ),
  )
  return [...values, ...rows.map(tensor)]
}

/** ONNX Scan 8 to 23. Version 8 has a batch in front, of which each entry is walked by itself. */
export function importScan(site: ControlSite): Results {
  const { node, d, opset } = site
  if (site.entries.some(isBounded)) refuseBounded('it walks along')
  if (opset >= 9)
    return scanOnce(
      site,
      site.entries.map((entry, i) => site.tensorOf(present(entry, `input ${i}`))),
    ).map(tensor)
  const [lengths, ...rest] = site.entries
  if (lengths) stop('sequences of different lengths are not supported')
  const inputs = rest.map((entry, i) => site.tensorOf(present(entry, `input ${i + 1}`)))
  const batch = inputs[0] ? dimsOf(inputs[0])[0]! : 0
  const rows = range(batch).map((b) =>
    scanOnce(
      site,
      inputs.map((input) => d.gather(input, d.constant('i64', [], [b]), { axis: 0 }) as Value),
    ),
  )
  return node.outputs.map((_, i) =>
    tensor(
      stacked(
        d,
        rows.map((row) => row[i]!),
      ),
    ),
  )
}

function scanOnce(site: ControlSite, inputs: readonly Value[]): Value[] {
  const { node, d, opset } = site
  const body = graphAttribute(node, 'body')
  const numbers = (name: string) => {
    const found = node.attributes.get(name)
    return found?.kind === 'ints' ? found.value : undefined
  }
  const scanned = node.attributes.get('num_scan_inputs')
  const count = scanned?.kind === 'int' ? scanned.value : stop('attribute num_scan_inputs is missing')
  const states = inputs.slice(0, inputs.length - count)
  const sequences = inputs.slice(inputs.length - count)
  const backwards = numbers(opset < 9 ? 'directions' : 'scan_input_directions') ?? []
  const axes = sequences.map((value, i) => {
    const axis = numbers('scan_input_axes')?.[i] ?? 0
    return axis < 0 ? axis + dimsOf(value).length : axis
  })
  const length = sequences[0] ? dimsOf(sequences[0])[axes[0]!]! : stop('it has nothing to walk along')
  const itemsAt = (values: readonly Value[], turn: Value, last: (turn: Value) => Value) =>
    values.map((value, i) => d.gather(value, backwards[i] ? last(turn) : turn, { axis: axes[i]! }) as Value)
  const { given, scopeWith } = surroundings(site, [body])
  let carried: readonly Value[]
  let rows: readonly Value[]
  const scalarAt = (turn: number) => d.constant('i64', [], [turn]) as Value
  if (length > 0 && length <= writtenTurns && length * countNodes(body) <= writtenNodes) {
    const kept: Value[][] = []
    carried = states
    for (const turn of range(length)) {
      const items = sequences.map(
        (value, i) => d.gather(value, scalarAt(backwards[i] ? length - 1 - turn : turn), { axis: axes[i]! }) as Value,
      )
      const outputs = site
        .beside(body, [...carried, ...items].map(tensor))
        .map((entry) => site.tensorOf(present(entry, 'an output of the body')))
      carried = outputs.slice(0, states.length)
      kept.push(outputs.slice(states.length))
    }
    rows = range(body.outputs.length - states.length).map((i) =>
      stacked(
        d,
        kept.map((row) => row[i]!),
      ),
    )
  } else {
    const made = d.loop(
      { count: length, carried: states, given: [...sequences, ...given.map(({ entry }) => entry.tensor)] } as never,
      ((turn: Value, values: readonly Value[], others: readonly Value[]) => {
        const items = itemsAt(others.slice(0, count), turn, (at) => d.sub(length - 1, at as never) as unknown as Value)
        const outputs = site.inside(body, [...values, ...items].map(tensor), scopeWith(others.slice(count)))
        return { carried: outputs.slice(0, states.length), kept: outputs.slice(states.length) }
      }) as never,
    ) as unknown as { carried: readonly Value[]; kept: readonly Value[] }
    carried = made.carried
    rows = made.kept
  }
  const directions = numbers('scan_output_directions') ?? []
  const outputAxes = numbers('scan_output_axes') ?? []
  const placed = rows.map((value, i) => {
    const rank = dimsOf(value).length
    const ordered = directions[i] ? (d.slice(value, { axis: 0, start: length - 1, stop: -length - 1, step: -1 }) as Value) : value
    const axis = (outputAxes[i] ?? 0) < 0 ? outputAxes[i]! + rank : (outputAxes[i] ?? 0)
    if (axis === 0) return ordered
    const others = range(rank - 1).map((k) => k + 1)
    return d.transpose(ordered, [...others.slice(0, axis), 0, ...others.slice(axis)]) as Value
  })
  return [...carried, ...placed]
}

/** Nodes of a side from which on it is worth not to compute it where the condition is for the other. */
const heavyNodes = 8

/** An If of which one side alone is computed: undefined where both are short. */
export function importBranch(site: ControlSite, condition: Value): Results | undefined {
  const { node, d } = site
  const sides = [graphAttribute(node, 'then_branch'), graphAttribute(node, 'else_branch')] as const
  if (Math.max(...sides.map(countNodes)) < heavyNodes) return undefined
  const { given, scopeWith } = surroundings(site, sides)
  const side = (graph: OnnxGraph) => (values: readonly Value[]) => site.inside(graph, [], scopeWith(values))
  const made = d.branch(
    asScalar(d, condition, 'bool') as never,
    side(sides[0]) as never,
    side(sides[1]) as never,
    { given: given.map(({ entry }) => entry.tensor) } as never,
  ) as unknown as readonly Value[]
  return made.map(tensor)
}
