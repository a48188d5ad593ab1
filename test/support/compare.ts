import { type DType, dtypeFacts, elementCount, elementsOf, printType, type TensorType } from '../../compiler/graph/index.ts'
import { decode, type Scalar } from '../../targets/interpreter/values.ts'

/** |actual − expected| may be up to atol + rtol · |expected|. Both 0 (the default) asks for equal values; −0 equals 0, NaN equals NaN. */
export interface Tolerance {
  readonly atol?: number
  readonly rtol?: number
}

/** Little-endian bytes of the type, or its elements as numbers. */
export type Elements = Uint8Array | readonly number[] | Float32Array | Float64Array

/** Fails with the position, both values, and the largest error over the whole tensor. */
export function assertClose(
  actual: Elements,
  expected: Elements,
  type: TensorType,
  { atol = 0, rtol = 0 }: Tolerance = {},
  label = 'tensor',
): void {
  const count = elementCount(type.shape)
  const [a, b] = [valuesOf(actual, type), valuesOf(expected, type)]
  const what = `${label} ${printType(type)}`
  for (const [name, list] of Object.entries({ actual: a, expected: b })) {
    if (list.length !== count) throw new Error(`${what}: ${name} has ${list.length} elements instead of ${count}`)
  }
  let wrong = 0
  let first = -1
  let worst = -1
  let largest = 0
  for (let i = 0; i < count; i++) {
    const error = errorOf(a[i]!, b[i]!)
    if (error === 0) continue
    if (error === Number.POSITIVE_INFINITY || error > atol + rtol * Math.abs(Number(b[i]))) {
      if (wrong === 0) first = i
      wrong++
    }
    if (error > largest) {
      largest = error
      worst = i
    }
  }
  if (wrong === 0) return
  const show = (i: number) => `[${positionOf(i, type.shape).join(', ')}] is ${a[i]}, expected ${b[i]}`
  throw new Error(
    `${what}: ${wrong} of ${count} elements differ by more than ${atol} + ${rtol} · |expected|\n  first: ${show(first)}\n  worst: ${show(worst)}, off by ${largest}`,
  )
}

/** Infinite where NaN or an infinity stands on one side alone, so that it is never within bounds. */
function errorOf(actual: Scalar, expected: Scalar): number {
  if (typeof actual === 'bigint' && typeof expected === 'bigint') return Math.abs(Number(actual - expected))
  const [x, y] = [Number(actual), Number(expected)]
  if (x === y || (Number.isNaN(x) && Number.isNaN(y))) return 0
  const error = Math.abs(x - y)
  return Number.isFinite(error) ? error : Number.POSITIVE_INFINITY
}

const valuesOf = (elements: Elements, type: TensorType): ArrayLike<Scalar> =>
  elements instanceof Uint8Array ? decode({ type, bytes: elements }) : elements

function positionOf(index: number, shape: readonly number[]): number[] {
  let rest = index
  return shape
    .map((_, axis) => {
      const extent = shape[shape.length - 1 - axis]!
      const at = rest % extent
      rest = Math.floor(rest / extent)
      return at
    })
    .reverse()
}

/** Bytes of a tensor from numbers, converted as `cast` does. */
export function bytesOf(type: TensorType, values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(values.length * dtypeFacts[type.dtype].bytes)
  const elements = elementsOf(type.dtype, bytes)
  for (let i = 0; i < values.length; i++) elements.set(i, values[i]!)
  return bytes
}

const epsilon = 2 ** -23

/**
 * How far a target may be from the interpreter in f32, for one op on operands of ordinary size. What is missing here is exact: IEEE
 * arithmetic, comparisons, integer and movement ops. Relative bounds are in units of f32's epsilon (one unit is two half-ulps).
 */
const f32Bounds: Readonly<Record<string, Tolerance>> = {
  exp: { rtol: 4 * epsilon, atol: 1e-37 },
  log: { rtol: 4 * epsilon, atol: epsilon / 2 },
  sin: { atol: 4 * epsilon },
  cos: { atol: 4 * epsilon },
  erf: { rtol: 8 * epsilon, atol: 1e-37 },
  tanh: { rtol: 8 * epsilon, atol: 1e-37 },
  sigmoid: { rtol: 8 * epsilon, atol: 1e-37 },
  ...Object.fromEntries(
    ['tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh', 'acosh', 'atanh'].map((op) => [op, { rtol: epsilon, atol: 2e-45 }]),
  ),
  pow: { rtol: 64 * epsilon, atol: 1e-37 },
  avgPool: { rtol: 16 * epsilon, atol: 16 * epsilon },
}

/** For the other floats: a target computes in f32 or wider and rounds once, so results are at most one unit in the last place apart. */
const unitBounds: Partial<Record<DType, Tolerance>> = {
  f64: { rtol: 1e-14, atol: 1e-300 },
  f16: { rtol: 2 ** -10, atol: 2 ** -24 },
  bf16: { rtol: 2 ** -7, atol: 2 ** -133 },
}

/** The bound of a single op with a result of this dtype; for ops that add many terms use `accumulationBound`. */
export const boundOf = (op: string, dtype: DType): Tolerance => (dtype === 'f32' ? f32Bounds[op] : unitBounds[dtype]) ?? {}

/** For sums of `terms` products each up to `magnitude`: the error of adding in f32 in any order, with a margin of two. */
export const accumulationBound = (terms: number, magnitude: number): Tolerance => ({
  atol: 2 * terms * magnitude * epsilon,
  rtol: 4 * epsilon,
})
