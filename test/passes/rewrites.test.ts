// Each pass on small graphs: what it must rewrite, and what it must leave alone. Every rewrite is also compared numerically.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Location, Node } from '../../compiler/graph/index.ts'
import { parseGraph, printType, verifyGraph } from '../../compiler/graph/index.ts'
import { type Pass, passes } from '../../compiler/passes/index.ts'
import { EvaluationFault, evaluate } from '../../targets/interpreter/index.ts'
import { createTestGraph, expression, type TestGraph } from '../support/expression.ts'
import { expectEqualGraphs } from '../support/sensitivity.ts'

interface Options {
  readonly attributes?: boolean
  readonly assumeFinite?: boolean
  /** The rewrite is allowed to change infinities, NaN or more than rounding: no numeric comparison. */
  readonly inexact?: boolean
}

function check(
  pass: Pass,
  name: string,
  build: (g: TestGraph) => Node | Node[],
  expected: string | readonly string[] | undefined,
  options: Options = {},
): void {
  test(`${pass.name}: ${name}`, () => {
    const g = createTestGraph()
    const built = build(g)
    const graph = g.graph(...(Array.isArray(built) ? built : [built]))
    const context = { evaluate, assumeFinite: options.assumeFinite ?? false, apply: () => true }
    const result = pass.run(graph, context)
    if (expected === undefined) {
      assert.is(result, graph, result.outputs.map(({ value }) => expression(value, true)).join('; '))
      return
    }
    verifyGraph(result)
    assert.equal(
      result.outputs.map(({ value }) => expression(value, options.attributes)),
      [expected].flat(),
    )
    if (!options.inexact) for (const seed of [1, 2]) expectEqualGraphs(result, graph, seed)
    let rest = result
    for (let i = 0; i < 4; i++) rest = pass.run(rest, context)
    assert.is(pass.run(rest, context), rest, 'a further run finds something')
  })
}
const rewrites = check
const leaves = (pass: Pass, name: string, build: (g: TestGraph) => Node | Node[], options?: Options) =>
  check(pass, name, build, undefined, options)

// ---------------------------------------------------------------- dead code, constants
test('OP-01 eliminate-dead-code drops what no output needs and keeps inputs', () => {
  const g = createTestGraph()
  const [x, unused] = [g.input('x', [2]), g.input('unused', [2])]
  const [dead, live] = [g.op('exp', { input: x }), g.op('abs', { input: x })]
  const graph = g.graph(live)
  const nodes = [...graph.nodes, dead].sort((a, b) => a.id - b.id)
  const littered = { ...graph, nodes, locations: new Map(nodes.map((node) => [node, []])) }
  const result = passes.eliminateDeadCode.run(littered, { evaluate, assumeFinite: false, apply: () => true })
  assert.equal(
    result.nodes.map((node) => node.op),
    ['input', 'input', 'abs'],
  )
  assert.is(unused.op, 'input')
  verifyGraph(result)
})
leaves(passes.eliminateDeadCode, 'leaves a graph without dead nodes', (g) => g.op('exp', { input: g.input('x', [2]) }))

rewrites(
  passes.foldConstants,
  'OP-03 folds what depends on constants alone',
  (g) =>
    g.op('add', {
      left: g.input('x', [3]),
      right: g.op('exp', { input: g.op('mul', { left: g.weight('w', [3]), right: g.number(2) }) }),
    }),
  'add(x, folded(@w))',
)
rewrites(
  passes.foldConstants,
  'OP-22 folds transposes of constants',
  (g) =>
    g.op('matmul', { left: g.input('x', [2, 4]), right: g.op('transpose', { input: g.weight('w', [3, 4]) }, { order: [1, 0] }) }),
  'matmul(x, folded(@w))',
)
rewrites(
  passes.foldConstants,
  'OP-40 folds slices of constants',
  (g) =>
    g.op('add', {
      left: g.input('x', [2]),
      right: g.op('slice', { input: g.weight('w', [30]) }, { start: [4], size: [2], step: [1] }),
    }),
  'add(x, folded(@w))',
)
leaves(passes.foldConstants, 'does not store what an expansion repeats', (g) =>
  g.op('add', { left: g.input('x', [4, 3]), right: g.op('expand', { input: g.weight('w', [3]) }, { shape: [4, 3] }) }),
)
leaves(passes.foldConstants, 'does not store a product far larger than its operands', (g) =>
  g.op('mul', { left: g.weight('a', [200, 1]), right: g.weight('b', [1, 200]) }),
)
leaves(passes.foldConstants, 'leaves inputs', (g) => g.op('exp', { input: g.input('x', [3]) }))
test('fold-constants leaves a faulty gather to run time', () => {
  const g = createTestGraph()
  const graph = g.graph(g.op('gather', { input: g.weight('w', [3]), indices: g.weight('i', [1], () => 7, 'i32') }))
  const result = passes.foldConstants.run(graph, { evaluate, assumeFinite: false, apply: () => true })
  assert.is(result, graph)
  assert.throws(
    () =>
      evaluate(
        graph.outputs[0]!.value,
        graph.nodes.slice(0, 2).map((node) => node.data!.read()),
      ),
    (e: Error) => e instanceof EvaluationFault,
  )
})

