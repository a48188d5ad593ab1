import {
  createBuilder,
  type Graph,
  inputName,
  type Location,
  type ModelGraph,
  type Node,
  type Output,
  reachableNodes,
  unknownLocation,
} from '../compiler/graph/index.ts'
import { isPlainObject } from './check.ts'
import { specOf } from './model.ts'
import { checkName, createProblems, type EntrySpec, type Problems, readSpec, type SpecProblem } from './spec.ts'
import { describe, describedType, isDescribedInput, isTensor, nodeOf, type Tracer, tensorOf, withTracer } from './tracer.ts'

export type { SpecProblem }

export interface BuiltModel {
  /** Absent when a problem prevents it. */
  readonly model: ModelGraph | undefined
  readonly problems: readonly SpecProblem[]
}

export const createTracer = (location: () => Location = () => unknownLocation): Tracer => ({ builder: createBuilder(), location })

/** What the extractor does otherwise than a program that runs. */
export interface TraceHost {
  /** Where the op being applied stands in the model. */
  location(): Location
  /** Runs one `forward`. Undefined when it failed for a reason that the host has told by itself. */
  run(forward: () => unknown): { readonly returned: unknown } | undefined
}

const plainHost: TraceHost = { location: () => unknownLocation, run: (forward) => ({ returned: forward() }) }

/** The graphs of a model, made by running each `forward`. Throws the first problem that prevents them. */
export const traceModel = (model: unknown): ModelGraph => traceSpec(specOf(model))

export function traceSpec(spec: unknown): ModelGraph {
  const { model, problems } = buildModel(spec)
  if (model) return model
  throw problems.find(({ problem }) => problem.code !== 'input-unused')!.problem
}

/** An entry whose inputs are nodes; what is left to do is to run `forward`. */
interface Prepared extends EntrySpec {
  readonly tracer: Tracer
  readonly inputs: readonly Node[]
  readonly forward: (inputs: object) => unknown
}

/**
 * Checks what `model()` was given, runs each `forward`, and gathers every problem that can be found. An unused input alone does not
 * prevent a graph. What `forward` throws is a problem when it is a ModelProblem, and passes otherwise. Entries are built apart, so that
 * no tensor of one reaches another; what they share are constants: a tensor of a weights file is the same data in all graphs.
 */
export function buildModel(spec: unknown, host: TraceHost = plainHost): BuiltModel {
  const problems = createProblems()
  const prepared = readSpec(spec, problems).flatMap((entry) => prepare(entry, host, problems) ?? [])
  if (problems.list.length > 0) return { model: undefined, problems: problems.list }
  const { name } = spec as { readonly name: string }
  const entries = prepared.flatMap((entry) => {
    const graph = trace(name, entry, host, problems)
    return graph ? [{ name: entry.name, graph }] : []
  })
  return { model: entries.length === prepared.length ? { name, entries } : undefined, problems: problems.list }
}

function prepare(entry: EntrySpec, host: TraceHost, problems: Problems): Prepared | undefined {
  const { path, where } = entry
  const { inputs, forward } = entry.owner
  if (typeof forward !== 'function')
    problems.add('bad-model', `${where}: forward must be a function, got ${describe(forward)}`, ...path, 'forward')
  if (!isPlainObject(inputs)) {
    problems.add(
      'bad-model',
      `${where}: inputs must be an object of tensor() descriptions, got ${describe(inputs)}`,
      ...path,
      'inputs',
    )
    return undefined
  }
  const tracer = createTracer(host.location)
  const nodes = Object.entries(inputs).flatMap(([key, value]) => {
    const at = [...path, 'inputs', key]
    checkName(key, 'name of an input', problems, ...at)
    if (!isDescribedInput(value)) {
      problems.add(
        'bad-model',
        `${where}: input '${key}' must be described by tensor(dtype, shape), got ${describe(value)}`,
        ...at,
      )
      return []
    }
    return problems.attempt(at, () => tracer.builder.input(key, describedType(value), host.location())) ?? []
  })
  return { ...entry, tracer, inputs: nodes, forward: forward as Prepared['forward'] }
}

function trace(model: string, entry: Prepared, host: TraceHost, problems: Problems): Graph | undefined {
  const { name, path, owner, tracer, inputs, forward } = entry
  const tensors = () => Object.fromEntries(inputs.map((node) => [inputName(node), tensorOf(node)]))
  const before = problems.list.length
  const outcome = problems.attempt([...path, 'forward'], () =>
    withTracer(tracer, () => host.run(() => forward.call(owner, tensors()))),
  )
  if (!outcome) return undefined
  const outputs = readOutputs(outcome.returned, entry, problems)
  if (problems.list.length > before) return undefined
  const reached = new Set(reachableNodes(outputs.map(({ value }) => value)))
  for (const node of inputs) {
    if (reached.has(node)) continue
    const input = inputName(node)
    const whose = path.length === 0 ? `model '${model}'` : `entry '${name}' of model '${model}'`
    problems.add('input-unused', `input '${input}' of ${whose} does not influence any output`, ...path, 'inputs', input)
  }
  return tracer.builder.finish(model, inputs, outputs)
}

function readOutputs(value: unknown, { path, where, tracer }: Prepared, problems: Problems): Output[] {
  const at = [...path, 'forward']
  if (!isPlainObject(value)) {
    const what = value instanceof Promise ? 'a promise; forward must not be async' : describe(value)
    problems.add('bad-model', `${where}: forward must return an object of named tensors, got ${what}`, ...at)
    return []
  }
  if (Object.keys(value).length === 0)
    problems.add('bad-model', `${where}: forward must return at least one named tensor, got an empty object`, ...at)
  return Object.entries(value).flatMap(([key, output]) => {
    checkName(key, 'name of an output', problems, ...at)
    if (!isTensor(output)) {
      problems.add('bad-model', `${where}: output '${key}' must be a tensor, got ${describe(output)}`, ...at)
      return []
    }
    const node = problems.attempt(at, () => withTracer(tracer, () => nodeOf(output, 'forward', `output '${key}'`)))
    return node ? [{ name: key, value: node }] : []
  })
}
