import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { simd128 } from '../../targets/c/level.ts'
import { executeSuite } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines, installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { encoderSuite, productSuite } from '../support/productCases.ts'
import { runSuite } from '../wasm/harness.ts'

for (const compiler of ['gcc', installed('clang-16') ? 'clang-16' : 'clang']) {
  if (!installed(compiler)) {
    skip(`products by ${compiler}`, compiler)
    continue
  }
  for (const [i, native] of levelsHere('products').entries())
    test(`products in every way equal the interpreter: ${compiler}, ${native.name}`, () => {
      const { suite, level } = productSuite({ ...native.level, teams: false }, 5 + i, 16)
      return executeSuite(machineOf(compiler, { ...native, level }, []), suite)
    })
}

for (const [i, native] of levelsHere('products by teams').entries()) {
  const compiler = i === 0 ? 'gcc' : 'clang'
  if (!installed(compiler)) continue
  const machine = machineOf(compiler, native, ['-Werror'])
  const { suite, level } = productSuite({ ...machine.level, teams: true }, 13 + i, 8)
  const shared = together('products and kernels of an encoder', [suite, encoderSuite()])
  test(`the same bits come of any number of threads: ${machine.name}`, async () => {
    let first: readonly Uint8Array[] | undefined
    const check = (outputs: readonly Uint8Array[]) => {
      shared.check(outputs)
      first ??= outputs
      for (const [k, output] of outputs.entries()) assert.ok(Buffer.from(output).equals(first[k]!), `output ${k} is different`)
    }
    for (const parts of [1, 2, 3]) await executeSuite({ ...machine, level, parts }, { ...shared, check })
  })
}

for (const machine of emulatedMachines('products'))
  test(`products in every way equal the interpreter: ${machine.name}, emulated`, () => {
    const { suite, level } = productSuite({ ...machine.level, teams: false }, 9, 10)
    return executeSuite({ ...machine, level }, suite)
  })

test('products in every way equal the interpreter on wasm', () => {
  const { suite, level } = productSuite(simd128, 11, 12)
  return runSuite(suite, level)
})

test.run()
