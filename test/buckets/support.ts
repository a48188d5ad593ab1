// Models whose dimensions have several sizes, and the same at exactly the sizes of a request.
import * as assert from 'uvu/assert'
import type { ModelGraph } from '../../compiler/graph/index.ts'
import { elementsOf, ModelProblem } from '../../compiler/graph/index.ts'
import { type Dim, dim } from '../../dsl/index.ts'
import { specOf } from '../../dsl/model.ts'
import { buildModel, traceModel } from '../../dsl/trace.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import type { TensorValue } from '../../targets/runtime/index.ts'

/** A model over dimensions: `dims.seq` stands in shapes of inputs. */
export type Make = (dims: Readonly<Record<string, Dim>>) => unknown

/** The model with buckets of these sizes. */
export const bucketed = (
  make: Make,
  sizes: Readonly<Record<string, readonly number[]>>,
  least: Record<string, number> = {},
): unknown =>
  make(Object.fromEntries(Object.entries(sizes).map(([name, list]) => [name, dim(name, list, { least: least[name] ?? 1 })])))

/** The model at exactly these sizes. */
export const exactly = (make: Make, sizes: Readonly<Record<string, number>>): ModelGraph =>
  traceModel(make(Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, dim(name, [size])]))))

export type Arrays = Readonly<Record<string, Float32Array | Int32Array | BigInt64Array>>

/** What the interpreter makes of a graph without buckets. */
export function reference(model: ModelGraph, inputs: Arrays): Record<string, { shape: readonly number[]; data: number[] }> {
  const { graph } = model.entries[0]!
  const bytes = Object.fromEntries(
    Object.entries(inputs).map(([name, array]) => [name, new Uint8Array(array.buffer, array.byteOffset, array.byteLength)]),
  )
  const outputs = runGraph(graph, bytes)
  return Object.fromEntries(
    graph.outputs.map(({ name, value }) => {
      const elements = elementsOf(value.type.dtype, outputs[name]!)
      return [name, { shape: value.type.shape, data: Array.from({ length: elements.length }, (_, i) => elements.get(i)) }]
    }),
  )
}

/** Equal shapes, and elements within a bound; 0 asks for equal bits but for the sign of zero. */
export function assertSame(
  actual: Readonly<Record<string, TensorValue>>,
  expected: ReturnType<typeof reference>,
  bound: number,
  label: string,
): void {
  assert.equal(Object.keys(actual), Object.keys(expected), label)
  for (const [name, { shape, data }] of Object.entries(expected)) {
    assert.equal([...actual[name]!.shape], [...shape], `${label} ${name}`)
    const got = Array.from(actual[name]!.data as ArrayLike<number | bigint>, Number)
    assert.is(got.length, data.length, `${label} ${name}`)
    for (const [i, value] of data.entries()) {
      const both = Number.isNaN(value) && Number.isNaN(got[i]!)
      const close = got[i] === value || both || Math.abs(got[i]! - value) <= bound * (1 + Math.abs(value))
      if (!close) throw new Error(`${label}: ${name}[${i}] is ${got[i]}, expected ${value}`)
    }
  }
}

/** What is wrong with a model, as `code message`. */
export function mistakes(model: unknown): string[] {
  try {
    return buildModel(specOf(model)).problems.map(({ problem }) => `${problem.code} ${problem.message}`)
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
    return [`${error.code} ${error.message}`]
  }
}

/** Numbers between −1 and 1 that only depend on the seed. */
export function numbers(count: number, seed: number): number[] {
  let state = seed * 2654435761 + 1013904223
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}
