import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simd128 } from '../../targets/c/level.ts'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines, installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { storedSuite } from '../support/storedCases.ts'
import { runSuite } from '../wasm/harness.ts'

for (const compiler of ['gcc', installed('clang-16') ? 'clang-16' : 'clang']) {
  if (!installed(compiler)) {
    skip(`products with weights in 16 bits by ${compiler}`, compiler)
    continue
  }
  for (const [i, native] of levelsHere('products with weights in 16 bits').entries())
    test(`products with weights in 16 bits equal the interpreter: ${compiler}, ${native.name}`, () => {
      const { suite, level } = storedSuite({ ...native.level, teams: false }, 5 + i, 24)
      return executeSuite(machineOf(compiler, { ...native, level }, ['-Werror']), suite)
    })
}

for (const native of levelsHere('products with weights in 16 bits by teams').slice(0, 1)) {
  if (!installed('gcc')) continue
  const machine = machineOf('gcc', native, ['-Werror'])
  const { suite, level } = storedSuite({ ...machine.level, teams: true, leastDivided: 0 }, 13, 10)
  test(`the same bits come of any number of threads: ${machine.name}`, async () => {
    let first: readonly Uint8Array[] | undefined
    const check = (outputs: readonly Uint8Array[]) => {
      suite.check(outputs)
      first ??= outputs
      for (const [k, output] of outputs.entries()) assert.ok(Buffer.from(output).equals(first[k]!), `output ${k} is different`)
    }
    for (const parts of [1, 3]) await executeSuite({ ...machine, level, parts }, { ...suite, check })
  })
}

for (const machine of emulatedMachines('products with weights in 16 bits'))
  test(`products with weights in 16 bits equal the interpreter: ${machine.name}, emulated`, () => {
    const { suite, level } = storedSuite({ ...machine.level, teams: false }, 9, 12)
    return executeSuite({ ...machine, level }, suite)
  })

test('products with weights in 16 bits equal the interpreter on wasm', () => {
  const { suite, level } = storedSuite(simd128, 11, 14)
  return runSuite(suite, level)
})

test.run()
