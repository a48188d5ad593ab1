// Networks as they are built today, small: how many relayouts are left inside of them.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Graph, Node } from '../../compiler/graph/index.ts'
import { type CompileResult, compileUntil } from '../../compiler/pipeline.ts'
import { loadTargets } from '../../plugin/targets.ts'
import { x86v4 } from '../../targets/c/level.ts'
import { answersAt } from '../../targets/c/target.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { assertClose } from '../support/compare.ts'
import { createTestGraph, type TestGraph } from '../support/expression.ts'
import { targetWith } from '../support/program.ts'
import { randomInputs } from '../support/randomGraph.ts'

const target = targetWith({ ...answersAt(x86v4), keeps: new Set(['blockedConv', 'linear', 'softmax']), lowers: () => false })

interface Options {
  readonly stride?: number
  readonly groups?: number
}

/** Layers over a graph under construction; weights have names of their own. */
function layersOf(g: TestGraph) {
  let count = 0
  const weight = (...shape: number[]) => {
    const seed = ++count
    return g.weight(`w${seed}`, shape, (i) => Math.sin(seed + i * 1.3) / 8)
  }
  const conv = (input: Node, out: number, size: number, { stride = 1, groups = 1 }: Options = {}) => {
    const channels = input.type.shape[1]!
    const pads = input.type.shape.slice(2).map(() => (size - 1) >> 1)
    const each = (value: number) => pads.map(() => value)
    return g.op(
      'conv',
      { input, weight: weight(out, channels / groups, ...each(size)), bias: weight(out) },
      { stride: each(stride), before: pads, after: pads, dilation: each(1), groups },
    )
  }
  const relu = (input: Node) => g.op('relu', { input })
  const hardSwish = (input: Node) => g.op('hardSwish', { input })
  const add = (left: Node, right: Node) => g.op('add', { left, right })
  const squeeze = (input: Node, inner: number) => {
    const mean = g.op('adaptiveAvgPool', { input }, { size: [1, 1] })
    const gate = g.op('hardSigmoid', { input: conv(relu(conv(mean, inner, 1)), input.type.shape[1]!, 1) })
    return g.op('mul', { left: input, right: gate })
  }
  const pool = (input: Node) =>
    g.op('maxPool', { input }, { window: [3, 3], stride: [2, 2], before: [1, 1], after: [1, 1], dilation: [1, 1] })
  const head = (input: Node, classes: number) => {
    const mean = g.op('adaptiveAvgPool', { input }, { size: [1, 1] })
    const flat = g.op('reshape', { input: mean }, { shape: [input.type.shape[0]!, input.type.shape[1]!] })
    return g.op('linear', { input: flat, weight: weight(classes, input.type.shape[1]!), bias: weight(classes) })
  }
  const double = (input: Node) => {
    const [height, width] = input.type.shape.slice(2) as [number, number]
    return g.op(
      'resize',
      { input },
      { size: [2 * height, 2 * width], mode: 'nearest', coordinates: 'asymmetric', rounding: 'floor' },
    )
  }
  const join = (...inputs: Node[]) => g.op('concat', { inputs }, { axis: 1 })
  return { conv, relu, hardSwish, add, squeeze, pool, head, double, join, weight }
}

type Layers = ReturnType<typeof layersOf>

/** Layers that the model writes as one expression of an image. */
function network(shape: number[], write: (layers: Layers, image: Node, g: TestGraph) => readonly Node[]): Graph {
  const g = createTestGraph()
  return g.graph(...write(layersOf(g), g.input('image', shape), g))
}

function layOut(graph: Graph): CompileResult {
  const result = compileUntil(graph, { target, evaluate, verify: true }, 'layout') as CompileResult
  const inputs = randomInputs(graph, 1)
  const [found, expected] = [runGraph(result.layout, inputs), runGraph(graph, inputs)]
  for (const { name, value } of graph.outputs) assertClose(found[name]!, expected[name]!, value.type, { rtol: 1e-4, atol: 1e-4 })
  return result
}

const countOf = (graph: Graph, ...ops: string[]): number => graph.nodes.filter(({ op }) => ops.includes(op)).length
/** Whatever moves elements and is not needed by the model itself. */
const movements = ['transpose', 'pad', 'slice', 'gather']

