import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { elementsOf, isDType, mainEntry } from '../../compiler/graph/index.ts'
import { atExit } from '../../targets/native/atExit.ts'
import {
  type Bundle,
  type Entry,
  type InputValue,
  type Model,
  type OpenOptions,
  openBucketsSessions,
  type StatefulModel,
  type TensorArray,
  type TensorInfo,
  withBounds,
} from '../../targets/runtime/index.ts'
import { arrayOf } from '../../targets/runtime/tensor.ts'
import { printSignature } from '../bundle/declaration.ts'
import { writeBundle, writeWhole } from '../bundle/write.ts'
import { compile } from '../compile.ts'
import { modelPattern } from '../core.ts'
import { chooseTargets } from '../targets.ts'
import { chooseCallable, parseTargets, readModel, tunedOf } from './models.ts'
import { checkFile, Failure, nearest, UsageError, withProgress } from './terminal.ts'

export interface RunOptions {
  readonly input?: string | readonly string[]
  readonly out?: string
  readonly target?: string
  readonly model?: unknown
  readonly entry?: unknown
  readonly shape?: string | readonly string[]
  readonly threads?: unknown
  readonly steps?: unknown
  readonly tuned?: boolean
}

const describe = (tensor: TensorInfo): string => `${tensor.name}: ${printSignature(tensor)}, ${tensor.bytes} bytes`

/** The contents of each `name=file`, as the typed arrays of the model's inputs; of any length where their dimensions have several sizes. */
export async function readInputs(
  given: readonly string[],
  expected: readonly TensorInfo[],
  isSized = false,
): Promise<Record<string, TensorArray>> {
  const listing = `inputs are ${expected.map(describe).join('; ')}`
  const files = new Map<string, string>()
  for (const text of given) {
    const at = text.indexOf('=')
    const name = text.slice(0, at)
    if (at <= 0 || at === text.length - 1) throw new UsageError(`--input '${text}' is not name=file`, listing)
    if (!expected.some((tensor) => tensor.name === name))
      throw new UsageError(
        `there is no input '${name}'${nearest(
          name,
          expected.map((tensor) => tensor.name),
        )}`,
        listing,
      )
    if (files.has(name)) throw new UsageError(`--input ${name}= was given twice`, listing)
    files.set(name, text.slice(at + 1))
  }
  const missing = expected.filter(({ name }) => !files.has(name))
  if (missing.length > 0)
    throw new UsageError(
      `no file was given for ${missing.map(({ name }) => `'${name}'`).join(', ')}`,
      `pass ${missing.map((tensor) => `--input ${tensor.name}=<file>`).join(' ')}; ${listing}`,
    )
  const arrays: Record<string, TensorArray> = {}
  for (const tensor of expected) {
    const file = files.get(tensor.name)!
    checkFile(file)
    const bytes = await readFile(file)
    const array = arrayOf(tensor.dtype)
    const fits = isSized ? bytes.length % array.BYTES_PER_ELEMENT === 0 : bytes.length === tensor.bytes
    if (!fits) throw new Failure(`${file} has ${bytes.length} bytes, input ${describe(tensor)}`)
    arrays[tensor.name] = new array(new Uint8Array(bytes).buffer, 0, bytes.length / array.BYTES_PER_ELEMENT)
  }
  return arrays
}

/** Inputs with the sizes that `name=2,20` gives them. */
export function withShapes(arrays: Readonly<Record<string, TensorArray>>, given: readonly string[]): Record<string, InputValue> {
  const inputs: Record<string, InputValue> = { ...arrays }
  for (const text of given) {
    const [, name, sizes] = /^([^=]+)=(\d+(?:,\d+)*)$/.exec(text) ?? []
    const data = name === undefined ? undefined : arrays[name]
    if (!data) throw new UsageError(`--shape '${text}' is not an input and its sizes`, 'write --shape tokens=2,20')
    inputs[name!] = { data, shape: sizes!.split(',').map(Number) }
  }
  return inputs
}

