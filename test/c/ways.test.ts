// Whatever way of making a kernel is chosen, it computes the same: kernels of all anchors, each in a way that would not be taken unasked.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { waysOfKernel } from '../../targets/c/function.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { type KernelSuite, together } from '../support/kernelProgram.ts'
import { emulatedMachines, installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { runSuite } from '../wasm/harness.ts'

/** Cases that have several ways, and a level at which each takes another than its first. */
function otherWays(level: Level, seed: number): { readonly suite: KernelSuite; readonly level: Level } {
  const chosen = new Map<string, string>()
  const suites = anchoredSuites(seed, 0.5).flatMap((suite): KernelSuite[] => {
    const ways = suite.cases.map(({ kernel }) => waysOfKernel(kernel, level))
    for (const [i, { kernel }] of suite.cases.entries())
      if (ways[i]!.length > 1) chosen.set(kernelSignature(kernel), ways[i]![1 + (i % (ways[i]!.length - 1))]!.name)
    return ways.some((list) => list.length > 1) ? [suite] : []
  })
  assert.ok(chosen.size > 10, `only ${chosen.size} kernels have several ways`)
  return { suite: together('kernels in other ways than the first', suites), level: { ...level, chosen } }
}

for (const [i, native] of levelsHere('ways of kernels').entries()) {
  const compiler = i === 0 ? 'gcc' : 'clang'
  if (!installed(compiler)) {
    skip(`ways of kernels by ${compiler}`, compiler)
    continue
  }
  test(`every way equals the interpreter: ${compiler}, ${native.name}`, () => {
    const { suite, level } = otherWays({ ...native.level, teams: false }, 71 + i)
    return executeSuite(machineOf(compiler, { ...native, level }, ['-Werror']), suite)
  })
}

for (const machine of emulatedMachines('ways of kernels').slice(0, 1))
  test(`every way equals the interpreter: ${machine.name}, emulated`, () => {
    const { suite, level } = otherWays({ ...machine.level, teams: false }, 81)
    return executeSuite({ ...machine, level }, suite)
  })

test('every way equals the interpreter on wasm', () => {
  const { suite, level } = otherWays(simd128, 91)
  return runSuite(suite, level)
})

test.run()
