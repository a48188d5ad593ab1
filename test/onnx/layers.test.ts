import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DType } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import type { Argument } from '../../dsl/onnx/record/statement.ts'
import { isTensor } from '../../dsl/tracer.ts'
import { onnxModel, onnxNode, onnxTensor, type Written } from './build.ts'

type Types = Readonly<Record<string, readonly [DType, readonly number[]]>>
type Constants = Readonly<Record<string, readonly [DType, readonly number[], readonly number[]]>>

/** The calls that one node becomes; tensors are left out, options stay. Numbers are those of onnxruntime in `layers.cases.jsonl`. */
async function calls(
  op: string,
  inputs: Types,
  attributes: Readonly<Record<string, Written>> = {},
  {
    opset = 21,
    constants = {},
    order,
    outputs = 'y',
  }: { opset?: number; constants?: Constants; order?: string; outputs?: string } = {},
): Promise<string[]> {
  const { recordings } = await importGraph(
    onnxModel(
      {
        inputs,
        constants: Object.entries(constants).map(([name, value]) => onnxTensor(name, ...value)),
        nodes: [onnxNode(op, order ?? [...Object.keys(inputs), ...Object.keys(constants)].join(', '), outputs, attributes)],
        outputs: outputs.split(', '),
      },
      opset,
    ),
  )
  const show = (argument: Argument): unknown => {
    if (isTensor(argument)) return 'tensor'
    if (Array.isArray(argument)) return argument.map(show)
    if (typeof argument !== 'object') return argument
    return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, show(value)]))
  }
  return recordings[0]!.statements.map(({ call, arguments: given }) => {
    const plain = given.map(show).filter((argument) => argument !== 'tensor' && argument !== undefined)
    return `${call}(${plain.map((argument) => JSON.stringify(argument)).join(', ')})`
  })
}

const image = { x: ['f32', [1, 4, 9, 9]] } as const
const kernel = (...shape: number[]): Types => ({ ...image, w: ['f32', shape] })

test('convolutions are written as a person would', async () => {
  const conv = (attributes: Record<string, Written>, weight = kernel(6, 4, 3, 3)) => calls('Conv', weight, attributes)
  assert.equal(await conv({}), ['conv2d()'])
  assert.equal(await conv({ pads: [1, 1, 1, 1], strides: [2, 2], dilations: [1, 1], kernel_shape: [3, 3] }), [
    'conv2d({"stride":2,"padding":1})',
  ])
  assert.equal(await conv({ pads: [1, 0, 1, 0], strides: [2, 1] }), ['conv2d({"stride":[2,1],"padding":[1,0]})'])
  assert.equal(await conv({ pads: [0, 0, 1, 1] }), ['conv2d({"padding":{"before":0,"after":1}})'])
  assert.equal(await conv({ auto_pad: 'SAME_UPPER', strides: [2, 2] }), ['conv2d({"stride":2,"padding":"same"})'])
  assert.equal(await conv({ auto_pad: 'SAME_LOWER' }, kernel(6, 4, 2, 2)), ['conv2d({"padding":{"before":1,"after":0}})'])
  assert.equal(await conv({ auto_pad: 'VALID', group: 2, dilations: [2, 2] }, kernel(6, 2, 3, 3)), [
    'conv2d({"dilation":2,"groups":2})',
  ])
})

test('transposed convolutions take padding from the shape that is asked for', async () => {
  const transposed = (attributes: Record<string, Written>) => calls('ConvTranspose', kernel(4, 3, 3, 3), attributes)
  assert.equal(await transposed({ strides: [2, 2], output_shape: [18, 18] }), [
    'convTranspose2d({"stride":2,"padding":{"before":1,"after":0}})',
  ])
  assert.equal(await transposed({ strides: [2, 2], output_shape: [1, 3, 18, 18], auto_pad: 'SAME_UPPER' }), [
    'convTranspose2d({"stride":2,"padding":{"before":0,"after":1}})',
  ])
  assert.equal(await transposed({ strides: [2, 2], output_padding: [1, 1], pads: [1, 1, 1, 1] }), [
    'convTranspose2d({"stride":2,"padding":1,"outputPadding":1})',
  ])
})

