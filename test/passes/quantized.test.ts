// fuseQuantized on networks as exporters write them, against the same networks in floats.
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  constantsOf,
  elementsOf,
  type Graph,
  type Node,
  parseGraph,
  printGraph,
  verifyGraph,
} from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import { optimise, optimiseLowered, type PassList, type PassRecord, runPasses } from '../../compiler/pipeline.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph, type TestGraph } from '../support/expression.ts'
import { arbitraryQuantizedGraph, integerInputs, layerNames, quantizedGraph } from '../support/quantizedGraph.ts'
import { passSuite } from './suite.ts'

const context = { evaluate, assumeFinite: false, apply: () => true }

function optimised(graph: Graph, list: PassList = optimise, phase = 'optimise'): Graph {
  const budget = { applications: Number.POSITIVE_INFINITY }
  const after = ({ pass, round, changed }: PassRecord) => {
    assert.ok(round < 12 || !changed, `${pass} still finds something in round ${round}`)
    return false
  }
  return runPasses(graph, list, { phase, evaluate, verify: true, assumeFinite: false, budget, after }).graph
}

/** The pass alone, until it finds nothing more. */
function fused(graph: Graph): Graph {
  for (let current = graph, runs = 0; ; runs++) {
    const next = passes.fuseQuantized.run(current, context)
    if (next === current) return current
    verifyGraph(next)
    assert.ok(runs < 20, 'does not come to rest')
    current = next
  }
}

/** The largest difference of integers between the outputs of two graphs. */
function steps(actual: Graph, expected: Graph, seed: number): number {
  const inputs = integerInputs(expected, seed)
  const [found, wanted] = [runGraph(actual, inputs), runGraph(expected, inputs)]
  let most = 0
  for (const { name, value } of expected.outputs) {
    const [a, b] = [found, wanted].map((bytes) => elementsOf(value.type.dtype, bytes[name]!))
    for (let i = 0; i < b!.length; i++) most = Math.max(most, Math.abs(a!.get(i) - b!.get(i)))
  }
  return most
}

const count = (graph: Graph, ...names: string[]): number => graph.nodes.filter(({ op }) => names.includes(op)).length

/** No rounding but that of the result, or the same ones in the same order. */
const exact = [
  'mul',
  'relu',
  'clamp',
  'sigmoid',
  'silu',
  'scaled',
  'maxPool',
  'concat',
  'reshape',
  'resize',
  'gather',
  'transpose',
  'slice',
  'pad',
]
for (const name of layerNames) {
  test(`${name}: integers ${exact.includes(name) ? 'give exactly' : 'are at most one step from'} what floats give`, () => {
    let changed = 0
    for (let seed = 0; seed < 40; seed++) {
      const graph = quantizedGraph([{ name, seed: seed * 977 }], seed)
      const result = fused(graph)
      if (result !== graph) changed++
      assert.ok(steps(result, graph, seed) <= (exact.includes(name) ? 0 : 1), printGraph(graph))
    }
    const alwaysFloat = name === 'add' || name === 'mul'
    assert.ok(alwaysFloat || changed >= 15, `only ${changed} of 40 changed`)
  })
}

test('networks of many layers become integer, and a further run finds nothing', () => {
  const property = fc.property(arbitraryQuantizedGraph(8), fc.nat(1000), (graph, seed) => {
    const result = optimised(graph)
    assert.is(
      count(result, 'conv', 'linear', 'matmul', 'avgPool', 'reduceMean', 'sigmoid', 'tanh', 'softmax'),
      0,
      printGraph(result),
    )
    assert.is(printGraph(optimised(result)), printGraph(result))
    const lowered = optimised(lowerGraph(result, new Set()), optimiseLowered, 'optimise-lowered')
    verifyGraph(lowered)
    assert.is(steps(lowered, result, seed), 0, 'lowering changes a value')
    const text = printGraph(result)
    assert.is(printGraph(parseGraph(text, constantsOf(result))), text)
  })
  fc.assert(property, draw(41, 50))
})

test('networks whose layers are exact compute the same through any number of them', () => {
  const property = fc.property(arbitraryQuantizedGraph(8, exact), fc.nat(1000), (graph, seed) => {
    assert.is(steps(optimised(graph), graph, seed), 0)
  })
  fc.assert(property, draw(42, 50))
})

