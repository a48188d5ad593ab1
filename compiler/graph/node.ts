import type { Location } from './location.ts'
import type { TensorType } from './type.ts'

/** What attributes hold: JSON, plus the numbers JSON lacks (infinities, NaN). */
export type AttributeValue = number | boolean | string | readonly AttributeValue[]
export type Attributes = Readonly<Record<string, AttributeValue>>

/**
 * The payload of a constant. Compared by identity: a weights file hands out one object for each tensor, the builder one for
 * each distinct content that it computed itself. `read` may go to disk; it returns little-endian dense row-major bytes.
 */
export interface ConstantData {
  /** The tensor's name in its file, or a description of how it came about. Used in listings, never for identity. */
  readonly label: string
  readonly read: () => Uint8Array
}

/** Every op has one result, so a node is its value. Nodes are immutable and shared: equal pure nodes of a builder are one object. */
export interface Node {
  /** Position in the order of creation within one builder; operands have smaller ids. */
  readonly id: number
  readonly op: string
  /** In the order of the op's definition; absent trailing optional operands are left out. */
  readonly operands: readonly Node[]
  readonly attributes: Attributes
  readonly type: TensorType
  /** Present on `constant` alone. */
  readonly data?: ConstantData
  /** Graphs that the node runs, as many as its op says; they read nothing but their inputs and constants. Absent where there are none. */
  readonly bodies?: readonly Graph[]
}

export interface Output {
  readonly name: string
  readonly value: Node
}

export interface Graph {
  readonly name: string
  /** `input` nodes in the order of declaration, used or not. */
  readonly inputs: readonly Node[]
  readonly outputs: readonly Output[]
  /** All inputs and everything the outputs reach, operands before users. */
  readonly nodes: readonly Node[]
  /** Outside identity: merging nodes unions their locations. */
  readonly locations: ReadonlyMap<Node, readonly Location[]>
}

/** What a model is to the compiler: a graph for each of its entries. A model with one `forward` has the one entry `main`. */
export interface ModelGraph {
  readonly name: string
  /** In the order of declaration, at least one. The graphs bear the model's name. */
  readonly entries: readonly { readonly name: string; readonly graph: Graph }[]
  /** Present where several of the entries stand for one that callers see, each for other sizes of its dimensions. */
  readonly buckets?: readonly BucketedEntry[]
  /** What sessions carry from one run to the next, in the order of declaration; absent where nothing is carried. */
  readonly states?: readonly ModelState[]
}

/**
 * A value that a session carries from one run to the next. Graphs know nothing of it: to them it is an input and an output, and what they compute
 * depends on their inputs alone. Callers see neither.
 */
export interface ModelState {
  readonly name: string
  /** The input that is its value before a run, the output that is its value from then on. An entry has both, either or none; without the output it stays as it was. */
  readonly input: string
  readonly output: string
  readonly type: TensorType
  /** What a session begins with, dense; zeros where absent. */
  readonly initial?: ConstantData
}

/** How much of a dimension a request fills, where it gives dimension `dim` the size n: ⌊(n · times + plus) / over⌋. */
export interface Extent {
  readonly dim: string
  readonly times: number
  readonly plus: number
  readonly over: number
}

/** A tensor as callers see it: each dimension has a size, or is as long as the request makes it. */
export interface BucketedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly (number | Extent)[]
}

/** One entry to callers, several to the compiler: one for each combination of the sizes that its dimensions are compiled for. */
export interface BucketedEntry {
  readonly name: string
  /** Sizes ascend; `least` is the smallest that callers may pass. */
  readonly dims: readonly { readonly name: string; readonly sizes: readonly number[]; readonly least: number }[]
  /** Entries of the model, one for each combination of sizes; those of the last dimension change fastest. */
  readonly entries: readonly string[]
  readonly inputs: readonly BucketedTensor[]
  readonly outputs: readonly BucketedTensor[]
}

export const mainEntry = 'main'

export const inputName = (node: Node): string => node.attributes.name as string

/** The input of a graph through which it learns what size a request gives a dimension. Callers do not see it; no name of theirs has a dot. */
export const sizeInput = (dim: string): string => `${dim}.size`

/** The output of a graph that says how much of an axis of another is filled: one integer. Callers see the other alone, cut to it. */
export const countOutput = (output: string, axis: number): string => `${output}.count${axis}`
