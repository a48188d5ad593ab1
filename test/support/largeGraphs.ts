// Graphs of as many operations as asked for, in the shapes that networks have: what the pipeline's cost is measured on.
import { type Builder, createBuilder, type Graph, hasTrait, type Node } from '../../compiler/graph/index.ts'
import { f32 } from './graphs.ts'

/** Adds about `operations` operations to a builder and returns the outputs. Constants do not count. */
export type Family = (b: Builder, operations: number) => readonly Node[]

/** A constant of its own: equal labels, equal elements. */
function weight(b: Builder, label: string, ...shape: number[]): Node {
  const count = shape.reduce((product, extent) => product * extent, 1)
  let state = [...label].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7)
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    values[i] = state / 2 ** 32 - 0.5
  }
  return b.constant(f32(...shape), { label, read: () => new Uint8Array(values.buffer) })
}

const relu = (b: Builder, input: Node) => b.add('relu', { input })

function conv(b: Builder, input: Node, label: string, channels: number, size: number): Node {
  const pad = (size - 1) / 2
  return b.add(
    'conv',
    {
      input,
      weight: weight(b, `${label}.weight`, channels, input.type.shape[1]!, size, size),
      bias: weight(b, `${label}.bias`, channels),
    },
    { stride: [1, 1], before: [pad, pad], after: [pad, pad], dilation: [1, 1], groups: 1 },
  )
}

function batchNorm(b: Builder, input: Node, label: string): Node {
  const channels = input.type.shape[1]!
  const parameter = (name: string) => weight(b, `${label}.${name}`, channels)
  const variance = b.add('exp', { input: parameter('variance') })
  return b.add('batchNorm', { input, scale: parameter('scale'), shift: parameter('shift'), mean: parameter('mean'), variance })
}

const linear = (b: Builder, input: Node, label: string, features: number) =>
  b.add('linear', {
    input,
    weight: weight(b, `${label}.weight`, features, input.type.shape.at(-1)!),
    bias: weight(b, `${label}.bias`, features),
  })

const reshape = (b: Builder, input: Node, ...shape: number[]) => b.add('reshape', { input }, { shape })
const transpose = (b: Builder, input: Node, ...order: number[]) => b.add('transpose', { input }, { order })

function slice(b: Builder, input: Node, axis: number, from: number, length: number): Node {
  const { shape } = input.type
  return b.add(
    'slice',
    { input },
    {
      start: shape.map((_, i) => (i === axis ? from : 0)),
      size: shape.map((extent, i) => (i === axis ? length : extent)),
      step: shape.map(() => 1),
    },
  )
}

/** Elementwise work that cannot be folded into what is before it. */
const chain: Family = (b, operations) => {
  let x = b.input('x', f32(4, 256))
  for (let i = 0; i < operations; i += 4) {
    x = b.add('mul', { left: x, right: weight(b, `mul${i}`, 256) })
    x = b.add('sigmoid', { input: x })
    x = b.add('add', { left: x, right: weight(b, `add${i}`, 4, 256) })
    x = b.add('tanh', { input: x })
  }
  return [x]
}

/** conv, batch norm, relu, conv, batch norm, add, relu. */
const residual: Family = (b, operations) => {
  let x = b.input('x', f32(1, 8, 16, 16))
  for (let i = 0; i < operations; i += 9) {
    const inner = relu(b, batchNorm(b, conv(b, x, `a${i}`, 8, 3), `an${i}`))
    x = relu(b, b.add('add', { left: batchNorm(b, conv(b, inner, `b${i}`, 8, 3), `bn${i}`), right: x }))
  }
  return [x]
}

/** Attention with four heads and a gated feed-forward network. */
function transformerBlock(b: Builder, input: Node, label: string, norm: (x: Node, label: string) => Node): Node {
  const [rows, width, heads] = [8, 32, 4]
  const head = width / heads
  const normed = norm(input, `${label}.norm1`)
  const split = (name: string) =>
    transpose(b, reshape(b, linear(b, normed, `${label}.${name}`, width), 1, rows, heads, head), 0, 2, 1, 3)
  const [query, key, value] = [split('query'), split('key'), split('value')]
  const scores = b.add('matmul', { left: query!, right: transpose(b, key!, 0, 1, 3, 2) })
  const scaled = b.add('mul', { left: scores, right: b.scalar('f32', 1 / Math.sqrt(head)) })
  const weights = b.add('softmax', { input: scaled }, { axis: -1 })
  const mixed = reshape(b, transpose(b, b.add('matmul', { left: weights, right: value! }), 0, 2, 1, 3), 1, rows, width)
  const attended = b.add('add', { left: input, right: linear(b, mixed, `${label}.out`, width) })
  const again = norm(attended, `${label}.norm2`)
  const gate = linear(b, again, `${label}.gate`, 2 * width)
  const up = linear(b, again, `${label}.up`, 2 * width)
  const gated = b.add('mul', { left: b.add('mul', { left: gate, right: b.add('sigmoid', { input: gate }) }), right: up })
  return b.add('add', { left: attended, right: linear(b, gated, `${label}.down`, width) })
}

