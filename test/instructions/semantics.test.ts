import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import { removeDeadStores } from '../../compiler/instructions/deadStores.ts'
import { produceInPlace, readFromSource } from '../../compiler/instructions/elide.ts'
import {
  elideCopies,
  type InstructionList,
  selectInstructions,
  shareInPlace,
  verifyInstructions,
} from '../../compiler/instructions/index.ts'
import { tightenLifetimes } from '../../compiler/instructions/lifetime.ts'
import { openWorkspace, type Workspace } from '../../compiler/instructions/workspace.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { allocateMemory, verifyProgram } from '../../compiler/memory/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate, interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { families, largeGraph } from '../support/largeGraphs.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph, randomInputs } from '../support/randomGraph.ts'

const target = targetWith()

const worked =
  (pass: (work: Workspace) => void) =>
  (list: InstructionList): InstructionList => {
    const work = openWorkspace(list)
    pass(work)
    return work.close()
  }

/** Each pass of the room by itself, on what selection makes and on what the passes before it leave. */
const passes: Readonly<Record<string, (list: InstructionList) => InstructionList>> = {
  'LL-10 LL-11 tighten lifetimes': tightenLifetimes,
  'LL-07 produce in place': worked((work) => produceInPlace(work)),
  'LL-07 produce in place, in rows too': worked((work) => produceInPlace(work, target)),
  'LL-08 read from the source': worked(readFromSource),
  'LL-06 remove dead stores': worked(removeDeadStores),
  'LL-09 share in place': (list) => shareInPlace(list, target),
}

function outputsOf(list: InstructionList, inputs: Readonly<Record<string, Uint8Array>>): readonly string[] {
  verifyInstructions(list)
  const program = allocateMemory(list, target.alignment)
  verifyProgram(program)
  const { fault, outputs } = runOnMemory(program, inputs)
  return [String(fault), ...Object.values(fault === 0 ? outputs : {}).map((bytes) => Buffer.from(bytes).toString('hex'))]
}

const entangled = arbitraryGraph({
  ops: [
    'concat',
    'concat',
    'slice',
    'reshape',
    'transpose',
    'expand',
    'exp',
    'add',
    'mul',
    'reduceSum',
    'matmul',
    'pad',
    'gather',
  ],
  dtypes: ['f32', 'f32', 'i32'],
  maximumNodes: 24,
  maximumElements: 150,
})

for (const [name, pass] of Object.entries(passes)) {
  test(`${name}: programs before and after compute the same bytes`, () => {
    fc.assert(
      fc.property(entangled, fc.nat(1000), (graph, seed) => {
        const inputs = randomInputs(graph, seed)
        const selected = selectInstructions(fuseGraph(lowerGraph(graph, new Set()), target), target)
        const expected = outputsOf(selected, inputs)
        assert.equal(outputsOf(pass(selected), inputs), expected, 'after selection')
        assert.equal(outputsOf(pass(elideCopies(selected, target)), inputs), expected, 'after elision')
      }),
      draw(36, 40),
    )
  })
}

for (const [name, family] of Object.entries(families)) {
  test(`a small graph of the family ${name} computes the same through the whole pipeline`, () => {
    const graph = largeGraph(family, 60)
    const inputs = randomInputs(graph, 5)
    const { program, optimised } = compileGraph(graph, { target: interpreter, evaluate, verify: true })
    const expected = runGraph(optimised, inputs)
    const { outputs } = runOnMemory(program, inputs)
    for (const [output, bytes] of Object.entries(expected))
      assert.is(Buffer.from(outputs[output]!).toString('hex'), Buffer.from(bytes).toString('hex'), output)
  })
}

test.run()
