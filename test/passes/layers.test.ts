import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Node, verifyGraph } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import { compileUntil } from '../../compiler/pipeline.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph, type TestGraph } from '../support/expression.ts'
import { expectEqualGraphs } from '../support/sensitivity.ts'
import { conv, image, reshape, slice, window } from './shorthand.ts'
import { passSuite } from './suite.ts'

const normalise = (g: TestGraph, input: Node, channels: number, from: TestGraph['weight'] | TestGraph['input'] = g.weight) =>
  g.op('batchNorm', {
    input,
    scale: g.weight('scale', [channels]),
    shift: g.weight('shift', [channels]),
    mean: from('mean', [channels]),
    variance: g.weight('variance', [channels], (i) => 0.3 + i),
  })
const factor = 'div(@scale, sqrt(add(@variance, 0.000009999999747378752)))'

passSuite(passes.raiseLinear, ({ rewrites, leaves }) => {
  rewrites(
    'OP-39, OP-38 matmul and bias',
    (g) =>
      g.op('add', {
        left: g.op('matmul', { left: g.input('x', [2, 3]), right: g.weight('w', [3, 4]) }),
        right: g.input('b', [1, 4]),
      }),
    { into: 'linear(x, transpose(@w), reshape(b))', numeric: true, prepares: 'what folds into the weights of layers' },
  )
  const packed = (g: TestGraph, scale = g.weight('scale', [4, 2])) =>
    g.op(
      'dequantizeBlocks',
      { packed: g.weight('q', [4, 4], (i) => (i * 37) % 256, 'u8'), scale },
      { bits: 4, blockSize: 4, size: 8 },
    )
  const blocks = { numeric: true, attributes: true, prepares: 'integers that are decoded as they are multiplied' } as const
  rewrites(
    'a linear layer of integers in blocks',
    (g) => g.op('linear', { input: g.input('x', [2, 8]), weight: packed(g), bias: g.input('b', [4]) }),
    blocks,
  )
  rewrites(
    'a product with integers in blocks, turned',
    (g) =>
      g.op('matmul', {
        left: g.input('x', [2, 3, 8]),
        right: g.op('transpose', { input: packed(g) }, { order: [1, 0] }),
      }),
    blocks,
  )
  leaves('leaves integers in blocks along the outputs', (g) => g.op('matmul', { left: g.input('x', [2, 4]), right: packed(g) }))
  leaves('leaves a product of two inputs', (g) => g.op('matmul', { left: g.input('x', [2, 3]), right: g.input('w', [3, 4]) }))
  leaves('leaves a product of integers', (g) =>
    g.op('matmul', { left: g.input('x', [2, 3], 'i64'), right: g.weight('w', [3, 4], (i) => i, 'i64') }),
  )
  leaves('leaves a term for each row', (g) =>
    g.op('add', {
      left: g.op('linear', { input: g.input('x', [4, 3]), weight: g.weight('w', [4, 3]) }),
      right: g.input('b', [4, 1]),
    }),
  )
  leaves('leaves a bias on a value that is needed without it', (g) => {
    const linear = g.op('linear', { input: g.input('x', [2, 3]), weight: g.weight('w', [4, 3]) })
    return [g.op('add', { left: linear, right: g.input('b', [4]) }), linear]
  })
  const sequence = (g: TestGraph, more: object = {}, length = 2) =>
    g.op(
      'conv',
      { input: g.input('x', [2, 6, length]), weight: g.weight('w', [4, 6, 2]), bias: g.weight('b', [4]) },
      { stride: [1], before: [0], after: [0], dilation: [1], groups: 1, ...more },
    )
  rewrites('OP-39 a convolution that sees all of a sequence', (g) => sequence(g), {
    into: 'reshape(linear(reshape(x), reshape(@w), @b))',
    numeric: true,
    prepares: 'vectors along the outputs',
  })
  leaves('leaves a window that slides', (g) => sequence(g, {}, 3))
  leaves('leaves a window over padding', (g) => sequence(g, { before: [1], after: [1] }))
})

