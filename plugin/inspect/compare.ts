// When two results are the same number but for rounding. Without a tolerance from the user, the reference itself says how sensitive it is:
// it is computed again with every intermediate value moved a little, and what that does to a result is what rounding may do.
import { workOf } from '../../compiler/cost/index.ts'
import {
  type DType,
  type Elements,
  elementCount,
  elementsOf,
  isFloat,
  type Node,
  type TensorType,
} from '../../compiler/graph/index.ts'

/** |found − expected| may be up to atol + rtol · |expected|. */
export interface Tolerance {
  readonly atol: number
  readonly rtol: number
}

/** Where two tensors differ most, measured by what is allowed. */
export interface Difference {
  /** Elements that differ by more than is allowed. */
  readonly wrong: number
  readonly elements: number
  /** Index along each axis of the worst element, its values, and how far apart they may be. */
  readonly position: readonly number[]
  readonly found: number
  readonly expected: number
  readonly allowed: number
}

/** Distance to the next value, relative to it; and the smallest normal value. */
const spacing: Partial<Record<DType, number>> = { f32: 2 ** -23, f64: 2 ** -52, f16: 2 ** -10, bf16: 2 ** -7 }
const smallest: Partial<Record<DType, number>> = { f32: 2 ** -126, f64: 2 ** -1022, f16: 2 ** -14, bf16: 2 ** -126 }

/** Uniform in 0 … 1 (Tommy Ettinger's mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Floats moved by up to `spacings` of them; other elements as they are. */
export function perturb({ dtype }: TensorType, bytes: Uint8Array, random: () => number, spacings = 2): Uint8Array {
  const relative = spacing[dtype]
  if (relative === undefined) return bytes
  const result = new Uint8Array(bytes)
  const elements = elementsOf(dtype, result)
  for (let i = 0; i < elements.length; i++) {
    const value = elements.get(i)
    if (Number.isFinite(value)) elements.set(i, value * (1 + (random() * 2 - 1) * spacings * relative))
  }
  return result
}

/** Terms from which on the order in which they are added matters more than the rounding of each. */
const manyTerms = 16

/**
 * Operands of a node as rounding inside it makes them seem. A sum of n terms is rounded n times, at partial sums that may be larger than the
 * result: about as if each term were off by √n spacings.
 */
export function perturbOperands(node: Node, operands: readonly Uint8Array[], random: () => number): readonly Uint8Array[] {
  const terms = workOf(node).operations / Math.max(1, 2 * elementCount(node.type.shape))
  if (terms < manyTerms) return operands
  return operands.map((bytes, i) => perturb(node.operands[i]!.type, bytes, random, Math.sqrt(terms)))
}

/**
 * The difference between two tensors where it is more than rounding explains, or than `tolerance` allows where that is given. `moved` are
 * results of the perturbed reference: allowed is eight times the farthest of them, or what that is on average over the tensor, and four
 * spacings. Elements that jump under such small moves (rounding to integers, comparison) are not compared; integers of 8 bits may be one
 * step apart.
 */
export function compareTensors(
  type: TensorType,
  found: Uint8Array,
  expected: Uint8Array,
  moved: readonly Uint8Array[],
  tolerance?: Tolerance,
): Difference | undefined {
  const { dtype, shape } = type
  const [a, b] = [elementsOf(dtype, found), elementsOf(dtype, expected)]
  const others = moved.map((bytes) => elementsOf(dtype, bytes))
  const floating = isFloat(dtype)
  const [relative, floor] = [spacing[dtype] ?? 0, smallest[dtype] ?? 0]
  const steps = dtype === 'i8' || dtype === 'u8' ? 1 : 0
  const typical = floating && !tolerance ? typicalNoise(b, others) : 0
  let wrong = 0
  let worst: { readonly at: number; readonly allowed: number; readonly share: number } | undefined
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a.get(i), b.get(i)]
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue
    let allowed: number
    if (tolerance) allowed = tolerance.atol + tolerance.rtol * Math.abs(y)
    else {
      const jumps = (other: number) => (floating ? Number.isFinite(other) !== Number.isFinite(y) : other !== y)
      if (others.some((elements) => jumps(elements.get(i)))) continue
      const noise = others.reduce((most, elements) => Math.max(most, Math.abs(elements.get(i) - y)), typical)
      allowed = floating ? 8 * noise + 4 * relative * Math.abs(y) + 4 * floor : steps
    }
    const error = Math.abs(x - y)
    if (error <= allowed) continue
    wrong++
    const share = Number.isFinite(error) ? error / (allowed || Number.MIN_VALUE) : Number.POSITIVE_INFINITY
    if (!worst || share > worst.share) worst = { at: i, allowed, share }
  }
  if (!worst) return undefined
  return {
    wrong,
    elements: b.length,
    position: positionOf(worst.at, shape),
    found: a.get(worst.at),
    expected: b.get(worst.at),
    allowed: Number.isFinite(worst.allowed) ? worst.allowed : 0,
  }
}

/** Root of the mean square of how far elements move: a few draws for one element may by chance be small, those for all are not. */
function typicalNoise(exact: Elements, others: readonly Elements[]): number {
  let [sum, count] = [0, 0]
  for (const other of others)
    for (let i = 0; i < exact.length; i++) {
      const noise = other.get(i) - exact.get(i)
      if (!Number.isFinite(noise)) continue
      sum += noise * noise
      count++
    }
  return count > 0 ? Math.sqrt(sum / count) : 0
}

/** Largest |found − expected| of two tensors; infinite where only one is a number. */
export function largestError({ dtype }: TensorType, found: Uint8Array, expected: Uint8Array): number {
  const [a, b] = [elementsOf(dtype, found), elementsOf(dtype, expected)]
  let largest = 0
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a.get(i), b.get(i)]
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue
    const error = Math.abs(x - y)
    largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error)
  }
  return largest
}

function positionOf(index: number, shape: readonly number[]): number[] {
  let rest = index
  const reversed = [...shape].reverse().map((extent) => {
    const at = rest % extent
    rest = Math.floor(rest / extent)
    return at
  })
  return reversed.reverse()
}

/** `1200 of 4420 elements differ; worst is [0, 3], 0.25 where 0.75 is expected (within 1e-6)`. */
export function describeDifference({ wrong, elements, position, found, expected, allowed }: Difference): string {
  // As many digits as show that the two are different, and two more.
  const apart = Math.abs(found - expected) / Math.max(Math.abs(found), Math.abs(expected))
  const digits = apart > 0 && apart < 1 ? Math.min(17, Math.max(6, Math.ceil(-Math.log10(apart)) + 2)) : 6
  const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(digits))
  return `${wrong} of ${elements} elements differ; the worst is [${position.join(', ')}]: ${number(found)}, expected ${number(expected)} within ${allowed.toPrecision(2)}`
}
