// Models with several entries, from graphs to bundles.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ConstantData, createBuilder, type ModelGraph, type Node } from '../../compiler/graph/index.ts'
import {
  type CompileResult,
  compileGraph,
  createCompilation,
  type PipelineEvent,
  printStage,
  stageNames,
} from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { CompileError, compile, compileCode, readReproducer } from '../../plugin/compile.ts'
import { simd128 } from '../../targets/c/level.ts'
import { programText } from '../../targets/c/program.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { open } from '../../targets/runtime/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { conv, f32, graphOf, relu } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

const width = 40
const values = Float32Array.from({ length: width * width }, (_, i) => ((i * 37) % 101) / 50 - 1)

/** y = relu(x · w) + [bias, bias + 1, …], for so many rows at a time, as `prefill` and `step` of a language model do. */
function entry(rows: number, weights: ConstantData, bias: number) {
  const builder = createBuilder()
  const x = builder.input('x', f32(rows, width))
  const w = builder.constant(f32(width, width), weights)
  const b = builder.literal(f32(width), new Uint8Array(Float32Array.from({ length: width }, (_, i) => bias + i).buffer))
  const y = builder.add('add', { left: relu(builder, builder.add('matmul', { left: x, right: w })), right: b })
  return builder.finish('story', [x], [{ name: 'y', value: y }])
}

/** `apart` gives each entry a copy of the weights under another name, as a folded constant would be. */
function sample({ apart = false, only = ['prefill', 'step'] } = {}): ModelGraph {
  const weights = (label: string): ConstantData => ({ label, read: () => new Uint8Array(values.buffer.slice(0)) })
  const shared = weights('w')
  const entries = [
    { name: 'prefill', graph: entry(5, apart ? weights('a') : shared, 1) },
    { name: 'step', graph: entry(1, apart ? weights('b') : shared, 2) },
  ]
  return { name: 'story', entries: entries.filter(({ name }) => only.includes(name)) }
}

function expected(rows: number, bias: number, x: Float32Array): Float32Array {
  return Float32Array.from({ length: rows * width }, (_, at) => {
    let sum = 0
    for (let k = 0; k < width; k++) sum += x[Math.floor(at / width) * width + k]! * values[k * width + (at % width)]!
    return Math.max(0, sum) + bias + (at % width)
  })
}

/** The target without its C compiler, which takes longer than all else. */
const wasmText: Target = {
  ...wasm,
  async emit(name, entries) {
    const source = programText(name, entries, simd128, { attributes: () => '' })
    return { kind: 'wasm', level: 'any', extension: 'c', bytes: new TextEncoder().encode(source), source, toolchain: {} }
  },
}

for (const target of ['wasm', 'interpreter']) {
  test(`each entry compiled for ${target} computes its own, over one set of weights (BP-12)`, async () => {
    const model = open(await compile(sample(), { target }), { target })
    assert.equal(Object.keys(model.entries), ['prefill', 'step'])
    for (const [name, rows, bias] of [
      ['prefill', 5, 1],
      ['step', 1, 2],
    ] as const) {
      const x = Float32Array.from({ length: rows * width }, (_, i) => (i % 7) / 7 - 0.4)
      const { y } = model.entries[name]!.runSync({ x })
      assert.equal(y!.shape, [rows, width])
      const wanted = expected(rows, bias, x)
      for (const [i, value] of (y!.data as Float32Array).entries())
        assert.ok(Math.abs(value - wanted[i]!) < 1e-4, `${name} ${i}: ${value} instead of ${wanted[i]}`)
    }
    await model.close()
  })
}

test('two entries that read the same weights take them once', async () => {
  for (const target of [wasmText, interpreter]) {
    const sectionOf = async (model: ModelGraph) => (await compile(model, { target })).manifest.codes[0]!.weights.bytes
    const one = await sectionOf(sample({ only: ['prefill'] }))
    assert.is(one, width * width * 4 + 192)
    // The other entry adds its bias alone: 160 bytes, which take up 192.
    assert.is(await sectionOf(sample()), one + 192)
    assert.is(await sectionOf(sample({ apart: true })), one + 192)
  }
})

test('the manifest names the entries in their order, with the places of their tensors', async () => {
  const { manifest, files } = await compile(sample(), { target: [wasmText, interpreter] })
  const x = (rows: number) => [{ name: 'x', dtype: 'f32', shape: [rows, width] }]
  const y = (rows: number) => [{ name: 'y', dtype: 'f32', shape: [rows, width] }]
  assert.equal(manifest.entries, [
    { name: 'prefill', inputs: x(5), outputs: y(5) },
    { name: 'step', inputs: x(1), outputs: y(1) },
  ])
  for (const { entries, weights } of manifest.codes) {
    assert.equal(
      entries.map(({ name, export: exported, inputs, outputs }) => [name, exported, inputs, outputs]),
      [
        ['prefill', 'entry0', [0], [832]],
        ['step', 'entry1', [0], [192]],
      ],
    )
    for (const { regions } of entries) assert.is(regions.constants, weights.bytes)
  }
  assert.is(files.size, 4)
})

