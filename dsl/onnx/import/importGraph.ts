import {
  countOutput,
  type Graph,
  type ModelGraph,
  type ModelState,
  mainEntry,
  printType,
  reject,
  type TensorType,
} from '../../../compiler/graph/index.ts'
import { countsOf } from '../../bounded.ts'
import { createTracer } from '../../trace.ts'
import { nodeOf, tensorOf, withTracer } from '../../tracer.ts'
import type { OnnxModel, OnnxValue } from '../model.ts'
import { newestOpset } from '../prepare/index.ts'
import { liveStatements } from '../record/live.ts'
import { createRecorder } from '../record/recorder.ts'
import type { RecordedInput, Recording } from '../record/statement.ts'
import { boundsOf } from './bounded/index.ts'
import type { Value } from './context.ts'
import { type Binding, bindDims, type Dims } from './dims.ts'
import { createScope, createWeightStore, type Entry, type ImportedWeight, type WeightStore } from './environment.ts'
import type { RunGraph } from './fold.ts'
import { withGuesses } from './guesses.ts'
import { createNodeImporter } from './importNodes.ts'
import { createNames, identifierOf } from './names.ts'
import { printable, type Unsupported, UnsupportedOperators } from './problem.ts'
import { type StatePair, type States, statePairs, tailOf } from './states.ts'

export interface ImportGraphOptions {
  /** Name of the model; made an identifier. Default: the name of the graph. */
  readonly name?: string
  readonly dims?: Dims
  /** By the name of a value of the file: the most there may be along an axis whose size data decides, or the most that a size may be. */
  readonly limits?: Readonly<Record<string, number>>
  readonly states?: States
  /** Lines that stand before those of the importer in the header of the source. */
  readonly header?: readonly string[]
}

export interface ImportedModel {
  readonly graph: ModelGraph
  /** One for each entry of the graph. */
  readonly recordings: readonly Recording[]
  /** What the weights file must hold, in the order of first use. */
  readonly weights: ReadonlyMap<string, ImportedWeight>
  /** What was decided for the user: sizes of dimensions, names. Untrusted text on one line each. */
  readonly notes: readonly string[]
  /** Names of the file beside the identifiers of the model. */
  readonly inputs: readonly NamePair[]
  readonly outputs: readonly NamePair[]
}

export interface NamePair {
  readonly onnx: string
  readonly name: string
}

/**
 * The graph of an ONNX model, and the calls of the vocabulary that build it. `model` has been prepared: functions expanded, nodes sorted.
 * Throws UnsupportedOperators with everything that has no counterpart, and ModelProblem for sizes of dimensions that do not fit.
 */
export async function importGraph(model: OnnxModel, options: ImportGraphOptions = {}): Promise<ImportedModel> {
  const { runGraph } = await import('../../../targets/interpreter/index.ts')
  const given = model.graph.inputs.filter((input) => !model.graph.initializers.has(input.name))
  const [usual] = bindDims(given, options.dims ?? {}, [])
  const most = Math.min(mostAttempts, Math.ceil(attemptedNodes / (model.graph.nodes.length + 1)))
  return withGuesses(usual!, most, (guesses) => importSized(model, options, given, guesses, runGraph))
}

/** How often sizes that nobody stated are tried, and the nodes that are imported for it. */
const mostAttempts = 64
const attemptedNodes = 40_000