test('IR-19 a residual network has no relayout, from the image to the logits', () => {
  const graph = network([1, 3, 32, 32], ({ conv, relu, add, pool, head }, image) => {
    let x = pool(relu(conv(image, 64, 7, { stride: 2 })))
    for (const [width, stride] of [
      [64, 1],
      [128, 2],
      [128, 1],
    ] as const) {
      const inner = relu(conv(relu(conv(x, width / 2, 1)), width / 2, 3, { stride }))
      const shortcut = stride === 1 && x.type.shape[1] === width ? x : conv(x, width, 1, { stride })
      x = relu(add(conv(inner, width, 1), shortcut))
    }
    return [head(x, 10)]
  })
  const { layout } = layOut(graph)
  assert.is(countOf(layout, ...movements), 0)
  assert.is(countOf(layout, 'blockedConv'), countOf(graph, 'conv'))
})

test('IR-11 IR-19 gates, and channels that fill no block, leave no relayout in an inverted residual network', () => {
  const graph = network([1, 3, 64, 64], ({ conv, relu, hardSwish, add, squeeze, head }, image) => {
    let x = hardSwish(conv(image, 16, 3, { stride: 2 }))
    for (const [inner, out, stride] of [
      [64, 24, 2],
      [72, 24, 1],
      [72, 40, 2],
      [120, 40, 1],
    ] as const) {
      const wide = relu(conv(x, inner, 1))
      const deep = squeeze(relu(conv(wide, inner, 5, { stride, groups: inner })), 24)
      const narrow = conv(deep, out, 1)
      x = stride === 1 && x.type.shape[1] === out ? add(x, narrow) : narrow
    }
    return [head(hardSwish(conv(x, 240, 1)), 10)]
  })
  const { layout } = layOut(graph)
  assert.is(countOf(layout, 'transpose', 'gather'), 0)
  // Of one pixel blocks are a few bytes longer than the channels: what cuts and fills them moves no image.
  const small = layout.nodes.filter(({ op }) => op === 'slice' || op === 'pad')
  assert.ok(small.every(({ type }) => type.shape.slice(2).every((extent) => extent === 1)))
  // Images stand in blocks; gates of one pixel may do without.
  for (const { type } of layout.nodes.filter(({ op }) => op === 'conv')) assert.equal(type.shape.slice(2), [1, 1])
})

test('IR-19 grouped convolutions stay in blocks', () => {
  const graph = network([2, 3, 32, 32], ({ conv, relu, add, squeeze, head }, image) => {
    let x = relu(conv(image, 32, 3, { stride: 2 }))
    for (const stride of [2, 1]) {
      const inner = squeeze(relu(conv(relu(conv(x, 112, 1)), 112, 3, { stride, groups: 2 })), 8)
      const shortcut = stride === 1 ? x : conv(x, 112, 1, { stride })
      x = relu(add(conv(inner, 112, 1), shortcut))
    }
    return [head(x, 10)]
  })
  const { layout } = layOut(graph)
  assert.is(countOf(layout, ...movements), 0)
})

test('IR-19 a detector has one relayout for each of its heads', () => {
  const graph = network([1, 3, 64, 64], ({ conv, relu, join }, image, g) => {
    const heads: Node[] = []
    let x = relu(conv(image, 16, 3, { stride: 2 }))
    for (const width of [32, 64, 128]) {
      x = relu(conv(relu(conv(x, width, 3, { stride: 2 })), width, 3))
      x = relu(join(conv(x, width, 1), conv(x, width, 3)))
      const boxes = conv(x, 12, 3)
      const last = g.op('transpose', { input: boxes }, { order: [0, 2, 3, 1] })
      heads.push(g.op('reshape', { input: last }, { shape: [1, -1, 4] }))
    }
    return [g.op('softmax', { input: g.op('concat', { inputs: heads }, { axis: 1 }) }, { axis: 2 })]
  })
  const { layout, lowered } = layOut(graph)
  // The transposes to rows of boxes are the model's own; before each, blocks are taken apart.
  assert.is(countOf(lowered, 'transpose'), 3)
  assert.ok(countOf(layout, 'transpose') <= 6 && countOf(layout, 'pad') === 0)
  assert.is(layout.nodes.filter(({ op, type }) => op === 'concat' && type.shape.length === 5).length, 3)
})

test('IR-19 branches and heads of few channels stay in blocks, of which halves are computed', () => {
  const graph = network([1, 3, 32, 32], ({ conv, relu, add, join }, image) => {
    const x = relu(conv(relu(conv(image, 32, 3, { stride: 2 })), 64, 1))
    const branch = () => conv(relu(conv(conv(x, 8, 1), 16, 3)), 16, 3)
    const joined = relu(add(conv(join(branch(), branch()), 64, 1), x))
    const deep = relu(conv(joined, 64, 3, { groups: 64, stride: 2 }))
    return [conv(joined, 6, 1), conv(deep, 4, 1), conv(relu(conv(deep, 256, 1)), 6, 3)]
  })
  const { layout } = layOut(graph)
  assert.is(countOf(layout, 'conv'), 0)
  // Behind each of the outputs.
  assert.ok(countOf(layout, ...movements) <= 6)
})

