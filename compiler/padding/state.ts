import type { Extent, Node } from '../graph/index.ts'
import type { Sizes } from './extent.ts'

/** What stands behind the part of an axis that the request fills. */
export interface Fill {
  readonly value: number
  /** Also where other axes are behind their own parts; otherwise only where these are within. */
  readonly everywhere: boolean
}

/** An axis of which requests fill a first part. */
export interface Axis {
  readonly extent: Extent
  /** Absent: anything, NaN and infinities included. */
  readonly fill?: Fill | undefined
}

/** What is known of a value at all sizes of its dimensions. Within their extents its elements are those of the model at the request's own size. */
export interface State {
  /** An entry for each axis, undefined where the axis has the same size in every request. */
  readonly axes: readonly (Axis | undefined)[]
  /** All elements are the size of `dim` plus a number. */
  readonly size?: { readonly dim: string; readonly plus: number } | undefined
  /**
   * All elements are whole numbers from 0 up to, not including, this: an extent at the size of the request, and at that of the bucket where
   * they are padding.
   */
  readonly below?: Extent | number | undefined
  /** All elements are this, padding included. */
  readonly uniform?: number | undefined
}

/** The nodes that one node of the model became, one for each combination of sizes that the model was built for. */
export type Family = readonly Node[]

/** What a rule is asked about: one operation of the model. */
export interface Question {
  readonly nodes: Family
  readonly operands: readonly Family[]
  readonly states: readonly State[]
  /** The smallest sizes that requests may give dimensions. */
  readonly least: Sizes
  /** The sizes that the nodes of a family were built for. */
  readonly at: readonly Sizes[]
  /** Says that padding would get into results here, and what to write instead. */
  mixes(message: string, help: string): void
  /** Asks for zeros in the padding of an operand along an axis: what stands there meets zeros, which NaN and infinities would survive. */
  guard(operand: number, axis: number): void
}

export type Rule = (question: Question) => State

export const nothing: State = { axes: [] }
export const plain = (rank: number): State => ({ axes: new Array<undefined>(rank).fill(undefined) })
/** Whether an axis has one element in every request. */
export const isSingle = (family: Family, axis: number): boolean => family.every(({ type }) => type.shape[axis] === 1)
export const isPadded = (state: State | undefined): boolean => state?.axes.some(Boolean) === true
/** The same extents with nothing known behind them. */
export const spoilt = (axes: State['axes']): State['axes'] => axes.map((axis) => axis && { extent: axis.extent })
export const rankOf = (family: Family): number => family[0]!.type.shape.length
export const resolve = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
