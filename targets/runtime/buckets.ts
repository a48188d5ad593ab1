// Entries whose dimensions have several sizes: a run takes the smallest that fits, pads its inputs with zeros and trims its outputs. Loaded
// by programs whose models have such entries alone.
import { fail } from './error.ts'
import type { BucketedEntry, BucketedTensor, Extent, Manifest, TensorSignature } from './manifest.ts'
import type { Entry, Model, ModelInfo } from './model.ts'
import { arrayOf, checkNames, copyInput, elementCount, outputArray, type TensorArray, type TensorValue } from './tensor.ts'

export type Sizes = Readonly<Record<string, number>>
type Arrays = Record<string, TensorArray>
type Shape = readonly number[]

/** A call of a bucketed entry as one of the entry that it is made of. */
export interface Call<E> {
  readonly entry: E
  readonly inputs: Record<string, TensorValue>
  readonly into: Arrays
  /** The outputs as the caller gets them. */
  finish(results: Record<string, TensorValue>): Record<string, TensorValue>
}

const extentAt = ({ dim, times, plus, over }: Extent, sizes: Sizes): number => Math.floor((sizes[dim]! * times + plus) / over)
export const sized = ({ name, dtype, shape }: BucketedTensor, sizes: Sizes): TensorSignature => ({
  name,
  dtype,
  shape: Object.freeze(shape.map((size) => (typeof size === 'object' ? extentAt(size, sizes) : size))),
})
export const fresh = ({ dtype, shape }: TensorSignature): TensorArray => new (arrayOf(dtype))(elementCount(shape))
const isSame = (a: Shape, b: Shape): boolean => `${a}` === `${b}`

/** Moves the elements that two row-major tensors have in common, where `shape` is the smaller of both in all dimensions. */
export function moveCommon(shape: Shape, from: TensorArray, fromShape: Shape, to: TensorArray, toShape: Shape): void {
  // Dimensions behind the last that differs are moved in one piece.
  let last = shape.length - 1
  while (last > 0 && fromShape[last] === toShape[last]) last--
  const piece = elementCount(shape.slice(Math.max(last, 0)))
  const walk = (axis: number, i: number, j: number): void => {
    if (axis >= last) to.set(from.subarray(i, i + piece) as never, j)
    const [a, b] = [elementCount(fromShape.slice(axis + 1)), elementCount(toShape.slice(axis + 1))]
    for (let k = 0; axis < last && k < shape[axis]!; k++) walk(axis + 1, i + k * a, j + k * b)
  }
  if (piece > 0) walk(0, 0, 0)
}

/** The sizes that a request gives the dimensions, as its inputs tell them. */
export function readSizes({ dims, inputs }: BucketedEntry, given: any): Sizes {
  const sizes: Record<string, number> = {}
  const told: Record<string, string> = {}
  const learn = ({ name }: BucketedTensor, dim: string, size: number) => {
    sizes[dim] ??= size
    told[dim] ??= name
    if (sizes[dim] !== size)
      fail('input-sizes', `'${dim}' is ${sizes[dim]} in input '${told[dim]}' and ${size} in input '${name}'`)
  }
  const list = (tensor: BucketedTensor) => tensor.shape.map((size) => (typeof size === 'object' ? size.dim : size)).join(', ')
  const open: BucketedTensor[] = []
  for (const tensor of inputs) {
    const { name, dtype, shape } = tensor
    const value = given?.[name]
    if (value === undefined)
      fail('input-missing', `input '${name}' is missing, expected ${arrayOf(dtype).name} for ${dtype}[${list(tensor)}]`)
    if (!value?.shape) open.push(tensor)
    else {
      const fits =
        value.shape.length === shape.length && shape.every((size, i) => typeof size === 'object' || size === value.shape[i])
      if (!fits) fail('input-length', `input '${name}' has shape [${value.shape}], expected ${dtype}[${list(tensor)}]`)
      for (const [i, size] of shape.entries()) if (typeof size === 'object') learn(tensor, size.dim, value.shape[i])
    }
  }
  // Of inputs without a shape, the number of elements tells one size that is not known yet.
  for (let rest = open.length; rest > 0; ) {
    const next = open.filter((tensor) => {
      const missing = tensor.shape.filter((size) => typeof size === 'object' && sizes[size.dim] === undefined) as Extent[]
      if (missing.length > 1) return true
      const { length } = given[tensor.name].data ?? given[tensor.name]
      const known = elementCount(tensor.shape.map((size) => (typeof size === 'object' ? (sizes[size.dim] ?? 1) : size)))
      const [extent] = missing
      const dim = extent?.dim ?? tensor.shape.find((size) => typeof size === 'object')?.dim
      const size = length / known
      if (dim !== undefined && !Number.isInteger(size) && extent)
        fail(
          'input-length',
          `input '${tensor.name}' has ${length} elements, which do not divide into ${tensor.dtype}[${list(tensor)}]`,
        )
      if (extent) learn(tensor, extent.dim, size)
      else if (dim !== undefined && length !== known)
        fail(
          'input-sizes',
          `input '${tensor.name}' has ${length} elements; ${tensor.dtype}[${list(tensor)}] has ${known} as other inputs tell`,
        )
      return false
    })
    open.splice(0, open.length, ...next)
    if (next.length === rest)
      fail(
        'input-sizes',
        `pass input '${next[0]!.name}' as { data, shape }: it is ${list(next[0]!)}, which its number of elements does not tell`,
      )
    rest = next.length
  }
  return checkSizes(dims, sizes)
}