test('IR-19 a network that goes down and up again, with joins between, is in blocks throughout', () => {
  const graph = network([1, 3, 32, 32], ({ conv, relu, pool, double, join }, image) => {
    const first = relu(conv(image, 32, 3))
    const second = relu(conv(pool(first), 64, 3))
    const third = relu(conv(pool(second), 128, 3))
    const up = relu(conv(join(double(third), second), 64, 3))
    const top = relu(conv(join(double(up), first), 32, 3))
    return [conv(top, 16, 1)]
  })
  const { layout, lowered } = layOut(graph)
  // One for the output. Pictures grow by what the model says, also in blocks.
  const own = countOf(lowered, 'transpose')
  assert.is(countOf(layout, 'transpose'), own + 1)
  assert.is(countOf(layout, 'conv', 'pad', 'slice'), 0)
})

test('IR-19 video: three spatial dimensions stand in blocks as two do, and pools of them are two', () => {
  const graph = network([1, 3, 6, 16, 16], ({ conv, relu, weight }, image, g) => {
    const x = relu(conv(image, 32, 3))
    const three = { window: [2, 3, 3], stride: [2, 2, 2], before: [0, 1, 1], after: [0, 1, 1], dilation: [1, 1, 1] }
    const y = g.op('add', { left: g.op('maxPool', { input: x }, three), right: weight(32, 1, 1, 1) })
    const z = g.op('avgPool', { input: relu(conv(y, 48, 3)) }, { ...three, countPadding: false })
    const mean = g.op('adaptiveAvgPool', { input: z }, { size: [1, 1, 1] })
    return [g.op('reshape', { input: mean }, { shape: [1, 48] })]
  })
  const { layout } = layOut(graph)
  assert.is(countOf(layout, ...movements), 0)
  assert.is(countOf(layout, 'maxPool', 'avgPool'), 4)
})

test('IR-19 what has no convolution stays as it is', () => {
  const g = createTestGraph()
  const x = g.input('x', [2, 16, 32])
  const graph = g.graph(g.op('softmax', { input: g.op('matmul', { left: x, right: g.weight('w', [32, 64]) }) }, { axis: -1 }))
  const { layout, lowered } = layOut(graph)
  assert.is(layout, lowered)
})

test('IR-19 nodes in blocks and relayouts stand where the model has what they come from', () => {
  const g = createTestGraph()
  const located = (line: number) => ({
    kind: 'source' as const,
    span: { file: 'a.model.ts', line, column: 1 },
    calls: [],
  })
  const image = g.builder.input('image', { dtype: 'f32', shape: [1, 32, 24, 24] })
  const attributes = { stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1], groups: 1 }
  const conv = g.builder.add('conv', { input: image, weight: g.weight('w', [32, 32, 3, 3]) }, attributes, located(3))
  const graph = g.builder.finish('places', [image], [{ name: 'y', value: conv }])
  const { layout } = layOut(graph)
  const blocked = layout.nodes.filter(({ op }) => op === 'blockedConv' || op === 'transpose')
  assert.is(blocked.length, 3)
  const lines = blocked.flatMap((node) =>
    layout.locations.get(node)!.map((place) => (place.kind === 'source' ? place.span.line : 0)),
  )
  assert.equal(lines, [3, 3])
})

test('a constant for each channel behind a convolution without bias is none of its operands', async () => {
  const [wasm] = await loadTargets('wasm')
  const g = createTestGraph()
  const x = g.input('x', [2, 4, 3, 2])
  const weight = g.weight('w', [4, 4, 3, 3], (i) => Math.sin(i))
  const attributes = { stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1], groups: 1 }
  const sum = g.op('add', { left: g.op('conv', { input: x, weight }, attributes), right: x })
  const slopes = g.weight('slopes', [4, 1, 1], (i) => i % 2)
  const low = g.op('minimum', { left: sum, right: g.weight('zero', [], () => 0) })
  const y = g.op('add', { left: g.op('relu', { input: sum }), right: g.op('mul', { left: slopes, right: low }) })
  const { layout, instructions } = compileUntil(g.graph(y), { target: wasm!, evaluate }, 'instructions')
  assert.ok(instructions && layout!.nodes.some(({ op }) => op === 'blockedConv'))
})

test.run()
