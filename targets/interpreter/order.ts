import { isFloat } from '../../compiler/graph/dtype.ts'
import { elementCount, type Shape } from '../../compiler/graph/type.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, encode, isWide, newValues, type Scalar, wrapping, wrappingWide } from './values.ts'
import { fromFront } from './walk.ts'

/** Calls `visit` with the first element of each row along an axis and the distance between its elements. */
function eachRow(shape: Shape, axis: number, visit: (first: number, step: number, row: number) => void): void {
  const step = elementCount(shape.slice(axis + 1))
  const outer = elementCount(shape.slice(0, axis))
  for (let lead = 0, row = 0; lead < outer; lead++)
    for (let i = 0; i < step; i++, row++) visit(lead * shape[axis]! * step + i, step, row)
}

/** Whether an element stands before another: above it, or below it, NaN being above all others. Equal ones do not. */
function precedes(largest: boolean, nanFirst: boolean): (a: Scalar, b: Scalar) => boolean {
  const isNaN = (x: Scalar) => typeof x === 'number' && Number.isNaN(x)
  return (a, b) => {
    if (isNaN(a) || isNaN(b)) return isNaN(a) !== isNaN(b) && isNaN(nanFirst ? a : b)
    return largest ? a > b : a < b
  }
}

const argument = (largest: boolean): Row<'argMax' | 'argMin'> =>
  whole(([input], { axis, last }, result) => {
    const { shape } = input!.type
    const along = fromFront(axis, shape.length)
    const values = decode(input!)
    const before = precedes(largest, true)
    const chosen = new BigInt64Array(elementCount(result.shape))
    if (chosen.length > 0)
      eachRow(shape, along, (first, step, row) => {
        let best = 0
        for (let j = 1; j < shape[along]!; j++) {
          const [x, y] = [values[first + j * step]!, values[first + best * step]!]
          if (before(x, y) || (last && !before(y, x))) best = j
        }
        chosen[row] = BigInt(best)
      })
    return encode('i64', chosen)
  })

/** Floats are combined in doubles. */
const running = (neutral: 0 | 1): Row<'cumSum' | 'cumProd'> =>
  whole(([input], { axis, exclusive, reverse }, result) => {
    const { dtype, shape } = input!.type
    const values = decode(input!)
    const totals = newValues(dtype, values.length)
    const [wide, narrow] = [wrappingWide(dtype), wrapping(dtype)]
    const meet = (a: any, b: any) => (neutral === 0 ? a + b : a * b)
    const combine = isWide(dtype)
      ? (a: any, b: any) => wide(meet(a, b))
      : isFloat(dtype)
        ? meet
        : (a: any, b: any) => narrow(neutral === 0 ? a + b : Math.imul(a, b))
    const along = fromFront(axis, shape.length)
    eachRow(shape, along, (first, step) => {
      let total: Scalar = isWide(dtype) ? BigInt(neutral) : neutral
      for (let j = 0; j < shape[along]!; j++) {
        const at = first + (reverse ? shape[along]! - 1 - j : j) * step
        if (exclusive) totals[at] = total
        total = combine(total, values[at])
        if (!exclusive) totals[at] = total
      }
    })
    return encode(result.dtype, totals)
  })

export const orderRows = {
  argMax: argument(true),
  argMin: argument(false),

  topKIndices: whole<'topKIndices'>(([input], { k, axis, largest }, result) => {
    const { shape } = input!.type
    const along = fromFront(axis, shape.length)
    const values = decode(input!)
    const before = precedes(largest, largest)
    const chosen = new BigInt64Array(elementCount(result.shape))
    eachRow(shape, along, (first, step) => {
      const at = (j: number) => values[first + j * step]!
      const order = Array.from({ length: shape[along]! }, (_, j) => j).sort((i, j) =>
        before(at(i), at(j)) ? -1 : before(at(j), at(i)) ? 1 : i - j,
      )
      const lead = Math.floor(first / (shape[along]! * step))
      for (let j = 0; j < k; j++) chosen[(lead * k + j) * step + (first % step)] = BigInt(order[j]!)
    })
    return encode('i64', chosen)
  }),

  cumSum: running(0),
  cumProd: running(1),
} satisfies { readonly [K in ComputedName]?: Row<K> }
