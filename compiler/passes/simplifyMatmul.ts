import { elementCount } from '../graph/index.ts'
import { reshapeTo } from './match.ts'
import { rule, rulePass } from './rule.ts'

/** OP-13. The right operand is read once for all rows in place of once for each matrix. */
const flatten = rule({
  name: 'matmul-of-shared-right',
  note: 'matmul(x[b, m, k], w[k, n]) → reshape(matmul(reshape(x, [b · m, k]), w), [b, m, n])',
  root: ['matmul', 'matmulInteger'],
  match: (node) => {
    const [left, right] = [node.operands[0]!.type.shape, node.operands[1]!.type.shape]
    const matrices = elementCount(left.slice(0, -2))
    return matrices > 1 && elementCount(right.slice(0, -2)) === 1 && elementCount(left) > 0 && { rows: matrices * left.at(-2)! }
  },
  apply: ({ rows }, builder, node) => {
    const [left, right] = node.operands
    const flat = reshapeTo(builder, left!, [rows, left!.type.shape.at(-1)!])
    const matrix = reshapeTo(builder, right!, right!.type.shape.slice(-2))
    return reshapeTo(builder, builder.addFlat(node.op, [flat, matrix], node.attributes), node.type.shape)
  },
})

/**
 * Products of many matrices with one become one product.
 *
 *     %2 = matmul(%0, %1)   // %0 : f32[8, 4, 16], %1 : f32[16, 32]
 *   →
 *     %2 = reshape(%0) {shape: [32, 16]}
 *     %3 = matmul(%2, %1)
 *     %4 = reshape(%3) {shape: [8, 4, 32]}
 */
export const simplifyMatmul = rulePass({
  name: 'simplify-matmul',
  summary: 'Multiply many matrices by one as one product',
  level: 'any',
  follows: [{ pass: 'simplify-expand', because: 'it takes away the expansion of one matrix over the others' }],
  rules: [flatten],
})
