import { type DType, isFloat } from '../../compiler/graph/dtype.ts'
import { denseStrides, elementCount } from '../../compiler/graph/type.ts'
import { type ComputedName, type Row, type ScalarFunction, whole } from './row.ts'
import { decode, encode, integerRange, isWide, newValues, type Scalar, wrapping, wrappingWide } from './values.ts'
import { denseAccess, fromFront, walk } from './walk.ts'

type ReductionName = 'reduceSum' | 'reduceProd' | 'reduceMax' | 'reduceMin'

interface Reduction {
  /** What an empty range gives, and every other starts from. */
  readonly start: Scalar
  /** Floats stay doubles until the end; integers wrap at every step, which is the same as wrapping once. */
  readonly combine: ScalarFunction
}

/** Lowest value: what a maximum over nothing is. */
export const lowest = (dtype: DType): Scalar =>
  isFloat(dtype) ? Number.NEGATIVE_INFINITY : isWide(dtype) ? integerRange(dtype)[0] : Number(integerRange(dtype)[0])
const highest = (dtype: DType): Scalar =>
  isFloat(dtype) ? Number.POSITIVE_INFINITY : isWide(dtype) ? integerRange(dtype)[1] : Number(integerRange(dtype)[1])

function arithmetic(
  dtype: DType,
  start: number,
  float: ScalarFunction,
  integer: (a: number, b: number) => number,
  wide: (a: bigint, b: bigint) => bigint,
): Reduction {
  if (isFloat(dtype)) return { start, combine: float }
  if (isWide(dtype)) {
    const wrap = wrappingWide(dtype)
    return { start: BigInt(start), combine: (a, b) => wrap(wide(a, b)) }
  }
  const wrap = wrapping(dtype)
  return { start, combine: (a, b) => wrap(integer(a, b)) }
}

const reductions: { readonly [K in ReductionName]: (dtype: DType) => Reduction } = {
  reduceSum: (dtype) =>
    arithmetic(
      dtype,
      0,
      (a, b) => a + b,
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  reduceProd: (dtype) =>
    arithmetic(
      dtype,
      1,
      (a, b) => a * b,
      Math.imul,
      (a, b) => a * b,
    ),
  reduceMax: (dtype) => ({ start: lowest(dtype), combine: isWide(dtype) ? (a, b) => (a > b ? a : b) : (a, b) => Math.max(a, b) }),
  reduceMin: (dtype) => ({
    start: highest(dtype),
    combine: isWide(dtype) ? (a, b) => (a < b ? a : b) : (a, b) => Math.min(a, b),
  }),
}

const reduction = (name: ReductionName): Row<ReductionName> =>
  whole(([input], { axes }, result) => {
    const { shape, dtype } = input!.type
    const reduced = new Set(axes.map((axis) => fromFront(axis, shape.length)))
    const kept = shape.map((extent, axis) => (reduced.has(axis) ? 1 : extent))
    const strides = denseStrides(kept).map((stride, axis) => (reduced.has(axis) ? 0 : stride))
    const { start, combine } = reductions[name](dtype)
    const values = decode(input!)
    const totals = newValues(dtype, elementCount(result.shape))
    totals.fill(start as never)
    walk(shape, denseAccess(shape), { offset: 0, strides }, (count, source, sourceStep, target, targetStep) => {
      for (let i = 0; i < count; i++) {
        const at = target + i * targetStep
        totals[at] = combine(totals[at], values[source + i * sourceStep], undefined)
      }
    })
    return encode(dtype, totals)
  })

export const reduceRows = {
  reduceSum: reduction('reduceSum'),
  reduceProd: reduction('reduceProd'),
  reduceMax: reduction('reduceMax'),
  reduceMin: reduction('reduceMin'),
} satisfies { readonly [K in ComputedName]?: Row<K> }
