import type { LoweringRule } from './scope.ts'

/** A vector is multiplied as a matrix of one row. */
const linear: LoweringRule<'linear'> = ({ input, weight, bias }, _, g, type) => {
  const rows = input.type.shape.length === 1 ? g.reshape(input, [1, ...input.type.shape]) : input
  const product = g.node('matmul', { left: rows, right: g.node('transpose', { input: weight }, { order: [1, 0] }) }, {})
  const result = rows === input ? product : g.reshape(product, type.shape)
  return bias ? g.add(result, bias) : result
}

export const productRules = { linear }
