import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { executeSuite } from '../support/executable.ts'
import type { KernelSuite } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { winogradSuite } from '../support/winogradCases.ts'

const tried = new Set<string>()
for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`convolutions by the algorithm of Winograd by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('convolutions by the algorithm of Winograd').entries()) {
    const machine = machineOf(compiler, native, ['-Werror'])
    const { suite, level, ways } = winogradSuite(machine.level, 40 + k + (compiler === 'gcc' ? 0 : 10), 24)
    for (const way of ways) tried.add(way)
    test(`${suite.name} give what the interpreter does (${machine.name})`, () => executeSuite({ ...machine, level }, suite))
    if ((compiler === 'gcc') !== (k === 0)) continue
    const shared = winogradSuite({ ...machine.level, teams: true }, 60 + k, 24)
    for (const way of shared.ways) tried.add(way)
    test(`the same bits come of any number of threads (${machine.name})`, async () => {
      let first: readonly Uint8Array[] | undefined
      const same: KernelSuite = {
        ...shared.suite,
        check(outputs) {
          shared.suite.check(outputs)
          first ??= outputs
          for (const [i, output] of outputs.entries()) assert.ok(Buffer.from(output).equals(first[i]!), `case ${i} is different`)
        },
      }
      for (const parts of [1, 2, 3]) await executeSuite({ ...machine, level: shared.level, parts }, same)
    })
  }
}

if (tried.size > 0)
  test('every way to divide the work is among those that were tried', () => {
    for (const way of ['panels', 'unit', 'rest', 'chunks', 'phases', 'groups left', 'jobs', 'sections'])
      assert.ok(tried.has(way), way)
  })

test.run()
