import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { copyNode, type Graph, rebuildGraph } from '../../compiler/graph/index.ts'
import type { Buffer, BufferId } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/index.ts'
import type { Pass } from '../../compiler/passes/index.ts'
import { once } from '../../compiler/pipeline.ts'
import type { EntryProgram, Target } from '../../compiler/target.ts'
import { readArchive, writeArchive } from '../../plugin/inspect/archive.ts'
import { compareTensors } from '../../plugin/inspect/compare.ts'
import { type DebugOptions, debugGraph } from '../../plugin/inspect/debug.ts'
import { drawInputs } from '../../plugin/inspect/reference.ts'
import { reproduce } from '../../plugin/inspect/reproduce.ts'
import { loadTargets } from '../../plugin/targets.ts'
import { interpreter } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'

/** Four layers: two products with a sum and a reduction between them, which no target makes one kernel. */
function network(): Graph {
  const g = createTestGraph()
  const x = g.input('x', [4, 8])
  const first = g.op('relu', { input: g.op('matmul', { left: x, right: g.weight('a', [8, 8]) }) })
  const sum = g.op('reduceSum', { input: first }, { axes: [1], keepDims: true })
  const second = g.op('matmul', { left: g.op('div', { left: first, right: sum }), right: g.weight('b', [8, 5]) })
  return g.graph(second, g.op('concat', { inputs: [second, g.op('exp', { input: second })] }, { axis: 1 }))
}

/** The kernel with other steps wherever it is emitted. */
const withKernels = (change: (kernel: Kernel, name: string) => Kernel): Target => ({
  ...interpreter,
  emit: (name, entries) =>
    interpreter.emit(
      name,
      entries.map((entry): EntryProgram => {
        const { program } = entry
        const kernels = new Map([...program.kernels].map(([key, kernel]) => [key, change(kernel, key)]))
        const instructions = program.instructions.map((each) =>
          each.kind === 'call' ? { ...each, kernel: kernels.get(each.name)! } : each,
        )
        return { ...entry, program: { ...program, kernels, instructions } }
      }),
    ),
})

const graph = network()
const inputs = drawInputs(graph, 7)
const debug = (options: Partial<DebugOptions>) => debugGraph(graph, { target: interpreter, inputs, ...options })

test('TO-06 every layer of every target gives what the interpreter gives', async () => {
  for (const target of [interpreter, ...(await loadTargets('wasm'))]) {
    const report = await debug({ target, all: true })
    assert.is(report.verdict, 'equal', JSON.stringify(report.first ?? report.outputs))
    assert.is(report.reports.length, report.layers)
    assert.ok(report.layers >= 4)
    for (const { cumulative, independent, kernel } of report.reports) assert.ok(cumulative && independent, kernel)
  }
})

