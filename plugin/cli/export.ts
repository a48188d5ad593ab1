import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { createDiagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { ModelProblem } from '../../compiler/graph/index.ts'
import { exportOnnx } from '../../dsl/onnx/index.ts'
import { writeWhole } from '../bundle/write.ts'
import { chooseEntry, readModel } from './models.ts'
import { Failure, UsageError, withProgress } from './terminal.ts'

export interface ExportOptions {
  readonly onnx?: unknown
  readonly entry?: unknown
  readonly opset?: unknown
  readonly model?: unknown
  readonly force?: boolean
  readonly json?: boolean
}

/** `glowplug export`: an entry of a model becomes an ONNX file that computes the same. */
export async function exportModel(file: string, options: ExportOptions): Promise<number> {
  if (options.onnx === undefined) throw new UsageError("'export' needs --onnx <file>", "see 'glowplug export --help'")
  const opset = options.opset === undefined ? undefined : Number(options.opset)
  if (opset !== undefined && !Number.isInteger(opset))
    throw new UsageError(`--opset '${options.opset}' is not a version`, 'write --opset 21')
  const out = resolve(String(options.onnx))
  const shown = relative(process.cwd(), out) || out
  if (!options.force && existsSync(out)) throw new Failure(`${shown} exists; --force overwrites it`)
  const model = await readModel(file, options.model === undefined ? undefined : String(options.model))
  const entry = chooseEntry(model, options.entry === undefined ? undefined : String(options.entry)).name
  try {
    const bytes = await withProgress(`exporting ${model.name}`, async () => {
      const bytes = exportOnnx(model, { entry, ...(opset !== undefined && { opset }) })
      await mkdir(dirname(out), { recursive: true })
      await writeWhole(out, bytes)
      return bytes.length
    })
    const result = { file: shown, model: model.name, entry, bytes }
    process.stdout.write(
      options.json ? `${JSON.stringify(result, undefined, 2)}\n` : `${shown}  ${(bytes / 1e6).toFixed(1)} MB\n`,
    )
    return 0
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
    const diagnostic = createDiagnostic(error.code, `${file}: ${error.message}`)
    if (!options.json) throw new DiagnosticError([diagnostic])
    process.stdout.write(`${JSON.stringify({ diagnostics: [diagnostic] }, undefined, 2)}\n`)
    return 1
  }
}
