import { isFloat, type Node } from '../graph/index.ts'
import { asOp, expandTo, fromFront, reshapeTo } from './match.ts'
import type { Pass } from './pass.ts'
import { isClosed } from './pattern.ts'
import { rule, rulePass } from './rule.ts'

interface Picked {
  readonly table: Node
  readonly indices: Node
}

/** Rows of a table by index. Where it is made element by element, that is better done to the rows that are picked. */
function pickedOf(node: Node): Picked | undefined {
  const [embedded, gathered] = [asOp(node, 'embedding'), asOp(node, 'gather')]
  const [table, indices] = embedded
    ? [embedded.operands.table, embedded.operands.indices]
    : [gathered?.operands.input, gathered?.operands.indices]
  if (!table || !indices || table.type.shape.length !== 2 || !isFloat(table.type.dtype) || table.type.quantization)
    return undefined
  if (gathered && (gathered.attributes.joined || fromFront(gathered.attributes.axis, 2) !== 0)) return undefined
  const isMade = ['cast', 'dequantize', 'storageCast'].includes(table.op)
  return isMade || indices.type.shape.length === 0 ? undefined : { table, indices }
}

/** One factor for each row that is picked: `[…, lookups, 1]`. */
const isPerRow = (factor: Node, rank: number): boolean =>
  factor.type.shape.at(-1) === 1 && factor.type.shape.length > 1 && factor.type.shape.length <= rank

const bag = rule({
  name: 'sum-of-picked-rows-into-embedding-bag',
  note: 'reduceSum(embedding(i, table)) over the indices → embeddingBag(i, table), also of rows times factors, and for means',
  root: ['reduceSum', 'reduceMean'],
  match: (root, context) => {
    const mean = root.op === 'reduceMean'
    const { operands, attributes } = asOp(root, mean ? 'reduceMean' : 'reduceSum')!
    const { input } = operands
    const rank = input.type.shape.length
    if (attributes.axes.length !== 1 || fromFront(attributes.axes[0]!, rank) !== rank - 2) return undefined
    const sides: readonly (readonly [Node, Node | undefined])[] =
      input.op === 'mul' ? [0, 1].map((i) => [input.operands[i]!, input.operands[1 - i]!] as const) : [[input, undefined]]
    for (const [rows, factor] of sides) {
      const picked = pickedOf(rows)
      if (!picked || (factor && !isPerRow(factor, rank)) || rows.type.shape.length !== rank) continue
      const through = factor ? [input, rows] : [rows]
      if (isClosed(root, through, context)) return { through, picked, factor, mean }
    }
    return undefined
  },
  apply: ({ picked: { table, indices }, factor, mean }, builder, node) => {
    const scale = factor && expandTo(builder, reshapeTo(builder, factor, factor.type.shape.slice(0, -1)), indices.type.shape)
    const bags = builder.add('embeddingBag', { indices, table, ...(scale && { scale }) }, { mean })
    return reshapeTo(builder, bags, node.type.shape)
  },
})

/**
 * Recognises bags: rows of a table that are picked by index, perhaps multiplied by a factor each, and added over the last dimension of the
 * indices. Whoever else uses the rows keeps them. Numeric: rounding.
 *
 *     %2 = embedding(%0, %1)                              // f32[64, 32, 16]
 *     %3 = reduceSum(%2) {axes: [1], keepDims: false}
 *   →
 *     %3 = embeddingBag(%0, %1)                           // f32[64, 16]
 */
export const raiseEmbeddingBag: Pass = rulePass({
  name: 'raise-embedding-bag',
  summary: 'Recognise sums of rows that are picked from a table',
  level: 'composite',
  rules: [bag],
})
