import type { DType } from '../../compiler/graph/dtype.ts'
import type { AttributesOf, OpName, PrimitiveName, StorageName } from '../../compiler/graph/ops/index.ts'
import type { TensorType } from '../../compiler/graph/type.ts'
import type { Scalar, Tensor } from './values.ts'

/** Ops that compute something; storage is not computed. */
export type ComputedName = Exclude<PrimitiveName, StorageName>

/** Element types that an elementwise op is applied at. */
export interface Signature<K extends OpName = OpName> {
  readonly operands: readonly DType[]
  readonly result: DType
  readonly attributes: AttributesOf<K>
}

/** Operand elements to result element. Floats come back unrounded, integers wrapped into range, bool as 0 or 1. */
export type ScalarFunction = (a: any, b: any, c: any) => Scalar

/** How the interpreter computes an op: element by element, or from whole operands. */
export type Row<K extends OpName> =
  | { readonly kind: 'elementwise'; readonly scalar: (signature: Signature<K>) => ScalarFunction }
  | { readonly kind: 'whole'; readonly run: WholeFunction<K> }

/** Absent optional operands are missing from the end. Attributes are complete, as the builder parsed them. */
export type WholeFunction<K extends OpName> = (
  operands: readonly Tensor[],
  attributes: AttributesOf<K>,
  result: TensorType,
) => Uint8Array

export const elementwise = <K extends OpName>(scalar: (signature: Signature<K>) => ScalarFunction): Row<K> => ({
  kind: 'elementwise',
  scalar,
})
export const whole = <K extends OpName>(run: WholeFunction<K>): Row<K> => ({ kind: 'whole', run })