rewrites(
  passes.mergeEqualConstants,
  'OP-02 merges equal bytes and then equal nodes',
  (g) => {
    const x = g.input('x', [3])
    return g.op('sub', {
      left: g.op('mul', { left: x, right: g.weight('a', [3]) }),
      right: g.op('mul', { left: x, right: g.weight('b', [3]) }),
    })
  },
  'sub(mul(x, @a), mul(x, @a))',
)
leaves(passes.mergeEqualConstants, 'keeps equal bytes of different types apart', (g) => [
  g.weight('a', [2], () => 0),
  g.weight('b', [2], () => 0, 'i32'),
])
leaves(passes.mergeEqualConstants, 'keeps different bytes apart', (g) => [
  g.weight('a', [2], () => 0),
  g.weight('b', [2], () => -0),
])

// ---------------------------------------------------------------- arithmetic
const unary = (
  name: string,
  build: (g: TestGraph, x: Node) => Node,
  expected: string | undefined,
  options?: Options,
  dtype: 'f32' | 'i32' | 'bool' = 'f32',
) => check(passes.simplifyArithmetic, name, (g) => build(g, g.input('x', [3], dtype)), expected, options)
unary('OP-21 x + 0 → x', (g, x) => g.op('add', { left: x, right: g.number(0) }), 'x')
unary('OP-21 0 + x → x', (g, x) => g.op('add', { left: g.number(0), right: x }), 'x')
unary('OP-21 x − 0 → x', (g, x) => g.op('sub', { left: x, right: g.number(0) }), 'x')
unary('OP-21 x · 1 → x', (g, x) => g.op('mul', { left: x, right: g.number(1) }), 'x')
unary('OP-21 x / 1 → x', (g, x) => g.op('div', { left: x, right: g.number(1) }), 'x')
unary('x ^ 1 → x', (g, x) => g.op('pow', { left: x, right: g.number(1) }), 'x')
unary('x + 0 of a larger shape expands x', (g, x) => g.op('add', { left: x, right: g.weight('z', [2, 3], () => 0) }), 'expand(x)')
unary('OP-21 x · 0 stays for floats', (g, x) => g.op('mul', { left: x, right: g.number(0) }), undefined)
unary('OP-21 x · 0 → 0 where floats are assumed finite', (g, x) => g.op('mul', { left: x, right: g.number(0) }), 'expand(0)', {
  assumeFinite: true,
})
unary('x · 0 → 0 of integers', (g, x) => g.op('mul', { left: x, right: g.number(0, 'i32') }), 'expand(0)', {}, 'i32')
unary('OP-21 0 / x stays for floats', (g, x) => g.op('div', { left: g.number(0), right: x }), undefined)
unary(
  '0 / x → 0 of integers, also where x is 0',
  (g, x) => g.op('div', { left: g.number(0, 'i32'), right: x }),
  'expand(0)',
  {},
  'i32',
)
unary(
  'x and true → x, x or true → true',
  (g, x) => g.op('and', { left: g.op('or', { left: x, right: g.number(1, 'bool') }), right: g.number(1, 'bool') }),
  'expand(1)',
  {},
  'bool',
)
unary('−−x → x', (g, x) => g.op('negate', { input: g.op('negate', { input: x }) }), 'x')
unary(
  'max(x, x) → x, ||x|| → |x|',
  (g, x) => g.op('abs', { input: g.op('abs', { input: g.op('maximum', { left: x, right: x }) }) }),
  'abs(x)',
)
unary('OP-21 constants move to the right', (g, x) => g.op('mul', { left: g.number(3), right: x }), 'mul(x, 3)')
unary('3 − x keeps its order', (g, x) => g.op('sub', { left: g.number(3), right: x }), undefined)
unary('x − 3 → x + −3', (g, x) => g.op('sub', { left: x, right: g.number(3) }), 'add(x, negate(3))')
unary('integers keep x − 3', (g, x) => g.op('sub', { left: x, right: g.number(3, 'i32') }), undefined, {}, 'i32')
unary(
  '(x · 3) · 5 → x · (3 · 5)',
  (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(3) }), right: g.number(5) }),
  'mul(x, mul(3, 5))',
)
unary(
  '(x · 1e-20) · 1e-20 stays: the product vanishes',
  (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(1e-20) }), right: g.number(1e-20) }),
  undefined,
)
unary(
  '(x · 1e30) · 1e30 stays: the product overflows',
  (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(1e30) }), right: g.number(1e30) }),
  undefined,
)
unary(
  'chains that would grow stay',
  (g, x) => g.op('add', { left: g.op('add', { left: x, right: g.weight('a', [4, 1]) }), right: g.weight('b', [3]) }),
  undefined,
)
unary('x / 4 → x · 0.25', (g, x) => g.op('div', { left: x, right: g.number(4) }), 'mul(x, 0.25)')
unary('x / 3 stays', (g, x) => g.op('div', { left: x, right: g.number(3) }), undefined)
unary('x ^ 2 → x · x', (g, x) => g.op('pow', { left: x, right: g.number(2) }), 'mul(x, x)')
unary('x ^ 3 → x · x · x', (g, x) => g.op('pow', { left: x, right: g.number(3) }), 'mul(mul(x, x), x)')
unary('x ^ 2.5 stays', (g, x) => g.op('pow', { left: x, right: g.number(2.5) }), undefined)
unary(
  'x + −y → x − y, −y + x → x − y',
  (g, x) => g.op('add', { left: g.op('negate', { input: g.input('y', [3]) }), right: x }),
  'sub(x, y)',
)
unary('x − −y → x + y', (g, x) => g.op('sub', { left: x, right: g.op('negate', { input: g.input('y', [3]) }) }), 'add(x, y)')
unary('x · −1 → −x', (g, x) => g.op('mul', { left: x, right: g.number(-1) }), 'negate(x)')

