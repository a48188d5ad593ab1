import { fileURLToPath } from 'node:url'
import { type ModelGraph, reject } from '../../compiler/graph/index.ts'
import { layOutTensors, type TensorContents } from '../safetensorsWriter.ts'
import type { Dims } from './import/dims.ts'
import { importGraph } from './import/importGraph.ts'
import { printable } from './import/problem.ts'
import type { States } from './import/states.ts'
import type { OnnxGraph, OnnxModel } from './model.ts'
import { bindConstants, type Constants } from './prepare/bind.ts'
import { prepare } from './prepare/index.ts'
import { graphsOf } from './prepare/names.ts'
import { externalFolder } from './proto/external.ts'
import { readModel } from './proto/read.ts'
import { type ImportReport, reportOn } from './report.ts'
import { writeSource } from './write/index.ts'

export type { TensorContents } from '../safetensorsWriter.ts'
export { type ExportOptions, exportOnnx } from './export/exportOnnx.ts'
export type { Dims } from './import/dims.ts'
export { type Unsupported, UnsupportedOperators } from './import/problem.ts'
export type { States } from './import/states.ts'
export type { Constants } from './prepare/bind.ts'
export type { ImportedValue, ImportReport } from './report.ts'

export interface ImportOptions {
  /** Name of the model, made an identifier; default: the name that the file gives its graph. */
  readonly name?: string
  /** Sizes of symbolic dimensions by name, `{ seq: 128 }`; of a dimension without one by its place, `{ 'image.2': 224 }`. A list makes an entry for each size. */
  readonly dims?: Dims
  /** Values of inputs that become constants, such as `{ sr: 16000 }`: what depends on them alone is computed now. */
  readonly constants?: Constants
  /**
   * The most there may be of what data decides, by the name of a value of the file: rows of a result such as that of `NonZero`, or the value itself
   * where it is a size. A run that has more is an error. Default: as many as there can be.
   */
  readonly limits?: Readonly<Record<string, number>>
  /**
   * Inputs that sessions carry from run to run, with the outputs that they become: `{ 'past.key': 'present.key' }`; callers see neither. `auto` takes
   * those that are alike by name and type, and notes which.
   */
  readonly states?: States
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
  const { name, dims, limits, states, file, folder } = options
  const external =
    folder === undefined ? {} : { external: externalFolder(folder instanceof URL ? fileURLToPath(folder) : folder) }
  const model = prepare(bindConstants(readModel(bytes, external), options.constants ?? {}))
  const imported = await importGraph(model, {
    ...(name !== undefined && { name }),
    ...(dims !== undefined && { dims }),
    ...(states !== undefined && { states }),
    ...(limits !== undefined && { limits: checkLimits(model, limits) }),
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

/** Limits of values that the file has, as whole numbers. */
function checkLimits({ graph }: OnnxModel, limits: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const names = new Set<string>(graph.inputs.map((input) => input.name))
  const visit = (each: OnnxGraph): void => {
    for (const node of each.nodes) {
      for (const output of node.outputs) names.add(output)
      for (const inner of graphsOf(node)) visit(inner)
    }
  }
  visit(graph)
  for (const [name, limit] of Object.entries(limits)) {
    if (!names.has(name)) reject('onnx-option', `limits: the file has no value '${printable(name, 60)}'`)
    if (!Number.isSafeInteger(limit) || limit < 0 || limit > maximumLimit)
      reject('onnx-option', `limits: '${printable(name, 60)}' needs a whole number up to ${maximumLimit}, got ${limit}`)
  }
  return limits
}

/** As many positions as a model may count. */
const maximumLimit = 2 ** 20
