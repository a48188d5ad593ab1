// The option `precision`, and weights of 16 bits from files, from the graph to the bytes of a bundle.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printKernels } from '../../compiler/fuse/index.ts'
import { createBuilder, type Graph, type ModelGraph, mainEntry } from '../../compiler/graph/index.ts'
import { exportOnnx, importOnnx } from '../../dsl/onnx/index.ts'
import { buildOptionsOf } from '../../plugin/cli/source.ts'
import { compile, compileCode, compileStages } from '../../plugin/compile.ts'
import { variantOf } from '../../plugin/core.ts'
import { findOptionProblems } from '../../plugin/options.ts'
import { open } from '../../targets/runtime/index.ts'

const [rows, depth, columns] = [24, 96, 80]
const values = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i + seed) / 4)

/** Rows times weights of f32, or of f16 that are converted, as exporters write networks of 16 bits. */
function layer(dtype: 'f32' | 'f16'): Graph {
  const builder = createBuilder()
  const input = builder.input('x', { dtype: 'f32', shape: [rows, depth] })
  const bytes =
    dtype === 'f32'
      ? new Uint8Array(values(columns * depth, 1).buffer)
      : new Uint8Array(Uint16Array.from({ length: columns * depth }, (_, i) => 0x2c01 + ((i * 37) % 1500)).buffer)
  const stored = builder.literal({ dtype, shape: [depth, columns] }, bytes, 'weights')
  const weight = dtype === 'f32' ? stored : builder.add('cast', { input: stored }, { dtype: 'f32' })
  const value = builder.add('matmul', { left: input, right: weight })
  return builder.finish('layer', [input], [{ name: 'y', value }])
}

const modelOf = (graph: Graph): ModelGraph => ({ name: 'layer', entries: [{ name: mainEntry, graph }] })
test('precision is checked, and decides about what the cache gives', async () => {
  assert.equal(await findOptionProblems({ precision: 'bf16' }), [])
  assert.equal(await findOptionProblems({ precision: 'f32' }), [])
  assert.match((await findOptionProblems({ precision: 'f16' }))[0]!, /option 'precision' must be 'f32' or 'bf16'/)
  assert.is.not(variantOf({ precision: 'bf16' }, 'node'), variantOf({}, 'node'))
  assert.equal(buildOptionsOf({ precision: 'bf16' }), { winograd: true, precision: 'bf16' })
  assert.equal(buildOptionsOf({}), { winograd: true, precision: 'f32' })
  assert.throws(() => buildOptionsOf({ precision: 'int4' }), "--precision 'int4' is none of f32 and bf16")
})

test('weights of bf16 are half as many bytes, and results are near', async () => {
  const graph = layer('f32')
  const x = values(rows * depth, 2)
  const run = async (options: object, width: number) => {
    const bundle = await compile(graph, { target: 'wasm', ...options })
    assert.is(bundle.manifest.weights.bytes, width * depth * columns)
    const model = await open(bundle)
    const result = Float32Array.from((await model.run({ x })).y!.data as Float32Array)
    await model.close()
    return result
  }
  const [plain, brief] = [await run({}, 4), await run({ precision: 'bf16' }, 2)]
  const largest = Math.max(...plain.map(Math.abs))
  const error = Math.max(...plain.map((value, i) => Math.abs(value - brief[i]!)))
  assert.ok(error > 0 && error < 0.01 * largest, `off by ${error} of ${largest}`)
})

test('native code multiplies pairs of bf16 only where it was asked to', async () => {
  const { nativeAvailable } = await import('../../targets/native/index.ts')
  if (process.arch !== 'x64' || !(await nativeAvailable()).ok) return
  const sourceOf = async (options: object) =>
    (await compileCode(layer('f32'), { target: 'native', level: 'x86-64-v4', ...options })).code.source
  assert.not.match(await sourceOf({}), /DOT_BF16\(c\d|gp_first_bf16/)
  assert.match(await sourceOf({ precision: 'bf16' }), /DOT_BF16\(c\d/)
})

test('weights of f16 in an ONNX file are stored as they are', async () => {
  const bytes = exportOnnx(modelOf(layer('f16')))
  assert.ok(bytes.length < 3 * depth * columns, 'the file has them in 16 bits')
  const { graph } = await importOnnx(bytes)
  const { kernels, program } = await compileStages(graph.entries[0]!.graph, { target: 'wasm' })
  assert.is(program!.regions.constants, 2 * depth * columns)
  assert.match(printKernels(kernels!), /constant f32\[.*\] stored as f16/)
})

test.run()
