import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxGraph, OnnxModel } from '../model.ts'
import { expandFunctions } from './functions.ts'
import { graphsOf } from './names.ts'
import { orderGraph } from './order.ts'

export { createFresh, describeNode, type Fresh, valueNames } from './names.ts'

/** The version that the rules were written for. Newer files are read as if they were of it. */
export const newestOpset = 23
const oldestIr = 3

/** Nodes and their operands. Networks of hundreds of layers have some ten thousand. */
const maximumSize = 300_000

/**
 * A model as the importer takes it: functions expanded, every value made once and before it is used, nodes that no output needs left out,
 * and inputs with an initializer, which files of all ages have in one form or another, as the constants that they are.
 * Throws ModelProblem `onnx-malformed`, and `onnx-unsupported` for files of times before.
 */
export function prepare(model: OnnxModel): OnnxModel {
  if (model.irVersion < 1) reject('onnx-malformed', 'the file does not say its IR version; is this an ONNX model?')
  if (model.irVersion < oldestIr)
    reject(
      'onnx-unsupported',
      `the file is of IR version ${model.irVersion}, the oldest that is read is ${oldestIr}; write it again with a newer onnx`,
    )
  if (model.graph.outputs.length === 0) reject('onnx-malformed', 'the graph has no outputs')
  const expanded = expandFunctions(model)
  const graph = orderGraph(expanded.graph)
  const size = sizeOf(graph)
  if (size > maximumSize)
    reject(
      'onnx-unsupported',
      `the graph has ${graph.nodes.length} nodes with ${size} operands and results together, the limit is ${maximumSize}; cut it into several models`,
    )
  return { ...expanded, graph }
}

const sizeOf = ({ nodes, inputs }: OnnxGraph): number =>
  nodes.reduce(
    (sum, node) =>
      sum + node.inputs.length + node.outputs.length + graphsOf(node).reduce((inner, graph) => inner + sizeOf(graph), 0),
    inputs.length,
  )
