import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DType, dtypes, ModelProblem } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { supportedOperators } from '../../dsl/onnx/import/rules/index.ts'
import type { OnnxAttribute, OnnxModel, OnnxNode } from '../../dsl/onnx/model.ts'
import { draw } from '../support/draw.ts'
import { onnxModel, onnxNode, onnxTensor } from './build.ts'

/** The names of attributes that operators of any kind have. */
const attributeNames =
  `axis axes perm keepdims to alpha beta transA transB epsilon split num_outputs starts ends mode pads strides dilations group
kernel_shape auto_pad ceil_mode count_include_pad output_padding output_shape allowzero start end value value_int value_ints value_float k largest
sorted batch_dims reduction exclusive reverse upper fmod direction detect_negative detect_positive saturate block_size output_dtype dtype
num_groups p lambd bias min max blocksize hidden_size activations layout linear_before_reset equation scales coordinate_transformation_mode
nearest_mode antialias exclude_outside extrapolation_value cubic_coeff_a keep_aspect_ratio_policy is_causal q_num_heads kv_num_heads softcap
scale num_heads interleaved rotary_embedding_dim noop_with_empty_axes training_mode spatial approximate opset channels_last unidirectional
do_rotary local_window_size time_axis batch_axis qkv_hidden_sizes activation size`.split(/\s+/)

const oddNumber = fc.constantFrom(0, 1, -1, 2, 3, 4, 7, -3, 8, 255, 2 ** 31, -(2 ** 31), 2 ** 53, -(2 ** 62), 1e9, 65536)
const oddFloat = fc.constantFrom(0, 0.5, -1, 1e-30, 1e30, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
const oddText = fc.constantFrom(
  '',
  'nearest',
  'linear',
  'cubic',
  'SAME_UPPER',
  'VALID',
  'reverse',
  'bidirectional',
  'add',
  'constructor',
  'tanh',
  'ij,jk->ik',
  '...',
  'i'.repeat(300),
)
const attribute: fc.Arbitrary<OnnxAttribute> = fc.oneof(
  oddNumber.map((value) => ({ kind: 'int', value }) as const),
  oddFloat.map((value) => ({ kind: 'float', value }) as const),
  oddText.map((value) => ({ kind: 'string', value }) as const),
  fc.array(oddNumber, { maxLength: 6 }).map((value) => ({ kind: 'ints', value }) as const),
  fc.array(oddFloat, { maxLength: 4 }).map((value) => ({ kind: 'floats', value }) as const),
  fc.array(oddText, { maxLength: 3 }).map((value) => ({ kind: 'strings', value }) as const),
  fc.constant({ kind: 'tensor', value: onnxTensor('', 'i64', [2], [1, -5]) } as const),
)
const attributes = fc
  .array(fc.tuple(fc.constantFrom(...attributeNames), attribute), { maxLength: 4 })
  .map((list) => new Map(list))

const extent: fc.Arbitrary<number> = fc.constantFrom(0, 1, 1, 2, 2, 3, 4, 4, 8)
const dtype: fc.Arbitrary<DType> = fc.oneof(fc.constant('f32' as const), fc.constantFrom(...dtypes))
const operand = fc.record({
  dtype,
  shape: fc.array(extent, { maxLength: 5 }),
  how: fc.constantFrom('input', 'input', 'constant', 'absent'),
  element: oddNumber,
})

/** Any operator over any operands, and what becomes of its first result. */
const drawn: fc.Arbitrary<OnnxModel> = fc
  .record({
    operator: fc.constantFrom(...supportedOperators()),
    operands: fc.array(operand, { minLength: 1, maxLength: 7 }),
    attributes,
    outputs: fc.integer({ min: 1, max: 3 }),
    opset: fc.integer({ min: 7, max: 23 }),
  })
  .map(({ operator: [domain, op], operands, attributes, outputs, opset }) => {
    const names = operands.map(({ how }, i) => (how === 'absent' ? '' : `v${i}`))
    const results = Array.from({ length: outputs }, (_, i) => `r${i}`)
    const node: OnnxNode = { ...onnxNode(op, '', ''), domain, inputs: names, outputs: results, attributes }
    const listed = operands.map((value, i) => ({ ...value, name: names[i]! }))
    return onnxModel(
      {
        inputs: Object.fromEntries(
          listed.flatMap(({ how, name, dtype, shape }) => (how === 'input' ? [[name, [dtype, shape] as const]] : [])),
        ),
        constants: listed.flatMap(({ how, name, dtype, shape, element }) => {
          const count = shape.reduce((a, b) => a * b, 1)
          return how === 'constant' ? [onnxTensor(name, dtype, shape, new Array(count).fill(element))] : []
        }),
        nodes: [node],
        outputs: results,
      },
      opset,
    )
  })

/** A graph, or a mistake that is told; nothing else, and never more than was asked for. */
async function survives(model: OnnxModel): Promise<void> {
  try {
    await importGraph(model)
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
  }
}

test('any operator over any operands is imported or refused', async () => {
  await fc.assert(fc.asyncProperty(drawn, survives), draw(41, 1200))
})

const lines = readFileSync(join(process.env.GLOWPLUG_ROOT!, 'test/onnx/rules.cases.jsonl'), 'utf8').trim().split('\n')
const cases = lines.map((line) => JSON.parse(line))

/** A model that is right but for one thing: an attribute, an operand, or its order. */
const damaged: fc.Arbitrary<OnnxModel> = fc
  .record({
    chosen: fc.nat(cases.length - 1),
    name: fc.constantFrom(...attributeNames),
    attribute,
    operand,
    at: fc.nat(8),
    what: fc.nat(3),
  })
  .map(({ chosen, name, attribute, operand, at, what }) => {
    const { nodes, inputs, constants, outputs, opset } = cases[chosen]
    const tensors = Object.entries(constants as Record<string, [DType, number[], number[]]>)
    const described = Object.entries(inputs as Record<string, [DType, number[], number[]]>).map(
      ([key, [dtype, shape]]) => [key, [dtype, shape]] as [string, [DType, number[]]],
    )
    if (what === 0 && described.length > 0) described[at % described.length]![1] = [operand.dtype, operand.shape]
    const model = onnxModel(
      {
        inputs: Object.fromEntries(described),
        constants: tensors.map(([key, [dtype, shape, values]], i) => {
          if (what !== 1 || i !== at % tensors.length) return onnxTensor(key, dtype, shape, values.map(Number))
          const count = operand.shape.reduce((a, b) => a * b, 1)
          return onnxTensor(key, operand.dtype, operand.shape, new Array(count).fill(operand.element))
        }),
        nodes: (nodes as [string, string, string, object][]).map(([op, ins, outs]) => onnxNode(op, ins, outs)),
        outputs: Object.keys(outputs),
      },
      opset,
    )
    const changed = model.graph.nodes.map((node, i): OnnxNode => {
      if (i !== at % model.graph.nodes.length) return node
      if (what === 2) return { ...node, attributes: new Map([...node.attributes, [name, attribute]]) }
      return what === 3 ? { ...node, inputs: node.inputs.slice(0, at % (node.inputs.length + 1)) } : node
    })
    return { ...model, graph: { ...model.graph, nodes: changed } }
  })

test('a model with something wrong in it is imported or refused', async () => {
  assert.ok(cases.length > 80)
  await fc.assert(fc.asyncProperty(damaged, survives), draw(42, 500))
})

test.run()
