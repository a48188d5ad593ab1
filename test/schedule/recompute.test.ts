import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, type KernelGraph, printKernels, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Builder, Graph, Node } from '../../compiler/graph/index.ts'
import { elideCopies, selectInstructions, shareInPlace, verifyInstructions } from '../../compiler/instructions/index.ts'
import { peakBytes } from '../../compiler/instructions/lifetime.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { allocateMemory, type Program, verifyProgram } from '../../compiler/memory/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { recomputeKernels, scheduleKernels, scheduleWithin } from '../../compiler/schedule/index.ts'
import type { Target } from '../../compiler/target.ts'
import { EvaluationFault, evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph, type RandomGraphOptions, randomInputs } from '../support/randomGraph.ts'

const target = targetWith()

function programOf(kernels: KernelGraph, target: Target): Program {
  verifyKernels(kernels)
  const list = shareInPlace(elideCopies(selectInstructions(kernels, target), target), target)
  verifyInstructions(list)
  const program = allocateMemory(list, target.alignment)
  verifyProgram(program)
  return program
}

const memoryOf = ({ regions }: Program): number => regions.activations + regions.mutable

const rows = 160
const side = 32
const big = rows * side * 4

type Make = (b: Builder, x: Node, n: number) => Node

/** Large values of the input, each of which goes into the narrow middle and, late, into the result: the skips of a U. */
function skips(make: Make, { type = f32(rows, side), count = 4, outputs = false } = {}): Graph {
  return graphOf((b) => {
    const x = b.input('x', type)
    const kept: Node[] = []
    const narrow: Node[] = []
    for (let n = 1; n <= count; n++) {
      kept.push(make(b, x, n))
      narrow.push(b.add('matmul', { left: kept.at(-1)!, right: weights(b, `down${n}`, side, 2) }))
    }
    const middle = narrow.reduce((left, right) => b.add('add', { left, right }))
    let wide = b.add('matmul', { left: b.add('softmax', { input: middle }, { axis: 1 }), right: weights(b, 'up', 2, side) })
    // One skip after the other, so that the others wait.
    for (const [n, skip] of kept.toReversed().entries()) {
      const joined = b.add('add', { left: wide, right: skip })
      wide = b.add('matmul', { left: joined, right: weights(b, `mix${n}`, side, side) })
    }
    return { y: wide, ...(outputs && Object.fromEntries(kept.map((value, n) => [`kept${n}`, value]))) }
  })
}

const cheap: Make = (b, x, n) => b.add('sin', { input: b.add('mul', { left: x, right: b.scalar('f32', n) }) })

const lowered = (graph: Graph): Graph => lowerGraph(graph, new Set())

const within = (graph: Graph, memory: number, on: Target = target) =>
  scheduleWithin(memory, on, (options) => fuseGraph(graph, on, options))

const callsOf = ({ steps }: KernelGraph) => steps.filter(({ kind }) => kind === 'call').length
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('cheap skips are made again where the budget asks for it, and only then', () => {
  const graph = lowered(skips(cheap))
  const usual = scheduleKernels(fuseGraph(graph, target), target)
  const need = memoryOf(programOf(usual.kernels, target))
  const narrow = rows * 2 * 4
  // All four skips and the narrow values that they were multiplied to, beside the input and the output.
  assert.is(usual.peak, 4 * big + 3 * narrow)
  assert.is(need, 6 * big + 3 * narrow)

  const kept = within(graph, need)
  assert.is(kept.recomputed, 0)
  assert.is(kept.addedNanoseconds, 0)
  assert.is(printKernels(kept.kernels), printKernels(usual.kernels))

  const apart = fuseGraph(graph, target, { together: false })
  let [last, needed] = [0, need]
  for (const memory of [need - 1, 5 * big, 4 * big + 3 * narrow, 0]) {
    const { kernels, peak, recomputed, addedNanoseconds, topologicalPeak, lowerBound } = within(graph, memory)
    const found = memoryOf(programOf(kernels, target))
    if (memory >= 4 * big + 3 * narrow) assert.ok(found <= memory, `${found} of ${memory}`)
    assert.ok(found <= needed && recomputed >= last && recomputed > 0)
    assert.ok(addedNanoseconds > 0)
    assert.is(topologicalPeak, usual.topologicalPeak)
    assert.ok(lowerBound <= peak && peak < usual.peak)
    // No kernel that was not there.
    assert.is(callsOf(kernels), callsOf(apart) + recomputed)
    const names = (graph: KernelGraph) =>
      [...new Set(graph.steps.flatMap((step) => (step.kind === 'call' ? step.name : [])))].sort()
    assert.equal(names(kernels), names(apart))
    ;[last, needed] = [recomputed, found]
  }
  // What a skip is added to and the skip, and little else: as if there were one skip.
  assert.ok(needed < 5 * big)
})

test('what is made again is the same bit for bit', () => {
  const graph = lowered(skips(cheap))
  const inputs = randomInputs(graph, 3)
  const expected = runGraph(graph, inputs)
  const { kernels, recomputed } = within(graph, 0)
  assert.ok(recomputed > 0)
  assert.is(hex(runOnMemory(programOf(kernels, target), inputs).outputs.y!), hex(expected.y!))
})

/** The four skips, kept apart so that only making them again could help. */
const withoutMerging = targetWith({ runsTogether: () => false })

function unhelped(graph: Graph, on = withoutMerging): void {
  const scheduled = scheduleKernels(fuseGraph(graph, on), on)
  const { kernels, recomputed, addedNanoseconds, peak } = recomputeKernels(scheduled, on, 0)
  assert.ok(kernels === scheduled.kernels)
  assert.equal([recomputed, addedNanoseconds, peak], [0, 0, scheduled.peak])
}

