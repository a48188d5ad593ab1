import { type DType, definitionOf, dtypeFacts, type Node } from '../graph/index.ts'
import { asOp, constantElements } from './match.ts'
import { rule, rulePass } from './rule.ts'

const [least, most] = [-(2 ** 31), 2 ** 31 - 1]

/** Which operand of a node holds positions; −1 where none does. */
const indexOperand = (node: Node): number => Object.keys(definitionOf(node.op).operands).indexOf('indices')

/** Whether i32 holds every value of an integer dtype; ops take indices of any of these. */
const fitsI32 = (dtype: DType): boolean =>
  dtype === 'i32' || (dtypeFacts[dtype].bytes <= 2 && ['signed', 'unsigned'].includes(dtypeFacts[dtype].kind))

/** Positions that are known, or that were widened from i32 or less. What is neither may lie outside i32, and must then be refused as it was. */
const narrow = rule({
  name: 'indices-into-i32',
  note: 'gather(x, i64 constant), gather(x, cast(i, i64)) → the same with indices of i32',
  root: [
    'gather',
    'embedding',
    'embeddingBag',
    'raggedEmbeddingBag',
    'gatherElements',
    'gatherNd',
    'scatterElements',
    'scatterNd',
    'oneHot',
  ],
  match: (node) => {
    const at = indexOperand(node)
    const indices = node.operands[at]
    if (!indices || !['i64', 'u32'].includes(indices.type.dtype)) return undefined
    const known = constantElements(indices)
    if (known?.every((index) => index >= least && index <= most)) return { at, input: indices, through: [] }
    const cast = asOp(indices, 'cast')
    if (!cast || !fitsI32(cast.operands.input.type.dtype)) return undefined
    return { at, input: cast.operands.input, through: [cast.node] }
  },
  apply: ({ at, input }, builder, node) => {
    const narrowed = fitsI32(input.type.dtype) ? input : builder.add('cast', { input }, { dtype: 'i32' })
    return builder.addFlat(node.op, node.operands.with(at, narrowed), node.attributes)
  },
})

/**
 * OP-61. Positions take half the bytes where they are known to fit into 32 bits. No tensor has 2^31 elements (`maximumElements`).
 *
 *     %1 = constant @"rows" [3, 0, 2, 2] : i64[4]        %1 = cast(%"rows") {dtype: "i32"}
 *     %2 = gather(%0, %1) {axis: 0}                 →    %2 = gather(%0, %1) {axis: 0}
 */
export const narrowIndices = rulePass({
  name: 'narrow-indices',
  summary: 'Index with 32 bits in place of 64 where the positions are known to fit',
  level: 'any',
  follows: [{ pass: 'simplify-cast', because: 'conversions that only pass through are gone' }],
  rules: [narrow],
})