// ---------------------------------------------------------------- nothing to do
const window = { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1] }
rewrites(
  passes.simplifyNoop,
  'OP-28 pools of one element',
  (g) => g.op('maxPool', { input: g.input('x', [1, 2, 3, 3]) }, { ...window, window: [1, 1] }),
  'x',
)
leaves(passes.simplifyNoop, 'leaves a pool that strides', (g) =>
  g.op('maxPool', { input: g.input('x', [1, 2, 3, 3]) }, { ...window, stride: [2, 1], window: [1, 1] }),
)
rewrites(
  passes.simplifyNoop,
  'OP-26 resizing to the same size',
  (g) => g.op('resize', { input: g.input('x', [1, 2, 3, 3]) }, { size: [3, 3], mode: 'cubic' }),
  'x',
)
leaves(passes.simplifyNoop, 'leaves a resize of the same size by another factor', (g) =>
  g.op('resize', { input: g.input('x', [3]) }, { size: [3], mode: 'linear', scales: [1.2] }),
)
leaves(passes.simplifyNoop, 'leaves a resize of a part to the same size', (g) =>
  g.op(
    'resize',
    { input: g.input('x', [3]) },
    { size: [3], mode: 'linear', coordinates: 'tfCropAndResize', start: [0], end: [0.5] },
  ),
)
rewrites(
  passes.simplifyNoop,
  'reductions over single elements',
  (g) => g.op('reduceSum', { input: g.input('x', [1, 4]) }, { axes: [0], keepDims: false }),
  'reshape(x)',
)
leaves(passes.simplifyNoop, 'leaves a sum of absolute values', (g) =>
  g.op('reduceL1', { input: g.input('x', [1, 4]) }, { axes: [0], keepDims: false }),
)
rewrites(
  passes.simplifyNoop,
  'OP-28 choices whose condition is known',
  (g) => g.op('where', { condition: g.number(0, 'bool'), whenTrue: g.input('x', [3]), whenFalse: g.input('y', [1]) }),
  'expand(y)',
)
rewrites(
  passes.simplifyNoop,
  'negated conditions',
  (g) =>
    g.op('where', {
      condition: g.op('not', { input: g.input('c', [3], 'bool') }),
      whenTrue: g.input('x', [3]),
      whenFalse: g.input('y', [3]),
    }),
  'where(c, y, x)',
)
leaves(passes.simplifyNoop, 'leaves conditions that vary', (g) =>
  g.op('where', {
    condition: g.weight('c', [3], (i) => i % 2, 'bool'),
    whenTrue: g.input('x', [3]),
    whenFalse: g.input('y', [3]),
  }),
)

// ---------------------------------------------------------------- casts
const cast = (g: TestGraph, input: Node, dtype: 'f32' | 'f64' | 'f16' | 'i8' | 'i32' | 'u8' | 'bool') =>
  g.op('cast', { input }, { dtype })
rewrites(passes.simplifyCast, 'OP-30 to the same dtype', (g) => cast(g, g.input('x', [2]), 'f32'), 'x')
rewrites(
  passes.simplifyCast,
  'OP-30 through a wider float',
  (g) => cast(g, cast(g, g.input('x', [2]), 'f64'), 'f16'),
  'cast(x, dtype: "f16")',
  { attributes: true },
)
leaves(passes.simplifyCast, 'OP-30 not through a narrower one', (g) => cast(g, cast(g, g.input('x', [2]), 'f16'), 'f64'))
leaves(passes.simplifyCast, 'not from integer through float to a narrower integer, which saturates', (g) =>
  cast(g, cast(g, g.input('x', [2], 'i32'), 'f64'), 'i8'),
)
rewrites(
  passes.simplifyCast,
  'from integer through a wider integer',
  (g) => cast(g, cast(g, g.input('x', [2], 'u8'), 'i32'), 'i8'),
  'cast(x, dtype: "i8")',
  { attributes: true },
)
leaves(passes.simplifyCast, 'not from i32 through f32, which rounds', (g) =>
  cast(g, cast(g, g.input('x', [2], 'i32'), 'f32'), 'f64'),
)
leaves(passes.simplifyCast, 'not through bool', (g) => cast(g, cast(g, g.input('x', [2]), 'bool'), 'f32'))

