import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DType, reject } from '../compiler/graph/index.ts'
import { closest, maximumOperands, readDType, readList, readOptions, readShape } from './check.ts'
import { openTensorFile, stampOf, type TensorFile } from './safetensors.ts'
import type { Open, Tensor } from './tensor.ts'
import { constantOf, describe } from './tracer.ts'

export interface WeightsOptions {
  /** Names of tensors that the model may leave unused, with `*` for any characters and `?` for one. */
  readonly ignore?: readonly string[]
}

export interface Weights {
  /**
   * A named tensor of the file. Its element type and shape are stated here, for the editor and the reader, and checked against the file.
   * @param name as in the file
   * @param dtype element type
   * @param shape sizes of its dimensions
   */
  get<D extends DType, S extends number[]>(name: string, dtype: D, shape: readonly [...S]): Tensor<D, Open<S>>
  /** Whether the file holds a tensor of that name. */
  has(name: string): boolean
  /** Names of all tensors of the file, in the order of their bytes. */
  names(): readonly string[]
  /** Shape of a tensor, for configurations that are read off the file. */
  shape(name: string): readonly number[]
}

interface Handle {
  readonly path: string
  readonly ignore: readonly string[]
  readonly used: Set<string>
}

const handles = new WeakMap<object, Handle>()
const opened = new Map<string, { readonly stamp: string; readonly file: TensorFile }>()

/** The file, read anew when it has changed. Handles of one file share it, and so the constants that come from it. */
function fileOf(path: string): TensorFile {
  const stamp = stampOf(path)
  const known = opened.get(path)
  if (known?.stamp === stamp) return known.file
  const file = openTensorFile(path)
  opened.set(path, { stamp, file })
  return file
}

/**
 * A safetensors file whose tensors become constants of the model. Its header is read with the first question, its bytes when they are needed.
 * @param file `new URL('./name.safetensors', import.meta.url)`, or an absolute path
 * @param options `ignore`: names that may stay unused
 */
export function weights(file: URL | string, options?: WeightsOptions): Weights {
  const path = pathOf(file)
  const { ignore = [] } = readOptions('weights', options, ['ignore'])
  const globs = Array.from(readList('weights', 'ignore', ignore, maximumOperands), (glob, i) =>
    typeof glob === 'string' ? glob : reject('bad-attribute', `weights: ignore[${i}] must be a string, got ${describe(glob)}`),
  )
  const used = new Set<string>()

  function entryOf(name: unknown) {
    const file = fileOf(path)
    const entry = typeof name === 'string' ? file.entries.get(name) : undefined
    if (entry) return entry
    const near = typeof name === 'string' ? closest(name, [...file.entries.keys()], 3) : []
    return reject(
      'weight-missing',
      `${file.name} has no tensor ${describe(name)}${near.length > 0 ? `; close names are ${near.map((n) => `'${n}'`).join(', ')}` : ''}`,
    )
  }

  const handle: Weights = Object.freeze({
    get(name: unknown, dtype: unknown, shape: unknown): any {
      if (typeof name !== 'string') return reject('bad-attribute', `weights.get: name must be a string, got ${describe(name)}`)
      const type = { dtype: readDType('weights.get', dtype), shape: readShape('weights.get', shape) }
      entryOf(name)
      used.add(name)
      return constantOf(type, fileOf(path).data(name, type.dtype, type.shape))
    },
    has: (name: unknown) => typeof name === 'string' && fileOf(path).entries.has(name),
    names: () => [...fileOf(path).entries].sort(([, a], [, b]) => a.begin - b.begin).map(([name]) => name),
    shape: (name: unknown) => [...entryOf(name).shape],
  })
  handles.set(handle, { path, ignore: globs, used })
  return handle
}

function pathOf(file: unknown): string {
  if (typeof file === 'string' && isAbsolute(file)) return file
  if (typeof file === 'string' && !/^[a-z][a-z0-9+.-]+:/i.test(file))
    return reject(
      'weights-unreadable',
      `weights: a relative path has no folder to start from; write new URL(${describe(`./${file}`)}, import.meta.url)`,
    )
  if (!(file instanceof URL) && typeof file !== 'string')
    return reject('bad-operand', `weights: takes new URL('./name.safetensors', import.meta.url), got ${describe(file)}`)
  try {
    return fileURLToPath(file)
  } catch {
    return reject(
      'weights-unreadable',
      `weights: ${describe(String(file))} is not a file; weights are read from file: URLs and paths alone`,
    )
  }
}

// ---------------------------------------------------------------- for the extractor and the tracer
export const isWeights = (value: unknown): value is Weights => typeof value === 'object' && value !== null && handles.has(value)

/** Absolute path of the file, whether or not there is one. */
export const weightsPath = (handle: Weights): string => handles.get(handle)!.path

/** Reads and checks the header now, so that a mistake is reported where the file is named. */
export const checkWeights = (handle: Weights): void => void fileOf(handles.get(handle)!.path)

/** The file behind a handle, and the tensors that nobody asked for and no `ignore` covers. */
export function unusedWeights(handle: Weights): {
  readonly path: string
  readonly file: string
  readonly names: readonly string[]
} {
  const { path, ignore, used } = handles.get(handle)!
  const file = fileOf(path)
  const names = handle.names().filter((name) => !used.has(name) && !ignore.some((glob) => matches(glob, name)))
  return { path, file: file.name, names }
}

/** Glob with `*` and `?`; steps are bounded by the product of the lengths. */
export function matches(glob: string, text: string): boolean {
  let [g, t, star, resume] = [0, 0, -1, 0]
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++
      resume = t
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++
      t++
    } else if (star >= 0) {
      g = star + 1
      t = ++resume
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}
