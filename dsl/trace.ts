import {
  createBuilder,
  type Graph,
  ModelProblem,
  type Node,
  type Output,
  type ProblemCode,
  reachableNodes,
  unknownLocation,
} from '../compiler/graph/index.ts'
import { isPlainObject } from './check.ts'
import { specOf } from './model.ts'
import { describe, isDescribedInput, isTensor, nodeOf, type Tracer, tensorOf, withTracer } from './tracer.ts'

/** Something wrong with the object given to `model()`, and where in it: `['inputs', 'image']`. */
export interface SpecProblem {
  readonly problem: ModelProblem
  readonly path: readonly string[]
}

export interface BuiltModel {
  /** Absent when a problem prevents it. */
  readonly graph: Graph | undefined
  readonly problems: readonly SpecProblem[]
}

export const createTracer = (): Tracer => ({ builder: createBuilder(), location: () => unknownLocation })

/** The graph of a model, made by running its `forward`. Throws the first problem that prevents it. */
export function traceModel(model: unknown, tracer: Tracer = createTracer()): Graph {
  return traceSpec(specOf(model), tracer)
}

export function traceSpec(spec: unknown, tracer: Tracer = createTracer()): Graph {
  const { graph, problems } = buildModel(spec, tracer)
  if (graph) return graph
  throw problems.find(({ problem }) => problem.code !== 'input-unused')!.problem
}

/**
 * Checks what `model()` was given, runs `forward` with `tracer`, and gathers every problem that can be found. An unused input alone does
 * not prevent a graph. What `forward` throws is a problem when it is a ModelProblem, and passes otherwise.
 */
export function buildModel(spec: unknown, tracer: Tracer): BuiltModel {
  const problems: SpecProblem[] = []
  const problem = (code: ProblemCode, message: string, ...path: string[]) =>
    void problems.push({ problem: new ModelProblem(code, message), path })
  /** Runs a step whose ModelProblem belongs to `path`. */
  function attempt<T>(path: readonly string[], step: () => T): T | undefined {
    try {
      return step()
    } catch (error) {
      if (!(error instanceof ModelProblem)) throw error
      problems.push({ problem: error, path })
      return undefined
    }
  }

  if (!isPlainObject(spec)) {
    problem('bad-model', `model() takes an object with name, inputs and forward, got ${describe(spec)}`)
    return { graph: undefined, problems }
  }
  for (const key of Object.keys(spec)) {
    if (!['name', 'inputs', 'forward'].includes(key))
      problem('bad-model', `model() has no property ${describe(key)}; it takes name, inputs and forward`, key)
  }
  const { name, inputs, forward } = spec
  checkName(name, 'name of the model', problem, 'name')
  if (typeof forward !== 'function')
    problem('bad-model', `model(): forward must be a function, got ${describe(forward)}`, 'forward')
  if (!isPlainObject(inputs)) {
    problem('bad-model', `model(): inputs must be an object of tensor() descriptions, got ${describe(inputs)}`, 'inputs')
    return { graph: undefined, problems }
  }

  const nodes: Node[] = []
  for (const [key, value] of Object.entries(inputs)) {
    checkName(key, 'name of an input', problem, 'inputs', key)
    if (!isDescribedInput(value))
      problem(
        'bad-model',
        `model(): input '${key}' must be described by tensor(dtype, shape), got ${describe(value)}`,
        'inputs',
        key,
      )
    else
      attempt(['inputs', key], () =>
        nodes.push(tracer.builder.input(key, { dtype: value.dtype, shape: value.shape }, tracer.location())),
      )
  }
  if (problems.length > 0) return { graph: undefined, problems }

  const returned = attempt(['forward'], () =>
    withTracer(tracer, () =>
      (forward as (inputs: object) => unknown).call(
        spec,
        Object.fromEntries(nodes.map((node) => [node.attributes.name, tensorOf(node)])),
      ),
    ),
  )
  if (problems.length > 0) return { graph: undefined, problems }
  const outputs = readOutputs(returned)
  if (problems.length > 0) return { graph: undefined, problems }

  const reached = new Set(reachableNodes(outputs.map(({ value }) => value)))
  for (const node of nodes) {
    if (!reached.has(node))
      problem(
        'input-unused',
        `input '${node.attributes.name}' of model '${name}' does not influence any output`,
        'inputs',
        node.attributes.name as string,
      )
  }
  return { graph: tracer.builder.finish(name as string, nodes, outputs), problems }

  function readOutputs(value: unknown): Output[] {
    if (!isPlainObject(value)) {
      const what = value instanceof Promise ? 'a promise; forward must not be async' : describe(value)
      problem('bad-model', `model(): forward must return an object of named tensors, got ${what}`, 'forward')
      return []
    }
    if (Object.keys(value).length === 0)
      problem('bad-model', 'model(): forward must return at least one named tensor, got an empty object', 'forward')
    return Object.entries(value).flatMap(([key, output]) => {
      checkName(key, 'name of an output', problem, 'forward')
      if (!isTensor(output)) {
        problem('bad-model', `model(): output '${key}' must be a tensor, got ${describe(output)}`, 'forward')
        return []
      }
      const node = attempt(['forward'], () => withTracer(tracer, () => nodeOf(output, 'forward', `output '${key}'`)))
      return node ? [{ name: key, value: node }] : []
    })
  }
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

function checkName(
  name: unknown,
  what: string,
  problem: (code: ProblemCode, message: string, ...path: string[]) => void,
  ...path: string[]
): void {
  if (typeof name === 'string' && identifier.test(name) && !(name in Object.prototype)) return
  problem(
    'bad-name',
    `the ${what} must consist of letters, digits and _, at most 64, not start with a digit, and mean nothing to JavaScript; got ${describe(name)}`,
    ...path,
  )
}