// ---------------------------------------------------------------- shapes
const reshape = (g: TestGraph, input: Node, shape: number[]) => g.op('reshape', { input }, { shape })
const transpose = (g: TestGraph, input: Node, order: number[]) => g.op('transpose', { input }, { order })
rewrites(
  passes.simplifyReshape,
  'OP-25 reshape of reshape',
  (g) => reshape(g, reshape(g, g.input('x', [6]), [2, 3]), [-1, 2]),
  'reshape(x, shape: [3, 2])',
  { attributes: true },
)
rewrites(passes.simplifyReshape, 'OP-25 to the same shape', (g) => reshape(g, g.input('x', [6]), [-1]), 'x')
leaves(passes.simplifyReshape, 'leaves a single reshape', (g) => reshape(g, g.input('x', [6]), [2, 3]))
rewrites(
  passes.simplifyTranspose,
  'pairs cancel',
  (g) => transpose(g, transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), [1, 2, 0]),
  'x',
)
rewrites(
  passes.simplifyTranspose,
  'pairs merge',
  (g) => transpose(g, transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), [2, 0, 1]),
  'transpose(x, order: [1, 2, 0])',
  { attributes: true },
)
rewrites(
  passes.simplifyTranspose,
  'OP-24 dimensions of size 1',
  (g) => transpose(g, g.input('x', [2, 1, 4]), [1, 0, 2]),
  'reshape(x, shape: [1, 2, 4])',
  { attributes: true },
)
rewrites(
  passes.simplifyTranspose,
  'OP-24 exchanging two dimensions of size 1',
  (g) => transpose(g, g.input('x', [1, 1, 4]), [1, 0, 2]),
  'x',
)
leaves(passes.simplifyTranspose, 'OP-24 leaves one that moves elements', (g) => transpose(g, g.input('x', [2, 1, 4]), [2, 1, 0]))

const slice = (g: TestGraph, input: Node, start: number[], size: number[], step = start.map(() => 1)) =>
  g.op('slice', { input }, { start, size, step })
rewrites(passes.simplifySlice, 'everything', (g) => slice(g, g.input('x', [4, 2]), [0, 0], [4, 2]), 'x')
leaves(passes.simplifySlice, 'leaves everything backwards', (g) => slice(g, g.input('x', [4]), [3], [4], [-1]))
rewrites(
  passes.simplifySlice,
  'slice of slice',
  (g) => slice(g, slice(g, g.input('x', [10]), [1], [4], [2]), [3], [2], [-2]),
  'slice(x, start: [7], size: [2], step: [-4])',
  { attributes: true },
)
rewrites(
  passes.simplifySlice,
  'OP-42 exactly one part of a concat',
  (g) => slice(g, g.op('concat', { inputs: [g.input('x', [2, 3]), g.input('y', [2, 2])] }, { axis: 1 }), [0, 3], [2, 2]),
  'y',
)
rewrites(
  passes.simplifySlice,
  'OP-42 within one part of a concat',
  (g) => slice(g, g.op('concat', { inputs: [g.input('x', [2, 3]), g.input('y', [2, 2])] }, { axis: -1 }), [1, 4], [1, 1]),
  'slice(y, start: [1, 1], size: [1, 1], step: [1, 1])',
  { attributes: true },
)
leaves(passes.simplifySlice, 'OP-42 leaves a slice over two parts', (g) =>
  slice(g, g.op('concat', { inputs: [g.input('x', [3]), g.input('y', [2])] }, { axis: 0 }), [2], [2]),
)
rewrites(
  passes.simplifySlice,
  'within padding',
  (g) => slice(g, g.op('pad', { input: g.input('x', [3]) }, { before: [2], after: [1], value: 0 }), [3], [2]),
  'slice(x, start: [1], size: [2], step: [1])',
  { attributes: true },
)
leaves(passes.simplifySlice, 'leaves a slice that takes padding', (g) =>
  slice(g, g.op('pad', { input: g.input('x', [3]) }, { before: [2], after: [1], value: 0 }), [1], [2]),
)

