import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printGraph } from '../../compiler/graph/index.ts'
import { type ImportGraphOptions, importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { UnsupportedOperators } from '../../dsl/onnx/import/problem.ts'
import type { Argument, Recording } from '../../dsl/onnx/record/statement.ts'
import { isTensor } from '../../dsl/tracer.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor, type Sketch } from './build.ts'
import { replay } from './replay.ts'

/** A recording as a few lines: `relu(%0)`, literals as their values, weights by name. */
function lines(recording: Recording): string[] {
  const names = new Map<unknown, string>()
  const show = (argument: Argument): string => {
    if (isTensor(argument)) {
      const source = recording.sourceOf(argument)
      if (source.kind === 'input') return source.name
      if (source.kind === 'weight') return `w.${source.name}`
      if (source.kind === 'literal') return `${argument.dtype}[${argument.shape}](${source.values.join(' ')})`
      return `${names.get(source.statement)}${source.part === undefined ? '' : `.${source.part}`}`
    }
    if (Array.isArray(argument)) return `[${argument.map(show).join(', ')}]`
    if (typeof argument !== 'object') return String(argument)
    return `{ ${Object.entries(argument)
      .map(([key, value]) => `${key}: ${show(value)}`)
      .join(', ')} }`
  }
  const body = recording.statements.map((statement, i) => {
    names.set(statement, `%${i}`)
    return `${statement.call}(${statement.arguments.map(show).join(', ')})`
  })
  return [...body, ...recording.outputs.map(({ name, tensor }) => `${name} = ${show(tensor)}`)]
}

async function imported(sketch: Sketch, opset = 21, options: ImportGraphOptions = {}) {
  const result = await importGraph(onnxModel(sketch, opset), options)
  for (const [i, { name, graph }] of result.graph.entries.entries()) {
    assert.is(result.recordings[i]!.entry, name)
    assert.is(printGraph(replay(result.recordings[i]!, result.weights)), printGraph(graph))
  }
  return { ...result, lines: lines(result.recordings[0]!) }
}

async function refusal(sketch: Sketch, opset = 21, options: ImportGraphOptions = {}): Promise<Error> {
  try {
    await importGraph(onnxModel(sketch, opset), options)
  } catch (error) {
    return error as Error
  }
  throw new Error('the import went through')
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => Math.fround((i * 7919) % 101) / 7.3)

test('shape arithmetic leaves nothing behind', async () => {
  // As PyTorch writes x.view(x.size(0), -1, x.size(1) * 2).
  const { lines, weights } = await imported({
    inputs: { x: ['f32', ['batch', 4, 6]] },
    constants: [
      onnxTensor('zero', 'i64', [], [0]),
      onnxTensor('one', 'i64', [], [1]),
      onnxTensor('two', 'i64', [], [2]),
      onnxTensor('rest', 'i64', [1], [-1]),
      onnxTensor('front', 'i64', [1], [0]),
    ],
    nodes: [
      onnxNode('Shape', 'x', 's'),
      onnxNode('Gather', 's, zero', 'b'),
      onnxNode('Gather', 's, one', 'c'),
      onnxNode('Mul', 'c, two', 'c2'),
      onnxNode('Unsqueeze', 'b, front', 'bu'),
      onnxNode('Unsqueeze', 'c2, front', 'cu'),
      onnxNode('Concat', 'bu, rest, cu', 'shape', { axis: 0 }),
      onnxNode('Reshape', 'x, shape', 'y'),
    ],
    outputs: ['y'],
  })
  assert.equal(lines, ['reshape(x, [1, 3, 8])', 'y = %0'])
  assert.is(weights.size, 0)
})

test('a cast, a comparison and a choice over shapes are folded with the elements of their types', async () => {
  const { lines } = await imported(
    {
      inputs: { x: ['f32', [2, 5]] },
      constants: [
        onnxTensor('scale', 'f32', [2], [1, 1.7]),
        onnxTensor('minus', 'i64', [2], [-1, -1]),
        onnxTensor('ask', 'i64', [2], [-1, 8]),
      ],
      nodes: [
        onnxNode('Shape', 'x', 's'),
        onnxNode('Cast', 's', 'f', { to: 1 }),
        onnxNode('Mul', 'f, scale', 'g'),
        onnxNode('Floor', 'g', 'h'),
        onnxNode('Cast', 'h', 'i', { to: 7 }),
        onnxNode('Equal', 'ask, minus', 'free'),
        onnxNode('Where', 'free, i, ask', 'target'),
        onnxNode('ConstantOfShape', 'target', 'full', { value: onnxTensor('', 'f32', [1], [0.25]) }),
        onnxNode('ReduceSum', 'full', 'sum', { keepdims: 0 }),
        onnxNode('Mul', 'x, sum', 'y'),
      ],
      outputs: ['y'],
    },
    13,
  )
  assert.equal(lines, ['mul(x, 4)', 'y = %0'])
})

test('a scalar is a number where the result stays of its type, and a constant where it is not', async () => {
  const { lines } = await imported({
    inputs: { x: ['f32', [4]] },
    constants: [
      onnxTensor('half', 'f32', [1], [0.1]),
      onnxTensor('wide', 'f32', [1, 1], [2]),
      onnxTensor('far', 'i64', [], [2 ** 60]),
    ],
    nodes: [
      onnxNode('Mul', 'x, half', 'a'),
      onnxNode('Sub', 'half, a', 'b'),
      onnxNode('Add', 'b, wide', 'c'),
      onnxNode('Cast', 'c', 'd', { to: 7 }),
      onnxNode('Add', 'd, far', 'y'),
    ],
    outputs: ['y'],
  })
  assert.equal(lines, [
    'mul(x, 0.1)',
    'sub(0.1, %0)',
    'add(%1, f32[1,1](2))',
    'cast(%2, i64)',
    'add(%3, i64[](1152921504606846976))',
    'y = %4',
  ])
})

test('small constants are written, large ones and unround ones go to the weights under their names', async () => {
  const { lines, weights } = await imported({
    inputs: { x: ['f32', [3, 17]] },
    constants: [
      onnxTensor('layer/scale:0', 'f32', [17], numbers(17)),
      onnxTensor(
        'odd',
        'f32',
        [3, 1],
        [0.123456789, 1 / 3, 2 / 7].map((value) => value * 1e-3),
      ),
      onnxTensor('round', 'f32', [3, 1], [0.5, -1, 0.25]),
      onnxTensor('unused', 'f32', [17], numbers(17)),
    ],
    nodes: [onnxNode('Mul', 'x, layer/scale:0', 'a'), onnxNode('Add', 'a, odd', 'b'), onnxNode('Sub', 'b, round', 'y')],
    outputs: ['y'],
  })
  assert.equal(lines.slice(0, 3), ['mul(x, w.layer/scale:0)', 'add(%0, w.odd)', 'sub(%1, f32[3,1](0.5 -1 0.25))'])
  assert.equal([...weights.keys()].length, 2)
  assert.equal(weights.get('odd')!.type, { dtype: 'f32', shape: [3, 1] })
})

test('a folded weight goes under the name of what computes it; what is given through keeps its own', async () => {
  const { weights } = await imported({
    inputs: { x: ['f32', [2, 5]] },
    constants: [onnxTensor('w', 'f32', [6, 5], numbers(30)), onnxTensor('v', 'f32', [5, 6], numbers(30))],
    nodes: [
      onnxNode('Transpose', 'w', 'w_t'),
      onnxNode('Identity', 'v', 'v_again'),
      onnxNode('MatMul', 'x, w_t', 'a'),
      onnxNode('MatMul', 'x, v_again', 'b'),
      onnxNode('Add', 'a, b', 'y'),
    ],
    outputs: ['y'],
  })
  assert.equal([...weights.keys()].sort(), ['v', 'w_t'])
  assert.equal(weights.get('w_t')!.type.shape, [5, 6])
})

test('large constants are not computed while importing, unless their elements are asked for', async () => {
  const { lines } = await imported({
    inputs: { x: ['f32', [2, 256]] },
    constants: [
      onnxTensor('w', 'f32', [256, 256], numbers(65536)),
      onnxTensor('z', 'i64', [65536], new Array(65536).fill(0)),
      onnxTensor('t', 'i64', [2], [1, 2]),
    ],
    nodes: [
      onnxNode('Transpose', 'w', 'wt'),
      onnxNode('MatMul', 'x, wt', 'a'),
      // The largest of 65536 zeros: known, but not from anything small.
      onnxNode('ReduceMax', 'z', 'm', { keepdims: 1 }),
      onnxNode('Concat', 'm, t', 'axes', { axis: 0 }),
      onnxNode('Unsqueeze', 'a, axes', 'y'),
    ],
    outputs: ['y'],
  })
  assert.equal(lines, ['transpose(w.w, [1, 0])', 'matmul(x, %0)', 'unsqueeze(%1, { axes: [0, 1, 2] })', 'y = %2'])
})

test('a dense layer is linear where its weight is stored transposed', async () => {
  const layer = (shape: readonly number[], transB: number) => ({
    inputs: { x: ['f32', [2, 5]] as const },
    constants: [onnxTensor('w', 'f32', shape, numbers(30)), onnxTensor('b', 'f32', [6], numbers(6))],
    nodes: [onnxNode('Gemm', 'x, w, b', 'y', { transB })],
    outputs: ['y'],
  })
  assert.equal((await imported(layer([6, 5], 1))).lines, ['linear(x, w.w, w.b)', 'y = %0'])
  assert.equal((await imported(layer([5, 6], 0))).lines, ['matmul(x, w.w)', 'add(%0, w.b)', 'y = %1'])
})

test('nodes that change nothing disappear', async () => {
  const { lines } = await imported(
    {
      inputs: { x: ['f32', [2, 3]] },
      constants: [
        onnxTensor('same', 'i64', [2], [2, -1]),
        onnxTensor('zero', 'i64', [1], [0]),
        onnxTensor('far', 'i64', [1], [2 ** 62]),
        onnxTensor('ones', 'i64', [2], [1, 1]),
      ],
      nodes: [
        onnxNode('Identity', 'x', 'a'),
        onnxNode('Cast', 'a', 'b', { to: 1 }),
        onnxNode('Reshape', 'b, same', 'c'),
        onnxNode('Slice', 'c, zero, far', 'd'),
        onnxNode('Tile', 'd, ones', 'e'),
        onnxNode('Expand', 'e, ones', 'f'),
        onnxNode('Transpose', 'f', 'g', { perm: [0, 1] }),
        onnxNode('Dropout', 'g', 'h'),
        onnxNode('Concat', 'h', 'i', { axis: 0 }),
        onnxNode('Clip', 'i', 'j'),
        onnxNode('Relu', 'j', 'y'),
      ],
      outputs: ['y'],
    },
    13,
  )
  assert.equal(lines, ['relu(x)', 'y = %0'])
})

test('quantised weights keep their integers', async () => {
  const { lines, weights } = await imported({
    inputs: { x: ['f32', [2, 5]] },
    constants: [
      onnxTensor('q', 'i8', [6, 5], numbers(30).map(Math.round)),
      onnxTensor(
        's',
        'f32',
        [6],
        [1, 2, 3, 4, 5, 6].map((i) => i / 64),
      ),
      onnxTensor('z', 'i8', [6], [0, 0, 0, 0, 0, 0]),
      onnxTensor('xs', 'f32', [], [0.1]),
      onnxTensor('xz', 'u8', [], [128]),
    ],
    nodes: [
      onnxNode('QuantizeLinear', 'x, xs, xz', 'xq'),
      onnxNode('DequantizeLinear', 'xq, xs, xz', 'xd'),
      onnxNode('DequantizeLinear', 'q, s, z', 'w', { axis: 0 }),
      onnxNode('Gemm', 'xd, w', 'y', { transB: 1 }),
    ],
    outputs: ['y'],
  })
  assert.equal(lines, [
    'quantize(x, { dtype: u8, scale: 0.1, zeroPoint: 128 })',
    'dequantize(%0, { scale: 0.1, zeroPoint: 128 })',
    'dequantize(w.q, { scale: w.s, axis: 0 })',
    'linear(%1, %2)',
    'y = %3',
  ])
  assert.equal([...weights.keys()].sort(), ['q', 's'])
})

// ---------------------------------------------------------------- what cannot be imported
test('everything that cannot be imported is told at once, and its consequences are not', async () => {
  const problem = await refusal(
    {
      inputs: { x: ['f32', [4]], n: ['i64', [2]] },
      nodes: [
        onnxNode('RandomNormalLike', 'x', 'a', {}, 'noise'),
        onnxNode('Relu', 'a', 'b'),
        onnxNode('Frobnicate', 'b', 'c'),
        onnxNode('org.example.Foo', 'x', 'd', {}, 'evil\n*/ `x`'),
        onnxNode('Reshape', 'x, n', 'e', {}, 'view'),
        onnxNode('Add', 'x, x', 'f'),
        onnxNode('Reshape', 'f, n', 'g', {}, 'view2'),
      ],
      outputs: ['c', 'd', 'e', 'g'],
    },
    17,
  )
  assert.instance(problem, UnsupportedOperators)
  assert.equal(
    (problem as UnsupportedOperators).list.map(({ op, domain, opset, node }) => [op, domain, opset, node]),
    [
      ['RandomNormalLike', '', 17, 'noise'],
      ['Frobnicate', '', 17, 'c'],
      ['Foo', 'org.example', 1, 'evil\n*/ `x`'],
      ['Reshape', '', 17, 'view'],
      ['Reshape', '', 17, 'view2'],
    ],
  )
  assert.is(
    problem.message,
    [
      '5 nodes cannot be imported:',
      "- RandomNormalLike (opset 17), node 'noise': there is no counterpart for this operator; pass the random numbers as an input",
      "- Frobnicate (opset 17), node 'c': there is no counterpart for this operator",
      "- org.example.Foo (opset 1), node 'evil */ `x`': there is no counterpart for this operator; export the model without operators of org.example, or as an ONNX function, which is expanded",
      "- Reshape (opset 17), node 'view', 'view2': input 1 'n' depends on data, it must follow from constants and shapes; --constant fixes an input of the graph; else export the model with fixed shapes, or simplify it with onnxsim",
    ].join('\n'),
  )
})

test('what no output needs is not asked for', async () => {
  const { lines } = await imported({
    inputs: { x: ['f32', [4]] },
    nodes: [onnxNode('Frobnicate', 'x', 'a'), onnxNode('Relu', 'x', 'y')],
    outputs: ['y'],
  })
  assert.equal(lines, ['relu(x)', 'y = %0'])
})

test('a mistake that the vocabulary finds names the node', async () => {
  const problem = await refusal({
    inputs: { x: ['f32', [4]], i: ['i32', [4]] },
    nodes: [onnxNode('Add', 'x, i', 'y', {}, 'mixed')],
    outputs: ['y'],
  })
  assert.match(problem.message, /^one node cannot be imported:\n- Add \(opset 21\), node 'mixed': add: .*f32.*i32/)
})

test('names that mean something to JavaScript are no operators', async () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    const sketch = { inputs: { x: ['f32', [4]] as const }, nodes: [onnxNode(name, 'x', 'y')], outputs: ['y'] }
    assert.match((await refusal(sketch)).message, /there is no counterpart/)
    assert.match(
      (await refusal({ ...sketch, nodes: [{ ...sketch.nodes[0]!, domain: name }] })).message,
      /there is no counterpart/,
    )
  }
})

