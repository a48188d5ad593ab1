// What recipes for graphs are written with: a builder, choices that follow from a number, and tensors that suit them.
import {
  type AttributesIn,
  byteSize,
  createBuilder,
  type DType,
  elementCount,
  elementsOf,
  type Graph,
  isFloat,
  type Node,
  type OperandsOf,
  type OpName,
  type Shape,
  type StorageName,
  type TensorType,
  unknownLocation,
} from '../../compiler/graph/index.ts'
import type { Tensor } from '../../dsl/index.ts'
import { nodeOf, tensorOf, withTracer } from '../../dsl/tracer.ts'
import { mulberry } from '../support/randomGraph.ts'

type ComputedName = Exclude<OpName, StorageName>

export interface Sketch {
  below(limit: number): number
  pick<T>(list: readonly T[]): T
  /** True once in so many times. */
  chance(oneIn: number): boolean
  shuffled<T>(list: readonly T[]): T[]
  /** `parts` whole numbers from 1 on that sum to `total`, which is not smaller than `parts`. */
  cut(total: number, parts: number): number[]
  input(shape: Shape, dtype?: DType, more?: Pick<TensorType, 'quantization'>): Node
  /** A constant; elements between −1 and 1, or small whole numbers. */
  weight(shape: Shape, dtype?: DType, element?: (random: number) => number): Node
  scalar(value: number, like: Node): Node
  op<K extends ComputedName>(op: K, operands: OperandsOf<K>, attributes?: AttributesIn<K>): Node
  reshape(input: Node, shape: Shape): Node
  transpose(input: Node, order: readonly number[]): Node
  /** Part of one axis. */
  part(input: Node, axis: number, from: number, size: number): Node
  join(inputs: readonly Node[], axis: number): Node
  add(left: Node, right: Node): Node
  mul(left: Node, right: Node): Node
  /** One operand, element by element, by something that stays near 1 for what is near 1. */
  spice(input: Node): Node
  /** What functions of the vocabulary make of these tensors. */
  written(inputs: readonly Node[], body: (...tensors: Tensor<any, any>[]) => Tensor): Node
  /** The value is needed outside too. */
  keep(node: Node): void
}

/** Draws a graph, or the values that it is to give. */
export type Recipe = (s: Sketch) => readonly Node[] | Node

const spices = ['relu', 'tanh', 'sigmoid', 'negate', 'abs', 'silu', 'hardSwish', 'sin'] as const satisfies readonly OpName[]

/** The graph that a recipe draws from a number. */
export function sketched(seed: number, recipe: Recipe): Graph {
  const random = mulberry(seed)
  const builder = createBuilder()
  const inputs: Node[] = []
  const kept: Node[] = []
  const below = (limit: number) => Math.floor(random() * limit)
  const s: Sketch = {
    below,
    pick: (list) => list[below(list.length)]!,
    chance: (oneIn) => below(oneIn) === 0,
    shuffled(list) {
      const result = [...list]
      for (let i = result.length - 1; i > 0; i--) {
        const j = below(i + 1)
        ;[result[i], result[j]] = [result[j]!, result[i]!]
      }
      return result
    },
    cut(total, parts) {
      const sizes = new Array<number>(parts).fill(1)
      for (let rest = total - parts; rest > 0; rest--) sizes[below(parts)]!++
      return sizes
    },
    input(shape, dtype = 'f32', more = {}) {
      const node = builder.input(`x${inputs.length}`, { dtype, shape, ...more })
      inputs.push(node)
      return node
    },
    weight(
      shape,
      dtype = 'f32',
      element = (value) => (isFloat(dtype) ? value * 2 - 1 : Math.floor(value * 9) - (dtype === 'u8' ? 0 : 4)),
    ) {
      const type = { dtype, shape }
      const bytes = new Uint8Array(byteSize(type))
      const elements = elementsOf(dtype, bytes)
      const own = mulberry(below(2 ** 30))
      for (let i = 0; i < elements.length; i++) elements.set(i, element(own()))
      return builder.literal(type, bytes, 'random')
    },
    scalar: (value, like) => builder.scalar(like.type.dtype, value),
    op: (op, operands, attributes) => builder.add(op, operands, attributes),
    reshape: (input, shape) => s.op('reshape', { input }, { shape: [...shape] }),
    transpose: (input, order) => s.op('transpose', { input }, { order: [...order] }),
    part(input, axis, from, size) {
      const { shape } = input.type
      return s.op(
        'slice',
        { input },
        {
          start: shape.map((_, i) => (i === axis ? from : 0)),
          size: shape.map((extent, i) => (i === axis ? size : extent)),
          step: shape.map(() => 1),
        },
      )
    },
    join: (list, axis) => s.op('concat', { inputs: list }, { axis }),
    add: (left, right) => s.op('add', { left, right }),
    mul: (left, right) => s.op('mul', { left, right }),
    spice: (input) => s.op(s.pick(spices), { input }),
    written: (inputs, body) =>
      withTracer({ builder, location: () => unknownLocation }, () =>
        nodeOf(body(...inputs.map(tensorOf)), 'recipe', 'its result'),
      ),
    keep: (node) => kept.push(node),
  }
  const results = [recipe(s)].flat() as Node[]
  const values = [...new Set([...results, ...kept])].filter((node) => elementCount(node.type.shape) < 40_000)
  const outputs = values.map((value, i) => ({ name: `y${i}`, value }))
  const whole = builder.finish('fuzz', [], outputs)
  const reached = new Set(whole.nodes)
  return builder.finish(
    'fuzz',
    inputs.filter((input) => reached.has(input)),
    outputs,
  )
}
