import { elementCount, inferType, ModelProblem, type Node, sameShape, sameType } from '../graph/index.ts'
import { asOp, expandTo, isConstant, isSingle, reshapeTo, uniformValue } from './match.ts'
import { rule, rulePass } from './rule.ts'

const identity = rule({
  name: 'expand-to-same-shape',
  note: 'expand(x, shape of x) → x',
  root: 'expand',
  match: (node) => sameShape(node.type.shape, node.operands[0]!.type.shape) && {},
  apply: (_, __, node) => node.operands[0]!,
})

const compose = rule({
  name: 'expand-of-expand',
  note: 'expand(expand(x)) → expand(x)',
  root: 'expand',
  match: (node) => {
    const inner = asOp(node.operands[0], 'expand')
    return inner && { through: [inner.node], input: inner.operands.input }
  },
  apply: ({ input }, builder, node) => builder.add('expand', { input }, { shape: [...node.type.shape] }),
})

/** Whether the op gives the same type over these operands. */
function fits(node: Node, operands: readonly Node[]): boolean {
  try {
    return sameType(inferType(node.op, operands, node.attributes), node.type)
  } catch (error) {
    if (error instanceof ModelProblem) return false
    throw error
  }
}

/** OP-13, OP-35. These ops broadcast by themselves, a matrix product all but its last two dimensions. */
const underBroadcasting = rule({
  name: 'expand-under-broadcasting',
  note: 'add(x, expand(y)) → add(x, y), matmul(x, expand(y)) → matmul(x, y)',
  root: [{ trait: 'elementwise' }, 'matmul', 'matmulInteger'],
  match: (node) => {
    for (const [i, operand] of node.operands.entries()) {
      const expand = asOp(operand, 'expand')
      if (!expand) continue
      const operands = node.operands.with(i, expand.operands.input)
      if (fits(node, operands)) return { through: [operand], operands }
    }
    return undefined
  },
  apply: ({ operands }, builder, node) => builder.addFlat(node.op, operands, node.attributes),
})

/** The one element that a value repeats. */
const repeated = (node: Node): Node | undefined =>
  node.op === 'expand' && isSingle(node.operands[0]!) ? node.operands[0] : undefined

/** OP-23. Whatever order the elements are brought into, they are the same. */
const moved = rule({
  name: 'movement-of-repeated',
  note: 'slice(expand(c)) → expand(c)',
  root: ['reshape', 'transpose', 'slice', 'concat', 'pad'],
  match: (node) => {
    const element = node.operands[0] && repeated(node.operands[0])
    if (!element || elementCount(node.type.shape) === 0) return undefined
    const border = asOp(node, 'pad')?.attributes.value
    if (border !== undefined && uniformValue(element) !== border) return undefined
    return node.operands.every((operand) => repeated(operand) === element) && { through: [...node.operands], element }
  },
  apply: ({ element }, builder, node) => expandTo(builder, reshapeTo(builder, element, []), node.type.shape),
})

/** OP-23, OP-31. One element is computed at build in place of many at run time. */
const computed = rule({
  name: 'function-of-repeated',
  note: 'exp(expand(2)) → expand(exp(2)) for constants',
  root: [{ trait: 'elementwise' }, 'quantize', 'dequantize'],
  match: (node) => {
    const elements = node.operands.map((operand) => repeated(operand) ?? operand)
    const along = node.attributes.axis !== undefined
    const through = node.operands.filter((operand) => repeated(operand))
    return through.length > 0 && !along && elements.every((each) => isConstant(each) && isSingle(each)) && { through, elements }
  },
  apply: ({ elements }, builder, node) => {
    const operands = elements.map((element) => reshapeTo(builder, element, []))
    return expandTo(builder, builder.addFlat(node.op, operands, node.attributes), node.type.shape)
  },
})

/**
 * Expansions merge, and vanish where the shape stays or broadcasting does the same.
 *
 *     %2 = expand(%1) {shape: [4, 3]}
 *     %3 = add(%0, %2)                  →   %2 = add(%0, %1)
 */
export const simplifyExpand = rulePass({
  name: 'simplify-expand',
  summary: 'Merge expansions and move them behind what they repeat, or leave broadcasting to the op that reads them',
  level: 'any',
  rules: [identity, compose, underBroadcasting, moved, computed],
})