passSuite(passes.foldBatchNorm, ({ rewrites, leaves }) => {
  rewrites('OP-19 after a convolution', (g) => normalise(g, conv(g, image(g)), 3), {
    into: `conv(x, mul(@w, reshape(${factor})), sub(@shift, mul(@mean, ${factor})))`,
    numeric: true,
  })
  rewrites(
    'OP-19 after a linear layer with bias',
    (g) =>
      normalise(g, g.op('linear', { input: g.input('x', [2, 3]), weight: g.weight('w', [4, 3]), bias: g.weight('b', [4]) }), 4),
    {
      into: `linear(x, mul(@w, reshape(${factor})), add(mul(@b, ${factor}), sub(@shift, mul(@mean, ${factor}))))`,
      numeric: true,
    },
  )
  const transposed = (g: TestGraph, groups: number) =>
    g.op(
      'convTranspose',
      { input: g.input('x', [1, 4, 3, 3]), weight: g.weight('w', [4, 3, 2, 2]) },
      { ...window, stride: [2, 2], extra: [0, 0], groups },
    )
  rewrites('OP-19 after a transposed convolution', (g) => normalise(g, transposed(g, 1), 3), { numeric: true })
  rewrites('OP-19 after a transposed convolution of groups', (g) => normalise(g, transposed(g, 2), 6), { numeric: true })
  leaves('OP-19 not when the convolution has another user', (g) => {
    const value = conv(g, image(g))
    return [normalise(g, value, 3), value]
  })
  leaves('OP-19 not with statistics that are inputs', (g) => normalise(g, conv(g, image(g)), 3, g.input as never))
  leaves('not where the features are not dimension 1', (g) =>
    normalise(g, g.op('linear', { input: g.input('x', [2, 4, 3]), weight: g.weight('w', [4, 3]) }), 4),
  )
})

test('OP-19 what a normalisation scales is a constant in the end, whichever dimension of the weight are the channels', () => {
  for (const groups of [1, 2]) {
    const g = createTestGraph()
    const layer = g.op(
      'convTranspose',
      { input: g.input('x', [1, 128, 2, 2]), weight: g.weight('w', [128, 64, 2, 2]) },
      { ...window, stride: [2, 2], extra: [0, 0], groups },
    )
    const graph = g.graph(normalise(g, layer, 64 * groups))
    const { optimised } = compileUntil(graph, { target: interpreter, evaluate }, 'optimised')
    assert.equal(
      optimised!.nodes.map(({ op }) => op).filter((op) => op !== 'constant'),
      ['input', 'convTranspose'],
    )
  }
})

passSuite(passes.foldAffine, ({ rewrites, leaves }) => {
  rewrites(
    'OP-16 factors after a convolution',
    (g) => g.op('mul', { left: conv(g, image(g)), right: g.weight('c', [3, 1, 1]) }),
    { into: 'conv(x, mul(@w, reshape(reshape(@c))))', numeric: true },
  )
  rewrites(
    'OP-18 terms after a convolution',
    (g) => g.op('add', { left: conv(g, image(g)), right: g.weight('c', [1, 3, 1, 1]) }),
    { into: 'conv(x, @w, reshape(@c))', numeric: true },
  )
  rewrites(
    'factors before a convolution',
    (g) => conv(g, g.op('mul', { left: image(g), right: g.number(1 / 255) }), { before: [1, 1] }),
    { into: 'conv(x, mul(@w, 0.003921568859368563))', numeric: true },
  )
  rewrites(
    'OP-18 terms after a transposed convolution',
    (g) =>
      g.op('add', {
        left: g.op(
          'convTranspose',
          { input: g.input('x', [1, 2, 3, 3]), weight: g.weight('w', [2, 3, 2, 2]), bias: g.weight('b', [3]) },
          { ...window, stride: [2, 1], extra: [0, 0], groups: 1 },
        ),
        right: g.weight('c', [3, 1, 1]),
      }),
    { numeric: true, into: 'convTranspose(x, @w, add(@b, reshape(@c)))' },
  )
  rewrites(
    'OP-17 factors after a batch norm',
    (g) => g.op('mul', { left: normalise(g, image(g), 2), right: g.weight('c', [2, 1, 1]) }),
    { numeric: true, into: 'batchNorm(x, mul(@scale, reshape(@c)), mul(@shift, reshape(@c)), @mean, @variance)' },
  )
  rewrites(
    'OP-17 terms after a batch norm',
    (g) => g.op('add', { left: normalise(g, image(g), 2), right: g.weight('d', [1, 2, 1, 1]) }),
    { numeric: true, into: 'batchNorm(x, @scale, add(@shift, reshape(@d)), @mean, @variance)' },
  )
  rewrites(
    'OP-17 a factor after a group norm',
    (g) =>
      g.op('mul', {
        left: g.op('groupNorm', { input: image(g), scale: g.weight('s', [2]) }, { groups: 2 }),
        right: g.number(3),
      }),
    { numeric: true, into: 'groupNorm(x, mul(@s, 3))' },
  )
  leaves('OP-17 a factor after a group norm without a scale', (g) =>
    g.op('mul', { left: g.op('groupNorm', { input: image(g) }, { groups: 2 }), right: g.number(3) }),
  )
  leaves('leaves factors for each column', (g) => g.op('mul', { left: conv(g, image(g)), right: g.weight('c', [3]) }))
  leaves('leaves factors that are inputs', (g) => g.op('mul', { left: conv(g, image(g)), right: g.input('c', [3, 1, 1]) }))
  leaves('leaves factors that would overflow', (g) => g.op('mul', { left: conv(g, image(g)), right: g.number(1e30) }))
  leaves('leaves division by 0', (g) => g.op('div', { left: conv(g, image(g)), right: g.number(0) }))
})

