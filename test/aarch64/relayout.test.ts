import { test } from 'uvu'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines } from '../support/machines.ts'
import { relayoutSuite } from '../support/relayoutCases.ts'

const suite = relayoutSuite(40, 40)
for (const machine of emulatedMachines('relayouts for aarch64'))
  test(`${suite.name} arrive as they are (${machine.name})`, () => executeSuite(machine, suite))

test.run()
