import type { Attributes } from '../../compiler/graph/node.ts'
import { byteSize, type TensorType } from '../../compiler/graph/type.ts'
import { elementwiseRows } from './elementwise.ts'
import { movementRows } from './movement.ts'
import { orderRows } from './order.ts'
import { productRows } from './product.ts'
import { quantizedRows } from './quantized.ts'
import { reduceRows } from './reduce.ts'
import type { ComputedName, Row, ScalarFunction, Signature } from './row.ts'
import { scatterRows } from './scatter.ts'
import { runSteps } from './steps.ts'
import { exactElements, type Tensor } from './values.ts'
import { broadcastAccess } from './walk.ts'
import { windowRows } from './window.ts'

/** The meaning of every primitive op. A missing row does not compile. */
export const primitives: { readonly [K in ComputedName]: Row<K> } = {
  ...elementwiseRows,
  ...movementRows,
  ...scatterRows,
  ...orderRows,
  ...windowRows,
  ...productRows,
  ...quantizedRows,
  ...reduceRows,
}

export const isComputed = (op: string): op is ComputedName => Object.hasOwn(primitives, op)

function rowOf(op: string): Row<any> {
  if (!isComputed(op)) throw new Error(`the interpreter has no row for '${op}'`)
  return primitives[op]
}

/** The scalar function of an elementwise op. */
export function scalarFunction(op: string, signature: Signature<any>): ScalarFunction {
  const row = rowOf(op)
  if (row.kind !== 'elementwise') throw new Error(`'${op}' is not elementwise`)
  return row.scalar(signature)
}

/** Computes a primitive op from its operands. Throws EvaluationFault where a `checked` op refuses a value. */
export function applyPrimitive(op: string, operands: readonly Tensor[], attributes: Attributes, result: TensorType): Uint8Array {
  const row = rowOf(op)
  if (row.kind === 'whole') return row.run(operands, attributes, result)
  const loads = operands.map(({ type }, input) => ({
    kind: 'load' as const,
    input,
    access: broadcastAccess(type.shape, result.shape),
    dtype: type.dtype,
  }))
  const apply = { kind: 'apply' as const, op, arguments: loads.map((_, i) => i), attributes, dtype: result.dtype }
  const bytes = new Uint8Array(byteSize(result))
  const inputs = operands.map((operand) => exactElements(operand.type.dtype, operand.bytes))
  runSteps([...loads, apply], result.shape, {
    inputs,
    outputs: [{ step: loads.length, elements: exactElements(result.dtype, bytes) }],
    scalarFunction,
  })
  return bytes
}