passSuite(passes.simplifyMatmul, ({ rewrites, leaves }) => {
  rewrites(
    'OP-13 one matrix for many',
    (g) => g.op('matmul', { left: g.input('x', [2, 3, 4]), right: g.input('w', [1, 4, 5]) }),
    {
      into: 'reshape(matmul(reshape(x, shape: [6, 4]), reshape(w, shape: [4, 5])), shape: [2, 3, 5])',
      attributes: true,
      prepares: 'one product that reads the right operand once',
    },
  )
  leaves('OP-13 a matrix for each', (g) => g.op('matmul', { left: g.input('x', [2, 3, 4]), right: g.input('w', [2, 4, 5]) }))
  leaves('OP-13 two matrices', (g) => g.op('matmul', { left: g.input('x', [3, 4]), right: g.input('w', [4, 5]) }))
})

passSuite(passes.mergeProducts, ({ rewrites, leaves }) => {
  /** Convolutions of one element over a feature map with few results, as the heads of detectors are. */
  const head = (g: TestGraph, input: Node, name: string, out: number) =>
    g.op(
      'conv',
      { input, weight: g.weight(name, [out, input.type.shape[1]!, 1, 1]), bias: g.weight(`${name}Bias`, [out]) },
      { ...window, groups: 1 },
    )
  rewrites(
    'OP-09 heads over one feature map',
    (g) => {
      const x = g.input('x', [1, 64, 64, 65])
      return ['scores', 'boxes'].map((name, i) =>
        g.op('reshape', { input: head(g, x, name, 2 + 2 * i) }, { shape: [2 + 2 * i, 4160] }),
      )
    },
    { numeric: true, prepares: 'one reading of the map' },
  )
  const project = (g: TestGraph, input: Node, name: string, out: number, bias = true) => {
    const inner = input.type.shape.at(-1)!
    return g.op('linear', { input, weight: g.weight(name, [out, inner]), ...(bias && { bias: g.weight(`${name}Bias`, [out]) }) })
  }
  const heads = (g: TestGraph, input: Node) => g.op('softmax', { input: reshape(g, input, [2, -1]) }, { axis: -1 })
  rewrites(
    'OP-09 query, key and value of one token; zeros where one has no bias',
    (g) => {
      const x = g.op('tanh', { input: g.input('x', [1, 16]) })
      return ['query', 'key', 'value'].map((name, i) => heads(g, project(g, x, name, 8, i > 0)))
    },
    { numeric: true, prepares: 'one kernel in place of three' },
  )
  leaves('OP-09 query, key and value of many tokens, which would have to be copied apart', (g) => {
    const x = g.op('tanh', { input: g.input('x', [64, 16]) })
    return ['query', 'key', 'value'].map((name) => heads(g, project(g, x, name, 8)))
  })
  leaves('OP-09 layers whose activations are part of their kernels', (g) => {
    const x = g.input('x', [1, 16])
    return ['gate', 'up'].map((name) => heads(g, g.op('silu', { input: project(g, x, name, 8) })))
  })
  leaves('OP-09 a weight that somebody else reads', (g) => {
    const x = g.op('tanh', { input: g.input('x', [1, 16]) })
    const layers = ['query', 'key'].map((name) => project(g, x, name, 8))
    return [...layers.map((layer) => heads(g, layer)), g.op('exp', { input: layers[0]!.operands[1]! })]
  })
  leaves('OP-09 layers over two values', (g) =>
    ['x', 'y'].map((name) => heads(g, project(g, g.op('tanh', { input: g.input(name, [1, 16]) }), `${name}Weight`, 8))),
  )
  rewrites(
    'OP-08 the steps of a recurrence over one sequence',
    (g) => {
      const [x, weight] = [g.input('x', [6, 64]), g.weight('w', [32, 64])]
      return Array.from({ length: 6 }, (_, step) => heads(g, g.op('linear', { input: slice(g, x, [step, 0], [1, 64]), weight })))
    },
    { numeric: true, prepares: 'one reading of the weight' },
  )
  leaves('OP-08 a layer that needs the other', (g) => {
    const weight = g.weight('w', [64, 64])
    const first = g.op('linear', { input: g.input('x', [1, 64]), weight })
    return heads(g, g.op('linear', { input: heads(g, reshape(g, first, [2, 32])), weight: g.weight('v', [4, 32]) }))
  })
})

