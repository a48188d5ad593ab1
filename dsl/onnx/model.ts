import type { DType } from '../../compiler/graph/index.ts'

/** An ONNX file as plain data: read, bounded and checked, functions and constant branches still in place. */
export interface OnnxModel {
  readonly irVersion: number
  /** Version of each operator domain that the file imports; `''` is ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>
  readonly producer: string
  readonly graph: OnnxGraph
  /** Functions of the file by `domain::name`, and `domain::name::overload` where they have one. */
  readonly functions: ReadonlyMap<string, OnnxFunction>
}

export interface OnnxGraph {
  readonly name: string
  /** Topologically sorted, every value made once. */
  readonly nodes: readonly OnnxNode[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly initializers: ReadonlyMap<string, OnnxTensor>
}

export interface OnnxFunction {
  readonly domain: string
  readonly name: string
  readonly overload?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly nodes: readonly OnnxNode[]
  readonly opsets: ReadonlyMap<string, number>
  readonly attributes: ReadonlyMap<string, OnnxAttribute | undefined>
}

export interface OnnxNode {
  readonly op: string
  /** `''` is ai.onnx. */
  readonly domain: string
  /** Tells functions of one name apart; absent almost always. */
  readonly overload?: string
  /** As in the file, may be empty. */
  readonly name: string
  /** `''` stands for an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
  /** Version of the node's operator domain, where it is not the one that the model imports: the node came out of a function. */
  readonly opset?: number
}

/** A named value of a graph's border. */
export interface OnnxValue {
  readonly name: string
  /** Absent where the file does not say, or says a type that is no tensor or has no `DType`; `type` names that. */
  readonly dtype?: DType
  /** A type of the file that no `DType` stands for, such as `string` or `sequence`. */
  readonly type?: string
  /** Absent where the rank is unknown; a string is a symbolic dimension, `undefined` one without a name. */
  readonly shape?: readonly (number | string | undefined)[]
}

/** 64-bit integers become the nearest number. */
export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'graph'; readonly value: OnnxGraph }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  /** Refers to an attribute of the function that the node stands in. */
  | { readonly kind: 'reference'; readonly value: string }
  | { readonly kind: 'other'; readonly value: string }

export interface OnnxTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** A type of the file that no `DType` stands for, such as `string`: `dtype` means nothing and `read` throws `onnx-unsupported`. */
  readonly unsupported?: string
  /** Bits of an element in the file, where they are fewer than the 8 of `dtype`. */
  readonly bits?: 2 | 4
  /** Little-endian dense row-major bytes of exactly that type, starting at a multiple of its width: a view of the file where it holds them so. */
  readonly read: () => Uint8Array
}
