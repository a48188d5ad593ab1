import { broadcastNeed, refuse, type SplitRule } from '../rule.ts'

type Factors = SplitRule<'matmul'>

/** Columns come from the right operand, rows from the left one, what stands before them from both. */
const product: Factors = ({ operands: { left, right }, type }, axis, range) => {
  const rank = type.shape.length
  if (axis === rank - 1) return { needs: { left: 'all', right: { axis: right.shape.length - 1, range } } }
  if (axis === rank - 2) return { needs: { left: { axis: left.shape.length - 2, range }, right: 'all' } }
  return { needs: { left: broadcastNeed(left, type, axis, range), right: broadcastNeed(right, type, axis, range) } }
}

export const productRules: { readonly [K in 'matmul' | 'matmulInteger']: SplitRule<K> } = {
  matmul: product,
  matmulInteger: (whole, axis, range) => {
    const { rightZeroPoint } = whole.attributes
    const columns = axis === whole.type.shape.length - 1 && rightZeroPoint.length > 1
    const { needs } = product(whole as never, axis, range) as Exclude<ReturnType<Factors>, { refused: string }>
    return { needs, ...(columns && { attributes: { rightZeroPoint: rightZeroPoint.slice(range.start, range.end) } }) }
  },
}

/** Composites that targets keep. */
export const keptProductRules: { readonly [K in 'linear' | 'blockLinear' | 'dequantizeBlocks']: SplitRule<K> } = {
  blockLinear: ({ operands: { zeroPoint }, type }, axis, range) => {
    const features = axis === type.shape.length - 1
    const rows = features ? ({ axis: 0, range } as const) : 'all'
    return {
      needs: { input: features ? 'all' : { axis, range }, weight: rows, scale: rows, ...(zeroPoint && { zeroPoint: rows }) },
    }
  },
  dequantizeBlocks: ({ operands: { zeroPoint }, type }, axis, range) => {
    if (axis === type.shape.length - 1) return refuse('integers of a row share bytes and scales')
    const rows = { axis, range }
    return { needs: { packed: rows, scale: rows, ...(zeroPoint && { zeroPoint: rows }) } }
  },
  linear: ({ operands: { bias }, type }, axis, range) => {
    const features = axis === type.shape.length - 1
    const parameters = features ? ({ axis: 0, range } as const) : 'all'
    return { needs: { input: features ? 'all' : { axis, range }, weight: parameters, ...(bias && { bias: parameters }) } }
  },
}