test('ceil_mode adds a window unless it begins in the padding behind', async () => {
  const pool = (extent: number, attributes: Record<string, Written>, op = 'MaxPool') =>
    calls(op, { x: ['f32', [1, 1, extent]] }, { ceil_mode: 1, ...attributes })
  assert.equal(await pool(8, { kernel_shape: [3], strides: [2] }), [
    'maxPool1d(3, {"stride":2,"padding":{"before":0,"after":1}})',
  ])
  assert.equal(await pool(2, { kernel_shape: [1], strides: [2], pads: [0, 0] }), ['maxPool1d(1, {"stride":2})'])
  assert.equal(await pool(4, { kernel_shape: [2], strides: [2], pads: [0, 1] }), ['maxPool1d(2)'])
  assert.equal(await pool(8, { kernel_shape: [3], strides: [2] }, 'AveragePool'), [
    'avgPool1d(3, {"stride":2,"padding":{"before":0,"after":1},"countPadding":false})',
  ])
  // The padding that is asked for counts as zeros, what the last window reaches over behind it does not.
  assert.equal(await pool(7, { kernel_shape: [3], strides: [3], pads: [1, 0], count_include_pad: 1 }, 'AveragePool'), [
    'pad({"before":[0,0,1],"after":[0,0,0]})',
    'avgPool1d(3, {"padding":{"before":0,"after":1},"countPadding":false})',
  ])
})

test('resizing names the sizes, and factors only where the sizes do not say them', async () => {
  const resize = (scales: number[], attributes: Record<string, Written>, opset = 21) =>
    calls('Resize', image, attributes, { opset, constants: { s: ['f32', [4], scales] }, order: opset < 11 ? 'x, s' : 'x, , s' })
  assert.equal(await resize([1, 1, 2, 2], {}), ['resize([18,18])'])
  assert.equal(await resize([1, 1, 2, 2], {}, 10), ['resize([18,18], {"coordinates":"asymmetric","rounding":"floor"})'])
  assert.equal(await resize([1, 1, 0.5, 2], {}, 10), [
    'resize([18], {"coordinates":"asymmetric","rounding":"floor"})',
    'resize([4,18], {"coordinates":"asymmetric","rounding":"ceil","scales":[0.5,1]})',
  ])
  assert.equal(await resize([1, 1, 1.3, 1.3], { mode: 'linear' }), ['resize([11,11], {"mode":"linear","scales":[1.3,1.3]})'])
  assert.equal(await resize([1, 1, 1, 1], { mode: 'cubic' }), [])
  const sizes = await calls(
    'Resize',
    image,
    { axes: [3, 2], keep_aspect_ratio_policy: 'not_larger', mode: 'linear', antialias: 1 },
    {
      constants: { z: ['i64', [2], [6, 3]] },
      order: 'x, , , z',
    },
  )
  assert.equal(sizes, ['resize([3,3], {"mode":"linear","antialias":true})'])
})

test('negative pads are cut off first', async () => {
  const constants: Constants = { p: ['i64', [4], [-1, 2, 1, -3]], v: ['f32', [], [0.5]], a: ['i64', [2], [-1, 2]] }
  assert.equal(await calls('Pad', image, {}, { constants }), [
    'slice([{"axis":2,"stop":6},{"axis":3,"start":1}])',
    'pad({"before":[0,0,2,0],"after":[0,0,0,1],"value":0.5})',
  ])
  assert.equal(await calls('Pad', image, {}, { constants: { p: ['i64', [8], [0, 0, 0, 0, 0, 0, 0, 0]] } }), [])
})

test('recurrent layers leave out what is the default', async () => {
  const inputs = { x: ['f32', [3, 2, 4]], w: ['f32', [1, 20, 4]], r: ['f32', [1, 20, 5]] } as const
  const activations = { strings: ['Sigmoid', 'Tanh', 'Tanh'] }
  const lengths: Constants = { l: ['i32', [2], [3, 3]] }
  assert.equal(await calls('LSTM', inputs, { hidden_size: 5, activations }, { constants: lengths, order: 'x, w, r, , l' }), [
    'lstm({"input":"tensor","recurrent":"tensor"})',
  ])
  const other = { strings: ['hardsigmoid', 'LeakyRelu', 'Affine'] }
  const parameters = {
    activation_alpha: { floats: [0.2, 0.01, 2] },
    activation_beta: { floats: [0.5, 0.25] },
    clip: { float: 3 },
  }
  assert.equal(await calls('LSTM', inputs, { activations: other, ...parameters, direction: 'reverse', input_forget: 1 }), [
    'lstm({"input":"tensor","recurrent":"tensor"}, {"direction":"reverse","activations":["hardSigmoid","leakyRelu",{"name":"affine","alpha":2,"beta":0.25}],"clip":3,"coupled":true})',
  ])
})

