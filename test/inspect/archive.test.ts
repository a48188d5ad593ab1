import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Graph, hasTrait, printGraph } from '../../compiler/graph/index.ts'
import { openTensorFile } from '../../dsl/safetensors.ts'
import { layOutTensors } from '../../dsl/safetensorsWriter.ts'
import { ArchiveError, readArchive, writeArchive } from '../../plugin/inspect/archive.ts'
import { drawInputs, drawReference } from '../../plugin/inspect/reference.ts'
import { reproduce } from '../../plugin/inspect/reproduce.ts'
import { interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-archives-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
const path = (name: string) => join(folder, `${name}.safetensors`)

/** Large and small constants, two of one label, a quantised input. */
function network(): Graph {
  const g = createTestGraph()
  const x = g.input('x', [2, 40])
  const y = g.op('mul', { left: x, right: g.weight('w', [40]) })
  const sum = g.op('add', { left: y, right: g.weight('w', [2, 40], (i) => i / 7) })
  const q = g.builder.input('q', { dtype: 'u8', shape: [3], quantization: { scale: [0.5], zeroPoint: [3] } })
  const plain = g.op('dequantize', { input: q }, { scale: [0.5], zeroPoint: [3] })
  return g.builder.finish(
    'net',
    [x, q],
    [
      { name: 'a', value: g.op('mul', { left: sum, right: g.number(0.1) }) },
      { name: 'b', value: plain },
    ],
  )
}

const record = { kind: 'request', target: 'interpreter', level: 'any' } as const

test('TO-07 what is written is read: graph, weights, inputs, record', async () => {
  const graph = network()
  const inputs = drawInputs(graph, 5)
  const size = await writeArchive(path('whole'), { graph, inputs, record })
  assert.is(readFileSync(path('whole')).length, size)
  const archive = readArchive(path('whole'))
  assert.is(printGraph(archive.graph), printGraph(graph))
  assert.equal(archive.inputs, inputs)
  const { digest, ...told } = archive.record
  assert.equal(told, { ...record, glowplug: 'test' })
  assert.match(digest!, /^[0-9a-f]{64}$/)
  assert.equal(runGraph(archive.graph, archive.inputs), runGraph(graph, inputs))
  const { verdict, latency } = await reproduce(archive, { target: interpreter, latency: 4 })
  assert.equal([verdict, latency!.runs], ['equal', 4])
  assert.ok(latency!.least <= latency!.median && latency!.median <= latency!.most)
  // Any reader of the format can open it.
  assert.equal([...openTensorFile(path('whole')).entries.keys()].sort(), ['input:q', 'input:x', 'weight:@w', 'weight:@w.2'])
  // Nothing half-written is left.
  assert.equal(readdirSync(folder), ['whole.safetensors'])
})

test('TO-07 weights beyond the limit are left out, the largest first, and named', async () => {
  const graph = network()
  await writeArchive(path('limited'), { graph, inputs: {}, record }, 4 * 40)
  const archive = readArchive(path('limited'))
  assert.equal(archive.record.omitted, ['@w.2'])
  const large = archive.graph.nodes.find(({ data }) => data?.label === '@w.2')!
  assert.ok(large.data!.read().every((byte) => byte === 0))
  const error = await reproduce(archive, { target: interpreter }).catch((problem: unknown) => problem)
  assert.instance(error, ArchiveError)
  assert.match((error as Error).message, 'holds no inputs')
})

test('an archive that was tampered with is refused with what is wrong', async () => {
  const graph = network()
  const text = printGraph(graph)
  const f32 = (count: number) => ({ type: { dtype: 'f32', shape: [count] } as const, read: () => new Uint8Array(4 * count) })
  const u8 = { type: { dtype: 'u8', shape: [3] } as const, read: () => new Uint8Array(3) }
  const weights = { 'weight:@w': f32(40), 'weight:@w.2': f32(80) }
  const about = JSON.stringify({ kind: 'request', glowplug: 'test' })
  const good = { format: 'glowplug reproducer 1', record: about, graph: text }
  const cases: [string, Readonly<Record<string, ReturnType<typeof f32> | typeof u8>>, Record<string, string>, RegExp][] = [
    ['no metadata', weights, {}, /it is a file of tensors alone/],
    [
      'another version',
      weights,
      { ...good, format: 'glowplug reproducer 9' },
      /it says 'glowplug reproducer 9', this version reads/,
    ],
    ['no graph', weights, { format: good.format, record: about }, /it has no graph/],
    ['no record', weights, { ...good, record: '{' }, /its record is not JSON/],
    [
      'a record of something else',
      weights,
      { ...good, record: '{"kind":"other","glowplug":"1"}' },
      /its record is not one: kind/,
    ],
    ['more in the record', weights, { ...good, record: '{"kind":"request","glowplug":"1","run":"rm"}' }, /its record is not one/],
    ['a graph that is none', weights, { ...good, graph: 'graph' }, /line 1: expected a quoted name/],
    ['an op that does not exist', weights, { ...good, graph: text.replace('= mul(', '= mull(') }, /unknown op 'mull'/],
    [
      'a wrong type',
      weights,
      { ...good, graph: text.replace('mul(%0, %1) : f32[2, 40]', 'mul(%0, %1) : f32[2, 41]') },
      /the text says/,
    ],
    ['a weight is missing', { 'weight:@w': f32(40) }, good, /the constant '@w\.2' is missing/],
    ['a weight of another size', { ...weights, 'weight:@w': f32(41) }, good, /the constant '@w' is no f32\[40\]/],
    ['an input of another type', { ...weights, 'input:x': f32(80), 'input:q': u8 }, good, /input 'x' is no f32\[2, 40\]/],
    ['an input alone', { ...weights, 'input:q': u8 }, good, /its inputs are not those of its graph/],
    ['an unknown input', { ...weights, 'input:z': u8 }, good, /its inputs are not those of its graph/],
    ['an unknown tensor', { ...weights, other: u8 }, good, /it has a tensor 'other'/],
  ]
  for (const [name, tensors, metadata, expected] of cases) {
    writeFileSync(path('bad'), layOutTensors(new Map(Object.entries(tensors)), metadata).bytes())
    try {
      readArchive(path('bad'))
      assert.unreachable(name)
    } catch (error) {
      assert.instance(error, ArchiveError, `${name}: ${error}`)
      assert.match((error as Error).message, expected, name)
    }
  }
  writeFileSync(path('bad'), layOutTensors(new Map(Object.entries(weights)), good).bytes())
  assert.ok(readArchive(path('bad')).graph)
})

test('no damage to an archive is more than an error', async () => {
  const graph = network()
  await writeArchive(path('damaged'), { graph, inputs: drawInputs(graph, 1), record })
  const whole = readFileSync(path('damaged'))
  for (let i = 0; i < 300; i++) {
    const bytes = new Uint8Array(whole)
    const at = (i * 7919) % Math.min(bytes.length, 2400)
    if (i % 3 === 0) writeFileSync(path('damaged'), bytes.subarray(0, at))
    else {
      bytes[at] = bytes[at]! ^ (1 << (i % 8))
      writeFileSync(path('damaged'), bytes)
    }
    try {
      readArchive(path('damaged'))
    } catch (error) {
      assert.instance(error, ArchiveError, String((error as Error).stack))
    }
  }
})

test('TO-07 a damaged weight or input is noticed', async () => {
  const graph = network()
  await writeArchive(path('flipped'), { graph, inputs: drawInputs(graph, 1), record })
  const whole = readFileSync(path('flipped'))
  const start = 8 + Number(whole.readBigUInt64LE(0))
  for (const at of [start + 2, start + 300, whole.length - 1]) {
    const bytes = new Uint8Array(whole)
    bytes[at] = bytes[at]! ^ 1
    writeFileSync(path('flipped'), bytes)
    assert.throws(() => readArchive(path('flipped')), /its weights or inputs are damaged/)
  }
})

test('random inputs are such that the model accepts them', async () => {
  const g = createTestGraph()
  const rows = g.input('rows', [4], 'i32')
  const graph = g.graph(g.op('gather', { input: g.weight('table', [3, 2]), indices: rows }, { axis: 0 }))
  const { inputs, outputs, moved } = await drawReference(graph, 2)
  const indices = new Int32Array(inputs.rows!.slice().buffer)
  assert.ok(indices.every((index) => index >= 0 && index < 3))
  assert.is(outputs.y0!.length, 4 * 2 * 4)
  assert.is(moved.length, 2)
  assert.ok(graph.nodes.some((node) => hasTrait(node, 'checked')))
})

test.run()
