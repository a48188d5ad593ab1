// A model in parts over the cards of a platform: each part a bundle, and a placement that says how values flow between them.
import {
  type ConstantData,
  callersEnds,
  type Graph,
  InvariantError,
  inputName,
  type ModelGraph,
  type ModelState,
  mainEntry,
  printAttributes,
  printType,
} from '../compiler/graph/index.ts'
import {
  findUses,
  type KeptStates,
  keepStates,
  type ModelPartition,
  type PartitionedGraph,
  type PartitionOptions,
  type Platform,
  partialInputs,
  partitionModel,
  type Source,
} from '../compiler/partition/index.ts'
import type { Bundle } from '../targets/runtime/bundle.ts'
import type { TensorSignature } from '../targets/runtime/manifest.ts'
import {
  type Flow,
  type InputUse,
  type PlacedPart,
  type PlacedSource,
  type PlacedState,
  type Placement,
  placementFormat,
} from '../targets/runtime/serve/placement.ts'
import type { PlacedModel } from '../targets/runtime/serve/readPlacement.ts'
import { callersBuckets, nameFile } from './bundle/make.ts'
import { type CompileOptions, compile, withDiagnostics } from './compile.ts'

declare const GLOWPLUG_VERSION: string

export interface PlacedOptions extends CompileOptions, PartitionOptions {
  /** Told of each part before it is compiled, and how many there are. */
  readonly begin?: (part: string, index: number, count: number) => void
}

/** A part with its graph for each entry that has it, in the order of the entries, and the states that it alone has. */
interface Share {
  readonly name: string
  readonly entries: readonly { readonly name: string; readonly graph: Graph }[]
  readonly states: readonly ModelState[]
}

/** The parts of all entries, those of the entry that decided first. */
function sharesOf({ entries, largest }: ModelPartition, kept: KeptStates): readonly Share[] {
  const parted = kept.entries.map(({ parts }, i) => ({ name: entries[i]!.name, parts }))
  const names = new Set([parted[largest]!, ...parted].flatMap(({ parts }) => parts.map(({ name }) => name)))
  return [...names].map((name) => ({
    name,
    entries: parted.flatMap((entry) => {
      const part = entry.parts.find((each) => each.name === name)
      return part ? [{ name: entry.name, graph: part.graph }] : []
    }),
    states: kept.states.get(name) ?? [],
  }))
}

/** A text that is equal for parts that compute the same, whatever their values are called. */
function createKey(): (share: Share) => string {
  const ids = new Map<ConstantData, number>()
  const idOf = (data: ConstantData): number => {
    if (!ids.has(data)) ids.set(data, ids.size)
    return ids.get(data)!
  }
  const keyOf = ({ nodes, inputs, outputs }: Graph, states: readonly ModelState[]): string => {
    const numbers = new Map(nodes.map((node, i) => [node, i]))
    const lines = nodes.map(({ op, operands, attributes, type, data }) => {
      const what = data ? `#${idOf(data)}` : op === 'input' ? '' : printAttributes(attributes)
      return `${op} ${operands.map((operand) => numbers.get(operand))} ${what} ${printType(type)}`
    })
    const border = [inputs, outputs.map(({ value }) => value)].map((list) => list.map((node) => numbers.get(node)))
    const carried = states.map(({ input, output }) => [
      inputs.findIndex((node) => inputName(node) === input),
      outputs.findIndex(({ name }) => name === output),
    ])
    return [...lines, JSON.stringify([border, carried])].join('\n')
  }
  return ({ entries, states }) =>
    JSON.stringify([
      entries.map(({ name, graph }) => [name, keyOf(graph, states)]),
      states.map(({ type, initial }) => [printType(type), initial ? idOf(initial) : 'zeros']),
    ])
}

/** How the values of an entry flow between the parts, whose states come from nowhere and go nowhere. */
function flowOf(partitioned: PartitionedGraph, entry: string, graph: Graph, shares: readonly Share[]): Flow {
  const { parts, outputs, inputs } = partitioned
  const partial = partialInputs(partitioned)
  const inputNames = inputs.map(inputName)
  const shareOf = (part: string) => shares.findIndex(({ name }) => name === part)
  const endsOf = (part: PartitionedGraph['parts'][number]) => callersEnds(part.graph, shares[shareOf(part.name)]!.states)
  const sourceOf = (source: Source): PlacedSource => {
    if (source.kind === 'input') return { input: inputNames.indexOf(source.name) }
    const step = parts.findIndex(({ name }) => name === source.part)
    const output = parts[step] ? endsOf(parts[step]).outputs.findIndex(({ name }) => name === source.output) : -1
    if (output < 0) throw new InvariantError(`${entry}: nothing gives '${source.output}' of part '${source.part}'`)
    return { step, output }
  }
  return {
    steps: parts.map((part, i) => {
      const given = endsOf(part).inputs.map((node) => part.graph.inputs.indexOf(node))
      const reads = given.map((input) => partial[i]![input] ?? null)
      return {
        part: shareOf(part.name),
        entry,
        inputs: given.map((input) => sourceOf(part.sources[input]!)),
        ...(reads.some(Boolean) && { reads }),
      }
    }),
    outputs: outputs.map(({ from }) => sourceOf(from)),
    uses: usesOf(graph, inputNames),
  }
}

