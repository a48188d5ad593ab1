import { type Builder, type DType, type Node, type OpName, sameShape } from '../graph/index.ts'
import { asOp, expandTo, uniformValue } from './match.ts'
import type { Pass } from './pass.ts'
import { affineOf, affineSourceOf, isClosed, isNear, polynomialOf, productOf, type Trail } from './pattern.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

interface Found {
  readonly through: Trail
  readonly input: Node
}

/** A factor of a product as a function of another: what it is multiplied by, or nothing where it is none. */
type Gate = (factor: Node, x: Node, trail: Trail, dtype: DType) => number | undefined

/** x · gate(x) · constant where the constants make up `expected`. */
function gated(node: Node, gate: Gate, expected: number, context: MatchContext): Found | undefined {
  const { factor, over, under, through } = productOf(node, context)
  const { dtype, shape } = node.type
  if (over.length !== 2 || under.length > 0) return undefined
  for (const [i, x] of over.entries()) {
    const trail: Trail = [...through]
    const scale = gate(over[1 - i]!, x, trail, dtype)
    const fits = scale !== undefined && isNear(factor * scale, expected, dtype) && sameShape(x.type.shape, shape)
    if (fits && isClosed(node, trail, context)) return { through: trail, input: x }
  }
  return undefined
}

/** The only operand of an op. */
const argumentOf = (node: Node, op: OpName, trail: Trail): Node | undefined => {
  if (node.op !== op) return undefined
  trail.push(node)
  return node.operands[0]
}

/** scale · (f(…) + 1), however that was multiplied out: f, and the scale. */
function onePlus(node: Node, f: OpName, trail: Trail): { readonly argument: Node; readonly scale: number } | undefined {
  const inner = innermost(node, f)
  const affine = inner && affineOf(node, inner, trail)
  if (!affine || affine.scale !== affine.offset) return undefined
  trail.push(inner)
  return { argument: inner.operands[0]!, scale: affine.scale }
}

/** The node of an op under sums and products with constants. */
function innermost(node: Node, op: OpName): Node | undefined {
  for (let at = node, depth = 0; depth < 4; depth++) {
    if (at.op === op) return at
    if (!['add', 'mul', 'div', 'sub'].includes(at.op)) return undefined
    const varying = at.operands.filter((operand) => uniformValue(operand) === undefined)
    if (varying.length !== 1) return undefined
    at = varying[0]!
  }
  return undefined
}

const erfGate: Gate = (factor, x, trail, dtype) => {
  const sum = onePlus(factor, 'erf', trail)
  const argument = sum && polynomialOf(sum.argument, x, trail)
  return argument?.length === 2 && argument[0] === 0 && isNear(argument[1]!, Math.SQRT1_2, dtype) ? sum!.scale : undefined
}

/** √(2/π) · (x + 0.044715 · x³), times `by`: the constants of Hendrycks and Gimpel, "Gaussian Error Linear Units". */
function isGeluCubic(argument: Node, x: Node, by: number, trail: Trail, dtype: DType): boolean {
  const found = polynomialOf(argument, x, trail)
  const slope = by * Math.sqrt(2 / Math.PI)
  return (
    found?.length === 4 &&
    found[0] === 0 &&
    found[2] === 0 &&
    isNear(found[1]!, slope, dtype) &&
    isNear(found[3]!, slope * 0.044715, dtype)
  )
}

const tanhGate: Gate = (factor, x, trail, dtype) => {
  const sum = onePlus(factor, 'tanh', trail)
  return sum && isGeluCubic(sum.argument, x, 1, trail, dtype) ? sum.scale : undefined
}

/** (1 + tanh(y)) / 2 = sigmoid(2 · y) */
const cubicSigmoidGate: Gate = (factor, x, trail, dtype) => {
  const argument = argumentOf(factor, 'sigmoid', trail)
  return argument && isGeluCubic(argument, x, 2, trail, dtype) ? 1 : undefined
}

const geluErf = rule({
  name: 'erf-into-gelu',
  note: 'x / 2 · (1 + erf(x / √2)) → gelu(x)',
  root: ['mul', 'div'],
  match: (node, context) => gated(node, erfGate, 0.5, context),
  apply: ({ input }, builder) => builder.add('gelu', { input }, { approximate: 'none' }),
})

const geluTanh = rule({
  name: 'tanh-into-gelu',
  note: 'x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 · x³))) → gelu(x), also with sigmoid',
  root: ['mul', 'div'],
  match: (node, context) => gated(node, tanhGate, 0.5, context) ?? gated(node, cubicSigmoidGate, 1, context),
  apply: ({ input }, builder) => builder.add('gelu', { input }, { approximate: 'tanh' }),
})