test('attributes of another kind, missing ones and missing inputs stop their node', async () => {
  const relu = (attributes: Record<string, any>, op = 'LeakyRelu', inputs = 'x') =>
    refusal({ inputs: { x: ['f32', [4]] }, nodes: [onnxNode(op, inputs, 'y', attributes)], outputs: ['y'] })
  assert.match((await relu({ alpha: 'high' })).message, /attribute alpha is of kind string, not float/)
  assert.match((await relu({}, 'Cast')).message, /attribute to is missing/)
  assert.match((await relu({ to: 8 }, 'Cast')).message, /element type string is not supported/)
  assert.match((await relu({ to: 99 }, 'Cast')).message, /element type 99 is not supported/)
  assert.match((await relu({}, 'Add')).message, /input 1 is missing/)
  assert.match((await relu({}, 'Add', ', x')).message, /input 0 is missing/)
  assert.match((await relu({ axis: 7 }, 'Split')).message, /axis 7 is outside a tensor of rank 1/)
  assert.match((await relu({ num_outputs: 2 ** 31 }, 'Split')).message, /2147483648 parts do not fit its 1 outputs/)
  assert.match((await relu({}, 'Relu', 'nowhere')).message, /takes 'nowhere', which nothing makes/)
})

test('sizes that only exhaust memory are refused', async () => {
  const sized = (op: string, dtype: 'i64', values: readonly number[]) =>
    refusal({
      constants: [
        onnxTensor('n', dtype, [values.length], values),
        ...['a', 'b', 'c'].map((name, i) => onnxTensor(name, 'i64', [], [[0, 2 ** 50, 1][i]!])),
      ],
      nodes: [op === 'Range' ? onnxNode('Range', 'a, b, c', 'y') : onnxNode(op, 'n', 'y')],
      outputs: ['y'],
    })
  assert.match((await sized('ConstantOfShape', 'i64', [2 ** 40, 2 ** 40])).message, /more than \d+ elements/)
  assert.match((await sized('Range', 'i64', [1])).message, /1125899906842624 elements are too many/)
})

