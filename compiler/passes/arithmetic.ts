// Rules of simplify-arithmetic that look at one node: identities, strength reduction, order of operands.
import { elementCount, isFloat, type Node, type OpName } from '../graph/index.ts'
import { asOp, expandTo, filled, isConstant, uniformValue } from './match.ts'
import { rule } from './rule.ts'

/** Right operands that leave the left one as it is. `x + 0` may turn −0 into 0, as any reordering of a sum may. */
const neutral: Partial<Record<OpName, number>> = {
  add: 0,
  sub: 0,
  mul: 1,
  div: 1,
  pow: 1,
  and: 1,
  or: 0,
  xor: 0,
  bitwiseOr: 0,
  bitwiseXor: 0,
  maximum: Number.NEGATIVE_INFINITY,
  minimum: Number.POSITIVE_INFINITY,
}

const identity = rule({
  name: 'neutral-operand',
  note: 'x + 0, x − 0, x · 1, x / 1, x ^ 1 → x',
  root: Object.keys(neutral) as OpName[],
  match: (node) => {
    const value = uniformValue(node.operands[1]!)
    return value !== undefined && value === neutral[node.op as OpName] && {}
  },
  apply: (_, builder, node) => expandTo(builder, node.operands[0]!, node.type.shape),
})

/** Right operands that decide the result. For floats, x · 0 is 0 only where x is finite. */
const absorbing: Partial<Record<OpName, readonly [operand: number, result: number]>> = {
  mul: [0, 0],
  and: [0, 0],
  or: [1, 1],
  bitwiseAnd: [0, 0],
  pow: [0, 1],
}

const absorption = rule({
  name: 'absorbing-operand',
  note: 'x · 0 → 0 (of floats only when they are assumed finite), x ^ 0 → 1',
  root: Object.keys(absorbing) as OpName[],
  match: (node, { assumeFinite }) => {
    const [operand, result] = absorbing[node.op as OpName]!
    const exact = node.op !== 'mul' || !isFloat(node.type.dtype) || assumeFinite
    return exact && uniformValue(node.operands[1]!) === operand && elementCount(node.type.shape) > 0 && { result }
  },
  apply: ({ result }, builder, node) => filled(builder, node.type, result),
})

/** 0 / 0 is NaN for floats and 0 for integers. */
const zeroDividend = rule({
  name: 'zero-dividend',
  note: '0 / x → 0 (of floats only when they are assumed finite and not 0)',
  root: 'div',
  match: (node, { assumeFinite }) => (!isFloat(node.type.dtype) || assumeFinite) && uniformValue(node.operands[0]!) === 0 && {},
  apply: (_, builder, node) => filled(builder, node.type, 0),
})

const constantToTheRight = rule({
  name: 'constant-to-the-right',
  note: 'c + x → x + c',
  root: { trait: 'commutative' },
  match: (node) => node.operands.length === 2 && isConstant(node.operands[0]!) && !isConstant(node.operands[1]!) && {},
  apply: (_, builder, node) => builder.addFlat(node.op, [node.operands[1]!, node.operands[0]!], node.attributes),
})

const involution = rule({
  name: 'twice-is-never',
  note: '−−x → x, not not x → x',
  root: ['negate', 'not'],
  match: (node) => node.operands[0]!.op === node.op && { through: [node.operands[0]!], input: node.operands[0]!.operands[0]! },
  apply: ({ input }) => input,
})

const idempotence = rule({
  name: 'twice-is-once',
  note: '|(|x|)| → |x|, max(x, x) → x',
  root: { trait: 'idempotent' },
  match: (node) => {
    const [first, second] = node.operands
    return (second ? first === second : first!.op === node.op) && {}
  },
  apply: (_, __, node) => node.operands[0]!,
})

const isNegation = (node: Node) => asOp(node, 'negate')

