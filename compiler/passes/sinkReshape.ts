import { type Node, sameShape } from '../graph/index.ts'
import { asOp, isConstant, reshapeTo, withoutLeadingOnes } from './match.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

/** How many trailing dimensions two shapes have in common. */
function commonTail(a: readonly number[], b: readonly number[]): number {
  let count = 0
  while (count < Math.min(a.length, b.length) && a.at(-1 - count) === b.at(-1 - count)) count++
  return count
}

/**
 * Finds the reshapes among an elementwise op's operands when all come from one shape and every other operand means the same over that
 * shape: one that broadcasts along trailing dimensions that both shapes share, or a constant of the full shape. Constants may be
 * reshaped for it, other values not: that reshape would be the next to sink.
 */
function reshapesOf(node: Node, context: MatchContext) {
  const { shape } = node.type
  // A reshaped constant is about to be folded; moving it would bring it back.
  const isMoving = (operand: Node) =>
    operand.op === 'reshape' &&
    !isConstant(operand.operands[0]!) &&
    !context.isShared(operand) &&
    sameShape(operand.type.shape, shape)
  const through = node.operands.filter(isMoving)
  const inner = through[0]?.operands[0]?.type.shape
  if (!inner || through.some((operand) => !sameShape(operand.operands[0]!.type.shape, inner))) return undefined
  const tail = commonTail(inner, shape)
  const fits = (operand: Node) => {
    if (through.includes(operand)) return true
    const broadcasts = withoutLeadingOnes(operand.type.shape).length <= tail
    return isConstant(operand)
      ? broadcasts || sameShape(operand.type.shape, shape)
      : broadcasts && operand.type.shape.length <= inner.length
  }
  return node.operands.every(fits) ? { through, inner } : undefined
}

const belowElementwise = rule({
  name: 'reshape-below-elementwise',
  note: 'relu(reshape(x)) → reshape(relu(x))',
  root: { trait: 'elementwise' },
  match: reshapesOf,
  apply: ({ through, inner }, builder, node) => {
    const operands = node.operands.map((operand) => {
      if (through.includes(operand)) return asOp(operand, 'reshape')!.operands.input
      if (!isConstant(operand)) return operand
      const tail = withoutLeadingOnes(operand.type.shape)
      return reshapeTo(builder, operand, tail.length <= commonTail(inner, node.type.shape) ? tail : inner)
    })
    return builder.add('reshape', { input: builder.addFlat(node.op, operands, node.attributes) }, { shape: [...node.type.shape] })
  },
})

/**
 * OP-06. Moves reshapes below elementwise ops, which then stand next to what produced their operand and fuse with it.
 *
 *     %2 = reshape(%1) {shape: [2, 8]}        %2 = relu(%1)
 *     %3 = relu(%2)                      →    %3 = reshape(%2) {shape: [2, 8]}
 */
export const sinkReshape = rulePass({
  name: 'sink-reshape',
  summary: 'Move reshapes below elementwise ops',
  level: 'any',
  follows: [{ pass: 'simplify-reshape', because: 'what merges already need not move' }],
  rules: [belowElementwise],
})
