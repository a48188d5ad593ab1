import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type CompositeName,
  createBuilder,
  type DType,
  elementCount,
  elementsOf,
  inputName,
  isInteger,
  isPrimitive,
  type Location,
  type Node,
  verifyGraph,
} from '../../compiler/graph/index.ts'
import { lowerGraph, loweringRules } from '../../compiler/lower/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph } from '../support/expression.ts'
import { arbitraryGraph, graphWithOp, randomInputs } from '../support/randomGraph.ts'
import { references, type Tensor } from './reference.ts'

const composites = Object.keys(loweringRules) as CompositeName[]
/** Distance between neighbouring values, relative to them. */
const spacing: Partial<Record<DType, number>> = { f32: 2 ** -23, f64: 2 ** -52, f16: 2 ** -10, bf16: 2 ** -7 }

const tensorOf = (node: Node, bytes: Uint8Array): Tensor => {
  const elements = elementsOf(node.type.dtype, bytes)
  return {
    shape: node.type.shape,
    whole: isInteger(node.type.dtype),
    bool: node.type.dtype === 'bool',
    values: Array.from({ length: elements.length }, (_, i) => elements.get(i)),
  }
}

/** The node computed by its reference, its lowering, and how much the operands contribute to rounding. */
function compare(node: Node, found: Tensor, operands: readonly Tensor[]): void {
  const expected = (references[node.op as CompositeName] as any)(operands, node.attributes) as readonly number[]
  const { dtype } = node.type
  // Sums of many terms lose digits relative to their largest term, not to the result.
  const relative = spacing[dtype] ? Math.max(16 * spacing[dtype]!, dtype === 'f64' ? 1e-9 : 2e-6) : 0
  const scale = Math.max(1, ...operands.flatMap(({ values }) => values.filter(Number.isFinite).map(Math.abs)))
  assert.is(found.values.length, expected.length, node.op)
  for (const [i, value] of found.values.entries()) {
    const wanted = expected[i]!
    const close =
      Object.is(value, wanted) || value === wanted || Math.abs(value - wanted) <= relative * (Math.abs(wanted) + scale)
    assert.ok(
      close,
      `${node.op} ${JSON.stringify(node.attributes)} of ${node.operands.map((o) => `${o.type.dtype}[${o.type.shape}]`)}: element ${i} is ${value}, expected ${wanted}`,
    )
  }
}

for (const op of composites) {
  test(`LO-15 ${op} means what its definition says, over random shapes, attributes and dtypes`, () => {
    let tried = 0
    for (let seed = 0; seed < 80; seed++) {
      const graph = graphWithOp(op, seed, { dtypes: ['f32', 'f32', 'f64', 'f16', 'bf16', 'i32', 'bool'] })
      const node = graph?.outputs[0]?.value
      if (!graph || !node || elementCount(node.type.shape) === 0) continue
      const lowered = lowerGraph(graph, new Set())
      verifyGraph(lowered)
      assert.ok(lowered.nodes.every(isPrimitive))
      const inputs = randomInputs(graph, seed)
      const operands = node.operands.map((operand) =>
        tensorOf(operand, operand.data ? operand.data.read() : inputs[inputName(operand)]!),
      )
      compare(node, tensorOf(node, runGraph(lowered, inputs).y0!), operands)
      tried++
    }
    assert.ok(tried >= 25, `only ${tried} of 80 graphs`)
  })
}

test('LO-02 what a target keeps stays, the rest becomes primitive', () => {
  const g = createTestGraph()
  const graph = g.graph(g.op('softmax', { input: g.op('gelu', { input: g.input('x', [2, 3]) }) }))
  const lowered = lowerGraph(graph, new Set(['softmax']))
  assert.is(lowered.outputs[0]!.value.op, 'softmax')
  assert.ok(lowered.nodes.every((node) => isPrimitive(node) || node.op === 'softmax'))
  assert.ok(lowered.nodes.some((node) => node.op === 'erf'))
  const all = lowerGraph(graph, new Set(['softmax', 'gelu']))
  assert.is(all, graph)
})

test('IR-30 every node of a lowering has the location of the composite', () => {
  const builder = createBuilder()
  const location: Location = { kind: 'source', span: { file: 'a.model.ts', line: 3, column: 5 }, calls: [] }
  const x = builder.input('x', { dtype: 'f32', shape: [2, 3] })
  const lowered = lowerGraph(
    builder.finish('g', [x], [{ name: 'y', value: builder.add('layerNorm', { input: x }, {}, location) }]),
    new Set(),
  )
  for (const node of lowered.nodes) if (node.op !== 'input') assert.equal(lowered.locations.get(node), [location], node.op)
})

test('products of 16-bit floats are summed in f32 and rounded once, kept composites too', () => {
  for (const dtype of ['f16', 'bf16'] as const) {
    const builder = createBuilder()
    const [x, w] = [builder.input('x', { dtype, shape: [2, 3] }), builder.input('w', { dtype, shape: [4, 3] })]
    const value = builder.add('linear', { input: x, weight: w, bias: undefined })
    const graph = builder.finish('g', [x, w], [{ name: 'y', value }])
    for (const keeps of [new Set<CompositeName>(), new Set<CompositeName>(['linear'])]) {
      const lowered = lowerGraph(graph, keeps)
      const product = keeps.size > 0 ? 'linear' : 'matmul'
      assert.equal(
        lowered.nodes.filter(({ op }) => op === product).map(({ type }) => type.dtype),
        ['f32'],
      )
      assert.is(lowered.outputs[0]!.value.type.dtype, dtype)
      assert.is(lowerGraph(lowered, keeps), lowered)
    }
  }
})

