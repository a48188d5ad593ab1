// What the tools for compiler engineers share: they take a model file, an ONNX file or a reproducer archive, one target, and inputs.
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { createDiagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import {
  type BucketedEntry,
  type Graph,
  type ModelGraph,
  ModelProblem,
  mainEntry,
  sizeInput,
} from '../../compiler/graph/index.ts'
import type { Target } from '../../compiler/target.ts'
import type { TargetOptions as BuildOptions } from '../../targets/c/level.ts'
import { type ArchiveRecord, readArchive } from '../inspect/archive.ts'
import type { Tolerance } from '../inspect/compare.ts'
import { drawReference, type ReferenceResult, runReference, type Tensors } from '../inspect/reference.ts'
import { defaultTarget, isTargetName, loadTargets, targetNames } from '../targets.ts'
import { readConstants, readDims, readLimits } from './import.ts'
import { chooseCallable, chooseEntry, readModel, tunedOf } from './models.ts'
import { readInputs } from './run.ts'
import { bucketOf, checkSizeInputs, drawSizes, infosOf, padInputs, sizeTensors } from './sizes.ts'
import { checkFile, nearest, UsageError } from './terminal.ts'

/** Options as they come from the command line. */
export interface SourceOptions {
  readonly model?: unknown
  readonly entry?: unknown
  readonly dim?: unknown
  readonly constant?: unknown
  readonly limit?: unknown
}

export interface InputOptions {
  readonly input?: unknown
  readonly shape?: unknown
  readonly seed?: unknown
  readonly atol?: unknown
  readonly rtol?: unknown
}

export interface TargetOptions {
  readonly target?: unknown
  readonly level?: unknown
  /** False where `--no-winograd` is given. */
  readonly winograd?: boolean
  /** False where `--no-tuned` is given. */
  readonly tuned?: boolean
  readonly precision?: unknown
}

export interface Source {
  readonly model: ModelGraph
  readonly entry: string
  readonly graph: Graph
  /** Present where it came out of an archive; `inputs` may be empty. */
  readonly archive?: { readonly inputs: Tensors; readonly record: ArchiveRecord }
  /** Present where the entry is one of several for different sizes: its own sizes. */
  readonly bucket?: BucketedEntry
  /** The inputs named by `--input`, padded where they are shorter than the entry's. */
  readonly given?: Tensors
}

const list = (value: unknown): string[] => (value === undefined ? [] : [value].flat().map(String))
const optional = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))

