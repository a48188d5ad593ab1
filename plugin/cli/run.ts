import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { elementsOf, isDType } from '../../compiler/graph/index.ts'
import { type Model, open, type TensorArray, type TensorInfo } from '../../targets/runtime/index.ts'
import { arrayOf } from '../../targets/runtime/tensor.ts'
import { writeWhole } from '../bundle/write.ts'
import { compile } from '../compile.ts'
import { modelPattern } from '../core.ts'
import { parseTargets, readModel } from './models.ts'
import { Failure, nearest, UsageError, withProgress } from './terminal.ts'

export interface RunOptions {
  readonly input?: string | readonly string[]
  readonly out?: string
  readonly target?: string
  readonly model?: unknown
  readonly json?: boolean
}

const describe = ({ name, dtype, shape, bytes }: TensorInfo): string => `${name}: ${dtype}[${shape.join(', ')}], ${bytes} bytes`

/** The contents of each `name=file`, as the typed arrays of the model's inputs. */
async function readInputs(given: readonly string[], expected: readonly TensorInfo[]): Promise<Record<string, TensorArray>> {
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
    const bytes = await readFile(file)
    if (bytes.length !== tensor.bytes) throw new Failure(`${file} has ${bytes.length} bytes, input ${describe(tensor)}`)
    const array = arrayOf(tensor.dtype)
    arrays[tensor.name] = new array(new Uint8Array(bytes).buffer, 0, tensor.bytes / array.BYTES_PER_ELEMENT)
  }
  return arrays
}

function summarise({ name, dtype, shape }: TensorInfo, data: TensorArray) {
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
  return { name, dtype, shape, min: number(min), max: number(max), mean: number(sum / elements.length) }
}

async function openSource(source: string, options: RunOptions): Promise<Model> {
  const found = await stat(source).catch(() => undefined)
  if (!found) throw new Failure(`there is no file or folder ${source}`)
  if (!modelPattern.test(source)) return open(source, { target: options.target })
  return withProgress(`compiling ${source}`, async () => {
    const graph = await readModel(source, options.model === undefined ? undefined : String(options.model))
    return open(await compile(graph, { target: parseTargets(options.target) }))
  })
}

/** `glowplug run`: raw little-endian tensors in and out, a JSON summary on standard output. */
export async function run(source: string, options: RunOptions): Promise<void> {
  const model = await openSource(source, options)
  try {
    const { info } = model
    const inputs = await readInputs([options.input ?? []].flat().map(String), info.inputs)
    await model.ready()
    const started = performance.now()
    const results = await model.run(inputs)
    const milliseconds = performance.now() - started
    const outputs = info.outputs.map((tensor) => summarise(tensor, results[tensor.name]!.data))
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
    process.stdout.write(
      `${JSON.stringify({ model: info.model, target, level, ...(fallback && { fallback }), milliseconds, outputs }, undefined, 2)}\n`,
    )
  } finally {
    await model.close()
  }
}
