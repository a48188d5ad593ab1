import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type DType } from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { faultsOf } from '../../compiler/memory/faults.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { EvaluationFault, evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { apply, tensor, wideTensor } from './apply.ts'

const nan = Number.NaN
const matrix = tensor('f32', [2, 4], [3, 1, 3, -2, 0, 5, nan, 7])
const plain = (values: readonly (number | bigint)[]) => values.map(Number)

test('argMax and argMin: first or last of equal elements, NaN before all, kept dimensions', () => {
  const found = (op: string, attributes: object) => {
    const { type, values } = apply(op, [matrix], { axis: 1, keepDims: false, ...attributes })
    assert.is(type.dtype, 'i64')
    return plain(values)
  }
  assert.equal(found('argMax', {}), [0, 2])
  assert.equal(found('argMax', { last: true }), [2, 2])
  assert.equal(found('argMin', {}), [3, 2])
  assert.equal(found('argMax', { axis: 0 }), [0, 1, 1, 1])
  assert.equal(found('argMin', { axis: -2 }), [1, 0, 1, 0])
  assert.equal(apply('argMax', [matrix], { axis: 1, keepDims: true }).type.shape, [2, 1])
  const twoNaN = tensor('f64', [3], [nan, 1, nan])
  assert.equal(plain(apply('argMin', [twoNaN], { axis: 0, keepDims: false }).values), [0])
  assert.equal(plain(apply('argMin', [twoNaN], { axis: 0, keepDims: false, last: true }).values), [2])
  const wide = wideTensor('u64', [3], [2n ** 63n, 2n ** 63n + 1n, 5n])
  assert.equal(plain(apply('argMax', [wide], { axis: 0, keepDims: false }).values), [1])
  assert.equal(apply('argMax', [tensor('i8', [0, 3], [])], { axis: 1, keepDims: false }).values, [])
})

test('topKIndices orders by value, then by position; NaN is above all others', () => {
  const found = (attributes: object, input = matrix) => plain(apply('topKIndices', [input], attributes as never).values)
  assert.equal(found({ k: 3 }), [0, 2, 1, 2, 3, 1])
  assert.equal(found({ k: 3, largest: false }), [3, 1, 0, 0, 1, 3])
  assert.equal(found({ k: 1, axis: 0 }), [0, 1, 1, 1])
  assert.equal(found({ k: 2, axis: 0, largest: false }), [1, 0, 0, 0, 0, 1, 1, 1])
  assert.equal(found({ k: 0 }), [])
  assert.equal(found({ k: 3 }, wideTensor('i64', [3], [2n ** 53n, 2n ** 53n + 1n, -1n])), [1, 0, 2])
})

test('cumSum: exclusive, reverse, along any axis; integers wrap, floats are rounded once', () => {
  const small = tensor('i32', [2, 3], [1, 2, 3, 4, 5, 6])
  const found = (attributes: object) => apply('cumSum', [small], attributes as never).values
  assert.equal(found({}), [1, 3, 6, 4, 9, 15])
  assert.equal(found({ axis: 0 }), [1, 2, 3, 5, 7, 9])
  assert.equal(found({ exclusive: true }), [0, 1, 3, 0, 4, 9])
  assert.equal(found({ reverse: true }), [6, 5, 3, 15, 11, 6])
  assert.equal(found({ reverse: true, exclusive: true }), [5, 3, 0, 11, 6, 0])
  assert.equal(apply('cumSum', [tensor('i8', [3], [100, 100, 100])]).values, [100, -56, 44])
  assert.equal(apply('cumSum', [wideTensor('u64', [2], [2n ** 64n - 1n, 2n])]).values, [2n ** 64n - 1n, 1n])
  const thirds = apply('cumSum', [tensor('f32', [3], [1e8, 1, 1])]).values
  assert.equal(thirds, [1e8, 1e8, Math.fround(1e8 + 2)])
})