// ---------------------------------------------------------------- single rewrites
const byte = (scale: number, zeroPoint: number) => ({ dtype: 'u8' as const, scale: [scale], zeroPoint: [zeroPoint] })
const decode = (g: TestGraph, input: Node, scale: number[], zeroPoint: number[], axis?: number) =>
  g.op('dequantize', { input }, { scale, zeroPoint, ...(axis === undefined ? {} : { axis }) })
const encode = (g: TestGraph, input: Node, scale: number, zeroPoint: number) =>
  g.op('quantize', { input }, byte(scale, zeroPoint))

const input = (g: TestGraph, shape: number[], scale = 0.5, zeroPoint = 10) =>
  decode(g, g.input('x', shape, 'u8'), [scale], [zeroPoint])
const weights = (g: TestGraph, shape: number[], name = 'w') => g.weight(name, shape, (i) => ((i * 37) % 200) - 100, 'i8')
const plain = { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1 }

passSuite(passes.fuseQuantized, ({ rewrites, leaves }) => {
  rewrites('decoding and encoding with equal parameters vanish', (g) => encode(g, input(g, [3]), 0.5, 10), {
    into: 'storageCast(x)',
  })
  rewrites('with other parameters they are a table', (g) => encode(g, input(g, [3]), 0.5, 11), { into: 'lookup(x, table)' })
  leaves('encoding and decoding stay: they round', (g) => decode(g, encode(g, g.input('x', [3]), 0.5, 10), [0.5], [10]))
  rewrites(
    'relu at equal parameters is a maximum with the zero point',
    (g) => encode(g, g.op('relu', { input: input(g, [3]) }), 0.5, 10),
    { into: 'storageCast(clamp(x, minimum: 10, maximum: 255), scale: [0.5], zeroPoint: [10])', attributes: true },
  )
  rewrites(
    'limits that the range of the result sets anyway vanish',
    (g) =>
      encode(
        g,
        g.op('relu', {
          input: g.op('conv', { input: input(g, [1, 1, 2, 2]), weight: decode(g, weights(g, [1, 1, 1, 1]), [0.1], [0]) }, plain),
        }),
        0.5,
        0,
      ),
    { into: 'requantize(convInteger(x, @w))' },
  )
  rewrites(
    'a bias in steps of the sums is part of the integer convolution',
    (g) =>
      g.op(
        'conv',
        {
          input: input(g, [1, 1, 2, 2]),
          weight: decode(g, weights(g, [2, 1, 1, 1]), [0.25, 0.5], [0, 0], 0),
          bias: decode(
            g,
            g.weight('b', [2], (i) => i + 5, 'i32'),
            [0.125, 0.25],
            [0, 0],
            0,
          ),
        },
        plain,
      ),
    { into: 'dequantize(convInteger(x, @w, @b))' },
  )
  rewrites(
    'a bias in other steps is added in floats',
    (g) =>
      g.op(
        'conv',
        {
          input: input(g, [1, 1, 2, 2]),
          weight: decode(g, weights(g, [2, 1, 1, 1]), [0.25, 0.5], [0, 0], 0),
          bias: decode(
            g,
            g.weight('b', [2], (i) => i + 5, 'i32'),
            [0.125, 0.26],
            [0, 0],
            0,
          ),
        },
        plain,
      ),
    { prepares: 'products of integers', into: 'add(dequantize(convInteger(x, @w)), dequantize(reshape(@b)))' },
  )
  leaves('weights with a scale for each input channel stay floats', (g) =>
    g.op('conv', { input: input(g, [1, 2, 2, 2]), weight: decode(g, weights(g, [1, 2, 1, 1]), [0.25, 0.5], [0, 0], 1) }, plain),
  )
  leaves('sums that could leave i32 stay floats', (g) =>
    g.op('matmul', {
      left: input(g, [1, 40000]),
      right: decode(g, weights(g, [40000, 1]), [0.25], [100]),
    }),
  )
  leaves('products of floats and decoded weights stay floats', (g) =>
    g.op('linear', { input: g.input('x', [2, 3]), weight: decode(g, weights(g, [4, 3]), [0.25], [0]) }),
  )
  rewrites(
    'a sum of decoded integers counts in steps of the result, limits included',
    (g) => {
      const sum = g.op('add', { left: input(g, [3]), right: decode(g, g.input('y', [3], 'i8'), [0.25], [3]) })
      return encode(g, g.op('relu', { input: sum }), 0.125, 7)
    },
    {
      into: 'storageCast(clamp(storageCast(quantize(add(dequantize(x, scale: [4], zeroPoint: [10]), dequantize(y, scale: [2], zeroPoint: [3])), dtype: "u8", scale: [1], zeroPoint: [7]), scale: [0.125], zeroPoint: [7]), minimum: 7, maximum: 255), scale: [0.125], zeroPoint: [7])',
      attributes: true,
    },
  )
  leaves('a sum that others read too stays as it is', (g) => {
    const sum = g.op('add', { left: input(g, [3]), right: decode(g, g.input('y', [3], 'i8'), [0.25], [3]) })
    return g.op('concat', { inputs: [g.op('cast', { input: encode(g, sum, 0.125, 7) }, { dtype: 'f32' }), sum] }, { axis: 0 })
  })
  rewrites(
    'the axis of scales follows a transposition',
    (g) => g.op('transpose', { input: decode(g, weights(g, [2, 3]), [0.25, 0.5], [0, 0], 0) }, { order: [1, 0] }),
    {
      prepares: 'the product that decoding moves to',
      into: 'dequantize(transpose(@w, order: [1, 0]), scale: [0.25, 0.5], zeroPoint: [0, 0], axis: 1)',
      attributes: true,
    },
  )
  leaves('a padding value that has no integer stays outside', (g) =>
    g.op('pad', { input: input(g, [2]) }, { before: [0], after: [1], value: 0.3 }),
  )
  rewrites(
    'a padding value that has one becomes it',
    (g) => g.op('pad', { input: input(g, [2]) }, { before: [0], after: [1], value: -1.5 }),
    {
      prepares: 'the encoding that decoding moves to',
      into: 'dequantize(pad(x, before: [0], after: [1], value: 7), scale: [0.5], zeroPoint: [10])',
      attributes: true,
    },
  )
  rewrites(
    'or the integer of what encodes it: 1.5 steps are 2',
    (g) => encode(g, g.op('pad', { input: input(g, [2]) }, { before: [0], after: [1], value: 0.3 }), 0.2, 7),
    { into: 'pad(lookup(x, table), before: [0], after: [1], value: 9)', attributes: true },
  )
  rewrites(
    'the largest integer is where the largest number is',
    (g) => g.op('argMax', { input: g.op('reshape', { input: input(g, [2, 2]) }, { shape: [4] }) }, { axis: 0, keepDims: false }),
    { into: 'argMax(reshape(x))' },
  )
  leaves('floats that are encoded stay: nothing says that they are no NaN', (g) =>
    encode(g, g.op('relu', { input: g.input('x', [3]) }), 0.5, 10),
  )
  rewrites(
    'values that meet again through bytes are one table',
    (g) => {
      const x = input(g, [3])
      const bytes = encode(g, g.op('sigmoid', { input: x }), 1 / 256, 0)
      return encode(g, g.op('mul', { left: x, right: decode(g, bytes, [1 / 256], [0]) }), 0.4, 20)
    },
    { into: 'lookup(x, table)' },
  )
  leaves('functions of two tensors are none of one byte', (g) =>
    encode(g, g.op('mul', { left: input(g, [3]), right: decode(g, g.input('y', [3], 'i8'), [0.5], [0]) }), 0.4, 20),
  )
  rewrites('OP-46 limits that the integers set anyway', (g) => encode(g, g.op('relu', { input: g.input('x', [3]) }), 0.5, 0), {
    into: 'quantize(x)',
  })
  rewrites(
    'OP-59 limits beyond the largest integer',
    (g) => encode(g, g.op('clamp', { input: g.input('x', [3]) }, { minimum: -6, maximum: 200 }), 0.5, 10),
    { into: 'quantize(x)' },
  )
  leaves('OP-46 limits within the integers', (g) =>
    encode(g, g.op('clamp', { input: g.input('x', [3]) }, { minimum: -4, maximum: 200 }), 0.5, 10),
  )
  const half = (g: TestGraph, name: string) => g.op('tanh', { input: g.input(name, [2]) })
  rewrites(
    'OP-48, OP-50 computed parts encode themselves, limits included',
    (g) => {
      const joined = g.op('concat', { inputs: [half(g, 'x'), half(g, 'y')] }, { axis: 0 })
      return encode(g, g.op('relu', { input: joined }), 0.5, 10)
    },
    { into: 'concat(quantize(relu(tanh(x))), quantize(relu(tanh(y))))', prepares: 'bytes side by side in place of floats' },
  )
  rewrites(
    'OP-49 decoded parts with other parameters',
    (g) => {
      const y = decode(g, g.input('y', [2], 'u8'), [0.25], [3])
      return encode(g, g.op('concat', { inputs: [input(g, [2]), y] }, { axis: 0 }), 0.5, 11)
    },
    { into: 'concat(lookup(x, table), lookup(y, table))' },
  )
  leaves('OP-50 an input would need a kernel for it', (g) =>
    encode(g, g.op('concat', { inputs: [g.input('x', [2]), half(g, 'y')] }, { axis: 0 }), 0.5, 10),
  )
  for (const [row, op] of [
    ['OP-52', 'silu'],
    ['OP-56', 'hardSwish'],
  ] as const)
    rewrites(`${row} ${op} of bytes is a table`, (g) => encode(g, g.op(op, { input: input(g, [40]) }), 0.3, 3), {
      into: 'lookup(x, table)',
    })
  rewrites(
    'two functions of bytes are one table',
    (g) => {
      const inner = encode(g, g.op('tanh', { input: input(g, [40], 0.02) }), 1 / 128, 128)
      return encode(g, g.op('exp', { input: decode(g, inner, [1 / 128], [128]) }), 1 / 90, 0)
    },
    { into: 'lookup(x, table)' },
  )
  rewrites(
    'softmax of bytes sums whole numbers',
    (g) => encode(g, g.op('softmax', { input: input(g, [2, 12], 0.05) }), 1 / 256, 0),
    { steps: 1, prepares: 'sums that are the same in any order' },
  )
  rewrites(
    'decoding moves behind the choice of rows',
    (g) => g.op('embedding', { indices: g.weight('i', [2], (i) => 2 - i, 'i32'), table: input(g, [3, 4]) }),
    { into: 'dequantize(embedding(@i, x))', prepares: 'encoding to meet it' },
  )
  rewrites(
    'OP-49 decoding with equal parameters moves behind a concatenation',
    (g) => g.op('concat', { inputs: [input(g, [2]), decode(g, g.input('y', [3], 'u8'), [0.5], [10])] }, { axis: 0 }),
    { into: 'dequantize(concat(x, y))' },
  )
  rewrites(
    'OP-31 a product of bytes',
    (g) => g.op('matmul', { left: input(g, [2, 3]), right: decode(g, weights(g, [3, 4]), [0.25], [0]) }),
    { numeric: true, into: 'dequantize(matmulInteger(x, @w))' },
  )
  rewrites(
    'OP-31 a linear layer of bytes whose bias counts in steps of the sums',
    (g) => {
      const bias = decode(
        g,
        g.weight('b', [4], (i) => 10 * i - 15, 'i32'),
        [0.125],
        [0],
      )
      return g.op('linear', { input: input(g, [2, 3]), weight: decode(g, weights(g, [4, 3]), [0.25], [0]), bias })
    },
    { numeric: true, into: 'dequantize(add(matmulInteger(x, transpose(@w)), @b))', prepares: 'encoding to meet the decoding' },
  )
  rewrites('means of bytes', (g) => g.op('reduceMean', { input: input(g, [2, 5]) }, { axes: [1], keepDims: false }), {
    numeric: true,
    into: 'dequantize(reduceSum(cast(x)))',
    prepares: 'encoding to meet the decoding',
  })
  rewrites(
    'means of windows of bytes',
    (g) =>
      g.op(
        'avgPool',
        { input: input(g, [1, 2, 4, 4]) },
        { stride: [2, 2], before: [0, 0], after: [0, 0], dilation: [1, 1], window: [2, 2], countPadding: false },
      ),
    { numeric: true, into: 'dequantize(convInteger(x, ones))', prepares: 'encoding to meet the decoding' },
  )
})

test('weights stay integers until it is clear that nothing computes with them', () => {
  const g = createTestGraph()
  const graph = g.graph(
    g.op('linear', { input: g.input('x', [2, 3]), weight: decode(g, weights(g, [4, 3]), [0.25], [0]) }),
    g.op('linear', {
      input: decode(g, g.input('y', [2, 3], 'u8'), [0.5], [3]),
      weight: decode(g, weights(g, [4, 3], 'v'), [0.25], [0]),
    }),
  )
  const lowered = optimised(lowerGraph(optimised(graph), new Set()), optimiseLowered, 'optimise-lowered')
  const constants = lowered.nodes.flatMap(({ data, type }) => (data && type.shape.length === 2 ? [type.dtype] : []))
  assert.equal(constants.sort(), ['f32', 'i8'])
})

test.run()
