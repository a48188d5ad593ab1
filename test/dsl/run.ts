import type { DType, Node } from '../../compiler/graph/index.ts'
import type { Tensor } from '../../dsl/index.ts'
import { createTracer } from '../../dsl/trace.ts'
import { nodeOf, tensorOf, withTracer } from '../../dsl/tracer.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { decode } from '../../targets/interpreter/values.ts'
import { bytesOf } from '../support/compare.ts'

/** A dense tensor: elements in row-major order. */
export interface Dense {
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

export interface Ran extends Dense {
  readonly dtype: DType
}

/** Runs functions of the vocabulary on elements, as inputs of type `dtype` unless the name ends in `:type`; every node but inputs and constants is counted. */
export function run(
  given: Readonly<Record<string, Dense>>,
  body: (inputs: Record<string, Tensor<any, any>>) => Readonly<Record<string, Tensor>>,
  dtype: DType = 'f64',
): Record<string, Ran> & { readonly nodes: readonly Node[] } {
  const tracer = createTracer()
  const types = Object.entries(given).map(([key, { shape }]) => {
    const [name, own] = key.split(':') as [string, DType | undefined]
    return { key, name, type: { dtype: own ?? dtype, shape } }
  })
  return withTracer(tracer, () => {
    const inputs = types.map(({ name, type }) => tracer.builder.input(name, type))
    const results = body(Object.fromEntries(types.map(({ name }, i) => [name, tensorOf(inputs[i]!)])))
    const outputs = Object.entries(results).map(([name, tensor]) => ({ name, value: nodeOf(tensor, 'run', name) }))
    const graph = tracer.builder.finish('test', inputs, outputs)
    const bytes = runGraph(
      graph,
      Object.fromEntries(types.map(({ key, name, type }) => [name, bytesOf(type, given[key]!.values)])),
    )
    const decoded = outputs.map(({ name, value: { type } }) => {
      const values = [...decode({ type, bytes: bytes[name]! })].map(Number)
      return [name, { dtype: type.dtype, shape: type.shape, values }] as const
    })
    const nodes = graph.nodes.filter((node) => !['input', 'constant'].includes(node.op))
    return { ...Object.fromEntries(decoded), nodes } as never
  })
}

/** Elements between −1 and 1 that look random and are the same every time. */
export function noise(shape: readonly number[], seed: number): Dense {
  let state = seed * 7919 + 17
  const next = () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return (state / 2147483648) * 2 - 1
  }
  return { shape, values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next) }
}

/** Reads a dense tensor by coordinates. */
export const at =
  ({ shape, values }: Dense) =>
  (...position: readonly number[]): number =>
    values[position.reduce((index, p, axis) => index * shape[axis]! + p, 0)]!

/** Fails where shapes or elements differ by more than rounding in f64. */
export function assertNear(found: Dense, expected: Dense, what: string, bound = 1e-9): void {
  if (found.shape.join() !== expected.shape.join())
    throw new Error(`${what}: shape [${found.shape.join(', ')}], expected [${expected.shape.join(', ')}]`)
  for (const [i, value] of expected.values.entries()) {
    const error = Math.abs(found.values[i]! - value)
    if (!(error <= bound * Math.max(1, Math.abs(value))) && !Object.is(found.values[i], value))
      throw new Error(`${what}: element ${i} is ${found.values[i]}, expected ${value}`)
  }
}

/** A dense tensor by a function of the coordinates. */
export function build(shape: readonly number[], valueAt: (...position: number[]) => number): Dense {
  const walk = (position: number[]): number[] =>
    position.length === shape.length
      ? [valueAt(...position)]
      : Array.from({ length: shape[position.length]! }, (_, i) => walk([...position, i])).flat()
  return { shape, values: walk([]) }
}