function summarise({ name, dtype, shape, quantization }: TensorInfo, data: TensorArray) {
  if (!isDType(dtype)) throw new Failure(`output '${name}' has the unknown element type ${dtype}`)
  const elements = elementsOf(dtype, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (let i = 0; i < elements.length; i++) {
    const value = elements.get(i)
    // A comparison with NaN is false, so that it would pass unseen.
    min = Number.isNaN(value) || value < min ? value : min
    max = Number.isNaN(value) || value > max ? value : max
    sum += value
  }
  const empty = elements.length === 0
  // JSON has neither NaN nor infinities.
  const number = (value: number) => (empty ? null : Number.isFinite(value) ? value : String(value))
  return {
    name,
    dtype,
    shape,
    ...(quantization && { quantization }),
    min: number(min),
    max: number(max),
    mean: number(sum / elements.length),
  }
}

interface Opened {
  readonly model: StatefulModel
  /** Closes the model, and removes what was written for it alone. */
  close(): Promise<void>
}

/** The options with which a model is opened. */
function openOptions({ target, threads }: RunOptions): OpenOptions {
  if (threads === undefined) return { target }
  const count = Number(threads)
  if (!Number.isSafeInteger(count) || count < 1)
    throw new UsageError(`--threads '${threads}' is not a number of threads`, 'write --threads 2')
  return { target, threads: count }
}

/** How often a session runs, on the same inputs. */
function stepsOf({ steps = 1 }: RunOptions): number {
  const count = Number(steps)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new UsageError(`--steps '${steps}' is not a number of steps`, 'write --steps 10')
}

async function openSource(source: string, options: RunOptions): Promise<Opened> {
  const found = await stat(source).catch(() => undefined)
  if (!found) throw new Failure(`there is no file or folder ${source}`)
  if (!modelPattern.test(source)) {
    const model = open(source, openOptions(options))
    return { model, close: () => model.close() }
  }
  const { threads } = openOptions(options)
  return withProgress(`compiling ${source}`, async () => {
    const whole = await readModel(source, options.model === undefined ? undefined : String(options.model))
    const entries = chooseCallable(whole, options.entry === undefined ? undefined : String(options.entry))
    const tuned = await tunedOf(source, options)
    const { targets: target } = await chooseTargets(parseTargets(options.target), 'node', tuned && { tuned: tuned.chosen })
    return openBundle(await compile({ ...whole, entries }, { target }), { threads })
  })
}

const open = (source: Parameters<typeof openBucketsSessions>[0], options: OpenOptions): StatefulModel =>
  withBounds(openBucketsSessions(source, options))

/** The system loads native code from files alone. */
async function openBundle(bundle: Bundle, options: OpenOptions): Promise<Opened> {
  if (bundle.manifest.codes.every(({ kind }) => kind !== 'addon')) {
    const model = open(bundle, options)
    return { model, close: () => model.close() }
  }
  const folder = await mkdtemp(join(tmpdir(), 'glowplug-run-'))
  const leave = atExit(() => rmSync(folder, { recursive: true, force: true }))
  const remove = () => rm(folder, { recursive: true, force: true }).finally(leave)
  try {
    await writeBundle(bundle, folder)
    const model = open(folder, options)
    return { model, close: () => model.close().finally(remove) }
  } catch (error) {
    await remove()
    throw error
  }
}

/** The entry called `name`, or the one that there is. */
function entryOf({ name: model, entries }: Model, name: unknown): Entry {
  const names = Object.keys(entries)
  const wanted = name === undefined && names.length === 1 ? names[0]! : name
  if (wanted === undefined)
    throw new UsageError(`model '${model}' has ${names.length} entries: ${names.join(', ')}`, 'choose one with --entry')
  if (!names.includes(String(wanted)))
    throw new UsageError(
      `model '${model}' has no entry '${wanted}'${nearest(String(wanted), names)}`,
      `it has ${names.join(', ')}`,
    )
  return entries[String(wanted)]!
}

/** `glowplug run`: raw little-endian tensors in and out, a JSON summary on standard output. */
export async function run(source: string, options: RunOptions): Promise<void> {
  const { model, close } = await openSource(source, options)
  try {
    const entry = entryOf(model, options.entry)
    const { info } = entry
    const arrays = await readInputs([options.input ?? []].flat().map(String), info.inputs, info.dims !== undefined)
    const inputs = withShapes(arrays, [options.shape ?? []].flat().map(String))
    await model.ready()
    const steps = stepsOf(options)
    const runner = info.regions.state === undefined ? entry : model.session().entries[entry.name]!
    if (runner === entry && steps > 1) throw new UsageError(`model '${model.name}' keeps no state`, 'leave --steps away')
    const started = performance.now()
    let results = await runner.run(inputs)
    for (let step = 1; step < steps; step++) results = await runner.run(inputs)
    const milliseconds = (performance.now() - started) / steps
    const outputs = info.outputs.map((tensor) => {
      const { data, shape } = results[tensor.name]!
      return summarise({ ...tensor, shape }, data)
    })
    if (options.out !== undefined) {
      const folder = String(options.out)
      await mkdir(folder, { recursive: true })
      for (const { name } of outputs) {
        if (!/^[\w.$-]+$/.test(name)) throw new Failure(`output '${name}' cannot be the name of a file`)
        const { data } = results[name]!
        await writeWhole(join(folder, `${name}.bin`), new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      }
    }
    const { target, level, fallback } = model.info
    const summary = {
      model: model.name,
      ...(entry.name !== mainEntry && { entry: entry.name }),
      target,
      level,
      ...(fallback && { fallback }),
      ...(runner !== entry && { steps }),
      milliseconds,
      outputs,
    }
    process.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`)
  } finally {
    await close()
  }
}
