import { test } from 'uvu'
import { executeSuite } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { shortRowSuite } from '../support/shortRowCases.ts'

for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`short rows by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('short rows').entries()) {
    const machine = machineOf(compiler, native, ['-Werror'])
    const suite = shortRowSuite(20 + k, 40)
    test(`${suite.name} are computed to the bit (${machine.name})`, () => executeSuite(machine, suite))
  }
}

test.run()