const concat = (g: TestGraph, inputs: Node[], axis = 0) => g.op('concat', { inputs }, { axis })
rewrites(passes.simplifyConcat, 'OP-20 of one', (g) => concat(g, [g.input('x', [2])]), 'x')
rewrites(
  passes.simplifyConcat,
  'OP-20 nested',
  (g) => concat(g, [concat(g, [g.input('x', [2, 1]), g.input('y', [2, 1])], 1), g.input('z', [2, 1])], -1),
  'concat(x, y, z)',
)
leaves(passes.simplifyConcat, 'leaves nesting along another axis', (g) =>
  concat(g, [concat(g, [g.input('x', [2, 1]), g.input('y', [2, 1])], 1), g.input('z', [2, 2])], 0),
)
rewrites(
  passes.simplifyConcat,
  'empty parts',
  (g) => concat(g, [g.input('x', [2]), g.input('e', [0]), g.input('y', [1])]),
  'concat(x, y)',
)
rewrites(
  passes.simplifyConcat,
  'OP-20 slices that rebuild the source',
  (g) => {
    const x = g.input('x', [2, 5])
    return concat(g, [slice(g, x, [0, 0], [2, 3]), slice(g, x, [0, 3], [2, 2])], 1)
  },
  'x',
)
rewrites(
  passes.simplifyConcat,
  'OP-43 consecutive slices',
  (g) => {
    const x = g.input('x', [6])
    return concat(g, [slice(g, x, [1], [2]), slice(g, x, [3], [2]), g.input('y', [1])])
  },
  'concat(slice(x, start: [1], size: [4], step: [1]), y, axis: 0)',
  { attributes: true },
)
leaves(passes.simplifyConcat, 'OP-43 leaves slices in another order', (g) => {
  const x = g.input('x', [6])
  return concat(g, [slice(g, x, [3], [2]), slice(g, x, [1], [2])])
})

rewrites(passes.simplifyExpand, 'to the same shape', (g) => g.op('expand', { input: g.input('x', [2]) }, { shape: [2] }), 'x')
rewrites(
  passes.simplifyExpand,
  'under an elementwise op',
  (g) => g.op('add', { left: g.input('x', [4, 3]), right: g.op('expand', { input: g.input('y', [3]) }, { shape: [4, 3] }) }),
  'add(x, y)',
)
leaves(passes.simplifyExpand, 'leaves one that makes the result larger', (g) =>
  g.op('exp', { input: g.op('expand', { input: g.input('y', [3]) }, { shape: [4, 3] }) }),
)
leaves(passes.simplifyExpand, 'leaves one that prelu needs', (g) =>
  g.op('prelu', { input: g.op('expand', { input: g.input('x', [3]) }, { shape: [4, 3] }), slope: g.input('s', [4, 3]) }),
)

const image = (g: TestGraph) => g.input('x', [1, 2, 5, 5])
const around = (g: TestGraph, input: Node, n: number, value: number, batch = 0) =>
  g.op('pad', { input }, { before: [batch, 0, n, n], after: [0, 0, n, 0], value })
const conv = (g: TestGraph, input: Node, more: object = {}) =>
  g.op('conv', { input, weight: g.weight('w', [3, 2, 3, 3]) }, { ...window, groups: 1, ...more })
rewrites(passes.simplifyPad, 'by nothing', (g) => around(g, image(g), 0, 1), 'x')
rewrites(
  passes.simplifyPad,
  'of padding with the same value',
  (g) => around(g, around(g, image(g), 1, 2), 2, 2),
  'pad(x, before: [0, 0, 3, 3], after: [0, 0, 3, 0], value: 2)',
  { attributes: true },
)
leaves(passes.simplifyPad, 'leaves padding with two values', (g) => around(g, around(g, image(g), 1, 2), 2, 3))
rewrites(
  passes.simplifyPad,
  'OP-10 into a convolution',
  (g) => conv(g, around(g, image(g), 2, 0), { before: [1, 0] }),
  'conv(x, @w, stride: [1, 1], before: [3, 2], after: [2, 0], dilation: [1, 1], groups: 1)',
  { attributes: true },
)
leaves(passes.simplifyPad, 'OP-10 not with another value', (g) => conv(g, around(g, image(g), 1, 1)))
leaves(passes.simplifyPad, 'OP-10 not over the batch', (g) => conv(g, around(g, image(g), 1, 0, 1)))
leaves(passes.simplifyPad, 'OP-10 not when something else reads the padded tensor', (g) => {
  const padded = around(g, image(g), 1, 0)
  return [conv(g, padded), g.op('exp', { input: padded })]
})
const average = (g: TestGraph, input: Node, countPadding: boolean, before = [0, 0]) =>
  g.op('avgPool', { input }, { ...window, before, window: [3, 3], countPadding })
rewrites(
  passes.simplifyPad,
  'into an average that has no padding of its own',
  (g) => average(g, around(g, image(g), 1, 0), false),
  'avgPool(x, stride: [1, 1], before: [1, 1], after: [1, 0], dilation: [1, 1], window: [3, 3], countPadding: true)',
  { attributes: true },
)
leaves(passes.simplifyPad, 'not into an average that leaves its own padding out', (g) =>
  average(g, around(g, image(g), 1, 0), false, [1, 1]),
)
leaves(passes.simplifyPad, 'not where a window would see padding alone', (g) => average(g, around(g, image(g), 3, 0), true))
rewrites(
  passes.simplifyPad,
  'of −∞ into a maximum',
  (g) => g.op('maxPool', { input: around(g, image(g), 1, Number.NEGATIVE_INFINITY) }, { ...window, window: [3, 3] }),
  'maxPool(x)',
)
leaves(passes.simplifyPad, 'not of 0 into a maximum', (g) =>
  g.op('maxPool', { input: around(g, image(g), 1, 0) }, { ...window, window: [3, 3] }),
)