test('inputs that are no tensors, or of unknown rank, are told together', async () => {
  const model = onnxModel({ inputs: { x: ['f32', [4]] }, nodes: [onnxNode('Relu', 'x', 'y')], outputs: ['y'] })
  const graph = {
    ...model.graph,
    inputs: [
      { name: 'x', dtype: 'f32' as const },
      { name: 'words', shape: [3] },
    ],
  }
  try {
    await importGraph({ ...model, graph })
    assert.unreachable()
  } catch (error) {
    assert.match(
      (error as Error).message,
      /2 things cannot be imported:\n- graph input 'x': the file does not say how many dimensions.*\n- graph input 'words'/,
    )
  }
})

test('a tensor of a type that has no counterpart is told where it is used', async () => {
  const words = { ...onnxTensor('words', 'u8', [2], [0, 0]), unsupported: 'string' }
  const sketch: Sketch = {
    inputs: { x: ['f32', [2]] },
    constants: [words],
    nodes: [onnxNode('Equal', 'words, words', 'e', {}, 'same')],
    outputs: ['e'],
  }
  assert.match(
    (await refusal(sketch)).message,
    /Equal \(opset 21\), node 'same': it takes a tensor of type string, which is not supported/,
  )
  assert.match(
    (await refusal({ ...sketch, nodes: [], outputs: ['words'] })).message,
    /graph output .*'words': it is a tensor of type string/,
  )
  const relu = { ...sketch, nodes: [onnxNode('Relu', 'x', 'y')], outputs: ['y'] }
  assert.equal((await imported(relu)).lines, ['relu(x)', 'y = %0'])
})

