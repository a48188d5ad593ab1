import { type Node, type Shape, sameShape } from '../graph/index.ts'
import { resolveAxes } from '../graph/ops/shared.ts'
import { asOp, reshapeTo, uniformValue } from './match.ts'
import type { Pass } from './pass.ts'
import { hasElements, isClosed, meanOf, type Product, productOf, type Trail, trailingAxes } from './pattern.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

/** What a value is divided by: √(statistic + epsilon), in a product. */
interface Divisor {
  readonly statistic: Node
  readonly epsilon: number
}

/** A sum with a positive constant. */
function raised(node: Node): Divisor | undefined {
  if (node.op !== 'add') return undefined
  const [left, right] = node.operands as [Node, Node]
  const [statistic, epsilon] = uniformValue(right) === undefined ? [right, uniformValue(left)] : [left, uniformValue(right)]
  return epsilon !== undefined && epsilon > 0 && Number.isFinite(epsilon) ? { statistic, epsilon } : undefined
}

/** 1 / √(s + epsilon) among the factors of a product, and the product without it. */
function* divisors({ over, under }: Product): Generator<{ divisor: Divisor; rest: readonly Node[]; through: Trail }> {
  const found = (node: Node, inner: Node, rest: readonly Node[]) => {
    const divisor = raised(inner)
    return divisor && { divisor, rest, through: [node, inner] }
  }
  if (under.length === 1 && under[0]!.op === 'sqrt') {
    const match = found(under[0]!, under[0]!.operands[0]!, over)
    if (match) yield match
  }
  if (under.length > 0) return
  for (const [i, node] of over.entries()) {
    const inverse = node.op === 'rsqrt' || (node.op === 'pow' && uniformValue(node.operands[1]!) === -0.5)
    const match = inverse ? found(node, node.operands[0]!, over.toSpliced(i, 1)) : undefined
    if (match) yield match
  }
}

/** The mean of the squares of a value, over its last dimensions. */
function meanSquare(node: Node, trail: Trail, context: MatchContext): { readonly of: Node; readonly dims: number } | undefined {
  const mean = meanOf(node, trail, context)
  const dims = mean && trailingAxes(mean.axes, mean.input.type.shape.length)
  if (!dims) return undefined
  const { input } = mean
  const squared = input.op === 'mul' && input.operands[0] === input.operands[1]
  if (!squared && !(input.op === 'pow' && uniformValue(input.operands[1]!) === 2)) return undefined
  trail.push(input)
  return { of: input.operands[0]!, dims }
}

/** x − mean(x) over the last dimensions. */
function centredOf(node: Node, trail: Trail, context: MatchContext): { readonly input: Node; readonly dims: number } | undefined {
  const [input, subtracted] = node.operands as [Node, Node]
  if (node.op !== 'sub') return undefined
  const mean = meanOf(subtracted, trail, context)
  const dims = mean?.input === input ? trailingAxes(mean.axes, input.type.shape.length) : undefined
  trail.push(node)
  return dims ? { input, dims } : undefined
}

/** The variance of a value over its last dimensions, from the distances from its mean or as the op. */
function varianceOf(node: Node, distance: Node, dims: number, input: Node, trail: Trail, context: MatchContext): boolean {
  const whole = asOp(node, 'variance')
  if (whole) {
    const { axes, keepDims, correction } = whole.attributes
    const rank = input.type.shape.length
    trail.push(node)
    return (
      whole.operands.input === input &&
      keepDims &&
      correction === 0 &&
      trailingAxes(resolveAxes(axes, rank, 'variance'), rank) === dims
    )
  }
  const mean = meanSquare(node, trail, context)
  if (mean?.dims !== dims) return false
  if (mean.of === distance) return true
  // Exporters subtract the mean anew for the variance; the builder shares the two unless they were written differently.
  const again = centredOf(mean.of, trail, context)
  return again?.input === input && again.dims === dims
}

interface Normalised {
  readonly through: Trail
  readonly input: Node
  readonly dims: number
  readonly epsilon: number
  readonly rest: readonly Node[]
  readonly factor: number
}

type Normalisation = (
  x: Node,
  statistic: Node,
  trail: Trail,
  context: MatchContext,
) => Pick<Normalised, 'input' | 'dims'> | undefined

const asLayerNorm: Normalisation = (x, statistic, trail, context) => {
  const centred = centredOf(x, trail, context)
  return centred && varianceOf(statistic, x, centred.dims, centred.input, trail, context) ? centred : undefined
}

const asRmsNorm: Normalisation = (x, statistic, trail, context) => {
  const mean = meanSquare(statistic, trail, context)
  return mean?.of === x ? { input: x, dims: mean.dims } : undefined
}

/** One of the factors of a product, normalised by another; what else is multiplied stays. */
function normalised(node: Node, as: Normalisation, context: MatchContext): Normalised | undefined {
  if (!hasElements(node)) return undefined
  const product = productOf(node, context)
  for (const { divisor, rest, through } of divisors(product)) {
    for (const [i, x] of rest.entries()) {
      const trail: Trail = [...product.through, ...through]
      const found = sameShape(x.type.shape, node.type.shape) && as(x, divisor.statistic, trail, context)
      if (found && isClosed(node, trail, context))
        return { through: trail, ...found, epsilon: divisor.epsilon, rest: rest.toSpliced(i, 1), factor: product.factor }
    }
  }
  return undefined
}