test('the same skips are made again by kernels that were apart already', () => {
  const graph = lowered(skips(cheap))
  const scheduled = scheduleKernels(fuseGraph(graph, withoutMerging), withoutMerging)
  assert.ok(recomputeKernels(scheduled, withoutMerging, 0).recomputed > 0)
})

test('products are not made again', () => {
  unhelped(lowered(skips((b, x, n) => b.add('matmul', { left: x, right: weights(b, `dear${n}`, side, side) }))))
})

test('kernels that check values are not called again', () => {
  const look: Make = (b, x, n) => b.add('gather', { input: weights(b, `table${n}`, 50, side), indices: x }, { axis: 0 })
  unhelped(lowered(skips(look, { type: { dtype: 'i32', shape: [rows] } })))
})

test('nothing is made again from values that would have to be kept instead', () => {
  // Each is cheap, but made of a product that nobody else needs, and stored apart from it since the sum over rows needs all of it.
  const centred: Make = (b, x, n) => {
    const product = b.add('matmul', { left: x, right: weights(b, `dear${n}`, side, side) })
    const sum = b.add('reduceSum', { input: product }, { axes: [0], keepDims: true })
    return b.add('sin', { input: b.add('sub', { left: product, right: sum }) })
  }
  unhelped(lowered(skips(centred)))
})

test('outputs stay as they are', () => {
  unhelped(lowered(skips(cheap, { outputs: true })))
})

test('an input that is gone by then is made again with what is made of it', () => {
  const pooled: Make = (b, x, n) => {
    const exact = b.add('cast', { input: x }, { dtype: 'f32' })
    const scaled = b.add('sin', { input: b.add('mul', { left: exact, right: b.scalar('f32', n) }) })
    // A view between the two, and a window, before which the value has to be stored.
    const image = b.add('reshape', { input: scaled }, { shape: [1, 1, rows, side] })
    const window = { window: [3, 3], stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1] }
    return b.add('reshape', { input: b.add('maxPool', { input: image }, window) }, { shape: [rows, side] })
  }
  const graph = skips(pooled, { type: { dtype: 'u8', shape: [rows, side] }, count: 7 })
  const scheduled = scheduleKernels(fuseGraph(lowered(graph), withoutMerging), withoutMerging)
  const { kernels, recomputed, peak } = within(lowered(graph), 0, withoutMerging)
  // All seven, and what the last is made of; then one, and what it is made of.
  assert.is(scheduled.peak, 8 * big)
  assert.ok(peak <= 4 * big, `${peak}`)
  assert.ok(recomputed >= 6)
  const inputs = randomInputs(graph, 5)
  assert.is(hex(runOnMemory(programOf(kernels, withoutMerging), inputs).outputs.y!), hex(runGraph(graph, inputs).y!))
})

/** Graphs in which much is cheap and read more than once. */
const wide: RandomGraphOptions = {
  ops: [
    'concat',
    'slice',
    'reshape',
    'transpose',
    'exp',
    'add',
    'mul',
    'sin',
    'negate',
    'reduceSum',
    'matmul',
    'cumSum',
    'pad',
    'gather',
  ],
  dtypes: ['f32'],
  maximumNodes: 40,
  maximumElements: 200,
}

const targets: Readonly<Record<string, Target>> = {
  'a target that allows all': target,
  'a target that fuses little': targetWith({ runsTogether: () => false, maximumSteps: 3, fusesAfter: () => false }),
  'a target with scratch': targetWith({ scratch: (kernel) => 40 * kernel.steps.length, alignment: 16 }),
}

let helped = 0
for (const [name, on] of Object.entries(targets)) {
  for (const options of [{ maximumNodes: 20 }, wide]) {
    test(`LL-14: ${name}, ${options === wide ? 'much to make again' : 'all ops'}: results stay, and the peak never rises`, () => {
      fc.assert(
        fc.property(arbitraryGraph(options), fc.nat(1000), (given, seed) => {
          const graph = lowered(given)
          const usual = scheduleKernels(fuseGraph(graph, on), on)
          const result = within(graph, 0, on)
          const program = programOf(result.kernels, on)
          assert.is(peakBytes(program, on.alignment), result.peak)
          if (result.recomputed > 0 || result.peak !== usual.peak) {
            helped++
            assert.ok(result.peak < usual.peak)
            assert.ok(memoryOf(program) <= memoryOf(programOf(usual.kernels, on)))
          } else assert.is(printKernels(result.kernels), printKernels(usual.kernels))
          const inputs = randomInputs(graph, seed)
          const { fault, outputs } = runOnMemory(program, inputs)
          try {
            for (const [output, bytes] of Object.entries(runGraph(graph, inputs)))
              assert.is(hex(outputs[output]!), hex(bytes), output)
          } catch (problem) {
            if (!(problem instanceof EvaluationFault)) throw problem
            assert.ok(fault > 0)
          }
        }),
        draw(21, 25),
      )
    })
  }
}
test('random graphs are among them in which it helps', () => {
  assert.ok(helped >= 8, `${helped}`)
})

test('the pipeline reports what was made again, and nothing without the option', () => {
  const graph = skips(cheap)
  const without = compileGraph(graph, { target, evaluate }).schedule
  assert.not('recomputed' in without)
  const { schedule, program } = compileGraph(graph, { target, evaluate, recomputeAbove: 5 * big, verify: true })
  assert.ok(memoryOf(program) <= 5 * big)
  assert.ok(schedule.recomputed! > 0 && schedule.addedNanoseconds! > 0)
})

test.run()
