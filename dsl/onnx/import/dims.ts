import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxValue } from '../model.ts'
import { identifierOf } from './names.ts'
import { printable } from './problem.ts'

/** Sizes of symbolic dimensions by their name in the file, or by place where they have none: `'image.2'` is dimension 2 of input `image`. */
export type Dims = Readonly<Record<string, number | readonly number[]>>

/** One way to give every dimension a size. */
export interface Binding {
  /** Name of the entry: `main`, or the bucket. */
  readonly entry: string
  readonly sizeOf: (input: OnnxValue, axis: number) => number
  /** The name under which the size is written, where nobody bound it. */
  readonly nameOf: (input: OnnxValue, axis: number) => string | undefined
  /** Dimensions that nobody bound, by what binds them and the names under which they are written. */
  readonly open: readonly OpenDim[]
  /** The size of each dimension with a plain name, whoever bound it. */
  readonly sizes: ReadonlyMap<string, number>
  /** Which of those that nobody bound are heights and widths of images. */
  readonly images: ReadonlySet<string>
}

export interface OpenDim {
  readonly key: string
  readonly name: string
  readonly sizes: readonly number[]
}

/** More buckets than this are a mistake: each is a graph of its own. */
const maximumBuckets = 64
/** Says batch wherever it stands: `batch`, `batch_size`, `image_batch`. */
const batchName = /^bs$|batch/i
/** What exporters call a dimension that they know nothing of: a batch where it stands first. */
const namelessName = /^(n|b|s\d+|unk__\d+|unknown\w*|none|.*dynamic.*|\?|-1)$/i

/**
 * Sizes for the symbolic dimensions of a graph's inputs. What `dims` does not bind is guessed, with a note: a batch is 1, other dimensions
 * get a usual size, or that of `guesses` by key. Lists of sizes make a binding for each combination. Throws ModelProblem for names that the file
 * does not have.
 */
export function bindDims(
  inputs: readonly OnnxValue[],
  dims: Dims,
  notes: string[],
  guesses: ReadonlyMap<string, number> = new Map(),
): readonly Binding[] {
  const places = inputs.flatMap((input) =>
    (input.shape ?? []).flatMap((size, axis) =>
      typeof size === 'number' ? [] : [{ input, axis, name: size, key: keyOf(input, axis) }],
    ),
  )
  // The names under which dimensions are written in the source bind them as well.
  const written = new Map(places.map(({ input, axis, name, key }) => [writtenName(name, input, axis), key]))
  const known = new Set(places.flatMap(({ input, axis, key }) => [key, placeOf(input, axis)]))
  const given = new Map(
    Object.entries(dims).map(([key, sizes]) => [
      known.has(key) ? key : (written.get(key) ?? key),
      typeof sizes === 'number' ? [sizes] : [...sizes],
    ]),
  )
  checkGiven(given, places)

  const batch = new Set<string>()
  const open = new Map<string, OpenDim>()
  const images = new Set<string>()
  const bound = new Map<string, readonly number[]>()
  for (const place of places) {
    const { input, axis, name, key } = place
    if (bound.has(key) || open.has(key)) continue
    const sizes = given.get(key) ?? given.get(placeOf(input, axis))
    if (sizes) {
      bound.set(key, sizes)
      continue
    }
    if (name !== undefined && expressionOf(name)) continue
    const first = axis === 0 && input.shape!.length >= 2
    // Four dimensions are images, and the first of an image is its batch whatever it is called.
    const image = first && input.shape!.length === 4
    if (name === undefined ? first : image || batchName.test(name) || (first && namelessName.test(name))) {
      bound.set(key, [1])
      batch.add(name ?? placeOf(input, axis))
      continue
    }
    const size = guesses.get(key) ?? usualSize(name ?? '', input, axis)
    open.set(key, { key, name: writtenName(name, input, axis), sizes: [size] })
    if (input.shape!.length === 4 && axis >= 2) images.add(key)
  }
  if (batch.size > 0)
    notes.push(
      `batch is 1 (${[...batch].map((name) => printable(name, 60)).join(', ')}); --dim ${printable([...batch][0]!, 60)}=8 makes it another`,
    )
  for (const [key, { sizes }] of open)
    notes.push(
      `dimension ${printable(key, 60)} has no size in the file, it is ${sizes[0]} here${guesses.has(key) ? ', since a usual one does not fit' : ''}; another size is another import: --dim ${printable(key, 60)}=${sizes[0]}`,
    )

  const several = [...bound].filter(([, sizes]) => sizes.length > 1)
  const buckets = several.reduce<Record<string, number>[]>(
    (list, [key, sizes]) => list.flatMap((bucket) => sizes.map((size) => ({ ...bucket, [key]: size }))),
    [{}],
  )
  const guessed = [...open.values()]
  return buckets.map((bucket) => {
    const sizes = (key: string): number | undefined =>
      Object.hasOwn(bucket, key) ? bucket[key] : (bound.get(key)?.[0] ?? open.get(key)?.sizes[0])
    const sizeOf = (input: OnnxValue, axis: number): number => {
      const size = input.shape![axis]
      if (typeof size === 'number') return size
      const key = keyOf(input, axis)
      return sizes(key) ?? evaluate(expressionOf(key)!, sizes, key)
    }
    const nameOf = (input: OnnxValue, axis: number) =>
      typeof input.shape![axis] === 'number' ? undefined : open.get(keyOf(input, axis))?.name
    const all = new Map([...bound.keys(), ...open.keys()].map((key) => [key, sizes(key)!]))
    return { entry: entryName(bucket), sizeOf, nameOf, open: guessed, sizes: all, images }
  })
}

