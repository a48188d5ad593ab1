// What rules about quantised values share: which integers stand behind a float, and the integers of a limit.
import {
  type Builder,
  type DType,
  dtypeFacts,
  type Node,
  type Quantization,
  roundToEven,
  type Shape,
  type StorageDType,
  sameQuantization,
} from '../../graph/index.ts'
import { asOp, uniformValue } from '../match.ts'

/** A value known as stored integers and what they stand for. */
export interface Decoded {
  readonly node: Node
  readonly stored: Node
  readonly dtype: DType
  /** Without an axis where all entries are equal. */
  readonly quantization: Quantization
}

/** The integers behind the result of `dequantize`. */
export function decodedOf(node: Node | undefined): Decoded | undefined {
  const found = asOp(node, 'dequantize')
  if (!found) return undefined
  const { input } = found.operands
  return { node: found.node, stored: input, dtype: input.type.dtype, quantization: condensed(found.attributes) }
}

/** Integers of 8 bits. */
export const isBytes = ({ dtype }: Decoded): boolean => dtypeFacts[dtype].bytes === 1

/** Integers of 8 bits with one scale and zero point: what has 256 values. */
export const isByte = ({ dtype, quantization }: Decoded): boolean =>
  dtypeFacts[dtype].bytes === 1 && quantization.axis === undefined

interface Parameters {
  readonly scale: readonly number[]
  readonly zeroPoint: readonly number[]
  readonly axis?: number | undefined
}

/** Parameters with one entry where that says the same. */
export function condensed({ scale, zeroPoint, axis }: Parameters): Quantization {
  const uniform = [scale, zeroPoint].every((list) => list.every((entry) => entry === list[0]))
  if (axis === undefined || (uniform && scale.length > 0)) return { scale: scale.slice(0, 1), zeroPoint: zeroPoint.slice(0, 1) }
  return { scale, zeroPoint, axis }
}

export const dequantized = (builder: Builder, input: Node, { scale, zeroPoint, axis }: Parameters): Node =>
  builder.add('dequantize', { input }, { scale: [...scale], zeroPoint: [...zeroPoint], ...(axis === undefined ? {} : { axis }) })

/** The result type that a node of `quantize` states, in one entry where that says the same. */
export function encodingOf(node: Node): {
  readonly dtype: StorageDType
  readonly quantization: Quantization
  readonly input: Node
} {
  const { attributes, operands } = asOp(node, 'quantize')!
  return { dtype: attributes.dtype, quantization: condensed(attributes), input: operands.input }
}

export const sameEncoding = (
  a: { readonly dtype: DType; readonly quantization: Quantization },
  b: { readonly dtype: DType; readonly quantization: Quantization },
): boolean => a.dtype === b.dtype && sameQuantization(a.quantization, b.quantization)

/** Smallest and largest integer of a dtype. */
export function integersOf(dtype: DType): { readonly low: number; readonly high: number } {
  const { bytes, kind } = dtypeFacts[dtype]
  const span = 2 ** (8 * bytes)
  return kind === 'signed' ? { low: -span / 2, high: span / 2 - 1 } : { low: 0, high: span - 1 }
}

/** The integer that a number becomes, by the steps of `quantize`. */
export function encoded(value: number, dtype: DType, { scale, zeroPoint }: Quantization): number {
  const { low, high } = integersOf(dtype)
  const quotient = Math.fround(Math.fround(value) / scale[0]!)
  const rounded = Number.isFinite(quotient) ? roundToEven(quotient) : quotient
  return Math.min(high, Math.max(low, Math.fround(rounded + zeroPoint[0]!)))
}

/** The number that an integer stands for, by the steps of `dequantize`. */
export const decodedNumber = (stored: number, { scale, zeroPoint }: Quantization): number =>
  Math.fround((stored - zeroPoint[0]!) * scale[0]!)

/** The largest distance of stored integers from their zero points. */
export function reachOf(dtype: DType, zeroPoints: readonly number[]): number {
  const { low, high } = integersOf(dtype)
  return Math.max(...zeroPoints.map((zero) => Math.max(high - zero, zero - low)))
}

export interface Limited {
  readonly inner: Node
  readonly low: number
  readonly high: number
  /** The nodes that limit, outermost first. */
  readonly through: readonly Node[]
}

/** What is inside relu and clamp, and the limits that they set together: those further in act first. */
export function withoutLimits(node: Node): Limited {
  const relu = asOp(node, 'relu')
  const clamp = asOp(node, 'clamp')
  if (!relu && !clamp) return { inner: node, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, through: [] }
  const [minimum, maximum] = clamp ? [clamp.attributes.minimum, clamp.attributes.maximum] : [0, Number.POSITIVE_INFINITY]
  const within = withoutLimits(node.operands[0]!)
  // clamp is min(max(x, minimum), maximum): its maximum wins.
  const limit = (value: number) => Math.min(maximum, Math.max(minimum, value))
  return { inner: within.inner, low: limit(within.low), high: limit(within.high), through: [node, ...within.through] }
}

/**
 * Integers limited to what numbers between two limits become: rounding keeps the order, so that limiting first or last is the same.
 * Limits that the dtype sets anyway vanish.
 */
export function limited(
  builder: Builder,
  input: Node,
  { low, high }: { readonly low: number; readonly high: number },
  quantization: Quantization,
): Node {
  const { dtype } = input.type
  const range = integersOf(dtype)
  const [minimum, maximum] = [encoded(low, dtype, quantization), encoded(high, dtype, quantization)]
  if (minimum <= range.low && maximum >= range.high) return input
  return builder.add('clamp', { input }, { minimum, maximum })
}

/** The single number that a constant holds, decoded where it is stored as integers. */
export function knownNumber(node: Node): number | undefined {
  const direct = uniformValue(node)
  if (direct !== undefined) return direct
  const decoded = decodedOf(node)
  if (!decoded || decoded.quantization.axis !== undefined) return undefined
  const stored = uniformValue(decoded.stored)
  return stored === undefined ? undefined : decodedNumber(stored, decoded.quantization)
}

/** Where an axis lies after a reshape, if its dimension is there unchanged. */
export function axisAfterReshape(axis: number, from: Shape, to: Shape): number | undefined {
  const before = (shape: Shape, count: number) => shape.slice(0, count).reduce((product, extent) => product * extent, 1)
  const outer = before(from, axis)
  const found = to.findIndex((extent, i) => extent === from[axis] && before(to, i) === outer)
  return found < 0 ? undefined : found
}