function checkSizes(dims: BucketedEntry['dims'], sizes: Sizes): Sizes {
  for (const { name, sizes: all, least } of dims) {
    const size = sizes[name]!
    if (!Number.isInteger(size)) fail('bad-option', `'${name}' must be a whole number, got ${size}`)
    if (size > all.at(-1)!) fail('input-too-long', `'${name}' is ${size}, the model was built for ${all.at(-1)} at most`)
    if (size < least) fail('input-too-short', `'${name}' is ${size}, the model takes ${least} or more`)
  }
  return sizes
}

/** What prepares calls. `entries` are those of the manifest. */
export function createSelector<E extends { readonly info: Pick<ModelInfo, 'inputs' | 'outputs'> }>(
  spec: BucketedEntry,
  entries: Readonly<Record<string, E>>,
) {
  const { dims, inputs, outputs } = spec
  const chooseAt = (pick: (sizes: readonly number[], name: string) => number): E => {
    const index = dims.reduce((at, { name, sizes }) => at * sizes.length + pick(sizes, name), 0)
    return entries[spec.entries[index]!]!
  }
  const choose = (sizes: Sizes) => chooseAt((all, name) => all.findIndex((size) => size >= sizes[name]!))
  const largest = () => chooseAt((all) => all.length - 1)
  const named = <T>(items: readonly { readonly name: string }[], valueOf: (index: number) => T): Record<string, T> =>
    Object.fromEntries(items.map(({ name }, i) => [name, valueOf(i)]))
  const isSize = (tensor: TensorSignature) => dims.some(({ name }) => tensor.name === `${name}.size`)
  const setSizes = (tensors: readonly TensorSignature[], sizes: Sizes, set: (tensor: TensorSignature, size: number) => void) => {
    for (const tensor of tensors) if (isSize(tensor)) set(tensor, sizes[tensor.name.slice(0, -'.size'.length)]!)
  }

  /** Arrays of padded inputs, free as soon as an entry has copied them. */
  const scratch = new Map<TensorSignature, TensorArray>()
  /** Arrays for outputs that are longer than what the caller gets, not in use. */
  const spare = new Map<TensorSignature, TensorArray[]>()

  function padded(tensor: TensorSignature, value: any, whole: TensorSignature): TensorArray {
    const array = scratch.get(whole) ?? fresh(whole)
    scratch.set(whole, array)
    new Uint8Array(array.buffer).fill(0)
    const leads = tensor.shape.every(
      (size, i) => size === whole.shape[i] || tensor.shape.slice(0, i).every((outer) => outer === 1),
    )
    const exact: TensorArray = leads ? array.subarray(0, elementCount(tensor.shape)) : fresh(tensor)
    copyInput(tensor, value, exact)
    if (!leads) moveCommon(tensor.shape, exact, tensor.shape, array, whole.shape)
    return array
  }

  function prepare(given: any, into: any): Call<E> {
    checkNames(given, inputs as never, 'input')
    const sizes = readSizes(spec, given)
    const entry = choose(sizes)
    const { info } = entry
    const results = outputs.map((tensor) => sized(tensor, sizes))
    checkNames(into, results, 'output')
    const targets = results.map((tensor) => into?.[tensor.name] && outputArray(tensor, into[tensor.name]))
    const exact = results.map((tensor, i) => isSame(tensor.shape, info.outputs[i]!.shape))
    const passed: Record<string, any> = named(inputs, (i) => {
      const [tensor, whole] = [sized(inputs[i]!, sizes), info.inputs[i]!]
      const value = given[tensor.name]
      return isSame(tensor.shape, whole.shape) ? value : padded(tensor, value, whole)
    })
    setSizes(info.inputs, sizes, ({ name }, size) => {
      passed[name] = [size]
    })
    const own: Arrays = {}
    for (const [i, whole] of info.outputs.entries()) {
      const array = exact[i] ? targets[i] : (spare.get(whole)?.pop() ?? fresh(whole))
      if (array) own[whole.name] = array
    }
    return {
      entry,
      inputs: passed,
      into: own,
      finish(computed) {
        return named(results, (i): TensorValue => {
          const [tensor, whole] = [results[i]!, info.outputs[i]!]
          const { data } = computed[tensor.name]!
          if (exact[i]) return { data, shape: tensor.shape }
          // Looked at again: the caller may have given the array's memory away while the run went on.
          const array = outputArray(tensor, targets[i] ?? fresh(tensor))
          moveCommon(tensor.shape, data, whole.shape, array, tensor.shape)
          const free = spare.get(whole) ?? []
          if (free.length < 4) spare.set(whole, [...free, data])
          return { data: array, shape: tensor.shape }
        })
      },
    }
  }

  return { choose: (sizes: Sizes) => choose(checkSizes(dims, sizes)), largest, prepare, setSizes, isSize }
}