function importSized(
  model: OnnxModel,
  options: ImportGraphOptions,
  given: readonly OnnxValue[],
  guesses: ReadonlyMap<string, number>,
  runGraph: RunGraph,
): ImportedModel {
  const { graph } = model
  const name = identifierOf(options.name ?? graph.name, 'model')
  const notes = new Set<string>()
  const found: string[] = []
  const bindings = bindDims(given, options.dims ?? {}, found, guesses)
  for (const note of found) notes.add(note)
  const opset = model.opsets.get('')
  if (opset !== undefined && opset > newestOpset)
    notes.add(`the file is of opset ${opset}, it was read as if it were of ${newestOpset}`)

  const store = createWeightStore()
  const [inputName, outputName] = [createNames('input'), createNames('output')]
  const inputs = given.map((input) => ({ onnx: input.name, name: inputName(input.name) }))
  const pairs = options.states === undefined ? [] : statePairs(given, graph.outputs, options.states)
  // A state has one name, that of the input.
  const stateOf = (output: string) => inputs.find(({ onnx }) => onnx === pairs.find((pair) => pair.output === output)?.input)
  const outputs = graph.outputs.map(({ name: onnx }) => ({ onnx, name: stateOf(onnx)?.name ?? outputName(onnx) }))
  for (const pair of pairs)
    notes.add(`state ${stateOf(pair.output)!.name}: '${printable(pair.input, 60)}' becomes '${printable(pair.output, 60)}'`)
  const entries = bindings.map((binding) =>
    importEntry({
      model,
      name,
      given,
      inputs,
      outputs,
      binding,
      store,
      run: runGraph,
      notes,
      pairs,
      limits: options.limits ?? {},
    }),
  )
  const header = [...(options.header ?? []), ...headerOf(model, [...inputs, ...outputs]), ...notes]
  const used = new Set(entries.flatMap((entry) => [...entry.weights]))
  return {
    graph: {
      name,
      entries: entries.map((entry) => ({ name: entry.recording.entry, graph: entry.graph })),
      ...(pairs.length > 0 && { states: statesOf(entries.map(({ recording }) => recording)) }),
    },
    recordings: entries.map(({ recording }) => ({ ...recording, header })),
    weights: new Map([...store.weights].filter(([weight]) => used.has(weight))),
    notes: [...notes],
    inputs,
    outputs,
  }
}

/** States as the entries have them, which must agree: they are one for all. */
function statesOf(recordings: readonly Omit<Recording, 'header'>[]): readonly ModelState[] {
  const [first] = recordings as [Omit<Recording, 'header'>]
  return first.states!.map((name): ModelState => {
    const [type, ...others] = recordings.map(({ inputs }) => inputs.find((each) => each.name === name)!.type) as [
      TensorType,
      ...TensorType[],
    ]
    const other = others.find((each) => printType(each) !== printType(type))
    if (other)
      reject(
        'onnx-option',
        `states: '${name}' is ${printType(type)} in one entry and ${printType(other)} in another; give the dimension one size, --dim`,
      )
    return { name, input: name, output: name, type }
  })
}

/** Inputs that cannot be imported; what takes them is not looked at, all else is. */
function unusableInputs(given: readonly OnnxValue[]): Unsupported[] {
  return given.flatMap(({ name, dtype, shape }) => {
    if (dtype && shape) return []
    const [what, remedy] = dtype
      ? ['the file does not say how many dimensions it has', 'give it a shape, such as with onnx.tools.update_model_dims']
      : ['it is no tensor of a type that can be computed with', 'export the model with tensors as inputs']
    return [{ op: 'graph input', domain: '', opset: 0, node: name, what, remedy }]
  })
}

interface EntryJob {
  readonly model: OnnxModel
  readonly name: string
  readonly given: readonly OnnxValue[]
  readonly inputs: readonly NamePair[]
  readonly outputs: readonly NamePair[]
  readonly binding: Binding
  readonly store: WeightStore
  readonly run: RunGraph
  readonly notes: Set<string>
  readonly limits: Readonly<Record<string, number>>
  readonly pairs: readonly StatePair[]
}

interface ImportedEntry {
  readonly graph: Graph
  readonly recording: Omit<Recording, 'header'>
  readonly weights: ReadonlySet<string>
}