test('sizes that were guessed are named where something does not fit', async () => {
  const problem = await refusal({
    inputs: { x: ['f32', [1, 'width']], y: ['f32', [1, 'length']] },
    constants: [onnxTensor('w', 'f32', [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])],
    nodes: [onnxNode('MatMul', 'x, w', 'a'), onnxNode('Add', 'a, y', 'b')],
    outputs: ['b'],
  })
  assert.match(
    problem.message,
    /matmul: inner dimensions 224 and 3 differ[^\n]*\nsizes that nobody stated were guessed, as 224 for width, 128 for length; state them: --dim width=…$/,
  )
})

// ---------------------------------------------------------------- branches
const branch = (op: string, output: string, constant?: number) =>
  onnxGraph({
    constants: constant === undefined ? [] : [onnxTensor('k', 'f32', [], [constant])],
    nodes: [constant === undefined ? onnxNode(op, 'x', output) : onnxNode(op, 'x, k', output)],
    outputs: [output],
  })

test('an If whose condition follows from shapes is the one branch; branches see what is around them', async () => {
  const sketch = (size: number): Sketch => ({
    inputs: { x: ['f32', [size, 1]] },
    constants: [onnxTensor('one', 'i64', [], [1]), onnxTensor('zero', 'i64', [], [0])],
    nodes: [
      onnxNode('Shape', 'x', 's'),
      onnxNode('Gather', 's, zero', 'n'),
      onnxNode('Equal', 'n, one', 'c'),
      onnxNode('If', 'c', 'y', { then_branch: branch('Mul', 'a', 3), else_branch: branch('Relu', 'a') }),
    ],
    outputs: ['y'],
  })
  assert.equal((await imported(sketch(1))).lines, ['mul(x, 3)', 'y = %0'])
  assert.equal((await imported(sketch(2))).lines, ['relu(x)', 'y = %0'])
})