/** A bucketed entry over the entries of a model. */
export function createBucketed(spec: BucketedEntry, entries: Readonly<Record<string, Entry<any, any>>>): Entry<any, any> {
  const selector = createSelector(spec, entries)
  return {
    name: spec.name,
    get info() {
      const { info } = selector.largest()
      const dims = Object.fromEntries(spec.dims.map(({ name, sizes }) => [name, sizes]))
      return { ...info, inputs: info.inputs.filter((tensor) => !selector.isSize(tensor)), dims }
    },
    async run(inputs, { into, signal } = {}) {
      const call = selector.prepare(inputs, into)
      return call.finish(await call.entry.run(call.inputs, { into: call.into, signal }))
    },
    runSync(inputs, { into } = {}) {
      const call = selector.prepare(inputs, into)
      return call.finish(call.entry.runSync(call.inputs, { into: call.into }))
    },
    bind(sizes) {
      const names = spec.dims.map(({ name }) => name)
      const missing = names.find((name) => sizes?.[name] === undefined)
      if (missing !== undefined)
        fail('bad-option', `bind() needs the size of each dimension: bind({ ${names.map((name) => `${name}: …`).join(', ')} })`)
      const entry = selector.choose(sizes!)
      const { info } = entry
      const inner = entry.bind()
      selector.setSizes(info.inputs, sizes!, ({ name }, size) => inner.inputs[name]!.fill(size as never))
      /** The caller's view of a tensor, and how its elements get to the entry's own or from there. */
      const views = (tensors: readonly BucketedTensor[], arrays: Readonly<Arrays>, wholes: readonly TensorSignature[]) =>
        tensors.map((each, i) => {
          const [tensor, whole] = [sized(each, sizes!), wholes[i]!]
          const array = isSame(tensor.shape, whole.shape) ? arrays[tensor.name]! : fresh(tensor)
          return { tensor, whole, array, own: arrays[tensor.name]! }
        })
      const given = views(spec.inputs, inner.inputs, info.inputs)
      const taken = views(spec.outputs, inner.outputs, info.outputs)
      const byName = (list: typeof given) => Object.fromEntries(list.map(({ tensor, array }) => [tensor.name, array]))
      return {
        inputs: byName(given),
        outputs: byName(taken),
        run() {
          for (const { tensor, whole, array, own } of given)
            if (array !== own) moveCommon(tensor.shape, array, tensor.shape, own, whole.shape)
          inner.run()
          for (const { tensor, whole, array, own } of taken)
            if (array !== own) moveCommon(tensor.shape, own, whole.shape, array, tensor.shape)
        },
      }
    },
  }
}