test('scatterNd replaces or combines in order, each float update rounded by itself', () => {
  const input = tensor('f32', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
  const indices = tensor('i64', [3, 1], [1, -1, 1])
  const updates = tensor('f32', [3, 2], [10, 20, 30, 40, 50, 60])
  const found = (reduction: string) => apply('scatterNd', [input, indices, updates], { reduction }).values
  assert.equal(found('none'), [1, 2, 50, 60, 5, 6, 30, 40])
  assert.equal(found('add'), [1, 2, 63, 84, 5, 6, 37, 48])
  assert.equal(found('mul'), [1, 2, 1500, 4800, 5, 6, 210, 320])
  assert.equal(found('max'), [1, 2, 50, 60, 5, 6, 30, 40])
  assert.equal(found('min'), [1, 2, 3, 4, 5, 6, 7, 8])
  const points = tensor('i32', [2, 2], [0, 1, -1, -2])
  assert.equal(apply('scatterNd', [input, points, tensor('f32', [2], [0, 9])]).values, [1, 0, 3, 4, 5, 6, 9, 8])
  const halves = apply('scatterNd', [tensor('f16', [1], [2048]), tensor('i32', [2, 1], [0, 0]), tensor('f16', [2], [1, 1])], {
    reduction: 'add',
  })
  assert.equal(halves.values, [2048], 'each addition of 1 is lost; both together would not be')
  const flags = [tensor('bool', [2], [1, 0]), tensor('i32', [1, 1], [1]), tensor('bool', [1], [1])]
  assert.equal(apply('scatterNd', flags).values, [1, 1])
  assert.equal(apply('scatterNd', [input, tensor('i32', [0, 1], []), tensor('f32', [0, 2], [])]).values, [1, 2, 3, 4, 5, 6, 7, 8])
})

test('indices outside are refused, joined ones too, and the message names the dimension', () => {
  const input = tensor('f32', [2, 3], [1, 2, 3, 4, 5, 6])
  const update = (shape: number[]) => tensor('f32', shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0))
  // In a flat view each of these would be the place of some other element.
  const wrong: [string, Parameters<typeof apply>[1], object][] = [
    ['gatherElements', [input, tensor('i32', [1, 3], [0, 2, 0])], { axis: 0 }],
    ['gatherElements', [input, tensor('i32', [2, 1], [3, 0])], { axis: 1 }],
    ['gatherElements', [input, tensor('i32', [2, 1], [0, -4])], { axis: 1 }],
    ['gatherNd', [input, tensor('i64', [1, 2], [0, 4])], {}],
    ['gatherNd', [input, tensor('i64', [1, 2], [1, -4])], {}],
    ['gatherNd', [input, wideTensor('i64', [1, 2], [0n, -(2n ** 63n)])], {}],
    ['scatterElements', [input, tensor('i32', [2, 1], [3, 0]), update([2, 1])], { axis: 1 }],
    ['scatterNd', [input, tensor('i32', [1, 2], [0, 3]), update([1])], {}],
    ['scatterNd', [input, tensor('i32', [1, 1], [-3]), update([1, 3])], {}],
  ]
  for (const [op, operands, attributes] of wrong)
    assert.throws(
      () => apply(op, operands, attributes as never),
      (error: Error) => error instanceof EvaluationFault,
      op,
    )
  const messageOf = (
    op: 'gatherElements' | 'gatherNd' | 'scatterElements' | 'scatterNd',
    shape: number[],
    attributes: object,
  ) => {
    const b = createBuilder()
    const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
    const i = b.input('i', { dtype: 'i32', shape })
    const updates = op.startsWith('scatter') ? [b.input('u', { dtype: 'f32', shape: op === 'scatterNd' ? [1] : shape })] : []
    const graph = b.finish(
      'g',
      [x, i, ...updates],
      [{ name: 'y', value: b.addFlat(op, [x, i, ...updates], attributes as never) }],
    )
    const { program } = compileGraph(graph, { target: interpreter, evaluate })
    return faultsOf(program).map((fault) => fault.message)
  }
  assert.equal(messageOf('gatherElements', [2, 1], { axis: 1 }), [
    'gather: an index is outside a dimension of 3; it may be -3 to 2',
  ])
  assert.equal(messageOf('gatherNd', [1, 2], { batchDims: 0 }), [
    'gather: an index is outside a tensor of [2, 3]; indices may be -n to n - 1 in a dimension of n',
  ])
  assert.equal(messageOf('scatterElements', [2, 1], { axis: 0, reduction: 'none' }), [
    'scatterNd: an index is outside a dimension of 2; it may be -2 to 1',
  ])
  assert.equal(messageOf('scatterNd', [1, 2], { reduction: 'none' }), [
    'scatterNd: an index is outside f32[2, 3]; indices may be -n to n - 1 in a dimension of n',
  ])
})

