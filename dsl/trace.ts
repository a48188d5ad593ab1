import {
  type BucketedEntry,
  countOutput,
  createBuilder,
  type Graph,
  inputName,
  type Location,
  type ModelGraph,
  ModelProblem,
  type ModelState,
  type Node,
  type Output,
  type ProblemCode,
  printType,
  reachableNodes,
  sameType,
  sizeInput,
  stateEnds,
  unknownLocation,
} from '../compiler/graph/index.ts'
import { analysePadding, guardGraph, type SizedGraph, symbolicShape } from '../compiler/padding/index.ts'
import { countsOf } from './bounded.ts'
import { isPlainObject } from './check.ts'
import type { Dimension } from './dimension.ts'
import { specOf } from './model.ts'
import { checkName, createProblems, type EntrySpec, type Problems, readSpec, readStates, type SpecProblem } from './spec.ts'
import type { Tensor } from './tensor.ts'
import {
  describe,
  describedDims,
  describedType,
  isDescribedInput,
  isTensor,
  nodeOf,
  type Tracer,
  tensorOf,
  withTracer,
} from './tracer.ts'

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
  /**
   * Runs one `forward`. Undefined when it failed for a reason that the host has told by itself. `again` says for which sizes, where it has
   * run for others before.
   */
  run(forward: () => unknown, again?: string): { readonly returned: unknown } | undefined
}

const plainHost: TraceHost = { location: () => unknownLocation, run: (forward) => ({ returned: forward() }) }

/** The graphs of a model, made by running each `forward`. Throws the first problem that prevents them. */
export const traceModel = (model: unknown): ModelGraph => traceSpec(specOf(model))

export function traceSpec(spec: unknown): ModelGraph {
  const { model, problems } = buildModel(spec)
  if (model) return model
  throw problems.find(({ problem }) => !warnings.has(problem.code))!.problem
}

/** Problems that do not prevent a graph. */
const warnings: ReadonlySet<ProblemCode> = new Set(['input-unused', 'state-unused'])

/** An entry whose inputs are understood; what is left to do is to run `forward`. */
interface Prepared extends EntrySpec {
  readonly inputs: readonly (readonly [name: string, description: Tensor])[]
  /** Those of several sizes. */
  readonly dims: readonly Dimension[]
  /** States of the model, which all entries share; undefined where it declares none. */
  readonly states: ReturnType<typeof readStates>
  readonly forward: (...given: readonly object[]) => unknown
}

/** What an entry becomes. */
interface BuiltEntry {
  readonly entries: ModelGraph['entries']
  readonly bucketed?: BucketedEntry
}

/** Each is compiled by itself. */
const maximumBuckets = 16

/**
 * Checks what `model()` was given, runs each `forward`, and gathers every problem that can be found. An unused input or state
 * alone does not prevent a graph. What `forward` throws is a problem when it is a ModelProblem, and passes otherwise. Entries are built apart, so that
 * no tensor of one reaches another; what they share are constants: a tensor of a weights file is the same data in all graphs.
 */
export function buildModel(spec: unknown, host: TraceHost = plainHost): BuiltModel {
  const problems = createProblems()
  const declared = readStates(spec, problems)
  const prepared = readSpec(spec, problems).flatMap((entry) => prepare(entry, declared, problems) ?? [])
  if (problems.list.length > 0) return { model: undefined, problems: problems.list }
  const { name } = spec as { readonly name: string }
  const built = prepared.flatMap((entry) => build(name, entry, host, problems) ?? [])
  const entries = built.flatMap((entry) => entry.entries)
  const buckets = built.flatMap(({ bucketed }) => bucketed ?? [])
  const states = [...(declared ?? [])].map(
    ([state, { type, initial }]): ModelState => ({ name: state, input: state, output: state, type, ...(initial && { initial }) }),
  )
  const model = { name, entries, ...(buckets.length > 0 && { buckets }), ...(states.length > 0 && { states }) }
  if (built.length === prepared.length) tellUnused(model, problems)
  return { model: built.length === prepared.length ? model : undefined, problems: problems.list }
}

