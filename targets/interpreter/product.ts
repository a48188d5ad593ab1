import { elementCount } from '../../compiler/graph/type.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decodeNumbers, encode } from './values.ts'
import { broadcastAccess, walk } from './walk.ts'

export const productRows = {
  matmul: whole<'matmul'>(([left, right], _, result) => {
    const [a, b] = [decodeNumbers(left!), decodeNumbers(right!)]
    const [rows, inner] = left!.type.shape.slice(-2) as [number, number]
    const columns = right!.type.shape.at(-1)!
    const batch = result.shape.slice(0, -2)
    const c = new Float64Array(elementCount(result.shape))
    let target = 0
    const multiply = (source: number, other: number): void => {
      for (let row = 0; row < rows; row++, target += columns) {
        for (let k = 0; k < inner; k++) {
          const factor = a[source + row * inner + k]!
          const line = other + k * columns
          for (let column = 0; column < columns; column++) c[target + column]! += factor * b[line + column]!
        }
      }
    }
    const [leftBatch, rightBatch] = [left!, right!].map(({ type }) => broadcastAccess(type.shape.slice(0, -2), batch))
    walk(batch, leftBatch!, rightBatch!, (count, first, firstStep, second, secondStep) => {
      for (let i = 0; i < count; i++)
        multiply((first + i * firstStep) * rows * inner, (second + i * secondStep) * inner * columns)
    })
    return encode(result.dtype, c)
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