const gather = (g: TestGraph, indices: Node) => g.op('gather', { input: g.input('x', [4, 3]), indices }, { axis: 0 })
rewrites(
  passes.simplifyGather,
  'OP-34 one index',
  (g) => gather(g, g.number(2, 'i32')),
  'reshape(slice(x, start: [2, 0], size: [1, 3], step: [1, 1]), shape: [3])',
  { attributes: true },
)
rewrites(
  passes.simplifyGather,
  'OP-34 an index from the end',
  (g) => gather(g, g.number(-1, 'i64')),
  'reshape(slice(x, start: [3, 0], size: [1, 3], step: [1, 1]), shape: [3])',
  { attributes: true },
)
rewrites(
  passes.simplifyGather,
  'regular indices',
  (g) =>
    gather(
      g,
      g.weight('i', [2], (i) => 3 - 2 * i, 'i32'),
    ),
  'slice(x, start: [3, 0], size: [2, 3], step: [-2, 1])',
  { attributes: true },
)
leaves(passes.simplifyGather, 'leaves an index outside the axis', (g) => gather(g, g.number(4, 'i32')))
leaves(passes.simplifyGather, 'leaves irregular indices', (g) =>
  gather(
    g,
    g.weight('i', [3], (i) => [0, 1, 3][i]!, 'i32'),
  ),
)

// ---------------------------------------------------------------- limits
const clamp = (g: TestGraph, input: Node, minimum: number, maximum: number) => g.op('clamp', { input }, { minimum, maximum })
const most = (g: TestGraph, left: Node, value: number) => g.op('maximum', { left, right: g.number(value) })
const least = (g: TestGraph, left: Node, value: number) => g.op('minimum', { left, right: g.number(value) })
rewrites(
  passes.raiseClamp,
  'OP-54 min of max',
  (g) => least(g, most(g, g.input('x', [3]), -1), 1),
  'clamp(x, minimum: -1, maximum: 1)',
  { attributes: true },
)
rewrites(
  passes.raiseClamp,
  'OP-54 max of min',
  (g) => most(g, least(g, g.input('x', [3]), 1), -1),
  'clamp(x, minimum: -1, maximum: 1)',
  { attributes: true },
)
rewrites(passes.raiseClamp, 'max with 0', (g) => most(g, g.input('x', [3]), 0), 'relu(x)')
leaves(passes.raiseClamp, 'OP-54 leaves limits that exclude each other', (g) => least(g, most(g, g.input('x', [3]), 2), 1))
leaves(passes.raiseClamp, 'leaves limits that vary', (g) =>
  g.op('maximum', { left: g.input('x', [3]), right: g.weight('w', [3]) }),
)
rewrites(
  passes.simplifyClamp,
  'OP-29 clamp of clamp',
  (g) => clamp(g, clamp(g, g.input('x', [3]), -2, 1), -1, 3),
  'clamp(x, minimum: -1, maximum: 1)',
  { attributes: true },
)
rewrites(
  passes.simplifyClamp,
  'OP-29 clamp of relu',
  (g) => clamp(g, g.op('relu', { input: g.input('x', [3]) }), -1, 0.5),
  'clamp(x, minimum: 0, maximum: 0.5)',
  { attributes: true },
)
leaves(passes.simplifyClamp, 'leaves limits without a common value', (g) => clamp(g, clamp(g, g.input('x', [3]), -2, -1), 1, 3))
rewrites(
  passes.simplifyClamp,
  'what a sigmoid keeps anyway',
  (g) => least(g, g.op('relu', { input: reshape(g, g.op('sigmoid', { input: g.input('x', [3]) }), [3, 1]) }), 1),
  'reshape(sigmoid(x))',
)
leaves(passes.simplifyClamp, 'leaves a limit within the range', (g) =>
  least(g, g.op('sigmoid', { input: g.input('x', [3]) }), 0.5),
)

// ---------------------------------------------------------------- layers
rewrites(
  passes.raiseLinear,
  'OP-39, OP-38 matmul and bias',
  (g) =>
    g.op('add', {
      left: g.op('matmul', { left: g.input('x', [2, 3]), right: g.weight('w', [3, 4]) }),
      right: g.input('b', [1, 4]),
    }),
  'linear(x, transpose(@w), reshape(b))',
)
leaves(passes.raiseLinear, 'leaves a product of two inputs', (g) =>
  g.op('matmul', { left: g.input('x', [2, 3]), right: g.input('w', [3, 4]) }),
)
leaves(passes.raiseLinear, 'leaves a product of integers', (g) =>
  g.op('matmul', { left: g.input('x', [2, 3], 'i64'), right: g.weight('w', [3, 4], (i) => i, 'i64') }),
)
leaves(passes.raiseLinear, 'leaves a term for each row', (g) =>
  g.op('add', {
    left: g.op('linear', { input: g.input('x', [4, 3]), weight: g.weight('w', [4, 3]) }),
    right: g.input('b', [4, 1]),
  }),
)
leaves(passes.raiseLinear, 'leaves a bias on a value that is needed without it', (g) => {
  const linear = g.op('linear', { input: g.input('x', [2, 3]), weight: g.weight('w', [4, 3]) })
  return [g.op('add', { left: linear, right: g.input('b', [4]) }), linear]
})

