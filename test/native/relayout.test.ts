import { test } from 'uvu'
import { executeSuite } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { relayoutSuite } from '../support/relayoutCases.ts'

for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`relayouts by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('relayouts').entries()) {
    const machine = machineOf(compiler, native, ['-Werror'])
    const suite = relayoutSuite(20 + k, 50)
    test(`${suite.name} arrive as they are (${machine.name})`, () => executeSuite(machine, suite))
  }
}

test.run()
