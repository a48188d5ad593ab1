// The zoo without its weights files: counts, what the build reads of the models, and small networks of every kind.
import { cpSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, type ModelGraph, printGraph } from '../../compiler/graph/index.ts'
import { findUses, partialInputs, partitionGraph } from '../../compiler/partition/index.ts'
import { openTensorFile } from '../../dsl/safetensors.ts'
import { layOutTensors } from '../../dsl/safetensorsWriter.ts'
import type { Zoo } from '../../fixtures/zoo/generator/index.ts'
import { quantised } from '../../fixtures/zoo/generator/quantised.ts'
import { draw, drawIntegers } from '../../fixtures/zoo/generator/random.ts'
import type { Tensors } from '../../fixtures/zoo/generator/seeded.ts'
import { compile, writeBundle } from '../../plugin/compile.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { nativeTargets } from '../../targets/native/index.ts'
import { loadPreset } from '../../targets/platform/index.ts'
import { open } from '../../targets/runtime/index.ts'
import { installed, levelsHere, skip } from '../support/machines.ts'

const root = process.env.GLOWPLUG_ROOT!
const folder = join(root, 'fixtures', 'zoo')
const tools: { loadZoo(others?: object): Promise<Zoo>; modelNames: readonly string[] } = await import(
  pathToFileURL(join(folder, 'load.mjs')).href
)
const zoo = await tools.loadZoo({
  small: join(root, 'test/zoo/small.model.ts'),
  'i3d-50': join(root, 'test/zoo/i3d-50.model.ts'),
})
const workplace = mkdtempSync(join(tmpdir(), 'glowplug-zoo-'))

/** As published, or, for the detector and the network over films, as their layers add up. */
const parameters: Readonly<Record<string, number>> = {
  'bert-base': 109_482_240,
  'csn-101': 22_213_776,
  dlrm: 166_400_000 + 762_177,
  'dlrm-1000': 19_841_024 + 1_027_089,
  'dlrm-criteo': 13_145_280 + 762_177,
  'fbnetv3-detector': 10_562_204,
  'mobilenet-v3-large': 5_483_032,
  'regnety-8gf': 39_381_472,
  resnet50: 25_557_032,
  'resnext101-32x4d': 44_177_704,
  resnext3d: 59_779_536,
  'xlm-r-base': 278_043_648,
}

test('every network has the parameters of its architecture', () => {
  const names = tools.modelNames.filter((name) => !name.endsWith('-int8'))
  assert.equal(Object.fromEntries(names.map((name) => [name, zoo.parameters(name)])), parameters)
})

test('time and space apart, ResNet-50 has the 28.04 million parameters of I3D', () => {
  assert.is(Math.round(zoo.parameters('i3d-50') / 1e4), 2804)
})

test('quantised networks have as many weights, and a bias for each channel of a convolution', () => {
  const elements = (name: string, only: (tensor: string, dtype: string) => boolean) =>
    [...zoo.tensors(name)].reduce(
      (sum, [tensor, { type }]) => sum + (only(tensor, type.dtype) ? type.shape.reduce((a, b) => a * b, 1) : 0),
      0,
    )
  for (const name of ['resnet50', 'bert-base']) {
    const integers = elements(`${name}-int8`, (_, dtype) => dtype === 'i8')
    const floats = elements(name, (tensor) => zoo.tensors(`${name}-int8`).get(tensor)?.type.dtype === 'i8')
    assert.is(integers, floats)
    assert.ok(integers > 20_000_000)
  }
})

/** A weights file of which the disk holds the header and what is small: the rest reads as zeros. */
function writeHollow(name: string, path: string): void {
  const hollow = new Map(
    [...zoo.tensors(name)].map(([tensor, { type, read }]) => {
      const elements = type.shape.reduce((a, b) => a * b, 1)
      return [
        tensor,
        elements > 4096 ? { type, read: () => new Uint8Array(elements * (type.dtype === 'f32' ? 4 : 1)) } : { type, read },
      ]
    }),
  )
  const contents = layOutTensors(hollow)
  const file = openSync(path, 'w')
  let position = 0
  for (const chunk of contents.chunks()) {
    if (position === 0 || chunk.length <= 16_384) writeSync(file, chunk, 0, chunk.length, position)
    position += chunk.length
  }
  ftruncateSync(file, contents.size)
}

const textOf = ({ entries }: ModelGraph): string[] => entries.map(({ name, graph }) => `${name}\n${printGraph(graph)}`)

