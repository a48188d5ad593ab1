// Sums and means of decoded integers are sums of the integers, decoded with the count in scale and zero point.
import { type Builder, elementCount, type Node, type Shape } from '../../graph/index.ts'
import { resolveAxes } from '../../graph/ops/shared.ts'
import { asOp } from '../match.ts'
import { type Rule, rule } from '../rule.ts'
import { type Decoded, decodedOf, dequantized, isByte, reachOf } from './encoding.ts'

/** Sums of this many stay within i32, whether or not the zero point was taken off. */
const fits = (decoded: Decoded, terms: number): boolean =>
  terms > 0 && terms * 2 * reachOf(decoded.dtype, decoded.quantization.zeroPoint) < 2 ** 31

/** The sum over axes of numbers, times `factor`. */
function summed(builder: Builder, decoded: Decoded, axes: readonly number[], keepDims: boolean, mean: boolean): Node {
  const { stored, quantization } = decoded
  const terms = elementCount(axes.map((axis) => stored.type.shape[axis]!))
  const wide = builder.add('cast', { input: stored }, { dtype: 'i32' })
  const sum = builder.add('reduceSum', { input: wide }, { axes: [...axes], keepDims })
  const scale = [Math.fround(quantization.scale[0]! / (mean ? terms : 1))]
  return dequantized(builder, sum, { scale, zeroPoint: [terms * quantization.zeroPoint[0]!] })
}

const reduce = rule({
  name: 'mean-of-integers',
  note: 'reduceMean(dequantize(q)) → dequantize(reduceSum(q)), n in the scale',
  root: ['reduceMean', 'reduceSum'],
  match: (node) => {
    const decoded = decodedOf(node.operands[0])
    if (!decoded || !isByte(decoded)) return undefined
    const { shape } = decoded.stored.type
    const axes = resolveAxes(node.attributes.axes as number[], shape.length, node.op)
    return fits(decoded, elementCount(axes.map((axis) => shape[axis]!))) && { through: [decoded.node], decoded, axes }
  },
  apply: ({ decoded, axes }, builder, node) =>
    summed(builder, decoded, axes, node.attributes.keepDims as boolean, node.op === 'reduceMean'),
})

/** How many elements of the input lie under each position of the window, over the spatial dimensions of the result. */
function countsOf(node: Node, input: Shape): number[] {
  const { window, stride, before, dilation } = asOp(node, 'avgPool')!.attributes
  const perAxis = window.map((taps, i) =>
    Array.from({ length: node.type.shape[2 + i]! }, (_, position) => {
      const first = position * stride[i]! - before[i]!
      const inside = (tap: number) => first + tap * dilation[i]! >= 0 && first + tap * dilation[i]! < input[2 + i]!
      return Array.from({ length: taps }, (_, tap) => tap).filter(inside).length
    }),
  )
  return perAxis.reduce((counts, axis) => counts.flatMap((count) => axis.map((entry) => count * entry)), [1])
}

/** A convolution of each channel with ones: padding adds nothing, as it should. A window over the whole plane is a plain sum. */
const pool = rule({
  name: 'pool-of-integers',
  note: 'avgPool(dequantize(q)) → dequantize(convInteger(q, ones)), n in the scale',
  root: 'avgPool',
  match: (node) => {
    const decoded = decodedOf(node.operands[0])
    return (
      decoded &&
      isByte(decoded) &&
      elementCount(node.type.shape) > 0 &&
      fits(decoded, elementCount(node.attributes.window as number[])) && { through: [decoded.node], decoded }
    )
  },
  apply: ({ decoded }, builder, node) => {
    const { window, countPadding, ...geometry } = asOp(node, 'avgPool')!.attributes
    const { stored, quantization } = decoded
    const { shape } = stored.type
    const [scale, zeroPoint] = [quantization.scale[0]!, quantization.zeroPoint[0]!]
    const counts = countPadding ? [elementCount(window)] : countsOf(node, shape)
    const whole = window.every((taps, i) => taps === shape[2 + i] && geometry.dilation[i] === 1)
    if (whole && elementCount(node.type.shape.slice(2)) === 1 && counts[0] === elementCount(window))
      return summed(builder, decoded, resolveAxes(undefined, shape.length, node.op).slice(2), true, true)
    const weight = builder.literal(
      { dtype: 'u8', shape: [shape[1]!, 1, ...window] },
      new Uint8Array(shape[1]! * elementCount(window)).fill(1),
      'ones',
    )
    const sums = builder.add(
      'convInteger',
      { input: stored, weight },
      { ...geometry, groups: shape[1]!, inputZeroPoint: zeroPoint, weightZeroPoint: [0] },
    )
    const uniform = counts.every((count) => count === counts[0])
    if (uniform) return dequantized(builder, sums, { scale: [Math.fround(scale / counts[0]!)], zeroPoint: [0] })
    const means = { dtype: 'f32' as const, shape: node.type.shape.slice(2) }
    const divisor = builder.literal(means, new Uint8Array(Float32Array.from(counts).buffer), 'counts')
    return builder.add('div', { left: dequantized(builder, sums, { scale: [scale], zeroPoint: [0] }), right: divisor })
  },
})

export const meanRules: readonly Rule[] = [reduce, pool]
