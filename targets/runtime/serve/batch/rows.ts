import { fresh, moveCommon, readSizes, type Sizes, sized } from '../../buckets.ts'
import { fail } from '../../error.ts'
import type { BucketedEntry, BucketedTensor, TensorSignature } from '../../manifest.ts'
import { builtin } from '../../plan.ts'
import { byteSize, checkNames, copyInput, elementCount, outputArray, type TensorArray, type TensorValue } from '../../tensor.ts'

/** Inputs and outputs of an entry that runs, whose shapes are numbers. */
export interface Signature {
  readonly inputs: readonly TensorSignature[]
  readonly outputs: readonly TensorSignature[]
}

/** A request, copied: its rows lie side by side, as long as those of the runs that they go to. */
export interface Staged {
  readonly rows: number
  /** As the caller gives and gets them. */
  readonly bytes: { readonly inputs: number; readonly outputs: number }
  /** Rows of requests with equal keys can share a run. */
  readonly key: string
  /** The entry that runs so many rows. */
  entryFor(size: number): string
  /** Copies rows to the inputs of a run, from its row `at` on. */
  write(from: number, to: number, inputs: readonly TensorArray[], at: number): void
  /** Fills what all rows of a run have in common, and what no row fills, with zeros behind row `filled`. */
  finish(inputs: readonly TensorArray[], filled: number): void
  /** Copies outputs of a run, from its row `at` on, to rows of the result. */
  read(from: number, to: number, outputs: readonly TensorArray[], at: number): void
  result(): Record<string, TensorValue>
}

/** How rows of requests become rows of runs. */
export interface RowEntry {
  /** Rows that a run may have, ascending. */
  readonly sizes: readonly number[]
  /** Checks and copies a request. Errors: those of `input-` and `output-`. */
  stage(inputs: unknown, into: unknown): Staged
}

/** Rows of a tensor for each of those of the batch; 0 where it has none of its own. */
function rowsPerRow({ name, shape }: BucketedTensor, dim: string, what: string): number {
  const [lead, ...rest] = shape
  const isBatch = (size: BucketedTensor['shape'][number] | undefined) => typeof size === 'object' && size.dim === dim
  if (rest.some(isBatch)) fail('bad-option', `${what} '${name}' does not have its rows, '${dim}', along its first axis`)
  if (!isBatch(lead) || typeof lead !== 'object') return 0
  if (lead.plus !== 0 || lead.over !== 1)
    fail('bad-option', `${what} '${name}' has not the same number of rows for each row of '${dim}'`)
  return lead.times
}

const shortText = 4096
/** Shapes that are remembered. */
const mostKnown = 256
const isSame = (a: readonly number[], b: readonly number[]) => a.every((size, i) => size === b[i])

/** Equal for equal bytes alone. */
const identity = ({ buffer, byteOffset, byteLength }: TensorArray): string => {
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
  return byteLength > shortText ? builtin('crypto').createHash('sha256').update(bytes).digest('hex') : bytes.toString('latin1')
}

/** An entry of one size as one whose first axis of that size is the batch. */
export function entryOfRows(name: string, rows: number, { inputs, outputs }: Signature): BucketedEntry {
  const batched = (tensors: readonly TensorSignature[]): BucketedTensor[] =>
    tensors.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape: shape.map((size, axis) => (axis === 0 && size === rows ? { dim: 'batch', times: 1, plus: 0, over: 1 } : size)),
    }))
  return {
    name,
    dims: [{ name: 'batch', sizes: [rows], least: 1 }],
    entries: [name],
    inputs: batched(inputs),
    outputs: batched(outputs),
  }
}

/**
 * `dim` is that of the rows; `signatureOf` an entry of the bundle. Dimensions in `masked` are those whose padding the model itself leaves out
 * of account, as its inputs tell it: rows of several lengths then share a run. `check` looks at the inputs of a request, and throws. Errors:
 * `bad-option` where rows cannot be told apart.
 */