/** Reads a model of a model file, an ONNX file or an archive. Errors are those of the command line. */
export async function readModelOf(file: string, options: SourceOptions): Promise<ModelGraph & Pick<Source, 'archive'>> {
  for (const name of ['dim', 'constant', 'limit'] as const)
    if (options[name] !== undefined && !/\.onnx$/i.test(file))
      throw new UsageError(
        `--${name} is for ONNX files: ${file} states its own sizes and values`,
        'an entry of it, such as one for other sizes, is chosen with --entry',
      )
  if (/\.safetensors$/i.test(file)) {
    checkFile(file)
    const { graph, ...archive } = readArchive(file)
    return { name: graph.name, entries: [{ name: mainEntry, graph }], archive }
  }
  if (!/\.onnx$/i.test(file)) return readModel(file, optional(options.model))
  checkFile(file)
  const { importOnnx } = await import('../../dsl/onnx/index.ts')
  try {
    const imported = await importOnnx(await readFile(file), {
      dims: readDims(options.dim),
      constants: readConstants(options.constant),
      limits: readLimits(options.limit),
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

/** The same, with the inputs that the options name: they choose between the entries that callers know as one. */
export async function readRequest(file: string, options: SourceOptions & InputOptions): Promise<Source> {
  const { archive, ...model } = await readModelOf(file, options)
  const callable = chooseCallable(model, optional(options.entry))
  const [given, shapes] = [list(options.input), list(options.shape)]
  // Random inputs go to the largest.
  let entry = callable.at(-1)!
  const whole = callable.length > 1 ? model.buckets?.find(({ entries }) => entries.includes(entry.name)) : undefined
  const bucket = bucketOf(model, entry.name)
  const hidden = bucket?.dims.some(({ name }) => given.some((text) => text.startsWith(`${sizeInput(name)}=`)))
  const source = () => ({ model, entry: entry.name, graph: entry.graph, ...(archive && { archive }) })
  if (given.length === 0) return { ...source(), ...(bucket && { bucket }) }
  if (bucket && (whole || !hidden)) {
    const { inputs, entry: name } = await padInputs(model, whole ?? bucket, given, shapes)
    entry = model.entries.find((each) => each.name === name)!
    return { ...source(), bucket: bucketOf(model, name)!, given: inputs }
  }
  const arrays = await readInputs(given, infosOf(entry.graph))
  const inputs = Object.fromEntries(
    Object.entries(arrays).map(([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  )
  if (bucket) checkSizeInputs(bucket, inputs)
  return { ...source(), ...(bucket && { bucket }), given: inputs }
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
  { graph, archive, bucket, given }: Source,
  options: InputOptions,
  update: (what: string) => void,
): Promise<Prepared & { readonly expected: ReferenceResult }> {
  const tolerance = readTolerance(options)
  const reference = {
    movedRuns: tolerance ? 0 : 2,
    update: (share: number) => update(`running the interpreter, ${Math.floor(share * 100)} %`),
  }
  const shared = tolerance && { tolerance }
  if (given)
    return { inputs: given, origin: 'inputs from files', ...shared, expected: await runReference(graph, given, reference) }
  if (archive && Object.keys(archive.inputs).length > 0) {
    const { inputs } = archive
    return { inputs, origin: 'the inputs of the archive', ...shared, expected: await runReference(graph, inputs, reference) }
  }
  const seed = readNumber(options.seed, '--seed', 1)
  const sizes = bucket ? drawSizes(bucket, seed) : {}
  const { inputs, ...expected } = await drawReference(graph, seed, { ...reference, fixed: sizeTensors(graph, sizes) })
  const told = bucket?.dims.map(({ name, sizes: [size] }) => `, ${name} ${sizes[name]} of ${size}`).join('') ?? ''
  return { inputs, origin: `random inputs, seed ${seed}${told}`, ...shared, expected }
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

/** What a build asks of targets, of the options that the command line gives. */
export function buildOptionsOf({ winograd, precision = 'f32' }: Pick<TargetOptions, 'winograd' | 'precision'>): BuildOptions {
  if (precision !== 'f32' && precision !== 'bf16')
    throw new UsageError(`--precision '${precision}' is none of f32 and bf16`, 'write --precision bf16')
  return { winograd: winograd !== false, precision }
}

/** One level of one target: the one asked for, or the most demanding; with what was measured for the file. */
export async function findLevel(
  command: string,
  options: TargetOptions,
  { file, fallback = defaultTarget }: { readonly file?: string; readonly fallback?: string },
): Promise<Target> {
  const name = String(options.target ?? fallback)
  if (!isTargetName(name))
    throw new UsageError(
      name.includes(',') ? `${command} takes one target` : `there is no target '${name}'${nearest(name, targetNames)}`,
      `targets are ${targetNames.join(', ')}`,
    )
  const tuned = file === undefined ? undefined : await tunedOf(file, options)
  const targets = await loadTargets(name, { ...buildOptionsOf(options), ...(tuned && { tuned: tuned.chosen }) })
  const { level } = options
  const found = level === undefined ? targets[0] : targets.find((target) => target.level === String(level))
  if (found) return found
  const levels = targets.map((target) => target.level)
  throw new UsageError(
    `target '${name}' has no level '${level}'${nearest(String(level), levels)}`,
    `levels are ${levels.join(', ')}`,
  )
}
