// Questions that rules ask about nodes, and small things they build.
import {
  type AttributesOf,
  attributesOf,
  type Builder,
  type ConstantData,
  type DType,
  elementCount,
  elementsOf,
  type Node,
  type OperandsOf,
  type OpName,
  operandsOf,
  type Shape,
  sameShape,
  type TensorType,
} from '../graph/index.ts'

/** A node of a known op, with its operands and attributes under their names. */
export interface Matched<K extends OpName> {
  readonly node: Node
  readonly operands: OperandsOf<K>
  readonly attributes: AttributesOf<K>
}

export function asOp<K extends OpName>(node: Node | undefined, op: K): Matched<K> | undefined {
  return node?.op === op ? { node, operands: operandsOf<K>(node), attributes: attributesOf<K>(node) } : undefined
}

export const isConstant = (node: Node): boolean => node.data !== undefined

/** Elements of a constant that rules look at one by one. */
const readableElements = 1 << 20
/** Elements of a constant of which it is worth asking whether they are all equal. */
const comparableElements = 1 << 14

export function constantElements(node: Node): readonly number[] | undefined {
  if (!node.data || elementCount(node.type.shape) > readableElements) return undefined
  const elements = elementsOf(node.type.dtype, node.data.read())
  return Array.from({ length: elements.length }, (_, i) => elements.get(i))
}

const uniforms = new WeakMap<ConstantData, Map<DType, number | undefined>>()

/** The value that all elements of a constant have; undefined when they differ, for other nodes, and for empty tensors. */
export function uniformValue(node: Node): number | undefined {
  const count = elementCount(node.type.shape)
  if (!node.data || count === 0 || count > comparableElements) return undefined
  const { dtype } = node.type
  // A double does not tell 64-bit integers beyond 2^53 apart; equal bytes do.
  const known = uniforms.get(node.data) ?? new Map<DType, number | undefined>()
  uniforms.set(node.data, known)
  if (!known.has(dtype)) {
    const bytes = node.data.read()
    const width = bytes.byteLength / count
    const equal = bytes.every((byte, i) => byte === bytes[i % width])
    known.set(dtype, equal ? elementsOf(dtype, bytes).get(0) : undefined)
  }
  return known.get(dtype)
}

/** Whether a value has one element, so that it fits every shape and order. */
export const isSingle = (node: Node): boolean => elementCount(node.type.shape) === 1

/** The value broadcast to a shape; itself where it has it already. */
export const expandTo = (builder: Builder, input: Node, shape: Shape): Node =>
  sameShape(input.type.shape, shape) ? input : builder.add('expand', { input }, { shape: [...shape] })

/** The value in another shape; itself where it has it already. */
export const reshapeTo = (builder: Builder, input: Node, shape: Shape): Node =>
  sameShape(input.type.shape, shape) ? input : builder.add('reshape', { input }, { shape: [...shape] })

/** A tensor whose elements all have one value. */
export const filled = (builder: Builder, { dtype, shape }: TensorType, value: number): Node =>
  expandTo(builder, builder.scalar(dtype, value), shape)

/** The axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

/** Entry i of a transpose's order, counted from the front. */
export const orderOf = ({ attributes, node }: Matched<'transpose'>): number[] =>
  attributes.order.map((axis) => fromFront(axis, node.type.shape.length))

/** `shape` without its leading ones. */
export function withoutLeadingOnes(shape: Shape): number[] {
  const first = shape.findIndex((extent) => extent !== 1)
  return first < 0 ? [] : shape.slice(first)
}