test('equal kernels of two entries are one function; different ones of one name are two', async () => {
  const twice = (b: Parameters<Parameters<typeof graphOf>[0]>[0]) => {
    const x = b.input('x', f32(1, 3, 8, 8))
    return relu(b, conv(b, x, 4, 3, 'w'))
  }
  const first = graphOf((b) => ({ y: twice(b) }))
  // Results of one shape from windows of different sizes: kernels of one name that are not equal.
  const pooled = (...window: [number, number]) =>
    graphOf((b) => {
      const x = b.input('x', f32(1, 3, 8, 8))
      const after = window.map((size) => size - 1)
      return { y: b.add('maxPool', { input: x }, { window, stride: [1, 1], before: [0, 0], after, dilation: [1, 1] }) }
    })
  const functionsOf = async (...graphs: ReturnType<typeof graphOf>[]) => {
    const entries = graphs.map((graph, i) => ({ name: `e${i}`, graph }))
    const { code } = await compileCode({ name: 'm', entries }, { target: wasmText })
    return [...code.source.matchAll(/^(?:static|KERNEL) (?:void|int) (\w+)\(/gm)]
      .map(([, name]) => name!)
      .filter((name) => !/^gp_/.test(name))
  }
  assert.equal(await functionsOf(first, first), await functionsOf(first))
  assert.equal(await functionsOf(pooled(2, 2)), ['maxPool_1x3x8x8'])
  assert.equal(await functionsOf(pooled(3, 2)), ['maxPool_1x3x8x8'])
  assert.equal(await functionsOf(pooled(2, 2), pooled(3, 2), pooled(2, 2)), ['maxPool_1x3x8x8', 'maxPool_1x3x8x8_2'])
})

test('a text of C does not depend on what was compiled before', async () => {
  const [first, second] = [await compileCode(sample(), { target: wasmText }), await compileCode(sample(), { target: wasmText })]
  assert.is(first.code.source, second.code.source)
  assert.equal(first.constants, second.constants)
})

test('targets that keep the same composites share passes and lowering, and nothing else changes', () => {
  const graph = () =>
    graphOf((b) => {
      const x = b.input('x', f32(2, 8))
      const y = b.add('softmax', { input: b.add('gelu', { input: x }) } as never, { axis: 1 } as never)
      return { y: b.add('add', { left: y, right: x }) }
    })
  const keepsAll = targetWith({ name: 'other', keeps: wasm.keeps, unsupported: () => undefined })
  const targets = [interpreter, targetWith({ fusesAfter: () => false }), keepsAll, { ...keepsAll, alignment: 128 }]
  const events: PipelineEvent[] = []
  const compileFor = createCompilation(graph(), { evaluate, observe: (event) => events.push(event) })
  const shared = targets.map(compileFor)
  const apart = targets.map((target) => compileGraph(graph(), { target, evaluate }))
  const textOf = (result: CompileResult) => stageNames.map((stage) => printStage(result, stage))
  for (const [i, result] of shared.entries()) {
    assert.equal(textOf(result), textOf(apart[i]!))
    assert.equal(
      result.log.map(({ pass, round }) => `${pass} ${round}`),
      apart[i]!.log.map(({ pass, round }) => `${pass} ${round}`),
    )
  }
  const stages = events.flatMap((event) => (event.kind === 'stage' ? [event.stage] : []))
  const rest = ['layout', 'kernels', 'instructions', 'memory']
  assert.equal(stages, ['graph', 'optimised', 'lowered', ...rest, ...rest, 'lowered', ...rest, ...rest])
})

test('a limit of rewrites counts for each target as if it were the only one', () => {
  const graph = () => {
    const builder = createBuilder()
    const x = builder.input('x', f32(4))
    const zero = builder.literal(f32(), new Uint8Array(4))
    let y: Node = x
    for (let i = 0; i < 4; i++) y = builder.add('relu', { input: builder.add('add', { left: y, right: zero }) })
    return builder.finish('limit', [x], [{ name: 'y', value: y }])
  }
  for (const maximumApplications of [0, 1, 2, 5]) {
    const targets = [interpreter, targetWith({ keeps: wasm.keeps })]
    const compileFor = createCompilation(graph(), { evaluate, maximumApplications })
    for (const target of targets) {
      const alone = compileGraph(graph(), { target, evaluate, maximumApplications })
      assert.is(printStage(compileFor(target), 'lowered'), printStage(alone, 'lowered'))
    }
  }
})

test('code that cannot be made is blamed on the entry that fails alone, and the other targets are waited for', async () => {
  let running = 0
  const slow = targetWith({
    async emit(name, entries) {
      running++
      await new Promise((resolve) => setTimeout(resolve, 30))
      running--
      return interpreter.emit(name, entries)
    },
  })
  const { InvariantError } = await import('../../compiler/graph/index.ts')
  const broken = targetWith({
    name: 'broken',
    emit: async (name, entries) => {
      if (entries.some(({ entry }) => entry === 'step')) throw new InvariantError('no such register')
      return interpreter.emit(name, entries)
    },
  })
  const error = await compile(sample(), { target: [slow, broken] }).catch((thrown) => thrown)
  assert.instance(error, CompileError)
  assert.is(error.message, 'code for broken failed: no such register')
  assert.equal(readReproducer(error.reproducer).graph.inputs[0]!.type.shape, [1, width])
  assert.is(running, 0)
})

test.run()
