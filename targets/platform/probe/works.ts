// Small graphs of known work, one for each kind of node that processors have rates of their own for.
import { workOf } from '../../../compiler/cost/index.ts'
import { createBuilder, type Graph, type Node, type TensorType } from '../../../compiler/graph/index.ts'
import { kindsOf } from '../../../compiler/partition/roofline.ts'

export interface Work {
  /** The kind of node, as `kindsOf` names it. */
  readonly kind: string
  readonly graph: Graph
  readonly operations: number
}

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape })

/** A graph of one node whose operands are inputs, all of a size; weights are constants, as compilers lay those out. */
function work(make: (b: ReturnType<typeof createBuilder>) => { readonly node: Node; readonly inputs: readonly Node[] }): Work {
  const b = createBuilder()
  const { node, inputs } = make(b)
  return {
    kind: kindsOf(node)[0]!,
    graph: b.finish(`probe.${node.op}`, inputs, [{ name: 'result', value: node }]),
    operations: workOf(node).operations,
  }
}

const constant = (b: ReturnType<typeof createBuilder>, label: string, ...shape: number[]): Node =>
  b.constant(f32(...shape), {
    label,
    read: () =>
      new Uint8Array(Float32Array.from({ length: shape.reduce((a, c) => a * c, 1) }, (_, i) => ((i % 17) - 8) / 64).buffer),
  })

const convolution = (inner: number, outer: number, size: number, window: number, stride: number, groups = 1): Work =>
  work((b) => {
    const x = b.input('x', f32(1, inner, size, size))
    const pad = (window - 1) >> 1
    const node = b.add(
      'conv',
      { input: x, weight: constant(b, 'weight', outer, inner / groups, window, window) },
      { stride: [stride, stride], before: [pad, pad], after: [pad, pad], dilation: [1, 1], groups },
    )
    return { node, inputs: [x] }
  })

const product = (rows: number, inner: number, outer: number): Work =>
  work((b) => {
    const x = b.input('x', f32(rows, inner))
    return { node: b.add('linear', { input: x, weight: constant(b, 'weight', outer, inner) }), inputs: [x] }
  })

const batched = (batch: number, size: number): Work =>
  work((b) => {
    const [left, right] = [b.input('left', f32(batch, size, 64)), b.input('right', f32(batch, 64, size))]
    return { node: b.add('matmul', { left, right }), inputs: [left, right] }
  })

const attention = (length: number): Work =>
  work((b) => {
    const [query, key, value] = ['query', 'key', 'value'].map((name) => b.input(name, f32(1, 12, length, 64))) as [
      Node,
      Node,
      Node,
    ]
    return {
      node: b.add('attention', { query, key, value }, { scale: 0.125 }),
      inputs: [query, key, value],
    }
  })

const unary = (op: 'gelu' | 'tanh' | 'sigmoid'): Work =>
  work((b) => {
    const input = b.input('x', f32(128, 1024))
    return { node: b.add(op, { input }), inputs: [input] }
  })

const softmax = (): Work =>
  work((b) => {
    const input = b.input('x', f32(12, 128, 128))
    return { node: b.add('softmax', { input }, { axis: 2 }), inputs: [input] }
  })

const norm = (): Work =>
  work((b) => {
    const input = b.input('x', f32(1, 128, 768))
    return {
      node: b.add(
        'layerNorm',
        { input, scale: constant(b, 'scale', 768), shift: constant(b, 'bias', 768) },
        { dims: 1, epsilon: 1e-5 },
      ),
      inputs: [input],
    }
  })

/** All of them, several for kinds whose rate hangs on sizes. Made one by one: some have large inputs. */
export const works: readonly (() => Work)[] = [
  () => convolution(256, 128, 28, 1, 1),
  () => convolution(512, 2048, 7, 1, 1),
  () => convolution(64, 64, 56, 3, 1),
  () => convolution(128, 128, 28, 3, 1),
  () => convolution(256, 256, 14, 3, 1),
  () => convolution(512, 512, 7, 3, 1),
  () => convolution(128, 128, 56, 3, 2),
  () => convolution(512, 512, 14, 3, 2),
  () => convolution(256, 512, 56, 1, 2),
  () => convolution(3, 64, 224, 7, 2),
  () => convolution(96, 96, 28, 3, 1, 96),
  () => product(128, 768, 3072),
  () => product(128, 768, 768),
  () => product(64, 512, 512),
  () => batched(12, 128),
  () => batched(64, 27),
  () => attention(128),
  () => unary('gelu'),
  () => unary('tanh'),
  () => unary('sigmoid'),
  softmax,
  norm,
]