/** The x of 1 + e^−x. */
function oneMinusPower(node: Node, trail: Trail): Node | undefined {
  const exp = node.op === 'add' ? node.operands.find(({ op }) => op === 'exp') : undefined
  if (!exp || !node.operands.some((operand) => uniformValue(operand) === 1)) return undefined
  const negated = exp.operands[0]!
  trail.push(node, exp)
  if (negated.op === 'negate') {
    trail.push(negated)
    return negated.operands[0]
  }
  return undefined
}

const sigmoid = rule({
  name: 'exp-into-sigmoid',
  note: '1 / (1 + exp(−x)) → sigmoid(x)',
  root: ['div', 'reciprocal'],
  match: (node, context) => {
    const { factor, over, under, through } = productOf(node, context)
    if (factor !== 1 || over.length > 0 || under.length !== 1) return undefined
    const trail: Trail = [...through]
    const input = oneMinusPower(under[0]!, trail)
    return input && sameShape(input.type.shape, node.type.shape) && isClosed(node, trail, context) && { through: trail, input }
  },
  apply: ({ input }, builder) => builder.add('sigmoid', { input }),
})

const silu = rule({
  name: 'sigmoid-into-silu',
  note: 'x · sigmoid(x), x / (1 + exp(−x)) → silu(x)',
  root: ['mul', 'div'],
  match: (node, context) => {
    const { factor, over, under, through } = productOf(node, context)
    if (under.length === 1 && over.length === 1 && factor === 1) {
      const trail: Trail = [...through]
      const input = oneMinusPower(under[0]!, trail)
      return input === over[0] && input && isClosed(node, trail, context) && { through: trail, input }
    }
    return gated(node, (gate, x, trail) => (argumentOf(gate, 'sigmoid', trail) === x ? 1 : undefined), 1, context)
  },
  apply: ({ input }, builder) => builder.add('silu', { input }),
})

/** log(1 + e^x), or the op: the x of it. */
function softplusArgument(node: Node, trail: Trail): Node | undefined {
  const whole = argumentOf(node, 'softplus', trail)
  if (whole) return whole
  const sum = argumentOf(node, 'log', trail)
  const exp = sum?.op === 'add' ? sum.operands.find(({ op }) => op === 'exp') : undefined
  if (!sum || !exp || !sum.operands.some((operand) => uniformValue(operand) === 1)) return undefined
  trail.push(sum, exp)
  return exp.operands[0]
}

const softplus = rule({
  name: 'log-of-one-plus-exp-into-softplus',
  note: 'log(1 + exp(x)) → softplus(x)',
  root: 'log',
  match: (node, context) => {
    const trail: Trail = []
    const input = softplusArgument(node, trail)
    return input && sameShape(input.type.shape, node.type.shape) && isClosed(node, trail, context) && { through: trail, input }
  },
  apply: ({ input }, builder) => builder.add('softplus', { input }),
})

const mish = rule({
  name: 'tanh-of-softplus-into-mish',
  note: 'x · tanh(softplus(x)) → mish(x)',
  root: 'mul',
  match: (node, context) =>
    gated(
      node,
      (gate, x, trail) => {
        const argument = argumentOf(gate, 'tanh', trail)
        return argument && softplusArgument(argument, trail) === x ? 1 : undefined
      },
      1,
      context,
    ),
  apply: ({ input }, builder) => builder.add('mish', { input }),
})

/** c · clamp(a · x + b, 0, 1 / c) as slope and offset of a hard sigmoid. */
function hardSigmoidOf(node: Node, factor: number, trail: Trail, context: Pick<MatchContext, 'isShared'>) {
  const whole = asOp(node, 'hardSigmoid')
  if (whole) {
    trail.push(node)
    const { slope, offset } = whole.attributes
    return factor === 1 ? { input: whole.operands.input, slope, offset } : undefined
  }
  const clamp = asOp(node, 'clamp')
  if (clamp?.attributes.minimum !== 0 || !isNear(factor * clamp.attributes.maximum, 1, node.type.dtype)) return undefined
  trail.push(node)
  const affine = affineSourceOf(clamp.operands.input, trail, context)
  return affine && { input: affine.x, slope: affine.scale * factor, offset: affine.offset * factor }
}