const raising = (op: 'layerNorm' | 'rmsNorm', note: string, as: Normalisation) =>
  rule({
    name: op === 'layerNorm' ? 'normalised-rows-into-layer-norm' : 'rows-by-root-mean-square-into-rms-norm',
    note,
    root: ['mul', 'div'],
    match: (node, context) => normalised(node, as, context),
    apply: ({ input, dims, epsilon, rest, factor }, builder, node) => {
      const result = builder.add(op, { input }, { dims, epsilon })
      const scaled = rest.reduce((left, right) => builder.add('mul', { left, right }), result)
      return factor === 1 ? scaled : builder.add('mul', { left: scaled, right: builder.scalar(node.type.dtype, factor) })
    },
  })

const layerNorm = raising(
  'layerNorm',
  '(x − mean(x)) / √(mean((x − mean(x))²) + epsilon) → layerNorm(x), over the last dimensions',
  asLayerNorm,
)
const rmsNorm = raising('rmsNorm', 'x / √(mean(x²) + epsilon) → rmsNorm(x), over the last dimensions', asRmsNorm)

/** A value that is the same for every row of the last `dims` dimensions, in just these. */
function parameterShape(parameter: Node, input: Node, dims: number): Shape | undefined {
  const wanted = input.type.shape.slice(input.type.shape.length - dims)
  const { shape } = parameter.type
  const leading = shape.length - dims
  const fits = leading >= 0 && shape.slice(0, leading).every((extent) => extent === 1) && sameShape(shape.slice(leading), wanted)
  return fits && shape.length <= input.type.shape.length ? wanted : undefined
}

/** A norm that nobody else uses, and the other operand of a sum or product where it belongs to the last dimensions. */
function parameterOf(node: Node, context: MatchContext) {
  for (const [i, norm] of node.operands.entries()) {
    const parameter = node.operands[1 - i]!
    const found = asOp(norm, 'layerNorm') ?? asOp(norm, 'rmsNorm')
    if (!found || parameter === norm || context.isShared(norm)) continue
    const shape = parameterShape(parameter, found.operands.input, found.attributes.dims)
    if (shape) return { norm, parameter, shape, operands: found.operands, attributes: found.attributes }
  }
  return undefined
}

/** OP-51. */
const scale = rule({
  name: 'mul-into-norm',
  note: 'layerNorm(x, a, b) · c → layerNorm(x, a · c, b · c), likewise rmsNorm',
  root: 'mul',
  match: (node, context) => {
    const found = parameterOf(node, context)
    if (!found) return undefined
    const { scale, shift } = found.operands as { scale?: Node; shift?: Node }
    // What is known at build is multiplied there; at run time nothing may be computed that was not before.
    const free = [scale, shift].every((operand) => !operand || (operand.data && found.parameter.data))
    return free && { through: [found.norm], ...found, scale, shift }
  },
  apply: ({ norm, parameter, shape, operands, attributes, scale, shift }, builder) => {
    const factor = reshapeTo(builder, parameter, shape)
    const times = (left: Node | undefined) => left && builder.add('mul', { left, right: factor })
    if (norm.op === 'rmsNorm') return builder.add('rmsNorm', { input: operands.input, scale: times(scale) ?? factor }, attributes)
    const shifted = times(shift)
    return builder.add(
      'layerNorm',
      { input: operands.input, scale: times(scale) ?? factor, ...(shifted && { shift: shifted }) },
      attributes,
    )
  },
})

const shift = rule({
  name: 'add-into-layer-norm',
  note: 'layerNorm(x, a, b) + c → layerNorm(x, a, b + c)',
  root: 'add',
  match: (node, context) => {
    const found = parameterOf(node, context)
    if (found?.norm.op !== 'layerNorm') return undefined
    const { scale, shift } = found.operands as { scale?: Node; shift?: Node }
    // The op has no shift without a scale.
    return scale && (!shift || (shift.data && found.parameter.data)) && { through: [found.norm], ...found, scale, shift }
  },
  apply: ({ parameter, shape, operands, attributes, scale, shift }, builder) => {
    const offset = reshapeTo(builder, parameter, shape)
    const total = shift ? builder.add('add', { left: shift, right: offset }) : offset
    return builder.add('layerNorm', { input: operands.input, scale, shift: total }, attributes)
  },
})

/**
 * Recognises layer and root-mean-square normalisation over the last dimensions, and takes what follows into their parameters (OP-51).
 * A mean may be a sum divided by the count, a root an `rsqrt` or a power. Numeric: rounding.
 *
 *     %1 = reduceMean(%0) {axes: [1], keepDims: true}
 *     %2 = sub(%0, %1)
 *     %3 = mul(%2, %2)
 *     %4 = reduceMean(%3) {axes: [1], keepDims: true}
 *     %5 = sqrt(add(%4, 1e-5))
 *     %6 = div(%2, %5)
 *     %7 = mul(%6, %a)      // %a, %b : f32[64]
 *     %8 = add(%7, %b)
 *   →
 *     %8 = layerNorm(%0, %a, %b) {dims: 1, epsilon: 1e-5}
 */
export const raiseNormalization: Pass = rulePass({
  name: 'raise-normalization',
  summary: 'Recognise layer and RMS normalisation, and take scales and shifts into them',
  level: 'composite',
  rules: [layerNorm, rmsNorm, scale, shift],
})
