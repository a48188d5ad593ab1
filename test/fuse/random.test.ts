import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Decision } from '../../compiler/fuse/index.ts'
import { fuseGraph, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Graph } from '../../compiler/graph/index.ts'
import { elideCopies, selectInstructions, shareInPlace, verifyInstructions } from '../../compiler/instructions/index.ts'
import { allocateMemory, verifyProgram } from '../../compiler/memory/index.ts'
import type { Target } from '../../compiler/target.ts'
import { interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph, type RandomGraphOptions, randomInputs } from '../support/randomGraph.ts'

const freeArithmetic: Target = targetWith({ rates: { ...interpreter.rates, operationsPerSecond: 1e15 } })
const freeMemory: Target = targetWith({
  rates: { ...interpreter.rates, bytesPerSecond: 1e15, cachedBytesPerSecond: 1e15, callNanoseconds: 1 },
})
const targets = { freeArithmetic, freeMemory, interpreter, smallKernels: targetWith({ maximumSteps: 9 }) }

/** Much shared, few shapes: what fusion has to decide about. */
const options: RandomGraphOptions = {
  ops: [
    'add',
    'add',
    'mul',
    'sub',
    'negate',
    'exp',
    'abs',
    'where',
    'less',
    'reshape',
    'transpose',
    'slice',
    'concat',
    'matmul',
    'reduceSum',
  ],
  dtypes: ['f32'],
  maximumNodes: 24,
  maximumElements: 120,
}

const hex = (values: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))

function run(graph: Graph, target: Target, fuse: boolean, inputs: Record<string, Uint8Array>, count?: Record<string, number>) {
  const kernels = fuseGraph(graph, target, { fuse })
  verifyKernels(kernels)
  for (const { place } of kernels.decisions) if (count) count[place] = (count[place] ?? 0) + 1
  const shared = shareInPlace(elideCopies(selectInstructions(kernels, target), target), target)
  verifyInstructions(shared)
  const program = allocateMemory(shared, target.alignment)
  verifyProgram(program)
  return hex(runOnMemory(program, inputs).outputs)
}

for (const [name, target] of Object.entries(targets)) {
  test(`OP-57 LL-03: fused = unfused = graph, bit by bit, whatever the costs: ${name}`, () => {
    const count: Record<Decision['place'], number> = { stored: 0, together: 0, inside: 0, again: 0 }
    fc.assert(
      fc.property(arbitraryGraph(options), fc.nat(1000), (graph, seed) => {
        const inputs = randomInputs(graph, seed)
        const expected = hex(runGraph(graph, inputs))
        assert.equal(run(graph, target, true, inputs, count), expected)
        assert.equal(run(graph, target, false, inputs), expected)
      }),
      draw(5, 60),
    )
    assert.ok(count.together > 10, `only ${count.together} values stored together`)
    if (target === freeArithmetic) assert.ok(count.again > 3, `only ${count.again} values computed again`)
  })
}

test.run()
