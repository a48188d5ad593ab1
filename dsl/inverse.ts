import { equal, greater, where } from './comparison.ts'
import { constant } from './constant.ts'
import { abs, cast, div, mul, sub } from './elementwise.ts'
import { concat } from './join.ts'
import { argMax } from './order.ts'
import { slice } from './parts.ts'
import { sum } from './reduce.ts'
import { expand, reshape } from './reshape.ts'
import { readSquares } from './square.ts'
import type { Tensor } from './tensor.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>

/**
 * Inverses of square matrices.
 *
 * Rows are eliminated one by one in f64, each by the largest element left in its column (Gauss and Jordan). A matrix without inverse gives
 * infinities and NaN.
 * @param input `[…, n, n]`, float; n up to 32
 */
export function inverse<X extends Tensor>(input: Guard<FloatProblem<'inverse', X>, X>): X {
  const { dtype, shape, count, size } = readSquares('inverse', input)
  const unit = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0))
  const begin = expand(constant('f64', [1, size, size], unit) as Any, [count, size, size])
  let both = concat([reshape(cast(input as Any, 'f64') as Any, [count, size, size]), begin], { axis: 2 }) as Any
  for (let step = 0; step < size; step++) both = eliminated(both, count, size, step)
  return reshape(cast(slice(both, { axis: 2, start: size }) as Any, dtype) as Any, [...shape]) as never
}

/** One column turned into that of the unit matrix, by the row with the largest element of those that are left. */
function eliminated(both: Any, count: number, size: number, step: number): Any {
  const places = constant(
    'i64',
    [1, size, 1],
    Array.from({ length: size }, (_, i) => i),
  ) as Any
  const column = slice(both, { axis: 2, start: step, stop: step + 1 }) as Any
  const sizes = where(greater(places, step - 1) as Any, abs(column) as Any, -1) as Any
  const best = argMax(sizes, { axis: 1, keepDims: true }) as Any
  const row = (chosen: Any): Any => sum(where(chosen, both, 0) as Any, { axes: 1, keepDims: true }) as Any
  const pivot = row(equal(places, best) as Any)
  const isHere = equal(places, step) as Any
  const displaced = slice(both, { axis: 1, start: step, stop: step + 1 }) as Any
  const exchanged = where(isHere, pivot, where(equal(places, best) as Any, displaced, both) as Any) as Any
  const unit = div(pivot, slice(pivot, { axis: 2, start: step, stop: step + 1 }) as Any) as Any
  const factors = reshape(slice(exchanged, { axis: 2, start: step, stop: step + 1 }) as Any, [count, size, 1]) as Any
  return where(isHere, unit, sub(exchanged, mul(factors, unit) as Any) as Any) as Any
}