const hardSigmoid = rule({
  name: 'clamp-into-hard-sigmoid',
  note: 'clamp(a · x + b, 0, c) / c → hardSigmoid(x)',
  root: ['mul', 'div', 'clamp'],
  match: (node, context) => {
    const { factor, over, under, through } = productOf(node, context)
    if (over.length !== 1 || under.length > 0) return undefined
    const trail: Trail = [...through]
    const found = hardSigmoidOf(over[0]!, factor, trail, context)
    // A clamp alone, of nothing that is scaled or shifted, stays what it is.
    const changes = found && (found.input !== over[0]!.operands[0] || node.op !== 'clamp')
    return changes && isClosed(node, trail, context) && { through: trail, ...found }
  },
  apply: ({ input, slope, offset }, builder) => builder.add('hardSigmoid', { input }, { slope, offset }),
})

const hardSwish = rule({
  name: 'clamp-into-hard-swish',
  note: 'x · clamp(x + 3, 0, 6) / 6, x · hardSigmoid(x) with slope 1/6 and offset 1/2 → hardSwish(x)',
  root: ['mul', 'div'],
  match: (node, context) => {
    const { factor, over, under, through } = productOf(node, context)
    const { dtype, shape } = node.type
    if (over.length !== 2 || under.length > 0) return undefined
    for (const [i, x] of over.entries()) {
      const trail: Trail = [...through]
      const found = hardSigmoidOf(over[1 - i]!, factor, trail, context)
      // The sixth is compared as the number that it is rounded from: 0.1667 is another function.
      const fits = found?.input === x && isNear(found.slope, 1 / 6, dtype) && isNear(found.offset, 0.5, dtype)
      if (fits && sameShape(x.type.shape, shape) && isClosed(node, trail, context)) return { through: trail, input: x }
    }
    return undefined
  },
  apply: ({ input }, builder) => builder.add('hardSwish', { input }),
})

/** The constant that multiplies x in x · c. */
function slopeOf(node: Node, x: Node): number | undefined {
  if (node.op === 'negate' && node.operands[0] === x) return -1
  if (node.op !== 'mul' && node.op !== 'div') return undefined
  const [left, right] = node.operands as [Node, Node]
  const [factor, other] = left === x ? [right, left] : [left, right]
  const value = other === x && sameShape(node.type.shape, x.type.shape) ? uniformValue(factor) : undefined
  if (value === undefined) return undefined
  return node.op === 'mul' ? value : left === x ? 1 / value : undefined
}

/** OP-32: the factor must belong to the very operand that it is compared with; max(x, a · y) is something else. */
const leakyRelu = rule({
  name: 'maximum-into-leaky-relu',
  note: 'max(x, a · x) with 0 < a ≤ 1, min(x, a · x) with a ≥ 1 → leakyRelu(x)',
  root: ['maximum', 'minimum'],
  match: (node, context) => {
    for (const [i, input] of node.operands.entries()) {
      const scaled = node.operands[1 - i]!
      const slope = slopeOf(scaled, input)
      const fits = slope !== undefined && slope > 0 && (node.op === 'maximum' ? slope <= 1 : slope >= 1) && Number.isFinite(slope)
      if (fits && !context.isShared(scaled)) return { through: [scaled], input, slope }
    }
    return undefined
  },
  apply: ({ input, slope }, builder) => builder.add('leakyRelu', { input }, { slope }),
})

/** x and what is taken where it is negative, from a choice by its sign. */
function signChoice(node: Node): { readonly input: Node; readonly negative: Node; readonly condition: Node } | undefined {
  const { condition, whenTrue, whenFalse } = asOp(node, 'where')!.operands
  const [left, right] = condition.operands as [Node, Node]
  const zero = (operand: Node | undefined) => operand !== undefined && uniformValue(operand) === 0
  /** The side that NaN takes must be x itself, or what is computed from it. */
  const choice = (input: Node, negative: Node) => ({ input, negative, condition })
  const below = ['less', 'lessOrEqual'].includes(condition.op)
  const above = ['greater', 'greaterOrEqual'].includes(condition.op)
  if ((below && zero(right) && left === whenFalse) || (above && zero(left) && right === whenFalse))
    return choice(whenFalse, whenTrue)
  if ((above && zero(right) && left === whenTrue) || (below && zero(left) && right === whenTrue))
    return choice(whenTrue, whenFalse)
  return undefined
}