test('shifts of any amount, signed and unsigned', () => {
  const shifted = (op: string, dtype: DType, values: number[], amounts: number[]) =>
    plain(apply(op, [tensor(dtype, [values.length], values), tensor(dtype, [values.length], amounts)]).values)
  assert.equal(shifted('shiftLeft', 'u8', [1, 255, 255, 1, 1], [7, 1, 8, 0, 200]), [128, 254, 0, 1, 0])
  assert.equal(shifted('shiftLeft', 'i8', [1, -1, 3, 5], [7, 1, -1, 8]), [-128, -2, 0, 0])
  assert.equal(shifted('shiftRight', 'i16', [-1, -32768, 100, -5, -5], [3, 15, 2, -1, 99]), [-1, -1, 25, -1, -1])
  assert.equal(shifted('shiftRight', 'u32', [2 ** 32 - 1, 8], [31, 32]), [1, 0])
  const wide = (op: string, dtype: 'i64' | 'u64', value: bigint, amount: bigint) =>
    apply(op, [wideTensor(dtype, [1], [value]), wideTensor(dtype, [1], [amount])]).values[0]
  assert.is(wide('shiftLeft', 'u64', 3n, 63n), 2n ** 63n)
  assert.is(wide('shiftLeft', 'i64', 1n, 64n), 0n)
  assert.is(wide('shiftRight', 'i64', -(2n ** 63n), 62n), -2n)
  assert.is(wide('shiftRight', 'u64', 2n ** 64n - 1n, 2n ** 63n), 0n)
})

test('powers, means, products and remainders of integers are exact or wrap', () => {
  const pow = (dtype: DType, a: number[], b: number[]) =>
    plain(apply('pow', [tensor(dtype, [a.length], a), tensor(dtype, [a.length], b)]).values)
  assert.equal(pow('i32', [3, -2, 0, 0, 7, 1, -1, -1, 2], [13, 3, 0, -1, -2, -9, -3, -4, 31]), [
    1594323,
    -8,
    1,
    0,
    0,
    1,
    -1,
    1,
    -(2 ** 31),
  ])
  assert.equal(pow('u8', [3, 2], [5, 8]), [243, 0])
  assert.is(apply('pow', [wideTensor('i64', [1], [3n]), wideTensor('i64', [1], [39n])]).values[0], 3n ** 39n)
  const mean = (dtype: DType, values: number[]) =>
    plain(apply('reduceMean', [tensor(dtype, [values.length], values)], { axes: [0], keepDims: false }).values)
  assert.equal(mean('i8', new Array(300).fill(127)), [127])
  assert.equal(mean('i32', [-1, -2]), [-1])
  assert.equal(mean('u8', [255, 254]), [254])
  const product = apply('matmul', [wideTensor('i64', [1, 2], [2n ** 62n, 3n]), wideTensor('i64', [2, 1], [4n, -5n])])
  assert.equal(product.values, [-15n])
  assert.equal(apply('matmul', [tensor('u32', [1, 1], [65537]), tensor('u32', [1, 1], [65537])]).values, [131073])
  const rest = (dtype: DType, a: number[], b: number[]) =>
    plain(apply('fmod', [tensor(dtype, [a.length], a), tensor(dtype, [a.length], b)]).values)
  assert.equal(rest('i8', [7, -7, 7, -7, 5, -128], [3, 3, -3, -3, 0, -1]), [1, -1, 1, -1, 0, 0])
  assert.equal(rest('f32', [5.5, -5.5, 1e30, 3], [2, 2, 7, Number.POSITIVE_INFINITY]), [1.5, -1.5, Math.fround(1e30) % 7, 3])
})