export function createRowEntry(
  spec: BucketedEntry,
  dim: string,
  signatureOf: (entry: string) => Signature,
  masked: readonly string[],
  check?: (entry: string, tensors: readonly TensorSignature[], arrays: readonly TensorArray[]) => void,
): RowEntry {
  const { dims, inputs, outputs } = spec
  const batch = dims.find(({ name }) => name === dim)
  if (!batch)
    fail('bad-option', `entry '${spec.name}' has no dimension '${dim}': it has ${dims.map(({ name }) => name).join(', ')}`)
  const inputRows = inputs.map((tensor) => rowsPerRow(tensor, dim, 'input'))
  const outputRows = outputs.map((tensor) => rowsPerRow(tensor, dim, 'output'))
  const bare = outputs.find((_, i) => outputRows[i] === 0)
  if (bare) fail('bad-option', `output '${bare.name}' is one for all rows of '${dim}', which belong to several requests`)
  if (!inputRows.some((rows) => rows > 0)) fail('bad-option', `no input has rows of '${dim}'`)
  if (spec.entries.some((name) => signatureOf(name).inputs.some((tensor) => tensor.name === `${dim}.size`)))
    fail('bad-option', `entry '${spec.name}' computes with the size of '${dim}': its rows do not stand for themselves`)

  /** A request may have any number of rows. */
  const open = { ...spec, dims: dims.map((each) => (each === batch ? { ...each, sizes: [2 ** 32] } : each)) }
  /** Where the entry for these choices, an index into the sizes of each dimension, stands in `spec.entries`. */
  const entryAt = (choices: readonly number[]) =>
    spec.entries[dims.reduce((at, { sizes }, d) => at * sizes.length + choices[d]!, 0)]!

  const sum = (tensors: readonly TensorSignature[]) => tensors.reduce((bytes, tensor) => bytes + byteSize(tensor), 0)

  /** All that follows from the sizes of a request. */
  function shapesAt(sizes: Sizes) {
    const rows = sizes[dim]!
    const choices = dims.map((each) => (each === batch ? 0 : each.sizes.findIndex((size) => size >= sizes[each.name]!)))
    const padded: Sizes = Object.fromEntries(dims.map((each, d) => [each.name, each === batch ? rows : each.sizes[choices[d]!]!]))
    const entries = batch!.sizes.map((_, at) => entryAt(choices.map((choice, d) => (dims[d] === batch ? at : choice))))
    /** Sizes that an entry is told, by the name of its input. */
    const told = dims.map(({ name }) => ({ input: `${name}.size`, size: masked.includes(name) ? padded[name]! : sizes[name]! }))
    const sizeInputs = signatureOf(entries[0]!).inputs.flatMap((tensor, i) => {
      const size = told.find(({ input }) => input === tensor.name)?.size
      return size === undefined ? [] : [{ tensor, i, size }]
    })
    const exact = inputs.map((tensor) => sized(tensor, sizes))
    const results = outputs.map((tensor) => sized(tensor, sizes))
    return {
      ...{ rows, entries, sizeInputs, exact, results },
      bytes: { inputs: sum(exact), outputs: sum(results) },
      whole: inputs.map((tensor) => sized(tensor, padded)),
      /** Of each output, how many elements of a row there are in a run and in the result, and their shapes. */
      parts: outputs.map((tensor, i) => {
        const [long, short] = [sized(tensor, padded).shape.slice(1), results[i]!.shape.slice(1)]
        const each = outputRows[i]!
        return { each, long, short, longCount: elementCount(long) * each, shortCount: elementCount(short) * each }
      }),
      key: [entries[0]!, ...sizeInputs.map(({ size }) => size)].join('\n'),
    }
  }
  /** Of the sizes that came last. */
  const known = new Map<string, ReturnType<typeof shapesAt>>()
  function knownShapes(sizes: Sizes): ReturnType<typeof shapesAt> {
    const name = dims.map((each) => sizes[each.name]).join()
    const found = known.get(name) ?? shapesAt(sizes)
    if (known.size >= mostKnown) known.clear()
    known.set(name, found)
    return found
  }

  function stage(given: any, into: any): Staged {
    checkNames(given, inputs as never, 'input')
    const { rows, entries, sizeInputs, exact, whole, results, bytes, parts, key } = knownShapes(readSizes(open, given))
    const staged = exact.map((tensor, i) => {
      const array = fresh(whole[i]!)
      const [shape, wholeShape] = [tensor.shape, whole[i]!.shape]
      const own = isSame(shape, wholeShape) ? array : fresh(tensor)
      copyInput(tensor, given[tensor.name], own)
      if (own !== array) moveCommon(shape, own, shape, array, wholeShape)
      return array
    })
    checkNames(into, results, 'output')
    const targets = into && results.map((tensor) => into[tensor.name] && outputArray(tensor, into[tensor.name]))
    let arrays: TensorArray[] | undefined
    /** Looked at again: the caller may have given the memory of an array away meanwhile. */
    const getArrays = () =>
      (arrays ??= results.map((tensor, i) => (targets?.[i] ? outputArray(tensor, targets[i]) : fresh(tensor))))
    check?.(entries[0]!, whole, staged)
    const shared = staged.flatMap((array, i) => (inputRows[i] === 0 ? [identity(array)] : []))

    return {
      rows,
      bytes,
      key: shared.length > 0 ? [key, ...shared].join('\n') : key,
      entryFor: (size) => entries[batch!.sizes.indexOf(size)]!,
      write(from, to, views, at) {
        for (const [i, array] of staged.entries()) {
          const length = array.length / rows
          if (inputRows[i]! > 0) views[i]!.set(array.subarray(from * length, to * length) as never, at * length)
        }
      },
      finish(views, filled) {
        for (const [i, array] of staged.entries())
          if (inputRows[i]! > 0) views[i]!.fill(zeroOf(views[i]!), (filled * array.length) / rows)
          else views[i]!.set(array as never)
        for (const { tensor, i, size } of sizeInputs) copyInput(tensor, [size], views[i])
      },
      read(from, to, views, at) {
        const count = to - from
        for (const [i, target] of getArrays().entries()) {
          const { each, long, short, longCount, shortCount } = parts[i]!
          const source = views[i]!.subarray(at * longCount, (at + count) * longCount)
          const place = target.subarray(from * shortCount, to * shortCount)
          if (longCount === shortCount) place.set(source as never)
          else {
            const shape = [count * each, ...short]
            moveCommon(shape, source, [count * each, ...long], place, shape)
          }
        }
      },
      result: () => Object.fromEntries(getArrays().map((data, i) => [results[i]!.name, { data, shape: results[i]!.shape }])),
    }
  }
  return { sizes: batch.sizes, stage }
}

const zeroOf = (array: TensorArray): never =>
  (array instanceof BigInt64Array || array instanceof BigUint64Array ? 0n : 0) as never
