import type { DType, TensorType } from '../../../compiler/graph/index.ts'
import type { Tensor } from '../../tensor.ts'
import type { OnnxNode, OnnxTensor } from '../model.ts'
import type { Vocabulary } from '../record/recorder.ts'
import type { SizeList } from './bounded/index.ts'

export type { Vocabulary }

/** A tensor of the model being imported; the rules know dtype and shape at run time alone. */
export type Value = Tensor<any, any>

/** A tensor whose elements the importer knows: shape arithmetic. Rules may return one in place of a tensor. */
export interface Known {
  readonly type: TensorType
  readonly bytes: Uint8Array
  /** Bits of an element in the file, where it has fewer than `type`. */
  readonly bits?: 2 | 4
}

/** What a rule sees of the node that it imports. Inputs are counted from 0; an optional one that is left out is absent. */
export interface OpContext {
  readonly node: OnnxNode
  /** Version of the node's operator domain that the file imports. */
  readonly opset: number
  readonly d: Vocabulary
  /** Inputs as written, absent optional ones included. */
  readonly inputCount: number
  readonly outputCount: number
  /** Whether output i has a name, so that somebody may use it. */
  wantsOutput(i: number): boolean
  has(i: number): boolean
  typeOf(i: number): TensorType
  /** Input i; a constant becomes a literal or a weight. Stops the import of this node when absent. */
  input(i: number): Value
  optional(i: number): Value | undefined
  /** Input i as a constant of the model, computed where it is not one yet. Stops the import of this node where it depends on data. */
  constantInput(i: number): Value
  /** Whether input i follows from constants alone; answers without computing it. */
  isConstant(i: number): boolean
  /** Elements of input i, where they follow from constants and shapes; undefined where they depend on data. */
  known(i: number): Known | undefined
  /** The same as numbers; stops the import of this node, naming the input, where they depend on data. `undefined` where the input is absent. */
  numbers(i: number): readonly number[] | undefined
  /** Attributes; the fallback is what absence means. Stops the import of this node where the kind is another or a needed one is absent. */
  int(name: string, fallback?: number): number
  float(name: string, fallback?: number): number
  text(name: string, fallback?: string): string
  ints(name: string): readonly number[] | undefined
  floats(name: string): readonly number[] | undefined
  tensor(name: string): OnnxTensor | undefined
  /** A result with known elements. */
  constant(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): Known
  /** A tensor with these elements in the model itself. */
  literal(dtype: DType, shape: readonly number[], values: readonly number[]): Value
  /** The same of any size, named after input i, which it was made of. */
  madeOf(i: number, known: Known): Value
  /** Input i, where it is sizes that data decides. */
  sizes(i: number): SizeList | undefined
  /** The most that the value of this name may hold along the axis that data decides, or may be, where whoever imports says it. */
  limit(name: string): number | undefined
  /** Something that whoever imports should know, told in the report. */
  note(what: string): void
  /** Stops the import of this node. `what` is said about the op, such as `auto_pad 'X' is unknown`; `remedy` what would help. */
  unsupported(what: string, remedy?: string): never
}

/** Imports one node: its first result, or a list with an entry for each output; `undefined` for outputs that nobody wants. */
export type OpRule = (context: OpContext) => Value | Known | readonly (Value | Known | undefined)[]

/** Rules by ONNX operator. One rule serves all versions: it asks `opset` where they differ. */
export type OpRules = Readonly<Record<string, OpRule>>
