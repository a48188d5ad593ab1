import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Graph } from '../../compiler/graph/index.ts'
import { elideCopies, selectInstructions, shareInPlace, verifyInstructions } from '../../compiler/instructions/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { allocateMemory, type Program, verifyProgram } from '../../compiler/memory/index.ts'
import { scheduleKernels } from '../../compiler/schedule/index.ts'
import type { Target } from '../../compiler/target.ts'
import { EvaluationFault, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph, entangledOps, type RandomGraphOptions, randomInputs } from '../support/randomGraph.ts'

interface Stages {
  readonly fuse: boolean
  readonly schedule: boolean
  readonly elide: boolean
  readonly share: boolean
}

const all: Stages = { fuse: true, schedule: true, elide: true, share: true }
const variants: Readonly<Record<string, Stages>> = {
  'every stage': all,
  'no fusion': { ...all, fuse: false },
  'no scheduling': { ...all, schedule: false },
  'no elision': { ...all, elide: false },
  'no sharing': { ...all, share: false },
  'no stage': { fuse: false, schedule: false, elide: false, share: false },
}

const targets: Readonly<Record<string, Target>> = {
  'a target that allows all': targetWith(),
  'a target that fuses nothing into anchors': targetWith({ fusesAfter: () => false, fusesBefore: () => false }),
  'a target whose kernels store no rows': targetWith({ storesRows: () => false }),
  'a target with tiny kernels': targetWith({ maximumSteps: 4 }),
  'a target with scratch': targetWith({ scratch: (kernel) => 40 * kernel.steps.length, alignment: 16 }),
}

/** Every border is verified on the way. */
function compile(graph: Graph, target: Target, stages: Stages): Program {
  const fused = fuseGraph(graph, target, { fuse: stages.fuse })
  verifyKernels(fused)
  const kernels = stages.schedule ? scheduleKernels(fused, target).kernels : fused
  verifyKernels(kernels)
  const selected = selectInstructions(kernels, target)
  verifyInstructions(selected)
  const elided = stages.elide ? elideCopies(selected, target) : selected
  verifyInstructions(elided)
  const shared = stages.share ? shareInPlace(elided, target) : elided
  const program = allocateMemory(shared, target.alignment)
  verifyProgram(program)
  return program
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function expectedOutputs(graph: Graph, inputs: Record<string, Uint8Array>): Record<string, string> | undefined {
  try {
    return Object.fromEntries(Object.entries(runGraph(graph, inputs)).map(([name, bytes]) => [name, hex(bytes)]))
  } catch (problem) {
    // An index outside its table: the program must report it as well.
    if (problem instanceof EvaluationFault) return undefined
    throw problem
  }
}

const entangled: RandomGraphOptions = { ops: entangledOps, dtypes: ['f32'], maximumNodes: 30, maximumElements: 200 }

const cases = [
  ...Object.entries(targets).map(([name, target]) => ({
    name: `all ops, ${name}`,
    target,
    options: { maximumNodes: 16 },
    numRuns: 30,
  })),
  { name: 'movements and joins', target: targets['a target that allows all']!, options: entangled, numRuns: 60 },
]

for (const { name, target, options, numRuns } of cases) {
  test(`LL-01 LL-04 LL-17: ${name}: programs on real memory compute what their graphs compute, whichever stages run`, () => {
    fc.assert(
      fc.property(arbitraryGraph(options), fc.nat(1000), (graph, seed) => {
        const lowered = lowerGraph(graph, new Set())
        const inputs = randomInputs(graph, seed)
        const expected = expectedOutputs(graph, inputs)
        for (const [variant, stages] of Object.entries(variants)) {
          const { fault, outputs } = runOnMemory(compile(lowered, target, stages), inputs)
          if (expected) assert.is(fault, 0, variant)
          else assert.ok(fault > 0, variant)
          for (const output of Object.keys(expected ?? {}))
            assert.is(hex(outputs[output]!), expected![output], `${variant}: ${output}`)
        }
      }),
      draw(20, numRuns),
    )
  })
}

test.run()
