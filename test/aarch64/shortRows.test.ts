import { test } from 'uvu'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines } from '../support/machines.ts'
import { shortRowSuite } from '../support/shortRowCases.ts'

const suite = shortRowSuite(40, 20)
for (const machine of emulatedMachines('short rows for aarch64'))
  test(`${suite.name} are computed to the bit (${machine.name})`, () => executeSuite(machine, suite))

test.run()