const transformer: Family = (b, operations) => {
  let x = b.input('x', f32(1, 8, 32))
  const norm = (input: Node, label: string) =>
    b.add('layerNorm', { input, scale: weight(b, `${label}.scale`, 32), shift: weight(b, `${label}.shift`, 32) })
  for (let i = 0; i < operations; i += 26) x = transformerBlock(b, x, `block${i}`, norm)
  return [x]
}

/** The same with layer norm spelled out, as exporters write it. */
const decomposed: Family = (b, operations) => {
  let x = b.input('x', f32(1, 8, 32))
  const mean = (input: Node) => b.add('reduceMean', { input }, { axes: [-1], keepDims: true })
  const norm = (input: Node, label: string) => {
    const centred = b.add('sub', { left: input, right: mean(input) })
    const variance = mean(b.add('mul', { left: centred, right: centred }))
    const root = b.add('sqrt', { input: b.add('add', { left: variance, right: b.scalar('f32', 1e-5) }) })
    const scaled = b.add('mul', { left: b.add('div', { left: centred, right: root }), right: weight(b, `${label}.scale`, 32) })
    return b.add('add', { left: scaled, right: weight(b, `${label}.shift`, 32) })
  }
  for (let i = 0; i < operations; i += 42) x = transformerBlock(b, x, `block${i}`, norm)
  return [x]
}

/** One value read by all, branches of two operations summed in a tree. */
const fan: Family = (b, operations) => {
  const x = b.input('x', f32(64, 8))
  let level: Node[] = []
  for (let i = 0; i < operations; i += 3)
    level.push(linear(b, b.add('tanh', { input: b.add('add', { left: x, right: b.scalar('f32', i) }) }), `l${i}`, 8))
  while (level.length > 1) {
    const next: Node[] = []
    for (let i = 0; i < level.length; i += 2)
      next.push(level[i + 1] ? b.add('add', { left: level[i]!, right: level[i + 1]! }) : level[i]!)
    level = next
  }
  return level
}

/** One value read by all, branches joined by one concat. */
const gathered: Family = (b, operations) => {
  const x = b.input('x', f32(16, 8))
  const parts = Array.from({ length: Math.ceil(operations / 2) }, (_, i) => b.add('tanh', { input: linear(b, x, `l${i}`, 4) }))
  return [b.add('concat', { inputs: parts }, { axis: 1 })]
}

/** Chains beside each other, each with an output of its own. */
const parallel: Family = (b, operations) => {
  const outputs: Node[] = []
  const x = b.input('x', f32(4, 16))
  for (let i = 0; i < operations; i += 20) {
    let y = b.add('mul', { left: x, right: weight(b, `start${i}`, 16) })
    for (let j = 0; j < 10; j++) y = b.add('tanh', { input: linear(b, y, `l${i}.${j}`, 16) })
    outputs.push(y)
  }
  return outputs
}

/** Channels split, one half convolved, joined along channels, shuffled: nothing but views and joins around small kernels. */
const splits: Family = (b, operations) => {
  let x = b.input('x', f32(1, 8, 8, 8))
  for (let i = 0; i < operations; i += 7) {
    const [left, right] = [slice(b, x, 1, 0, 4), slice(b, x, 1, 4, 4)]
    const joined = b.add('concat', { inputs: [left, relu(b, conv(b, right, `c${i}`, 4, 1))] }, { axis: 1 })
    x = reshape(b, transpose(b, reshape(b, joined, 1, 2, 4, 8, 8), 0, 2, 1, 3, 4), 1, 8, 8, 8)
  }
  return [x]
}

/** Joins along the last axis of parts that are sliced from it again. */
const inner: Family = (b, operations) => {
  let x = b.input('x', f32(16, 12))
  for (let i = 0; i < operations; i += 8) {
    const parts = [0, 1, 2].map((k) => linear(b, slice(b, x, 1, 4 * k, 4), `l${i}.${k}`, 4))
    x = b.add(
      'concat',
      {
        inputs: parts
          .toReversed()
          .map((part) => b.add('tanh', { input: part }))
          .slice(0, 2)
          .concat(parts[2]!),
      },
      { axis: 1 },
    )
  }
  return [x]
}

/** Blocks of eight layers, each of which reads all before it. */
const dense: Family = (b, operations) => {
  let x = b.input('x', f32(1, 4, 8, 8))
  for (let i = 0; i < operations; i += 25) {
    for (let j = 0; j < 8; j++) x = b.add('concat', { inputs: [x, relu(b, conv(b, x, `d${i}.${j}`, 4, 1))] }, { axis: 1 })
    x = conv(b, x, `t${i}`, 4, 1)
  }
  return [x]
}

export const families = {
  chain,
  residual,
  transformer,
  decomposed,
  fan,
  gathered,
  parallel,
  splits,
  inner,
  dense,
} satisfies Record<string, Family>

/** A graph of a family; its operations, which alone count, are `operations` or a few more. */
export function largeGraph(family: Family, operations: number): Graph {
  const builder = createBuilder()
  const outputs = family(builder, operations).map((value, i) => ({ name: `y${i}`, value }))
  const { nodes } = builder.finish('large', [], outputs)
  const inputs = nodes.filter((node) => hasTrait(node, 'storage') && node.data === undefined)
  return builder.finish('large', inputs, outputs)
}
