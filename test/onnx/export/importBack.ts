import type { Graph, ModelGraph } from '../../../compiler/graph/index.ts'
import { importGraph } from '../../../dsl/onnx/import/importGraph.ts'
import { prepare } from '../../../dsl/onnx/prepare/index.ts'
import { readModel } from '../../../dsl/onnx/proto/read.ts'

export const modelOf = (graph: Graph): ModelGraph => ({ name: graph.name, entries: [{ name: 'main', graph }] })

/** The graph that the importer makes of a file. */
export async function importBack(bytes: Uint8Array): Promise<Graph> {
  const { graph } = await importGraph(prepare(readModel(bytes, {})))
  return graph.entries[0]!.graph
}
