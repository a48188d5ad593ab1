import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import { elementCount, type TensorType } from '../../compiler/graph/type.ts'
import { decode, encode, isWide, newValues, type Scalar, type Tensor } from './values.ts'
import { broadcastAccess, walk } from './walk.ts'

/** Matrix product of integers, exact and then wrapped. */
export function integerProduct(left: Tensor, right: Tensor, { dtype, shape }: TensorType): Uint8Array {
  const [a, b] = [left, right].map((tensor) => Array.from<Scalar, bigint>(decode(tensor), BigInt)) as [bigint[], bigint[]]
  const [rows, inner] = left.type.shape.slice(-2) as [number, number]
  const columns = right.type.shape.at(-1)!
  const batch = shape.slice(0, -2)
  const result = newValues(dtype, elementCount(shape))
  const bits = dtypeFacts[dtype].bytes * 8
  const wrap = dtypeFacts[dtype].kind === 'signed' ? BigInt.asIntN : BigInt.asUintN
  const [leftBatch, rightBatch] = [left, right].map(({ type }) => broadcastAccess(type.shape.slice(0, -2), batch))
  let target = 0
  const multiply = (source: number, other: number): void => {
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        let total = 0n
        for (let k = 0; k < inner; k++) total += a[source + row * inner + k]! * b[other + k * columns + column]!
        const wrapped = wrap(bits, total)
        result[target++] = isWide(dtype) ? wrapped : Number(wrapped)
      }
  }
  walk(batch, leftBatch!, rightBatch!, (count, first, firstStep, second, secondStep) => {
    for (let i = 0; i < count; i++) multiply((first + i * firstStep) * rows * inner, (second + i * secondStep) * inner * columns)
  })
  return encode(dtype, result)
}
