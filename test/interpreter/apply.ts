import { createBuilder, type DType, type TensorType } from '../../compiler/graph/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { decode, type Scalar } from '../../targets/interpreter/values.ts'
import { bytesOf } from '../support/compare.ts'

/** A tensor for tests: elements as numbers, or its bytes. */
export interface TestTensor {
  readonly type: TensorType
  readonly bytes: Uint8Array
}

export const tensor = (dtype: DType, shape: readonly number[], values: ArrayLike<number>): TestTensor => ({
  type: { dtype, shape },
  bytes: bytesOf({ dtype, shape }, values),
})

export function wideTensor(dtype: 'i64' | 'u64', shape: readonly number[], values: readonly bigint[]): TestTensor {
  const array = dtype === 'i64' ? BigInt64Array.from(values) : BigUint64Array.from(values)
  return { type: { dtype, shape }, bytes: new Uint8Array(array.buffer) }
}

export interface Applied extends TestTensor {
  readonly values: Scalar[]
}

/** Builds the node, so that inference and attribute defaults take part, and evaluates it. */
export function apply(op: string, operands: readonly TestTensor[], attributes: Readonly<Record<string, unknown>> = {}): Applied {
  const builder = createBuilder()
  const node = builder.addFlat(
    op,
    operands.map(({ type }, i) => builder.input(`x${i}`, type)),
    attributes,
  )
  const bytes = evaluate(
    node,
    operands.map((operand) => operand.bytes),
  )
  return { type: node.type, bytes, values: [...decode({ type: node.type, bytes })] }
}
