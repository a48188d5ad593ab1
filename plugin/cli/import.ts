import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import colors from 'picocolors'
import { createDiagnostic, type Diagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { ModelProblem } from '../../compiler/graph/index.ts'
import {
  type Constants,
  type Dims,
  type ImportReport,
  importOnnx,
  type States,
  UnsupportedOperators,
} from '../../dsl/onnx/index.ts'
import { writePieces, writeWhole } from '../bundle/write.ts'
import { Failure, UsageError, withProgress } from './terminal.ts'

export interface ImportOptions {
  readonly out?: unknown
  readonly name?: unknown
  readonly dim?: unknown
  readonly constant?: unknown
  readonly limit?: unknown
  readonly state?: unknown
  readonly force?: boolean
  readonly json?: boolean
}

const help = "see 'glowplug import --help'"

/** `glowplug import`: an ONNX file becomes a model file and its weights. */
export async function importModel(file: string, options: ImportOptions): Promise<number> {
  const dims = readDims(options.dim)
  const constants = readConstants(options.constant)
  const limits = readLimits(options.limit)
  const states = readStates(options.state)
  const name = fileName(file, options.name)
  const folder = resolve(String(options.out ?? '.'))
  const [source, weights] = [join(folder, `${name}.model.ts`), join(folder, `${name}.safetensors`)]
  const shown = (path: string) => relative(process.cwd(), path) || path
  if (!options.force)
    for (const path of [source, weights])
      if (existsSync(path))
        throw new Failure(`${shown(path)} exists; --force overwrites it, --name or --out choose another place`)
  try {
    const report = await withProgress(`reading ${file}`, async (update) => {
      const bytes = await readBytes(file)
      update(`importing ${file}, ${size(bytes.length)}`)
      const imported = await importOnnx(bytes, {
        name,
        dims,
        constants,
        limits,
        ...(states && { states }),
        file: basename(file),
        folder: dirname(resolve(file)),
        weightsFile: `./${name}.safetensors`,
      })
      await mkdir(folder, { recursive: true })
      // The weights first: a model file without them would be an error in every editor that shows it.
      if (imported.report.weights.tensors > 0)
        await writePieces(weights, imported.weights.chunks(), (done) =>
          update(`writing ${shown(weights)}, ${size(done)} of ${size(imported.weights.size)}`),
        )
      await writeWhole(source, imported.source)
      return { ...imported.report, lines: imported.source.split('\n').length - 1 }
    })
    const files = report.weights.tensors > 0 ? [source, weights] : [source]
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ files: files.map(shown), ...report }, undefined, 2)}\n`
        : formatReport(report, shown(source), shown(weights)),
    )
    return 0
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
    const diagnostic = createDiagnostic(error.code, `${file}: ${error.message}`)
    if (!options.json) throw new DiagnosticError([diagnostic])
    const unsupported = error instanceof UnsupportedOperators ? error.list : []
    process.stdout.write(`${JSON.stringify({ diagnostics: [diagnostic] satisfies Diagnostic[], unsupported }, undefined, 2)}\n`)
    return 1
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EISDIR') throw new Failure(`${file} is a folder, not an ONNX file`)
    if (code === 'ENOENT') throw new Failure(`there is no file ${file}`)
    if (code === 'ERR_FS_FILE_TOO_LARGE')
      throw new Failure(`${file} is larger than 2 GiB, which the format does not hold; write its weights as external data`)
    throw error
  }
}

/** What is wrong with the text of an option whose name ends at `at`. */
const found = (at: number, value: string, expected: string): string =>
  at < 0 ? 'there is no =' : at === 0 ? 'nothing stands before =' : `${expected}, and this is '${value}'`

/** `--dim seq=32,64` and `--dim n=8`, given once or several times. The name ends at the last `=`. */
export function readDims(given: unknown): Dims {
  const dims = new Map<string, readonly number[]>()
  for (const text of given === undefined ? [] : [given].flat().map(String)) {
    const at = text.lastIndexOf('=')
    const [name, list] = [text.slice(0, at), text.slice(at + 1)]
    if (at < 1 || !/^\d+(,\d+)*$/.test(list))
      throw new UsageError(
        `--dim '${text}' is not a name and its sizes: ${found(at, list, 'sizes are whole numbers of at least 0')}`,
        'write --dim seq=128, or --dim seq=32,64,128',
      )
    if (dims.has(name))
      throw new UsageError(`--dim ${name} was given twice`, `write --dim ${name}=${dims.get(name)!.join(',')},${list}`)
    dims.set(name, list.split(',').map(Number))
  }
  return Object.fromEntries(dims)
}

/** `--constant sr=16000`, or all elements with commas. The name ends at the last `=`. */
export function readConstants(given: unknown): Constants {
  const constants = (given === undefined ? [] : [given].flat().map(String)).map((text): [string, number[]] => {
    const at = text.lastIndexOf('=')
    const values = text.slice(at + 1).split(',')
    if (at < 1 || !values.every((value) => value.trim() !== '' && !Number.isNaN(Number(value))))
      throw new UsageError(
        `--constant '${text}' is not an input and its value: ${found(at, text.slice(at + 1), 'values are numbers')}`,
        'write --constant sr=16000, or --constant size=640,480',
      )
    return [text.slice(0, at), values.map(Number)]
  })
  return Object.fromEntries(constants)
}

/** `--state past=present`, given once or several times, or `--state auto`. The names part at the only `=`. */
export function readStates(given: unknown): States | undefined {
  const list = given === undefined ? [] : [given].flat().map(String)
  if (list.length === 0) return undefined
  if (list.includes('auto')) {
    if (list.length > 1) throw new UsageError('--state auto stands alone', 'name all pairs, or none')
    return 'auto'
  }
  const states = list.map((text): [string, string] => {
    const [input, output, ...rest] = text.split('=')
    if (!input || !output || rest.length > 0)
      throw new UsageError(
        `--state '${text}' is not an input and the output that it becomes: ${rest.length > 0 ? 'there is more than one =' : found(text.indexOf('='), output ?? '', 'the output is a name')}`,
        'write --state past=present, or --state auto',
      )
    return [input, output]
  })
  const twice = states.find(([input], i) => states.some(([other], j) => j < i && other === input))
  if (twice) throw new UsageError(`--state ${twice[0]}= was given twice`, 'a state becomes one output')
  return Object.fromEntries(states)
}

/** `--limit boxes=100`, given once or several times. The name ends at the last `=`. */
export function readLimits(given: unknown): Readonly<Record<string, number>> {
  const limits = (given === undefined ? [] : [given].flat().map(String)).map((text): [string, number] => {
    const at = text.lastIndexOf('=')
    if (at < 1 || !/^0*[1-9]\d*$/.test(text.slice(at + 1)))
      throw new UsageError(
        `--limit '${text}' is not a value and the most there may be of it: ${found(at, text.slice(at + 1), 'the most is a whole number of at least 1')}`,
        'write --limit boxes=100',
      )
    return [text.slice(0, at), Number(text.slice(at + 1))]
  })
  return Object.fromEntries(limits)
}

/** Name of the files and of the model: what `--name` says, or the ONNX file's own, as far as it can be one. */
function fileName(file: string, given: unknown): string {
  if (given !== undefined) {
    if (/^[A-Za-z_][\w-]{0,63}$/.test(String(given))) return String(given)
    throw new UsageError(
      `--name '${given}' cannot be the name of a model`,
      'use letters, digits, _ and -, and start with a letter',
    )
  }
  const base = basename(file).replace(/\.onnx$/i, '')
  const name = base
    .replace(/[^\w-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
  if (/^[A-Za-z_]/.test(name)) return name
  throw new UsageError(
    `the model needs a name that can be written in a program, '${base}' is none`,
    `choose one with --name; ${help}`,
  )
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(1)} KB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}

/** Operators that are named one by one. */
const shownOperators = 12

function formatReport(report: ImportReport & { readonly lines: number }, source: string, weights: string): string {
  const { operators, entries } = report
  const nodes = operators.reduce((sum, { count }) => sum + count, 0)
  const rest = operators.slice(shownOperators)
  const counts = operators.slice(0, shownOperators).map(({ op, count }) => `${count} ${op}`)
  if (rest.length === 1) counts.push(`${rest[0]!.count} ${rest[0]!.op}`)
  else if (rest.length > 1) counts.push(`${rest.reduce((sum, { count }) => sum + count, 0)} of ${rest.length} other operators`)
  const values = (list: readonly { name: string; dtype: string; shape: readonly number[] }[]) =>
    list.map(({ name, dtype, shape }) => `${name} ${dtype}[${shape.join(', ')}]`).join(', ')
  const lines = [
    `${source}  ${report.lines} lines`,
    ...(report.weights.tensors > 0 ? [`${weights}  ${size(report.weights.bytes)}, ${report.weights.tensors} tensors`] : []),
    `${nodes} nodes: ${counts.join(', ')}`,
    ...entries.map(
      ({ name, inputs, outputs }) => `${entries.length > 1 ? `${name}: ` : ''}${values(inputs)} → ${values(outputs)}`,
    ),
    ...report.notes.map((note) => `${colors.yellow('note')}: ${note}`),
  ]
  return `${lines.join('\n')}\n`
}
