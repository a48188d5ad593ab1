import { createHash } from 'node:crypto'
import {
  type BucketedEntry,
  callersEnds,
  InvariantError,
  inputName,
  type ModelGraph,
  type Node,
  stateEnds,
} from '../../compiler/graph/index.ts'
import {
  faultsKeepingState,
  faultsOf,
  layOutStates,
  type Program,
  type TimedStep,
  timesRegion,
} from '../../compiler/memory/index.ts'
import type { Code, EntryProgram } from '../../compiler/target.ts'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import {
  type CodeEntry,
  type EntryPoint,
  type FileEntry,
  type Manifest,
  manifestFormat,
  type StateRegion,
  type StateTensor,
  type StateUse,
  type TensorSignature,
} from '../../targets/runtime/manifest.ts'
import { checksumOf } from './checksum.ts'
import { joinSections } from './layout.ts'
import { manifestSchema } from './schema.ts'

declare const GLOWPLUG_VERSION: string

/** One compilation of the model. */
export interface CompiledCode {
  readonly target: string
  /** In the order of the model's. */
  readonly entries: readonly EntryProgram[]
  /** The constants region that the programs share. */
  readonly constants: Uint8Array
  readonly code: Code
}

export interface BundleParts {
  readonly model: ModelGraph
  /** In the order in which the loader tries them. */
  readonly codes: readonly CompiledCode[]
}

/** Longer pieces are refused: a file may be longer, with a gigabyte of weights for each of several levels. */
const longestPiece = 2 ** 30

function digestOf(bytes: Uint8Array): string {
  const hash = createHash('sha256')
  for (let from = 0; from < bytes.length; from += longestPiece) hash.update(bytes.subarray(from, from + longestPiece))
  return `sha256-${hash.digest('hex')}`
}

/** `<model>-<hash8>.<extension>`: a file of other contents has another name, so none is ever overwritten. */
export function nameFile(model: string, bytes: Uint8Array, extension: string): FileEntry {
  const digest = digestOf(bytes)
  const stem = model
    .replace(/[^\w.-]/g, '_')
    .replace(/^[^a-zA-Z0-9_]+/, '_')
    .slice(0, 100)
  return { file: `${stem}-${digest.slice(7, 15)}.${extension}`, bytes: bytes.length, digest }
}

const signatureOf = (name: string, { type }: Node): TensorSignature => ({ name, ...type })

function offsetsOf({ name, offsets }: Program, buffers: Program['inputs'], count: number): number[] {
  if (buffers.length !== count)
    throw new InvariantError(`${name}: the program has ${buffers.length} inputs or outputs, the graph ${count}`)
  return buffers.map((buffer) => offsets.get(buffer) ?? -1)
}

function entryPoint(
  { entry, export: exported, program }: EntryProgram,
  { name, graph }: ModelGraph['entries'][number],
  states: ModelGraph['states'],
  steps: readonly TimedStep[] | undefined,
): EntryPoint {
  if (entry !== name)
    throw new InvariantError(`${program.name}: the program of entry '${entry}' stands in the place of '${name}'`)
  const { inputs, outputs, regions, lowerBound } = program
  const times = steps && timesRegion(regions, steps.length)
  const ends = callersEnds(graph, states)
  const keeps = program.states ? faultsKeepingState(program) : 0
  return {
    name,
    export: exported,
    regions: { ...regions, lowerBound, ...(times && { mutable: times.mutable }) },
    inputs: offsetsOf(program, inputs, ends.inputs.length),
    outputs: offsetsOf(program, outputs, ends.outputs.length),
    faults: faultsOf(program).map(({ message }) => message),
    ...(keeps > 0 && { keeps }),
    ...(times && { times: { offset: times.offset, steps: steps! } }),
  }
}

/** What an entry does to states; undefined where it touches none. */
function useOf(graph: ModelGraph['entries'][number]['graph'], states: States): StateUse | undefined {
  const ends = states.map((state) => stateEnds(graph, state))
  const where = (holds: (end: (typeof ends)[number]) => boolean) => ends.flatMap((end, i) => (holds(end) ? [i] : []))
  const reads = where(({ before }) => before !== undefined)
  const renews = where(({ before, after }) => after !== undefined && after !== before)
  return reads.length + renews.length > 0 ? { reads, renews } : undefined
}