function importEntry({
  model,
  name,
  given,
  inputs,
  outputs,
  binding,
  store,
  run,
  notes,
  limits,
  pairs,
}: EntryJob): ImportedEntry {
  const tracer = createTracer()
  const recorder = createRecorder()
  const importer = createNodeImporter(model, tracer, recorder, store, run, notes, limits)
  const scope = createScope()
  importer.problems.push(...unusableInputs(given))
  const recorded = given.flatMap((input, i): RecordedInput[] => {
    if (!input.dtype || !input.shape) {
      scope.set(input.name, { kind: 'poisoned' })
      return []
    }
    const type = { dtype: input.dtype, shape: input.shape.map((_, axis) => binding.sizeOf(input, axis)) }
    const tensor = withTracer(tracer, () => tensorOf(tracer.builder.input(inputs[i]!.name, type)))
    recorder.input(inputs[i]!.name, tensor)
    scope.set(input.name, { kind: 'tensor', tensor: tensor as Value })
    return [{ name: inputs[i]!.name, tensor, type, dims: input.shape.map((_, axis) => binding.nameOf(input, axis)) }]
  })
  importer.importNodes(model.graph, scope)
  if (importer.problems.length > 0) throw new UnsupportedOperators(importer.problems, hintOf(binding), importer.reached)

  const nodeFor = (tensor: Value) => withTracer(tracer, () => nodeOf(tensor, 'import', 'a value'))
  const results = outputs.map((output) => {
    const entry = scope.get(output.onnx)
    if (!entry || (entry.kind !== 'tensor' && entry.kind !== 'known')) {
      const [what, remedy] = outputProblem(entry)
      throw new UnsupportedOperators([{ op: 'graph output', domain: '', opset: 0, node: output.onnx, what, remedy }])
    }
    const tensor = withTracer(tracer, () => {
      const value = importer.tensorOf(entry)
      return (boundsOf(value) ?? []).reduce<Value>(
        (whole, size, axis) => (size ? (recorder.d.bounded(whole, size.value, { axis }) as Value) : whole),
        value,
      )
    })
    return { name: output.name, tensor }
  })
  const isCarried = (identifier: string) =>
    inputs.some((pair) => pair.name === identifier && pairs.some((each) => each.input === pair.onnx))
  const [callers, carried] = [recorded.filter((each) => !isCarried(each.name)), recorded.filter((each) => isCarried(each.name))]
  const ends = results.map((result) => {
    const state = carried.find((each) => each.name === result.name)
    if (!state) return result
    const pair = pairs.find((each) => inputs.some(({ onnx, name: own }) => own === state.name && onnx === each.input))!
    const after = nodeFor(result.tensor).type
    const tail = tailOf(pair, state.type, after)
    if (!tail) return result
    const [kept, all] = [state.type.shape[tail.axis]!, after.shape[tail.axis]!]
    notes.add(
      `of states that a run makes longer, the last ${kept} of ${all} along axis ${tail.axis} go on; what no run has filled yet is zero, and callers mask it as they mask padding`,
    )
    return { name: result.name, tensor: withTracer(tracer, () => recorder.d.slice(result.tensor, tail) as Value) }
  })
  const live = liveStatements(
    recorder.statements,
    ends.map(({ tensor }) => tensor),
    recorder.sourceOf,
  )
  const graph = tracer.builder.finish(
    name,
    [...callers, ...carried].map(({ tensor }) => nodeFor(tensor)),
    ends.flatMap(({ name, tensor }) => [
      { name, value: nodeFor(tensor) },
      ...countsOf(tensor).map(({ axis, count }) => ({ name: countOutput(name, axis), value: nodeFor(count as Value) })),
    ]),
  )
  const recording = {
    name,
    entry: binding.entry === 'main' ? mainEntry : binding.entry,
    dims: binding.open,
    inputs: [...callers, ...carried],
    states: carried.map((each) => each.name),
    outputs: ends,
    statements: live.statements,
    sourceOf: recorder.sourceOf,
  }
  return { graph, recording, weights: live.weights }
}

/** Why an output is no tensor, and what would help. */
function outputProblem(entry: Entry | undefined): readonly [what: string, remedy: string | undefined] {
  if (entry?.kind === 'unusable') return [`it is a tensor of type ${entry.type}`, undefined]
  if (entry?.kind === 'sequence') return ['it is a sequence of tensors', 'make its tensors outputs of the graph']
  return [entry?.kind === 'nothing' ? 'it is an optional value without element' : 'nothing makes it', undefined]
}

/** Sizes that were guessed may be what does not fit. */
function hintOf({ open }: Binding): string | undefined {
  if (open.length === 0) return undefined
  const guessed = open.map(({ key, sizes }) => `${sizes[0]} for ${printable(key, 60)}`)
  return `sizes that nobody stated were guessed, as ${guessed.join(', ')}; state them: --dim ${printable(open[0]!.key, 60)}=…`
}

function headerOf(model: OnnxModel, names: readonly NamePair[]): string[] {
  const opsets = [...model.opsets].map(([domain, version]) => `${domain === '' ? 'ai.onnx' : printable(domain, 60)} ${version}`)
  const renamed = names.filter(({ onnx, name }) => onnx !== name).map(({ onnx, name }) => `${name} is '${printable(onnx, 100)}'`)
  return [
    `producer ${printable(model.producer, 100) || 'unknown'}, IR version ${model.irVersion}, ${opsets.join(', ')}`,
    ...(renamed.length > 0
      ? [`renamed: ${renamed.slice(0, 40).join(', ')}${renamed.length > 40 ? `, and ${renamed.length - 40} more` : ''}`]
      : []),
  ]
}
