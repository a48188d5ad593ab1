// Products of decoded integers become products of the integers, which are decoded afterwards.
import { type Builder, elementCount, type Node, type Quantization } from '../../graph/index.ts'
import { asOp, reshapeTo } from '../match.ts'
import { type Rule, rule } from '../rule.ts'
import { type Decoded, decodedOf, dequantized, isByte, isBytes, reachOf } from './encoding.ts'

/** Sums stay within i32. */
const fits = (left: Decoded, right: Decoded, terms: number): boolean =>
  terms * reachOf(left.dtype, left.quantization.zeroPoint) * reachOf(right.dtype, right.quantization.zeroPoint) < 2 ** 31

/** What sums of products stand for: a scale for each entry of the weight's, along `axis` of the result. */
function scaleOfSums(left: Decoded, right: Decoded, axis: number): Quantization {
  const scale = right.quantization.scale.map((entry) => Math.fround(left.quantization.scale[0]! * entry))
  const zeroPoint = scale.map(() => 0)
  return right.quantization.axis === undefined ? { scale, zeroPoint } : { scale, zeroPoint, axis }
}

/** Products below a f32's range, or above, cannot be decoded. */
const isScale = ({ scale }: Quantization): boolean => scale.every((entry) => entry > 0 && Number.isFinite(entry))

/** What exporters store and the product of the two scales differ by roundings of f32. */
const sameScale = (a: number, b: number): boolean => Math.abs(a - b) <= 2 ** -21 * b

/**
 * The integers of a bias that counts in the same steps as the sums; undefined where it does not. `axis` is that of the bias which lies
 * along the axis of the sums.
 */
function integerBias(bias: Node, sums: Quantization, axis: number): Node | undefined {
  const decoded = decodedOf(bias)
  if (decoded?.dtype !== 'i32') return undefined
  const { scale, zeroPoint, axis: own } = decoded.quantization
  if (zeroPoint.some((entry) => entry !== 0) || (own !== undefined && own !== axis)) return undefined
  if (own !== undefined && sums.axis === undefined) return undefined
  const matches = sums.scale.every((entry, i) => sameScale(scale[own === undefined ? 0 : i]!, entry))
  return matches ? decoded.stored : undefined
}

const conv = rule({
  name: 'conv-of-integers',
  note: 'conv(dequantize(p), dequantize(q)) → dequantize(convInteger(p, q))',
  root: 'conv',
  match: (node) => {
    const { input, weight } = asOp(node, 'conv')!.operands
    const [left, right] = [decodedOf(input), decodedOf(weight)]
    if (!left || !right || !isByte(left) || !isBytes(right)) return undefined
    const { axis } = right.quantization
    if ((axis !== undefined && axis !== 0) || !fits(left, right, elementCount(weight.type.shape.slice(1)))) return undefined
    const sums = scaleOfSums(left, right, 1)
    return isScale(sums) && elementCount(node.type.shape) > 0 && { through: [input, weight], left, right, sums }
  },
  apply: ({ left, right, sums }, builder, node) => {
    const { operands, attributes } = asOp(node, 'conv')!
    const { bias } = operands
    const integers = bias && integerBias(bias, sums, 0)
    const product = builder.add(
      'convInteger',
      { input: left.stored, weight: right.stored, bias: integers },
      { ...attributes, inputZeroPoint: left.quantization.zeroPoint[0]!, weightZeroPoint: [...right.quantization.zeroPoint] },
    )
    const result = dequantized(builder, product, sums)
    if (!bias || integers) return result
    const shape = [bias.type.shape[0]!, ...node.type.shape.slice(2).map(() => 1)]
    return builder.add('add', { left: result, right: reshapeTo(builder, bias, shape) })
  },
})

/** The product of integers, decoded, and the bias behind it. */
function multiplied(builder: Builder, left: Decoded, right: Decoded, rightStored: Node, sums: Quantization): Node {
  const product = builder.add(
    'matmulInteger',
    { left: left.stored, right: rightStored },
    { leftZeroPoint: left.quantization.zeroPoint[0]!, rightZeroPoint: [...right.quantization.zeroPoint] },
  )
  return dequantized(builder, product, sums)
}

const matmul = rule({
  name: 'matmul-of-integers',
  note: 'matmul(dequantize(p), dequantize(q)) → dequantize(matmulInteger(p, q))',
  root: 'matmul',
  match: (node) => {
    const operands = asOp(node, 'matmul')!.operands
    const [left, right] = [decodedOf(operands.left), decodedOf(operands.right)]
    if (!left || !right || !isByte(left) || !isBytes(right)) return undefined
    const { axis } = right.quantization
    if (axis !== undefined && axis !== right.stored.type.shape.length - 1) return undefined
    if (!fits(left, right, operands.left.type.shape.at(-1)!)) return undefined
    const sums = scaleOfSums(left, right, node.type.shape.length - 1)
    return isScale(sums) && elementCount(node.type.shape) > 0 && { through: [left.node, right.node], left, right, sums }
  },
  apply: ({ left, right, sums }, builder) => multiplied(builder, left, right, right.stored, sums),
})

const linear = rule({
  name: 'linear-of-integers',
  note: 'linear(dequantize(p), dequantize(q), b) → add(dequantize(matmulInteger(p, transpose(q))), b)',
  root: 'linear',
  match: (node) => {
    const { input, weight } = asOp(node, 'linear')!.operands
    const [left, right] = [decodedOf(input), decodedOf(weight)]
    if (!left || !right || !isByte(left) || !isBytes(right)) return undefined
    const { axis } = right.quantization
    if ((axis !== undefined && axis !== 0) || !fits(left, right, weight.type.shape[1]!)) return undefined
    const sums = scaleOfSums(left, right, Math.max(node.type.shape.length, 2) - 1)
    return isScale(sums) && elementCount(node.type.shape) > 0 && { through: [input, weight], left, right, sums }
  },
  apply: ({ left, right, sums }, builder, node) => {
    const { bias } = asOp(node, 'linear')!.operands
    const { shape } = left.stored.type
    const rows = shape.length === 1 ? { ...left, stored: reshapeTo(builder, left.stored, [1, ...shape]) } : left
    const transposed = builder.add('transpose', { input: right.stored }, { order: [1, 0] })
    const product = reshapeTo(builder, multiplied(builder, rows, right, transposed, sums), node.type.shape)
    return bias ? builder.add('add', { left: product, right: bias }) : product
  },
})

/** A bias that counts in the same steps as the sums is added to them. */
const bias = rule({
  name: 'bias-of-integers',
  note: 'add(dequantize(p), dequantize(q)) of i32 with one scale → dequantize(add(p, q))',
  root: 'add',
  match: (node) => {
    for (const [a, b] of [node.operands, node.operands.toReversed()] as [Node, Node][]) {
      const sums = decodedOf(a)
      if (sums?.dtype !== 'i32' || sums.quantization.zeroPoint.some((entry) => entry !== 0)) continue
      const { axis } = sums.quantization
      const [rank, other] = [node.type.shape.length, b.type.shape.length]
      if (a.type.shape.length !== rank || elementCount(a.type.shape) !== elementCount(node.type.shape)) continue
      const integers = integerBias(b, sums.quantization, axis === undefined ? 0 : axis - (rank - other))
      if (integers) return { through: [a, b], sums, integers }
    }
    return undefined
  },
  apply: ({ sums, integers }, builder) =>
    dequantized(builder, builder.add('add', { left: sums.stored, right: integers }), sums.quantization),
})

export const productRules: readonly Rule[] = [conv, matmul, linear, bias]