/** What those of a graph's inputs are to look-ups that requests bring. Nothing is said of what stands in relation to others. */
function usesOf(graph: Graph, given: readonly string[]): readonly InputUse[] {
  const all = findUses(graph)
  const places = graph.inputs.map((input) => given.indexOf(inputName(input)))
  const relatedTo = ({ lengthsOf, offsetsOf, weightsOf }: InputUse) => lengthsOf ?? offsetsOf ?? weightsOf
  return graph.inputs.flatMap((_, i): InputUse[] => {
    const use = all[i]!
    const of = relatedTo(use)
    if (places[i]! < 0) return []
    if (all.some((other, o) => relatedTo(other) === i && places[o]! < 0)) return [{}]
    if (of === undefined) return [use]
    if (places[of]! < 0) return [{}]
    const { lengthsOf, offsetsOf, weightsOf } = use
    const moved = Object.entries({ lengthsOf, offsetsOf, weightsOf }).filter(([, input]) => input !== undefined)
    return [{ ...use, ...Object.fromEntries(moved.map(([key, input]) => [key, places[input!]!])) }]
  })
}

const describePart = (
  name: string,
  { entries, largest }: ModelPartition,
): Pick<PlacedPart, 'name' | 'on' | 'seconds' | 'threads'> => {
  const planned = [entries[largest]!, ...entries].flatMap(({ plan }) => plan.parts.filter((part) => part.name === name))
  const { on, seconds, threads } = planned[0]!
  return { name, on, seconds, ...(threads !== undefined && { threads }) }
}

/** What those of an entry's inputs and outputs are that are no states of parts. */
function signaturesOf(
  { inputs, outputs }: Graph,
  partitioned: PartitionedGraph,
): { inputs: TensorSignature[]; outputs: TensorSignature[] } {
  const [given, got] = [partitioned.inputs.map(inputName), partitioned.outputs.map(({ name }) => name)]
  return {
    inputs: inputs.map((node) => ({ name: inputName(node), ...node.type })).filter(({ name }) => given.includes(name)),
    outputs: outputs.map(({ name, value }) => ({ name, ...value.type })).filter(({ name }) => got.includes(name)),
  }
}

/** What sessions carry; first values become files, except of states that a part has, whose bundle has them. */
const statesOf = (
  { name: model, states = [] }: ModelGraph,
  homes: KeptStates['homes'],
  shares: readonly Share[],
  files: Map<string, Uint8Array>,
): PlacedState[] =>
  states.map(({ name, input, output, type, initial }) => {
    const home = homes.get(name)
    if (home !== undefined) {
      const part = shares.findIndex((share) => share.name === home)
      const index = shares[part]!.states.findIndex((state) => state.name === name)
      return { name, ...type, input, output, kept: { part, index } }
    }
    const bytes = initial?.read()
    const first = bytes?.some((byte) => byte !== 0) ? nameFile(`${model}.${name}`, bytes, 'state') : undefined
    if (first) files.set(first.file, bytes!)
    return { name, ...type, input, output, ...(first && { initial: first }) }
  })

/**
 * Places a model, or the one graph of it, over a platform and compiles each part to a bundle; equal parts once. For `serve` or `writeBundle`. Equal
 * models, platforms, options and tools give equal bytes. Throws PartitionError where the model has no place, and what `compile` throws.
 */
export const compilePlaced = (
  model: Graph | ModelGraph,
  platform: Platform,
  { begin, method, objective, contexts, join, saturate, map, plan, ...options }: PlacedOptions = {},
): Promise<PlacedModel> =>
  withDiagnostics(async () => {
    const whole: ModelGraph = 'entries' in model ? model : { name: model.name, entries: [{ name: mainEntry, graph: model }] }
    const partition = partitionModel(whole, platform, {
      ...(method && { method }),
      ...(objective && { objective }),
      ...(contexts !== undefined && { contexts }),
      ...(join !== undefined && { join }),
      ...(saturate !== undefined && { saturate }),
      ...(map && { map }),
      ...(plan && { plan }),
    })
    const kept = keepStates(
      partition.entries.map(({ parts }) => parts),
      whole.states ?? [],
      partition.entries[partition.largest]!.parts.parts[0]?.name,
    )
    const shares = sharesOf(partition, kept)
    const files = new Map<string, Uint8Array>()
    const compiled = new Map<string, Bundle>()
    const keyOf = createKey()
    const parts: PlacedPart[] = []
    for (const [i, share] of shares.entries()) {
      const key = keyOf(share)
      begin?.(share.name, i, shares.length)
      const name = `${whole.name}.${share.name}`
      const { entries, states } = share
      const own = { name, entries, ...(states.length > 0 && { states }) }
      const bundle = compiled.get(key) ?? (await compile(own, options))
      compiled.set(key, bundle)
      for (const [file, bytes] of bundle.files) files.set(file, bytes)
      const [file, bytes] = [...bundle.files].find(([name]) => name.endsWith('.manifest.json'))!
      const { digest } = nameFile(name, bytes, 'manifest.json')
      parts.push({ ...describePart(share.name, partition), bundle: { file, bytes: bytes.length, digest } })
    }
    const placement: Placement = {
      format: placementFormat,
      glowplug: GLOWPLUG_VERSION,
      model: whole.name,
      platform: platform.name,
      cards: platform.cards.map(({ name }) => name),
      entries: whole.entries.map(({ name, graph }, i) => ({ name, ...signaturesOf(graph, kept.entries[i]!) })),
      ...(whole.buckets && { buckets: callersBuckets(whole) }),
      ...(whole.states && { states: statesOf(whole, kept.homes, shares, files) }),
      parts,
      flows: whole.entries.map(({ name, graph }, i) => flowOf(kept.entries[i]!, name, graph, shares)),
      plan: partition.plan,
    }
    const bytes = new TextEncoder().encode(`${JSON.stringify(placement, undefined, 1)}\n`)
    const { file } = nameFile(whole.name, bytes, 'placement.json')
    return { name: whole.name, placement, files: files.set(file, bytes) }
  })