test('angles and hyperbolic functions at values that are known', () => {
  const at = (op: string, values: number[]) => plain(apply(op, [tensor('f64', [values.length], values)]).values)
  const near = (found: number[], expected: number[]) =>
    found.forEach((value, i) => {
      assert.ok(
        Object.is(value, expected[i]) || Math.abs(value - expected[i]!) < 1e-15 * Math.max(1, Math.abs(expected[i]!)),
        `${found} is not ${expected}`,
      )
    })
  near(at('tan', [0, Math.PI / 4]), [0, 1])
  near(at('asin', [1, -0.5, 2]), [Math.PI / 2, -Math.PI / 6, nan])
  near(at('acos', [1, 0, -1, -2]), [0, Math.PI / 2, Math.PI, nan])
  near(at('atan', [1, Number.NEGATIVE_INFINITY]), [Math.PI / 4, -Math.PI / 2])
  near(at('sinh', [Math.LN2]), [0.75])
  near(at('cosh', [Math.LN2, 0]), [1.25, 1])
  near(at('asinh', [0.75]), [Math.LN2])
  near(at('acosh', [1.25, 1, 0.5]), [Math.LN2, 0, nan])
  near(at('atanh', [0.6, 1, -2]), [Math.LN2, Number.POSITIVE_INFINITY, nan])
})

test('tensors without dimensions or elements pass through every composite that takes them', () => {
  const empty = tensor('f32', [0, 3], [])
  const scalar = tensor('f32', [], [-2])
  for (const op of ['celu', 'thresholdedRelu', 'shrink', 'tan', 'asinh', 'isInf']) {
    assert.equal(apply(op, [empty]).type.shape, [0, 3], op)
    assert.equal(apply(op, [scalar]).type.shape, [], op)
  }
  assert.equal(apply('bitwiseNot', [tensor('u16', [], [0])]).values, [65535])
  assert.equal(apply('bitwiseNot', [wideTensor('u64', [1], [1n])]).values, [2n ** 64n - 2n])
  assert.equal(apply('oneHot', [tensor('i64', [], [-1])], { depth: 3 }).values, [0, 0, 1])
  assert.equal(apply('oneHot', [tensor('u8', [2], [3, 200])], { depth: 4, dtype: 'bool' }).values, [0, 0, 0, 1, 0, 0, 0, 0])
  assert.equal(apply('triu', [tensor('i32', [0, 2, 2], [])]).type.shape, [0, 2, 2])
  assert.equal(apply('triu', [tensor('i32', [2, 3], [1, 2, 3, 4, 5, 6])], { diagonal: 1 }).values, [0, 2, 3, 0, 0, 6])
  assert.equal(apply('tril', [tensor('bool', [2, 2], [1, 1, 1, 1])]).values, [1, 0, 1, 1])
  assert.equal(apply('gatherElements', [empty, tensor('i32', [0, 5], [])], { axis: 1 }).type.shape, [0, 5])
  assert.equal(apply('gatherNd', [empty, tensor('i32', [0, 1], [])]).type.shape, [0, 3])
  assert.equal(
    apply('scatterElements', [empty, tensor('i32', [0, 1], []), tensor('f32', [0, 1], [])], { axis: 1 }).type.shape,
    [0, 3],
  )
})

test('convTranspose of a strided kernel has no product with a zero of a spread input', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [1, 3, 5, 5] })
  const weight = b.input('w', { dtype: 'f32', shape: [3, 2, 4, 4] })
  const value = b.add(
    'convTranspose',
    { input: x, weight },
    { stride: [2, 2], before: [1, 1], after: [1, 1], dilation: [1, 1], extra: [0, 0], groups: 1 },
  )
  const conv = lowerGraph(b.finish('g', [x, weight], [{ name: 'y', value }]), new Set()).nodes.find((node) => node.op === 'conv')!
  assert.equal(conv.operands[1]!.type.shape, [8, 3, 2, 2])
})

test.run()
