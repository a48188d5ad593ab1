import type { OnnxGraph, OnnxNode } from '../model.ts'
import type { Known, OpContext, Value } from './context.ts'
import { type Entry, knownEntry } from './environment.ts'
import { bytesOf } from './opContext.ts'
import { Stop } from './problem.ts'
import { axisIn, dimsOf, range, scalarOf } from './rules/shared.ts'

/** What a rule of sequences and optional values sees. Such values exist while importing alone: nothing of them is left in the model. */
export interface SequenceSite {
  readonly node: OnnxNode
  /** For attributes, and for inputs that are tensors. */
  readonly context: OpContext
  readonly entries: readonly (Entry | undefined)[]
  tensorOf(entry: Entry): Value
  /** The outputs of a body whose inputs are these. */
  importBody(body: OnnxGraph, inputs: readonly Entry[]): readonly (Entry | undefined)[]
}

type SequenceRule = (site: SequenceSite) => readonly (Entry | undefined)[]

/** Tensors that one sequence may hold. */
const longest = 4096

const sequence = (items: readonly Entry[]): Entry =>
  items.length <= longest
    ? { kind: 'sequence', items }
    : stop(`a sequence of ${items.length} tensors is longer than the ${longest} that are imported`)

const stop = (what: string): never => {
  throw new Stop(what, undefined)
}

const presentAt = ({ entries }: SequenceSite, i: number): Entry => entries[i] ?? stop(`input ${i} is missing`)

function itemsOf(site: SequenceSite, i: number): readonly Entry[] {
  const entry = presentAt(site, i)
  return entry.kind === 'sequence' ? entry.items : stop(`input ${i} is no sequence`)
}

/** A position, negative ones counted from the end; `length` itself is one where something goes behind the last. */
function positionIn(site: SequenceSite, i: number, length: number, fallback: number | undefined, last: number): number {
  const given = scalarOf(site.context, i) ?? fallback ?? stop('it has no position')
  const position = given < 0 ? given + length : given
  return Number.isInteger(position) && position >= 0 && position <= last
    ? position
    : stop(`position ${given} is outside a sequence of ${length}`)
}

const known = (dtype: 'i64' | 'bool', value: number): Known => ({
  type: { dtype, shape: [] },
  bytes: bytesOf(dtype, [], [value]),
})

const splitToSequence: SequenceRule = ({ context: c }) => {
  const x = c.input(0)
  const axis = axisIn(c, c.int('axis', 0), dimsOf(x).length)
  const extent = dimsOf(x)[axis]!
  const given = c.has(1) ? c.numbers(1)! : undefined
  const scalar = c.has(1) && c.typeOf(1).shape.length === 0
  const chunk = scalar ? given![0]! : 1
  if (!(chunk > 0)) return c.unsupported(`parts of ${chunk} are none`)
  const count = given && !scalar ? given.length : Math.ceil(extent / chunk)
  if (count > longest) return c.unsupported(`${count} parts are more than the ${longest} that are imported`)
  const sizes = given && !scalar ? given : range(count).map((part) => Math.min(chunk, extent - part * chunk))
  const parts = sizes.length === 1 ? [x] : (c.d.split(x, [...sizes], { axis }) as readonly Value[])
  // Parts of one element lose the axis where nobody said how long they are.
  const flat = !c.has(1) && c.int('keepdims', 1) === 0
  return [sequence(parts.map((part) => ({ kind: 'tensor', tensor: flat ? (c.d.squeeze(part, { axes: axis }) as Value) : part })))]
}

const concatFromSequence: SequenceRule = (site) => {
  const { context: c } = site
  const tensors = itemsOf(site, 0).map((item) => site.tensorOf(item))
  if (tensors.length === 0) return c.unsupported('the sequence is empty')
  const isNew = c.int('new_axis', 0) !== 0
  const axis = axisIn(c, c.int('axis'), dimsOf(tensors[0]!).length + (isNew ? 1 : 0))
  const joined = isNew ? c.d.stack(tensors, { axis }) : tensors.length === 1 ? tensors[0]! : c.d.concat(tensors, { axis })
  return [{ kind: 'tensor', tensor: joined as Value }]
}

/** The body once for each item; inputs that are no sequences are the same for all. */
const sequenceMap: SequenceRule = (site) => {
  const body = site.node.attributes.get('body')
  if (body?.kind !== 'graph') return stop('attribute body is missing')
  const count = itemsOf(site, 0).length
  const inputs = site.entries.map((_, i) => presentAt(site, i))
  if (inputs.some((entry) => entry.kind === 'sequence' && entry.items.length !== count))
    return stop('its sequences differ in length')
  const results = range(count).map((turn) =>
    site.importBody(
      body.value,
      inputs.map((entry) => (entry.kind === 'sequence' ? entry.items[turn]! : entry)),
    ),
  )
  return site.node.outputs.map((_, i) => sequence(results.map((outputs) => outputs[i] ?? { kind: 'poisoned' })))
}

const rules: Readonly<Record<string, SequenceRule>> = {
  SequenceEmpty: () => [sequence([])],
  SequenceConstruct: (site) => [sequence(site.entries.map((_, i) => presentAt(site, i)))],
  SequenceInsert(site) {
    const items = itemsOf(site, 0)
    const at = positionIn(site, 2, items.length, items.length, items.length)
    return [sequence([...items.slice(0, at), presentAt(site, 1), ...items.slice(at)])]
  },
  SequenceErase(site) {
    const items = itemsOf(site, 0)
    const at = positionIn(site, 1, items.length, -1, items.length - 1)
    return [sequence(items.filter((_, i) => i !== at))]
  },
  SequenceAt(site) {
    const items = itemsOf(site, 0)
    return [items[positionIn(site, 1, items.length, undefined, items.length - 1)]]
  },
  SequenceLength: (site) => [knownEntry('length', known('i64', itemsOf(site, 0).length))],
  SequenceMap: sequenceMap,
  SplitToSequence: splitToSequence,
  ConcatFromSequence: concatFromSequence,
  Optional: ({ entries }) => [entries[0] ?? { kind: 'nothing' }],
  OptionalHasElement: ({ entries }) => [
    knownEntry('present', known('bool', entries[0] && entries[0].kind !== 'nothing' ? 1 : 0)),
  ],
  OptionalGetElement: (site) =>
    presentAt(site, 0).kind === 'nothing' ? stop('the optional value that it takes has no element') : [site.entries[0]],
}

/** Operators of sequences and optional values, by name. */
export const sequenceOperators: readonly string[] = Object.keys(rules)

/** The rule of an operator that takes or makes what is no tensor; other operators give such values through, or take none. */
export function sequenceRule(node: OnnxNode, entries: readonly (Entry | undefined)[]): SequenceRule | undefined {
  if (node.domain !== '') return undefined
  if (Object.hasOwn(rules, node.op)) return rules[node.op]
  const other = entries.find((entry) => entry?.kind === 'sequence' || entry?.kind === 'nothing')
  if (!other) return undefined
  if (node.op === 'Identity') return ({ entries }) => entries
  return () => stop(`it takes ${other.kind === 'sequence' ? 'a sequence of tensors' : 'an optional value without element'}`)
}