const choice = rule({
  name: 'choice-by-sign-into-activation',
  note: 'where(x < 0, s · x, x) → leakyRelu(x) or prelu(x, s), where(x < 0, 0, x) → relu(x)',
  root: 'where',
  match: (node, context) => {
    const found = signChoice(node)
    if (!found || context.isShared(found.condition) || !sameShape(found.input.type.shape, node.type.shape)) return undefined
    const { input, negative, condition } = found
    const through: Trail = [condition]
    // NaN would take the side of the zero where that is chosen by `x > 0`.
    if (uniformValue(negative) === 0)
      return node.operands[2] === input && ({ through, input, slope: 0 } as { through: Trail; input: Node; slope: number | Node })
    if (context.isShared(negative)) return undefined
    through.push(negative)
    const slope = slopeOf(negative, input)
    if (slope !== undefined) return { through, input, slope }
    const tensor =
      negative.op === 'mul' && negative.operands.includes(input) ? negative.operands.find((o) => o !== input) : undefined
    return tensor && broadcastsTo(tensor, input) && { through, input, slope: tensor }
  },
  apply: ({ input, slope }, builder) => activated(builder, input, slope),
})

const broadcastsTo = ({ type }: Node, to: Node): boolean =>
  type.shape.length <= to.type.shape.length &&
  type.shape.every((extent, i) => extent === 1 || extent === to.type.shape[to.type.shape.length - type.shape.length + i])

function activated(builder: Builder, input: Node, slope: number | Node): Node {
  if (slope === 0) return builder.add('relu', { input })
  return typeof slope === 'number' ? builder.add('leakyRelu', { input }, { slope }) : builder.add('prelu', { input, slope })
}

/** min(x, 0) times something, with sign: s · min(x, 0), or s · relu(−x) as −s · min(x, 0). */
function negativePart(
  node: Node,
  trail: Trail,
  context: MatchContext,
): { readonly x: Node; readonly factor: number; readonly rest: Node | undefined } | undefined {
  const { factor, over, under, through } = productOf(node, context)
  if (under.length > 0 || over.length > 2) return undefined
  trail.push(...through)
  for (const [i, part] of over.entries()) {
    const rest = over[1 - i]
    if (part.op === 'minimum' && uniformValue(part.operands[1]!) === 0) {
      trail.push(part)
      return { x: part.operands[0]!, factor, rest }
    }
    if (part.op === 'relu' && part.operands[0]!.op === 'negate') {
      trail.push(part, part.operands[0]!)
      return { x: part.operands[0]!.operands[0]!, factor: -factor, rest }
    }
  }
  return undefined
}

const preluOfParts = rule({
  name: 'parts-into-prelu',
  note: 'relu(x) + s · min(x, 0), relu(x) − s · relu(−x) → leakyRelu(x) or prelu(x, s)',
  root: ['add', 'sub'],
  match: (node, context) => {
    for (const [i, positive] of node.operands.entries()) {
      if (positive.op !== 'relu' || (node.op === 'sub' && i === 1)) continue
      const other = node.operands[1 - i]!
      const trail: Trail = [positive, other]
      const part = negativePart(other, trail, context)
      if (!part || part.x !== positive.operands[0] || !sameShape(part.x.type.shape, node.type.shape)) continue
      const factor = node.op === 'sub' ? -part.factor : part.factor
      // A tensor of slopes is taken as it is.
      const fits = part.rest ? factor === 1 && broadcastsTo(part.rest, part.x) : factor !== 0
      if (fits && isClosed(node, trail, context)) return { through: trail, input: part.x, slope: part.rest ?? factor }
    }
    return undefined
  },
  apply: ({ input, slope }, builder, node) => expandTo(builder, activated(builder, input, slope), node.type.shape),
})

/**
 * Recognises activations that were written, or exported, as arithmetic: gelu in both forms, silu, hardSwish, hardSigmoid, mish, softplus,
 * sigmoid, leakyRelu (OP-32), prelu and relu. Products are taken apart first, so that it does not matter where a constant stands; constants
 * must be what the function has, rounded. Numeric: rounding; where exponentials alone would overflow, the composites do not.
 *
 *     %1 = sigmoid(%0)
 *     %2 = mul(%0, %1)
 *   →
 *     %2 = silu(%0)
 */
export const raiseActivation: Pass = rulePass({
  name: 'raise-activation',
  summary: 'Recognise activations that were written as arithmetic',
  level: 'composite',
  follows: [{ pass: 'raise-clamp', because: 'hard activations are clamps of sums' }],
  rules: [geluErf, geluTanh, sigmoid, silu, softplus, mish, hardSwish, hardSigmoid, leakyRelu, choice, preluOfParts],
})