test('an If that depends on data computes both branches, and says so', async () => {
  const { lines, notes } = await imported({
    inputs: { x: ['f32', [3]], c: ['bool', [1]] },
    nodes: [onnxNode('If', 'c', 'y', { then_branch: branch('Mul', 'a', 3), else_branch: branch('Relu', 'a') })],
    outputs: ['y'],
  })
  assert.equal(lines, ['mul(x, 3)', 'relu(x)', 'reshape(c, [])', 'where(%2, %0, %1)', 'y = %3'])
  assert.equal(notes, ['an If whose condition depends on data computes both branches'])
})

test('branches of different types cannot be chosen from while running', async () => {
  const other = onnxGraph({ nodes: [onnxNode('Shape', 'x', 'b')], outputs: ['b'] })
  const problem = await refusal({
    inputs: { x: ['f32', [3]], c: ['bool', []] },
    nodes: [onnxNode('If', 'c', 'y', { then_branch: branch('Relu', 'a'), else_branch: other }, 'choice')],
    outputs: ['y'],
  })
  assert.match(
    problem.message,
    /If \(opset 21\), node 'choice': its condition depends on data and output 0 is f32\[3\] in one branch and i64\[1\] in the other/,
  )
})

// ---------------------------------------------------------------- names and dimensions
test('names of the file become identifiers, each its own', async () => {
  const { inputs, outputs, recordings } = await imported({
    inputs: {
      'a.b': ['f32', [1]],
      'a/b': ['f32', [1]],
      '1': ['f32', [1]],
      class: ['f32', [1]],
      __proto__x: ['f32', [1]],
      '`1`': ['f32', [1]],
    },
    nodes: [onnxNode('Sum', 'a.b, a/b, 1, class, __proto__x, `1`', 'out:0')],
    outputs: ['out:0'],
  })
  assert.equal(
    inputs.map(({ name }) => name),
    ['input_1', 'a_b', 'a_b_2', 'class_', 'proto__x', 'input_1_2'],
  )
  assert.equal(outputs, [{ onnx: 'out:0', name: 'out' }])
  assert.ok(recordings[0]!.header.some((line) => line.includes("a_b is 'a.b', a_b_2 is 'a/b'")))
})

