import { inferType, ModelProblem, type Node, sameShape, sameType } from '../graph/index.ts'
import { asOp } from './match.ts'
import type { Pass } from './pass.ts'
import { applyRules, rule } from './rule.ts'

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

/** Elementwise ops broadcast by themselves. */
const underElementwise = rule({
  name: 'expand-under-elementwise',
  note: 'add(x, expand(y)) → add(x, y)',
  root: { trait: 'elementwise' },
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

/**
 * Expansions merge, and vanish where the shape stays or broadcasting does the same.
 *
 *     %2 = expand(%1) {shape: [4, 3]}
 *     %3 = add(%0, %2)                  →   %2 = add(%0, %1)
 */
export const simplifyExpand: Pass = {
  name: 'simplify-expand',
  summary: 'Merge expansions, leave broadcasting to elementwise ops',
  level: 'any',
  run: (graph, context) => applyRules(graph, context, [identity, compose, underElementwise]),
}
