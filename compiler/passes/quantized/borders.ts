// Where encoding meets decoding.
import { type Builder, dtypeFacts, type Node } from '../../graph/index.ts'
import { asOp } from '../match.ts'
import { type Rule, rule } from '../rule.ts'
import {
  type Decoded,
  decodedOf,
  dequantized,
  encoded,
  encodingOf,
  integersOf,
  limited,
  sameEncoding,
  withoutLimits,
} from './encoding.ts'

/** Decoding and encoding again gives the integers back: the two roundings are far below half a step for 16 bits. */
const identity = rule({
  name: 'quantize-of-dequantize',
  note: 'quantize(dequantize(q)) with equal parameters → q; quantize(relu(dequantize(q))) → max(q, zero point)',
  root: 'quantize',
  match: (node) => {
    const { input, ...encoding } = encodingOf(node)
    const limits = withoutLimits(input)
    const decoded = decodedOf(limits.inner)
    if (!decoded || !sameEncoding(decoded, encoding) || dtypeFacts[decoded.dtype].bytes > 2) return undefined
    if (limits.through.length > 0 && encoding.quantization.axis !== undefined) return undefined
    return { through: [...limits.through, decoded.node], stored: decoded.stored, limits, encoding }
  },
  apply: ({ stored, limits, encoding }, builder) =>
    limits.through.length === 0 ? stored : limited(builder, stored, limits, encoding.quantization),
})

/** OP-46, OP-58, OP-59. Encoding limits to what the integers can hold; limits that lie beyond change nothing. */
const beyondEncoding = rule({
  name: 'limits-beyond-encoding',
  note: 'quantize(relu(x)) → quantize(x), where the smallest integer stands for 0 or more',
  root: 'quantize',
  match: (node) => {
    const { input, dtype, quantization } = encodingOf(node)
    const { inner, low, high, through } = withoutLimits(input)
    const range = integersOf(dtype)
    const changesNothing = quantization.scale.every((scale, i) => {
      const entry = { scale: [scale], zeroPoint: [quantization.zeroPoint[i]!] }
      return encoded(low, dtype, entry) <= range.low && encoded(high, dtype, entry) >= range.high
    })
    return through.length > 0 && changesNothing && { through, inner }
  },
  apply: ({ inner }, builder, node) => builder.addFlat('quantize', [inner], node.attributes),
})

/** Sums less their zero points. */
function centred(builder: Builder, { stored, quantization }: Decoded): Node {
  const zero = quantization.zeroPoint[0]!
  return zero === 0 ? stored : builder.add('sub', { left: stored, right: builder.scalar('i32', zero) })
}

/** One multiplication in place of a multiplication and a division: within one step. Limits act on the result. */
const requantized = rule({
  name: 'quantize-of-sums',
  note: 'quantize(dequantize(q)) of i32 → requantize(q)',
  root: 'quantize',
  match: (node) => {
    const { input, dtype, quantization } = encodingOf(node)
    const limits = withoutLimits(input)
    const decoded = decodedOf(limits.inner)
    if (decoded?.dtype !== 'i32' || quantization.axis !== undefined) return undefined
    const { scale, zeroPoint } = decoded.quantization
    if (!zeroPoint.every((entry) => entry === zeroPoint[0])) return undefined
    const representable = scale.every((entry) => Number.isFinite(Math.fround(entry / quantization.scale[0]!)))
    return representable && { through: [...limits.through, decoded.node], decoded, limits, dtype, quantization }
  },
  apply: ({ decoded, limits, dtype, quantization }, builder) => {
    const { scale, axis } = decoded.quantization
    const result = builder.add(
      'requantize',
      { input: centred(builder, decoded) },
      {
        dtype,
        inputScale: [...scale],
        scale: quantization.scale[0]!,
        zeroPoint: quantization.zeroPoint[0]!,
        ...(axis === undefined ? {} : { axis }),
      },
    )
    return limited(builder, result, limits, quantization)
  },
})

/** Numbers in steps of another scale: `factor` of them make one. */
const scaled = (builder: Builder, { stored, quantization }: Decoded, factor: number): Node =>
  dequantized(builder, stored, { ...quantization, scale: quantization.scale.map((entry) => Math.fround(entry / factor)) })

const isRepresentable = ({ quantization }: Decoded, factor: number): boolean =>
  quantization.scale.every((entry) => {
    const quotient = Math.fround(entry / factor)
    return quotient > 0 && Number.isFinite(quotient)
  })

/**
 * A residual connection. Terms in steps of the result are added and rounded: no division, and none of the multiplications behind it. Within
 * one step. Limits act on the result.
 */
const added = rule({
  name: 'quantize-of-decoded-sum',
  note: 'quantize(add(dequantize(p), dequantize(q))) → the same in steps of the result, with a scale of 1',
  root: 'quantize',
  match: (node, { isShared }) => {
    const { input, dtype, quantization } = encodingOf(node)
    const [scale] = quantization.scale
    if (quantization.axis !== undefined || scale === 1) return undefined
    const limits = withoutLimits(input)
    const sum = asOp(limits.inner, 'add')
    if (!sum || isShared(sum.node)) return undefined
    const terms = [decodedOf(sum.operands.left), decodedOf(sum.operands.right)]
    const [left, right] = terms
    if (!left || !right || ![left, right].every((term) => isRepresentable(term, scale!))) return undefined
    return { through: [...limits.through, sum.node], left, right, limits, dtype, quantization, scale: scale! }
  },
  apply: ({ left, right, limits, dtype, quantization, scale }, builder) => {
    const sum = builder.add('add', { left: scaled(builder, left, scale), right: scaled(builder, right, scale) })
    const stored = builder.add('quantize', { input: sum }, { dtype, scale: [1], zeroPoint: [...quantization.zeroPoint] })
    const typed = builder.add('storageCast', { input: stored }, { scale: [scale], zeroPoint: [...quantization.zeroPoint] })
    return limited(builder, typed, limits, quantization)
  },
})

export const borderRules: readonly Rule[] = [identity, requantized, beyondEncoding, added]
