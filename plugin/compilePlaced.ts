// A model in parts over the cards of a platform: each part a bundle, and a placement that says how values flow between them.
import {
  type ConstantData,
  type Graph,
  InvariantError,
  inputName,
  type ModelGraph,
  mainEntry,
  printAttributes,
  printType,
} from '../compiler/graph/index.ts'
import {
  findUses,
  type ModelPartition,
  type Partition,
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

/** A part with its graph for each entry that has it, in the order of the entries. */
interface Share {
  readonly name: string
  readonly entries: readonly { readonly name: string; readonly graph: Graph }[]
}

/** The parts of all entries, those of the entry that decided first. */
function sharesOf({ entries, largest }: ModelPartition): readonly Share[] {
  const names = new Set([entries[largest]!, ...entries].flatMap(({ parts }) => parts.parts.map(({ name }) => name)))
  return [...names].map((name) => ({
    name,
    entries: entries.flatMap((entry) => {
      const part = entry.parts.parts.find((each) => each.name === name)
      return part ? [{ name: entry.name, graph: part.graph }] : []
    }),
  }))
}

/** A text that is equal for parts that compute the same, whatever their values are called. */
function createKey(): (share: Share) => string {
  const ids = new Map<ConstantData, number>()
  const idOf = (data: ConstantData): number => {
    if (!ids.has(data)) ids.set(data, ids.size)
    return ids.get(data)!
  }
  const keyOf = ({ nodes, inputs, outputs }: Graph): string => {
    const numbers = new Map(nodes.map((node, i) => [node, i]))
    const lines = nodes.map(({ op, operands, attributes, type, data }) => {
      const what = data ? `#${idOf(data)}` : op === 'input' ? '' : printAttributes(attributes)
      return `${op} ${operands.map((operand) => numbers.get(operand))} ${what} ${printType(type)}`
    })
    const border = [inputs, outputs.map(({ value }) => value)].map((list) => list.map((node) => numbers.get(node)))
    return [...lines, JSON.stringify(border)].join('\n')
  }
  return ({ entries }) => JSON.stringify(entries.map(({ name, graph }) => [name, keyOf(graph)]))
}

/** How the values of an entry flow between the parts. */
function flowOf(
  { parts: partitioned, name: entry }: Partition & { readonly name: string },
  graph: Graph,
  shares: readonly Share[],
): Flow {
  const { parts, outputs, inputs } = partitioned
  const partial = partialInputs(partitioned)
  const inputNames = inputs.map(inputName)
  const sourceOf = (source: Source): PlacedSource => {
    if (source.kind === 'input') return { input: inputNames.indexOf(source.name) }
    const step = parts.findIndex(({ name }) => name === source.part)
    const output = parts[step]?.graph.outputs.findIndex(({ name }) => name === source.output) ?? -1
    if (output < 0) throw new InvariantError(`${entry}: nothing gives '${source.output}' of part '${source.part}'`)
    return { step, output }
  }
  return {
    steps: parts.map(({ name, sources }, i) => {
      const reads = partial[i]!.map((ranges) => ranges ?? null)
      return {
        part: shares.findIndex((share) => share.name === name),
        entry,
        inputs: sources.map(sourceOf),
        ...(reads.some(Boolean) && { reads }),
      }
    }),
    outputs: outputs.map(({ from }) => sourceOf(from)),
    uses: findUses(graph),
  }
}

const describePart = (
  name: string,
  { entries, largest }: ModelPartition,
): Pick<PlacedPart, 'name' | 'on' | 'seconds' | 'threads'> => {
  const planned = [entries[largest]!, ...entries].flatMap(({ plan }) => plan.parts.filter((part) => part.name === name))
  const { on, seconds, threads } = planned[0]!
  return { name, on, seconds, ...(threads !== undefined && { threads }) }
}

const signaturesOf = ({ inputs, outputs }: Graph): { inputs: TensorSignature[]; outputs: TensorSignature[] } => ({
  inputs: inputs.map((node) => ({ name: inputName(node), ...node.type })),
  outputs: outputs.map(({ name, value }) => ({ name, ...value.type })),
})

/** What sessions carry; first values become files. */
const statesOf = ({ name: model, states = [] }: ModelGraph, files: Map<string, Uint8Array>): PlacedState[] =>
  states.map(({ name, input, output, type, initial }) => {
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
    const shares = sharesOf(partition)
    const files = new Map<string, Uint8Array>()
    const compiled = new Map<string, Bundle>()
    const keyOf = createKey()
    const parts: PlacedPart[] = []
    for (const [i, share] of shares.entries()) {
      const key = keyOf(share)
      begin?.(share.name, i, shares.length)
      const name = `${whole.name}.${share.name}`
      const bundle = compiled.get(key) ?? (await compile({ name, entries: share.entries }, options))
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
      entries: whole.entries.map(({ name, graph }) => ({ name, ...signaturesOf(graph) })),
      ...(whole.buckets && { buckets: callersBuckets(whole) }),
      ...(whole.states && { states: statesOf(whole, files) }),
      parts,
      flows: partition.entries.map((entry, i) => flowOf(entry, whole.entries[i]!.graph, shares)),
      plan: partition.plan,
    }
    const bytes = new TextEncoder().encode(`${JSON.stringify(placement, undefined, 1)}\n`)
    const { file } = nameFile(whole.name, bytes, 'placement.json')
    return { name: whole.name, placement, files: files.set(file, bytes) }
  })