/** Entries as callers see them: those of one bucketed entry are one, in the place of the first. */
export function mergeEntries<E>(
  names: readonly string[],
  buckets: readonly BucketedEntry[],
  plain: (name: string) => E,
  bucketed: (spec: BucketedEntry) => E,
): Record<string, E> {
  const list = names.flatMap((name): [string, E][] => {
    const spec = buckets.find(({ entries }) => entries.includes(name))
    if (!spec) return [[name, plain(name)]]
    return spec.entries[0] === name ? [[spec.name, bucketed(spec)]] : []
  })
  return Object.fromEntries(list)
}

/** The model whose entries are those that callers see. */
export function withBuckets(model: Model<any, any>, manifest: () => Manifest): Model<any, any> {
  let entries: Readonly<Record<string, Entry<any, any>>> | undefined
  const getEntries = () =>
    (entries ??= mergeEntries(
      manifest().entries.map(({ name }) => name),
      checkBuckets(manifest()),
      (name) => model.entries[name]!,
      (spec) => createBucketed(spec, model.entries),
    ))
  function main(): Entry<any, any> {
    const [entry, other] = Object.values(getEntries())
    if (other)
      fail(
        'entry-missing',
        `model '${model.name}' has several entries: call entries.${Object.keys(entries!).join(' or entries.')}`,
      )
    return entry!
  }
  return {
    get name() {
      return model.name
    },
    get info() {
      const [entry, other] = Object.values(getEntries())
      return other ? model.info : entry!.info
    },
    get entries() {
      return getEntries()
    },
    run: async (inputs, options) => main().run(inputs, options),
    runSync: (inputs, options) => main().runSync(inputs, options),
    bind: (sizes) => main().bind(sizes),
    ready: () => model.ready(),
    close: () => model.close(),
  }
}

/** What the manifest says of buckets, after checking that it speaks of its own entries and tensors: it may be damaged. */
export function checkBuckets({ entries, buckets = [] }: Pick<Manifest, 'entries' | 'buckets'>): readonly BucketedEntry[] {
  const demand = (condition: unknown) => condition || fail('bundle-malformed', 'the bundle is damaged at manifest.buckets')
  const whole = (...numbers: unknown[]) => numbers.every((number) => Number.isSafeInteger(number))
  demand(Array.isArray(buckets))
  for (const spec of buckets) {
    demand([spec?.dims, spec?.entries, spec?.inputs, spec?.outputs].every(Array.isArray) && spec.entries.length <= 256)
    demand(
      spec.dims.every(({ name, sizes, least }) => typeof name === 'string' && Array.isArray(sizes) && whole(least, ...sizes)),
    )
    demand(spec.entries.length > 0 && spec.entries.length === elementCount(spec.dims.map(({ sizes }) => sizes.length)))
    for (const name of spec.entries) {
      const entry = entries.find((each) => each.name === name)
      for (const key of ['inputs', 'outputs'] as const)
        demand(
          spec[key].every(({ name, dtype, shape }, i) => {
            const tensor = entry?.[key][i]
            return (
              tensor?.name === name &&
              tensor.dtype === dtype &&
              shape.length === tensor.shape.length &&
              shape.every((size) =>
                typeof size === 'object'
                  ? spec.dims.some((dim) => dim.name === size?.dim) && whole(size.times, size.plus, size.over) && size.over > 0
                  : whole(size),
              )
            )
          }),
        )
    }
  }
  return buckets
}
