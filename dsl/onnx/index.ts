import { fileURLToPath } from 'node:url'
import { type ModelGraph, reject } from '../../compiler/graph/index.ts'
import { layOutTensors, type TensorContents } from '../safetensorsWriter.ts'
import type { Dims } from './import/dims.ts'
import { importGraph } from './import/importGraph.ts'
import { printable } from './import/problem.ts'
import { bindConstants, type Constants } from './prepare/bind.ts'
import { prepare } from './prepare/index.ts'
import { externalFolder } from './proto/external.ts'
import { readModel } from './proto/read.ts'
import { type ImportReport, reportOn } from './report.ts'
import { writeSource } from './write/index.ts'

export type { TensorContents } from '../safetensorsWriter.ts'
export { type ExportOptions, exportOnnx } from './export/exportOnnx.ts'
export type { Dims } from './import/dims.ts'
export { type Unsupported, UnsupportedOperators } from './import/problem.ts'
export type { Constants } from './prepare/bind.ts'
export type { ImportedValue, ImportReport } from './report.ts'

export interface ImportOptions {
  /** Name of the model, made an identifier; default: the name that the file gives its graph. */
  readonly name?: string
  /** Sizes of symbolic dimensions by name, `{ seq: 128 }`; of a dimension without one by its place, `{ 'image.2': 224 }`. A list makes an entry for each size. */
  readonly dims?: Dims
  /** Values of inputs that become constants, such as `{ sr: 16000 }`: what depends on them alone is computed now. */
  readonly constants?: Constants
  /** Name of the ONNX file, for the header of the source. */
  readonly file?: string
  /** Folder in which the file lies: its external data are read from there, and from nowhere else. */
  readonly folder?: string | URL
  /** How the source names its weights file; default `./<name>.safetensors`. */
  readonly weightsFile?: string
}

export interface OnnxImport {
  /** For the compiler: `compile(graph, …)` of `glowplug/compiler`. */
  readonly graph: ModelGraph
  /** The model as a module, to be saved as `<name>.model.ts`. */
  readonly source: string
  /** The weights file of the module, made as it is asked for. */
  readonly weights: TensorContents
  readonly report: ImportReport
}

/**
 * Reads an ONNX model: opset 7 to 23, IR version 3 and later. Its bytes must not change while the result is in use.
 * Throws errors with a `code`: `onnx-malformed` for a damaged file, `onnx-unsupported` with all that has no counterpart here as `list`, and
 * those of the DSL for sizes of dimensions that do not fit.
 */
export async function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): Promise<OnnxImport> {
  if (!(bytes instanceof Uint8Array)) reject('bad-operand', 'importOnnx: takes the bytes of an ONNX file as a Uint8Array')
  const { name, dims, file, folder } = options
  const external =
    folder === undefined ? {} : { external: externalFolder(folder instanceof URL ? fileURLToPath(folder) : folder) }
  const model = prepare(bindConstants(readModel(bytes, external), options.constants ?? {}))
  const imported = await importGraph(model, {
    ...(name !== undefined && { name }),
    ...(dims !== undefined && { dims }),
    ...(file !== undefined && { header: [`imported from ${printable(file, 100)}`] }),
  })
  const weights = layOutTensors(imported.weights)
  const source = writeSource(imported.recordings, { weightsFile: options.weightsFile ?? `./${imported.graph.name}.safetensors` })
  return {
    graph: imported.graph,
    source,
    weights,
    report: reportOn(model, imported, { tensors: imported.weights.size, bytes: weights.size }),
  }
}
