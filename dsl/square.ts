import { type DType, elementCount, isFloat, reject } from '../compiler/graph/index.ts'
import { nodeOf } from './tracer.ts'

/** Each row and column that is eliminated is a handful of nodes; larger matrices are no work for a network. */
const largest = 32

/** Square matrices whose rows are eliminated one by one. */
export interface Squares {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Dimensions in front, and how many matrices they are. */
  readonly lead: readonly number[]
  readonly count: number
  /** Rows of each. */
  readonly size: number
}

/** What `[…, n, n]` of floats is, with n up to 32. Errors: `dtype-mismatch`, `shape-mismatch`, `too-large`. */
export function readSquares(op: string, input: unknown): Squares {
  const { dtype, shape } = nodeOf(input, op, 'input').type
  if (!isFloat(dtype)) reject('dtype-mismatch', `${op}: input is ${dtype}; convert it with cast()`)
  const [rows, columns] = shape.slice(-2)
  if (shape.length < 2 || rows !== columns || rows === 0)
    reject('shape-mismatch', `${op}: input must be […, n, n], got [${shape.join(', ')}]`)
  if (rows! > largest) reject('too-large', `${op}: matrices of ${rows} rows have more than the ${largest} that are eliminated`)
  const lead = shape.slice(0, -2)
  return { dtype, shape, lead, count: elementCount(lead), size: rows! }
}
