import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { verifyGraph } from '../../compiler/graph/index.ts'
import { importOnnx } from '../../dsl/onnx/index.ts'
import type { OnnxAttribute, OnnxModel, OnnxNode } from '../../dsl/onnx/model.ts'
import { externalFolder } from '../../dsl/onnx/proto/external.ts'
import { readModel } from '../../dsl/onnx/proto/read.ts'
import { writeModel } from '../../dsl/onnx/proto/write.ts'
import { draw } from '../support/draw.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor } from './build.ts'

/** A damaged file is either a clear error or still a model: never another exception, and never a wait without end. */
async function survives(bytes: Uint8Array, folder?: string): Promise<'imported' | 'refused'> {
  try {
    const { graph, source, weights } = await importOnnx(bytes, folder === undefined ? {} : { folder })
    for (const entry of graph.entries) verifyGraph(entry.graph)
    assert.ok(source.length > 0)
    for (const chunk of weights.chunks()) assert.ok(chunk.length >= 0)
    return 'imported'
  } catch (error) {
    const { name, code, message } = error as { name: string; code?: string; message: string }
    if (name !== 'ModelProblem') throw error
    assert.ok(code)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what the file holds must not steer a terminal
    assert.not.match(message, /[\u0000-\u0009\u000b-\u001f\u007f]/)
    return 'refused'
  }
}

const root = join(process.env.GLOWPLUG_ROOT!, 'fixtures')
/** Networks with their folders, where external data may lie. */
const real = [
  'stories260k/step',
  'ultraface-rfb-320/model',
  'mnist-cnn/model',
  'mobilenet-v1-025-128-uint8/model',
  'dtln-denoise/stage2',
]
  .map((name) => join(root, `${name}.onnx`))
  .filter((path) => existsSync(path))
  .map((path) => ({ bytes: new Uint8Array(readFileSync(path)), folder: dirname(path) }))

/** A small model with a branch, a function, shape arithmetic and constants of several forms. */
const sketch: OnnxModel = {
  ...onnxModel({
    inputs: { x: ['f32', ['n', 3, 8, 8]] },
    constants: [
      onnxTensor(
        'w',
        'f32',
        [4, 3, 3, 3],
        Array.from({ length: 108 }, (_, i) => Math.sin(i)),
      ),
      onnxTensor('zero', 'i64', [], [0]),
      onnxTensor('rest', 'i64', [1], [-1]),
      onnxTensor('yes', 'bool', [], [1]),
      onnxTensor(
        'm',
        'f32',
        [256, 5],
        Array.from({ length: 1280 }, (_, i) => Math.cos(i)),
      ),
    ],
    nodes: [
      onnxNode('Conv', 'x,w', 'c', { pads: [1, 1, 1, 1], kernel_shape: [3, 3], strides: [1, 1] }),
      onnxNode('my.Double', 'c', 'd', { axis: 1 }),
      onnxNode('If', 'yes', 'e', {
        then_branch: onnxGraph({ nodes: [onnxNode('Relu', 'd', 'r')], outputs: ['r'] }),
        else_branch: onnxGraph({ nodes: [onnxNode('Neg', 'd', 'r')], outputs: ['r'] }),
      }),
      onnxNode('Shape', 'x', 's'),
      onnxNode('Gather', 's,zero', 'n0', { axis: 0 }),
      onnxNode('Unsqueeze', 'n0,rest', 'n1'),
      onnxNode('Concat', 'n1,rest', 'flat', { axis: 0 }),
      onnxNode('Reshape', 'e,flat', 'f'),
      onnxNode('MatMul', 'f,m', 'g'),
      onnxNode('Softmax', 'g', 'y', { axis: -1 }),
    ],
    outputs: ['y'],
  }),
  functions: new Map([
    [
      'my::Double',
      {
        domain: 'my',
        name: 'Double',
        inputs: ['a'],
        outputs: ['r'],
        nodes: [onnxNode('Add', 'a,a', 't'), onnxNode('ReduceMean', 't', 'u', { keepdims: 1 }), onnxNode('Sub', 't,u', 'r')],
        opsets: new Map([['', 17]]),
        attributes: new Map([['axis', undefined]]),
      },
    ],
  ]),
}
const small = writeModel(sketch)

test('what is damaged here is sound before', async () => {
  assert.is(await survives(small), 'imported')
  assert.ok(real.length > 0)
  for (const { bytes, folder } of real) assert.is(await survives(bytes, folder), 'imported', folder)
})

/** Positions outside the elements of large tensors: damage there only changes numbers. */
function structureOf(bytes: Uint8Array, folder = root): readonly number[] {
  const inside = new Uint8Array(bytes.length)
  for (const { read, shape } of readModel(bytes, { external: externalFolder(folder) }).graph.initializers.values()) {
    const view = read()
    if (shape.length > 1 && view.buffer === bytes.buffer)
      inside.fill(1, view.byteOffset - bytes.byteOffset, view.byteOffset - bytes.byteOffset + view.length)
  }
  return [...inside.keys()].filter((i) => !inside[i])
}