/** States that no run depends on, or that never change. */
function tellUnused({ name, entries, states = [] }: ModelGraph, problems: Problems): void {
  for (const state of states) {
    const ends = entries.map(({ graph }) => stateEnds(graph, state))
    const missing = [
      ...(ends.some(({ before }) => before) ? [] : ['read']),
      ...(ends.some(({ after }) => after) ? [] : ['renewed']),
    ]
    if (missing.length === 0) continue
    problems.add('state-unused', `state '${state.name}' of model '${name}' is never ${missing.join(' or ')}`, 'state', state.name)
  }
}

/** All ways to choose a size for each dimension; those of the last change fastest. */
const combinations = (dims: readonly Dimension[]): Map<string, number>[] =>
  dims.reduce<Map<string, number>[]>(
    (list, { dim, sizes }) => list.flatMap((chosen) => sizes.map((size) => new Map([...chosen, [dim, size]]))),
    [new Map()],
  )

const printSizes = (sizes: ReadonlyMap<string, number>) => [...sizes].map(([dim, size]) => `${dim} = ${size}`).join(', ')

/**
 * One graph, or one for each combination of sizes. Then `forward` runs once more at sizes that are none of them, to see that it gives the
 * same model for any request, and what it computes from padding is followed.
 */
function build(model: string, entry: Prepared, host: TraceHost, problems: Problems): BuiltEntry | undefined {
  const { name, dims, inputs, path, states = new Map() } = entry
  if (dims.length === 0) {
    const graph = trace(model, entry, new Map(), host, problems)
    return graph && { entries: [{ name, graph }] }
  }
  const buckets = combinations(dims)
  const odd = new Map(dims.map(({ dim, sizes, least }) => [dim, Math.max(least, sizes.at(-1)! - 1)]))
  const isNew = !buckets.some((sizes) => printSizes(sizes) === printSizes(odd))
  const graphs: SizedGraph[] = []
  for (const sizes of isNew ? [...buckets, odd] : buckets) {
    const graph = trace(model, entry, sizes, host, problems, graphs.length > 0 ? printSizes(sizes) : undefined)
    if (!graph) return undefined
    graphs.push({ sizes, graph })
  }
  const signature = inputs.map(([key, value]) => ({
    name: key,
    dtype: value.dtype,
    shape: symbolicShape(
      value.shape,
      describedDims(value).map((each) => each?.dim),
    ),
  }))
  const carried = [...states].map(([key, { type }]) => ({ name: key, dtype: type.dtype, shape: type.shape }))
  const facts = analysePadding(graphs, [...signature, ...carried], new Map(dims.map(({ dim, least }) => [dim, least])))
  problems.tell(
    facts.problems.map(({ code, message, help, locations }) => ({
      problem: new ModelProblem(code, message),
      path: [...path, 'forward'],
      locations,
      help,
    })),
  )
  if (facts.problems.length > 0) return undefined
  const entries = buckets.map((sizes, i) => ({
    name: [name, ...[...sizes].map(([dim, size]) => `${dim}${size}`)].join('.'),
    graph: guardGraph(graphs[i]!.graph, facts.guards, i),
  }))
  return {
    entries,
    bucketed: {
      name,
      dims: dims.map(({ dim, sizes, least }) => ({ name: dim, sizes, least })),
      entries: entries.map((each) => each.name),
      inputs: signature,
      outputs: facts.outputs.filter((output) => !states.has(output.name)),
    },
  }
}

function prepare(entry: EntrySpec, states: Prepared['states'], problems: Problems): Prepared | undefined {
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
  const dims = new Map<string, Dimension>()
  const described = Object.entries(inputs).flatMap(([key, value]): [string, Tensor][] => {
    const at = [...path, 'inputs', key]
    checkName(key, 'name of an input', problems, ...at)
    if (states?.has(key))
      problems.add('bad-model', `${where}: input '${key}' has the name of a state; give one another name`, ...at)
    if (!isDescribedInput(value)) {
      problems.add(
        'bad-model',
        `${where}: input '${key}' must be described by tensor(dtype, shape), got ${describe(value)}`,
        ...at,
      )
      return []
    }
    for (const each of describedDims(value)) {
      const known = each && dims.get(each.dim)
      if (known && (`${known.sizes}` !== `${each.sizes}` || known.least !== each.least))
        problems.add('bad-attribute', `${where}: inputs have two dimensions '${each.dim}' of different sizes`, ...at)
      else if (each) dims.set(each.dim, each)
    }
    const node = problems.attempt(at, () => createBuilder().input(key, describedType(value)))
    return node ? [[key, value]] : []
  })
  const count = [...dims.values()].reduce((product, { sizes }) => product * sizes.length, 1)
  if (count > maximumBuckets)
    problems.add(
      'bad-attribute',
      `${where}: the sizes of ${[...dims.keys()].join(' and ')} have ${count} combinations, each of which is compiled; the limit is ${maximumBuckets}`,
      ...path,
      'inputs',
    )
  return { ...entry, inputs: described, dims: [...dims.values()], states, forward: forward as Prepared['forward'] }
}

