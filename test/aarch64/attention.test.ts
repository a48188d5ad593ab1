import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('attention for aarch64')) {
  test(`attention for aarch64 gives what the interpreter does (${machine.name})`, () => {
    const suites = anchoredSuites(37, 0.5).filter(({ name }) => name.startsWith('attention'))
    return executeSuite(machine, together('attention', suites))
  })
}

test.run()
