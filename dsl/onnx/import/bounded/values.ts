// What the importer knows of values beside their types: how much of an axis is filled, and which elements are sizes.
import { dtypeFacts, elementCount, isFloat, type TensorType } from '../../../../compiler/graph/index.ts'
import type { OpContext, Value } from '../context.ts'
import type { Entry } from '../environment.ts'
import { dimsOf, range } from '../rules/shared.ts'
import { isOpen, type OpenSize, type Size } from './size.ts'

/** For each axis how much of it is filled; undefined where all of it is. The tensor has the most there can be, and behind it stands anything. */
export type Bounds = readonly (OpenSize | undefined)[]

const bounds = new WeakMap<object, Bounds>()

export const boundsOf = (value: Value): Bounds | undefined => bounds.get(value)

export const isBounded = (entry: Entry | undefined): boolean =>
  entry?.kind === 'tensor' && !entry.list && bounds.has(entry.tensor)
export const isSized = (entry: Entry | undefined): boolean => entry?.kind === 'tensor' && entry.list !== undefined

/** The same value, with what is known of its axes. */
export function withBounds(c: Pick<OpContext, 'd'>, value: Value, given: Bounds): Value {
  if (!given.some(Boolean)) return value
  // A handle of its own: another name may stand for the whole value.
  const own = bounds.has(value) ? fresh(c, value) : value
  bounds.set(own, given)
  return own
}

const fresh = (c: Pick<OpContext, 'd'>, value: Value): Value => c.d.reshape(value, [...dimsOf(value)]) as Value

/** Sizes as a list, or a single one; a tensor where somebody computes with them. */
export interface SizeList {
  readonly sizes: readonly Size[]
  readonly type: TensorType
  readonly tensor: Value
}

/** Sizes as a list that data decides; known elements where it decides none. */
export function sizeList(c: OpContext, sizes: readonly Size[], shape: readonly number[], dtype: 'i64' | 'i32' = 'i64') {
  if (!sizes.some(isOpen)) return c.constant(dtype, shape, sizes as readonly number[])
  return openList(c, sizes, { dtype, shape })
}

/** The list, which becomes a tensor when it is asked for one: mostly nobody does. */
export function openList({ d }: Pick<OpContext, 'd'>, sizes: readonly Size[], type: TensorType): SizeList {
  let made: Value | undefined
  return {
    sizes,
    type,
    get tensor() {
      if (made) return made
      const parts = sizes.map((size) => (isOpen(size) ? d.reshape(size.value, [1]) : d.constant('i64', [1], [size])) as Value)
      const all = parts.length === 1 ? parts[0]! : (d.concat(parts, { axis: 0 }) as Value)
      const shaped = d.reshape(all, [...type.shape]) as Value
      made = type.dtype === 'i64' ? shaped : (d.cast(shaped, type.dtype) as Value)
      return made
    },
  }
}

/** Lists that data decides, of which sizes are read, may be this long. */
const longestSizes = 16

/** Input i as sizes: known numbers, a list of sizes, or numbers that data decides. */
export function sizesIn(c: OpContext, i: number): readonly Size[] | undefined {
  if (!c.has(i)) return undefined
  const found = c.isConstant(i) ? c.numbers(i) : undefined
  if (found) return found
  const list = c.sizes(i)
  if (list) return list.sizes
  const value = c.input(i)
  const { dtype, shape } = c.typeOf(i)
  const count = elementCount(shape)
  if (boundsOf(value) || shape.length > 1 || count > longestSizes || isFloat(dtype) || dtype === 'bool') return undefined
  const wide = (dtype === 'i64' ? value : c.d.cast(value, 'i64')) as Value
  const { bytes, kind } = dtypeFacts[dtype]
  const narrow = kind === 'unsigned' && bytes < 8
  const limit = c.limit(c.node.inputs[i]!)
  return range(count).map((k): Size => {
    const one = c.d.reshape(count === 1 ? wide : (c.d.slice(wide, { axis: 0, start: k, stop: k + 1 }) as Value), []) as Value
    if (limit !== undefined) return atMost(c, one, limit)
    return { value: one, low: narrow ? 0 : Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  })
}

/** Where it must be known while importing: says so. */
export const known = (c: OpContext, i: number): never => {
  c.numbers(i)
  return c.unsupported(`input ${i} depends on data`)
}

/** True where an axis is filled, shaped to broadcast over a tensor of that rank. */
export function filledMask(c: OpContext, rank: number, axis: number, { value, high }: OpenSize): Value {
  const mask = c.d.countMask(value, high) as Value
  const after = rank - 1 - axis
  return after === 0 ? mask : (c.d.reshape(mask, [high, ...range(after).map(() => 1)]) as Value)
}

/** A value with one number behind what is filled along these axes, or along all. */
export function filledWith(c: OpContext, value: Value, fill: number, only?: readonly number[]): Value {
  const rank = dimsOf(value).length
  return (boundsOf(value) ?? []).reduce<Value>((result, bound, axis) => {
    if (!bound || (only && !only.includes(axis))) return result
    const other = value.dtype === 'bool' ? (c.literal('bool', [], [fill]) as Value) : fill
    return c.d.where(filledMask(c, rank, axis, bound), result, other as never) as Value
  }, value)
}

/** The smallest, or largest, number of an element type. */
export function extreme(dtype: Value['dtype'], largest: boolean): number {
  const { kind, bytes } = dtypeFacts[dtype as keyof typeof dtypeFacts]
  if (kind === 'float') return largest ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  const span = 2 ** (bytes * 8)
  if (kind === 'bool') return largest ? 1 : 0
  if (kind === 'unsigned') return largest ? span - 1 : 0
  return largest ? span / 2 - 1 : -span / 2
}

/** A context in which some inputs are others, of the same types. */
export const replacing = (c: OpContext, inputs: Readonly<Record<number, Value>>): OpContext => ({
  ...c,
  input: (i) => inputs[i] ?? c.input(i),
  optional: (i) => inputs[i] ?? c.optional(i),
  isConstant: (i) => !(i in inputs) && c.isConstant(i),
  known: (i) => (i in inputs ? undefined : c.known(i)),
  typeOf(i) {
    const other = inputs[i]
    return other ? { ...c.typeOf(i), dtype: other.dtype, shape: dimsOf(other) } : c.typeOf(i)
  },
})

/** A count that is at most `high`; a run in which it is more ends with a fault. */
export function atMost(c: Pick<OpContext, 'd'>, value: Value, high: number): OpenSize {
  const { d } = c
  const size = d.maximum(value, 0) as Value
  const zeros = d.full('i64', [high + 1], 0) as Value
  return { value: d.add(size, d.gather(zeros, size) as Value) as Value, low: 0, high }
}