type Damage = (bytes: Uint8Array, at: number, amount: number) => Uint8Array
const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
const damages: Readonly<Record<string, Damage>> = {
  'cut off': (bytes, at) => bytes.slice(0, at),
  'a bit flipped': (bytes, at, amount) => bytes.map((byte, i) => (i === at ? byte ^ (1 << (amount % 8)) : byte)),
  'a byte replaced': (bytes, at, amount) =>
    bytes.map((byte, i) => (i === at ? [0, 0x7f, 0x80, 0xff, byte + 1, byte - 1][amount % 6]! : byte)),
  'bytes left out': (bytes, at, amount) => joined(bytes.subarray(0, at), bytes.subarray(at + 1 + (amount % 9))),
  'bytes put in': (bytes, at, amount) =>
    joined(bytes.subarray(0, at), new Uint8Array(1 + (amount % 9)).fill(amount), bytes.subarray(at)),
  'a part doubled': (bytes, at, amount) => joined(bytes.subarray(0, at + (amount % 64)), bytes.subarray(at)),
}

for (const [name, damage] of Object.entries(damages)) {
  test(`damaged files: ${name}`, async () => {
    const positions = structureOf(small)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(255),
        async (place, amount) => void (await survives(damage(small, positions[place % positions.length]!, amount))),
      ),
      { ...draw(11, 150), includeErrorInReport: true },
    )
  })
  test(`damaged real networks: ${name}`, async () => {
    const places = real.map(({ bytes, folder }) => structureOf(bytes, folder))
    await fc.assert(
      fc.asyncProperty(fc.nat(real.length - 1), fc.nat(), fc.nat(255), async (which, place, amount) => {
        const positions = places[which]!
        const { bytes, folder } = real[which]!
        await survives(damage(bytes, positions[place % positions.length]!, amount), folder)
      }),
      { ...draw(12, 5), includeErrorInReport: true },
    )
  })
}

// ---------------------------------------------------------------- files that are well formed and lie
const sizes = [
  0,
  1,
  -1,
  2,
  3,
  7,
  -2,
  64,
  65,
  1000,
  2 ** 16,
  2 ** 20,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
]

/** Changes one thing of a model: an operand, an operator, an attribute, a size, a small constant. */
function twist(model: OnnxModel, what: number, where: number, which: number): OnnxModel {
  const { graph } = model
  const at = where % Math.max(1, graph.nodes.length)
  const values = [
    ...graph.nodes.flatMap(({ outputs }) => outputs),
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    '',
  ]
  const pick = <T>(list: readonly T[]): T => list[which % list.length]!
  const withNode = (change: (node: OnnxNode) => OnnxNode): OnnxModel => ({
    ...model,
    graph: { ...graph, nodes: graph.nodes.map((node, i) => (i === at ? change(node) : node)) },
  })
  switch (what % 7) {
    case 0:
      return withNode((node) => ({
        ...node,
        inputs: node.inputs.map((input, i) => (i === where % Math.max(1, node.inputs.length) ? pick(values) : input)),
      }))
    case 1:
      return withNode((node) => ({ ...node, op: pick(graph.nodes).op }))
    case 2:
      return withNode((node) => ({ ...node, inputs: [...node.inputs, pick(values)].slice(which % 2) }))
    case 3:
      return withNode((node) => ({
        ...node,
        attributes: new Map([...node.attributes].map(([name, each]) => [name, twistAttribute(each, which)])),
      }))
    case 4:
      return withNode((node) => ({
        ...node,
        attributes: new Map([...node.attributes].filter((_, i) => i !== which % (node.attributes.size + 1))),
      }))
    case 5:
      return {
        ...model,
        graph: {
          ...graph,
          inputs: graph.inputs.map((input) => ({
            ...input,
            shape: (input.shape ?? []).map((extent, i) => (i === where % 4 ? Math.abs(pick(sizes)) : extent)),
          })),
        },
      }
    default: {
      const constants = [...graph.initializers.values()].filter(({ shape, dtype }) => shape.length < 2 && dtype === 'i64')
      const chosen = constants.length > 0 ? pick(constants) : undefined
      const twisted =
        chosen && onnxTensor(chosen.name, 'i64', chosen.shape, Array(chosen.shape[0] ?? 1).fill(sizes[where % sizes.length]!))
      return twisted
        ? { ...model, graph: { ...graph, initializers: new Map([...graph.initializers, [twisted.name, twisted]]) } }
        : model
    }
  }
}