type States = NonNullable<ModelGraph['states']>

/** What sessions begin with, of states that do not begin with zeros. */
const firstValues = (states: States) =>
  states.flatMap(({ name, initial }) => {
    const bytes = initial?.read()
    return bytes?.some((byte) => byte !== 0) ? [{ name, bytes, digest: digestOf(bytes) }] : []
  })

/** The region of states; `firsts` tells where in the weights file their first values lie. */
function stateRegion(states: States, firsts: ReadonlyMap<string, StateTensor['initial']>): StateRegion {
  const { offsets, bytes } = layOutStates(states)
  return {
    bytes,
    tensors: states.map(({ name, type }) => {
      const initial = firsts.get(name)
      return { name, ...type, offset: offsets.get(name)!, ...(initial && { initial }) }
    }),
  }
}

/** Entries of several sizes without the states among their inputs and outputs. */
export function callersBuckets({ buckets = [], states = [] }: ModelGraph): readonly BucketedEntry[] {
  const visible = <T extends { readonly name: string }>(tensors: readonly T[], end: 'input' | 'output') =>
    tensors.filter(({ name }) => !states.some((state) => state[end] === name))
  return buckets.map((bucketed) => ({
    ...bucketed,
    inputs: visible(bucketed.inputs, 'input'),
    outputs: visible(bucketed.outputs, 'output'),
  }))
}

/** Puts code and weights of one model into content-hashed files with a manifest. Equal parts give equal bytes. */
export function makeBundle({ model, codes }: BundleParts): Bundle {
  const files = new Map<string, Uint8Array>()
  const add = (bytes: Uint8Array, extension: string): FileEntry => {
    const entry = nameFile(model.name, bytes, extension)
    files.set(entry.file, bytes)
    return entry
  }
  const sections = codes.map(({ constants }) => ({
    bytes: constants,
    digest: digestOf(constants),
    checksum: checksumOf(constants),
  }))
  const { states = [] } = model
  const firsts = firstValues(states)
  const weights = joinSections([...sections, ...firsts])
  const placed = weights.places.slice(codes.length)
  const entries = codes.map(({ target, code, entries: programs }, i): CodeEntry => {
    if (programs.length !== model.entries.length)
      throw new InvariantError(`${model.name}: ${programs.length} programs for ${model.entries.length} entries`)
    const { kind, level, platform } = code
    return {
      ...add(code.bytes, code.extension),
      target,
      kind,
      level,
      ...(platform && { platform }),
      weights: { ...weights.places[i]!, digest: sections[i]!.digest, checksum: sections[i]!.checksum },
      entries: programs.map((program, e) => entryPoint(program, model.entries[e]!, states, code.timed?.[e])),
    }
  })
  // One bucket may be compiled alone.
  const isWhole = ({ entries }: BucketedEntry) => entries.every((name) => model.entries.some((entry) => entry.name === name))
  const buckets = callersBuckets(model).filter(isWhole)
  const manifest: Manifest = {
    format: manifestFormat,
    glowplug: GLOWPLUG_VERSION,
    model: model.name,
    toolchain: sortedRecord({ node: process.versions.node, ...Object.assign({}, ...codes.map(({ code }) => code.toolchain)) }),
    entries: model.entries.map(({ name, graph }) => {
      const { inputs, outputs } = callersEnds(graph, states)
      const use = useOf(graph, states)
      return {
        name,
        inputs: inputs.map((node) => signatureOf(inputName(node), node)),
        outputs: outputs.map((output) => signatureOf(output.name, output.value)),
        ...(use && { state: use }),
      }
    }),
    ...(states.length > 0 && {
      state: stateRegion(states, new Map(firsts.map(({ name, digest }, i) => [name, { ...placed[i]!, digest }]))),
    }),
    ...(buckets.length > 0 && { buckets }),
    weights: add(weights.file, 'weights'),
    codes: entries,
  }
  const checked = manifestSchema.safeParse(manifest)
  if (!checked.success)
    throw new InvariantError(
      `manifest of '${model.name}': ${checked.error.issues[0]?.path.join('.')}: ${checked.error.issues[0]?.message}`,
    )
  add(new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 1)}\n`), 'manifest.json')
  return { name: model.name, manifest, files }
}

const sortedRecord = (record: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