const sequence: Sketch = {
  inputs: { tokens: ['f32', ['batch', 'seq']], past: ['f32', ['batch', 'seq + 1']] },
  constants: [onnxTensor('k', 'f32', [1, 1], [2])],
  nodes: [onnxNode('Concat', 'tokens, past', 'a', { axis: 1 }), onnxNode('Mul', 'a, k', 'y')],
  outputs: ['y'],
}

test('a batch is 1, other dimensions get a usual size and a name, and both are noted', async () => {
  const { graph, recordings, notes } = await imported(sequence)
  assert.equal(
    graph.entries[0]!.graph.inputs.map(({ type }) => type.shape),
    [
      [1, 128],
      [1, 129],
    ],
  )
  assert.equal(recordings[0]!.dims, [{ key: 'seq', name: 'seq', sizes: [128] }])
  assert.equal(
    recordings[0]!.inputs.map(({ dims }) => dims),
    [
      [undefined, 'seq'],
      [undefined, undefined],
    ],
  )
  assert.is(notes.length, 2)
  assert.match(notes[0]!, /batch is 1/)
  assert.match(notes[1]!, /dimension seq has no size in the file, it is 128 here; another size is another import: --dim seq=/)
})

test('what exporters call a batch is 1, and products and quotients of names follow from them', async () => {
  const shapeOf = async (...shape: (string | number | undefined)[]) => {
    const sketch: Sketch = {
      inputs: { h: ['f32', ['heads', 'frames']], x: ['f32', shape] },
      nodes: [onnxNode('Relu', 'x', 'y'), onnxNode('Relu', 'h', 'z')],
      outputs: ['y', 'z'],
    }
    const { graph } = await imported(sketch, 21, { dims: { heads: 6, frames: 31 } })
    return graph.entries[0]!.graph.inputs[1]!.type.shape
  }
  assert.equal(await shapeOf('image_batch_size', 3), [1, 3])
  assert.equal(await shapeOf('unk__41', 'unk__42'), [1, 128])
  assert.equal(await shapeOf('p2o.DynamicDimension.0', 3, 'p2o.DynamicDimension.1', 'p2o.DynamicDimension.2'), [1, 3, 224, 224])
  assert.equal(await shapeOf(undefined), [128])
  assert.equal(await shapeOf('batch', 'num_channels', 'height', 'width'), [1, 3, 224, 224])
  assert.equal(await shapeOf(1, 'unk__349', 'unk__350', 3), [1, 224, 224, 3])
  assert.equal(await shapeOf('batch', undefined, undefined, undefined), [1, 3, 224, 224])
  assert.equal(await shapeOf(1, 2, 'h', 3), [1, 2, 224, 3])
  assert.equal(await shapeOf('heads * 2', 'frames / 2', 'frames - 2 * heads + 1'), [12, 15, 20])
})

