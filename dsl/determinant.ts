import { equal, where } from './comparison.ts'
import { constant } from './constant.ts'
import { abs, cast, div, mul, negate, sub } from './elementwise.ts'
import { argMax } from './order.ts'
import { slice } from './parts.ts'
import { sum } from './reduce.ts'
import { reshape } from './reshape.ts'
import { readSquares } from './square.ts'
import type { Tensor } from './tensor.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>

type Leading<S> = any[] extends S ? any : S extends readonly [...infer L, any, any] ? L : any
/**
 * Determinant of square matrices.
 *
 * Rows are eliminated one by one in f64, each by the largest element left in its column (ONNX Det 22).
 * @param input `[…, n, n]`, float; n up to 32
 */
export function determinant<X extends Tensor>(
  input: Guard<FloatProblem<'determinant', X>, X>,
): Tensor<X['dtype'], Leading<X['shape']>> {
  const { dtype, lead, count, size: rows } = readSquares('determinant', input)
  let rest = reshape(cast(input as Any, 'f64') as Any, [count, rows, rows]) as Any
  let result: Any | undefined
  for (let size = rows; size > 0; size--) {
    const { pivot, smaller } = eliminate(rest, count, size)
    result = result ? (mul(result, pivot) as Any) : pivot
    if (smaller) rest = smaller
  }
  return reshape(cast(result!, dtype) as Any, [...lead]) as never
}

/** The largest element of the first column, negative where its row was exchanged, and the matrices without its column and its row. */
function eliminate(matrix: Any, count: number, size: number): { readonly pivot: Any; readonly smaller?: Any } {
  if (size === 1) return { pivot: reshape(matrix, [count]) as Any }
  const column = reshape(slice(matrix, { axis: 2, stop: 1 }) as Any, [count, size]) as Any
  const best = argMax(abs(column) as Any, { axis: 1, keepDims: true }) as Any
  const places = constant(
    'i64',
    [size],
    Array.from({ length: size }, (_, i) => i),
  )
  const chosen = reshape(equal(best, places) as Any, [count, size, 1]) as Any
  const row = sum(where(chosen, matrix, 0) as Any, { axes: 1, keepDims: true }) as Any
  // The first row takes the place of the chosen one, which leaves.
  const others = slice(where(chosen, slice(matrix, { axis: 1, stop: 1 }) as Any, matrix) as Any, { axis: 1, start: 1 }) as Any
  const pivot = slice(row, { axis: 2, stop: 1 }) as Any
  // A column of zeros makes the determinant zero, whatever the rest is.
  const divisor = where(equal(pivot, 0) as Any, 1, pivot) as Any
  const factors = div(slice(others, { axis: 2, stop: 1 }) as Any, divisor) as Any
  const smaller = sub(
    slice(others, { axis: 2, start: 1 }) as Any,
    mul(factors, slice(row, { axis: 2, start: 1 }) as Any) as Any,
  ) as Any
  const sign = where(equal(best, 0) as Any, reshape(pivot, [count, 1]) as Any, negate(reshape(pivot, [count, 1]) as Any) as Any)
  return { pivot: reshape(sign as Any, [count]) as Any, smaller }
}
