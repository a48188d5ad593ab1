import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('embedding bags for aarch64')) {
  test(`embedding bags for aarch64 give what the interpreter does (${machine.name})`, () => {
    const suites = anchoredSuites(89, 0.25).filter(({ name }) => name.startsWith('embedding'))
    return executeSuite(machine, together('bags', suites))
  })
}

test.run()
