import type {
  AttributesOf,
  DType,
  Graph,
  Node,
  OperandsOf,
  OpName,
  Shape,
  StorageName,
  TensorType,
} from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxGraph } from '../model.ts'
import type { OnnxOp } from './accepted.ts'

/** A value of the ONNX graph that is being made. */
export interface Ref {
  readonly name: string
  readonly type: TensorType
}

/** Attributes of a node; a number is an integer, `float(x)` is not. */
export type GivenAttributes = Readonly<Record<string, number | string | readonly number[] | OnnxAttribute>>

export const float = (value: number): OnnxAttribute => ({ kind: 'float', value })

/** A node that has been written, over the values that it took. */
export interface Made {
  readonly node: Node
  readonly operands: readonly Ref[]
}

/** What a rule sees while it writes one node. */
export interface ExportContext {
  readonly opset: number
  /** What the node computes. */
  readonly type: TensorType
  /** Whether the version has the operator, for that element type where one is given. */
  offers(op: OnnxOp, dtype?: DType): boolean
  /**
   * Adds an ONNX node with one result of that type. Where the operator does not compute with the element type of its operand number
   * `main`, this operand and those of the same type are widened, and a result of that type is narrowed again.
   */
  emit(op: OnnxOp, inputs: readonly (Ref | undefined)[], type: TensorType, attributes?: GivenAttributes, main?: number): Ref
  /** The same with several results. Operands are of types that the operator takes. */
  emitAll(op: OnnxOp, inputs: readonly (Ref | undefined)[], types: readonly TensorType[], attributes?: GivenAttributes): Ref[]
  /** A small tensor; equal ones are one initialiser. */
  constant(dtype: DType, shape: Shape, values: readonly (number | bigint)[]): Ref
  /** A single element of the same type. */
  scalar(like: Ref, value: number): Ref
  /** The elements of a value that is known, such as a weight. */
  known(ref: Ref): Uint8Array | undefined
  /** What computes a value, where that is an op of ours and no constant or input. */
  madeBy(ref: Ref): Made | undefined
  /** The part of a concatenation that begins at an index of its axis and has so many entries, where it is one. */
  partOf(ref: Ref, axis: number, start: number, count: number): Ref | undefined
  /** As ONNX converts: of a float beyond the range of an integer nothing is promised. */
  convert(ref: Ref, dtype: DType): Ref
  /** What a node with several results gives, by where each lies in the bytes of all. */
  keep(name: string, parts: ReadonlyMap<number, Ref>): void
  resultAt(ref: Ref, offset: number): Ref | undefined
  /** Graphs that the node runs. */
  readonly bodies: readonly Graph[]
  /** Whether something takes the result that lies there. */
  wantsResult(offset: number): boolean
  /**
   * Body `index` of the node as a graph of ONNX: `inputs` stand for its own, `declared` are those that the graph has as inputs, others it takes
   * from around it. `finish` says what it gives, of what the body gives.
   */
  body(
    index: number,
    inputs: readonly Ref[],
    declared: readonly Ref[],
    finish?: (outputs: readonly Ref[], c: ExportContext) => readonly Ref[],
  ): OnnxGraph
  /** A name that nothing has yet. */
  unique(name: string): string
  /** Ends the export of this node. */
  inexpressible(what: string, remedy?: string): never
}

/** Writes one node; `undefined` where the version cannot say it, and simpler ops shall. */
export type ExportRule<K extends OpName> = (
  operands: OperandsOf<K, Ref>,
  attributes: AttributesOf<K>,
  c: ExportContext,
) => Ref | undefined

/** One row for each op of the graph language: an op without one does not compile. */
export type ExportRules = { readonly [K in Exclude<OpName, StorageName>]: ExportRule<K> }

/** Thrown by rules, caught by whoever knows the node's place. */
export class Inexpressible extends Error {
  readonly remedy: string | undefined
  constructor(what: string, remedy: string | undefined) {
    super(what)
    this.remedy = remedy
  }
}
