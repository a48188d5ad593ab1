import { fail } from '../error.ts'
import type { TensorSignature } from '../manifest.ts'
import type { TensorArray } from '../tensor.ts'
import type { Sanitize } from './entry.ts'
import type { InputUse } from './placement.ts'

type Numbers = Exclude<TensorArray, BigInt64Array | BigUint64Array>

/** What the upper word of a wide integer counts. Big integers would take many times as long. */
const high = 2 ** 32

/** The value of element `i`; wide integers beyond 2^53 come out rounded, far outside of any table all the same. */
function createReader(array: TensorArray): (i: number) => number {
  if (array.BYTES_PER_ELEMENT !== 8) return (i) => (array as Numbers)[i]!
  const words = new Int32Array(array.buffer, array.byteOffset, array.length * 2)
  return (i) => words[2 * i + 1]! * high + (words[2 * i]! >>> 0)
}

/** The first position from `from` up to `to` whose value is not from −rows to rows − 1; `to` where there is none. */
function firstOutside(array: TensorArray, from: number, to: number, rows: number): number {
  if (array.BYTES_PER_ELEMENT === 8) {
    const words = new Int32Array(array.buffer, array.byteOffset, array.length * 2)
    // One word says all, where the other is its sign.
    for (let i = from; i < to; i++) {
      const low = words[2 * i]!
      const value = words[2 * i + 1] === low >> 31 ? low : words[2 * i + 1]! * high + (low >>> 0)
      if (value >= rows || value < -rows) return i
    }
    return to
  }
  return firstNumberOutside(array as Numbers, from, to, rows)
}

function firstNumberOutside(array: Numbers, from: number, to: number, rows: number): number {
  for (let i = from; i < to; i++) if (array[i]! >= rows || array[i]! < -rows) return i
  return to
}

/**
 * What a group of an input of lengths or of offsets says: how many of a group of `count` indices are in bags. Throws where it says nothing that
 * can be.
 */
function usedBy(
  use: InputUse,
  input: TensorSignature,
  array: TensorArray,
  from: number,
  to: number,
  indices: TensorSignature,
  count: number,
): number {
  const read = createReader(array)
  const isLengths = use.lengthsOf !== undefined
  const [kind, code] = isLengths ? ['length', 'input-lengths' as const] : ['offset', 'input-offsets' as const]
  const refuse = (i: number, expected: string): never =>
    fail(
      code,
      `input '${input.name}'[${i}] is the ${kind} ${array[i]}, expected ${expected} of the ${count} indices in '${indices.name}'`,
    )
  let used = 0
  for (let i = from; i < to; i++) {
    const value = read(i)
    if (isLengths) {
      if (value < 0) refuse(i, 'a number of at least 0')
      used += value
      if (used > count)
        fail(
          code,
          `input '${input.name}'[${i}] is the length ${array[i]}, with which bags have ${used} indices; '${indices.name}' has ${count}`,
        )
    } else {
      if (i === from && value !== 0) refuse(i, '0, the first')
      if (value < used) refuse(i, `at least ${used}, the one before,`)
      if (value > count) refuse(i, 'none beyond the end')
      used = value
    }
  }
  return used
}

/**
 * Looks for what would pick rows that no table has, before a request runs. Of indices, those in bags alone are looked at; like the model, it takes negative
 * ones, which count from the end. Errors name input, table, position and value:
 *
 * - `input-index`: an index from which no row can be picked;
 * - `input-lengths`: a negative length, lengths of more indices than there are, or another number of weights than of indices;
 * - `input-offsets`: offsets that do not begin at 0, fall, or lie behind the last index. All zeros are a request without any.
 */
export const sanitize: Sanitize = (uses, inputs, arrays) => {
  /** By input of indices, the parts of it that bags are about, and where what is in bags ends. */
  const used = new Map<number, { from: number; to: number; end: number }[]>()
  for (let i = 0; i < uses.length; i++) {
    const use = uses[i]!
    const of = use.lengthsOf ?? use.offsetsOf
    if (of !== undefined) {
      const whole = [{ from: 0, to: arrays[i]!.length, ofFrom: 0, ofTo: arrays[of]!.length }]
      const known = used.get(of) ?? []
      used.set(of, known)
      for (const { from, to, ofFrom, ofTo } of use.groups ?? whole) {
        const count = usedBy(use, inputs[i]!, arrays[i]!, from, to, inputs[of]!, ofTo - ofFrom)
        known.push({ from: ofFrom, to: ofTo, end: ofFrom + count })
      }
    }
    if (use.weightsOf !== undefined && arrays[i]!.length !== arrays[use.weightsOf]!.length)
      fail(
        'input-lengths',
        `input '${inputs[i]!.name}' has ${arrays[i]!.length} weights for the ${arrays[use.weightsOf]!.length} indices in '${inputs[use.weightsOf]!.name}'`,
      )
  }
  for (let i = 0; i < uses.length; i++) {
    const { indices } = uses[i]!
    if (!indices) continue
    const array = arrays[i]!
    const parts = used.get(i) ?? [{ from: 0, to: array.length, end: array.length }]
    parts.sort((a, b) => a.from - b.from)
    // Requests that share a run have fewer rows than the run.
    const scale = array.length / Math.max(1, indices.at(-1)!.to)
    let first = 0
    for (const { table, rows, from, to } of indices) {
      while (first < parts.length - 1 && parts[first]!.to <= from * scale) first++
      for (let k = first; k < parts.length && parts[k]!.from < to * scale; k++) {
        const last = Math.min(to * scale, parts[k]!.end)
        const at = firstOutside(array, Math.max(from * scale, parts[k]!.from), last, rows)
        if (at < last)
          fail(
            'input-index',
            `input '${inputs[i]!.name}'[${at}] is ${array[at]}, which picks no row of table '${table}': it may be ${-rows} to ${rows - 1}`,
          )
      }
    }
  }
}

/** Whether a model has anything to look at. */
export const hasUses = (uses: readonly InputUse[]): boolean => uses.some((use) => Object.keys(use).length > 0)

/**
 * `sanitize` for a share of the requests, from 0 to 1: the same ones, by number, whenever the same come. Undefined where it is for none.
 */
export function createSanitizer(share: number): Sanitize | undefined {
  if (share <= 0) return undefined
  let seen = 0
  // Products such as 100 · 0.29 lie a little below what they mean.
  const due = (count: number) => Math.floor(count * share + 1e-9)
  return (uses, inputs, arrays) => {
    if (!hasUses(uses)) return
    seen++
    if (due(seen) > due(seen - 1)) sanitize(uses, inputs, arrays)
  }
}