test('TO-06 a kernel that is wrong is found, and nothing before or after it', async () => {
  const broken = withKernels((kernel) => ({
    ...kernel,
    steps: kernel.steps.map((step) => (step.kind === 'apply' && step.op === 'div' ? { ...step, op: 'mul' } : step)),
    ...(kernel.prologue && {
      prologue: kernel.prologue.map((step) => (step.kind === 'apply' && step.op === 'div' ? { ...step, op: 'mul' } : step)),
    }),
  }))
  for (const mode of ['both', 'cumulative', 'independent'] as const) {
    const report = await debug({ target: broken, mode })
    assert.is(report.verdict, 'kernel', mode)
    assert.match(report.first!.nodes.join('\n'), / = div\(/)
    assert.is(report.reports.at(-1)!.layer, report.first!.layer)
    assert.ok(report.first!.layer < report.layers)
    for (const each of report.reports.slice(0, -1)) assert.not(each.cumulative?.difference ?? each.independent?.difference)
  }
  // With all layers, what comes after is wrong only in the way that follows from it.
  const { reports, first, outputs } = await debug({ target: broken, all: true })
  const later = reports.filter(({ layer }) => layer > first!.layer)
  assert.ok(later.length > 0)
  for (const { independent } of later) assert.not(independent!.difference)
  assert.ok(later.some(({ cumulative }) => cumulative!.difference))
  assert.equal(Object.keys(outputs), ['y0', 'y1'])
})

test('TO-06 the first wrong layer goes into an archive that shows the fault by itself', async () => {
  const broken = withKernels((kernel, name) =>
    name.startsWith('reduceSum') ? { ...kernel, anchor: { ...kernel.anchor!, op: 'reduceMax' } } : kernel,
  )
  const { layer, first } = await debug({ target: broken })
  assert.match(first!.kernel, /^reduceSum/)
  const path = join(tmpdir(), `glowplug-layer-${process.pid}.safetensors`)
  try {
    await writeArchive(path, { ...layer!, record: { kind: 'layer', target: 'interpreter', level: 'any' } })
    const archive = readArchive(path)
    assert.equal(
      archive.graph.outputs.map(({ value }) => value.op),
      ['reduceSum'],
    )
    assert.is((await reproduce(archive, { target: interpreter })).verdict, 'equal')
    assert.is((await reproduce(archive, { target: broken })).verdict, 'different')
  } finally {
    rmSync(path)
  }
})

test('TO-06 passes that change the model are told from kernels that are wrong', async () => {
  const wrong: Pass = {
    name: 'drop-exp',
    summary: 'Take exp for the identity',
    level: 'any',
    run: (graph, { apply }) => {
      let applied = 0
      const result = rebuildGraph(graph, (node, operands, builder) => {
        if (node.op !== 'exp' || !apply({ rule: 'drop-exp', note: 'exp(x) → x', locations: [], node: node.id }))
          return copyNode(node, builder, operands)
        applied++
        return operands[0]!
      })
      return applied > 0 ? result : graph
    },
  }
  const report = await debug({ passes: { optimise: [once(wrong)] } })
  assert.is(report.verdict, 'passes')
  assert.equal(Object.keys(report.passes), ['y1'])
  assert.not(report.first)
})

test('TO-06 a value that is written over while it is needed is found, with the culprit', async () => {
  /** The second call of a program also writes over the result of the first, wherever that lies. */
  const careless: Target = {
    ...interpreter,
    emit(name, entries) {
      const whole = entries[0]!.program
      const calls = whole.instructions.flatMap((each) => (each.kind === 'call' ? [each] : []))
      const resultOf = (call: (typeof calls)[number]) =>
        call.operands.find(({ qualifier }) => qualifier === 'out' || qualifier === 'inout')!.buffer
      const [victim, source] = [resultOf(calls[0]!), calls[0]!.operands[1]!.buffer]
      const spoil = (program: Program): Program => {
        const at = program.instructions.indexOf(calls[1]!)
        if (at < 0) return program
        const rowBytes = 16
        const buffers = new Map<BufferId, Buffer>(program.buffers)
        const offsets = new Map(program.offsets)
        for (const id of [victim, source]) {
          buffers.set(id, whole.buffers.get(id)!)
          offsets.set(id, whole.offsets.get(id)!)
        }
        const copy = {
          kind: 'copy',
          from: source,
          to: victim,
          rows: 1,
          rowBytes,
          fromStride: rowBytes,
          toStride: rowBytes,
        } as const
        return { ...program, buffers, offsets, instructions: program.instructions.toSpliced(at + 1, 0, copy) }
      }
      return interpreter.emit(
        name,
        entries.map((entry) => ({ ...entry, program: spoil(entry.program) })),
      )
    },
  }
  const report = await debug({ target: careless })
  assert.is(report.verdict, 'memory', JSON.stringify(report.first))
  assert.match(report.first!.overwritten!.maker, /^matmul/)
  assert.match(report.first!.overwritten!.by, /^kernel reduceSum/)
  assert.not(report.first!.independent!.difference)
})

test('differences are measured by what rounding does, and by a tolerance where one is given', () => {
  const bytes = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer)
  const type = { dtype: 'f32', shape: [2, 2] } as const
  const expected = bytes(1, 2, 3, 4)
  assert.is(compareTensors(type, bytes(1, 2, 3, 4), expected, []), undefined)
  assert.is(compareTensors(type, bytes(1, 2, 3.000001, 4), expected, []), undefined)
  const { wrong, position, found } = compareTensors(type, bytes(1, 2, 3.01, 4), expected, [bytes(1, 2, 3.0001, 4)])!
  assert.equal([wrong, position], [1, [1, 0]])
  assert.ok(Math.abs(found - 3.01) < 1e-6)
  assert.is(compareTensors(type, bytes(1, 2, 3.01, 4), expected, [bytes(1, 2, 3.01, 4)]), undefined, 'as far as moved values')
  assert.is(compareTensors(type, bytes(1, 2, 3.01, 4), expected, [], { atol: 0, rtol: 0.01 }), undefined)
  assert.is(compareTensors(type, bytes(1, 2, 3.1, 4), expected, [], { atol: 0.05, rtol: 0.01 })!.wrong, 1)
  assert.is(compareTensors(type, bytes(1, 2, Number.NaN, 4), expected, [])!.wrong, 1)
  assert.is(compareTensors(type, bytes(1, 2, Number.NaN, 4), bytes(1, 2, Number.NaN, 4), []), undefined)
  const integers = { dtype: 'i32', shape: [2] } as const
  const whole = (...values: number[]) => new Uint8Array(new Int32Array(values).buffer)
  assert.is(compareTensors(integers, whole(1, 2), whole(1, 3), [])!.wrong, 1)
  assert.is(compareTensors(integers, whole(1, 2), whole(1, 3), [whole(1, 2)]), undefined, 'it jumps')
})

test.run()