test('bound dimensions are plain numbers', async () => {
  const { graph, recordings, notes } = await imported(sequence, 21, { dims: { batch: 2, seq: 7 } })
  assert.equal(
    graph.entries[0]!.graph.inputs.map(({ type }) => type.shape),
    [
      [2, 7],
      [2, 8],
    ],
  )
  assert.equal(recordings[0]!.dims, [])
  assert.equal(notes, [])
})

test('several sizes make an entry each, and the weights stand once', async () => {
  const sketch: Sketch = {
    inputs: { x: ['f32', ['n', 'seq', 5]] },
    constants: [
      onnxTensor('w', 'f32', [5, 5], numbers(25)),
      onnxTensor('table', 'f32', [64, 5], numbers(320)),
      onnxTensor('zero', 'i64', [1], [0]),
      onnxTensor('one', 'i64', [1], [1]),
    ],
    nodes: [
      onnxNode('Shape', 'x', 's', { start: 1, end: 2 }),
      // What is folded differs from entry to entry under one name.
      onnxNode('Slice', 'table, zero, s, zero', 'part'),
      onnxNode('MatMul', 'x, w', 'a'),
      onnxNode('Add', 'a, part', 'y'),
    ],
    outputs: ['y'],
  }
  const { graph, recordings, weights } = await imported(sketch, 21, { dims: { seq: [16, 32] } })
  assert.equal(
    graph.entries.map(({ name, graph }) => [name, graph.inputs[0]!.type.shape]),
    [
      ['seq16', [1, 16, 5]],
      ['seq32', [1, 32, 5]],
    ],
  )
  assert.equal(
    [...weights].map(([name, { type }]) => [name, type.shape]),
    [
      ['w', [5, 5]],
      ['part', [16, 5]],
      ['part_2', [32, 5]],
    ],
  )
  assert.equal(lines(recordings[1]!), ['matmul(x, w.w)', 'add(%0, w.part_2)', 'y = %1'])
  const data = graph.entries.map(({ graph }) => graph.nodes.find((node) => node.data?.label === 'w')!.data)
  assert.is(data[0], data[1])
})

test('a dimension without a name is bound by its place', async () => {
  const sketch: Sketch = {
    inputs: { image: ['f32', [undefined, 3, undefined, 8]] },
    nodes: [onnxNode('Relu', 'image', 'y')],
    outputs: ['y'],
  }
  assert.equal(
    (await imported(sketch, 21, { dims: { 'image.2': 9 } })).graph.entries[0]!.graph.inputs[0]!.type.shape,
    [1, 3, 9, 8],
  )
  const written = await imported(sketch, 21, { dims: { image_2: 96 } })
  assert.equal(written.graph.entries[0]!.graph.inputs[0]!.type.shape, [1, 3, 96, 8])
  const open = await imported(sketch)
  assert.equal(open.graph.entries[0]!.graph.inputs[0]!.type.shape, [1, 3, 224, 8])
  assert.equal(open.recordings[0]!.dims, [{ key: 'image.2', name: 'image_2', sizes: [224] }])
})

test('sizes that do not fit are told', async () => {
  const said = async (dims: Record<string, any>) => (await refusal(sequence, 21, { dims })).message
  assert.match(await said({ sequence: 4 }), /'sequence' is no symbolic dimension; these are: 'batch', 'seq', 'seq \+ 1'/)
  assert.match(await said({ seq: [] }), /'seq' needs whole numbers below 2\^31, got none/)
  assert.match(await said({ seq: [3, 3] }), /names a size twice/)
  assert.match(await said({ seq: 1.5 }), /needs whole numbers/)
  const derived: Sketch = { inputs: { x: ['f32', ['batch', 'past - 3']] }, nodes: [onnxNode('Relu', 'x', 'y')], outputs: ['y'] }
  assert.match(
    (await refusal(derived)).message,
    /'past - 3' follows from 'past', which no input has; bind it: --dim 'past - 3'=128/,
  )
  assert.match(
    (await refusal({ ...derived, inputs: { x: ['f32', ['n', 'm']], z: ['f32', ['m - 200']] } }, 21, { dims: { m: 128 } }))
      .message,
    /'m - 200' comes out as -72/,
  )
  assert.match(
    await said({ seq: Array.from({ length: 20 }, (_, i) => i + 1), batch: [1, 2, 3, 4] }),
    /80 combinations, the limit is 64/,
  )
})

test.run()
