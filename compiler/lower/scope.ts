import {
  type AttributesOf,
  type Builder,
  byteSize,
  type CompositeName,
  type DType,
  elementsOf,
  isFloat,
  type Node,
  type OperandsOf,
  type OpName,
  type Shape,
  type StorageName,
  type TensorType,
} from '../graph/index.ts'

const unaryNames = ['negate', 'abs', 'sqrt', 'exp', 'log', 'tanh', 'erf', 'sigmoid', 'not'] as const
const binaryNames = ['add', 'sub', 'mul', 'div', 'minimum', 'maximum', 'less', 'lessOrEqual', 'equal'] as const
type Unary = (typeof unaryNames)[number]
type Binary = (typeof binaryNames)[number]

/**
 * What a lowering rule builds with: `g.mul(g.exp(x), 0.5)`. Numbers become scalars of the other operand's dtype. All nodes get the
 * locations of the composite that is being lowered.
 */
export type Scope = { readonly [K in Unary]: (input: Node) => Node } & {
  readonly [K in Binary]: (left: Node | number, right: Node | number) => Node
} & {
  /** Any op, composites included: those are lowered in turn unless the target keeps them. */
  readonly node: <K extends Exclude<OpName, StorageName>>(op: K, operands: OperandsOf<K>, attributes: AttributesOf<K>) => Node
  readonly where: (condition: Node, whenTrue: Node | number, whenFalse: Node | number) => Node
  readonly cast: (input: Node, dtype: DType) => Node
  readonly reshape: (input: Node, shape: Shape) => Node
  readonly constant: (type: TensorType, values: readonly number[], label: string) => Node
  /** Adds over axes. */
  readonly sum: (input: Node, axes: readonly number[], keepDims: boolean) => Node
}

/** One row: builds the composite's value of type `type` from its operands. */
export type LoweringRule<K extends CompositeName> = (
  operands: OperandsOf<K>,
  attributes: AttributesOf<K>,
  g: Scope,
  type: TensorType,
) => Node

export function createScope(builder: Builder, node: Scope['node']): Scope {
  const scalar = (value: number, like: Node) => builder.scalar(like.type.dtype, value)
  const both = (left: Node | number, right: Node | number): { left: Node; right: Node } => {
    if (typeof left === 'number') return { left: scalar(left, right as Node), right: right as Node }
    return { left, right: typeof right === 'number' ? scalar(right, left) : right }
  }
  const unary = Object.fromEntries(unaryNames.map((op) => [op, (input: Node) => node(op, { input }, {})])) as Pick<Scope, Unary>
  const binary = Object.fromEntries(
    binaryNames.map((op) => [op, (left: Node | number, right: Node | number) => node(op, both(left, right), {})]),
  ) as Pick<Scope, Binary>
  return {
    ...unary,
    ...binary,
    node,
    where: (condition, whenTrue, whenFalse) => {
      const { left, right } = both(whenTrue, whenFalse)
      return node('where', { condition, whenTrue: left, whenFalse: right }, {})
    },
    cast: (input, dtype) => (input.type.dtype === dtype ? input : node('cast', { input }, { dtype })),
    reshape: (input, shape) => node('reshape', { input }, { shape: [...shape] }),
    constant: (type, values, label) => {
      const bytes = new Uint8Array(byteSize(type))
      const elements = elementsOf(type.dtype, bytes)
      for (const [i, value] of values.entries()) elements.set(i, value)
      return builder.literal(type, bytes, label)
    },
    sum: (input, axes, keepDims) => node('reduceSum', { input }, { axes: [...axes], keepDims }),
  }
}

/** Rules of several roundings compute 16-bit floats in f32 and round once at the end. */
export const inFloat32 =
  <K extends CompositeName>(rule: LoweringRule<K>): LoweringRule<K> =>
  (operands, attributes, g, type) => {
    const { dtype } = type
    if (!isFloat(dtype) || dtype === 'f32' || dtype === 'f64') return rule(operands, attributes, g, type)
    const widen = (value: unknown) =>
      value !== undefined && isFloat((value as Node).type.dtype) ? g.cast(value as Node, 'f32') : value
    const wide = Object.fromEntries(Object.entries(operands).map(([name, value]) => [name, widen(value)])) as OperandsOf<K>
    return g.cast(rule(wide, attributes, g, { dtype: 'f32', shape: type.shape }), dtype)
  }

/**
 * The elements of `input` at `indices` along `axis`, in the cheapest form: nothing, a slice, repetition, or a gather with constant
 * indices. Indices are within the axis.
 */
export function pick(g: Scope, input: Node, axis: number, indices: readonly number[]): Node {
  const { shape } = input.type
  const extent = shape[axis]!
  const step = indices.length > 1 ? indices[1]! - indices[0]! : 1
  const replaced = (list: readonly number[], value: number) => list.map((entry, i) => (i === axis ? value : entry))
  if (step !== 0 && indices.length > 0 && indices.every((index, i) => index === indices[0]! + i * step)) {
    if (indices.length === extent && step === 1) return input
    const zero = shape.map(() => 0)
    return g.node(
      'slice',
      { input },
      {
        start: replaced(zero, indices[0]!),
        size: replaced(shape, indices.length),
        step: replaced(
          shape.map(() => 1),
          step,
        ),
      },
    )
  }
  const times = indices.length / extent
  if (Number.isInteger(times) && indices.every((index, i) => index === Math.floor(i / times))) {
    const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]
    if (split.length <= 8) {
      const repeated = split.map((entry, i) => (i === axis + 1 ? times : entry))
      return g.reshape(g.node('expand', { input: g.reshape(input, split) }, { shape: repeated }), replaced(shape, indices.length))
    }
  }
  return g.node('gather', { input, indices: g.constant({ dtype: 'i32', shape: [indices.length] }, indices, 'indices') }, { axis })
}

/** The shape of a vector that lies along `axis` of a tensor of `rank` dimensions, for broadcasting. */
export const along = (axis: number, rank: number, length: number): number[] => [
  length,
  ...new Array<number>(rank - axis - 1).fill(1),
]
