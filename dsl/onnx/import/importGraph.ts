import { type Graph, type ModelGraph, mainEntry } from '../../../compiler/graph/index.ts'
import { createTracer } from '../../trace.ts'
import { nodeOf, tensorOf, withTracer } from '../../tracer.ts'
import type { OnnxModel, OnnxValue } from '../model.ts'
import { newestOpset } from '../prepare/index.ts'
import { liveStatements } from '../record/live.ts'
import { createRecorder } from '../record/recorder.ts'
import type { RecordedInput, Recording } from '../record/statement.ts'
import type { Value } from './context.ts'
import { type Binding, bindDims, type Dims } from './dims.ts'
import { createScope, createWeightStore, type ImportedWeight, type WeightStore } from './environment.ts'
import type { RunGraph } from './fold.ts'
import { createNodeImporter } from './importNodes.ts'
import { createNames, identifierOf } from './names.ts'
import { printable, type Unsupported, UnsupportedOperators } from './problem.ts'

export interface ImportGraphOptions {
  /** Name of the model; made an identifier. Default: the name of the graph. */
  readonly name?: string
  readonly dims?: Dims
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
  const { graph } = model
  const name = identifierOf(options.name ?? graph.name, 'model')
  const given = graph.inputs.filter((input) => !graph.initializers.has(input.name))
  const notes = new Set<string>()
  const found: string[] = []
  const bindings = bindDims(given, options.dims ?? {}, found)
  for (const note of found) notes.add(note)
  const opset = model.opsets.get('')
  if (opset !== undefined && opset > newestOpset)
    notes.add(`the file is of opset ${opset}, it was read as if it were of ${newestOpset}`)

  const store = createWeightStore()
  const [inputName, outputName] = [createNames('input'), createNames('output')]
  const inputs = given.map((input) => ({ onnx: input.name, name: inputName(input.name) }))
  const outputs = graph.outputs.map((output) => ({ onnx: output.name, name: outputName(output.name) }))
  const entries = bindings.map((binding) =>
    importEntry({ model, name, given, inputs, outputs, binding, store, run: runGraph, notes }),
  )
  const header = [...(options.header ?? []), ...headerOf(model, [...inputs, ...outputs]), ...notes]
  const used = new Set(entries.flatMap((entry) => [...entry.weights]))
  return {
    graph: { name, entries: entries.map((entry) => ({ name: entry.recording.entry, graph: entry.graph })) },
    recordings: entries.map(({ recording }) => ({ ...recording, header })),
    weights: new Map([...store.weights].filter(([weight]) => used.has(weight))),
    notes: [...notes],
    inputs,
    outputs,
  }
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
}

interface ImportedEntry {
  readonly graph: Graph
  readonly recording: Omit<Recording, 'header'>
  readonly weights: ReadonlySet<string>
}

function importEntry({ model, name, given, inputs, outputs, binding, store, run, notes }: EntryJob): ImportedEntry {
  const tracer = createTracer()
  const recorder = createRecorder()
  const importer = createNodeImporter(model, tracer, recorder, store, run, notes)
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
  if (importer.problems.length > 0) throw new UnsupportedOperators(importer.problems, hintOf(binding))

  const nodeFor = (tensor: Value) => withTracer(tracer, () => nodeOf(tensor, 'import', 'a value'))
  const results = outputs.map((output) => {
    const entry = scope.get(output.onnx)
    if (!entry || entry.kind === 'unusable' || entry.kind === 'poisoned') {
      const what = entry?.kind === 'unusable' ? `it is a tensor of type ${entry.type}` : 'nothing makes it'
      throw new UnsupportedOperators([{ op: 'graph output', domain: '', opset: 0, node: output.onnx, what, remedy: undefined }])
    }
    return { name: output.name, tensor: withTracer(tracer, () => importer.tensorOf(entry)) }
  })
  const live = liveStatements(
    recorder.statements,
    results.map(({ tensor }) => tensor),
    recorder.sourceOf,
  )
  const graph = tracer.builder.finish(
    name,
    recorded.map(({ tensor }) => nodeFor(tensor)),
    results.map(({ name, tensor }) => ({ name, value: nodeFor(tensor) })),
  )
  const recording = {
    name,
    entry: binding.entry === 'main' ? mainEntry : binding.entry,
    dims: binding.open,
    inputs: recorded,
    outputs: results,
    statements: live.statements,
    sourceOf: recorder.sourceOf,
  }
  return { graph, recording, weights: live.weights }
}

/** Sizes that were guessed may be what does not fit. */
function hintOf({ open }: Binding): string | undefined {
  if (open.length === 0) return undefined
  const guessed = open.map(({ key, sizes }) => `--dim ${printable(key, 60)}=${sizes[0]}`)
  return `sizes that nobody stated were guessed; these would say the same: ${guessed.join(' ')}`
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