mkdirSync(join(workplace, 'dist', 'zoo'), { recursive: true })
cpSync(folder, join(workplace, 'fixtures', 'zoo'), { recursive: true })
for (const name of tools.modelNames)
  test(`the build reads of ${name} what running it gives`, async () => {
    const weights = join(workplace, 'dist', 'zoo', `${name}.safetensors`)
    writeHollow(name, weights)
    const { models, diagnostics } = await extractModule(join(workplace, 'fixtures', 'zoo', `${name}.model.ts`), {
      root: workplace,
    })
    assert.equal(diagnostics, [])
    assert.equal(textOf(models[0]!.model), textOf(zoo.trace(name)))
    rmSync(weights)
  })

test('look-ups of 1,000 tables are spread over six cards within 5 % of their mean, and each card gets no more than its own (PA-10, PA-21, FB-02)', () => {
  const { platform } = loadPreset('six-cards')
  const { graph } = zoo.trace('dlrm-1000').entries[0]!
  const { plan, parts } = partitionGraph(graph, platform, { method: 'tables' })
  const tables = plan.parts.filter(({ name }) => name.startsWith('tables'))
  assert.is(tables.length, 6)
  const costs = tables.map((part) => part.tables!.reduce((sum, { seconds }) => sum + seconds, 0))
  const mean = costs.reduce((sum, cost) => sum + cost, 0) / 6
  assert.ok(Math.max(...costs) / mean <= 1.05, costs.join(' '))
  assert.is(new Set(tables.flatMap((part) => part.tables!.map(({ table }) => table))).size, 1000)
  // By what bags have on average, not by what there is room for.
  const looked = tables.flatMap((part) => part.tables!).reduce((sum, { lookups }) => sum + lookups, 0)
  assert.ok(looked < 0.6 * graph.inputs[1]!.type.shape[0]!, `${looked}`)
  const indices = findUses(graph)[1]!.indices!
  assert.is(indices.length, 1000)
  for (const [i, { name }] of parts.parts.entries())
    if (name.startsWith('tables'))
      assert.ok(
        partialInputs(parts)[i]!.some((ranges) => ranges?.some(({ used }) => used)),
        name,
      )
})

test('weights are those of their seed', async () => {
  const numbers = draw('resnet50/conv1.weight', 3, { shape: 'normal', mean: 0, deviation: 1 })
  // By another implementation of the generator.
  assert.equal([...numbers], [0.24383392930030823, -2.394097089767456, 0.975679337978363])
  const many = draw('seed', 100_000, { shape: 'normal', mean: 2, deviation: 3 })
  const mean = many.reduce((sum, x) => sum + x, 0) / many.length
  const deviation = Math.sqrt(many.reduce((sum, x) => sum + (x - mean) ** 2, 0) / many.length)
  assert.ok(Math.abs(mean - 2) < 0.05 && Math.abs(deviation - 3) < 0.05, `${mean} ${deviation}`)
  const uniform = draw('seed', 10_000, { shape: 'uniform', mean: 1, deviation: 0.1 })
  assert.ok(uniform.every((x) => Math.abs(x - 1) <= 0.1 * Math.sqrt(3) + 1e-6))
  const ids = drawIntegers('seed', 1000, 7)
  assert.equal([...new Set(ids)].sort(), [0n, 1n, 2n, 3n, 4n, 5n, 6n])
})

test('a written file holds what models ask for', async () => {
  const path = join(workplace, 'mobilenet.safetensors')
  const size = await zoo.write('mobilenet-v3-large', path, () => Promise.reject(new Error('floats need no calibration')))
  const tensors = zoo.tensors('mobilenet-v3-large')
  const file = openTensorFile(path)
  assert.ok(size > 4 * 5_483_032 && size < 4 * 5_600_000)
  assert.equal([...file.entries.keys()].sort(), [...tensors.keys()].sort())
  for (const name of ['features.0.0.weight', 'features.4.block.2.fc1.bias', 'features.16.1.running_var']) {
    const { type, read } = tensors.get(name)!
    assert.equal(file.data(name, type.dtype, type.shape).read(), read())
  }
})

