import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('recurrent layers for aarch64')) {
  test(`recurrent layers for aarch64 give what the interpreter does (${machine.name})`, () => {
    const suites = anchoredSuites(101, 0.5).filter(({ name }) => name.startsWith('recurrent'))
    return executeSuite(machine, together('recurrent', suites))
  })
}

test.run()