/** Layers over few values with few weights, summed or not. */
const layered = fc
  .record({
    rows: fc.constantFrom(1, 1, 3),
    inner: fc.constantFrom(4, 4, 64),
    layers: fc.array(
      fc.record({
        input: fc.nat(1),
        weight: fc.nat(5),
        bias: fc.boolean(),
        behind: fc.constantFrom('nothing', 'softmax', 'softmax', 'softmax', 'relu', 'add', 'sub'),
      }),
      { minLength: 2, maxLength: 6 },
    ),
  })
  .map(({ rows, inner, layers }) => {
    const g = createTestGraph()
    const whole = g.input('x', [2 * rows, inner])
    const inputs = [0, 1].map((i) => slice(g, whole, [i * rows, 0], [rows, inner]))
    const weights = [0, 1, 2, 3, 4, 5].map((i) => g.weight(`w${i}`, [8, inner], (at) => Math.sin(i + at * 1.7)))
    const biases = [0, 1, 2, 3, 4, 5].map((i) => g.weight(`b${i}`, [8], (at) => Math.cos(i + at)))
    const layerOf = ({ input, weight, bias }: (typeof layers)[number]) =>
      g.op('linear', { input: inputs[input]!, weight: weights[weight]!, ...(bias && { bias: biases[weight]! }) })
    const outputs: Node[] = []
    for (let i = 0; i < layers.length; i++) {
      const { behind } = layers[i]!
      const left = layerOf(layers[i]!)
      const next = layers[i + 1]
      if (next && (behind === 'add' || behind === 'sub')) {
        outputs.push(g.op(behind, { left, right: layerOf(next) }))
        i++
      } else if (behind === 'softmax' || behind === 'relu') outputs.push(g.op(behind, { input: left }))
      else outputs.push(left)
    }
    return g.graph(...outputs)
  })

for (const pass of [passes.mergeProducts, passes.factorProducts])
  test(`${pass.name} keeps values on random layers, and comes to rest`, () => {
    let changes = 0
    const property = fc.property(layered, fc.nat(1000), (graph, seed) => {
      let current = graph
      for (let runs = 0; ; runs++) {
        const next = pass.run(current, { evaluate, assumeFinite: false, apply: () => true })
        if (next === current) break
        verifyGraph(next)
        assert.ok(runs < 10, 'does not come to rest')
        current = next
      }
      if (current === graph) return
      changes++
      expectEqualGraphs(current, graph, seed)
    })
    fc.assert(property, draw(33, 100))
    assert.ok(changes >= 8, `only ${changes} of 100 graphs changed`)
  })

test.run()
