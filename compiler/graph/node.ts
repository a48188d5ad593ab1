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
}

export const mainEntry = 'main'

export const inputName = (node: Node): string => node.attributes.name as string