const normalise = (g: TestGraph, input: Node, channels: number, from: TestGraph['weight'] | TestGraph['input'] = g.weight) =>
  g.op('batchNorm', {
    input,
    scale: g.weight('scale', [channels]),
    shift: g.weight('shift', [channels]),
    mean: from('mean', [channels]),
    variance: g.weight('variance', [channels], (i) => 0.3 + i),
  })
const factor = 'div(@scale, sqrt(add(@variance, 0.000009999999747378752)))'
rewrites(
  passes.foldBatchNorm,
  'OP-19 after a convolution',
  (g) => normalise(g, conv(g, image(g)), 3),
  `conv(x, mul(@w, reshape(${factor})), sub(@shift, mul(@mean, ${factor})))`,
)
rewrites(
  passes.foldBatchNorm,
  'OP-19 after a linear layer with bias',
  (g) =>
    normalise(g, g.op('linear', { input: g.input('x', [2, 3]), weight: g.weight('w', [4, 3]), bias: g.weight('b', [4]) }), 4),
  `linear(x, mul(@w, reshape(${factor})), add(mul(@b, ${factor}), sub(@shift, mul(@mean, ${factor}))))`,
)
leaves(passes.foldBatchNorm, 'OP-19 not when the convolution has another user', (g) => {
  const value = conv(g, image(g))
  return [normalise(g, value, 3), value]
})
leaves(passes.foldBatchNorm, 'OP-19 not with statistics that are inputs', (g) =>
  normalise(g, conv(g, image(g)), 3, g.input as never),
)
leaves(passes.foldBatchNorm, 'not where the features are not dimension 1', (g) =>
  normalise(g, g.op('linear', { input: g.input('x', [2, 4, 3]), weight: g.weight('w', [4, 3]) }), 4),
)

rewrites(
  passes.foldAffine,
  'OP-16 factors after a convolution',
  (g) => g.op('mul', { left: conv(g, image(g)), right: g.weight('c', [3, 1, 1]) }),
  'conv(x, mul(@w, reshape(reshape(@c))))',
)
rewrites(
  passes.foldAffine,
  'OP-18 terms after a convolution',
  (g) => g.op('add', { left: conv(g, image(g)), right: g.weight('c', [1, 3, 1, 1]) }),
  'conv(x, @w, reshape(@c))',
)
rewrites(
  passes.foldAffine,
  'factors before a convolution',
  (g) => conv(g, g.op('mul', { left: image(g), right: g.number(1 / 255) }), { before: [1, 1] }),
  'conv(x, mul(@w, 0.003921568859368563))',
)
leaves(passes.foldAffine, 'leaves factors for each column', (g) =>
  g.op('mul', { left: conv(g, image(g)), right: g.weight('c', [3]) }),
)
leaves(passes.foldAffine, 'leaves factors that are inputs', (g) =>
  g.op('mul', { left: conv(g, image(g)), right: g.input('c', [3, 1, 1]) }),
)
leaves(passes.foldAffine, 'leaves factors that would overflow', (g) =>
  g.op('mul', { left: conv(g, image(g)), right: g.number(1e30) }),
)
leaves(passes.foldAffine, 'leaves division by 0', (g) => g.op('div', { left: conv(g, image(g)), right: g.number(0) }))

// ---------------------------------------------------------------- sinking
rewrites(
  passes.sinkTranspose,
  'OP-04 below elementwise ops, constants follow',
  (g) => g.op('add', { left: g.op('relu', { input: transpose(g, g.input('x', [2, 3]), [1, 0]) }), right: g.weight('w', [2]) }),
  'transpose(add(relu(x), transpose(reshape(@w))))',
)
rewrites(
  passes.sinkTranspose,
  'OP-04 two of the same order',
  (g) => g.op('add', { left: transpose(g, g.input('x', [2, 3]), [1, 0]), right: transpose(g, g.input('y', [2, 1]), [1, 0]) }),
  'transpose(add(x, y))',
)
leaves(passes.sinkTranspose, 'OP-04 not beside an operand that is not transposed', (g) =>
  g.op('add', { left: transpose(g, g.input('x', [2, 3]), [1, 0]), right: g.input('y', [3, 2]) }),
)
rewrites(
  passes.sinkTranspose,
  'OP-04 single elements beside it stay as they are',
  (g) =>
    g.op(
      'concat',
      {
        inputs: [
          g.op('transpose', { input: g.op('abs', { input: g.input('x', [1, 1]) }) }, { order: [1, 0] }),
          g.input('y', [1, 1]),
        ],
      },
      { axis: 0 },
    ),
  'transpose(concat(abs(x), y))',
)