const writtenName = (name: string | undefined, input: OnnxValue, axis: number): string =>
  identifierOf(name ?? `${input.name}_${axis}`, 'dim')
const placeOf = (input: OnnxValue, axis: number): string => `${input.name}.${axis}`
const keyOf = (input: OnnxValue, axis: number): string => {
  const size = input.shape![axis]
  return typeof size === 'string' && size !== '' ? size : placeOf(input, axis)
}

const entryName = (bucket: Readonly<Record<string, number>>): string =>
  Object.entries(bucket)
    .map(([key, size]) => `${identifierOf(key, 'dim').slice(0, 24).replace(/\d$/, '$&_')}${size}`)
    .join('_')
    .slice(0, 64) || 'main'

function checkGiven(
  given: ReadonlyMap<string, readonly number[]>,
  places: readonly { readonly input: OnnxValue; readonly axis: number; readonly key: string }[],
): void {
  const known = new Set(places.flatMap(({ input, axis, key }) => [key, placeOf(input, axis)]))
  let buckets = 1
  for (const [key, sizes] of given) {
    if (!known.has(key)) {
      const names = [...new Set(places.map((place) => place.key))].slice(0, 20).map((name) => `'${printable(name, 60)}'`)
      reject(
        'onnx-option',
        `dims: '${printable(key, 60)}' is no symbolic dimension; ${names.length > 0 ? `these are: ${names.join(', ')}` : 'all dimensions are fixed in the file'}`,
      )
    }
    if (sizes.length === 0 || !sizes.every((size) => Number.isSafeInteger(size) && size >= 0 && size < 2 ** 31))
      reject(
        'onnx-option',
        `dims: '${printable(key, 60)}' needs whole numbers below 2^31, got ${sizes.map(String).join(', ').slice(0, 100) || 'none'}`,
      )
    if (new Set(sizes).size !== sizes.length)
      reject('onnx-option', `dims: '${printable(key, 60)}' names a size twice: ${sizes.join(', ').slice(0, 100)}`)
    buckets *= sizes.length
  }
  if (buckets > maximumBuckets)
    reject('onnx-option', `dims: the sizes make ${buckets} combinations, the limit is ${maximumBuckets}`)
}

/** Sizes that models of the kind are commonly run with. */
function usualSize(name: string, input: OnnxValue, axis: number): number {
  const image = input.shape!.length === 4
  if (/^c$|channels?$/i.test(name) || (image && axis === channelAxis(input.shape!))) return 3
  return /height|width|^(h|w)$/i.test(name) || (image && axis >= 1) ? 224 : 128
}

/** The second of an image's dimensions, but where the file says nothing of it and the last has the size of colours, as TensorFlow puts them. */
const channelAxis = ([, second, , last]: NonNullable<OnnxValue['shape']>): number =>
  typeof second !== 'number' && (last === 1 || last === 3 || last === 4) ? 3 : 1

// ---------------------------------------------------------------- names such as `past_sequence_length + 1`
interface Factor {
  readonly name: string
  readonly divides: boolean
}
type Term = { readonly sign: 1 | -1; readonly factors: readonly Factor[] }

/** Sums and differences of products and quotients of names and numbers; undefined for a plain name. */
function expressionOf(text: string): readonly Term[] | undefined {
  if (text.length > 200 || !/^\s*\w+(\s*[-+*/]\s*\w+)+\s*$/.test(text)) return undefined
  const parts = text.split(/\s*([-+])\s*/)
  return parts.flatMap((part, i) =>
    i % 2 === 1 ? [] : [{ sign: parts[i - 1] === '-' ? -1 : 1, factors: factorsOf(part) } as const],
  )
}

function factorsOf(text: string): Factor[] {
  const parts = text.trim().split(/\s*([*/])\s*/)
  return parts.flatMap((name, i) => (i % 2 === 1 ? [] : [{ name, divides: parts[i - 1] === '/' }]))
}

function evaluate(terms: readonly Term[], sizes: (key: string) => number | undefined, text: string): number {
  const size = (name: string) =>
    (/^\d+$/.test(name) ? Number(name) : sizes(name)) ??
    reject(
      'onnx-option',
      `dims: dimension '${printable(text, 60)}' follows from '${name}', which no input has; bind it: --dim '${printable(text, 60)}'=128`,
    )
  const product = (factors: readonly Factor[]) =>
    factors.reduce((value, { name, divides }) => (divides ? Math.floor(value / size(name)) : value * size(name)), 1)
  const sum = terms.reduce((total, { sign, factors }) => total + sign * product(factors), 0)
  if (sum >= 0 && sum < 2 ** 31) return sum
  return reject('onnx-option', `dims: dimension '${printable(text, 60)}' comes out as ${sum}; bind its parts to other sizes`)
}