test('integers of a layer stand for its floats with the normalisation folded in', () => {
  const f32 = (shape: readonly number[], values: readonly number[]) => {
    const type = { dtype: 'f32' as const, shape }
    return { label: '', type, read: () => new Uint8Array(Float32Array.from(values).buffer) }
  }
  const type = (dtype: 'i8' | 'i32' | 'f32' | 'u8', shape: readonly number[]) => ({
    label: '',
    type: { dtype, shape },
    read: () => new Uint8Array(),
  })
  const floats: Tensors = new Map([
    ['c.weight', f32([2, 2, 1, 1], [1, -0.4, 0.25, 0.75])],
    ['n.weight', f32([2], [2, 1])],
    ['n.bias', f32([2], [0.5, 0])],
    ['n.running_mean', f32([2], [1, -1])],
    ['n.running_var', f32([2], [4 - 1e-5, 1 - 1e-5])],
  ])
  const wanted: Tensors = new Map([
    ['c.weight', type('i8', [2, 2, 1, 1])],
    ['c.weight_scale', type('f32', [2])],
    ['c.bias', type('i32', [2])],
    ['c.bias_scale', type('f32', [2])],
    ['x.scale', type('f32', [])],
    ['x.zero_point', type('u8', [])],
  ])
  const made = quantised(wanted, floats, new Map([['c', { norm: 'n', input: 'x' }]]), new Map([['x', [-1, 4.1]]]))
  const read = (name: string) => made.get(name)!.read()
  const numbers = (name: string) => [...new Float32Array(read(name).slice().buffer)]
  const [scale] = numbers('x.scale')
  assert.is(scale, Math.fround(5.1 / 255))
  assert.equal([...read('x.zero_point')], [50])
  // Scales of the normalisation are 2 / 2 and 1 / 1.
  assert.equal([...new Int8Array(read('c.weight').slice().buffer)], [127, -51, 42, 127])
  assert.equal(numbers('c.weight_scale'), [1 / 127, 0.75 / 127].map(Math.fround))
  const biasScale = numbers('c.bias_scale')
  const bias = [...new Int32Array(read('c.bias').slice().buffer)].map((q, i) => q * biasScale[i]!)
  assert.ok(Math.abs(bias[0]! - -0.5) < 1e-3 && Math.abs(bias[1]! - 1) < 1e-3, `${bias}`)
})

/** Requests for the entries of the small networks. */
const requests = Object.fromEntries(
  zoo.trace('small').entries.map(({ name, graph }) => [
    name,
    Object.fromEntries(
      graph.inputs.map((node) => {
        const count = node.type.shape.reduce((a, b) => a * b, 1)
        const seed = `${name} ${inputName(node)}`
        if (node.type.dtype === 'f32') return [inputName(node), draw(seed, count, { shape: 'normal', mean: 0, deviation: 1 })]
        return [inputName(node), drawIntegers(seed, count, inputName(node) === 'kinds' ? 2 : 30)]
      }),
    ),
  ]),
)

type Outputs = Readonly<Record<string, { readonly data: Float32Array }>>
async function outputsOf(bundle: Parameters<typeof open>[0], target: 'interpreter' | 'native') {
  const opened = open(bundle, { target })
  try {
    await opened.ready()
    const entries = opened.entries as unknown as Readonly<Record<string, { runSync(request: object): Outputs }>>
    return Object.entries(requests).map(([name, request]) => [name, entries[name]!.runSync(request)] as const)
  } finally {
    await opened.close()
  }
}

const levels = levelsHere('small networks of the zoo').map(({ name }) => name)
const [target] = installed('cc') ? (await nativeTargets()).filter(({ level }) => levels.includes(level)) : []
if (target)
  test('native code computes small networks of every kind', async () => {
    const model = zoo.trace('small')
    const expected = await outputsOf(await compile(model, { target: 'interpreter' }), 'interpreter')
    const written = join(workplace, 'native')
    await writeBundle(await compile(model, { target }), written)
    const got = new Map(await outputsOf(written, 'native'))
    for (const [entry, outputs] of expected)
      for (const [name, { data }] of Object.entries(outputs)) {
        const ours = got.get(entry)![name]!.data
        const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
        assert.ok(largest > 0.1 && largest < 100, `${entry}.${name} reaches ${largest}`)
        const error = data.reduce((most, x, i) => Math.max(most, Math.abs(x - ours[i]!)), 0)
        assert.ok(error <= 1e-4 * largest, `${entry}.${name} is off by ${error} of ${largest}`)
      }
  })
else skip('small networks of the zoo as native code', 'a C compiler')

test.after(() => rmSync(workplace, { recursive: true, force: true }))
test.run()
