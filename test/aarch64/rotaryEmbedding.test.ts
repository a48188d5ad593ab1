import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('rotary embedding for aarch64')) {
  test(`rotary embedding for aarch64 gives what the interpreter does (${machine.name})`, () => {
    const suites = anchoredSuites(67, 0.5).filter(({ name }) => name.startsWith('rotary'))
    return executeSuite(machine, together('rotary', suites))
  })
}

test.run()