function trace(
  model: string,
  entry: Prepared,
  sizes: ReadonlyMap<string, number>,
  host: TraceHost,
  problems: Problems,
  again?: string,
): Graph | undefined {
  const { name, path, owner, forward, states } = entry
  const tracer = { ...createTracer(host.location), sizes }
  const inputs = entry.inputs.map(([key, value]) => tracer.builder.input(key, describedType(value, sizes), host.location()))
  const carried = [...(states ?? [])].map(([key, { type }]) => tracer.builder.input(key, type, host.location()))
  const tensorsOf = (nodes: readonly Node[]) => Object.fromEntries(nodes.map((node) => [inputName(node), tensorOf(node)]))
  const given = () => [tensorsOf(inputs), ...(states ? [tensorsOf(carried)] : [])]
  const before = problems.list.length
  const outcome = problems.attempt([...path, 'forward'], () =>
    withTracer(tracer, () => host.run(() => forward.call(owner, ...given()), again)),
  )
  if (!outcome) return undefined
  const outputs = readOutputs(outcome.returned, entry, tracer, problems)
  if (problems.list.length === before && outputs.length === 0)
    problems.add('bad-model', `${entry.where}: forward returns states as they were, and nothing else`, ...path, 'forward')
  if (problems.list.length > before) return undefined
  const reached = new Set(reachableNodes(outputs.map(({ value }) => value)))
  for (const node of again === undefined ? inputs : []) {
    if (reached.has(node)) continue
    const input = inputName(node)
    const whose = path.length === 0 ? `model '${model}'` : `entry '${name}' of model '${model}'`
    problems.add('input-unused', `input '${input}' of ${whose} does not influence any output`, ...path, 'inputs', input)
  }
  const sizeInputs = [...sizes.keys()].flatMap((dim) => [...reached].filter((node) => isInput(node, sizeInput(dim))))
  return tracer.builder.finish(model, [...inputs, ...carried.filter((node) => reached.has(node)), ...sizeInputs], outputs)
}

const isInput = (node: Node, name: string): boolean => node.op === 'input' && inputName(node) === name

function readOutputs(value: unknown, { path, where, states }: Prepared, tracer: Tracer, problems: Problems): Output[] {
  const at = [...path, 'forward']
  if (!isPlainObject(value)) {
    const what = value instanceof Promise ? 'a promise; forward must not be async' : describe(value)
    problems.add('bad-model', `${where}: forward must return an object of named tensors, got ${what}`, ...at)
    return []
  }
  if (Object.keys(value).length === 0)
    problems.add('bad-model', `${where}: forward must return at least one named tensor, got an empty object`, ...at)
  return Object.entries(value).flatMap(([key, output]): Output[] => {
    checkName(key, 'name of an output', problems, ...at)
    if (!isTensor(output)) {
      problems.add('bad-model', `${where}: output '${key}' must be a tensor, got ${describe(output)}`, ...at)
      return []
    }
    const state = states?.get(key)
    const what = `${state ? 'state' : 'output'} '${key}'`
    const node = problems.attempt(at, () => withTracer(tracer, () => nodeOf(output, 'forward', what)))
    if (node && state && !sameType(node.type, state.type)) {
      const message = `${where}: forward returns ${printType(node.type)} for state '${key}', which is ${printType(state.type)}`
      problems.add('state-mismatch', message, ...at)
      return []
    }
    // As it was found: it stays.
    if (state && node && isInput(node, key)) return []
    if (!node) return []
    const counts = countsOf(output)
    if (state && counts.length > 0) {
      problems.add('bad-model', `${where}: state '${key}' is bounded(); a state has one size`, ...at)
      return []
    }
    const counted = counts.map(({ axis, count }) => ({
      name: countOutput(key, axis),
      value: withTracer(tracer, () => nodeOf(count, 'bounded', 'count')),
    }))
    return [{ name: key, value: node }, ...counted]
  })
}