function twistAttribute(attribute: OnnxAttribute, which: number): OnnxAttribute {
  const size = sizes[which % sizes.length]!
  if (attribute.kind === 'int') return which % 3 === 0 ? { kind: 'ints', value: [size] } : { kind: 'int', value: size }
  if (attribute.kind === 'ints')
    return { kind: 'ints', value: which % 2 ? attribute.value.map(() => size) : [...attribute.value, size] }
  if (attribute.kind === 'float') return { kind: 'float', value: [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e30][which % 5]! }
  if (attribute.kind === 'string') return { kind: 'string', value: `${attribute.value}\u0007'\`; process.exit()//` }
  return attribute
}

const several = fc.array(fc.tuple(fc.nat(1000), fc.nat(100_000), fc.nat(100_000)), { minLength: 1, maxLength: 3 })

test('well-formed files that make no sense', async () => {
  await fc.assert(
    fc.asyncProperty(several, async (twists) => {
      await survives(writeModel(twists.reduce((model, [what, where, which]) => twist(model, what, where, which), sketch)))
    }),
    { ...draw(13, 400), includeErrorInReport: true },
  )
})

test('real networks that make no sense', async () => {
  const models = real.map(({ bytes, folder }) => readModel(bytes, { external: externalFolder(folder) }))
  await fc.assert(
    fc.asyncProperty(fc.nat(real.length - 1), several, async (index, twists) => {
      await survives(writeModel(twists.reduce((model, [what, where, which]) => twist(model, what, where, which), models[index]!)))
    }),
    { ...draw(14, 20), includeErrorInReport: true },
  )
})

// ---------------------------------------------------------------- small files that ask for much
const x = (...shape: number[]) => ({ x: ['f32', shape] }) as const
const chain = (length: number, op: string, input: (i: number) => string) =>
  Array.from({ length }, (_, i) => onnxNode(op, input(i), `v${i}`, op === 'Concat' ? { axis: 0 } : {}))
const whole = (name: string, ...values: number[]) => onnxTensor(name, 'i64', [values.length], values)
const single = (
  op: string,
  inputs: string,
  shape: readonly number[],
  attributes = {},
  constants: OnnxModel['graph']['initializers'] = new Map(),
) =>
  onnxModel(
    { inputs: x(...shape), constants: [...constants.values()], nodes: [onnxNode(op, inputs, 'y', attributes)], outputs: ['y'] },
    23,
  )
const named = (...tensors: ReturnType<typeof onnxTensor>[]) => new Map(tensors.map((tensor) => [tensor.name, tensor]))
const gates = named(
  onnxTensor('w', 'f32', [1, 8, 2], Array(16).fill(0.1)),
  onnxTensor('r', 'f32', [1, 8, 2], Array(16).fill(0.1)),
)

const demanding: Readonly<Record<string, readonly [OnnxModel, 'imported' | 'refused']>> = {
  'a chain of 5000 nodes': [
    onnxModel({ inputs: x(4), nodes: chain(5000, 'Exp', (i) => (i === 0 ? 'x' : `v${i - 1}`)), outputs: ['v4999'] }),
    'imported',
  ],
  'a tensor that doubles 200 times': [
    onnxModel({ inputs: x(4), nodes: chain(200, 'Concat', (i) => (i === 0 ? 'x,x' : `v${i - 1},v${i - 1}`)), outputs: ['v199'] }),
    'refused',
  ],
  'a node with 100 000 inputs': [single('Concat', Array(100_000).fill('x').join(), [4], { axis: 0 }), 'refused'],
  'a list of 2^30 numbers': [
    onnxModel({
      inputs: x(1),
      constants: [
        ...named(
          onnxTensor('a', 'i64', [], [0]),
          onnxTensor('b', 'i64', [], [2 ** 30]),
          onnxTensor('c', 'i64', [], [1]),
        ).values(),
      ],
      nodes: [onnxNode('Range', 'a,b,c', 'y')],
      outputs: ['y'],
    }),
    'refused',
  ],
  'a constant of 2^30 elements': [
    onnxModel({
      inputs: x(1),
      constants: [whole('s', 2 ** 15, 2 ** 15)],
      nodes: [onnxNode('ConstantOfShape', 's', 'c'), onnxNode('ReduceMax', 'c', 'm'), onnxNode('Add', 'x,m', 'y')],
      outputs: ['y'],
    }),
    'imported',
  ],
  'a million steps of an LSTM': [single('LSTM', 'x,w,r', [1_000_000, 1, 2], { hidden_size: 2 }, gates), 'refused'],
  'attention over a million positions': [
    single('Attention', 'x,x,x', [1, 1_000_000, 64], { q_num_heads: 64, kv_num_heads: 64 }),
    'refused',
  ],
  'a border of 10^9 pixels': [
    single('Conv', 'x,k', [1, 1, 8, 8], { pads: Array(4).fill(1e9) }, named(onnxTensor('k', 'f32', [1, 1, 1, 1], [1]))),
    'refused',
  ],
}
for (const [name, [model, answer]] of Object.entries(demanding))
  test(`small files that ask for much: ${name}`, async () => assert.is(await survives(writeModel(model)), answer))

test.run()
