import type { AttributesOf, OperandsOf, OpName, PrimitiveName, StorageName, TensorType } from '../graph/index.ts'
import type { Range } from './range.ts'

/** What a part of a result needs of an operand: all of it, nothing of it, or a range of one dimension. */
export type Need = 'all' | 'none' | { readonly axis: number; readonly range: Range }

/** Why a node cannot be computed in parts along an axis. */
export interface Refusal {
  readonly refused: string
}

/** How a range of a node's result is computed: by the same op on parts of its operands. */
export interface Part<K extends OpName = OpName> {
  readonly needs: OperandsOf<K, Need>
  /** Attributes that differ from the node's own, such as the padding at the border of a part. */
  readonly attributes?: Partial<AttributesOf<K>>
}

/** What a rule is told of a node. */
export interface Whole<K extends OpName> {
  readonly operands: OperandsOf<K, TensorType>
  readonly attributes: AttributesOf<K>
  readonly type: TensorType
}

/** One row: the part of the result along `axis`, which is counted from the front. */
export type SplitRule<K extends OpName> = (whole: Whole<K>, axis: number, range: Range) => Part<K> | Refusal

export type SplitName = Exclude<PrimitiveName, StorageName>

export const refuse = (refused: string): Refusal => ({ refused })

export const isRefusal = (value: object): value is Refusal => 'refused' in value

/** A dimension of an operand that broadcasts to the result: all of it where it is repeated along the axis. */
export function broadcastNeed(operand: TensorType, type: TensorType, axis: number, range: Range): Need {
  const own = axis - type.shape.length + operand.shape.length
  return own < 0 || operand.shape[own] !== type.shape[axis] ? 'all' : { axis: own, range }
}

/** The list with one entry replaced. */
export const replaced = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((entry, i) => (i === index ? value : entry))
