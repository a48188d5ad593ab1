import { callersEnds, type DType, type ModelGraph } from '../../compiler/graph/index.ts'
import type { NamePair } from './import/importGraph.ts'
import type { OnnxGraph, OnnxModel } from './model.ts'
import { graphsOf } from './prepare/names.ts'

/** What an import read and made. Plain data; texts come from the file. */
export interface ImportReport {
  /** Of the model that was made. */
  readonly name: string
  readonly producer: string
  readonly irVersion: number
  /** Version of each operator domain; `ai.onnx` is the one of the standard. */
  readonly opsets: Readonly<Record<string, number>>
  /** How often each operator occurs, functions expanded and without nodes that no output needs, most frequent first. */
  readonly operators: readonly { readonly op: string; readonly count: number }[]
  /** One for each combination of sizes that symbolic dimensions were bound to. */
  readonly entries: readonly {
    readonly name: string
    readonly inputs: readonly ImportedValue[]
    readonly outputs: readonly ImportedValue[]
  }[]
  /** What sessions carry; callers see neither the inputs nor the outputs. Absent where nothing was declared. */
  readonly states?: readonly ImportedValue[]
  readonly weights: { readonly tensors: number; readonly bytes: number }
  /** What was decided for the user, and how to decide otherwise. */
  readonly notes: readonly string[]
}

export interface ImportedValue {
  readonly name: string
  /** Its name in the file. */
  readonly onnx: string
  readonly dtype: DType
  readonly shape: readonly number[]
}

export function reportOn(
  model: OnnxModel,
  imported: {
    readonly graph: ModelGraph
    readonly inputs: readonly NamePair[]
    readonly outputs: readonly NamePair[]
    readonly notes: readonly string[]
  },
  weights: ImportReport['weights'],
): ImportReport {
  const onnxNames = (pairs: readonly NamePair[]) => new Map(pairs.map(({ name, onnx }) => [name, onnx]))
  const { states } = imported.graph
  const [inputNames, outputNames] = [onnxNames(imported.inputs), onnxNames(imported.outputs)]
  return {
    name: imported.graph.name,
    producer: model.producer,
    irVersion: model.irVersion,
    opsets: Object.fromEntries([...model.opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    operators: countOperators(model.graph),
    entries: imported.graph.entries.map(({ name, graph }) => ({
      name,
      inputs: callersEnds(graph, states).inputs.map(({ attributes, type }) => {
        const input = String(attributes.name)
        return { name: input, onnx: inputNames.get(input) ?? input, dtype: type.dtype, shape: type.shape }
      }),
      outputs: callersEnds(graph, states).outputs.map(({ name: output, value: { type } }) => ({
        name: output,
        onnx: outputNames.get(output) ?? output,
        dtype: type.dtype,
        shape: type.shape,
      })),
    })),
    ...(states && {
      states: states.map(({ name, type: { dtype, shape } }) => ({ name, onnx: inputNames.get(name) ?? name, dtype, shape })),
    }),
    weights,
    notes: imported.notes,
  }
}

function countOperators(graph: OnnxGraph): ImportReport['operators'] {
  const counts = new Map<string, number>()
  const visit = ({ nodes }: OnnxGraph): void => {
    for (const node of nodes) {
      const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`
      counts.set(op, (counts.get(op) ?? 0) + 1)
      for (const inner of graphsOf(node)) visit(inner)
    }
  }
  visit(graph)
  return [...counts].map(([op, count]) => ({ op, count })).sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1))
}
