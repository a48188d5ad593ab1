// What the tools for compiler engineers share: they take a model file, an ONNX file or a reproducer archive, one target, and inputs.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { createDiagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { byteSize, type Graph, inputName, type ModelGraph, ModelProblem, mainEntry } from '../../compiler/graph/index.ts'
import type { Target } from '../../compiler/target.ts'
import { type ArchiveRecord, readArchive } from '../inspect/archive.ts'
import type { Tolerance } from '../inspect/compare.ts'
import { drawReference, type ReferenceResult, runReference, type Tensors } from '../inspect/reference.ts'
import { defaultTarget, isTargetName, loadTargets, targetNames } from '../targets.ts'
import { readConstants, readDims } from './import.ts'
import { chooseEntry, readModel } from './models.ts'
import { readInputs } from './run.ts'
import { Failure, nearest, UsageError } from './terminal.ts'

/** Options as they come from the command line. */
export interface SourceOptions {
  readonly model?: unknown
  readonly entry?: unknown
  readonly dim?: unknown
  readonly constant?: unknown
}

export interface InputOptions {
  readonly input?: unknown
  readonly seed?: unknown
  readonly atol?: unknown
  readonly rtol?: unknown
}

export interface TargetOptions {
  readonly target?: unknown
  readonly level?: unknown
}

export interface Source {
  readonly model: ModelGraph
  readonly entry: string
  readonly graph: Graph
  /** Present where it came out of an archive; `inputs` may be empty. */
  readonly archive?: { readonly inputs: Tensors; readonly record: ArchiveRecord }
}

const optional = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))

/** Reads a model of a model file, an ONNX file or an archive. Errors are those of the command line. */
export async function readModelOf(file: string, options: SourceOptions): Promise<ModelGraph & Pick<Source, 'archive'>> {
  if (/\.safetensors$/i.test(file)) {
    if (!existsSync(file)) throw new Failure(`there is no file ${file}`)
    const { graph, ...archive } = readArchive(file)
    return { name: graph.name, entries: [{ name: mainEntry, graph }], archive }
  }
  if (!/\.onnx$/i.test(file)) return readModel(file, optional(options.model))
  if (!existsSync(file)) throw new Failure(`there is no file ${file}`)
  const { importOnnx } = await import('../../dsl/onnx/index.ts')
  try {
    const imported = await importOnnx(await readFile(file), {
      dims: readDims(options.dim),
      constants: readConstants(options.constant),
      file: basename(file),
      folder: dirname(resolve(file)),
    })
    return imported.graph
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
    throw new DiagnosticError([createDiagnostic(error.code, `${file}: ${error.message}`)])
  }
}

/** The same, and one of its entries. */
export async function readSource(file: string, options: SourceOptions): Promise<Source> {
  const { archive, ...model } = await readModelOf(file, options)
  const { name: entry, graph } = chooseEntry(model, optional(options.entry))
  return { model, entry, graph, ...(archive && { archive }) }
}

/** What a run starts from, and what it must give. */
export interface Prepared {
  readonly inputs: Tensors
  /** Where the inputs come from, as a person reads it. */
  readonly origin: string
  readonly tolerance?: Tolerance
}

/** The inputs that were given, those of an archive, or random ones that the model accepts; and what the interpreter makes of them. */
export async function prepareInputs(
  { graph, archive }: Source,
  options: InputOptions,
  update: (what: string) => void,
): Promise<Prepared & { readonly expected: ReferenceResult }> {
  const tolerance = readTolerance(options)
  const reference = {
    movedRuns: tolerance ? 0 : 2,
    update: (share: number) => update(`running the interpreter, ${Math.floor(share * 100)} %`),
  }
  const shared = tolerance && { tolerance }
  const given = await givenInputs(graph, options)
  if (given)
    return { inputs: given, origin: 'inputs from files', ...shared, expected: await runReference(graph, given, reference) }
  if (archive && Object.keys(archive.inputs).length > 0) {
    const { inputs } = archive
    return { inputs, origin: 'the inputs of the archive', ...shared, expected: await runReference(graph, inputs, reference) }
  }
  const seed = readNumber(options.seed, '--seed', 1)
  const { inputs, ...expected } = await drawReference(graph, seed, reference)
  return { inputs, origin: `random inputs, seed ${seed}`, ...shared, expected }
}

/** The inputs named by `--input`, or undefined where there are none. */
export async function givenInputs(graph: Graph, { input }: InputOptions): Promise<Tensors | undefined> {
  if (input === undefined) return undefined
  const infos = graph.inputs.map((node) => ({ name: inputName(node), ...node.type, offset: 0, bytes: byteSize(node.type) }))
  const arrays = await readInputs([input].flat().map(String), infos)
  return Object.fromEntries(
    Object.entries(arrays).map(([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  )
}

/** What counts as equal where `--atol` or `--rtol` say so. */
export function readTolerance({ atol, rtol }: InputOptions): Tolerance | undefined {
  if (atol === undefined && rtol === undefined) return undefined
  return { atol: readNumber(atol, '--atol', 0), rtol: readNumber(rtol, '--rtol', 0) }
}

/** A number of at least 0, whole unless it is a tolerance. */
export function readNumber(value: unknown, option: string, fallback: number): number {
  if (value === undefined) return fallback
  const number = Number(value)
  const whole = !/tol$/.test(option)
  if (typeof value === 'boolean' || !Number.isFinite(number) || number < 0 || (whole && !Number.isSafeInteger(number)))
    throw new UsageError(
      `${option} '${value}' is no ${whole ? 'whole ' : ''}number of at least 0`,
      `write ${option} ${whole ? fallback || 1 : '1e-4'}`,
    )
  return number
}

/** One level of one target: the one asked for, or the most demanding. */
export async function findLevel(command: string, options: TargetOptions, fallback: string = defaultTarget): Promise<Target> {
  const name = String(options.target ?? fallback)
  if (!isTargetName(name))
    throw new UsageError(
      name.includes(',') ? `${command} takes one target` : `there is no target '${name}'${nearest(name, targetNames)}`,
      `targets are ${targetNames.join(', ')}`,
    )
  const targets = await loadTargets(name)
  const { level } = options
  const found = level === undefined ? targets[0] : targets.find((target) => target.level === String(level))
  if (found) return found
  const levels = targets.map((target) => target.level)
  throw new UsageError(
    `target '${name}' has no level '${level}'${nearest(String(level), levels)}`,
    `levels are ${levels.join(', ')}`,
  )
}
