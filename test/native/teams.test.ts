// Kernels that threads run together: the same bits whatever their number, and nothing read before it is written.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { draw } from '../support/draw.ts'
import { elementwiseSuites } from '../support/elementwiseCases.ts'
import { executeGraphs, executeSuite, type Machine } from '../support/executable.ts'
import { graphSuite } from '../support/graphSuite.ts'
import { integerSuites } from '../support/integerCases.ts'
import { type KernelSuite, together } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

/** A suite whose outputs must also be those of its first run, to the bit. */
function sameEachTime(suite: KernelSuite): KernelSuite {
  let first: readonly Uint8Array[] | undefined
  return {
    ...suite,
    check(outputs) {
      suite.check(outputs)
      first ??= outputs
      for (const [i, output] of outputs.entries())
        assert.ok(Buffer.from(first[i]!).equals(output), `output ${i} of ${suite.name} depends on the number of threads`)
    },
  }
}

const level = levelsHere('teams')[0]
if (!installed('gcc')) skip('threads of a team', 'gcc')
else if (level) {
  const plain = machineOf('gcc', level, ['-O1'])
  /** Kernels of any size are divided. */
  const machine = (parts: number): Machine => ({ ...plain, level: { ...plain.level, teams: true, leastDivided: 0 }, parts })
  // Without optimisation: each access that the C has is watched.
  const watched: Machine = { ...machine(3), compiler: [...plain.compiler, '-O0', '-g', '-fsanitize=thread', '-Wno-psabi'] }

  const kernels = together('kernels', [...elementwiseSuites(), ...anchoredSuites(61, 0.08), ...integerSuites(62, 0.1)])
  const same = sameEachTime(kernels)
  for (const parts of [1, 2, 5])
    test(`${parts} threads: kernels give what the interpreter does, and the bits of one`, () =>
      executeSuite(machine(parts), same))

  for (const seed of [63, 64])
    test(`3 threads: no step of random graphs, and no part of a kernel, runs before what it needs (${seed})`, () =>
      executeGraphs(watched, graphSuite(draw(seed, 25))))
  test('3 threads: no part of a kernel runs before what it needs', () =>
    executeSuite(watched, together('kernels', [...anchoredSuites(65, 0.05), ...integerSuites(66, 0.05)])))
}

test.run()