test('lowered random graphs verify and contain primitives only', () => {
  const property = fc.property(arbitraryGraph(), (graph) => {
    const lowered = lowerGraph(graph, new Set())
    verifyGraph(lowered)
    assert.ok(lowered.nodes.every(isPrimitive))
    assert.is(lowerGraph(lowered, new Set()), lowered)
  })
  fc.assert(property, draw(40, 100))
})

const values = (op: CompositeName, input: readonly number[], attributes = {}): number[] => {
  const g = createTestGraph()
  const x = g.input('x', [input.length])
  const graph = g.graph(g.builder.addFlat(op, [x], attributes))
  return [...new Float32Array(runGraph(graph, { x: new Uint8Array(new Float32Array(input).buffer) }).y0!.slice().buffer)]
}
const near = (found: readonly number[], expected: readonly number[]) => {
  assert.is(found.length, expected.length)
  for (const [i, value] of found.entries())
    assert.ok(
      Object.is(value, expected[i]) || Math.abs(value - expected[i]!) <= 1e-6 * Math.max(1, Math.abs(expected[i]!)),
      `${found} is not ${expected}`,
    )
}

test('no overflow: softplus, softmax, logSoftmax and logSumExp of large numbers', () => {
  near(values('softplus', [1000, -1000, 0]), [1000, 0, Math.log(2)])
  near(values('softmax', [1000, 1000, -1000]), [0.5, 0.5, 0])
  near(values('logSoftmax', [1000, 1000]), [-Math.log(2), -Math.log(2)])
  near(values('reduceLogSumExp', [1000, 1000], { axes: [0], keepDims: false }), [1000 + Math.log(2)])
  near(values('reduceLogSumExp', [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], { axes: [0], keepDims: false }), [
    Number.NEGATIVE_INFINITY,
  ])
  near(values('reduceLogSumExp', [Number.POSITIVE_INFINITY, 1], { axes: [0], keepDims: false }), [Number.POSITIVE_INFINITY])
})

test('LO-07 variance does not cancel where the mean is large', () => {
  near(values('variance', [10000, 10001, 10002, 10003], { axes: [0], keepDims: false }), [1.25])
  near(values('variance', [1, 3], { axes: [0], keepDims: false, correction: 1 }), [2])
  near(values('variance', [1], { axes: [0], keepDims: false, correction: 1 }), [Number.NaN])
})

test('NaN passes through limits and branches', () => {
  for (const [op, attributes] of [
    ['relu', {}],
    ['leakyRelu', {}],
    ['elu', {}],
    ['clamp', { minimum: 0, maximum: 1 }],
    ['hardSwish', {}],
    ['selu', {}],
  ] as const) {
    assert.ok(Number.isNaN(values(op, [Number.NaN], attributes)[0]), op)
  }
})

test('published values: gelu, mish and selu of PyTorch’s documentation range', () => {
  near(values('gelu', [-1, 0, 1, 2]), [-0.15865525, 0, 0.84134475, 1.9544997])
  near(values('gelu', [1], { approximate: 'tanh' }), [0.841192])
  near(values('mish', [1]), [0.86509836])
  near(values('selu', [-1]), [-1.1113307])
})

test('ONNX Resize 19 examples', () => {
  const image = (op: 'resize', shape: number[], input: number[], attributes: Record<string, unknown>) => {
    const g = createTestGraph()
    const graph = g.graph(g.builder.addFlat(op, [g.input('x', shape)], attributes))
    return [...new Float32Array(runGraph(graph, { x: new Uint8Array(new Float32Array(input).buffer) }).y0!.slice().buffer)]
  }
  const square = [1, 2, 3, 4]
  // resize_upsample_scales_linear and …_align_corners, resize_downsample_scales_linear of the ONNX operator tests.
  near(
    image('resize', [1, 1, 2, 2], square, { size: [4, 4], mode: 'linear' }),
    [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4],
  )
  near(image('resize', [1, 1, 2, 2], square, { size: [4, 4], mode: 'linear', coordinates: 'alignCorners' }), [
    1,
    4 / 3,
    5 / 3,
    2,
    5 / 3,
    2,
    7 / 3,
    8 / 3,
    7 / 3,
    8 / 3,
    3,
    10 / 3,
    3,
    10 / 3,
    11 / 3,
    4,
  ])
  near(
    image('resize', [1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8], { size: [1, 2], mode: 'linear', coordinates: 'alignCorners' }),
    [1, 4],
  )
  near(
    image(
      'resize',
      [1, 1, 4, 4],
      Array.from({ length: 16 }, (_, i) => i + 1),
      { size: [3, 3], mode: 'cubic', coordinates: 'alignCorners' },
    ),
    [1, 2.5, 4, 7, 8.5, 10, 13, 14.5, 16],
  )
})

test.run()