leaves(passes.sinkTranspose, 'not when the transposed value is needed', (g) => {
  const value = transpose(g, g.input('x', [2, 3]), [1, 0])
  return [g.op('exp', { input: value }), value]
})
rewrites(
  passes.sinkTranspose,
  'OP-04 below concat',
  (g) => concat(g, [transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), transpose(g, g.input('y', [2, 3, 1]), [2, 0, 1])], 0),
  'transpose(concat(x, y, axis: 2), order: [2, 0, 1])',
  { attributes: true },
)
rewrites(
  passes.sinkTranspose,
  'OP-04 below pad and slice',
  (g) =>
    slice(
      g,
      g.op('pad', { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) }, { before: [1, 0, 0], after: [0, 0, 2], value: 1 }),
      [0, 1, 0],
      [5, 1, 3],
    ),
  'transpose(slice(pad(x, before: [0, 0, 1], after: [0, 2, 0], value: 1), start: [1, 0, 0], size: [1, 3, 5], step: [1, 1, 1]), order: [2, 0, 1])',
  { attributes: true },
)
rewrites(
  passes.sinkTranspose,
  'below reductions',
  (g) => g.op('reduceSum', { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) }, { axes: [1], keepDims: false }),
  'transpose(reduceSum(x, axes: [0], keepDims: false), order: [1, 0])',
  { attributes: true },
)
rewrites(
  passes.sinkTranspose,
  'below softmax',
  (g) => g.op('softmax', { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) }, { axis: -1 }),
  'transpose(softmax(x, axis: 1), order: [2, 0, 1])',
  { attributes: true },
)
rewrites(
  passes.sinkReshape,
  'OP-06 below elementwise ops',
  (g) => g.op('mul', { left: g.op('relu', { input: reshape(g, g.input('x', [2, 6]), [3, 4]) }), right: g.number(2) }),
  'reshape(mul(relu(x), 2))',
)
rewrites(
  passes.sinkReshape,
  'OP-06 beside a bias along the dimension that stays',
  (g) => g.op('add', { left: reshape(g, g.input('x', [2, 3, 4]), [6, 4]), right: g.input('b', [4]) }),
  'reshape(add(x, b))',
)
leaves(passes.sinkReshape, 'OP-06 not beside a value for each row', (g) =>
  g.op('add', { left: reshape(g, g.input('x', [2, 3, 4]), [6, 4]), right: g.input('b', [6, 1]) }),
)
leaves(passes.sinkReshape, 'OP-06 not beside another shape', (g) =>
  g.op('add', { left: reshape(g, g.input('x', [2, 6]), [3, 4]), right: g.input('y', [3, 4]) }),
)

test('IR-30 a replacement has the locations of all that it replaces', () => {
  const g = createTestGraph()
  const at = (line: number): Location => ({ kind: 'source', span: { file: 'a.model.ts', line, column: 1 }, calls: [] })
  const x = g.input('x', [1, 2, 5, 5])
  const padded = g.builder.add('pad', { input: x }, { before: [0, 0, 1, 1], after: [0, 0, 1, 1], value: 0 }, at(1))
  const value = g.builder.add('conv', { input: padded, weight: g.weight('w', [3, 2, 3, 3]) }, { ...window, groups: 1 }, at(2))
  const result = passes.simplifyPad.run(g.graph(value), { evaluate, assumeFinite: false, apply: () => true })
  assert.equal(
    result.locations.get(result.outputs[0]!.value)!.map((location) => location.kind === 'source' && location.span.line),
    [2, 1],
  )
})

test('rules work on stored integers; what these stand for stays in the type', () => {
  const graph = parseGraph(`graph "q"(%0)
  %0 = input {name: "x"} : i8[2, 1] quantized([0.5], [3])
  %1 = constant @"zero" [0] : i8[]
  %2 = add(%0, %1) : i8[2, 1]
  %3 = transpose(%0) {order: [0, 1]} : i8[2, 1] quantized([0.5], [3])
  %4 = reshape(%3) {shape: [2]} : i8[2] quantized([0.5], [3])
  return "y" = %2, "z" = %4`)
  const context = { evaluate, assumeFinite: false, apply: () => true }
  const added = passes.simplifyArithmetic.run(graph, context)
  verifyGraph(added)
  assert.equal(expression(added.outputs[0]!.value), 'storageCast(x)')
  const moved = passes.simplifyTranspose.run(graph, context)
  verifyGraph(moved)
  assert.equal(expression(moved.outputs[1]!.value), 'reshape(x)')
  for (const result of [added, moved])
    assert.equal(
      result.outputs.map(({ value }) => printType(value.type)),
      ['i8[2, 1]', 'i8[2] quantized([0.5], [3])'],
    )
})

test.run()