test('attention caches keys and values only where somebody asks', async () => {
  const heads = (length: number) => ['f32', [2, length, 32]] as const
  const inputs = { q: heads(3), k: heads(3), v: heads(3) } as const
  const attributes = { q_num_heads: 4, kv_num_heads: 4, is_causal: 1 }
  assert.equal(await calls('Attention', inputs, attributes, { opset: 23 }), ['attention({"heads":4,"causal":true})'])
  const past = { ...inputs, pk: ['f32', [2, 4, 6, 8]], pv: ['f32', [2, 4, 6, 8]] } as const
  const cached = await calls('Attention', past, attributes, { opset: 23, order: 'q, k, v, , pk, pv', outputs: 'y, a, b' })
  assert.equal(
    cached.filter((call) => /^(concat|attention)/.test(call)),
    [
      'concat(["tensor","tensor"], {"axis":2})',
      'concat(["tensor","tensor"], {"axis":2})',
      'attention({"heads":4,"causal":true,"past":6})',
    ],
  )
})

test('what cannot be imported says why', async () => {
  const refused: [RegExp, () => Promise<unknown>][] = [
    [/auto_pad 'SAME' is unknown/, () => calls('Conv', kernel(6, 4, 3, 3), { auto_pad: 'SAME' })],
    [
      /kernel_shape \[5, 5\] is not that of the weight, \[3, 3\]/,
      () => calls('Conv', kernel(6, 4, 3, 3), { kernel_shape: [5, 5] }),
    ],
    [/attribute strides has 1 entries for 2 spatial axes/, () => calls('Conv', kernel(6, 4, 3, 3), { strides: [2] })],
    [/attribute kernel_shape is missing/, () => calls('MaxPool', image)],
    [/its input has 2 dimensions/, () => calls('MaxPool', { x: ['f32', [3, 4]] }, { kernel_shape: [2] })],
    [
      /coordinate_transformation_mode 'middle' is unknown/,
      () =>
        calls(
          'Resize',
          image,
          { coordinate_transformation_mode: 'middle' },
          { constants: { s: ['f32', [4], [1, 1, 2, 2]] }, order: 'x, , s' },
        ),
    ],
    [/it has neither sizes nor scales/, () => calls('Resize', image)],
    [
      /3 scales do not fit 4 axes/,
      () => calls('Resize', image, {}, { constants: { s: ['f32', [3], [1, 2, 2]] }, order: 'x, , s' }),
    ],
    [
      /input 1 'p' depends on data/,
      () => calls('Pad', { ...image, p: ['i64', [8]] }, {}, { constants: { v: ['f32', [], [0]] }, order: 'x, p, v' }),
    ],
    [
      /mode 'mirror' is unknown/,
      () => calls('Pad', image, { mode: 'mirror' }, { constants: { p: ['i64', [8], [0, 0, 1, 1, 0, 0, 1, 1]] } }),
    ],
    [
      /direction 'sideways' is unknown/,
      () => calls('GRU', { x: ['f32', [3, 2, 4]], w: ['f32', [1, 15, 4]], r: ['f32', [1, 15, 5]] }, { direction: 'sideways' }),
    ],
    [
      /activation 'Swish' is unknown/,
      () =>
        calls(
          'RNN',
          { x: ['f32', [3, 2, 4]], w: ['f32', [1, 5, 4]], r: ['f32', [1, 5, 5]] },
          { activations: { strings: ['Swish'] } },
        ),
    ],
    [/einsum: "ij,jk" has 2 terms for 1 operands/, () => calls('Einsum', { x: ['f32', [3, 4]] }, { equation: 'ij,jk' })],
    [
      /its total_sequence_length depends on data, it says how long the cache becomes; --dim total_sequence_length/,
      () =>
        calls(
          'com.microsoft.GroupQueryAttention',
          {
            q: ['f32', [1, 1, 32]],
            k: ['f32', [1, 1, 16]],
            v: ['f32', [1, 1, 16]],
            pk: ['f32', [1, 2, 6, 8]],
            pv: ['f32', [1, 2, 6, 8]],
            s: ['i32', [1]],
            t: ['i32', []],
          },
          { num_heads: 4, kv_num_heads: 2 },
        ),
    ],
    [/activation 'Cubic' is unknown/, () => calls('com.microsoft.FusedConv', kernel(6, 4, 3, 3), { activation: 'Cubic' })],
  ]
  for (const [message, attempt] of refused) {
    const problem = await attempt().then(
      () => new Error('the import went through'),
      (error: Error) => error,
    )
    assert.match(problem.message, message)
  }
})

test.run()
