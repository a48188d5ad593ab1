import { type ConstantData, countOutput, type Graph } from '../../compiler/graph/index.ts'
import { countsOf } from '../../dsl/bounded.ts'
import * as vocabulary from '../../dsl/index.ts'
import type { ImportedWeight } from '../../dsl/onnx/import/environment.ts'
import { type Argument, RecordedBody, type Recording, type Statement } from '../../dsl/onnx/record/statement.ts'
import type { Tensor } from '../../dsl/tensor.ts'
import { createTracer } from '../../dsl/trace.ts'
import { constantOf, isTensor, nodeOf, tensorOf, withTracer } from '../../dsl/tracer.ts'

/** The graph that the recorded calls make when they are made again with nothing but the vocabulary. */
export function replay(recording: Recording, weights: ReadonlyMap<string, ImportedWeight>): Graph {
  const tracer = createTracer()
  const data = new Map<string, ConstantData>()
  const made = new Map<Tensor, Tensor>()
  return withTracer(tracer, () => {
    const inputs = recording.inputs.map(({ name, tensor, type }) => {
      made.set(tensor, tensorOf(tracer.builder.input(name, type)))
      return made.get(tensor)!
    })
    const remade = (tensor: Tensor): Tensor => {
      const known = made.get(tensor)
      if (known) return known
      const source = recording.sourceOf(tensor)
      const result =
        source.kind === 'weight'
          ? weight(source.name)
          : source.kind === 'literal'
            ? vocabulary.constant(tensor.dtype, [...tensor.shape], source.values)
            : undefined
      if (!result) throw new Error(`a ${source.kind} was not made before it was used`)
      made.set(tensor, result)
      return result
    }
    const weight = (name: string): Tensor => {
      const { type, read } = weights.get(name)!
      if (!data.has(name)) data.set(name, { label: name, read })
      return constantOf(type, data.get(name)!)
    }
    const again = (argument: unknown): unknown => {
      if (isTensor(argument)) return remade(argument)
      if (argument instanceof RecordedBody)
        return (...given: readonly unknown[]) => {
          for (const [i, parameter] of argument.parameters.entries()) bind(parameter, given[i])
          run(argument.statements)
          return again(argument.returned)
        }
      if (Array.isArray(argument)) return argument.map(again)
      if (typeof argument !== 'object' || argument === null) return argument
      return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, again(value)]))
    }
    /** Parameters of a body are tensors and lists of these. */
    const bind = (parameter: Argument, value: any): void => {
      if (isTensor(parameter)) made.set(parameter, value)
      else if (Array.isArray(parameter)) for (const [i, part] of parameter.entries()) bind(part, value[i])
    }
    const run = (statements: readonly Statement[]): void => {
      for (const { call, arguments: args, result } of statements) {
        const value = (vocabulary as unknown as Record<string, (...args: unknown[]) => any>)[call]!(...args.map(again))
        if (result.kind === 'one') made.set(result.tensor, value)
        if (result.kind === 'list') for (const [i, tensor] of result.tensors.entries()) made.set(tensor, value[i])
        if (result.kind === 'object')
          for (const [key, tensor] of Object.entries(result.tensors)) made.set(tensor, partAt(value, key))
      }
    }
    run(recording.statements)
    const node = (tensor: Tensor) => nodeOf(tensor, 'replay', 'a value')
    return tracer.builder.finish(
      recording.name,
      inputs.map(node),
      recording.outputs.flatMap(({ name, tensor }) => {
        const value = remade(tensor)
        const counts = countsOf(value).map(({ axis, count }) => ({ name: countOutput(name, axis), value: node(count) }))
        return [{ name, value: node(value) }, ...counts]
      }),
    )
  })
}

/** `counts`, or `carried[1]` of lists under names. */
function partAt(value: any, key: string): Tensor {
  const [name, index] = key.split(/[[\]]/)
  return index === undefined ? value[name!] : value[name!][Number(index)]
}
