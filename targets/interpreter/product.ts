import { isFloat } from '../../compiler/graph/dtype.ts'
import { elementCount, type Shape } from '../../compiler/graph/type.ts'
import { integerProduct } from './integerProduct.ts'
import { entryOf, lessZeroPoint } from './quantized.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decodeNumbers, encode, wrapping } from './values.ts'
import { broadcastAccess, walk } from './walk.ts'

export const productRows = {
  matmul: whole<'matmul'>(([left, right], _, result) =>
    isFloat(result.dtype)
      ? encode(
          result.dtype,
          multiply(left!.type.shape, decodeNumbers(left!), right!.type.shape, decodeNumbers(right!), result.shape),
        )
      : integerProduct(left!, right!, result),
  ),

  /** Sums of whole numbers are exact in doubles and wrap at the end. */
  matmulInteger: whole<'matmulInteger'>(([left, right], { leftZeroPoint, rightZeroPoint }, result) => {
    const columns = right!.type.shape.at(-1)!
    const sums = multiply(
      left!.type.shape,
      lessZeroPoint(left!, () => leftZeroPoint),
      right!.type.shape,
      lessZeroPoint(
        right!,
        entryOf(rightZeroPoint, (i) => i % columns),
      ),
      result.shape,
    )
    return encode(result.dtype, sums.map(wrapping(result.dtype)))
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }

/** Products of the last two dimensions, over leading ones that broadcast. */
function multiply(left: Shape, a: Float64Array, right: Shape, b: Float64Array, result: Shape): Float64Array {
  const [rows, inner] = left.slice(-2) as [number, number]
  const columns = right.at(-1)!
  const batch = result.slice(0, -2)
  const c = new Float64Array(elementCount(result))
  let target = 0
  const addProduct = (source: number, other: number): void => {
    for (let row = 0; row < rows; row++, target += columns) {
      for (let k = 0; k < inner; k++) {
        const factor = a[source + row * inner + k]!
        const line = other + k * columns
        for (let column = 0; column < columns; column++) c[target + column]! += factor * b[line + column]!
      }
    }
  }
  const [leftBatch, rightBatch] = [left, right].map((shape) => broadcastAccess(shape.slice(0, -2), batch))
  walk(batch, leftBatch!, rightBatch!, (count, first, firstStep, second, secondStep) => {
    for (let i = 0; i < count; i++)
      addProduct((first + i * firstStep) * rows * inner, (second + i * secondStep) * inner * columns)
  })
  return c
}