const addNegated = rule({
  name: 'add-of-negated',
  note: 'x + −y → x − y',
  root: 'add',
  match: (node) => {
    const { left, right } = asOp(node, 'add')!.operands
    // The negative of a constant is about to become one.
    for (const [term, other] of [
      [right, left],
      [left, right],
    ] as const) {
      const negated = isNegation(term)
      if (negated && !isConstant(negated.operands.input)) return { through: [term], left: other, right: negated.operands.input }
    }
    return undefined
  },
  apply: ({ left, right }, builder) => builder.add('sub', { left, right }),
})

const subtractNegated = rule({
  name: 'subtract-negated',
  note: 'x − −y → x + y',
  root: 'sub',
  match: (node) => {
    const negated = isNegation(node.operands[1]!)
    return negated && { through: [negated.node], right: negated.operands.input }
  },
  apply: ({ right }, builder, node) => builder.add('add', { left: node.operands[0]!, right }),
})

/** Exact for floats, and lets chains of constants meet. */
const subtractConstant = rule({
  name: 'subtract-constant',
  note: 'x − c → x + (−c)',
  root: 'sub',
  match: (node) => isFloat(node.type.dtype) && isConstant(node.operands[1]!) && !isConstant(node.operands[0]!) && {},
  apply: (_, builder, node) =>
    builder.add('add', { left: node.operands[0]!, right: builder.add('negate', { input: node.operands[1]! }) }),
})

const minusOne = rule({
  name: 'times-minus-one',
  note: 'x · −1, x / −1, 0 − x → −x',
  root: ['mul', 'div', 'sub'],
  match: (node) => {
    const [left, right] = node.operands as [Node, Node]
    const input =
      node.op === 'sub' ? (uniformValue(left) === 0 ? right : undefined) : uniformValue(right) === -1 ? left : undefined
    return input && !isConstant(input) && { input }
  },
  apply: ({ input }, builder, node) => expandTo(builder, builder.add('negate', { input }), node.type.shape),
})

/** The reciprocal of a power of two is exact, unless it is a subnormal or infinite. */
const divideByPowerOfTwo = rule({
  name: 'divide-by-power-of-two',
  note: 'x / 4 → x · 0.25',
  root: 'div',
  match: (node) => {
    const value = uniformValue(node.operands[1]!)
    const exponent = Math.log2(Math.abs(value ?? 0))
    return isFloat(node.type.dtype) && Number.isInteger(exponent) && Math.abs(exponent) <= 14 && { factor: 1 / value! }
  },
  apply: ({ factor }, builder, node) => {
    const [left, right] = node.operands as [Node, Node]
    return builder.add('mul', { left, right: filled(builder, right.type, factor) })
  },
})

/** √x differs from x ^ 0.5 at −∞ and −0 alone; x · x · x rounds once more. */
const power = rule({
  name: 'small-power',
  note: 'x ^ 2 → x · x, x ^ 3 → x · x · x, x ^ 0.5 → √x, x ^ −1 → 1 / x',
  root: 'pow',
  match: (node) => {
    const exponent = uniformValue(node.operands[1]!)
    return exponent !== undefined && [2, 3, 0.5, -1].includes(exponent) && !isConstant(node.operands[0]!) && { exponent }
  },
  apply: ({ exponent }, builder, node) => {
    const input = node.operands[0]!
    const times = (left: Node, right: Node) => builder.add('mul', { left, right })
    const result =
      exponent === 0.5
        ? builder.add('sqrt', { input })
        : exponent === -1
          ? builder.add('div', { left: builder.scalar(input.type.dtype, 1), right: input })
          : exponent === 2
            ? times(input, input)
            : times(times(input, input), input)
    return expandTo(builder, result, node.type.shape)
  },
})

export const arithmeticRules = [
  constantToTheRight,
  identity,
  absorption,
  zeroDividend,
  involution,
  idempotence,
  minusOne,
  power,
  divideByPowerOfTwo,
  subtractConstant,
  addNegated,
  subtractNegated,
]
